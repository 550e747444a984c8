//! The frames of a stored stream, and what they say before its end.
//!
//! What a reader could get wrong: the last frame may lack its blank line (some servers close right behind `[DONE]`); it counts, because
//! half of its JSON would not parse.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::openai::sse::{data, line_end};

const DONE: &str = "[DONE]";

/// Where the frames lie.
pub(super) fn frames(events: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let mut line = at;
        while let Some((end, next)) = line_end(events, line) {
            let is_blank = end == line;
            line = next;
            if is_blank {
                at = next;
                return Some(start..next);
            }
        }
        None
    })
}

/// What the events say, in order. `None` if one is an error by its name or is no UTF-8.
pub(super) fn said(events: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    let events = events.strip_prefix(b"\xef\xbb\xbf").unwrap_or(events);
    let (mut said, mut at) = (Vec::new(), 0);
    for range in frames(events) {
        at = range.end;
        let frame = events.get(range)?;
        note(frame, data(frame), &mut said)?;
    }
    let rest = events.get(at..)?;
    if !rest.is_empty() {
        let mut ended = rest.to_vec();
        ended.extend_from_slice(b"\n\n");
        let value = data(&ended).map(|value| Cow::Owned(value.into_owned()));
        note(rest, value, &mut said)?;
    }
    Some(said)
}

fn note<'e>(frame: &[u8], value: Option<Cow<'e, [u8]>>, said: &mut Vec<Cow<'e, str>>) -> Option<()> {
    if is_named_error(frame) {
        return None;
    }
    match value {
        Some(Cow::Borrowed(value)) => said.push(Cow::Borrowed(simdutf8::basic::from_utf8(value).ok()?)),
        Some(Cow::Owned(value)) => said.push(Cow::Owned(String::from_utf8(value).ok()?)),
        None => {}
    }
    Some(())
}

/// What the events say before `[DONE]`, which must be the last that is said.
pub(super) fn said_before_done(events: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    let mut said = said(events)?;
    (said.pop()?.trim_ascii() == DONE).then_some(said)
}

pub(super) fn is_done(said: &str) -> bool {
    said.trim_ascii() == DONE
}

/// `event: error`. Within data no line begins like that: JSON has no raw line breaks in strings.
fn is_named_error(frame: &[u8]) -> bool {
    memmem::find_iter(frame, b"event:").any(|at| {
        let begins = at == 0 || matches!(frame.get(at - 1), Some(b'\n' | b'\r'));
        begins && frame.get(at + 6..).unwrap_or_default().trim_ascii_start().starts_with(b"error")
    })
}

//! Changes to the data of one event, written out in one pass.
//!
//! What a reader could get wrong: changes at the same place are made in the order in which they were asked for; they must not overlap.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::Spent;
use crate::openai::view::scanner::Scanner;

/// Bytes, and what is put in their place.
type Change<'a> = (Range<usize>, Cow<'a, [u8]>);

/// Changes to be made.
#[derive(Debug, Default)]
pub(super) struct Patch<'a> {
    changes: SmallVec<[Change<'a>; 8]>,
}

impl<'a> Patch<'a> {
    /// These bytes are replaced by those.
    pub(super) fn put(&mut self, range: Range<usize>, with: impl Into<Cow<'a, [u8]>>) {
        self.changes.push((range, with.into()));
    }

    pub(super) fn insert(&mut self, at: usize, with: impl Into<Cow<'a, [u8]>>) {
        self.put(at..at, with);
    }

    /// The value of a member, if it is there.
    pub(super) fn value(&mut self, range: Option<&Range<usize>>, with: &'a [u8]) {
        if let Some(range) = range {
            self.put(range.clone(), with);
        }
    }

    /// Adds what was used to the figures of a `usage` object, whatever it calls them.
    pub(super) fn add_usage(&mut self, data: &[u8], usage: &Range<usize>, spent: Spent) {
        let from = usage.start;
        let mut scanner = Scanner::new(data.get(usage.clone()).unwrap_or_default());
        if spent == Spent::default() || scanner.peek() != Some(b'{') {
            return;
        }
        // It was scanned before, as part of the event.
        let _whole = scanner.object(|s, key, _| {
            let range = s.skip()?;
            let more = match &*key {
                b"prompt_tokens" | b"input_tokens" => spent.prompt,
                b"completion_tokens" | b"output_tokens" => spent.completion,
                b"total_tokens" => spent.prompt.saturating_add(spent.completion),
                _ => return Ok(()),
            };
            if let Some(figure) = std::str::from_utf8(s.bytes(range.clone())).ok().and_then(|f| f.parse::<u64>().ok()) {
                let sum = figure.saturating_add(more).to_string().into_bytes();
                self.put(from + range.start..from + range.end, sum);
            }
            Ok(())
        });
    }

    /// The changed data, in place of what `out` held.
    pub(super) fn write(mut self, data: &[u8], out: &mut Vec<u8>) {
        out.clear();
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        let mut done = 0;
        for (range, with) in &self.changes {
            out.extend_from_slice(data.get(done..range.start).unwrap_or_default());
            out.extend_from_slice(with);
            done = range.end;
        }
        out.extend_from_slice(data.get(done..).unwrap_or_default());
    }
}

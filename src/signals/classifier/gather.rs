//! Which parts of a conversation are read, and how much of each: of the last thing that the user said, the first and the last paragraph
//! count fully, for there he says what he wants; what he pasted in between and what he said earlier counts a quarter; everything else
//! (system prompts, answers, tools) not at all, so that what never changes cannot decide.
//!
//! What a reader could get wrong: of a long text only its head and its tail are read, measured in decoded bytes, so the cost of a
//! decision is bounded whatever the prompt's length: at most about 6 KB of the last turn and 4 KB of earlier ones.

use super::Passage;
use super::reading::{Limit, Sink, Tally, decode, read};
use crate::openai::view::Source;

/// Of the last user turn: instructions stand at the beginning or at the end of what is pasted.
const HEAD: u32 = 2048;
const TAIL: u32 = 1024;
/// Of each earlier user turn, and how many of them.
const EARLIER_HEAD: u32 = 384;
const EARLIER_TAIL: u32 = 128;
const EARLIER_PIECES: usize = 8;
/// Pieces of the last turn that get the whole head and tail; more share as much, and of very many only the ends are read.
const WHOLE_PIECES: usize = 2;
const MOST_PIECES: usize = 64;
/// An escape (`\u0041`) takes at most this many bytes per decoded byte.
const LONGEST_ESCAPE: usize = 6;

/// A last paragraph longer than this is pasted text, too.
const CLOSING: usize = 240;

/// Which group a word belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// What is asked for in the last user turn.
    Ask,
    /// What it is about: pasted text, earlier turns.
    Aside,
}

/// Takes in the words; told before each group.
pub(crate) trait Listener: Sink {
    fn enter(&mut self, group: Group);
}

/// Counts of both groups.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tallies {
    pub ask: Tally,
    pub aside: Tally,
}

/// Reads what counts of the passages; the last turn first.
pub(crate) fn gather<'b>(passages: impl Iterator<Item = Passage<'b>> + Clone, listener: &mut impl Listener) -> Tallies {
    let said = passages.filter(|passage| matches!(passage.source, Source::User | Source::Input));
    let Some(last) = said.clone().map(|passage| passage.message).max() else { return Tallies::default() };
    let asked = said.clone().filter(|passage| passage.message == last);
    let (pieces, before) = (asked.clone().count(), said.clone().filter(|passage| passage.message != last).count());
    let share = u32::try_from(pieces.div_ceil(WHOLE_PIECES).min(MOST_PIECES / WHOLE_PIECES)).unwrap_or(1).max(1);
    let mut tallies = Tallies::default();
    for (at, passage) in asked.enumerate() {
        if at < MOST_PIECES / 2 || at + MOST_PIECES / 2 >= pieces {
            asking(passage.text, HEAD / share, TAIL / share, &mut tallies, listener);
        }
    }
    listener.enter(Group::Aside);
    let old = said.filter(|passage| passage.message != last).skip(before.saturating_sub(EARLIER_PIECES));
    for passage in old {
        ends(passage.text, 0, EARLIER_HEAD, EARLIER_TAIL, &mut tallies.aside, listener);
    }
    tallies
}

/// Reads what is asked for (the first paragraph, and the last if it is short), then what stands between.
fn asking(text: &[u8], head: u32, tail: u32, tallies: &mut Tallies, listener: &mut impl Listener) {
    listener.enter(Group::Ask);
    let before = tallies.ask.bytes;
    let first = read(text, 0, Limit { bytes: head, paragraph: true }, &mut tallies.ask, listener);
    if first >= text.len() {
        return;
    }
    let left = head.saturating_sub(tallies.ask.bytes - before);
    if left == 0 {
        // One paragraph that is longer than what is read of one: its end is more likely to say what is wanted than its middle.
        ends(text, first, 0, tail, &mut tallies.ask, listener);
        return;
    }
    let closing = closing_begin(text, first);
    read(text, closing, ALL, &mut tallies.ask, listener);
    listener.enter(Group::Aside);
    ends(text.get(..closing).unwrap_or_default(), first, left, tail, &mut tallies.aside, listener);
}

const ALL: Limit = Limit { bytes: u32::MAX, paragraph: false };

/// Reads the first `head` and the last `tail` decoded bytes of a text from `from` on, or all of a shorter one.
fn ends(text: &[u8], from: usize, head: u32, tail: u32, tally: &mut Tally, sink: &mut impl Sink) {
    let stopped = read(text, from, Limit { bytes: head, paragraph: false }, tally, sink);
    if stopped < text.len() {
        let begin = tail_begin(text, tail as usize).max(stopped);
        read(text, begin, ALL, tally, sink);
    }
}

/// Where the last paragraph begins; the end of the text if it is too long, or if there is none behind `from`.
fn closing_begin(text: &[u8], from: usize) -> usize {
    let mut at = tail_begin(text, CLOSING).max(from);
    let (mut begin, mut lines) = (text.len(), 0);
    while at < text.len() {
        let (c, len) = decode(text, at);
        match c {
            '\n' => lines += 1,
            ' ' | '\t' | '\r' => {}
            _ if lines >= 2 => (begin, lines) = (at, 0),
            _ => lines = 0,
        }
        at += len;
    }
    begin
}

/// Where the last `tail` decoded bytes begin (or the character that holds the first of them).
fn tail_begin(text: &[u8], tail: usize) -> usize {
    let plain_from = text.len().saturating_sub(tail);
    let look_from = plain_from.saturating_sub(2 * LONGEST_ESCAPE);
    if memchr::memchr(b'\\', text.get(look_from..).unwrap_or_default()).is_none() {
        return boundary(text, plain_from);
    }
    let mut at = aligned(text, text.len().saturating_sub(tail * LONGEST_ESCAPE));
    let from = at;
    let mut decoded = 0;
    while at < text.len() {
        let (c, len) = decode(text, at);
        (decoded, at) = (decoded + c.len_utf8(), at + len);
    }
    (at, decoded) = (from, decoded.saturating_sub(tail));
    while decoded > 0 && at < text.len() {
        let (c, len) = decode(text, at);
        if c.len_utf8() > decoded {
            break;
        }
        (decoded, at) = (decoded - c.len_utf8(), at + len);
    }
    at
}

/// The first byte of the character that `at` lies in.
fn boundary(text: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|at| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80)).unwrap_or(at)
}

/// A position not behind `at` that is not within an escape or a character.
fn aligned(text: &[u8], at: usize) -> usize {
    let at = boundary(text, at);
    // The last backslash close enough for its escape to reach over `at`; two, because a surrogate pair is two escapes.
    let near = at.saturating_sub(2 * LONGEST_ESCAPE);
    let Some(found) = text.get(near..at).and_then(|before| memchr::memchr(b'\\', before)) else { return at };
    let first = near + found;
    // In a run of backslashes, whether one escapes or is escaped depends on where the run begins.
    let run = text.get(..first).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
    let mut position = first + run % 2;
    while position < at {
        let (_, len) = decode(text, position);
        if position + len > at {
            return position;
        }
        position += len;
    }
    position
}

//! What an event of a stream means to whoever relays it: nothing yet, a piece of an answer, an error, or the end.
//!
//! The usual piece is told by what stands in it, without parsing: an event is looked into only where a bare `"error"` stands in it, where an end
//! may be told, or where what makes it a piece is missing.
//!
//! What a reader could get wrong: whatever is not known is a piece of an answer, so that nobody waits for a word that has come; only on chat and
//! completions, where nothing is a piece without `choices`, what looks like an error is one. Text about errors is none: its quotes are escaped.

mod opening;
mod top;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use self::top::Top;
use super::Endpoint;
use super::sse::{Frame, line_end};
pub use opening::says_nothing_yet;

const DONE: &[u8] = b"[DONE]";

static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));
static CHOICES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"choices\":"));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));
static RESPONSE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"response."));

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Chat and text completions.
    Chunks,
    Responses,
    /// Nothing is known of it.
    #[default]
    Other,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Course {
    #[default]
    On,
    /// A choice has come to its end. Figures may follow.
    Whole,
    /// Nothing of the answer follows.
    Over,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Piece,
    /// In place of a piece.
    Error,
    /// No JSON where there should be: nobody's answer.
    Unreadable,
}

/// Reads a stream event by event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader {
    dialect: Dialect,
    course: Course,
}

impl Dialect {
    pub fn of(endpoint: Endpoint) -> Dialect {
        match endpoint {
            Endpoint::Chat | Endpoint::Completions => Dialect::Chunks,
            Endpoint::Responses => Dialect::Responses,
            Endpoint::Embeddings => Dialect::Other,
        }
    }
}

impl Reader {
    pub fn new(dialect: Dialect) -> Reader {
        Reader { dialect, course: Course::On }
    }

    pub fn course(&self) -> Course {
        self.course
    }

    /// It has stopped without having come to its end. Of a stream of which nothing is known nobody can say.
    pub fn is_cut_off(&self) -> bool {
        self.dialect != Dialect::Other && self.course == Course::On
    }

    /// Of a dialect whose events are known.
    pub fn is_known(&self) -> bool {
        self.dialect != Dialect::Other
    }

    /// Takes in the next event.
    pub fn event(&mut self, frame: Frame<'_>) -> Meaning {
        if is_named_error(frame) {
            return Meaning::Error;
        }
        match self.dialect {
            Dialect::Chunks => self.chunk(frame.data),
            Dialect::Responses => self.response(frame.data),
            Dialect::Other if !may_be_error(frame.data) => Meaning::Piece,
            Dialect::Other if Top::read(frame.data).0.is_error() => Meaning::Error,
            Dialect::Other => Meaning::Piece,
        }
    }

    fn chunk(&mut self, data: &[u8]) -> Meaning {
        let is_usual = CHOICES.find(data).is_some() && ERROR.find(data).is_none();
        let may_end = self.course == Course::On && may_finish(data);
        if is_usual && !may_end {
            return Meaning::Piece;
        }
        if let Some(meaning) = self.bare(data) {
            return meaning;
        }
        let (top, is_read) = Top::read(data);
        if top.is_error() || (!top.has_choices && !top.has_usage && top.is_complaint) {
            return Meaning::Error;
        }
        if !is_read && !is_usual {
            return Meaning::Unreadable;
        }
        if top.has_finished {
            self.course = self.course.max(Course::Whole);
        }
        Meaning::Piece
    }

    fn response(&mut self, data: &[u8]) -> Meaning {
        let ends = |at: usize| {
            let word = data.get(at + RESPONSE.needle().len()..).unwrap_or_default();
            [&b"completed\""[..], b"incomplete\"", b"cancelled\"", b"failed\""].iter().any(|end| word.starts_with(end))
        };
        let (mut is_usual, mut may_end) = (false, false);
        for at in RESPONSE.find_iter(data) {
            (is_usual, may_end) = (true, may_end || ends(at));
        }
        if is_usual && !may_end && ERROR.find(data).is_none() {
            return Meaning::Piece;
        }
        if let Some(meaning) = self.bare(data) {
            return meaning;
        }
        let (top, is_read) = Top::read(data);
        if top.is_error() || (top.kind.is_empty() && top.is_complaint) {
            return Meaning::Error;
        }
        if !is_read && !is_usual {
            return Meaning::Unreadable;
        }
        if matches!(top.kind, b"\"response.completed\"" | b"\"response.incomplete\"" | b"\"response.cancelled\"") {
            self.course = Course::Over;
        }
        Meaning::Piece
    }

    /// What is no object.
    fn bare(&mut self, data: &[u8]) -> Option<Meaning> {
        match data.trim_ascii() {
            DONE => self.course = Course::Over,
            // Some keep a connection alive so.
            b"" | b"null" | b"true" | b"false" => {}
            [b'{', ..] => return None,
            _ => return Some(Meaning::Unreadable),
        }
        Some(Meaning::Piece)
    }
}

/// An object with which an answer of this endpoint can begin and end: not an error in its place, and not something else altogether.
pub fn is_answer(endpoint: Endpoint, body: &[u8]) -> bool {
    let (top, is_read) = Top::read(body);
    let is_complaint = match endpoint {
        Endpoint::Chat | Endpoint::Completions => !top.has_choices && !top.has_usage,
        Endpoint::Responses => top.is_complaint && !top.has_output,
        Endpoint::Embeddings => top.is_complaint && !top.has_data,
    };
    is_read && !is_complaint && !top.is_error()
}

/// Whether it is worth looking into, where nothing else is known.
pub fn may_be_error(data: &[u8]) -> bool {
    ERROR.find(data).is_some()
}

/// The line that ends a chat's stream.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == DONE
}

/// A whole object, or what else stands for itself: of the last frame of a stream nobody can say otherwise.
pub fn is_whole(data: &[u8]) -> bool {
    is_done(data) || Top::read(data).1
}

/// Some choice says how it ended, perhaps.
fn may_finish(data: &[u8]) -> bool {
    FINISH.find_iter(data).any(|at| {
        let value = data.get(at + FINISH.needle().len()..).unwrap_or_default().trim_ascii_start();
        value.strip_prefix(b":").is_some_and(|value| {
            let value = value.trim_ascii_start();
            !value.starts_with(b"null") && !value.starts_with(b"\"\"")
        })
    })
}

/// The frame has a field that names it an error, on whichever line.
fn is_named_error(frame: Frame<'_>) -> bool {
    fields(frame).any(|(name, value)| name == b"event" && value == b"error")
}

/// The frame has lines that are none of the protocol's own: comments, unknown fields. They may say anything.
pub fn has_remarks(frame: Frame<'_>) -> bool {
    fields(frame).any(|(name, _)| !is_field(name))
}

/// The frame without them.
pub fn without_remarks(frame: Frame<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.bytes.len());
    let mut at = 0;
    while let Some((end, next)) = line_end(frame.bytes, at) {
        let line = frame.bytes.get(at..end).unwrap_or_default();
        if line.is_empty() || is_field(field(line).0) {
            out.extend_from_slice(frame.bytes.get(at..next).unwrap_or_default());
        }
        at = next;
    }
    out
}

/// Those that a reader acts upon.
fn is_field(name: &[u8]) -> bool {
    matches!(name, b"data" | b"event" | b"id" | b"retry")
}

/// The fields of a frame; none where there can be nothing but its data.
fn fields<'f>(frame: Frame<'f>) -> impl Iterator<Item = (&'f [u8], &'f [u8])> {
    // `data: `, and two line ends.
    const AROUND: usize = 10;
    let is_plain = frame.bytes.len() <= frame.data.len() + AROUND && frame.bytes.starts_with(b"data");
    let mut at = if is_plain { frame.bytes.len() } else { 0 };
    std::iter::from_fn(move || {
        loop {
            let (end, next) = line_end(frame.bytes, at)?;
            let line = frame.bytes.get(at..end)?;
            at = next;
            if !line.is_empty() {
                return Some(field(line));
            }
        }
    })
}

/// Name and value of a line.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        None => (line, b""),
        Some(at) => {
            let value = line.get(at + 1..).unwrap_or_default();
            (line.get(..at).unwrap_or_default(), value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

#[cfg(test)]
mod tests;

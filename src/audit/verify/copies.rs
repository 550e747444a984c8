//! `checkpoints.jsonl` read alongside the segments.
//!
//! What a reader could get wrong: while a gateway runs it grows under the reader. Lines beyond the length that it had at first may be
//! looked at, but their absence from the segments means nothing.

use std::io::{self, BufRead};

use crate::audit::files::{Line, Lines};
use crate::audit::line::CHECKPOINT_START;

/// The checkpoints not yet met in a segment.
pub(super) struct Copies<R> {
    lines: Lines<R>,
    /// The length of the file when verification began.
    limit: u64,
    ahead: Vec<u8>,
    has_ahead: bool,
}

/// How a checkpoint of a segment stands to its copy.
pub(super) enum Met {
    Same,
    /// A copy with another number (`None`: unreadable) comes first; it was not taken.
    Other(Option<u64>),
    /// There are no more.
    None,
}

impl<R: BufRead> Copies<R> {
    pub(super) fn new(from: R, limit: u64) -> Self {
        Copies { lines: Lines::new(from), limit, ahead: Vec::new(), has_ahead: false }
    }

    /// Compares the next copy with a line; takes it if it is the same.
    pub(super) fn meet(&mut self, line: &[u8]) -> io::Result<Met> {
        Ok(match self.peek()? {
            None => Met::None,
            Some(copy) if copy == line => {
                self.has_ahead = false;
                Met::Same
            }
            Some(copy) => Met::Other(number(copy)),
        })
    }

    /// The next copy, which stays the next; one that is still being written is none.
    pub(super) fn peek(&mut self) -> io::Result<Option<&[u8]>> {
        if !self.has_ahead {
            match self.lines.next()? {
                Some(Line::Whole(line)) => {
                    self.ahead.clear();
                    self.ahead.extend_from_slice(line);
                    self.has_ahead = true;
                }
                Some(Line::Torn(_)) | None => return Ok(None),
            }
        }
        Ok(Some(&self.ahead))
    }

    /// The next copy, its line's number, and whether it was there when verification began.
    pub(super) fn take(&mut self) -> io::Result<Option<(Vec<u8>, u64, bool)>> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        self.has_ahead = false;
        Ok(Some((self.ahead.clone(), self.lines.number, self.lines.read <= self.limit)))
    }

    /// What stands behind the last newline, if anything does.
    pub(super) fn torn(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(match self.lines.next()? {
            Some(Line::Torn(tail)) => Some(tail.to_vec()),
            _ => None,
        })
    }

    pub(super) fn line_number(&self) -> u64 {
        self.lines.number
    }
}

/// The number at a checkpoint's head.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(CHECKPOINT_START)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

//! Checkpoints: what is signed against what is there, in the segments and in `checkpoints.jsonl`.
//!
//! What a reader could get wrong: the copy in `checkpoints.jsonl` may be one ahead of the segment, if the process ended just then. Two
//! ahead, or one over records that are not there, means that the segment's end was cut off.

use std::io::{self, BufRead};

use crate::audit::line::{self, HEADER_START, Parts, RECORD_START};
use crate::audit::mark::Checkpoint;

use super::copies::Met;
use super::fault::Kind;
use super::walk::Walk;

impl<R: BufRead> Walk<R> {
    /// A checkpoint in a segment.
    pub(super) fn checkpoint(&mut self, bytes: &[u8], parts: &Parts<'_>, was_shaken: bool) -> io::Result<()> {
        let Some(checkpoint) = self.parse_checkpoint(bytes) else {
            self.fault(Kind::Checkpoint, "the checkpoint was changed, or is another key's".into());
            self.links = vec![parts.hash, self.hasher.should_be(parts)];
            self.number += 1;
            self.sealed = memchr::memmem::find(bytes, b"\"sealed\":true").is_some();
            // Its copy is a fault as well, of the same kind, unless both were changed alike.
            if !matches!(self.copies.meet(bytes)?, Met::None) {
                self.copies.take()?;
            }
            return Ok(());
        };
        self.report.checkpoints += 1;
        let number = checkpoint.number;
        if !self.is_signed(parts) {
            self.fault(Kind::Signature, format!("checkpoint {number} is not signed by the log's key"));
        }
        self.numbered(number);
        self.covers(&checkpoint, parts, was_shaken);
        self.compare(bytes, number)?;
        self.seen(bytes, number);
        self.number = self.number.max(number);
        self.signed = checkpoint.seq;
        self.sealed = checkpoint.sealed;
        self.links = vec![parts.hash];
        Ok(())
    }

    fn numbered(&mut self, number: u64) {
        let expected = self.number + 1;
        if number > expected && self.notice.is_none() {
            let what = format!("checkpoint {number} where {expected} was to come: one or more were removed");
            self.fault(Kind::Checkpoint, what);
        }
        if number < expected {
            self.fault(Kind::Checkpoint, format!("checkpoint {number} is there a second time"));
        }
    }

    /// Whether what was signed is what is there.
    fn covers(&mut self, checkpoint: &Checkpoint, parts: &Parts<'_>, was_shaken: bool) {
        let Checkpoint { number, seq, .. } = *checkpoint;
        if self.chain != Some(checkpoint.chain) || checkpoint.segment != self.segment {
            return self.fault(Kind::Checkpoint, format!("checkpoint {number} belongs elsewhere"));
        }
        if let Some(notice) = &self.notice {
            if !checkpoint.sealed || seq != notice.last_seq || checkpoint.records != notice.removed {
                self.fault(Kind::Checkpoint, format!("checkpoint {number} is not over the records that were deleted"));
            }
            return;
        }
        let last = self.expected - 1;
        let since = self.signed + 1;
        if seq > last {
            self.gap(self.expected, seq);
            self.expected = seq + 1;
            self.shaken = true;
            self.whole = false;
            return;
        }
        if seq < last && self.whole {
            let what = format!(
                "checkpoint {number} was made when there were {seq} records, {last} stand before it: one or more of {since} to {last} were inserted"
            );
            return self.fault(Kind::Inserted, what);
        }
        let linked = self.links.is_empty() || self.links.contains(&parts.prev);
        let same = checkpoint.records == self.frontier.size() && checkpoint.root == self.frontier.root();
        let explained = !self.whole || self.shaken || was_shaken;
        if !explained && (!linked || !same) {
            let what = format!(
                "checkpoint {number} was made over other records: one or more of {since} to {last} were exchanged and hashes made anew"
            );
            self.whole = false;
            self.fault(Kind::Rewritten, what);
        }
    }

    /// Finds the checkpoint's copy.
    fn compare(&mut self, bytes: &[u8], number: u64) -> io::Result<()> {
        loop {
            let (kind, what) = match self.copies.meet(bytes)? {
                Met::Same => return Ok(()),
                Met::None => {
                    let line = self.copies.line_number();
                    let what = format!("checkpoint {number} is missing behind this line: it was removed");
                    self.fault_in_copies(Kind::Checkpoint, line, what);
                    return Ok(());
                }
                Met::Other(Some(other)) if other > number => {
                    let line = self.copies.line_number();
                    let what = format!("checkpoint {number} is missing before this line: it was removed");
                    self.fault_in_copies(Kind::Checkpoint, line, what);
                    return Ok(());
                }
                Met::Other(Some(other)) if other == number => {
                    (Kind::Checkpoint, format!("checkpoint {number} is not the one in the segment: one was changed"))
                }
                Met::Other(Some(other)) if self.notice.is_some() => {
                    self.only_copy(other)?;
                    continue;
                }
                Met::Other(Some(other)) => {
                    (Kind::Checkpoint, format!("checkpoint {other} is not in the segments: it was removed there"))
                }
                Met::Other(None) => (Kind::Checkpoint, "not a checkpoint".to_owned()),
            };
            let taken = self.copies.take()?;
            self.fault_in_copies(kind, self.copies.line_number(), what);
            if taken.is_some_and(|(copy, ..)| super::copies::number(&copy) == Some(number)) {
                return Ok(());
            }
        }
    }

    /// A checkpoint whose place in a segment was deleted with the records.
    fn only_copy(&mut self, number: u64) -> io::Result<()> {
        let Some((copy, line, _)) = self.copies.take()? else { return Ok(()) };
        let signed =
            self.parse_checkpoint(&copy).is_some() && line::split(&copy).is_some_and(|parts| self.is_signed(&parts));
        if !signed || number != self.number + 1 {
            self.fault_in_copies(Kind::Checkpoint, line, format!("checkpoint {number} was changed, or others removed"));
        }
        self.seen(&copy, number);
        self.number = number;
        self.report.checkpoints += 1;
        Ok(())
    }

    fn seen(&mut self, bytes: &[u8], number: u64) {
        if self.anchors.get(&number).is_some_and(|kept| kept == bytes) {
            self.anchors.remove(&number);
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.report.last_checkpoint.clear();
            self.report.last_checkpoint.push_str(text);
        }
    }

    /// The log's end: `tail` is what stands behind the last segment's last newline.
    pub(super) fn end(&mut self, tail: &[u8]) -> io::Result<()> {
        self.line += 1;
        self.report.torn = !tail.is_empty();
        if self.segment == 0 {
            let what = "there is no segment, only checkpoints".to_owned();
            self.fault_in_copies(Kind::MissingSegment, 0, what);
        }
        let mut begins = tail.is_empty() || self.may_follow(tail);
        if let Some((copy, line, at_first)) = self.copies.take()? {
            if self.is_next(&copy) {
                // The process ended between the checkpoint and its copy, or stands there just now.
                begins = copy.starts_with(tail);
                self.seen_last(&copy);
            } else if at_first {
                self.too_many(&copy, line);
            }
            while let Some((copy, line, true)) = self.copies.take()? {
                self.too_many(&copy, line);
            }
        }
        if !begins {
            self.fault(Kind::Changed, "what stands behind the last whole line is not the beginning of one".into());
        }
        if self.copies.torn()?.is_some_and(|tail| !line::may_be_torn(&tail)) {
            let line = self.copies.line_number();
            self.fault_in_copies(Kind::Checkpoint, line, "the last line was changed".into());
        }
        self.close_gaps();
        let mut kept: Vec<u64> = self.anchors.keys().copied().collect();
        kept.sort_unstable();
        for number in kept {
            let what = format!(
                "checkpoint {number}, of which you have a copy, is not in the log: it was cut off or made anew"
            );
            self.report.add(super::Fault { kind: Kind::Truncated, file: String::new(), line: 0, what });
        }
        self.report.unsigned = (self.expected - 1).saturating_sub(self.signed);
        Ok(())
    }

    /// Whether a line that is not whole can be the beginning of the next one. Of a checkpoint it cannot: its copy would be there.
    fn may_follow(&self, tail: &[u8]) -> bool {
        let start = if self.line == 1 { HEADER_START } else { RECORD_START };
        let shorter = tail.len().min(start.len());
        !self.sealed && tail[..shorter] == start[..shorter] && line::may_be_torn(tail)
    }

    /// Whether a copy is the checkpoint that the segment was about to have.
    fn is_next(&mut self, copy: &[u8]) -> bool {
        let Some(parts) = line::split(copy) else { return false };
        let Some(checkpoint) = self.parse_checkpoint(copy) else { return false };
        self.is_signed(&parts)
            && checkpoint.number == self.number + 1
            && Some(checkpoint.chain) == self.chain
            && checkpoint.segment == self.segment
            && checkpoint.seq == self.expected - 1
            && self.links.contains(&parts.prev)
            && checkpoint.records == self.frontier.size()
            && checkpoint.root == self.frontier.root()
    }

    fn seen_last(&mut self, copy: &[u8]) {
        if let Some(checkpoint) = self.parse_checkpoint(copy) {
            self.seen(copy, checkpoint.number);
            self.report.checkpoints += 1;
            self.number = checkpoint.number;
            self.signed = checkpoint.seq;
        }
    }

    /// A checkpoint over what is not there.
    fn too_many(&mut self, copy: &[u8], line: u64) {
        let found = self.expected - 1;
        match self.parse_checkpoint(copy) {
            Some(checkpoint) if checkpoint.seq > found => {
                let Checkpoint { number, seq, .. } = checkpoint;
                let what =
                    format!("checkpoint {number} says {seq} records, the log ends at {found}: its end was cut off");
                self.fault_in_copies(Kind::Truncated, line, what);
            }
            Some(checkpoint) => {
                let what = format!("checkpoint {} is not in the segments: it was removed there", checkpoint.number);
                self.fault_in_copies(Kind::Checkpoint, line, what);
            }
            None => self.fault_in_copies(Kind::Checkpoint, line, "not a checkpoint of this log".into()),
        }
    }
}

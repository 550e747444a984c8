//! The verification itself: every line of every segment in order, against what must have come before it.
//!
//! What a reader could get wrong: after a fault it goes on with what the log itself says, to name the next change and not the echo of
//! the last. So a fault that only follows from another (a link to a removed line, the root over a changed one) is kept quiet.

use std::collections::HashMap;
use std::io::{self, BufRead};

use crate::audit::files::{CHECKPOINTS_FILE, segment_name};
use crate::audit::key::PublicKey;
use crate::audit::line::{self, GENESIS, Hash, LineHasher, Parts, Sort};
use crate::audit::mark::{Checkpoint, Header, Notice, parse};
use crate::audit::record;
use crate::audit::tree::Frontier;

use super::copies::Copies;
use super::fault::{Fault, Kind, Report};
use super::{at, request_id};

/// Goes over a log line by line.
pub(super) struct Walk<R> {
    pub(super) report: Report,
    pub(super) copies: Copies<R>,
    pub(super) hasher: LineHasher,
    pub(super) frontier: Frontier,
    pub(super) key: Option<PublicKey>,
    /// Checkpoints that somebody kept, by number: they must be in the log.
    pub(super) anchors: HashMap<u64, Vec<u8>>,
    pub(super) chain: Option<[u8; 16]>,
    pub(super) segment: u32,
    pub(super) line: u64,
    /// The next record's number.
    pub(super) expected: u64,
    /// The last record's that a checkpoint covers.
    pub(super) signed: u64,
    /// The last checkpoint's number.
    pub(super) number: u64,
    /// What the next line may name as the line before it: that line's hash as it stands there and as it should be. None: unknown.
    pub(super) links: Vec<Hash>,
    pub(super) sealed: bool,
    /// The segment's records so far are all sound and in order, so that its tree can be compared.
    pub(super) whole: bool,
    /// The line before had a fault.
    pub(super) shaken: bool,
    /// Lines since the last record that may have been records.
    unreadable: u64,
    /// Numbers that were passed over: first, last, and where.
    gaps: Vec<(u64, u64, String, u64)>,
    /// The segment's records were deleted by retention: the notice says which.
    pub(super) notice: Option<Notice>,
}

impl<R: BufRead> Walk<R> {
    pub(super) fn new(key: Option<PublicKey>, anchors: HashMap<u64, Vec<u8>>, copies: Copies<R>) -> Self {
        Walk {
            report: Report::default(),
            copies,
            hasher: LineHasher::new(),
            frontier: Frontier::new(),
            key,
            anchors,
            chain: None,
            segment: 0,
            line: 0,
            expected: 1,
            signed: 0,
            number: 0,
            links: vec![GENESIS],
            sealed: true,
            whole: true,
            shaken: false,
            unreadable: 0,
            gaps: Vec::new(),
            notice: None,
        }
    }

    pub(super) fn fault(&mut self, kind: Kind, what: String) {
        self.shaken = true;
        self.report.add(Fault { kind, file: segment_name(self.segment), line: self.line, what });
    }

    pub(super) fn fault_in_copies(&mut self, kind: Kind, line: u64, what: String) {
        self.report.add(Fault { kind, file: CHECKPOINTS_FILE.into(), line, what });
    }

    /// The next segment begins. Between it and the last one, some may be missing; `tail` stood behind the last one's last newline.
    pub(super) fn begin(&mut self, number: u32, tail: &[u8]) {
        if !tail.is_empty() {
            self.line += 1;
            self.fault(Kind::Changed, "the last line is not whole although another segment follows".into());
        }
        if self.segment > 0 && !self.sealed {
            self.line = 0;
            self.fault(Kind::Truncated, "it is not sealed although another segment follows: its end is missing".into());
            self.links.clear();
        }
        if number != self.segment + 1 {
            let missing = match number.saturating_sub(self.segment) {
                2 => format!("segment {}", self.segment + 1),
                _ => format!("segments {} to {}", self.segment + 1, number.saturating_sub(1)),
            };
            self.segment = number;
            self.line = 0;
            self.fault(Kind::MissingSegment, format!("{missing} before this one: missing"));
            self.links.clear();
        }
        self.segment = number;
        self.line = 0;
        self.sealed = false;
        self.notice = None;
        self.whole = true;
        self.frontier.clear();
        self.report.segments += 1;
    }

    /// A whole line.
    ///
    /// # Errors
    /// `checkpoints.jsonl` cannot be read.
    pub(super) fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line += 1;
        let was_shaken = std::mem::take(&mut self.shaken);
        let parts = line::split(bytes);
        match (line::sort(bytes), parts) {
            (Some(Sort::Header), Some(parts)) if self.line == 1 => self.header(bytes, &parts),
            _ if self.line == 1 => {
                self.fault(Kind::Unreadable, "the segment does not begin with a header".into());
                self.lost();
            }
            _ if self.sealed => {
                self.fault(Kind::Inserted, "a line behind the segment's seal".into());
                self.lost();
            }
            (Some(Sort::Record), Some(parts)) => self.record(bytes, &parts, was_shaken),
            (Some(Sort::Checkpoint), Some(parts)) => self.checkpoint(bytes, &parts, was_shaken)?,
            (Some(Sort::Notice), Some(parts)) => self.notice(bytes, &parts),
            _ => {
                let what = match record::parse_head(bytes) {
                    Some((seq, _)) => format!("record {seq}{} does not end as a line must", request_id(bytes)),
                    None => "not a line of an audit log".to_owned(),
                };
                self.fault(Kind::Unreadable, what);
                self.unreadable += 1;
                self.lost();
            }
        }
        Ok(())
    }

    /// What comes before the next line is not known any more.
    fn lost(&mut self) {
        self.links.clear();
        self.whole = false;
    }

    fn header(&mut self, bytes: &[u8], parts: &Parts<'_>) {
        let before = std::mem::replace(&mut self.links, vec![parts.hash]);
        let Some((header, _)) = parse::<Header>(bytes, &mut self.hasher).filter(|_| parts.signature.is_none()) else {
            let what = "the segment's header was changed: its hash does not fit";
            self.links.push(self.hasher.should_be(parts));
            return self.fault(Kind::Changed, what.into());
        };
        match &self.key {
            None => self.key = PublicKey::new(&header.public_key),
            Some(key) if key.bytes() != header.public_key => {
                let what = format!("the header names another public key, {}", ::hex::encode(header.public_key));
                self.fault(Kind::Key, what);
            }
            Some(_) => {}
        }
        // Behind a gap, the header says where the log goes on.
        let continues = !before.is_empty();
        let fits = header.segment == self.segment
            && self.chain.is_none_or(|chain| chain == header.chain)
            && (before.is_empty() || before.contains(&parts.prev))
            && (!continues || (header.first_seq == self.expected && header.checkpoints == self.number));
        if !fits {
            self.fault(Kind::Exchanged, "the segment does not continue the one before it".into());
        }
        self.chain.get_or_insert(header.chain);
        self.expected = header.first_seq;
        self.number = header.checkpoints;
        if !continues {
            self.signed = self.signed.max(header.first_seq.saturating_sub(1));
        }
    }

    fn record(&mut self, bytes: &[u8], parts: &Parts<'_>, was_shaken: bool) {
        self.report.records += 1;
        let Some((seq, _)) = record::parse_head(bytes) else {
            self.fault(Kind::Changed, "the head of the record was changed".into());
            self.unreadable += 1;
            return self.lost();
        };
        if self.notice.is_some() {
            self.fault(Kind::Inserted, format!("record {seq} in a segment whose records were deleted"));
        }
        let fits = parts.signature.is_none() && self.hasher.fits(parts);
        if fits {
            self.in_order(seq, bytes);
        } else {
            self.fault(Kind::Changed, format!("record {seq}{} was changed: its hash does not fit", request_id(bytes)));
            // The number may be what was changed.
            self.expected += 1;
        }
        self.unreadable = 0;
        if !self.links.is_empty() && !self.links.contains(&parts.prev) && !self.shaken && !was_shaken {
            let id = request_id(bytes);
            let what = format!("record {seq}{id} does not follow the line before it: one of the two was exchanged");
            self.fault(Kind::Exchanged, what);
        }
        self.whole &= !self.shaken;
        self.frontier.push(parts.hash);
        self.links.clear();
        self.links.push(parts.hash);
        if !fits {
            self.links.push(self.hasher.should_be(parts));
        }
        if fits {
            let time = at(bytes);
            if self.report.first_at.is_empty() {
                self.report.first_at = time.to_owned();
            }
            self.report.last_at.clear();
            self.report.last_at.push_str(time);
        }
    }

    fn in_order(&mut self, seq: u64, bytes: &[u8]) {
        let expected = self.expected;
        if seq >= expected {
            // Lines that could not be read stand for as many records.
            if seq - expected > self.unreadable {
                self.gap(expected + self.unreadable, seq - 1);
                self.shaken = true;
            }
            self.expected = seq.saturating_add(1);
            return;
        }
        let id = request_id(bytes);
        let Some(at) = self.gaps.iter().position(|(first, last, ..)| (*first..=*last).contains(&seq)) else {
            let what =
                format!("record {seq}{id} is there a second time, number {expected} was to come: one was inserted");
            return self.fault(Kind::Inserted, what);
        };
        let (first, last, file, line) = self.gaps.swap_remove(at);
        let place = format!("{file}:{line}");
        if first < seq {
            self.gaps.push((first, seq - 1, file.clone(), line));
        }
        if seq < last {
            self.gaps.push((seq + 1, last, file, line));
        }
        self.fault(Kind::Reordered, format!("record {seq}{id} stands here, its place is before {place}"));
    }

    /// Numbers that are not there; whether they were removed or stand elsewhere is known at the end.
    pub(super) fn gap(&mut self, first: u64, last: u64) {
        self.gaps.push((first, last, segment_name(self.segment), self.line));
    }

    /// What was passed over and never came was removed.
    pub(super) fn close_gaps(&mut self) {
        let mut gaps = std::mem::take(&mut self.gaps);
        gaps.sort_unstable();
        for (first, last, file, line) in gaps {
            let what = match first == last {
                true => format!("record {first} is missing before this line: it was removed"),
                false => format!("records {first} to {last} are missing before this line: they were removed"),
            };
            self.report.add(Fault { kind: Kind::Removed, file, line, what });
        }
    }

    fn notice(&mut self, bytes: &[u8], parts: &Parts<'_>) {
        let read = parse::<Notice>(bytes, &mut self.hasher).map(|(notice, _)| notice);
        let fits = read.filter(|notice| {
            self.line == 2
                && self.links.contains(&parts.prev)
                && self.chain == Some(notice.chain)
                && notice.segment == self.segment
                && notice.first_seq == self.expected
                && notice.last_seq.checked_sub(notice.first_seq) == notice.removed.checked_sub(1)
        });
        let Some(notice) = fits else {
            self.fault(Kind::Changed, "the notice of deleted records was changed".into());
            return self.lost();
        };
        if !self.is_signed(parts) {
            self.fault(Kind::Signature, "the notice of deleted records is not signed by the log's key".into());
        }
        self.report.deleted += notice.removed;
        self.expected = notice.last_seq.saturating_add(1);
        self.notice = Some(notice);
        self.links.clear();
    }

    pub(super) fn is_signed(&self, parts: &Parts<'_>) -> bool {
        let signature = parts.signature.as_ref();
        self.key.as_ref().zip(signature).is_some_and(|(key, signature)| key.signed(&parts.hash, signature))
    }

    pub(super) fn parse_checkpoint(&mut self, bytes: &[u8]) -> Option<Checkpoint> {
        let key = self.key.as_ref()?.bytes();
        Checkpoint::parse(bytes, &key, &mut self.hasher).map(|(checkpoint, ..)| checkpoint)
    }
}

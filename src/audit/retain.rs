//! Retention: records of old segments are deleted, in a way that everybody can see.
//!
//! What a reader could get wrong: of a deleted segment its header and seal stay, with a signed notice between them. Without the
//! notice's signature the same gap is a fault: whoever deletes records without the key is found.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::chain::Chain;
use super::error::AuditError;
use super::files::{self, Line, Lines};
use super::line::{self, Hash, LineHasher};
use super::mark::{Checkpoint, Header, Mark as _, Notice, parse};

/// Segments fill in minutes at the fastest and are kept for days: no need to look more often.
const EVERY_US: i64 = 60_000_000;

/// What was deleted so far.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// Segments below this have been looked at and hold no records any more.
    below: u32,
    /// Microseconds (Unix) before which nothing is looked at.
    next: i64,
}

/// The lines of a segment that stay.
struct Kept {
    header: Vec<u8>,
    header_hash: Hash,
    first_seq: u64,
    seal: Vec<u8>,
    checkpoint: Checkpoint,
}

impl Chain {
    /// Deletes the records of segments that were sealed longer ago than `keep`.
    pub(super) fn retain(&mut self, now: i64) -> Result<(), AuditError> {
        let Some(keep) = self.settings.keep else { return Ok(()) };
        if now < self.retention.next {
            return Ok(());
        }
        self.retention.next = now.saturating_add(EVERY_US);
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let numbers = files::segments(&self.folder).map_err(|e| AuditError::io("list", &self.folder, &e))?;
        let sealed = self.retention.below..self.state.segment;
        for number in numbers.into_iter().filter(|number| sealed.contains(number)) {
            let path = files::segment(&self.folder, number);
            if let Some(kept) = self.kept(&path).map_err(|e| AuditError::io("read", &path, &e))? {
                let until = kept.checkpoint.at.saturating_add(keep);
                if until > now {
                    // A segment is large: it is not read again before its time has come.
                    self.retention.next = self.retention.next.max(until);
                    break;
                }
                let notice = self.notice(&kept, now);
                let replaced = replace(&self.folder, &path, &[&kept.header, &notice, &kept.seal]);
                replaced.map_err(|e| AuditError::io("replace", &path, &e))?;
                let (first, last) = (kept.first_seq, kept.checkpoint.seq);
                tracing::info!(segment = number, first, last, "audit records older than `audit.keep` deleted");
            }
            self.retention.below = number + 1;
        }
        Ok(())
    }

    /// Header and seal; `None`: the records are gone already, or this is no segment that may be touched (`audit verify` says why).
    fn kept(&self, path: &Path) -> io::Result<Option<Kept>> {
        let mut hasher = LineHasher::new();
        let mut lines = Lines::open(path)?;
        let Some(Line::Whole(header)) = lines.next()? else { return Ok(None) };
        let header = header.to_vec();
        let Some((read, parts)) = parse::<Header>(&header, &mut hasher) else { return Ok(None) };
        let (header_hash, first_seq) = (parts.hash, read.first_seq);
        let (mut last, mut records) = (Vec::new(), 0u64);
        while let Some(Line::Whole(line)) = lines.next()? {
            records += u64::from(line::sort(line) == Some(line::Sort::Record));
            if line::sort(line) == Some(line::Sort::Checkpoint) {
                last.clear();
                last.extend_from_slice(line);
            }
        }
        let seal = Checkpoint::parse(&last, &self.signer.public(), &mut hasher);
        let Some((checkpoint, ..)) = seal.filter(|(seal, ..)| seal.sealed && records == seal.records) else {
            return Ok(None);
        };
        Ok(Some(Kept { header, header_hash, first_seq, seal: last, checkpoint }))
    }

    fn notice(&self, kept: &Kept, now: i64) -> Vec<u8> {
        let Checkpoint { chain, segment, seq, records, .. } = kept.checkpoint;
        let notice = Notice { removed: records, chain, segment, first_seq: kept.first_seq, last_seq: seq, at: now };
        let mut line = Vec::new();
        notice.write(&mut line);
        LineHasher::new().end(&mut line, 0, &kept.header_hash, Some(&|hash| self.signer.sign(hash)));
        line.pop();
        line
    }
}

/// In one step: a reader sees all records or none.
fn replace(folder: &Path, path: &Path, lines: &[&Vec<u8>]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    for line in lines {
        file.write_all(line)?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

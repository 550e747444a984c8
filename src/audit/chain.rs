//! The writer of the chain: records in, lines and checkpoints out.
//!
//! What a reader could get wrong: the order of writes. Records are on the disk before a checkpoint over them is in
//! `checkpoints.jsonl`, and it is there before its copy ends up in the segment. So whatever is lost when the process dies, the
//! checkpoints never speak of records that were not kept, and a segment holds none that `checkpoints.jsonl` has not.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Advice, fadvise};

use crate::ledger::entry::{Entry, Position};

use super::error::AuditError;
use super::files;
use super::key::{HashKey, Signer};
use super::line::{Hash, LineHasher};
use super::mark::{Checkpoint, Header, Mark as _};
use super::record;
use super::retain::Retention;
use super::text;
use super::tree::Frontier;

/// A record is under a checkpoint after this, however little traffic there is.
pub const CHECKPOINT_WITHIN: Duration = Duration::from_secs(5);

/// Processes whose positions a header carries on. A journal is long adopted and gone when that many others have followed.
const BOOTS: usize = 1000;

/// How the chain is kept.
#[derive(Clone)]
pub struct Settings {
    /// A checkpoint is made with the first commit after which this many records have none; at least 1.
    pub checkpoint_every: u32,
    /// A segment is sealed after this many records; at least 1.
    pub segment_records: u32,
    /// The Ed25519 key; `None`: the one in the folder, made on first start.
    pub key: Option<[u8; 32]>,
    /// Records of segments that were sealed longer ago are deleted; `None`: never.
    pub keep: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { checkpoint_every: 1000, segment_records: 100_000, key: None, keep: None }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("checkpoint_every", &self.checkpoint_every)
            .field("segment_records", &self.segment_records)
            .field("key", &self.key.map(|_| "***"))
            .field("keep", &self.keep)
            .finish()
    }
}

/// The chain of a data directory, open for writing. One process at a time may have it: its owner holds a lock.
pub struct Chain {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    pub(super) signer: Signer,
    pub(super) names: HashKey,
    pub(super) hasher: LineHasher,
    pub(super) state: State,
    pub(super) segment_file: File,
    /// Bytes of the segment that were written; what is in `buffer` comes behind them.
    pub(super) length: u64,
    pub(super) checkpoints_file: File,
    pub(super) checkpoints_length: u64,
    /// Whole lines, not yet written.
    pub(super) buffer: Vec<u8>,
    pub(super) retention: Retention,
}

/// Where the chain stands: all that the next line depends on.
pub(super) struct State {
    pub chain: [u8; 16],
    pub segment: u32,
    /// The last record's; 0: none yet.
    pub seq: u64,
    /// The last line's.
    pub hash: Hash,
    /// The last checkpoint's; 0: none yet.
    pub number: u64,
    /// The last checkpoint's; `GENESIS`: none yet.
    pub checkpoint: Hash,
    pub sealed: bool,
    /// Over the segment's records.
    pub frontier: Frontier,
    /// The newest of each process, in no order.
    pub positions: Vec<Position>,
    /// Records without a checkpoint.
    pub unsigned: u64,
    /// Microseconds (Unix) when the first of them was committed.
    pub unsigned_since: Option<i64>,
}

impl Chain {
    /// The newest journal position of process `boot` that is in the chain: what lies behind it is still to be appended. Positions of
    /// records that were appended and not yet committed count.
    pub fn position(&self, boot: u64) -> Position {
        let newest = self.state.positions.iter().rev().find(|position| position.boot == boot);
        newest.copied().unwrap_or(Position { boot, ..Position::default() })
    }

    /// The last record's sequence number; 0: none yet.
    pub fn seq(&self) -> u64 {
        self.state.seq
    }

    /// The public key, in hexadecimal.
    pub fn public_key(&self) -> String {
        ::hex::encode(self.signer.public())
    }

    /// Adds a request's record, in memory until [`Chain::commit`]. An entry whose position is not behind [`Chain::position`] is in the
    /// chain already; it is left out, and `false` given.
    ///
    /// # Errors
    /// A full segment could not be closed. Nothing was added; the same call may be tried again.
    pub fn append(&mut self, position: Position, entry: &Entry<'_>) -> Result<bool, AuditError> {
        if position <= self.position(position.boot) {
            return Ok(false);
        }
        if self.state.sealed || self.state.frontier.size() >= u64::from(self.settings.segment_records.max(1)) {
            self.next_segment()?;
        }
        let state = &mut self.state;
        let start = self.buffer.len();
        record::write(&mut self.buffer, state.seq + 1, position, entry, &self.names);
        let hash = self.hasher.end(&mut self.buffer, start, &state.hash, None);
        state.seq += 1;
        state.hash = hash;
        state.frontier.push(hash);
        state.unsigned += 1;
        state.reached(position);
        Ok(true)
    }

    /// Makes all records that were appended durable, and a checkpoint if one is due.
    ///
    /// # Errors
    /// The disk. Nothing is lost: the same records are written by the next call, which should come before more are appended.
    pub fn commit(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        if self.state.unsigned >= u64::from(self.settings.checkpoint_every.max(1)) {
            return self.checkpoint(false);
        }
        if self.state.unsigned > 0 && self.state.unsigned_since.is_none() {
            self.state.unsigned_since = Some(text::now());
        }
        Ok(())
    }

    /// To be called about once a second: signs what has waited for [`CHECKPOINT_WITHIN`], deletes what need not be kept longer. `now`
    /// is in microseconds (Unix).
    ///
    /// # Errors
    /// The disk; see [`Chain::commit`].
    pub fn tick(&mut self, now: i64) -> Result<(), AuditError> {
        let waited = self.state.unsigned_since.is_some_and(|since| now - since >= CHECKPOINT_WITHIN.as_micros() as i64);
        if waited {
            self.checkpoint(false)?;
        }
        self.retain(now)
    }

    /// Commits, signs and ends.
    ///
    /// # Errors
    /// The disk. What was committed before is in the chain all the same.
    pub fn close(mut self) -> Result<(), AuditError> {
        self.flush()?;
        if self.state.unsigned > 0 { self.checkpoint(false) } else { Ok(()) }
    }

    /// Writes what is buffered and waits until it is on the disk.
    fn flush(&mut self) -> Result<(), AuditError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result =
            self.segment_file.write_all_at(&self.buffer, self.length).and_then(|()| self.segment_file.sync_data());
        result.map_err(|e| self.failed(&e))?;
        self.forget_pages();
        self.written();
        Ok(())
    }

    /// Nobody reads the log soon. Pages that are given back at once are the ones that the next batch is copied into: on a virtual
    /// machine fresh ones cost more than everything else about a record.
    fn forget_pages(&self) {
        let length = NonZeroU64::new(self.length + self.buffer.len() as u64);
        // Advice only.
        let _ = fadvise(&self.segment_file, 0, length, Advice::DontNeed);
    }

    fn failed(&self, error: &std::io::Error) -> AuditError {
        AuditError::io("write", &files::segment(&self.folder, self.state.segment), error)
    }

    fn written(&mut self) {
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// Signs all that is in the chain.
    fn checkpoint(&mut self, sealed: bool) -> Result<(), AuditError> {
        self.flush()?;
        let State { chain, segment, seq, number, .. } = self.state;
        let checkpoint = Checkpoint {
            number: number + 1,
            chain,
            segment,
            seq,
            records: self.state.frontier.size(),
            root: self.state.frontier.root(),
            at: text::now(),
            public_key: self.signer.public(),
            sealed,
        };
        let mut line = Vec::with_capacity(640);
        checkpoint.write(&mut line);
        let hash = self.hasher.end(&mut line, 0, &self.state.hash, Some(&|hash| self.signer.sign(hash)));
        // A line that was half written when the disk was full is written over by the next one, which is as long.
        let file = &self.checkpoints_file;
        let result = file.write_all_at(&line, self.checkpoints_length).and_then(|()| file.sync_data());
        result.map_err(|e| AuditError::io("write", &self.folder.join(files::CHECKPOINTS_FILE), &e))?;
        self.checkpoints_length += line.len() as u64;
        self.state.number += 1;
        self.state.hash = hash;
        self.state.checkpoint = hash;
        self.state.sealed = sealed;
        self.state.unsigned = 0;
        self.state.unsigned_since = None;
        self.buffer.extend_from_slice(&line);
        // The copy need not be on the disk: it is made again from `checkpoints.jsonl`.
        self.segment_file.write_all_at(&self.buffer, self.length).map_err(|e| self.failed(&e))?;
        self.written();
        let root = ::hex::encode(checkpoint.root);
        tracing::debug!(number = checkpoint.number, seq, root, "audit checkpoint");
        Ok(())
    }

    /// Seals the segment and begins the next one. May be called again after a failure.
    fn next_segment(&mut self) -> Result<(), AuditError> {
        if !self.state.sealed {
            self.checkpoint(true)?;
        }
        self.flush()?;
        let sync = self.segment_file.sync_data();
        sync.map_err(|e| self.failed(&e))?;
        let number = self.state.segment + 1;
        self.segment_file = create(&self.folder, number)?;
        self.begin_segment(number);
        Ok(())
    }

    /// With an empty file: its header, in memory until the next flush.
    pub(super) fn begin_segment(&mut self, number: u32) {
        let state = &mut self.state;
        state.segment = number;
        state.sealed = false;
        state.frontier.clear();
        state.positions.sort_unstable();
        let old = state.positions.len().saturating_sub(BOOTS);
        state.positions.drain(..old);
        self.length = 0;
        let header = Header {
            chain: state.chain,
            segment: number,
            first_seq: state.seq + 1,
            checkpoints: state.number,
            public_key: self.signer.public(),
            at: text::now(),
            positions: state.positions.clone(),
        };
        let start = self.buffer.len();
        header.write(&mut self.buffer);
        state.hash = self.hasher.end(&mut self.buffer, start, &state.hash, None);
    }
}

impl State {
    /// The newest position of its process.
    pub(super) fn reached(&mut self, position: Position) {
        match self.positions.iter_mut().rev().find(|newest| newest.boot == position.boot) {
            Some(newest) => *newest = position,
            None => self.positions.push(position),
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain {{ {}, segment {}, seq {} }}", self.folder.display(), self.state.segment, self.state.seq)
    }
}

/// An empty file for a segment, its name durable.
pub(super) fn create(folder: &Path, number: u32) -> Result<File, AuditError> {
    let path = files::segment(folder, number);
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).and_then(|file| {
        File::open(folder)?.sync_all()?;
        Ok(file)
    });
    made.map_err(|e| AuditError::io("make", &path, &e))
}

#[cfg(test)]
pub(super) mod tests;

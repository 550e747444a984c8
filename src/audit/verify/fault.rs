//! What a verification found: the faults, and what the log holds.
//!
//! What a reader could get wrong: only the first fault of each kind is kept with its place, because one change often makes others
//! look wrong as well; the rest are counted.

use std::fmt;

/// In what way a log is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A line is not one of a log.
    Unreadable,
    /// A line's hash does not fit what it says.
    Changed,
    Removed,
    Inserted,
    Reordered,
    /// A line does not name the line before it, although both are sound and in order.
    Exchanged,
    /// Sound in itself, but not what was signed: somebody without the key made the hashes anew.
    Rewritten,
    /// A signature that is not the key's.
    Signature,
    /// A checkpoint was changed or removed, in one of its two places.
    Checkpoint,
    MissingSegment,
    /// The end is missing.
    Truncated,
    /// Another key's log.
    Key,
}

/// The first fault of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    /// The file; empty: the log as a whole.
    pub file: String,
    /// Counted from 1; 0: the file as a whole.
    pub line: u64,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => write!(f, "{}", self.what),
            (file, 0) => write!(f, "{file}: {}", self.what),
            (file, line) => write!(f, "{file}:{line}: {}", self.what),
        }
    }
}

/// What a log holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The first of each kind, in the order in which they were found.
    pub faults: Vec<Fault>,
    /// All faults.
    pub count: u64,
    pub records: u64,
    pub segments: u64,
    pub checkpoints: u64,
    /// Records deleted because of `audit.keep`, with a signed notice in their place.
    pub deleted: u64,
    /// Records at the end that no checkpoint covers yet: for them nothing is proven.
    pub unsigned: u64,
    /// The last line is still being written, or was when the process ended.
    pub torn: bool,
    /// Arrival of the first and of the last record, as the log has it; empty: no records.
    pub first_at: String,
    pub last_at: String,
    /// That the signatures were checked with, in hexadecimal; empty: the log names none.
    pub public_key: String,
    /// The last checkpoint's line: worth keeping elsewhere.
    pub last_checkpoint: String,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.count == 0
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.count += 1;
        if !self.faults.iter().any(|other| other.kind == fault.kind) {
            self.faults.push(fault);
        }
    }
}

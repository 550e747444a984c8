//! What lookups and writes of a tier came to, counted.
//!
//! What a reader could get wrong: all but `Hit` are misses to whoever asked; the others tell an operator why.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a lookup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Hit,
    /// Nothing there.
    Miss,
    /// There, but past its time or purged.
    Stale,
    /// There, but it did not unseal: damaged, another secret's, or put in another's place.
    Unsealed,
    /// No answer within the deadline.
    Timeout,
    /// The disk or the connection failed.
    Broken,
    /// The server said no (password, permission, still loading), or what it said was not understood.
    Refused,
    /// Not asked: the tier is down, or too many are asking.
    Skipped,
}

impl Outcome {
    /// Every outcome, in the order of counting.
    pub const ALL: [Outcome; 8] = [
        Outcome::Hit,
        Outcome::Miss,
        Outcome::Stale,
        Outcome::Unsealed,
        Outcome::Timeout,
        Outcome::Broken,
        Outcome::Refused,
        Outcome::Skipped,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::Miss => "miss",
            Outcome::Stale => "stale",
            Outcome::Unsealed => "unsealed",
            Outcome::Timeout => "timeout",
            Outcome::Broken => "broken",
            Outcome::Refused => "refused",
            Outcome::Skipped => "skipped",
        }
    }
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    Stored,
    /// The queue was full.
    Full,
    /// Too large for the tier, or past its time.
    Unfit,
    /// The disk or the server failed, or the server is down.
    Failed,
}

impl Write {
    /// Every outcome, in the order of counting.
    pub const ALL: [Write; 4] = [Write::Stored, Write::Full, Write::Unfit, Write::Failed];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Write::Stored => "stored",
            Write::Full => "full",
            Write::Unfit => "unfit",
            Write::Failed => "failed",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Figures {
    lookups: [AtomicU64; 8],
    writes: [AtomicU64; 4],
}

impl Figures {
    /// Lookups that came to this.
    pub fn lookups(&self, outcome: Outcome) -> u64 {
        self.lookups[outcome as usize].load(Ordering::Relaxed)
    }

    /// Entries whose write came to this.
    pub fn writes(&self, write: Write) -> u64 {
        self.writes[write as usize].load(Ordering::Relaxed)
    }

    pub(super) fn looked(&self, outcome: Outcome) {
        self.lookups[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, write: Write, entries: u64) {
        self.writes[write as usize].fetch_add(entries, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_a_counter_and_a_name_of_its_own() {
        let figures = Figures::default();
        Outcome::ALL.iter().for_each(|outcome| figures.looked(*outcome));
        Write::ALL.iter().for_each(|write| figures.wrote(*write, 2));
        assert!(Outcome::ALL.iter().all(|outcome| figures.lookups(*outcome) == 1));
        assert!(Write::ALL.iter().all(|write| figures.writes(*write) == 2));
        let mut names: Vec<&str> =
            Outcome::ALL.iter().map(|o| o.label()).chain(Write::ALL.iter().map(|w| w.label())).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 12);
    }
}

//! Everything that is remembered, as one thing: it survives reloads that do not change its size or its tiers.
//!
//! What a reader could get wrong: `purges` counts purges, so that an answer that was under way while somebody purged is not kept afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Entry;
use super::flight::Flights;
use super::memory::{Memory, Purge};
use super::quick::Quick;
use crate::config::file::Cache;

/// Everything that is remembered.
#[derive(Debug)]
pub struct Store {
    /// The section that it was made for.
    section: Cache,
    pub memory: Memory,
    pub quick: Quick,
    pub flights: Arc<Flights>,
    purges: AtomicU64,
}

impl Store {
    pub fn new(section: &Cache, workers: usize) -> Store {
        let capacity = section.exact.capacity.0;
        Store {
            section: section.clone(),
            memory: Memory::new(capacity - Quick::reserved(capacity)),
            quick: Quick::new(capacity, workers),
            flights: Arc::default(),
            purges: AtomicU64::new(0),
        }
    }

    /// A section that asks for the same memory and the same tiers: what is kept may stay.
    pub fn fits(&self, section: &Cache) -> bool {
        let size = |section: &Cache| {
            let semantic = section.semantic.as_ref().map(|semantic| (semantic.embedder.clone(), semantic.entries));
            (section.exact.capacity, semantic, section.disk.clone(), section.shared.clone())
        };
        size(&self.section) == size(section)
    }

    /// Purges so far.
    pub fn purges(&self) -> u64 {
        self.purges.load(Ordering::Acquire)
    }

    /// Keeps an answer that was begun when there had been `purges` purges.
    pub fn keep(&self, entry: &Arc<Entry>, purges: u64) {
        self.memory.put(entry);
        // A purge between: it may have come before the entry was there.
        if self.purges() != purges {
            entry.drop_it();
            self.memory.purge(&Purge::Key(entry.key));
        }
    }

    /// Forgets; how many answers that were.
    pub fn purge(&self, what: &Purge) -> u64 {
        self.purges.fetch_add(1, Ordering::AcqRel);
        self.memory.purge(what)
    }
}

//! What is on disk, by name: a lookup of what is not there costs no I/O.
//!
//! What a reader could get wrong: the lowest bit of a slot says that the entry was asked for since its last turn; it is set under the
//! read lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use foldhash::fast::RandomState;

#[derive(Debug, Default)]
pub struct Index(HashMap<u64, AtomicI64, RandomState>);

impl Index {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entry's number.
    pub fn id(&self, name: u64) -> Option<i64> {
        self.0.get(&name).map(|slot| slot.load(Ordering::Relaxed) >> 1)
    }

    /// The entry's number; notes that it was asked for.
    pub fn ask(&self, name: u64) -> Option<i64> {
        self.0.get(&name).map(|slot| slot.fetch_or(1, Ordering::Relaxed) >> 1)
    }

    /// Whether it was asked for since the last time this was.
    pub fn take_used(&self, name: u64, id: i64) -> bool {
        let used = |slot: &AtomicI64| slot.compare_exchange(id << 1 | 1, id << 1, Ordering::Relaxed, Ordering::Relaxed);
        self.0.get(&name).is_some_and(|slot| used(slot).is_ok())
    }

    pub fn insert(&mut self, name: u64, id: i64) {
        self.0.insert(name, AtomicI64::new(id << 1));
    }

    /// Forgets a name, unless another entry has taken it.
    pub fn remove(&mut self, name: u64, id: i64) {
        if self.id(name) == Some(id) {
            self.0.remove(&name);
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_noted_once_and_a_name_taken_again_is_not_forgotten() {
        let mut index = Index::default();
        index.insert(7, 1);
        assert!(!index.take_used(7, 1));
        assert_eq!(index.ask(7), Some(1));
        assert!(index.take_used(7, 1) && !index.take_used(7, 1));
        index.insert(7, 2);
        index.remove(7, 1);
        assert_eq!(index.id(7), Some(2));
        index.remove(7, 2);
        assert_eq!((index.id(7), index.ask(7), index.len()), (None, None, 0));
    }
}

//! Which entries there are, from the oldest to the newest, over all scopes.
//!
//! What a reader could get wrong: in parts, so that a table of a million entries never grows all at once (some 50 ms); the oldest of all is
//! the oldest of the parts' oldest.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashlink::LinkedHashMap;

use super::Scope;

const PARTS: usize = 64;
/// What an entry takes here: a node of the list (key, age, two links) and its place in a table that is at least 7/16 full.
pub(super) const ENTRY_BYTES: usize = 64 + 16;

type Key = (Scope, u64);

pub(super) struct Order {
    parts: Vec<LinkedHashMap<Key, u64, FixedState>>,
    hasher: FixedState,
    entries: usize,
    /// Age given to the next.
    next: u64,
}

impl Order {
    pub fn new() -> Order {
        let hasher = FixedState::default();
        let parts = (0..PARTS).map(|_| LinkedHashMap::with_hasher(hasher.clone())).collect();
        Order { parts, hasher, entries: 0, next: 0 }
    }

    pub fn len(&self) -> usize {
        self.entries
    }

    /// Makes the entry the newest; whether it is a new one.
    pub fn renew(&mut self, scope: Scope, id: u64) -> bool {
        let age = self.next;
        self.next += 1;
        let is_new = self.part((scope, id)).is_some_and(|part| part.insert((scope, id), age).is_none());
        self.entries += usize::from(is_new);
        is_new
    }

    /// Whether it was there.
    pub fn remove(&mut self, scope: Scope, id: u64) -> bool {
        let was_there = self.part((scope, id)).is_some_and(|part| part.remove(&(scope, id)).is_some());
        self.entries -= usize::from(was_there);
        was_there
    }

    pub fn pop_oldest(&mut self) -> Option<Key> {
        let oldest = |part: &&mut LinkedHashMap<Key, u64, FixedState>| part.front().map_or(u64::MAX, |(_, age)| *age);
        let (key, _) = self.parts.iter_mut().min_by_key(oldest)?.pop_front()?;
        self.entries -= 1;
        Some(key)
    }

    fn part(&mut self, key: Key) -> Option<&mut LinkedHashMap<Key, u64, FixedState>> {
        let part = self.hasher.hash_one(key) >> 7;
        self.parts.get_mut(part as usize % PARTS)
    }
}

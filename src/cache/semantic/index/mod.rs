//! Nearest neighbours within a scope: an exact scan in two steps, signs first, then bytes of the few hundred that agree best. No graph to
//! repair when an entry goes, nothing to rebuild; docs/decisions/0016-semantic-index.md has the measurements.
//!
//! What a reader could get wrong: an entry that was just evicted or replaced may still be handed out to a lookup that began before; whoever
//! keeps the answers looks whether the id is still there.

mod code;
mod order;
mod room;
mod scan;
mod segment;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;

use code::Coder;
use order::Order;
use room::Room;

/// Maps of scopes: one that grows holds up a lookup in 1/64 of the scopes only.
const MAPS: usize = 64;

/// Within what neighbours are looked for; a hash of everything but the wording, chosen by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(pub u128);

/// An entry near the vector asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    pub id: u64,
    /// -1 to 1, to about 0.002 (vectors are kept in bytes).
    pub cosine: f32,
}

/// Vectors by scope and id, in bounded memory; shared by all threads.
///
/// Whoever adds or removes waits for others that do (some microseconds; longer to remove one entry from a scope of a million); lookups wait
/// for neither.
pub struct Index {
    coder: Coder,
    capacity: usize,
    rooms: Vec<RwLock<HashMap<Scope, Arc<Room>, FixedState>>>,
    /// Held by the one that adds or removes.
    order: Mutex<Order>,
    entries: AtomicUsize,
    /// Of the rooms.
    bytes: AtomicIsize,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("entries", &self.len()).finish_non_exhaustive()
    }
}

impl Index {
    /// For vectors of `dimensions` numbers; `capacity` in entries over all scopes.
    pub fn new(dimensions: usize, capacity: usize) -> Index {
        Index {
            coder: Coder::new(dimensions),
            capacity,
            rooms: (0..MAPS).map(|_| RwLock::default()).collect(),
            order: Mutex::new(Order::new()),
            entries: AtomicUsize::new(0),
            bytes: AtomicIsize::new(0),
        }
    }

    /// Keeps a vector as the newest entry, in place of one with the same id, and evicts the oldest of all scopes beyond the capacity.
    ///
    /// A vector that has another number of dimensions, no direction or no finite length is near nothing: it is not kept, nor is what it
    /// replaces. Whether it was kept.
    pub fn insert(&self, scope: Scope, id: u64, vector: &[f32]) -> bool {
        let code = self.coder.code(vector).filter(|_| self.capacity > 0);
        let Some(code) = code else {
            self.remove(scope, id);
            return false;
        };
        let mut order = self.order.lock();
        if !order.renew(scope, id) {
            self.leave(scope, id);
        }
        let more = self.room_or_new(scope).push(id, &code);
        self.bytes.fetch_add(more, Ordering::Relaxed);
        while order.len() > self.capacity {
            let Some((scope, id)) = order.pop_oldest() else { break };
            self.leave(scope, id);
        }
        self.entries.store(order.len(), Ordering::Relaxed);
        true
    }

    /// The `count` entries of a scope with the highest cosine, best first; among many entries, one of the last may be missing (see the
    /// measurements). None for a vector that could not be kept.
    pub fn nearest(&self, scope: Scope, vector: &[f32], count: usize) -> SmallVec<[Neighbour; 8]> {
        let room = self.map(scope).and_then(|map| map.read().get(&scope).cloned());
        match room.and_then(|room| Some((room, self.coder.code(vector)?))) {
            Some((room, question)) => room.nearest(&question, count),
            None => SmallVec::new(),
        }
    }

    /// Forgets an entry, if it is there.
    pub fn remove(&self, scope: Scope, id: u64) {
        let mut order = self.order.lock();
        if order.remove(scope, id) {
            self.leave(scope, id);
            self.entries.store(order.len(), Ordering::Relaxed);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut order = self.order.lock();
        *order = Order::new();
        self.rooms.iter().for_each(|map| *map.write() = HashMap::default());
        self.entries.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Entries over all scopes.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held, in bytes; what the allocator and the tables of scopes add is estimated.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).unsigned_abs() + self.len() * order::ENTRY_BYTES
    }

    /// Takes an entry out of its room, and the room away when it was the last. Only with `order` held.
    fn leave(&self, scope: Scope, id: u64) {
        let Some(map) = self.map(scope) else { return };
        let Some(room) = map.read().get(&scope).cloned() else { return };
        let mut less = room.remove(id).unwrap_or(0);
        if room.is_empty() {
            map.write().remove(&scope);
            less += room.held() as isize;
        }
        self.bytes.fetch_sub(less, Ordering::Relaxed);
    }

    /// Only with `order` held.
    fn room_or_new(&self, scope: Scope) -> Arc<Room> {
        let Some(map) = self.map(scope) else { return Arc::default() };
        if let Some(room) = map.read().get(&scope) {
            return room.clone();
        }
        let room = Arc::<Room>::default();
        self.bytes.fetch_add(room.held() as isize, Ordering::Relaxed);
        map.write().insert(scope, room.clone());
        room
    }

    fn map(&self, scope: Scope) -> Option<&RwLock<HashMap<Scope, Arc<Room>, FixedState>>> {
        self.rooms.get((scope.0 as usize ^ (scope.0 >> 64) as usize) % MAPS)
    }
}

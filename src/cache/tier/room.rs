//! How many bytes may wait in a writer's queue: the queue bounds their number, this their size.
//!
//! What a reader could get wrong: room is given back when the [`Taken`] is dropped, so it travels with the entry until that is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub struct Room {
    taken: AtomicU64,
    limit: u64,
}

impl Room {
    pub fn new(limit: u64) -> Arc<Room> {
        Arc::new(Room { taken: AtomicU64::new(0), limit })
    }

    /// Room for `bytes`, or `None` where there is not as much.
    pub fn take(self: &Arc<Room>, bytes: usize) -> Option<Taken> {
        let bytes = bytes as u64;
        let fits = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Taken { room: Arc::clone(self), bytes })
    }
}

/// Room in a queue, until dropped.
#[derive(Debug)]
pub struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_given_than_there_is_and_what_is_dropped_is_given_again() {
        let room = Room::new(10);
        let six = room.take(6).unwrap();
        assert!(room.take(5).is_none());
        let four = room.take(4).unwrap();
        assert!(room.take(1).is_none());
        drop(six);
        assert!(room.take(7).is_none());
        assert!(room.take(6).is_some());
        drop(four);
        assert!(room.take(10).is_some());
        assert!(room.take(usize::MAX).is_none());
    }
}

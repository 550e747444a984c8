//! Who waits at a flight: one waker each, and a waker that wakes them all.
//!
//! What a reader could get wrong: a waker stays where it is when it has been used; a task that is woken in vain looks and sleeps again.

use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;
use smallvec::SmallVec;

/// The seats. `None`: the seat is empty, or nobody has waited on it yet.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    wakers: SmallVec<[Option<Waker>; 2]>,
    /// Numbers that are free again.
    free: SmallVec<[usize; 2]>,
}

impl Seats {
    pub(super) fn take(&self) -> usize {
        let mut places = self.0.lock();
        if let Some(number) = places.free.pop() {
            return number;
        }
        places.wakers.push(None);
        places.wakers.len() - 1
    }

    /// Who sits there wants to be woken like this.
    pub(super) fn sits(&self, number: usize, waker: &Waker) {
        let mut places = self.0.lock();
        if let Some(place) = places.wakers.get_mut(number) {
            match place {
                Some(known) if known.will_wake(waker) => {}
                place => *place = Some(waker.clone()),
            }
        }
    }

    pub(super) fn leave(&self, number: usize) {
        let mut places = self.0.lock();
        if let Some(place) = places.wakers.get_mut(number) {
            *place = None;
        }
        places.free.push(number);
    }

    pub(super) fn wake_others(&self, number: usize) {
        let others = self.0.lock().others(number);
        others.into_iter().for_each(Waker::wake);
    }
}

impl Places {
    fn others(&self, number: usize) -> SmallVec<[Waker; 2]> {
        let others = self.wakers.iter().enumerate().filter(|(other, _)| *other != number);
        others.filter_map(|(_, waker)| waker.clone()).collect()
    }
}

impl Wake for Seats {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_others(usize::MAX);
    }
}

//! Who gets the next free place of a pool whose nodes are all at `max_in_flight_per_node`: one from each tenant in turn, high priority first.
//!
//! What a reader could get wrong: a place that becomes free is not handed over, the next in line is only woken and takes it as everybody
//! does; nobody overtakes him, because whoever comes while somebody waits lines up behind.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Requests that may wait at one upstream; above it the tenant with the longest line loses his last one.
const MOST: usize = 1024;

/// Who waits: the tenant (any number that is his alone) and his priority, 0 first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    pub tenant: usize,
    pub class: u8,
}

/// The line in front of a pool.
#[derive(Debug, Default)]
pub struct Queue {
    /// Read by everybody who takes or gives back a place; the lock is for those who must wait.
    waiting: AtomicUsize,
    lines: Mutex<[Class; CLASSES]>,
}

/// High, normal, low.
pub const CLASSES: usize = 3;

/// The tenants of one priority, each with his own line; the first is served next.
#[derive(Debug, Default)]
struct Class(VecDeque<Line>);

#[derive(Debug)]
struct Line {
    tenant: usize,
    waiters: VecDeque<oneshot::Sender<()>>,
}

/// There are too many, or another tenant's turn was more urgent.
#[derive(Debug, PartialEq, Eq)]
pub struct Dismissed;

impl Queue {
    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lines up. `first`: he had been woken, but found the place taken. The receiver ends with an error if he is dismissed.
    pub fn line_up(&self, rank: Rank, first: bool) -> Result<oneshot::Receiver<()>, Dismissed> {
        let (wake, woken) = oneshot::channel();
        let mut lines = self.lines.lock();
        if self.len() >= MOST && !lines.iter_mut().any(|class| class.dismiss_from_longest(rank.tenant)) {
            return Err(Dismissed);
        }
        let class = lines.get_mut(usize::from(rank.class).min(CLASSES - 1)).ok_or(Dismissed)?;
        class.join(rank.tenant, wake, first);
        self.count(&lines);
        Ok(woken)
    }

    /// A place has become free.
    pub fn wake_next(&self) {
        // Sequentially consistent with `line_up`: a place given back between his look at the nodes and his joining the line must
        // wake him.
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut lines = self.lines.lock();
        // One who has given up in the meantime is passed over.
        while let Some(wake) = lines.iter_mut().find_map(Class::next) {
            if wake.send(()).is_ok() {
                break;
            }
        }
        self.count(&lines);
    }

    fn count(&self, lines: &[Class; CLASSES]) {
        let all = lines.iter().flat_map(|class| &class.0).map(|line| line.waiters.len()).sum();
        self.waiting.store(all, Ordering::SeqCst);
    }
}

impl Class {
    fn join(&mut self, tenant: usize, wake: oneshot::Sender<()>, first: bool) {
        match self.0.iter_mut().find(|line| line.tenant == tenant) {
            Some(line) if first => line.waiters.push_front(wake),
            Some(line) => line.waiters.push_back(wake),
            None => {
                let line = Line { tenant, waiters: VecDeque::from([wake]) };
                if first { self.0.push_front(line) } else { self.0.push_back(line) }
            }
        }
    }

    /// The first of the tenant whose turn it is; his line goes to the end of the round.
    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        let mut line = self.0.pop_front()?;
        let wake = line.waiters.pop_front();
        if !line.waiters.is_empty() {
            self.0.push_back(line);
        }
        wake
    }

    /// Makes room at the cost of whoever waits with most, unless that is `tenant` himself.
    fn dismiss_from_longest(&mut self, tenant: usize) -> bool {
        let own = self.0.iter().find(|line| line.tenant == tenant).map_or(0, |line| line.waiters.len());
        let longest = self.0.iter_mut().max_by_key(|line| line.waiters.len());
        match longest.filter(|line| line.tenant != tenant && line.waiters.len() > own + 1) {
            // Dropping the sender tells him.
            Some(line) => line.waiters.pop_back().is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(tenant: usize) -> Rank {
        Rank { tenant, class: 1 }
    }

    fn is_woken(waiter: &mut oneshot::Receiver<()>) -> bool {
        waiter.try_recv().is_ok()
    }

    #[test]
    fn tenants_take_turns_however_many_one_has_waiting() {
        let queue = Queue::default();
        let mut noisy: Vec<_> = (0..10).map(|_| queue.line_up(rank(1), false).unwrap()).collect();
        let mut quiet = queue.line_up(rank(2), false).unwrap();
        assert_eq!(queue.len(), 11);
        queue.wake_next();
        assert!(is_woken(&mut noisy[0]));
        queue.wake_next();
        assert!(is_woken(&mut quiet), "the second place is the other tenant's");
        queue.wake_next();
        assert!(is_woken(&mut noisy[1]));
        assert_eq!(queue.len(), 8);
    }

    #[test]
    fn high_priority_is_first_and_who_has_left_is_passed_over() {
        let queue = Queue::default();
        let mut normal = queue.line_up(rank(1), false).unwrap();
        let gone = queue.line_up(Rank { tenant: 2, class: 0 }, false).unwrap();
        let mut high = queue.line_up(Rank { tenant: 3, class: 0 }, false).unwrap();
        drop(gone);
        queue.wake_next();
        assert!(is_woken(&mut high) && !is_woken(&mut normal));
        queue.wake_next();
        assert!(is_woken(&mut normal));
        queue.wake_next();
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_line_is_shortened_where_it_is_longest() {
        let queue = Queue::default();
        let mut noisy: Vec<_> = (0..MOST).map(|_| queue.line_up(rank(1), false).unwrap()).collect();
        assert_eq!(queue.line_up(rank(1), false).unwrap_err(), Dismissed);
        let _quiet = queue.line_up(rank(2), false).unwrap();
        let last = noisy.last_mut().unwrap();
        assert!(matches!(last.try_recv(), Err(oneshot::error::TryRecvError::Closed)), "the last one was dismissed");
        assert_eq!(queue.len(), MOST);
    }
}

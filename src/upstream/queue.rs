//! Who gets the next free place of a pool whose nodes are all at `max_in_flight_per_node`: one from each tenant in turn, high priority first.
//!
//! What a reader could get wrong: a place that becomes free is not handed over, the next in line is only woken and takes it as everybody
//! does; nobody overtakes him, because whoever comes while somebody waits lines up behind. Within a tenant's own line the earliest deadline is
//! first, and one that the line would keep past his deadline is not let in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests that may wait at one upstream; above it the tenant with the longest line loses his last one.
const MOST: usize = 1024;
/// Places given out before the pace of the line is believed.
const PACED_AFTER: u32 = 8;

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
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    classes: [Class; CLASSES],
    pace: Pace,
}

/// How long the first in line waits for a place, on average: the time between places given out while somebody waited.
#[derive(Debug, Default)]
struct Pace {
    /// When the last place was given out, if somebody was left waiting then.
    since: Option<Instant>,
    between: Duration,
    seen: u32,
}

/// High, normal, low.
pub const CLASSES: usize = 3;

/// The tenants of one priority, each with his own line; the first is served next.
#[derive(Debug, Default)]
struct Class(VecDeque<Line>);

#[derive(Debug)]
struct Line {
    tenant: usize,
    /// The earliest deadline first.
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    by: Instant,
    wake: oneshot::Sender<()>,
}

/// There are too many, another tenant's turn was more urgent, or his would come too late.
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

    /// Lines up until `by`. `first`: he had been woken, but found the place taken. The receiver ends with an error if he is dismissed.
    ///
    /// # Errors
    /// The line is full, or so long that he would not have a place in time.
    pub fn line_up(&self, rank: Rank, by: Instant, first: bool) -> Result<oneshot::Receiver<()>, Dismissed> {
        let (wake, woken) = oneshot::channel();
        let mut lines = self.lines.lock();
        if !first && lines.is_too_late(rank, by) {
            return Err(Dismissed);
        }
        if self.len() >= MOST && !lines.classes.iter_mut().any(|class| class.dismiss_from_longest(rank.tenant)) {
            return Err(Dismissed);
        }
        let class = lines.classes.get_mut(usize::from(rank.class).min(CLASSES - 1)).ok_or(Dismissed)?;
        class.join(rank.tenant, Waiter { by, wake }, first);
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
        while let Some(waiter) = lines.classes.iter_mut().find_map(Class::next) {
            if waiter.wake.send(()).is_ok() {
                break;
            }
        }
        let is_anybody_left = self.count(&lines) > 0;
        lines.pace.given_out(Instant::now(), is_anybody_left);
    }

    fn count(&self, lines: &Lines) -> usize {
        let all = lines.classes.iter().flat_map(|class| &class.0).map(|line| line.waiters.len()).sum();
        self.waiting.store(all, Ordering::SeqCst);
        all
    }
}

impl Lines {
    /// At the line's pace his turn would come after `by`. Where nobody is before him, nobody knows.
    fn is_too_late(&self, rank: Rank, by: Instant) -> bool {
        if self.pace.seen < PACED_AFTER {
            return false;
        }
        let class = usize::from(rank.class).min(CLASSES - 1);
        let sooner: usize = self.classes.iter().take(class).map(Class::len).sum();
        let before = sooner + self.classes.get(class).map_or(0, |class| class.before(rank.tenant, by));
        let places = u32::try_from(before).unwrap_or(u32::MAX);
        before > 0 && Instant::now() + self.pace.between.saturating_mul(places) > by
    }
}

impl Pace {
    fn given_out(&mut self, now: Instant, is_anybody_left: bool) {
        if let Some(since) = self.since {
            let took = now.saturating_duration_since(since);
            // Averaged over some eight: answers are of all lengths.
            self.between = if self.seen == 0 { took } else { (self.between * 7 + took) / 8 };
            self.seen = self.seen.saturating_add(1);
        }
        self.since = is_anybody_left.then_some(now);
    }
}

impl Class {
    fn join(&mut self, tenant: usize, waiter: Waiter, first: bool) {
        match self.0.iter_mut().find(|line| line.tenant == tenant) {
            Some(line) if first => line.waiters.push_front(waiter),
            Some(line) => {
                let place = line.waiters.partition_point(|other| other.by <= waiter.by);
                line.waiters.insert(place, waiter);
            }
            None => {
                let line = Line { tenant, waiters: VecDeque::from([waiter]) };
                if first { self.0.push_front(line) } else { self.0.push_back(line) }
            }
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(|line| line.waiters.len()).sum()
    }

    /// How many get a place before one of `tenant` with this deadline: those of his own line with an earlier one, and as many of each other
    /// tenant, for they take turns.
    fn before(&self, tenant: usize, by: Instant) -> usize {
        let own = self.0.iter().find(|line| line.tenant == tenant);
        let own = own.map_or(0, |line| line.waiters.partition_point(|other| other.by <= by));
        let others = self.0.iter().filter(|line| line.tenant != tenant);
        own + others.map(|line| line.waiters.len().min(own + 1)).sum::<usize>()
    }

    /// The first of the tenant whose turn it is; his line goes to the end of the round.
    fn next(&mut self) -> Option<Waiter> {
        let mut line = self.0.pop_front()?;
        let waiter = line.waiters.pop_front();
        if !line.waiters.is_empty() {
            self.0.push_back(line);
        }
        waiter
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

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    fn is_woken(waiter: &mut oneshot::Receiver<()>) -> bool {
        waiter.try_recv().is_ok()
    }

    #[test]
    fn tenants_take_turns_however_many_one_has_waiting() {
        let queue = Queue::default();
        let mut noisy: Vec<_> = (0..10).map(|_| queue.line_up(rank(1), late(), false).unwrap()).collect();
        let mut quiet = queue.line_up(rank(2), late(), false).unwrap();
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
        let mut normal = queue.line_up(rank(1), late(), false).unwrap();
        let gone = queue.line_up(Rank { tenant: 2, class: 0 }, late(), false).unwrap();
        let mut high = queue.line_up(Rank { tenant: 3, class: 0 }, late(), false).unwrap();
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
        let mut noisy: Vec<_> = (0..MOST).map(|_| queue.line_up(rank(1), late(), false).unwrap()).collect();
        assert_eq!(queue.line_up(rank(1), late(), false).unwrap_err(), Dismissed);
        let _quiet = queue.line_up(rank(2), late(), false).unwrap();
        let last = noisy.last_mut().unwrap();
        assert!(matches!(last.try_recv(), Err(oneshot::error::TryRecvError::Closed)), "the last one was dismissed");
        assert_eq!(queue.len(), MOST);
    }

    #[test]
    fn the_earliest_deadline_of_a_tenant_is_first() {
        let queue = Queue::default();
        let now = Instant::now();
        let by = |seconds| now + Duration::from_secs(seconds);
        let mut patient = queue.line_up(rank(1), by(60), false).unwrap();
        let mut urgent = queue.line_up(rank(1), by(5), false).unwrap();
        let mut equal = queue.line_up(rank(1), by(5), false).unwrap();
        queue.wake_next();
        assert!(is_woken(&mut urgent) && !is_woken(&mut equal) && !is_woken(&mut patient));
        queue.wake_next();
        assert!(is_woken(&mut equal) && !is_woken(&mut patient));
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_served_in_time_is_refused_at_once() {
        let queue = Queue::default();
        let second = Duration::from_secs(1);
        let mut line: Vec<_> = (0..20).map(|_| queue.line_up(rank(1), late(), false).unwrap()).collect();
        // Nobody knows the pace yet.
        line.push(queue.line_up(rank(1), Instant::now() + second / 100, false).unwrap());
        for _ in 0..12 {
            queue.wake_next();
            tokio::time::advance(second).await;
        }
        // A place a second, nine wait.
        assert_eq!(queue.len(), 9);
        assert!(queue.line_up(rank(1), Instant::now() + 60 * second, false).is_ok());
        let behind_all = Rank { tenant: 1, class: 2 };
        assert_eq!(queue.line_up(behind_all, Instant::now() + 5 * second, false).unwrap_err(), Dismissed);
        // Another tenant's turn is the second, and a more urgent class waits for nobody.
        assert!(queue.line_up(rank(2), Instant::now() + 5 * second, false).is_ok());
        assert!(queue.line_up(Rank { tenant: 1, class: 0 }, Instant::now() + second / 2, false).is_ok());
    }
}

//! The life of a server: running, draining until a deadline, done; and the count of requests in flight that a drain
//! waits for.
//!
//! What a reader could get wrong: a request is in flight until its answer's *body* has ended, not until its head was
//! sent. The guard that counts it lies in the body (`answer.rs`); for a WebSocket it stays until the connection closes
//! (`roster.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where a server stands. It only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connections are accepted.
    Running,
    /// No connection is accepted; what is in flight may finish until the deadline.
    Draining { deadline: Instant },
    /// Whatever is left is cut.
    Done,
}

/// The state that all workers of a server share: phase and requests in flight.
#[derive(Debug)]
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// The same as `phase`, for a look on each request that takes no lock.
    draining: AtomicBool,
    in_flight: AtomicUsize,
    max_in_flight: usize,
    shed: AtomicU64,
    /// Woken when the last request in flight ends during a drain.
    quiet: Notify,
}

/// Work that a drain waits for; see [`Lifecycle::hold`].
#[derive(Debug)]
pub struct Held(Arc<Lifecycle>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}

impl Lifecycle {
    /// `max_in_flight`: requests worked on at once over all workers; further ones are shed with 503.
    pub fn new(max_in_flight: usize) -> Arc<Lifecycle> {
        Arc::new(Lifecycle {
            phase: watch::Sender::new(Phase::Running),
            draining: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            max_in_flight,
            shed: AtomicU64::new(0),
            quiet: Notify::new(),
        })
    }

    /// Where it stands now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Whether connections are no longer accepted. One atomic load.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Requests that have been admitted and whose answers have not ended.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Requests answered 503 because `max_in_flight` was reached, since the start.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Stops accepting; requests in flight may finish `within` that time. A second call changes nothing.
    pub fn begin_drain(&self, within: Duration) {
        self.draining.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + within;
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Running;
            if first {
                *phase = Phase::Draining { deadline };
            }
            first
        });
    }

    /// Cuts whatever is left.
    pub fn end_now(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.phase.send_replace(Phase::Done);
        self.quiet.notify_waiters();
    }

    /// Waits for the phase after `Running` and returns it.
    pub async fn left_running(&self) -> Phase {
        self.wait_for(|phase| *phase != Phase::Running).await
    }

    /// Waits until whatever is left must be cut: the drain's deadline has passed or `end_now` was called.
    pub async fn ended(&self) {
        let Phase::Draining { deadline } = self.left_running().await else { return };
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            _ = self.wait_for(|phase| *phase == Phase::Done) => {}
        }
    }

    /// Waits until a drain is over: nothing is in flight any more, or whatever is left must be cut. Returns how many
    /// were cut.
    pub async fn drained(&self) -> usize {
        self.left_running().await;
        let ended = self.ended();
        tokio::pin!(ended);
        loop {
            let quiet = self.quiet.notified();
            tokio::pin!(quiet);
            // Registered before the count is read: an end between the two is not missed.
            quiet.as_mut().enable();
            if self.in_flight() == 0 {
                return 0;
            }
            tokio::select! {
                () = quiet => {}
                () = &mut ended => return self.in_flight(),
            }
        }
    }

    /// Counts one more request; `false` when the limit is reached. Each `true` must be matched by one `leave`.
    pub(super) fn enter(&self) -> bool {
        if self.in_flight.fetch_add(1, Ordering::SeqCst) < self.max_in_flight {
            return true;
        }
        self.leave(1);
        self.shed.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Counts work that nobody waits for, until the answer is dropped: a drain waits for it too.
    pub fn hold(self: &Arc<Lifecycle>) -> Held {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Held(Arc::clone(self))
    }

    /// `count` requests have ended.
    pub(super) fn leave(&self, count: usize) {
        let before = self.in_flight.fetch_sub(count, Ordering::SeqCst);
        if before == count && self.is_draining() {
            self.quiet.notify_waiters();
        }
    }

    async fn wait_for(&self, reached: impl FnMut(&Phase) -> bool) -> Phase {
        match self.phase.subscribe().wait_for(reached).await {
            Ok(phase) => *phase,
            // The sender lives in `self`, so it cannot be gone while we wait.
            Err(_) => Phase::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_what_is_in_flight() {
        let life = Lifecycle::new(2);
        assert!(life.enter() && life.enter());
        assert!(!life.enter(), "over the limit");
        assert_eq!((life.in_flight(), life.shed()), (2, 1));
        life.begin_drain(Duration::from_secs(30));
        assert!(life.is_draining());
        let waiting = {
            let life = life.clone();
            async move { life.drained().await }
        };
        tokio::pin!(waiting);
        life.leave(1);
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err());
        life.leave(1);
        assert_eq!(waiting.await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_what_is_cut() {
        let life = Lifecycle::new(10);
        assert!(life.enter() && life.enter());
        let start = Instant::now();
        life.begin_drain(Duration::from_secs(5));
        life.begin_drain(Duration::from_secs(500));
        assert_eq!(life.drained().await, 2);
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_at_once() {
        let life = Lifecycle::new(10);
        assert!(life.enter());
        let start = Instant::now();
        life.begin_drain(Duration::from_secs(5));
        life.end_now();
        life.begin_drain(Duration::from_secs(5));
        assert_eq!(life.phase(), Phase::Done);
        assert_eq!(life.drained().await, 1);
        assert!(start.elapsed().is_zero());
    }
}

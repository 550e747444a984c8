//! The connections of one worker, and the deadlines that they are held to.
//!
//! nginx and hyper set a timer per connection or request; here one sweep per worker looks at all of them, so that a
//! request costs no timer and no clock reading (hyper's own `header_read_timeout` allocates and registers one for
//! each). Time is counted in sweeps: a deadline is kept to within one, an eighth of it.
//!
//! What a reader could get wrong: a connection's idle time runs from the last byte *written*, not read, so that a
//! client that drips its header cannot extend it, and one that slowly reads a long answer is left alone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::drain::Lifecycle;

/// Sweeps in one deadline: the precision with which it is kept.
const SWEEPS: u32 = 8;
/// A sweep over 16,000 connections takes some 100 µs: not more often than this, however short the deadline.
const SHORTEST_SWEEP: Duration = Duration::from_millis(5);
/// How long a connection is read on after an answer that came before its request's end (nginx: `lingering_timeout`).
const LINGER: Duration = Duration::from_secs(5);

/// The connections of one worker.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) lifecycle: Arc<Lifecycle>,
    members: Mutex<Vec<Weak<Connection>>>,
    open: AtomicUsize,
    empty: Notify,
    now: AtomicU32,
    interval: Duration,
    linger: u32,
}

/// What is asked of a connection. Orders only grow stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Serve = 0,
    /// Finish the request at hand, take no further one.
    Finish = 1,
    /// Close now.
    Close = 2,
}

/// One connection, from its accept until its socket is closed (for a WebSocket: until the tunnel ends).
#[derive(Debug)]
pub(super) struct Connection {
    roster: Arc<Roster>,
    pub(super) peer: SocketAddr,
    /// Requests whose answers have not ended.
    busy: AtomicU32,
    /// The sweep in which it was accepted or a byte was last written.
    progress: AtomicU32,
    /// Bytes wait to be written and the client takes none.
    blocked: AtomicBool,
    /// The last request had a body and was refused: what is still coming must be read before the socket is closed.
    refused_body: AtomicBool,
    /// The sweep, plus one, in which lingering began; 0: it has not.
    lingering: AtomicU32,
    multiplexed: AtomicBool,
    order: AtomicU8,
    waker: OnceLock<Waker>,
    /// Its place among `max_connections`.
    _place: Option<OwnedSemaphorePermit>,
}

impl Roster {
    /// `patience`: how long a client may take to send a head, take the next bytes of an answer, or stay idle.
    pub(super) fn new(lifecycle: Arc<Lifecycle>, patience: Duration) -> Arc<Roster> {
        let interval = (patience / SWEEPS).max(SHORTEST_SWEEP);
        Arc::new(Roster {
            lifecycle,
            members: Mutex::new(Vec::new()),
            open: AtomicUsize::new(0),
            empty: Notify::new(),
            now: AtomicU32::new(0),
            interval,
            linger: (LINGER.as_millis() / interval.as_millis().max(1)).clamp(1, u128::from(SWEEPS)) as u32,
        })
    }

    /// Enters a connection that was just accepted.
    pub(super) fn enter(self: &Arc<Self>, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) -> Arc<Connection> {
        self.open.fetch_add(1, Ordering::SeqCst);
        let connection = Arc::new(Connection {
            roster: self.clone(),
            peer,
            busy: AtomicU32::new(0),
            progress: AtomicU32::new(self.now.load(Ordering::Relaxed)),
            blocked: AtomicBool::new(false),
            refused_body: AtomicBool::new(false),
            lingering: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
            order: AtomicU8::new(Order::Serve as u8),
            waker: OnceLock::new(),
            _place: place,
        });
        self.members.lock().push(Arc::downgrade(&connection));
        connection
    }

    /// Connections whose sockets are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Requests in flight on its connections.
    pub(super) fn busy(&self) -> usize {
        let members = self.members.lock();
        members.iter().filter_map(Weak::upgrade).map(|c| c.busy.load(Ordering::Relaxed) as usize).sum()
    }

    /// Waits until no connection is open. Nothing may be entered any more.
    pub(super) async fn emptied(&self) {
        loop {
            let empty = self.empty.notified();
            tokio::pin!(empty);
            empty.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            empty.await;
        }
    }

    /// Sweeps for ever.
    pub(super) async fn sweep_on(&self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.sweep();
        }
    }

    /// Closes the connections that have kept us waiting for too long, and forgets those that are gone.
    fn sweep(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.members.lock().retain(|member| {
            let Some(connection) = member.upgrade() else { return false };
            if connection.is_overdue(now, self.linger) {
                // HTTP/2 is told first (GOAWAY), and cut if it is still there one deadline later.
                let tell_first = connection.multiplexed.load(Ordering::Relaxed) && connection.order() == Order::Serve;
                connection.give(if tell_first { Order::Finish } else { Order::Close });
            }
            true
        });
    }

    /// Tells the connections that multiplex (HTTP/2: GOAWAY loses nothing), or all, to take no further request.
    pub(super) fn finish(&self, multiplexed_only: bool) {
        for member in self.members.lock().iter() {
            if let Some(connection) = member.upgrade()
                && (!multiplexed_only || connection.multiplexed.load(Ordering::Relaxed))
            {
                connection.give(Order::Finish);
            }
        }
    }
}

impl Connection {
    /// Remembers the task that serves it, to be woken by an order. Only its first call counts.
    pub(super) fn served_by(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    pub(super) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Serve,
            1 => Order::Finish,
            _ => Order::Close,
        }
    }

    fn give(&self, order: Order) {
        let before = self.order.fetch_max(order as u8, Ordering::AcqRel);
        if before < order as u8
            && let Some(waker) = self.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    pub(super) fn lifecycle(&self) -> &Lifecycle {
        &self.roster.lifecycle
    }

    /// It speaks HTTP/2.
    pub(super) fn multiplexes(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Bytes were written (`blocked`: none could be).
    pub(super) fn wrote(&self, blocked: bool) {
        if !blocked {
            self.progress.store(self.roster.now.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        if self.blocked.load(Ordering::Relaxed) != blocked {
            if blocked {
                // Time waiting for an upstream is not the client's: its own begins here.
                self.progress.store(self.roster.now.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            self.blocked.store(blocked, Ordering::Relaxed);
        }
    }

    /// Whether the last request's body was refused.
    pub(super) fn refuses_body(&self, refuses: bool) {
        if self.refused_body.load(Ordering::Relaxed) != refuses {
            self.refused_body.store(refuses, Ordering::Relaxed);
        }
    }

    /// Whether what still comes must be read before closing; if so its deadline begins with the first call.
    pub(super) fn lingers(&self) -> bool {
        let lingers = self.refused_body.load(Ordering::Relaxed);
        if lingers && self.lingering.load(Ordering::Relaxed) == 0 {
            let now = self.roster.now.load(Ordering::Relaxed);
            self.lingering.store(now.wrapping_add(1).max(1), Ordering::Relaxed);
        }
        lingers
    }

    /// Counts a request in flight; `None` when the server's limit is reached.
    pub(super) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        if !self.lifecycle().enter() {
            return None;
        }
        self.busy.fetch_add(1, Ordering::Relaxed);
        Some(InFlight(Some(self.clone())))
    }

    fn is_overdue(&self, now: u32, linger: u32) -> bool {
        let lingering = self.lingering.load(Ordering::Relaxed);
        if lingering != 0 {
            return now.wrapping_sub(lingering) >= linger;
        }
        let waits_for_client = self.busy.load(Ordering::Relaxed) == 0 || self.blocked.load(Ordering::Relaxed);
        waits_for_client && now.wrapping_sub(self.progress.load(Ordering::Relaxed)) > SWEEPS
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let left = *self.busy.get_mut() as usize;
        if left > 0 {
            self.roster.lifecycle.leave(left);
        }
        if self.roster.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.roster.empty.notify_waiters();
        }
    }
}

/// A request in flight: counted until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Option<Arc<Connection>>);

impl InFlight {
    /// The request has become a tunnel: it is in flight until its connection closes.
    pub(super) fn until_closed(mut self) {
        self.0 = None;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.busy.fetch_sub(1, Ordering::Relaxed);
            connection.lifecycle().leave(1);
        }
    }
}

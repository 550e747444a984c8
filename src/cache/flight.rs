//! Identical requests in flight share one call: whoever wants the answer has a seat, and whoever of them is polled drives the call on.
//!
//! Nobody owns the call: the leader may go, and the others go on without a gap; when the last seat is empty, the call is dropped, which cancels
//! it upstream. What has come of a stream is kept in a log, so that a late joiner is told all of it and then follows.
//!
//! What a reader could get wrong: the call is polled with a waker that wakes every seat, because the one who polled it last may be
//! a client that takes nothing in any more. A slow follower costs at most `window` bytes: past that he is left behind.

mod log;
mod seats;

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use super::key::Key;
use crate::error::Error;
use log::Log;
pub use log::{Next, Piece};
use seats::Seats;

/// What came of asking. `H`: the head of an answer; `A`: an answer that cannot be shared.
pub enum Landed<H, A> {
    /// The whole answer.
    Whole(H, Bytes),
    /// A stream under way.
    Flowing(H, Box<dyn Source>),
    /// Only for the one who asked: it is too long, or of another kind.
    Alone(A),
    /// `is_shared`: it is an error for all; otherwise it concerns the one who asked alone.
    Failed { error: Error, is_shared: bool, own: A },
}

/// A stream that is shared.
pub trait Source: Send {
    /// The next piece; `None`: it has ended, and [`Source::ended`] is called.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>>;
    /// All of the answer has come, whatever its connection still brings: it is ended by this.
    fn is_over(&mut self) -> bool {
        false
    }
    /// All that has come, or `None` if its beginning is no longer there. As long as `flight` is held, others are told it from there.
    fn ended(&mut self, log: Option<Vec<Bytes>>, flight: Arc<dyn Any + Send + Sync>);
}

/// The call, until its head is there.
pub type Asking<H, A> = Pin<Box<dyn Future<Output = Landed<H, A>> + Send>>;

/// What one who waits is told. Cheap to copy.
#[derive(Debug)]
pub enum Told<H> {
    Whole(Arc<H>, Bytes),
    Flowing(Arc<H>),
    /// He has to ask for himself.
    Alone,
    Failed(Arc<Error>),
}

impl<H> Clone for Told<H> {
    fn clone(&self) -> Self {
        match self {
            Told::Whole(head, bytes) => Told::Whole(Arc::clone(head), bytes.clone()),
            Told::Flowing(head) => Told::Flowing(Arc::clone(head)),
            Told::Alone => Told::Alone,
            Told::Failed(error) => Told::Failed(Arc::clone(error)),
        }
    }
}

/// One call and those who wait for it.
pub struct Flight<H, A> {
    seats: Arc<Seats>,
    /// Wakes every seat.
    waker: Waker,
    call: Mutex<Call<H, A>>,
    told: OnceLock<Told<H>>,
    own: Mutex<Option<A>>,
    log: Mutex<Log>,
}

enum Call<H, A> {
    Asking(Asking<H, A>),
    Flowing(Box<dyn Source>),
    Over,
}

impl<H, A> std::fmt::Debug for Flight<H, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

/// A place at a flight: dropped, it is empty.
#[derive(Debug)]
pub struct Seat<H, A> {
    flight: Arc<Flight<H, A>>,
    number: usize,
    /// The next piece that it has not been told.
    next: usize,
}

impl<H: Send + Sync + 'static, A: Send + 'static> Flight<H, A> {
    /// The leader's seat. `window`: bytes of a stream that are kept for those who come later or are slow.
    pub fn begin(asking: Asking<H, A>, window: usize) -> Seat<H, A> {
        let seats = Arc::new(Seats::default());
        let flight = Arc::new(Flight {
            waker: Waker::from(Arc::clone(&seats)),
            call: Mutex::new(Call::Asking(asking)),
            told: OnceLock::new(),
            own: Mutex::new(None),
            log: Mutex::new(Log::new(window)),
            seats,
        });
        Flight::board(&flight)
    }

    fn board(flight: &Arc<Flight<H, A>>) -> Seat<H, A> {
        let number = flight.seats.take();
        flight.log.lock().arrives(number);
        Seat { flight: Arc::clone(flight), number, next: 0 }
    }

    /// Polls the call once, unless somebody else is at it. True: something has changed.
    fn drive(self: &Arc<Self>) -> bool {
        let Some(mut call) = self.call.try_lock() else { return false };
        let cx = &mut Context::from_waker(&self.waker);
        match &mut *call {
            Call::Over => false,
            Call::Asking(asking) => {
                let Poll::Ready(landed) = asking.as_mut().poll(cx) else { return false };
                *call = Call::Over;
                let told = match landed {
                    Landed::Whole(head, bytes) => Told::Whole(Arc::new(head), bytes),
                    Landed::Flowing(head, source) => {
                        *call = Call::Flowing(source);
                        Told::Flowing(Arc::new(head))
                    }
                    Landed::Alone(own) => {
                        *self.own.lock() = Some(own);
                        Told::Alone
                    }
                    Landed::Failed { error, is_shared, own } => {
                        *self.own.lock() = Some(own);
                        if is_shared { Told::Failed(Arc::new(error)) } else { Told::Alone }
                    }
                };
                let _only_once = self.told.set(told);
                true
            }
            Call::Flowing(source) => {
                let Poll::Ready(piece) = source.poll_next(cx) else { return false };
                let mut log = self.log.lock();
                match piece {
                    Some(piece) => log.push(piece),
                    None => {
                        let whole = log.end();
                        drop(log);
                        source.ended(whole, Arc::clone(self) as _);
                        *call = Call::Over;
                    }
                }
                true
            }
        }
    }

    /// Ends a stream of which everything has come but its connection's end. Whoever leaves now may be the last one.
    fn end_if_over(self: &Arc<Self>) -> bool {
        let Some(mut call) = self.call.try_lock() else { return false };
        let Call::Flowing(source) = &mut *call else { return false };
        let is_over = source.is_over();
        if is_over {
            let whole = self.log.lock().end();
            source.ended(whole, Arc::clone(self) as _);
            *call = Call::Over;
        }
        is_over
    }

    /// Looks with `seen` until there is something to see, driving the call on between.
    fn look<T>(self: &Arc<Self>, number: usize, cx: &Context<'_>, mut seen: impl FnMut() -> Option<T>) -> Poll<T> {
        if let Some(seen) = seen() {
            return Poll::Ready(seen);
        }
        self.seats.sits(number, cx.waker());
        loop {
            // Once more: it may have come before the waker was there.
            if let Some(seen) = seen() {
                return Poll::Ready(seen);
            }
            if !self.drive() {
                return Poll::Pending;
            }
            self.seats.wake_others(number);
        }
    }
}

impl<H: Send + Sync + 'static, A: Send + 'static> Seat<H, A> {
    /// Another seat at the same flight, from the beginning. `None`: its beginning is no longer there.
    pub fn join(flight: &Arc<Flight<H, A>>) -> Option<Seat<H, A>> {
        let seat = Flight::board(flight);
        let is_there = flight.log.lock().has_beginning();
        is_there.then_some(seat)
    }

    /// He is about to leave.
    pub fn leaves(&self) {
        if self.flight.end_if_over() {
            self.flight.seats.wake_others(self.number);
        }
    }

    pub fn flight(&self) -> &Arc<Flight<H, A>> {
        &self.flight
    }

    /// What came of asking.
    pub async fn told(&mut self) -> Told<H> {
        let (flight, number) = (&self.flight, self.number);
        std::future::poll_fn(|cx| flight.look(number, cx, || flight.told.get().cloned())).await
    }

    /// The answer that only the leader gets; taken once.
    pub fn own(&self) -> Option<A> {
        self.flight.own.lock().take()
    }

    /// The next piece of the stream.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let (flight, number, at) = (&self.flight, self.number, self.next);
        let next = flight.look(number, cx, || flight.log.lock().read(number, at));
        if let Poll::Ready(Next::Piece(_)) = &next {
            self.next += 1;
        }
        next
    }

    /// The whole stream, once it has ended; `None`: its beginning is no longer there, or it is longer than `most` bytes.
    pub async fn whole(&mut self, most: usize) -> Option<Vec<Bytes>> {
        let (mut all, mut bytes) = (Vec::new(), 0);
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Next::Piece(piece) => {
                    bytes += piece.bytes.len();
                    if bytes > most {
                        return None;
                    }
                    all.push(piece.bytes);
                }
                Next::End => return Some(all),
                Next::LeftBehind => return None,
            }
        }
    }
}

impl<H, A> Drop for Seat<H, A> {
    fn drop(&mut self) {
        self.flight.log.lock().leaves(self.number);
        self.flight.seats.leave(self.number);
    }
}

/// Flights under way, by what they ask for.
#[derive(Debug, Default)]
pub struct Flights {
    listed: Mutex<HashMap<Key, Numbered, foldhash::fast::RandomState>>,
    begun: AtomicU64,
}

/// A flight with its number.
type Numbered = (u64, Weak<dyn Any + Send + Sync>);

/// As long as it lives, others find the flight.
#[derive(Debug)]
pub struct Listed {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
}

impl Flights {
    /// Begins a flight with `load`, and what keeps it listed; its first seat. Where there is one that asks for the same: a seat at that, and the
    /// load back.
    pub fn join_or_begin<H: Send + Sync + 'static, A: Send + 'static, L>(
        self: &Arc<Self>,
        key: Key,
        load: L,
        begin: impl FnOnce(L, Listed) -> Seat<H, A>,
    ) -> Result<Seat<H, A>, (Seat<H, A>, L)> {
        let mut flights = self.listed.lock();
        let known = flights.get(&key).and_then(|(_, flight)| flight.upgrade());
        let known = known.and_then(|flight| flight.downcast::<Flight<H, A>>().ok());
        if let Some(flight) = known {
            drop(flights);
            if let Some(seat) = Seat::join(&flight) {
                return Err((seat, load));
            }
            // Perhaps the last one: its end unlists it, which takes the lock.
            drop(flight);
            flights = self.listed.lock();
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        // Nothing is dropped in here that would ask for this lock.
        let seat = begin(load, Listed { flights: Arc::clone(self), key, number });
        let flight: Arc<dyn Any + Send + Sync> = Arc::clone(&seat.flight) as _;
        flights.insert(key, (number, Arc::downgrade(&flight)));
        Ok(seat)
    }

    /// Those under way go on for who has a seat; nobody else finds them.
    pub fn unlist(&self) {
        self.listed.lock().clear();
    }

    /// Flights that are found.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.listed.lock().len()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut flights = self.flights.listed.lock();
        if flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;

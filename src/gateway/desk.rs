//! The record of a request while attempts are under way: several may write into it, each for a moment.
//!
//! What a reader could get wrong: the lock is never held across an await, and all who take it run in the same task, so nobody ever waits for it.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::record::Record;
use super::tries::TryId;
use crate::error::Result;
use crate::upstream::body::Outgoing;
use crate::upstream::{InFlight, send};

/// A record that several attempts share.
#[derive(Debug)]
pub struct Desk<'r>(Mutex<&'r mut Record>);

impl<'r> Desk<'r> {
    pub fn new(record: &'r mut Record) -> Desk<'r> {
        Desk(Mutex::new(record))
    }

    /// For a moment.
    pub fn record(&self) -> MutexGuard<'_, &'r mut Record> {
        self.0.lock()
    }

    /// Awaits the upstream.
    pub async fn waiting_upstream<F: Future>(&self, future: F) -> F::Output {
        let before = Instant::now();
        let output = future.await;
        self.record().waited_upstream(before.elapsed());
        output
    }

    /// Sends an attempt that has begun, and waits for the head of the answer. Once there is a connection, and before anything goes out on it,
    /// the request is written ahead: so the books know of what a provider may bill, and of nothing else. `body` makes the body and
    /// tells its length.
    pub async fn sending(
        &self,
        attempt: TryId,
        place: InFlight,
        outbound: &send::Outbound<'_>,
        mut body: impl FnMut() -> Option<(Outgoing, u64)>,
        on_violation: impl FnOnce(),
    ) -> Result<send::Answer> {
        let before = Instant::now();
        let (mut own, mut refused) = (Duration::ZERO, None);
        let make = || {
            let (made, bytes) = body()?;
            let started = Instant::now();
            let mut record = self.record();
            if let Some(attempt) = record.tries.get_mut(attempt) {
                attempt.bytes_out = bytes;
            }
            let written = record.write_ahead();
            own += started.elapsed();
            written.map_err(|error| refused = Some(error)).ok()?;
            Some(made)
        };
        let answer = send::send(place, outbound, make, on_violation).await;
        self.record().waited_upstream(before.elapsed().saturating_sub(own));
        match refused {
            Some(refused) => Err(refused),
            None => answer,
        }
    }
}

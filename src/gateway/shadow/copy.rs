//! One copy: sent, read to its end, booked, and compared with what the client got.
//!
//! What a reader could get wrong: it runs on a task of its own, after the decision; the last check of locality in `send` holds for it
//! as for the request itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::booking::Booking;
use super::heard::{Heard, agreement};
use super::{Original, Outcome};
use crate::error::{Error, Kind, Result};
use crate::gateway::hold;
use crate::gateway::relay::Events;
use crate::gateway::watchdog::Watchdog;
use crate::openai::produced::Produced;
use crate::openai::splice::Segments;
use crate::openai::{Endpoint, usage};
use crate::upstream::InFlight;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Answer, Locality, Outbound};

/// A plain answer beyond this is not read to its end.
const LARGEST_ANSWER: usize = 1 << 20;

/// How long a copy that is done waits for the original: a client may take its time to read.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A copy about to be sent.
pub struct Copying {
    pub endpoint: Endpoint,
    /// Credentials included.
    pub headers: HeaderMap,
    pub body: Segments,
    pub locality: Locality,
    /// It was looked through, and holds nothing that would have to be hidden (`policy/shadow` does not draw what does).
    pub redacted: bool,
    pub place: InFlight,
    pub booking: Booking,
    /// Until all is compared.
    pub permit: OwnedSemaphorePermit,
}

impl Copying {
    /// Sends it, and compares its answer with the original that is told.
    pub(super) async fn run(self, told: oneshot::Receiver<Original>) {
        let Copying { endpoint, headers, body, locality, redacted, place, mut booking, permit } = self;
        let sent = send_off(endpoint, headers, body, (locality, redacted), place, &mut booking).await;
        let heard = match sent {
            Ok(heard) => heard,
            Err(error) => return booking.finish(Outcome::Failed, Some(error.kind)),
        };
        // Booked before the comparison, which may have to wait.
        let told_of = booking.settle();
        let outcome = match tokio::time::timeout(LONGEST_WAIT, told).await {
            // Numbers for numbers: that both are there is all that can be said.
            Ok(Ok(_)) if endpoint == Endpoint::Embeddings => (Outcome::Same, None),
            Ok(Ok(Original(original))) => match agreement(&original, &heard) {
                Some(agreed) if agreed >= 1.0 => (Outcome::Same, Some(agreed)),
                Some(agreed) => (Outcome::Different, Some(agreed)),
                None => (Outcome::Skipped, None),
            },
            // The client left, or its answer broke off.
            _ => (Outcome::Skipped, None),
        };
        told_of.count(outcome.0, outcome.1);
        drop(permit);
    }
}

async fn send_off(
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Segments,
    (locality, redacted): (Locality, bool),
    place: InFlight,
    booking: &mut Booking,
) -> Result<Heard> {
    let target = booking.target();
    let upstream = &target.upstream;
    let node = Arc::clone(place.node());
    let outbound = Outbound {
        method: Method::POST,
        path: target.path(endpoint),
        headers,
        placement: upstream.placement(),
        locality,
        redacted,
        timeouts: upstream.timeouts,
        deadline: Instant::now() + upstream.timeouts.total,
        worker: booking.worker(),
        upgrade: false,
    };
    let bytes = body.iter().map(|segment| segment.len() as u64).sum();
    let shared = booking.shared();
    let violations = &shared.durable.metrics.locality_violations;
    let make = || {
        // What leaves is in the books before it leaves.
        booking.leaves(bytes).ok()?;
        Some(Outgoing::segments(body.clone()))
    };
    let answer = send::send(place, &outbound, make, || violations.inc()).await;
    let answered = match answer {
        Ok(answer) => listen(answer, outbound.deadline, upstream.timeouts.between_tokens, booking).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &answered
        && matches!(error.kind, Kind::Connect | Kind::Broken)
    {
        upstream.pool.failed(&node);
    }
    answered
}

/// Reads the answer to its end.
async fn listen(answer: Answer, deadline: Instant, pause: Duration, booking: &mut Booking) -> Result<Heard> {
    let Answer { head, body, mut lease } = answer;
    booking.answering(head.status);
    if !head.status.is_success() {
        // Dropped unread, which closes the connection: what it says is nobody's to know.
        return Err(booking.target().upstream.provider.fault(head.status, &head.headers, b""));
    }
    let mut heard = Heard::default();
    let mut take_in = |bytes: &Bytes, booking: &mut Booking| {
        heard.take_in(bytes);
        booking.saw_answer(bytes);
    };
    if head.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream")) {
        let private = Arc::clone(booking.target().upstream.provider.private());
        let mut events = Events::new(body, lease, Watchdog::new(pause, deadline), private);
        while let Some(bytes) = events.next().await {
            take_in(&bytes?, booking);
        }
        let (usage, produced) = events.figures();
        booking.used(usage, produced);
        return Ok(heard);
    }
    let late = |_| Error::upstream(Kind::Timeout, "the shadow did not finish its answer in time");
    let gathered = tokio::time::timeout_at(deadline, hold::gather(body, BytesMut::new(), LARGEST_ANSWER)).await;
    let (whole, rest) = gathered.map_err(late)?.map_err(hold::broken)?;
    if rest.is_none() {
        lease.finish();
    }
    let mut produced = Produced::default();
    let usage = usage::of_answer(&whole);
    if usage.is_none() {
        produced.answer(&whole);
    }
    booking.used(usage, produced.tokens());
    take_in(&whole, booking);
    Ok(heard)
}

//! A shared stream: as the source of a call, and as the body of each who has a seat at it.
//!
//! What a reader could get wrong: pieces are the same bytes for everybody; only the frame with the usage is taken out for those who have not asked
//! for it.

use std::any::Any;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use smallvec::SmallVec;

use super::keep::{Keeper, Settled};
use super::recall::Form;
use super::record::Record;
use super::relay::Relay;
use super::share::OurSeat;
use crate::cache::flight::{Next, Piece, Source};
use crate::error::{Error, Kind};
use crate::openai;
use crate::openai::sse::{Frames, Keep};
use crate::openai::usage;
use crate::task;
use crate::telemetry::metrics::Following;

/// An upstream's stream that several may follow.
pub struct SharedStream {
    relay: Relay,
    keeper: Option<Keeper>,
}

impl SharedStream {
    pub fn new(relay: Relay, keeper: Keeper) -> SharedStream {
        SharedStream { relay, keeper: Some(keeper) }
    }
}

impl Source for SharedStream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.relay.poll(cx).map(|bytes| {
            let bytes = bytes?;
            Some(Piece { bytes, has_usage: self.relay.had_usage() })
        })
    }

    fn is_over(&mut self) -> bool {
        self.relay.end_if_told()
    }

    fn ended(&mut self, log: Option<Vec<Bytes>>, flight: Arc<dyn Any + Send + Sync>) {
        // Nobody is to join what has failed.
        let keeper = self.keeper.take().filter(|keeper| keeper.settled.is_well());
        if let (Some(keeper), Some(pieces)) = (keeper, log) {
            task::spawn("keeping an answer", async move {
                keeper.keep_stream(pieces).await;
                drop(flight);
            });
        }
    }
}

/// The body of one who has a seat.
#[derive(Debug)]
pub struct SeatBody {
    /// `None`: it has ended.
    seat: Option<OurSeat>,
    usage: bool,
    /// His own; the one who asked first has given his to the call.
    own: Option<(Box<Record>, Following)>,
    settled: Arc<Settled>,
}

impl SeatBody {
    pub fn new(seat: OurSeat, form: Form, own: Option<(Box<Record>, Following)>, settled: Arc<Settled>) -> SeatBody {
        SeatBody { seat: Some(seat), usage: form.usage, own, settled }
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let Some(seat) = &mut self.seat else { return Poll::Ready(None) };
            match seat.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Next::Piece(piece)) => {
                    let bytes = if piece.has_usage && !self.usage { without_usage(piece.bytes) } else { piece.bytes };
                    if bytes.is_empty() {
                        continue;
                    }
                    if let Some((record, _)) = &mut self.own {
                        record.saw_answer(&bytes);
                    }
                    return Poll::Ready(Some(bytes));
                }
                Poll::Ready(Next::End) => {
                    let outcome = self.settled.get().and_then(|settlement| settlement.outcome);
                    self.close(outcome);
                    return Poll::Ready(None);
                }
                Poll::Ready(Next::LeftBehind) => {
                    self.close(Some(Kind::Overloaded));
                    let message = "the answer is shared with others, and came faster than it was taken in";
                    return Poll::Ready(Some(openai::error::event(&Error::gateway(Kind::Overloaded, message))));
                }
            }
        }
    }

    fn close(&mut self, outcome: Option<Kind>) {
        self.seat = None;
        if let Some((record, _)) = self.own.take() {
            record.close(outcome);
        }
    }
}

impl Drop for SeatBody {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            seat.leaves();
            self.close(Some(Kind::ClientGone));
        }
    }
}

/// Whole frames without the one that has nothing but the usage.
pub fn without_usage(bytes: Bytes) -> Bytes {
    let mut rest: SmallVec<[Bytes; 2]> = SmallVec::new();
    let keep = |data: &[u8]| if usage::of_event(data).is_some_and(|seen| seen.alone) { Keep::No } else { Keep::Yes };
    let mut frames = Frames::new();
    if frames.push(bytes.clone(), keep, &mut rest).is_err() {
        return bytes;
    }
    rest.extend(frames.finish());
    match rest.len() {
        0 => Bytes::new(),
        1 => rest.remove(0),
        _ => Bytes::from(rest.concat()),
    }
}

//! Request bodies on their way upstream: what was read and spliced, or an upload that is streamed through.
//!
//! What a reader could get wrong: `Segments` can be sent again to another target, an `Upload` cannot: it is gone once begun.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::openai::splice::Segments;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body.
#[derive(Debug)]
pub enum Outgoing {
    Segments { rest: smallvec::IntoIter<[Bytes; 3]>, left: u64 },
    Upload(Box<Upload>),
}

/// A client's body streamed through, bounded in size and in how long it may pause.
#[derive(Debug)]
pub struct Upload {
    /// What was read of it already.
    begun: std::vec::IntoIter<Bytes>,
    incoming: Incoming,
    left: u64,
    pause: Duration,
    alarm: Pin<Box<Sleep>>,
    /// The alarm counts from here.
    last: Instant,
}

/// The upload went over the limit.
#[derive(Debug)]
pub struct TooLarge;

/// The client paused for too long.
#[derive(Debug)]
pub struct TooSlow;

impl Outgoing {
    pub fn empty() -> Outgoing {
        Outgoing::segments(Segments::new())
    }

    pub fn segments(segments: Segments) -> Outgoing {
        let left = segments.iter().map(|s| s.len() as u64).sum();
        Outgoing::Segments { rest: segments.into_iter(), left }
    }

    /// Streams `incoming` through: at most `limit` bytes, no pause longer than `pause`. `begun`: what was read of it already.
    pub fn upload(begun: Vec<Bytes>, incoming: Incoming, limit: u64, pause: Duration) -> Outgoing {
        let now = Instant::now();
        let alarm = Box::pin(tokio::time::sleep_until(now + pause));
        let begun = begun.into_iter();
        Outgoing::Upload(Box::new(Upload { begun, incoming, left: limit, pause, alarm, last: now }))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Outgoing::Segments { rest, left } => Poll::Ready(rest.next().map(|segment| {
                *left = left.saturating_sub(segment.len() as u64);
                Ok(Frame::data(segment))
            })),
            Outgoing::Upload(upload) => upload.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Segments { left, .. } => *left == 0,
            Outgoing::Upload(upload) => upload.begun.as_slice().is_empty() && upload.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Segments { left, .. } => SizeHint::with_exact(*left),
            Outgoing::Upload(upload) => upload.size_hint(),
        }
    }
}

impl Upload {
    fn size_hint(&self) -> SizeHint {
        let begun: u64 = self.begun.as_slice().iter().map(|piece| piece.len() as u64).sum();
        let rest = self.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(begun + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(begun + upper);
        }
        hint
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(piece) = self.begun.next() {
            return Poll::Ready(Some(self.within(Frame::data(piece))));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(Some(Ok(frame))) => {
                self.last = Instant::now();
                Poll::Ready(Some(self.within(frame)))
            }
            Poll::Pending => {
                // The alarm is moved when it rings, not with every frame: a timer per chunk costs more than the chunk.
                loop {
                    ready!(self.alarm.as_mut().poll(cx));
                    let due = self.last + self.pause;
                    if due <= Instant::now() {
                        return Poll::Ready(Some(Err(Box::new(TooSlow))));
                    }
                    self.alarm.as_mut().reset(due);
                }
            }
        }
    }

    /// The frame, if it is not over the limit.
    fn within(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BoxError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(length).ok_or(TooLarge)?;
        Ok(frame)
    }
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the upload is larger than the limit")
    }
}

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client paused for too long")
    }
}

impl std::error::Error for TooLarge {}
impl std::error::Error for TooSlow {}

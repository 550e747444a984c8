//! An answer that is no event stream, relayed as it comes: large JSON, audio, files.
//!
//! What a reader could get wrong: what had been read before the answer was committed (`begun`) goes first.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::BrokenOff;
use super::record::Record;
use super::watchdog::Watchdog;
use crate::error::Kind;
use crate::upstream::send::Lease;

/// A body under way.
#[derive(Debug)]
pub struct Plain {
    begun: Option<Bytes>,
    rest: Incoming,
    watchdog: Watchdog,
    /// Both until the end.
    lease: Lease,
    record: Option<Box<Record>>,
}

impl Plain {
    pub fn new(begun: Bytes, rest: Incoming, watchdog: Watchdog, lease: Lease, record: Box<Record>) -> Plain {
        Plain { begun: Some(begun).filter(|b| !b.is_empty()), rest, watchdog, lease, record: Some(record) }
    }

    pub fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, |b| b.len() as u64);
        let rest = self.rest.size_hint();
        match rest.exact() {
            Some(exact) => SizeHint::with_exact(begun + exact),
            None => SizeHint::default(),
        }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(begun) = self.begun.take() {
            self.saw(&begun);
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        match Pin::new(&mut self.rest).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.watchdog.alive();
                if let Some(data) = frame.data_ref() {
                    let data = data.clone();
                    self.saw(&data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.lease.finish();
                self.close(None);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => {
                self.close(Some(Kind::Broken));
                Poll::Ready(Some(Err(BrokenOff)))
            }
            Poll::Pending => match self.watchdog.poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    self.close(Some(Kind::Timeout));
                    Poll::Ready(Some(Err(BrokenOff)))
                }
            },
        }
    }

    fn saw(&mut self, bytes: &Bytes) {
        if let Some(record) = &mut self.record {
            record.saw_answer(bytes);
        }
    }

    fn close(&mut self, outcome: Option<Kind>) {
        if let Some(record) = self.record.take() {
            record.close(outcome);
        }
    }
}

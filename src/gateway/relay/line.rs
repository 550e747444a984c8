//! The connection on which a stream comes, and the place at its node: let go when its time is up, whether anybody reads or not.
//!
//! What a reader could get wrong: a client that does not take in what it gets has nobody polled, so no deadline is looked at either. Hence the
//! timer is a task of its own, one of each stream; it ends with the stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::gateway::hold::broken;
use crate::task;
use crate::upstream::send::Lease;

/// The upstream's side of a stream.
#[derive(Debug)]
pub(super) struct Line {
    /// `None`: its time was up.
    wire: Arc<Mutex<Option<Wire>>>,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Wire {
    rest: Incoming,
    lease: Lease,
}

/// Ends with what it watches.
#[derive(Debug)]
struct Timer(JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Line {
    pub(super) fn new(rest: Incoming, lease: Lease) -> Line {
        Line { wire: Arc::new(Mutex::new(Some(Wire { rest, lease }))), timer: None }
    }

    /// Lets go at `deadline`.
    pub(super) fn until(&mut self, deadline: Instant) {
        let wire = Arc::downgrade(&self.wire);
        self.timer = Some(Timer(task::spawn("the end of a stream's time", async move {
            tokio::time::sleep_until(deadline).await;
            let late = wire.upgrade().and_then(|wire| wire.lock().take());
            drop(late);
        })));
    }

    /// The next bytes; trailers are passed over.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let mut wire = self.wire.lock();
        let Some(wire) = wire.as_mut() else { return Poll::Ready(Some(Err(late()))) };
        loop {
            return match Pin::new(&mut wire.rest).poll_frame(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(broken(error)))),
                Poll::Ready(Some(Ok(frame))) => match Frame::into_data(frame) {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    Err(_) => continue,
                },
            };
        }
    }

    pub(super) async fn next(&self) -> Option<Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// It has been read to its end: the connection can take the next request.
    pub(super) fn finish(&self) {
        if let Some(wire) = self.wire.lock().as_mut() {
            wire.lease.finish();
        }
    }

    /// The answer has begun.
    pub(super) fn answering(&self) {
        if let Some(wire) = self.wire.lock().as_mut() {
            wire.lease.place.answering();
        }
    }
}

/// There is no time left.
pub(super) fn late() -> Error {
    Error::upstream(Kind::Timeout, "the answer took longer than it may")
}

//! The body of an answer to the client: complete, or relayed as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::deferred::{Content, Followed};
use super::paced::Paced;
use super::plain::Plain;
use super::progressive::Playing;
use super::relay::Relay;
use super::seat::SeatBody;

/// An answer's body.
#[derive(Debug)]
pub enum Body {
    /// All of it; `None` once it has gone.
    Whole(Option<Bytes>),
    /// Server-sent events.
    Relay(Box<Relay>),
    /// Server-sent events that several follow.
    Shared(Box<SeatBody>),
    /// Events from memory, one after the other.
    Paced(Box<Paced>),
    /// Events of two upstreams, told as one stream.
    Playing(Box<Playing>),
    /// Events of a background response.
    Followed(Box<Followed>),
    /// A file of ours.
    Content(Box<Content>),
    /// Any other body, streamed through.
    Plain(Box<Plain>),
}

/// The answer broke off in the middle: the connection is closed, which is how HTTP/1.1 and 2 tell a client.
#[derive(Debug)]
pub struct BrokenOff;

impl Body {
    pub fn whole(bytes: Bytes) -> Body {
        Body::Whole(Some(bytes).filter(|b| !b.is_empty()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Body::Relay(relay) => relay.poll(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Body::Shared(seat) => seat.poll(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Body::Paced(paced) => paced.poll(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Body::Playing(playing) => playing.poll(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Body::Followed(followed) => followed.poll(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Body::Content(content) => content.poll(cx),
            Body::Plain(plain) => plain.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Relay(_) | Body::Shared(_) | Body::Paced(_) | Body::Playing(_) | Body::Followed(_) => {
                SizeHint::default()
            }
            Body::Content(content) => content.size_hint(),
            Body::Plain(plain) => plain.size_hint(),
        }
    }
}

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the upstream broke off in the middle of its answer")
    }
}

impl std::error::Error for BrokenOff {}

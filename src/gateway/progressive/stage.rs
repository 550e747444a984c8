//! Where a play is told and its audience takes it in: the answer's body.
//!
//! What a reader could get wrong: play and audience are one task. The play is polled only when all that it has told was taken; so when it waits
//! for room it needs nobody to wake it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;

use crate::gateway::Body;

/// So much may be told that nobody has taken yet.
const ROOM: usize = 64 << 10;

/// All of a request, under way. It gives an answer back if no draft was told.
pub(super) type Play = Pin<Box<dyn Future<Output = Option<Response<Body>>> + Send>>;

/// What was told and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Stage(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    head: Option<(StatusCode, HeaderMap)>,
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Stage {
    /// The head of the answer is known.
    pub(super) fn open(&self, status: StatusCode, headers: HeaderMap) {
        self.0.lock().head = Some((status, headers));
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.lock().head.is_some()
    }

    /// Once.
    pub(super) fn head(&self) -> Option<(StatusCode, HeaderMap)> {
        self.0.lock().head.take()
    }

    /// Tells something; returns when there is room for more.
    pub(super) async fn tell(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            let mut told = self.0.lock();
            told.bytes += bytes.len();
            told.pieces.push_back(bytes);
        }
        poll_fn(|_| if self.0.lock().bytes < ROOM { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn take(&self) -> Option<Bytes> {
        let mut told = self.0.lock();
        let piece = told.pieces.pop_front()?;
        told.bytes -= piece.len();
        Some(piece)
    }
}

/// The body of a progressive answer. Dropped, it takes the play with it: both upstreams are let go, and its record is closed.
pub struct Playing {
    /// `None`: it is over.
    play: Option<Play>,
    stage: Arc<Stage>,
}

impl Playing {
    pub(super) fn new(play: Option<Play>, stage: Arc<Stage>) -> Playing {
        Playing { play, stage }
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.stage.take() {
                return Poll::Ready(Some(piece));
            }
            let Some(play) = &mut self.play else { return Poll::Ready(None) };
            match play.as_mut().poll(cx) {
                Poll::Ready(_) => self.play = None,
                Poll::Pending => {
                    return match self.stage.take() {
                        Some(piece) => Poll::Ready(Some(piece)),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl fmt::Debug for Playing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playing").field("is_over", &self.play.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(playing: &mut Playing) -> Poll<Option<usize>> {
        playing.poll(&mut Context::from_waker(Waker::noop())).map(|bytes| bytes.map(|bytes| bytes.len()))
    }

    #[test]
    fn a_play_goes_on_only_when_its_audience_has_taken_everything() {
        let stage = Arc::new(Stage::default());
        let (told, counted) = (Arc::clone(&stage), Arc::new(Mutex::new(0)));
        let count = Arc::clone(&counted);
        let play: Play = Box::pin(async move {
            for _ in 0..5 {
                *count.lock() += 1;
                told.tell(Bytes::from(vec![0; ROOM / 2])).await;
            }
            None
        });
        let mut playing = Playing::new(Some(play), stage);
        let mut seen = vec![];
        while let Poll::Ready(Some(length)) = next(&mut playing) {
            seen.push((length, *counted.lock()));
        }
        let half = ROOM / 2;
        assert_eq!(seen, [(half, 2), (half, 2), (half, 4), (half, 4), (half, 5)]);
        assert_eq!(next(&mut playing), Poll::Ready(None));
    }
}

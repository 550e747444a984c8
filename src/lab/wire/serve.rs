//! One connection of a simulated server: reads requests, plays the acts of their answers, notices when the peer goes away.
//!
//! What a reader could get wrong: the peer's leaving is noticed at once while an answer waits, and by the next write's failure while
//! one is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answer::{Act, Answer};
use super::{Behaviour, Flow, HEALTH, Phase, Request, Shared, http};

/// How a played answer ended.
enum End {
    Complete,
    Close,
    Reset,
    /// The peer went away first.
    Cancelled,
}

/// Serves until the peer closes, an act ends the connection, or the server is killed.
pub(super) async fn connection<B: Behaviour>(
    stream: TcpStream,
    number: usize,
    mut phase: watch::Receiver<Phase>,
    shared: Arc<Shared<B>>,
) {
    let _ = stream.set_nodelay(true);
    let mut wire = Wire { stream, buffer: BytesMut::new(), flow: shared.flow.subscribe(), shared: &shared };
    let reset = tokio::select! {
        end = wire.requests(number) => matches!(end, Ok(End::Reset)),
        _ = phase.wait_for(|phase| *phase == Phase::Killed) => true,
    };
    if reset {
        let _ = socket2::SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO));
    } else {
        let _ = wire.stream.shutdown().await;
    }
}

/// A connection and what was read of it and not yet used.
struct Wire<'a, B> {
    stream: TcpStream,
    buffer: BytesMut,
    flow: watch::Receiver<Flow>,
    shared: &'a Shared<B>,
}

impl<B: Behaviour> Wire<'_, B> {
    async fn requests(&mut self, number: usize) -> io::Result<End> {
        let shared = self.shared;
        loop {
            until(&mut self.flow, |flow| flow != Flow::Deaf).await;
            let arrived = |bytes| {
                shared.received.fetch_add(bytes as u64, Ordering::SeqCst);
            };
            let Some(request) = http::read_request(&mut self.stream, &mut self.buffer, number, arrived).await? else {
                return Ok(End::Complete);
            };
            let _in_flight = (request.path() != HEALTH).then(|| InFlight::new(&shared.in_flight));
            match self.answer(&request).await {
                Ok(End::Complete) => {}
                Ok(End::Cancelled) | Err(_) => {
                    shared.behaviour.cancelled(&request);
                    return Ok(End::Cancelled);
                }
                Ok(end) => return Ok(end),
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> io::Result<End> {
        let shared = self.shared;
        let Some(answer) = self.unless_gone(shared.behaviour.answer(request)).await else { return Ok(End::Cancelled) };
        self.play(&answer).await
    }

    async fn play(&mut self, answer: &Answer) -> io::Result<End> {
        let (acts, keeps_alive) = answer.acts();
        for act in acts {
            let goes_on = match act {
                Act::Write(bytes) => self.open_to_write().await && self.write(&bytes).await.map(|()| true)?,
                Act::Wait(time) => self.unless_gone(tokio::time::sleep(time)).await.is_some(),
                Act::Gate(gate) => self.unless_gone(gate.passed()).await.is_some(),
                Act::Stall => self.unless_gone(std::future::pending::<()>()).await.is_some(),
                Act::Reset => return Ok(End::Reset),
                Act::Close => return Ok(End::Close),
                Act::Echo => return self.echo().await,
            };
            if !goes_on {
                return Ok(End::Cancelled);
            }
        }
        Ok(if keeps_alive { End::Complete } else { End::Close })
    }

    /// Waits until something may be written; false when the peer goes away before.
    async fn open_to_write(&mut self) -> bool {
        if *self.flow.borrow() == Flow::Open {
            return true;
        }
        let mut flow = self.flow.clone();
        self.unless_gone(until(&mut flow, |flow| flow == Flow::Open)).await.is_some()
    }

    /// Counts what the kernel takes, piece by piece, so that it is seen how far a write got that is held up.
    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.stream.write(bytes).await?;
            self.shared.sent.fetch_add(written as u64, Ordering::SeqCst);
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Waits for `event`; `None` when the peer goes away before, which a deaf server does not hear.
    async fn unless_gone<T>(&mut self, event: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(event);
        loop {
            let deaf = *self.flow.borrow_and_update() == Flow::Deaf;
            tokio::select! {
                biased;
                happened = &mut event => return Some(happened),
                _ = self.flow.changed() => {}
                read = self.stream.read_buf(&mut self.buffer), if !deaf => {
                    if matches!(read, Ok(0) | Err(_)) {
                        return None;
                    }
                }
            }
        }
    }

    async fn echo(&mut self) -> io::Result<End> {
        loop {
            let bytes = self.buffer.split().freeze();
            self.write(&bytes).await?;
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(End::Close);
            }
        }
    }
}

async fn until(flow: &mut watch::Receiver<Flow>, wanted: impl Fn(Flow) -> bool) {
    // Cannot fail: the server holds the sender.
    let _ = flow.wait_for(|flow| wanted(*flow)).await;
}

struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        InFlight(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

//! One connection of a mock upstream: reads requests, plays the acts of their answers, notices when the peer goes away.
//!
//! What a reader could get wrong: the peer's leaving is noticed at once while an answer waits, and by the next write's failure while
//! one is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answer::{Act, Answer};
use super::{Cancel, Shared, http};

/// How a played answer ended.
enum End {
    Complete,
    Close,
    Reset,
    /// The peer went away first.
    Cancelled,
}

/// Serves until the peer closes, an act ends the connection, or the upstream is killed.
pub async fn connection(mut stream: TcpStream, number: usize, mut killed: watch::Receiver<bool>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let reset = tokio::select! {
        end = requests(&mut stream, number, &shared) => matches!(end, Ok(End::Reset)),
        _ = killed.wait_for(|killed| *killed) => true,
    };
    if reset {
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    } else {
        let _ = stream.shutdown().await;
    }
}

async fn requests(stream: &mut TcpStream, number: usize, shared: &Shared) -> io::Result<End> {
    let mut buffer = BytesMut::new();
    loop {
        let arrived = |bytes| {
            shared.received.fetch_add(bytes as u64, Ordering::SeqCst);
        };
        let Some(request) = http::read_request(stream, &mut buffer, number, arrived).await? else {
            return Ok(End::Complete);
        };
        if request.path() == "/health" {
            shared.health_checks.fetch_add(1, Ordering::SeqCst);
            let sick = shared.sick.load(Ordering::SeqCst);
            let answer = if sick { Answer::loading() } else { Answer::json(200, &serde_json::json!({"status": "ok"})) };
            play(&answer, stream, &mut buffer, shared).await?;
            continue;
        }
        let index = {
            let mut requests = shared.requests.lock();
            requests.push(request.clone());
            requests.len() - 1
        };
        let queued = shared.queue.lock().pop_front();
        let answer = queued.unwrap_or_else(|| {
            let behaviour = shared.behaviour.lock().clone();
            behaviour(&request)
        });
        let _in_flight = InFlight::new(&shared.in_flight);
        match play(&answer, stream, &mut buffer, shared).await {
            Ok(End::Complete) => {}
            Ok(End::Cancelled) | Err(_) => {
                shared.cancels.lock().push(Cancel { request: index, at: Instant::now() });
                return Ok(End::Cancelled);
            }
            Ok(end) => return Ok(end),
        }
    }
}

async fn play(answer: &Answer, stream: &mut TcpStream, buffer: &mut BytesMut, shared: &Shared) -> io::Result<End> {
    let (acts, keeps_alive) = answer.acts();
    for act in acts {
        let goes_on = match act {
            Act::Write(bytes) => {
                write(stream, &bytes, shared).await?;
                true
            }
            Act::Wait(time) => unless_gone(stream, buffer, tokio::time::sleep(time)).await,
            Act::Gate(gate) => unless_gone(stream, buffer, gate.passed()).await,
            Act::Stall => unless_gone(stream, buffer, std::future::pending()).await,
            Act::Reset => return Ok(End::Reset),
            Act::Close => return Ok(End::Close),
            Act::Echo => return echo(stream, buffer, shared).await,
        };
        if !goes_on {
            return Ok(End::Cancelled);
        }
    }
    Ok(if keeps_alive { End::Complete } else { End::Close })
}

/// Counts what the kernel takes, piece by piece, so that a test sees how far a write got that is held up.
async fn write(stream: &mut TcpStream, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = stream.write(bytes).await?;
        shared.sent.fetch_add(written as u64, Ordering::SeqCst);
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Waits for `event`; false when the peer goes away before.
async fn unless_gone(stream: &mut TcpStream, buffer: &mut BytesMut, event: impl Future<Output = ()>) -> bool {
    tokio::pin!(event);
    loop {
        tokio::select! {
            () = &mut event => return true,
            read = stream.read_buf(buffer) => if matches!(read, Ok(0) | Err(_)) { return false },
        }
    }
}

async fn echo(stream: &mut TcpStream, buffer: &mut BytesMut, shared: &Shared) -> io::Result<End> {
    loop {
        let bytes = buffer.split().freeze();
        write(stream, &bytes, shared).await?;
        if stream.read_buf(buffer).await? == 0 {
            return Ok(End::Close);
        }
    }
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

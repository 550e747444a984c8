//! A server on a free loopback port that can delay, break, stall, drip, reset and lie: raw TCP with a small HTTP reader, so that nothing stops
//! it from misbehaving. The lab's simulated nodes stand on it, and the mock upstreams of the tests.
//!
//! What a reader could get wrong: this is no HTTP server for anything but simulations: it believes its peer, and holds what it reads in memory.

mod answer;
pub mod answers;
mod http;
mod serve;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::task;
pub use answer::{Act, Answer, Framing, Gate, Point};
pub use http::Request;

/// Health checks are asked here; they do not count as requests in flight.
pub const HEALTH: &str = "/health";

/// How long a port may be held by somebody else before `Server::start` gives up: a child that is just being started holds a copy of every
/// socket between fork and exec.
const PORT_WAIT: Duration = Duration::from_secs(20);
const PORT_POLL: Duration = Duration::from_millis(5);

/// What a server says.
pub trait Behaviour: Send + Sync + 'static {
    /// The answer to a request that has been read completely. Dropped when the peer goes away before.
    fn answer(&self, request: &Request) -> impl Future<Output = Answer> + Send;

    /// The peer went away before its answer had been written.
    fn cancelled(&self, _request: &Request) {}
}

/// What passes between a server and its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Everything.
    Open,
    /// The server reads, and what it writes waits: an answer that is under way stops where it is.
    Mute,
    /// It does not read either. Connections are still accepted (by the kernel), and nobody learns that a peer has left: half-open TCP.
    Deaf,
}

/// A server on a port of its own; killed when dropped.
pub struct Server<B> {
    addr: SocketAddr,
    shared: Arc<Shared<B>>,
    running: Mutex<Option<Running>>,
    /// Bound and never listening: keeps the port ours while the server is down.
    _port: Socket,
}

struct Running {
    phase: watch::Sender<Phase>,
    task: JoinHandle<()>,
}

/// How long a server lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Listening,
    /// No further connections; those that stand are served.
    Refusing,
    Killed,
}

/// What connections see.
struct Shared<B> {
    behaviour: B,
    flow: watch::Sender<Flow>,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    received: AtomicU64,
    sent: AtomicU64,
}

impl<B: Behaviour> Server<B> {
    /// A server that has a port on which nobody listens: connections are refused until `start`.
    ///
    /// # Errors
    /// There is no free port on loopback.
    pub fn down(behaviour: B) -> io::Result<Server<B>> {
        // Bound first and made reusable then: among sockets that are reusable from the start the kernel hands one port out twice.
        let port = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        port.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        port.set_reuse_address(true)?;
        let addr = port.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let shared = Shared {
            behaviour,
            flow: watch::Sender::new(Flow::Open),
            connections: AtomicUsize::default(),
            in_flight: AtomicUsize::default(),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
        };
        Ok(Server { addr, shared: Arc::new(shared), running: Mutex::new(None), _port: port })
    }

    /// Listens on its port. Does nothing where it listens already.
    ///
    /// # Errors
    /// Somebody else has the port.
    pub async fn start(&self) -> io::Result<()> {
        if self.is_listening() {
            return Ok(());
        }
        self.kill().await;
        let listener = TcpListener::from_std(listening(self.addr).await?.into())?;
        let phase = watch::Sender::new(Phase::Listening);
        let task = task::spawn("simulated server", accept(listener, phase.subscribe(), Arc::clone(&self.shared)));
        *self.running.lock() = Some(Running { phase, task });
        Ok(())
    }

    fn is_listening(&self) -> bool {
        self.running.lock().as_ref().is_some_and(|running| *running.phase.borrow() == Phase::Listening)
    }

    /// Takes no further connections: they are refused. Those that stand go on.
    pub fn refuse(&self) {
        if let Some(running) = &*self.running.lock() {
            running.phase.send_replace(Phase::Refusing);
        }
    }

    /// As `kill -9`: the listener is gone and every connection is reset. Returns when both have happened.
    pub async fn kill(&self) {
        let running = self.running.lock().take();
        if let Some(running) = running {
            running.phase.send_replace(Phase::Killed);
            // A panic in it has been reported by `task`.
            let _ = running.task.await;
        }
    }

    /// What passes from now on.
    pub fn set_flow(&self, flow: Flow) {
        self.shared.flow.send_replace(flow);
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn behaviour(&self) -> &B {
        &self.shared.behaviour
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests being answered.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Bytes of request bodies that have arrived, also of those not complete yet.
    pub fn received_bytes(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// Bytes of answers that the kernel has taken.
    pub fn sent_bytes(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl<B> Drop for Server<B> {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().take() {
            running.task.abort();
        }
    }
}

async fn accept<B: Behaviour>(listener: TcpListener, phase: watch::Receiver<Phase>, shared: Arc<Shared<B>>) {
    let mut connections = JoinSet::new();
    let mut until = phase.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve::connection(stream, number, phase.clone(), Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
            _ = until.wait_for(|phase| *phase != Phase::Listening) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn listening(addr: SocketAddr) -> io::Result<Socket> {
    let by = tokio::time::Instant::now() + PORT_WAIT;
    loop {
        let tried = reusable(addr).and_then(|socket| socket.listen(1024).map(|()| socket));
        if tried.is_ok() || tokio::time::Instant::now() > by {
            return tried;
        }
        tokio::time::sleep(PORT_POLL).await;
    }
}

/// A socket bound to `addr` that shares the port with its like as long as only one of them listens.
fn reusable(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

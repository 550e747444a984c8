//! Sockets and what every request passes before it is looked at: listen, connection, stack, drain, upgrade, TLS, admin.
//! Nothing here knows an LLM.
//!
//! A program starts it in this order, each step guarding the next:
//!
//! 1. [`panics_without_payload`], [`Signals::catch`];
//! 2. [`pid_file::PidFile::claim`] and [`Sockets::bind`], or [`upgrade::receive`] and [`Sockets::take_over`];
//! 3. [`start`]: a thread per worker (listen ─▶ connection ─▶ stack ─▶ [`Handle`]) and the admin thread;
//! 4. after a take-over [`pid_file::PidFile::replace`], then [`upgrade::Handover::confirm`];
//! 5. [`Signals::wait`], which drains and returns.
//!
//! What a reader could get wrong: each worker makes its own handler, on its own thread and runtime. What a handler
//! pools or caches per worker (connections to upstreams) belongs to that runtime and must not be shared with another's.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

pub mod admin;
mod answer;
pub mod bind;
mod connection;
mod control;
pub mod drain;
mod listen;
pub mod pid_file;
mod roster;
pub mod stack;
pub mod tls;
mod transport;
pub mod upgrade;

pub use admin::AdminState;
pub use bind::Sockets;
pub use control::Signals;
pub use drain::{Lifecycle, Phase};
pub use stack::{REQUEST_ID, panics_without_payload};

/// How long HTTP/1 connections that are idle when a drain begins are kept for a request that may be on its way.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
/// Connections, and requests at once, of the admin listener: scrapers and people.
const ADMIN_LIMIT: usize = 256;
/// How long an answer of the admin listener may take once the public one is done.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Answers requests. One is made per worker and cloned per request, so it is best an `Arc`.
pub trait Handle: Clone + Send + Sync + 'static {
    /// The answer's body. Dropping it early means that the client is gone.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Answers one request, whose `x-request-id` is set. Dropped where it stands when the client goes away.
    /// A panic in it becomes a 500.
    fn call(
        &self,
        request: http::Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// Whether the connection is encrypted; with `tls.client_ca` the client has then shown a certificate.
    pub is_tls: bool,
}

/// Limits and deadlines of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Threads that serve, at least 1.
    pub workers: usize,
    /// Bytes of a request's line and headers (431 above it).
    pub max_header: usize,
    /// Connections at once over all workers; further ones wait.
    pub max_connections: usize,
    /// Requests at once over all workers; further ones get 503 `overloaded`.
    pub max_in_flight: usize,
    /// How long a client may take to send a head, to take the next bytes of an answer, or to stay idle. Kept to within
    /// an eighth.
    pub client_timeout: Duration,
    /// How long requests in flight may take when the server is told to stop.
    pub drain_timeout: Duration,
    /// How long idle HTTP/1 connections are kept in a drain.
    pub drain_grace: Duration,
    /// TLS of the public listener (`tls::server_config`).
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Where the upgrade socket appears; without it the server cannot be upgraded.
    pub data_dir: Option<PathBuf>,
}

impl From<&crate::config::file::Server> for Config {
    fn from(file: &crate::config::file::Server) -> Config {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Config {
            workers: file.workers.map_or_else(cores, usize::from).max(1),
            max_header: usize::try_from(file.max_header.0).unwrap_or(usize::MAX),
            max_connections: file.max_connections as usize,
            max_in_flight: file.max_in_flight as usize,
            client_timeout: file.header_timeout.0,
            drain_timeout: file.drain_timeout.0,
            drain_grace: DRAIN_GRACE,
            tls: None,
            data_dir: None,
        }
    }
}

impl Config {
    /// The admin listener's, with the same deadlines.
    fn for_admin(&self) -> Config {
        Config {
            workers: 1,
            max_connections: ADMIN_LIMIT,
            max_in_flight: ADMIN_LIMIT,
            drain_grace: Duration::ZERO,
            tls: None,
            ..self.clone()
        }
    }
}

/// A server that runs. Dropping it leaves its threads running: call [`Running::join`] or [`Signals::wait`].
#[derive(Debug)]
pub struct Running {
    config: Arc<Config>,
    lifecycle: Arc<Lifecycle>,
    admin_lifecycle: Arc<Lifecycle>,
    public: SocketAddr,
    admin: SocketAddr,
    /// Copies of the listening sockets for a new process. Dropped when the drain begins: a copy without an acceptor
    /// would keep taking connections from the kernel.
    copies: Mutex<Vec<(String, TcpListener)>>,
    /// Each worker holds a receiver.
    alive: watch::Sender<()>,
    workers: Vec<JoinHandle<usize>>,
    admin_thread: JoinHandle<usize>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were cut because the drain's deadline passed or a second signal came.
    pub cut: usize,
    /// Workers that had panicked: a bug, and no clean end.
    pub crashed: usize,
}

/// Starts the workers and the admin thread; they accept when this returns. `make_handler` is called by each worker,
/// with its number, on its own runtime.
///
/// # Errors
/// A thread, a runtime or a copy of a socket could not be had: descriptors or memory are short.
pub fn start<H: Handle>(
    config: Config,
    sockets: Sockets,
    make_handler: impl Fn(usize) -> H + Send + Sync + 'static,
    state: Arc<dyn AdminState>,
) -> io::Result<Running> {
    let config = Arc::new(config);
    let lifecycle = Lifecycle::new(config.max_in_flight);
    let admin_lifecycle = Lifecycle::new(ADMIN_LIMIT);
    let copies = Mutex::new(sockets.copies()?);
    let public = sockets.public_address()?;
    let admin = sockets.admin.local_addr()?;

    let alive = watch::Sender::new(());
    let places = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
    let make_handler = Arc::new(make_handler);
    let mut workers = Vec::with_capacity(config.workers);
    for (index, listeners) in deal(sockets.public, config.workers).into_iter().enumerate() {
        let worker = listen::Worker {
            name: format!("worker-{index}"),
            config: config.clone(),
            lifecycle: lifecycle.clone(),
            listeners,
            places: places.clone(),
            alive: Some(alive.subscribe()),
        };
        let make_handler = make_handler.clone();
        workers.push(worker.start(move || make_handler(index))?);
    }
    let handler = admin::Admin { state, public: lifecycle.clone() };
    let admin_thread = listen::Worker {
        name: "admin".into(),
        config: Arc::new(config.for_admin()),
        lifecycle: admin_lifecycle.clone(),
        listeners: vec![sockets.admin],
        places: Arc::new(Semaphore::new(ADMIN_LIMIT)),
        alive: None,
    }
    .start(move || handler)?;
    Ok(Running { config, lifecycle, admin_lifecycle, public, admin, copies, alive, workers, admin_thread })
}

impl Running {
    /// The public listener's address, with the port that was picked for 0.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// The admin listener's address.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Phase and requests in flight.
    pub fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// Stops accepting; requests in flight may finish within the drain's deadline. The admin listener goes on until
    /// they have.
    pub fn begin_drain(&self) {
        self.copies.lock().clear();
        self.lifecycle.begin_drain(self.config.drain_timeout);
    }

    /// As `begin_drain`, but the admin listener is another process's already.
    fn begin_drain_upgraded(&self) {
        self.begin_drain();
        self.admin_lifecycle.begin_drain(ADMIN_DRAIN);
    }

    /// Cuts whatever is left.
    pub fn end_now(&self) {
        self.copies.lock().clear();
        self.lifecycle.end_now();
    }

    /// Waits for the end of a drain that has begun, then ends the admin listener. Blocks.
    pub fn join(self) -> Drained {
        let mut drained = Drained { cut: 0, crashed: 0 };
        for worker in self.workers {
            match worker.join() {
                Ok(cut) => drained.cut += cut,
                Err(_) => drained.crashed += 1,
            }
        }
        self.lifecycle.end_now();
        self.admin_lifecycle.begin_drain(ADMIN_DRAIN);
        if self.admin_thread.join().is_err() {
            drained.crashed += 1;
        }
        if drained.cut > 0 {
            tracing::warn!(cut = drained.cut, "requests were cut at the end of the drain");
        }
        if drained.crashed > 0 {
            tracing::error!(crashed = drained.crashed, "workers had panicked, their connections were lost");
        }
        drained
    }

    /// Resolves when no worker runs any more.
    async fn workers_done(&self) {
        self.alive.closed().await;
    }

    /// Copies of the listening sockets, with their keys.
    fn sockets(&self) -> io::Result<Vec<(String, TcpListener)>> {
        self.copies.lock().iter().map(|(key, socket)| Ok((key.clone(), socket.try_clone()?))).collect()
    }
}

/// Deals the sockets out, so that each worker has one and every one has a worker, whatever their numbers.
fn deal(sockets: Vec<TcpListener>, workers: usize) -> Vec<Vec<TcpListener>> {
    let workers = workers.max(1);
    let mut dealt: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    for (index, socket) in sockets.into_iter().enumerate() {
        dealt[index % workers].push(socket);
    }
    dealt
}

#[cfg(test)]
mod tests;

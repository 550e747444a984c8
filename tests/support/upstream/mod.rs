//! A mock provider or edge node that can delay, break, stall, drip, reset and lie: raw TCP on a free loopback port with a small HTTP
//! reader, so that nothing stops it from misbehaving.
//!
//! `Upstream::named("edge").await` answers like a well server (`answers::usual`); `answering` sets another behaviour, `next` queues
//! answers for single requests. What a reader could get wrong: health checks (`/health`) are counted, not recorded in `requests`.

mod answer;
pub mod answers;
mod http;
mod serve;
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use answer::{Act, Answer, Framing, Gate, Point};
pub use http::Request;

type Behaviour = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// A mock upstream; killed when dropped.
pub struct Upstream {
    name: String,
    addr: SocketAddr,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    /// Bound and never listening: keeps the port ours while the upstream is down.
    _port: Socket,
}

struct Running {
    kill: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What connections and the test both see.
struct Shared {
    behaviour: Mutex<Behaviour>,
    queue: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
    cancels: Mutex<Vec<Cancel>>,
    health_checks: AtomicUsize,
    sick: AtomicBool,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The peer went away before its answer was complete.
#[derive(Debug, Clone, Copy)]
pub struct Cancel {
    /// Index into `requests`.
    pub request: usize,
    pub at: Instant,
}

impl Upstream {
    /// A well upstream whose answers end in `name`, so that a test sees who answered.
    pub async fn named(name: &str) -> Upstream {
        let upstream = Upstream::down(name);
        upstream.restart_on_same_port().await;
        upstream
    }

    /// An upstream that has a port, on which nobody listens: connections are refused until `restart_on_same_port`.
    pub fn down(name: &str) -> Upstream {
        // Bound first and made reusable then: among sockets that are reusable from the start the kernel hands one port out twice.
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a loopback port");
        port.set_reuse_address(true).expect("SO_REUSEADDR");
        let addr = port.local_addr().ok().and_then(|addr| addr.as_socket()).expect("a bound socket has an address");
        let shared = Shared {
            behaviour: Mutex::new(usual_of(name)),
            queue: Mutex::default(),
            requests: Mutex::default(),
            cancels: Mutex::default(),
            health_checks: AtomicUsize::default(),
            sick: AtomicBool::new(false),
            connections: AtomicUsize::default(),
            in_flight: AtomicUsize::default(),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
        };
        Upstream { name: name.to_owned(), addr, shared: Arc::new(shared), running: Mutex::new(None), _port: port }
    }

    /// Every request that finds the queue empty is answered by this.
    pub fn answering(self, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Upstream {
        *self.shared.behaviour.lock() = Arc::new(behaviour);
        self
    }

    /// Every request is answered the same.
    pub fn always(self, answer: Answer) -> Upstream {
        self.answering(move |_| answer.clone())
    }

    /// Queues answers: each is given once, before the standing behaviour.
    pub fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.queue.lock().extend(answers);
    }

    /// From now on as in `answering`, while it runs.
    pub fn now_always(&self, answer: Answer) {
        *self.shared.behaviour.lock() = Arc::new(move |_| answer.clone());
    }

    /// From now on a well upstream again.
    pub fn now_well(&self) {
        *self.shared.behaviour.lock() = usual_of(&self.name);
    }

    /// Whether health checks are answered with 503.
    pub fn set_sick(&self, sick: bool) {
        self.shared.sick.store(sick, Ordering::SeqCst);
    }

    /// `http://127.0.0.1:PORT`, as an edge node is configured.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// With `/v1`, as a provider is configured.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests read so far, health checks not among them.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().clone()
    }

    /// The one request that was sent here.
    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{} was to get exactly one request", self.name);
        requests[0].clone()
    }

    pub fn cancels(&self) -> Vec<Cancel> {
        self.shared.cancels.lock().clone()
    }

    pub fn health_checks(&self) -> usize {
        self.shared.health_checks.load(Ordering::SeqCst)
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

    /// As `kill -9`: the listener is gone and every connection is reset. Returns when both have happened.
    pub async fn kill(&self) {
        let running = self.running.lock().take();
        if let Some(running) = running {
            running.kill.send_replace(true);
            super::within("a mock upstream's connections end", running.task).await.expect("the mock does not panic");
        }
    }

    /// Listens on the port that it had before.
    pub async fn restart_on_same_port(&self) {
        // A gateway that another test is just starting holds a copy of the old listener between fork and exec.
        let socket = super::eventually("the port is free", async || {
            let socket = reusable(self.addr).ok()?;
            socket.listen(1024).ok().map(|()| socket)
        })
        .await;
        let listener = TcpListener::from_std(socket.into()).expect("a listener");
        let (kill, killed) = watch::channel(false);
        let task = tokio::spawn(accept(listener, killed, self.shared.clone()));
        *self.running.lock() = Some(Running { kill, task });
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().take() {
            running.task.abort();
        }
    }
}

async fn accept(listener: TcpListener, killed: watch::Receiver<bool>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut until_killed = killed.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve::connection(stream, number, killed.clone(), shared.clone()));
            }
            _ = until_killed.wait_for(|killed| *killed) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn usual_of(name: &str) -> Behaviour {
    let name = name.to_owned();
    Arc::new(move |request| answers::usual(&name, request))
}

/// A socket bound to `addr` that shares the port with its like as long as only one of them listens.
fn reusable(addr: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

//! A mock provider or edge node that can delay, break, stall, drip, reset and lie: the lab's
//! server, with a memory of what it was asked.
//!
//! `Upstream::named("edge").await` answers like a well server (`answers::usual`); `answering` sets another behaviour, `next` queues
//! answers for single requests. What a reader could get wrong: health checks (`/health`) are counted, not recorded in `requests`.

mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tidegate::lab::wire::{Behaviour, HEALTH, Server};

pub use tidegate::lab::wire::{Act, Answer, Framing, Gate, Point, Request, answers};

type Standing = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// A mock upstream; killed when dropped.
pub struct Upstream {
    name: String,
    server: Server<Mock>,
}

/// What the mock says, and what it remembers.
struct Mock {
    standing: Mutex<Standing>,
    queue: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
    cancels: Mutex<Vec<Cancel>>,
    health_checks: AtomicUsize,
    sick: AtomicBool,
}

impl Behaviour for Mock {
    async fn answer(&self, request: &Request) -> Answer {
        if request.path() == HEALTH {
            self.health_checks.fetch_add(1, Ordering::SeqCst);
            let sick = self.sick.load(Ordering::SeqCst);
            return if sick { Answer::loading() } else { Answer::json(200, &serde_json::json!({"status": "ok"})) };
        }
        self.requests.lock().push(request.clone());
        let queued = self.queue.lock().pop_front();
        queued.unwrap_or_else(|| {
            let standing = self.standing.lock().clone();
            standing(request)
        })
    }

    fn cancelled(&self, request: &Request) {
        // A connection carries one request at a time: its last one is the one that was left.
        let of_connection = |known: &Request| known.connection == request.connection;
        if let Some(request) = self.requests.lock().iter().rposition(of_connection).filter(|_| request.path() != HEALTH)
        {
            self.cancels.lock().push(Cancel { request, at: Instant::now() });
        }
    }
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
        let mock = Mock {
            standing: Mutex::new(usual_of(name)),
            queue: Mutex::default(),
            requests: Mutex::default(),
            cancels: Mutex::default(),
            health_checks: AtomicUsize::default(),
            sick: AtomicBool::new(false),
        };
        Upstream { name: name.to_owned(), server: Server::down(mock).expect("a loopback port") }
    }

    /// Every request that finds the queue empty is answered by this.
    pub fn answering(self, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Upstream {
        *self.server.behaviour().standing.lock() = Arc::new(behaviour);
        self
    }

    /// Every request is answered the same.
    pub fn always(self, answer: Answer) -> Upstream {
        self.answering(move |_| answer.clone())
    }

    /// Queues answers: each is given once, before the standing behaviour.
    pub fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.server.behaviour().queue.lock().extend(answers);
    }

    /// From now on as in `answering`, while it runs.
    pub fn now_always(&self, answer: Answer) {
        *self.server.behaviour().standing.lock() = Arc::new(move |_| answer.clone());
    }

    /// From now on a well upstream again.
    pub fn now_well(&self) {
        *self.server.behaviour().standing.lock() = usual_of(&self.name);
    }

    /// Whether health checks are answered with 503.
    pub fn set_sick(&self, sick: bool) {
        self.server.behaviour().sick.store(sick, Ordering::SeqCst);
    }

    /// `http://127.0.0.1:PORT`, as an edge node is configured.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// With `/v1`, as a provider is configured.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Requests read so far, health checks not among them.
    pub fn requests(&self) -> Vec<Request> {
        self.server.behaviour().requests.lock().clone()
    }

    /// The one request that was sent here.
    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{} was to get exactly one request", self.name);
        requests[0].clone()
    }

    pub fn cancels(&self) -> Vec<Cancel> {
        self.server.behaviour().cancels.lock().clone()
    }

    pub fn health_checks(&self) -> usize {
        self.server.behaviour().health_checks.load(Ordering::SeqCst)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Requests being answered.
    pub fn in_flight(&self) -> usize {
        self.server.in_flight()
    }

    /// Bytes of request bodies that have arrived, also of those not complete yet.
    pub fn received_bytes(&self) -> u64 {
        self.server.received_bytes()
    }

    /// Bytes of answers that the kernel has taken.
    pub fn sent_bytes(&self) -> u64 {
        self.server.sent_bytes()
    }

    /// As `kill -9`: the listener is gone and every connection is reset. Returns when both have happened.
    pub async fn kill(&self) {
        super::within("a mock upstream's connections end", self.server.kill()).await;
    }

    /// Listens on the port that it had before.
    pub async fn restart_on_same_port(&self) {
        super::within("the port is free", self.server.start()).await.expect("a listener");
    }
}

fn usual_of(name: &str) -> Standing {
    let name = name.to_owned();
    Arc::new(move |request| answers::usual(&name, request))
}

//! One server: its address, what is known of its health, how much it is working on for us, and its idle connections.
//!
//! What a reader could get wrong: idle connections are kept per worker, because a connection's driver runs on the worker that opened it;
//! a lock is held for a push or a pop only, never across an await, and no other worker contends for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;
use rustls_pki_types::ServerName;

use super::breaker::Breaker;
use super::connection::Sender;
use super::load::Load;
use super::queue::Queue;

/// Idle connections kept per node and worker: as many as requests that came at once, within reason.
const MAX_IDLE: usize = 512;
/// An idle connection older than this is not trusted: common servers close after 60 (nginx 75, uvicorn 5) seconds.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);

/// TLS towards a node.
#[derive(Debug, Clone)]
pub struct NodeTls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub config: Arc<rustls::ClientConfig>,
    /// Offers HTTP/1.1 only, for protocol upgrades.
    pub config_http1: Arc<rustls::ClientConfig>,
    pub server_name: ServerName<'static>,
}

/// One server.
#[derive(Debug)]
pub struct Node {
    /// What metrics and the admin API call it: its place in the list, never its address.
    pub label: String,
    pub scheme: Scheme,
    /// Host without brackets, for name resolution.
    pub host: String,
    pub port: u16,
    /// `Host` header and HTTP/2 authority.
    pub host_header: HeaderValue,
    pub authority: Authority,
    pub tls: Option<NodeTls>,
    /// What choosing among nodes goes by, besides `in_flight`.
    pub load: Load,
    in_flight: AtomicU32,
    down: AtomicBool,
    /// Consecutive equal results of health checks; which result, `streak_good` says.
    streak: AtomicU32,
    streak_good: AtomicBool,
    /// Milliseconds since `born` until which a failed node is left alone although its checks have not noticed yet.
    rest_until_ms: AtomicU64,
    born: Instant,
    /// Whether it is worth asking, as its answers tell.
    pub breaker: Breaker,
    /// Requests that wait for its first token, and since when none of them got one (milliseconds since `born`).
    awaiting: AtomicU32,
    silent_since_ms: AtomicU64,
    /// Milliseconds of silence that are no good sign; 0: nobody knows.
    patience_ms: AtomicU64,
    answers: AtomicU32,
    idle: Box<[Mutex<Vec<Idle>>]>,
}

/// A request that waits for a node's first token.
#[derive(Debug)]
pub struct Awaiting<'n>(&'n Node);

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.awaiting.fetch_sub(1, Relaxed);
        self.0.breaker.released(self.0.elapsed_ms());
    }
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// Instead of the tokens to read: the answer has begun.
const ANSWERING: u64 = u64::MAX;

/// A request that a node is working on; dropping it ends it, and lets the next in line at the pool try.
#[derive(Debug)]
pub struct InFlight {
    node: Arc<Node>,
    /// Prompt tokens that the node has yet to read for it, as far as we know, or [`ANSWERING`].
    pending: AtomicU64,
    /// Where places are limited.
    queue: Option<Arc<Queue>>,
}

impl InFlight {
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node will have to read so many tokens before it can answer. To be said before it does.
    pub(super) fn reads(&self, tokens: u64) {
        self.node.load.add_pending(tokens);
        self.pending.fetch_add(tokens, Relaxed);
    }

    /// The first of its answer is there: the prompt has been read.
    pub fn answering(&self) {
        let tokens = self.pending.swap(ANSWERING, Relaxed);
        if tokens != ANSWERING {
            self.node.load.take_pending(tokens);
            self.node.load.begins_answer();
        }
    }

    /// Whoever waits in `queue` is woken when this ends.
    pub(super) fn wakes(mut self, queue: &Arc<Queue>) -> InFlight {
        self.queue = Some(Arc::clone(queue));
        self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        match self.pending.load(Relaxed) {
            ANSWERING => self.node.load.ends_answer(),
            tokens => self.node.load.take_pending(tokens),
        }
        self.node.in_flight.fetch_sub(1, SeqCst);
        if let Some(queue) = &self.queue {
            queue.wake_next();
        }
    }
}

/// Where a node is and how to talk to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    pub scheme: Scheme,
    pub host: String,
    pub port: u16,
    pub authority: Authority,
    pub host_header: HeaderValue,
}

impl Address {
    /// Reads `http://HOST:PORT/path`; gives the address and the path.
    pub fn parse(url: &str) -> Result<(Address, String), String> {
        let wrong = |what: &str| format!("{what}; write it as http://HOST:PORT or https://HOST/v1");
        let uri: http::Uri = url.parse().map_err(|_| wrong("this is no URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::HTTP,
            Some("https") => Scheme::HTTPS,
            _ => return Err(wrong("the URL must begin with http:// or https://")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| wrong("the URL has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("the URL must not carry credentials; use api_key"));
        }
        let port = authority.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let host_header = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("the host is no valid name"))?;
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok((Address { scheme, host, port, authority, host_header }, path))
    }
}

impl Address {
    /// Of a host that was found by name.
    pub(super) fn of(scheme: Scheme, host: &str, port: u16) -> Option<Address> {
        let host = host.trim_end_matches('.');
        let usual = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let text = if port == usual { host.to_owned() } else { format!("{host}:{port}") };
        let host_header = HeaderValue::from_str(&text).ok()?;
        Some(Address { scheme, host: host.to_owned(), port, authority: text.parse().ok()?, host_header })
    }
}

impl Node {
    /// `workers`: how many workers may hold connections to it.
    pub fn new(label: String, address: Address, tls: Option<NodeTls>, workers: usize) -> Node {
        Node {
            label,
            scheme: address.scheme,
            host: address.host,
            port: address.port,
            host_header: address.host_header,
            authority: address.authority,
            tls,
            load: Load::default(),
            in_flight: AtomicU32::new(0),
            down: AtomicBool::new(false),
            streak: AtomicU32::new(0),
            streak_good: AtomicBool::new(true),
            rest_until_ms: AtomicU64::new(0),
            born: Instant::now(),
            breaker: Breaker::default(),
            awaiting: AtomicU32::new(0),
            silent_since_ms: AtomicU64::new(0),
            patience_ms: AtomicU64::new(0),
            answers: AtomicU32::new(0),
            idle: (0..workers.max(1)).map(|_| Mutex::new(Vec::new())).collect(),
        }
    }

    /// Requests that it is working on for us.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Takes a place unless `max` are taken.
    pub fn acquire(self: &Arc<Node>, max: Option<u32>) -> Option<InFlight> {
        let limit = max.unwrap_or(u32::MAX);
        self.in_flight.try_update(SeqCst, SeqCst, |now| (now < limit).then_some(now + 1)).ok()?;
        Some(InFlight { node: Arc::clone(self), pending: AtomicU64::new(0), queue: None })
    }

    /// In the pool and well: its checks are good, it has not just failed, and it is neither silent nor much slower than the others.
    pub fn is_up(&self) -> bool {
        let now = self.elapsed_ms();
        !self.is_down() && !self.is_resting() && !self.is_silent(now) && !self.breaker.is_slow(now)
    }

    /// Not to be asked: its health checks say that it is not there, or its breaker is open.
    pub fn is_down(&self) -> bool {
        self.down.load(Relaxed) || !self.breaker.admits(self.elapsed_ms())
    }

    /// Its health checks say that it is not there.
    pub fn is_absent(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// A request is sent to it, and waits for its first token as long as what is given back lives.
    pub fn awaits(&self) -> Awaiting<'_> {
        let now = self.elapsed_ms();
        self.breaker.sends(now);
        if self.awaiting.fetch_add(1, Relaxed) == 0 {
            self.silent_since_ms.store(now, Relaxed);
        }
        Awaiting(self)
    }

    /// It has answered, so it is not silent. Gives the number of its answers.
    pub(super) fn spoke(&self) -> u32 {
        self.silent_since_ms.store(self.elapsed_ms(), Relaxed);
        self.answers.fetch_add(1, Relaxed)
    }

    /// While an attempt that took so long was waiting for it, it has answered another one.
    pub fn has_spoken_within(&self, took: Duration) -> bool {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // An attempt that waits alone starts the time of silence; the two clocks are read a moment apart.
        self.silent_since_ms.load(Relaxed) > self.elapsed_ms().saturating_sub(took) + 10
    }

    /// Silence is no good sign after this.
    pub(super) fn set_patience(&self, patience: Duration) {
        self.patience_ms.store(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Requests wait for it, and none has got a first token for much longer than usual.
    fn is_silent(&self, now: u64) -> bool {
        let patience = self.patience_ms.load(Relaxed);
        patience > 0
            && self.awaiting.load(Relaxed) > 0
            && now.saturating_sub(self.silent_since_ms.load(Relaxed)) > patience
    }

    fn is_resting(&self) -> bool {
        let until = self.rest_until_ms.load(Relaxed);
        until > 0 && self.elapsed_ms() < until
    }

    /// Milliseconds since it was made: the clock of everything that is remembered of it.
    pub fn elapsed_ms(&self) -> u64 {
        // A process does not live 500 million years.
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A request could not connect or lost its connection: leave the node alone until its next good check, or for `pause`.
    pub fn failed(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.rest_until_ms.store(self.elapsed_ms().saturating_add(pause), Relaxed);
        self.idle.iter().for_each(|idle| idle.lock().clear());
    }

    /// Takes the result of a health check in; gives `Some(up)` when the node left or joined the pool by it.
    pub fn checked(&self, good: bool, unhealthy_after: u32, healthy_after: u32) -> Option<bool> {
        let same = self.streak_good.swap(good, Relaxed) == good;
        let streak = if same { self.streak.load(Relaxed).saturating_add(1) } else { 1 };
        self.streak.store(streak, Relaxed);
        let down = self.down.load(Relaxed);
        if good {
            self.rest_until_ms.store(0, Relaxed);
            self.breaker.checked_well(self.elapsed_ms());
        }
        if good && down && streak >= healthy_after {
            self.down.store(false, Relaxed);
            return Some(true);
        }
        if !good && !down && streak >= unhealthy_after {
            self.down.store(true, Relaxed);
            self.idle.iter().for_each(|idle| idle.lock().clear());
            return Some(false);
        }
        None
    }

    /// An idle connection of this worker that is still open.
    pub(super) fn checkout(&self, worker: usize) -> Option<Sender> {
        let mut idle = self.idle.get(worker)?.lock();
        while let Some(entry) = idle.last() {
            if entry.sender.is_shared() && !entry.sender.is_closed() {
                return entry.sender.share();
            }
            let entry = idle.pop()?;
            if !entry.sender.is_closed() && entry.since.elapsed() < MAX_IDLE_AGE {
                return Some(entry.sender);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn checkin(&self, worker: usize, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let Some(slot) = self.idle.get(worker) else { return };
        let mut idle = slot.lock();
        if sender.is_shared() && idle.iter().any(|entry| entry.sender.is_shared()) {
            return;
        }
        if idle.len() < MAX_IDLE {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests;

//! The nodes of an upstream: an edge pool behind pingora's load balancer, or a provider's single address.
//!
//! What a reader could get wrong: names of hosts are resolved by discovery, so that one name with several addresses is several nodes;
//! a provider (`base_url`) is resolved when a connection is opened instead, because its addresses change with every answer of its DNS.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::{Backend, Backends, LoadBalancer};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::health::Probe;
use super::node::{Address, InFlight, Node, NodeTls};
use super::queue::{Queue, Rank};
use super::select::Selection;
use crate::config::file::Balance;

/// How often host names of nodes are resolved anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How long a node whose connection failed is left alone if no check says anything sooner.
const REST: Duration = Duration::from_secs(1);

/// Requests that a node of unstated size is taken to work on at once: llama-server's and vLLM's small set-ups.
const USUAL_PLACES: u32 = 8;

/// Nodes by what makes them the same across reloads.
pub type Nodes = Mutex<HashMap<NodeKey, Weak<Node>>>;

/// Same key, same node: its upstream, its scheme and address, and the fingerprint of its TLS settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeKey {
    pub upstream: String,
    pub authority: String,
    pub address: String,
    pub tls: u64,
}

/// The nodes of an upstream.
pub struct Pool {
    kind: Kind,
    max_in_flight: Option<u32>,
    queue: Arc<Queue>,
}

enum Kind {
    One(Arc<Node>),
    Balanced(Box<Balanced>),
}

struct Balanced {
    balancer: LoadBalancer<Selection>,
    probe: Option<Probe>,
    size: usize,
}

/// What a pool is built from.
pub struct Plan {
    pub upstream: String,
    pub addresses: Vec<Address>,
    pub balance: Balance,
    pub tls: HashMap<String, NodeTls>,
    /// Differs when the TLS settings differ.
    pub tls_fingerprint: u64,
    pub probe: Option<Probe>,
    pub max_in_flight: Option<u32>,
    pub workers: usize,
}

impl Pool {
    /// A provider behind one address.
    pub fn one(node: Arc<Node>, max_in_flight: Option<u32>) -> Pool {
        Pool { kind: Kind::One(node), max_in_flight, queue: Arc::default() }
    }

    /// A pool. Nodes with literal addresses are there at once, names after the first `refresh`.
    pub async fn balanced(plan: Plan, nodes: Arc<Nodes>) -> Pool {
        let size = plan.addresses.len();
        let (balance, probe, max_in_flight) = (plan.balance, plan.probe.clone(), plan.max_in_flight);
        let mut backends = Backends::new(Box::new(Discovery { plan, nodes }));
        if let Some(probe) = &probe {
            backends.set_health_check(Box::new(probe.clone()));
        }
        let balancer = LoadBalancer::from_backends_with_config(backends, Some(balance));
        let kind = Kind::Balanced(Box::new(Balanced { balancer, probe, size }));
        let pool = Pool { kind, max_in_flight, queue: Arc::default() };
        pool.refresh().await;
        pool
    }

    /// Takes a place at the best node that is up, has room and is not among `tried`. A node that only rests after a failure is asked
    /// when there is no other.
    pub fn pick(&self, key: &[u8], tried: &[Arc<Node>]) -> Option<InFlight> {
        // Nobody overtakes those who wait.
        if self.max_in_flight.is_none() { self.take(key, tried) } else { self.pick_in_turn(key, tried) }
    }

    fn pick_in_turn(&self, key: &[u8], tried: &[Arc<Node>]) -> Option<InFlight> {
        let may = self.queue.is_empty();
        may.then(|| self.take(key, tried)).flatten().map(|place| place.wakes(&self.queue))
    }

    /// The same, and waits in line while every node is at its limit. `None`: there is no node to wait for, or too many wait; give the wait
    /// itself a deadline.
    pub async fn pick_waiting(&self, key: &[u8], tried: &[Arc<Node>], rank: Rank) -> Option<InFlight> {
        let mut again = false;
        loop {
            let woken = self.queue.line_up(rank, again).ok()?;
            // A place that became free between the look at the nodes and joining the line woke nobody.
            if self.has_room(tried) {
                self.queue.wake_next();
            }
            let waiting = Waiting { queue: &self.queue, woken: Some(woken) };
            waiting.turn().await?;
            if let Some(place) = self.take(key, tried) {
                return Some(place.wakes(&self.queue));
            }
            if !self.is_full(tried) {
                return None;
            }
            again = true;
        }
    }

    /// A node could be asked if it had room.
    pub fn is_full(&self, tried: &[Arc<Node>]) -> bool {
        self.max_in_flight.is_some()
            && self.nodes().iter().any(|node| !node.is_down() && !tried.iter().any(|t| Arc::ptr_eq(t, node)))
    }

    fn has_room(&self, tried: &[Arc<Node>]) -> bool {
        let most = self.max_in_flight.unwrap_or(u32::MAX);
        let fits = |node: &Arc<Node>| !node.is_down() && !tried.iter().any(|t| Arc::ptr_eq(t, node));
        self.nodes().iter().any(|node| fits(node) && node.in_flight() < most)
    }

    /// Requests that wait for a place.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn take(&self, key: &[u8], tried: &[Arc<Node>]) -> Option<InFlight> {
        match &self.kind {
            Kind::One(node) if tried.is_empty() && !node.is_down() => node.acquire(self.max_in_flight),
            Kind::One(_) => None,
            Kind::Balanced(balanced) => {
                let pick = |fit: fn(&Node) -> bool| self.pick_among(balanced, key, tried, fit);
                pick(Node::is_up).or_else(|| pick(|node| !node.is_down() && !node.is_up()))
            }
        }
    }

    fn pick_among(&self, of: &Balanced, key: &[u8], tried: &[Arc<Node>], fit: fn(&Node) -> bool) -> Option<InFlight> {
        let taken = std::cell::Cell::new(None);
        of.balancer.select_with(key, usize::MAX, |backend, _| {
            let node = backend.ext.get::<Arc<Node>>();
            let fits = |node: &&Arc<Node>| fit(node) && !tried.iter().any(|t| Arc::ptr_eq(t, node));
            let place = node.filter(fits).and_then(|node| node.acquire(self.max_in_flight));
            let found = place.is_some();
            taken.set(place);
            found
        });
        taken.take()
    }

    /// A node is up. (Whether it has room is another matter.)
    pub fn is_available(&self) -> bool {
        match &self.kind {
            Kind::One(node) => node.is_up(),
            Kind::Balanced(balanced) => {
                let backends = balanced.balancer.backends().get_backend();
                backends.iter().filter_map(|b| b.ext.get::<Arc<Node>>()).any(|node| node.is_up())
            }
        }
    }

    /// The nodes as they are now.
    pub fn nodes(&self) -> SmallVec<[Arc<Node>; 8]> {
        match &self.kind {
            Kind::One(node) => smallvec::smallvec![Arc::clone(node)],
            Kind::Balanced(balanced) => {
                let backends = balanced.balancer.backends().get_backend();
                backends.iter().filter_map(|b| b.ext.get::<Arc<Node>>().cloned()).collect()
            }
        }
    }

    /// Requests at work, and places for them, at the nodes that are up.
    pub fn load(&self) -> (u32, u32) {
        let each = self.max_in_flight.unwrap_or(USUAL_PLACES);
        let up = self.nodes().into_iter().filter(|node| node.is_up());
        up.fold((0, 0), |(busy, places), node| (busy + node.in_flight(), places + each))
    }

    /// How many nodes the configuration names.
    pub fn configured(&self) -> usize {
        match &self.kind {
            Kind::One(_) => 1,
            Kind::Balanced(balanced) => balanced.size,
        }
    }

    /// A request could not reach `node` or lost it.
    pub fn failed(&self, node: &Node) {
        match &self.kind {
            // Its only node: the next request tries it again.
            Kind::One(_) => {}
            Kind::Balanced(_) => node.failed(REST),
        }
    }

    async fn refresh(&self) {
        if let Kind::Balanced(balanced) = &self.kind {
            // Discovery gives what it can resolve and never fails as a whole.
            let _ = balanced.balancer.update().await;
        }
    }

    /// Checks health and resolves names for as long as the pool is in use.
    pub async fn tend(upstream: Weak<super::Upstream>) {
        let mut last_resolved = tokio::time::Instant::now();
        loop {
            let Some(current) = upstream.upgrade() else { return };
            let Kind::Balanced(balanced) = &current.pool.kind else { return };
            let interval = balanced.probe.as_ref().map_or(RESOLVE_EVERY, Probe::interval);
            if balanced.probe.is_some() {
                balanced.balancer.backends().run_health_check(true).await;
            }
            // A node that has come back has given no place back.
            for _ in 0..current.pool.waiting() {
                if current.pool.has_room(&[]) {
                    current.pool.queue.wake_next();
                }
            }
            if last_resolved.elapsed() >= RESOLVE_EVERY {
                last_resolved = tokio::time::Instant::now();
                current.pool.refresh().await;
            }
            drop(current);
            tokio::time::sleep(interval).await;
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("nodes", &self.configured()).finish_non_exhaustive()
    }
}

/// One who waits. If he leaves when it is his turn, the next one gets it.
struct Waiting<'q> {
    queue: &'q Queue,
    woken: Option<oneshot::Receiver<()>>,
}

impl Waiting<'_> {
    async fn turn(mut self) -> Option<()> {
        let turn = self.woken.as_mut()?.await;
        self.woken = None;
        turn.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(mut woken) = self.woken.take() {
            woken.close();
            if woken.try_recv().is_ok() {
                self.queue.wake_next();
            }
        }
    }
}

/// Finds the nodes' addresses, and gives every address the same `Node` each time.
struct Discovery {
    plan: Plan,
    nodes: Arc<Nodes>,
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let mut backends = BTreeSet::new();
        for (place, address) in self.plan.addresses.iter().enumerate() {
            let Ok(resolved) = tokio::net::lookup_host((address.host.as_str(), address.port)).await else {
                tracing::warn!(upstream = %self.plan.upstream, node = place, "the node's name does not resolve");
                continue;
            };
            for (n, socket) in resolved.enumerate() {
                let label = if n == 0 { place.to_string() } else { format!("{place}.{n}") };
                let Ok(mut backend) = Backend::new(&socket.to_string()) else { continue };
                backend.ext.insert(self.node(label, address, socket));
                backends.insert(backend);
            }
        }
        Ok((backends, HashMap::new()))
    }
}

impl Discovery {
    fn node(&self, label: String, address: &Address, socket: std::net::SocketAddr) -> Arc<Node> {
        let key = NodeKey {
            upstream: self.plan.upstream.clone(),
            authority: format!("{}://{}", address.scheme, address.authority),
            address: socket.to_string(),
            tls: self.plan.tls_fingerprint,
        };
        let make = || {
            let mut address = address.clone();
            address.host = socket.ip().to_string();
            let tls = self.plan.tls.get(address.authority.as_str()).cloned();
            Node::new(label, address, tls, self.plan.workers)
        };
        keep(&self.nodes, key, make)
    }
}

/// The node of that key, made if there is none.
pub fn keep(nodes: &Nodes, key: NodeKey, make: impl FnOnce() -> Node) -> Arc<Node> {
    let mut nodes = nodes.lock();
    nodes.retain(|_, node| node.strong_count() > 0);
    if let Some(node) = nodes.get(&key).and_then(Weak::upgrade) {
        return node;
    }
    let node = Arc::new(make());
    nodes.insert(key, Arc::downgrade(&node));
    node
}

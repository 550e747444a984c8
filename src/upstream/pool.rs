//! The nodes of an upstream: an edge pool behind pingora's load balancer, or a provider's single address.
//!
//! What a reader could get wrong: names of hosts are resolved by discovery, so that one name with several addresses is several nodes;
//! a provider (`base_url`) is resolved when a connection is opened instead, because its addresses change with every answer of its DNS.

mod tend;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora_load_balancing::{Backends, LoadBalancer};
use prometheus::IntCounter;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::discover::{Discovery, Finder, Nodes, Source};
use super::health::Probe;
use super::node::{InFlight, Node};
use super::prefix::{self, Blocks};
use super::queue::{Queue, Rank};
use super::select::{Balancing, Beginnings, Key, Selection, USUAL_PLACES};
use super::tls::TlsSettings;
use crate::config::file::Balance;
use crate::error::Kind as FailureKind;

/// How long a node whose connection failed is left alone if no check says anything sooner.
const REST: Duration = Duration::from_secs(1);

/// The nodes of an upstream.
pub struct Pool {
    kind: Kind,
    max_in_flight: Option<u32>,
    queue: Arc<Queue>,
    /// Names of models that are asked for here, and whether some node has them as far as is known.
    wanted: Mutex<Vec<(String, bool)>>,
}

enum Kind {
    One(Arc<Node>),
    Balanced(Box<Balanced>),
}

struct Balanced {
    upstream: String,
    balancer: LoadBalancer<Selection>,
    finder: Arc<Finder>,
    probe: Option<Probe>,
    /// Without a configured limit, a node's own number of slots is one.
    by_slots: bool,
    /// Set where requests are sent after the prompt's beginning.
    prefix: Option<Prefix>,
}

struct Prefix {
    beginnings: Arc<Beginnings>,
    tokens: Option<PrefixTokens>,
}

/// `tidegate_prefix_tokens_total` of an upstream.
#[derive(Debug, Clone)]
pub struct PrefixTokens {
    pub hit: IntCounter,
    pub miss: IntCounter,
}

/// What a pool is built from.
#[derive(Default)]
pub struct Plan {
    pub upstream: String,
    pub sources: Vec<Source>,
    pub balance: Balance,
    pub slow_start: Duration,
    /// For nodes that speak TLS.
    pub tls: Option<TlsSettings>,
    /// Differs when the TLS settings differ.
    pub tls_fingerprint: u64,
    pub probe: Option<Probe>,
    pub max_in_flight: Option<u32>,
    /// Without `max_in_flight`, a node's own number of slots is its limit.
    pub by_slots: bool,
    pub workers: usize,
    pub prefix_tokens: Option<PrefixTokens>,
}

/// What is asked for, as far as the choice of a node goes by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The name that the upstream knows; empty: any node will do.
    pub model: &'a str,
    /// Of the prompt, estimated.
    pub tokens: u64,
    /// The prompt's blocks, where [`Pool::wants_blocks`].
    pub blocks: Option<&'a Blocks>,
}

impl Pool {
    /// A provider behind one address.
    pub fn one(node: Arc<Node>, max_in_flight: Option<u32>) -> Pool {
        Pool { kind: Kind::One(node), max_in_flight, queue: Arc::default(), wanted: Mutex::default() }
    }

    /// A pool. Nodes with literal addresses are there at once, names after the first `refresh`.
    pub async fn balanced(plan: Plan, nodes: Arc<Nodes>) -> Pool {
        let finder = Arc::new(Finder::new(&plan, nodes));
        let mut backends = Backends::new(Box::new(Discovery::new(Arc::clone(&finder))));
        if let Some(probe) = &plan.probe {
            backends.set_health_check(Box::new(probe.clone()));
        }
        let how = Balancing {
            balance: plan.balance,
            slow_start: plan.slow_start,
            most: plan.max_in_flight,
            beginnings: Arc::default(),
        };
        let prefix = (plan.balance == Balance::Prefix)
            .then(|| Prefix { beginnings: Arc::clone(&how.beginnings), tokens: plan.prefix_tokens });
        let balanced = Balanced {
            upstream: plan.upstream,
            balancer: LoadBalancer::from_backends_with_config(backends, Some(how)),
            finder,
            probe: plan.probe,
            by_slots: plan.by_slots && plan.max_in_flight.is_none(),
            prefix,
        };
        let kind = Kind::Balanced(Box::new(balanced));
        let pool = Pool { kind, max_in_flight: plan.max_in_flight, queue: Arc::default(), wanted: Mutex::default() };
        pool.refresh().await;
        pool
    }

    /// [`Ask::blocks`] would be made use of.
    pub fn wants_blocks(&self) -> bool {
        match &self.kind {
            Kind::One(_) => false,
            Kind::Balanced(balanced) => {
                balanced.prefix.is_some() && balanced.balancer.backends().get_backend().len() > 1
            }
        }
    }

    /// Takes a place at the best node that is up, has the model and room and is not among `tried`. A node that only rests after a failure
    /// is asked when there is no other.
    pub fn pick(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> Option<InFlight> {
        // Nobody overtakes those who wait.
        if self.is_limited() { self.pick_in_turn(ask, tried) } else { self.take(ask, tried) }
    }

    /// The same where nobody else can be asked: a node that is left alone because its answers failed may answer this one. The one whose
    /// time is over first is the first.
    pub fn pick_in_need(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> Option<InFlight> {
        let nodes = self.nodes();
        let fits = |node: &&Arc<Node>| !node.is_absent() && is_offered(node, ask.model) && is_new(node, tried);
        let failing = nodes.iter().filter(fits).filter_map(|node| {
            let (kind, left) = node.breaker.opened_by(node.elapsed_ms())?;
            (kind == FailureKind::UpstreamFailed).then_some((left, node))
        });
        let mut failing: SmallVec<[_; 8]> = failing.collect();
        failing.sort_by_key(|(left, _)| *left);
        failing.iter().find_map(|(_, node)| node.acquire(self.most(node))).map(|place| place.wakes(&self.queue))
    }

    fn pick_in_turn(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> Option<InFlight> {
        let may = self.queue.is_empty();
        may.then(|| self.take(ask, tried)).flatten().map(|place| place.wakes(&self.queue))
    }

    /// The same, and waits in line while every node is at its limit, until `by`. `None`: there is no node to wait for, too many wait, or the
    /// place would come too late.
    pub async fn pick_waiting(&self, ask: &Ask<'_>, tried: &[Arc<Node>], rank: Rank, by: Instant) -> Option<InFlight> {
        let mut again = false;
        loop {
            let woken = self.queue.line_up(rank, by, again).ok()?;
            // A place that became free between the look at the nodes and joining the line woke nobody.
            if self.has_room(ask, tried) {
                self.queue.wake_next();
            }
            let waiting = Waiting { queue: &self.queue, woken: Some(woken) };
            tokio::time::timeout_at(by, waiting.turn()).await.ok()??;
            if let Some(place) = self.take(ask, tried) {
                return Some(place.wakes(&self.queue));
            }
            if !self.is_full(ask, tried) {
                return None;
            }
            again = true;
        }
    }

    fn is_limited(&self) -> bool {
        self.max_in_flight.is_some() || matches!(&self.kind, Kind::Balanced(balanced) if balanced.by_slots)
    }

    /// Requests that the node gets at once.
    fn most(&self, node: &Node) -> Option<u32> {
        let by_slots = || match &self.kind {
            // What others work on there takes slots as well; ours get one at least, for the node's word is not of this moment.
            Kind::Balanced(balanced) if balanced.by_slots => {
                Some(node.load.slots()?.saturating_sub(node.load.others()).max(1))
            }
            _ => None,
        };
        self.max_in_flight.or_else(by_slots)
    }

    /// A node could be asked if it had room.
    pub fn is_full(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> bool {
        self.is_limited() && self.nodes().iter().any(|node| may_ask(node, ask, tried) && self.most(node).is_some())
    }

    fn has_room(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> bool {
        let has = |node: &Arc<Node>| self.most(node).is_none_or(|most| node.in_flight() < most);
        self.nodes().iter().any(|node| may_ask(node, ask, tried) && has(node))
    }

    /// Requests that wait for a place.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn take(&self, ask: &Ask<'_>, tried: &[Arc<Node>]) -> Option<InFlight> {
        match &self.kind {
            Kind::One(node) if tried.is_empty() && may_ask(node, ask, tried) => node.acquire(self.max_in_flight),
            Kind::One(_) => None,
            Kind::Balanced(balanced) => {
                let key = match (&balanced.prefix, ask.blocks) {
                    (Some(_), Some(blocks)) => Key::of(blocks, ask.tokens, ask.model),
                    _ => Key::default(),
                };
                let pick = |fit: fn(&Node) -> bool| self.pick_among(balanced, &key, ask, tried, fit);
                let place = pick(Node::is_up).or_else(|| pick(|node| !node.is_up()))?;
                if let Some(prefix) = &balanced.prefix {
                    prefix.sent(&key, ask.tokens, &place);
                }
                Some(place)
            }
        }
    }

    fn pick_among(
        &self,
        of: &Balanced,
        key: &Key,
        ask: &Ask<'_>,
        tried: &[Arc<Node>],
        fit: fn(&Node) -> bool,
    ) -> Option<InFlight> {
        let taken = std::cell::Cell::new(None);
        of.balancer.select_with(key.bytes(), usize::MAX, |backend, _| {
            let node = backend.ext.get::<Arc<Node>>();
            let fits = |node: &&Arc<Node>| fit(node) && may_ask(node, ask, tried);
            let place = node.filter(fits).and_then(|node| node.acquire(self.most(node)));
            let found = place.is_some();
            taken.set(place);
            found
        });
        taken.take()
    }

    /// A node is up. (Whether it has room is another matter.)
    pub fn is_available(&self) -> bool {
        self.is_available_for("")
    }

    /// A node is up that is not known to lack this model.
    pub fn is_available_for(&self, model: &str) -> bool {
        match &self.kind {
            Kind::One(node) => node.is_up(),
            Kind::Balanced(_) => self.nodes().iter().any(|node| node.is_up() && is_offered(node, model)),
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
        let up = self.nodes().into_iter().filter(|node| node.is_up() && !node.load.is_draining());
        let places = |node: &Node| self.max_in_flight.or(node.load.slots()).unwrap_or(USUAL_PLACES);
        up.fold((0, 0), |(busy, all), node| {
            (busy + node.in_flight().saturating_add(node.load.others()), all + places(&node))
        })
    }

    /// How many nodes the configuration names.
    pub fn configured(&self) -> usize {
        match &self.kind {
            Kind::One(_) => 1,
            Kind::Balanced(balanced) => balanced.finder.listed(),
        }
    }

    /// A request could not reach `node` or lost it.
    pub fn failed(&self, node: &Node) {
        match &self.kind {
            // Its only node: the next request tries it again.
            Kind::One(_) => {}
            Kind::Balanced(_) => {
                node.failed(REST);
                // It may have been restarted; if not, its cache is known again soon.
                node.load.forget();
            }
        }
    }
}

impl Prefix {
    /// A request goes there: the node has its prompt from now on, and what it had of it is counted.
    fn sent(&self, key: &Key, tokens: u64, place: &InFlight) {
        let hit = match key.prompt() {
            Some(prompt) => {
                if let Some(leading) = prefix::leading(prompt.hashes) {
                    self.beginnings.remember(leading);
                }
                place.node().load.serve(prompt)
            }
            None => 0,
        };
        let miss = tokens.saturating_sub(hit);
        place.reads(miss);
        if let Some(counters) = &self.tokens {
            counters.hit.inc_by(hit);
            counters.miss.inc_by(miss);
        }
    }
}

/// Whether it has room aside.
fn may_ask(node: &Arc<Node>, ask: &Ask<'_>, tried: &[Arc<Node>]) -> bool {
    !node.is_down() && is_offered(node, ask.model) && is_new(node, tried)
}

fn is_new(node: &Arc<Node>, tried: &[Arc<Node>]) -> bool {
    !tried.iter().any(|t| Arc::ptr_eq(t, node))
}

fn is_offered(node: &Node, model: &str) -> bool {
    !node.load.is_draining() && node.load.serves(model)
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

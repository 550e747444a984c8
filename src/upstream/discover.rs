//! Where the nodes of a pool are: listed, found by name (A, AAAA, SRV), or in a watched file.
//!
//! What a reader could get wrong: a source that cannot be asked keeps what it found last, for a name server that is down is no reason to have
//! no nodes; health checks find out who is really gone. A node that is not found any more is not in the pool: it finishes what it has (who
//! works there holds it) and gets nothing new; should it be found again meanwhile, it is the same one, connections and all.

mod dns;
mod lines;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use http::uri::Scheme;
use parking_lot::Mutex;
use pingora_load_balancing::Backend;
use pingora_load_balancing::discovery::ServiceDiscovery;
use tokio::time::Instant;

use super::Node;
use super::node::Address;
use super::select::rank::WHOLE;
use super::tls::TlsSettings;
use crate::config::file::{self, Discover};

/// How often host names of listed nodes are resolved anew: the system's resolver tells no TTL.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How often a file is read again: what a person who saves it waits at the most.
const READ_EVERY: Duration = Duration::from_secs(1);
/// A TTL below this would have us ask all the time, one above would keep a node for hours that has moved.
const TTL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// After a source could not be asked.
const RETRY: Duration = Duration::from_secs(5);

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

/// Whom to ask for nodes.
#[derive(Debug, Clone)]
pub enum Source {
    /// One of the configuration's `nodes`, by its place there.
    Listed {
        place: usize,
        address: Address,
        weight: u32,
        drain: bool,
    },
    Dns {
        scheme: Scheme,
        host: String,
        port: u16,
        server: Option<SocketAddr>,
    },
    Srv {
        scheme: Scheme,
        name: String,
        server: Option<SocketAddr>,
    },
    /// Nodes with this path (as all of the pool), or none.
    File {
        path: PathBuf,
        base: String,
    },
}

impl Source {
    /// The sources of an upstream. `base`: the path that all its nodes have.
    ///
    /// # Errors
    /// What `check` would have said.
    pub fn of(section: &file::Upstream, base: &str) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        for (place, node) in section.nodes.iter().enumerate() {
            let (address, _) = Address::parse(node.url())?;
            sources.push(Source::Listed { place, address, weight: thousandths(node.weight()), drain: node.drains() });
        }
        let Some(discover) = &section.discover else { return Ok(sources) };
        let discover = Discover::parse(discover).map_err(|(what, hint)| format!("discover {what}; {hint}"))?;
        let server = section.resolver.as_deref().and_then(|server| server.parse().ok());
        let scheme = if discover.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        sources.push(match discover {
            Discover::Dns { host, port, .. } => Source::Dns { scheme, host, port, server },
            Discover::Srv { name, .. } => Source::Srv { scheme, name, server },
            Discover::File(path) => Source::File { path, base: base.to_owned() },
        });
        Ok(sources)
    }
}

/// A weight in thousandths.
pub(super) fn thousandths(weight: f64) -> u32 {
    (weight * f64::from(WHOLE)).round().clamp(1.0, f64::from(u32::MAX)) as u32
}

/// A node that a source knows.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    address: Address,
    socket: SocketAddr,
    /// Thousandths.
    weight: u32,
    tier: u16,
    drain: bool,
    /// Its place in the configuration, and among the addresses of its name.
    listed: Option<(usize, usize)>,
}

/// What a source said last, and when it is asked again.
#[derive(Debug, Default)]
struct Said {
    found: Vec<Found>,
    /// `None`: never yet.
    again: Option<Instant>,
    /// The last attempt failed; told once.
    is_silent: bool,
}

/// Finds the nodes of a pool, and gives every address the same `Node` each time.
pub(super) struct Discovery {
    shared: Arc<Finder>,
}

/// The part of it that the pool holds as well.
#[derive(Debug)]
pub(super) struct Finder {
    upstream: String,
    sources: Vec<Source>,
    said: Mutex<Vec<Said>>,
    tls: Option<TlsSettings>,
    /// Differs when the TLS settings differ.
    tls_fingerprint: u64,
    workers: usize,
    nodes: Arc<Nodes>,
}

impl Discovery {
    pub fn new(shared: Arc<Finder>) -> Discovery {
        Discovery { shared }
    }
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        self.shared.look().await;
        Ok((self.shared.backends(), HashMap::new()))
    }
}

impl Finder {
    pub fn new(plan: &super::pool::Plan, nodes: Arc<Nodes>) -> Finder {
        Finder {
            upstream: plan.upstream.clone(),
            said: Mutex::new(plan.sources.iter().map(|_| Said::default()).collect()),
            sources: plan.sources.clone(),
            tls: plan.tls.clone(),
            tls_fingerprint: plan.tls_fingerprint,
            workers: plan.workers,
            nodes,
        }
    }

    /// When a source is to be asked again.
    pub fn due(&self) -> Instant {
        let said = self.said.lock();
        let soonest = said.iter().map(|said| said.again.unwrap_or_else(Instant::now)).min();
        soonest.unwrap_or_else(|| Instant::now() + RESOLVE_EVERY)
    }

    /// How many nodes the configuration lists.
    pub fn listed(&self) -> usize {
        self.sources.iter().filter(|source| matches!(source, Source::Listed { .. })).count()
    }

    /// Asks those sources that are due.
    async fn look(&self) {
        let now = Instant::now();
        let is_due =
            |place: usize| self.said.lock().get(place).is_some_and(|said| said.again.is_none_or(|at| at <= now));
        for (place, source) in self.sources.iter().enumerate() {
            if !is_due(place) {
                continue;
            }
            let answer = self.ask(source).await;
            let mut said = self.said.lock();
            let Some(said) = said.get_mut(place) else { continue };
            match answer {
                Ok((found, every)) => {
                    *said = Said { found, again: Some(Instant::now() + every), is_silent: false };
                }
                Err(why) => {
                    if !std::mem::replace(&mut said.is_silent, true) {
                        tracing::warn!(upstream = %self.upstream, source = place, why, "no nodes from this source; the last known are kept");
                    }
                    said.again = Some(Instant::now() + RETRY);
                }
            }
        }
    }

    /// The nodes that a source knows now, and when to ask again. Errors name no address.
    async fn ask(&self, source: &Source) -> Result<(Vec<Found>, Duration), &'static str> {
        let within = |ttl: Duration| ttl.clamp(TTL.0, TTL.1);
        match source {
            Source::Listed { place, address, weight, drain } => {
                let sockets = resolve(address).await.ok_or("the node's name does not resolve")?;
                let found = |(n, socket)| Found {
                    address: address.clone(),
                    socket,
                    weight: *weight,
                    tier: 0,
                    drain: *drain,
                    listed: Some((*place, n)),
                };
                Ok((sockets.into_iter().enumerate().map(found).collect(), RESOLVE_EVERY))
            }
            Source::Dns { scheme, host, port, server } => {
                let (addresses, ttl) = dns::addresses(host, *server).await?;
                let address = Address::of(scheme.clone(), host, *port).ok_or("the name is none that HTTP knows")?;
                let found = |ip| Found {
                    address: address.clone(),
                    socket: SocketAddr::new(ip, *port),
                    weight: WHOLE,
                    tier: 0,
                    drain: false,
                    listed: None,
                };
                Ok((addresses.into_iter().map(found).collect(), within(ttl)))
            }
            Source::Srv { scheme, name, server } => {
                let (services, ttl) = dns::services(name, *server).await?;
                let found = |service: dns::Service| {
                    Some(Found {
                        address: Address::of(scheme.clone(), &service.host, service.port)?,
                        socket: SocketAddr::new(service.ip, service.port),
                        weight: service.weight,
                        tier: service.priority,
                        drain: false,
                        listed: None,
                    })
                };
                Ok((services.into_iter().filter_map(found).collect(), within(ttl)))
            }
            Source::File { path, base } => {
                let text = tokio::fs::read_to_string(path).await.map_err(|_| "the file of nodes cannot be read")?;
                let mut all = Vec::new();
                for line in lines::read(&text, base)? {
                    // One that does not resolve now is not there now; the others are.
                    for socket in resolve(&line.address).await.unwrap_or_default() {
                        all.push(Found {
                            address: line.address.clone(),
                            socket,
                            weight: line.weight,
                            tier: 0,
                            drain: line.drain,
                            listed: None,
                        });
                    }
                }
                Ok((all, READ_EVERY))
            }
        }
    }

    /// Everything that is known, as pingora's set; nodes learn of their weights here.
    fn backends(&self) -> BTreeSet<Backend> {
        let said = self.said.lock();
        let mut backends = BTreeSet::new();
        let mut planned = HashSet::new();
        // The configuration's own nodes come first: found again by name, they keep their settings.
        for found in said.iter().flat_map(|said| &said.found) {
            let Ok(mut backend) = Backend::new(&found.socket.to_string()) else { continue };
            if planned.insert(found.socket)
                && let Some(node) = self.node(found)
            {
                node.load.plan(found.weight, found.tier, found.drain);
                backend.ext.insert(node);
                backends.insert(backend);
            }
        }
        backends
    }

    fn node(&self, found: &Found) -> Option<Arc<Node>> {
        let address = &found.address;
        let key = NodeKey {
            upstream: self.upstream.clone(),
            authority: format!("{}://{}", address.scheme, address.authority),
            address: found.socket.to_string(),
            tls: self.tls_fingerprint,
        };
        let tls = match (&self.tls, address.scheme == Scheme::HTTPS) {
            (Some(tls), true) => Some(tls.for_host(&address.host).ok()?),
            (None, true) => return None,
            (_, false) => None,
        };
        let label = match found.listed {
            Some((place, 0)) => place.to_string(),
            Some((place, n)) => format!("{place}.{n}"),
            None => self.free_label(&key),
        };
        let make = || {
            let mut address = address.clone();
            address.host = found.socket.ip().to_string();
            Node::new(label, address, tls, self.workers)
        };
        Some(keep(&self.nodes, key, make))
    }

    /// The lowest number that none of the upstream's nodes has; one that still finishes something keeps its own.
    fn free_label(&self, key: &NodeKey) -> String {
        let nodes = self.nodes.lock();
        let others = nodes.iter().filter(|(other, _)| other.upstream == self.upstream && *other != key);
        let taken: HashSet<String> = others.filter_map(|(_, node)| Some(node.upgrade()?.label.clone())).collect();
        let mut labels = (0..).map(|n| format!("d{n}"));
        labels.find(|label| !taken.contains(label)).unwrap_or_default()
    }
}

async fn resolve(address: &Address) -> Option<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await.ok()?;
    Some(found.collect())
}

#[cfg(test)]
mod tests;

//! In which order the nodes of a pool are offered: our own `BackendSelection` for pingora's load balancer.
//!
//! What a reader could get wrong: this gives an order only. Whether a node may be used (up, has room, has the model, not tried already) is
//! asked by `Pool::pick` for each one offered. A request travels through pingora's `&[u8]` key as the words that [`Key`] makes.

pub mod rank;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hashlink::LinkedHashMap;
use parking_lot::Mutex;
use pingora_load_balancing::Backend;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};
use smallvec::SmallVec;
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::Node;
use super::load::Prompt;
use super::prefix::{self, Blocks};
use crate::config::file::Balance;
use rank::{Order as Places, Standing, WHOLE};

/// Beginnings of prompts that are remembered as asked for.
const BEGINNINGS: usize = 4096;
/// Requests that a node of unstated size is taken to work on at once, until it is seen to do more: a small set-up.
pub(super) const USUAL_PLACES: u32 = 8;

/// How a pool chooses.
#[derive(Debug, Clone, Default)]
pub(super) struct Balancing {
    pub balance: Balance,
    /// How long a node takes to get its whole share.
    pub slow_start: Duration,
    /// Requests that a node gets at once, where it is configured.
    pub most: Option<u32>,
    /// Survives the nodes' comings and goings.
    pub beginnings: Arc<Beginnings>,
}

/// Beginnings of prompts that have been asked for, the latest few thousand.
#[derive(Debug, Default)]
pub(super) struct Beginnings(Mutex<LinkedHashMap<u64, (), foldhash::fast::FixedState>>);

impl Beginnings {
    fn is_known(&self, leading: u64) -> bool {
        self.0.lock().contains_key(&leading)
    }

    pub fn remember(&self, leading: u64) {
        let mut known = self.0.lock();
        known.insert(leading, ());
        if known.len() > BEGINNINGS {
            known.pop_front();
        }
    }
}

/// A prompt in the form in which it passes through pingora's key: its tokens, its bytes, its blocks' hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct Key(SmallVec<[u64; 32]>);

impl Key {
    /// The same text means another cache for another model.
    pub fn of(blocks: &Blocks, tokens: u64, model: &str) -> Key {
        if blocks.hashes().is_empty() {
            return Key::default();
        }
        let mut hasher = DefaultHasher::new();
        model.hash(&mut hasher);
        let salt = hasher.finish();
        let mut words = SmallVec::with_capacity(2 + blocks.hashes().len());
        words.extend([tokens, blocks.bytes() as u64]);
        words.extend(blocks.hashes().iter().map(|hash| hash ^ salt));
        Key(words)
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn prompt(&self) -> Option<Prompt<'_>> {
        prompt(&self.0)
    }
}

fn prompt(words: &[u64]) -> Option<Prompt<'_>> {
    let [tokens, bytes, hashes @ ..] = words else { return None };
    Some(Prompt { hashes, bytes: *bytes, tokens: *tokens })
}

/// The nodes of a pool and the way one is chosen.
pub(super) struct Selection {
    backends: Vec<Offer>,
    how: Balancing,
    turn: AtomicUsize,
}

struct Offer {
    backend: Backend,
    node: Arc<Node>,
    /// Hash of the address: what rendezvous hashing knows the node by.
    seed: u64,
}

/// The nodes in the order to try.
pub(super) struct Order {
    selection: Arc<Selection>,
    order: Places,
    next: usize,
}

impl BackendSelection for Selection {
    type Iter = Order;
    type Config = Balancing;

    fn build(backends: &BTreeSet<Backend>) -> Self {
        Self::build_with_config(backends, &Balancing::default())
    }

    fn build_with_config(backends: &BTreeSet<Backend>, how: &Balancing) -> Self {
        let offer = |backend: &Backend| {
            let mut hasher = DefaultHasher::new();
            backend.addr.hash(&mut hasher);
            let node = backend.ext.get::<Arc<Node>>()?.clone();
            Some(Offer { backend: backend.clone(), node, seed: hasher.finish() })
        };
        let backends = backends.iter().filter_map(offer).collect();
        Selection { backends, how: how.clone(), turn: AtomicUsize::new(0) }
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Order {
        Order { selection: Arc::clone(self), order: self.order(key), next: 0 }
    }
}

impl Selection {
    fn order(&self, key: &[u8]) -> Places {
        let count = self.backends.len();
        if count < 2 {
            return (0..u16::try_from(count).unwrap_or(0)).collect();
        }
        let turn = self.turn.fetch_add(1, Relaxed);
        let words = <[u64]>::ref_from_bytes(key).unwrap_or_default();
        let prompt = prompt(words).filter(|_| self.how.balance == Balance::Prefix);
        let leading = prompt.and_then(|prompt| prefix::leading(prompt.hashes));
        let seen = self.seen();
        let offered: SmallVec<[Standing; 16]> =
            self.backends.iter().map(|offer| self.standing(offer, prompt, leading, seen)).collect();
        // Starting at another node each time spreads requests over nodes of equal load.
        let first = first(turn, &offered);
        let place = |i: usize| (first + i) % count;
        let turned: SmallVec<[Standing; 16]> = (0..count).filter_map(|i| offered.get(place(i)).copied()).collect();
        let mut order = match (self.how.balance, prompt) {
            (Balance::RoundRobin, _) => rank::in_turn(&turned),
            (Balance::Prefix, Some(prompt)) => {
                let is_known = leading.is_some_and(|leading| self.how.beginnings.is_known(leading));
                rank::by_prefix(&turned, prompt.tokens, is_known)
            }
            _ => rank::by_load(&turned),
        };
        for at in &mut order {
            *at = u16::try_from(place(usize::from(*at))).unwrap_or(u16::MAX);
        }
        order
    }

    /// Requests that some node has been seen to work on at once, for a whole share.
    fn seen(&self) -> u64 {
        let each = self.backends.iter().map(|offer| &offer.node.load);
        each.map(|load| u64::from(load.seen()) * u64::from(WHOLE) / u64::from(load.weight())).max().unwrap_or(0)
    }

    fn standing(&self, offer: &Offer, prompt: Option<Prompt<'_>>, leading: Option<u64>, seen: u64) -> Standing {
        let load = &offer.node.load;
        // Nodes that tell nothing are taken to be alike, as far as their weights say: each need not be crowded to show what it can do.
        let alike = || u32::try_from(seen * u64::from(load.weight()) / u64::from(WHOLE)).unwrap_or(u32::MAX);
        Standing {
            tier: load.tier(),
            requests: offer.node.in_flight().saturating_add(load.others()),
            pending: load.pending(),
            recent: load.recent(),
            slots: self.how.most.or(load.slots()).unwrap_or_else(|| alike().max(USUAL_PLACES)),
            share: load.share(self.how.slow_start),
            matched: prompt.map_or(0, |prompt| load.matched(prompt)),
            affinity: leading.map_or(0, |leading| rank::affinity(leading, offer.seed)),
        }
    }
}

/// Whose turn it is: each in turn, and as often as his share says.
fn first(turn: usize, nodes: &[Standing]) -> usize {
    let share = nodes.first().map_or(0, |node| node.share);
    if nodes.iter().all(|node| node.share == share) {
        return turn % nodes.len().max(1);
    }
    // Multiples of the golden ratio fill the line evenly, whatever its length.
    let total: u64 = nodes.iter().map(|node| u64::from(node.share)).sum();
    let part = (turn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut at = u64::try_from((u128::from(part) * u128::from(total)) >> 64).unwrap_or(0);
    for (place, node) in nodes.iter().enumerate() {
        match at.checked_sub(u64::from(node.share)) {
            Some(rest) => at = rest,
            None => return place,
        }
    }
    0
}

impl BackendIter for Order {
    fn next(&mut self) -> Option<&Backend> {
        let index = *self.order.get(self.next)?;
        self.next += 1;
        self.selection.backends.get(usize::from(index)).map(|offer| &offer.backend)
    }
}

#[cfg(test)]
mod tests;

//! In which order the nodes of a pool are offered: our own `BackendSelection` for pingora's load balancer.
//!
//! What a reader could get wrong: this gives an order only. Whether a node may be used (up, has room, not tried already) is asked by
//! `Pool::pick` for each one offered.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pingora_load_balancing::Backend;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};
use smallvec::SmallVec;

use super::Node;
use crate::config::file::Balance;

/// How much above its fair share a node may be loaded before `prefix` passes it over: consistent hashing with bounded loads
/// (Mirrokni, Thorup, Zadimoghaddam 2018) finds 1.25 a good compromise.
const LOAD_BOUND: f64 = 1.25;

/// The nodes of a pool and the way one is chosen.
pub(super) struct Selection {
    backends: Vec<Offer>,
    balance: Balance,
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
    order: SmallVec<[u16; 16]>,
    next: usize,
}

impl BackendSelection for Selection {
    type Iter = Order;
    type Config = Balance;

    fn build(backends: &BTreeSet<Backend>) -> Self {
        Self::build_with_config(backends, &Balance::default())
    }

    fn build_with_config(backends: &BTreeSet<Backend>, balance: &Balance) -> Self {
        let offer = |backend: &Backend| {
            let mut hasher = DefaultHasher::new();
            backend.addr.hash(&mut hasher);
            let node = backend.ext.get::<Arc<Node>>()?.clone();
            Some(Offer { backend: backend.clone(), node, seed: hasher.finish() })
        };
        let backends = backends.iter().filter_map(offer).collect();
        Selection { backends, balance: *balance, turn: AtomicUsize::new(0) }
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Order {
        Order { selection: Arc::clone(self), order: self.order(key), next: 0 }
    }
}

impl Selection {
    fn order(&self, key: &[u8]) -> SmallVec<[u16; 16]> {
        let count = self.backends.len();
        let turn = self.turn.fetch_add(1, Relaxed);
        // Starting at another node each time spreads requests over nodes of equal load.
        let mut order: SmallVec<[u16; 16]> =
            (0..count).filter_map(|i| u16::try_from((turn.wrapping_add(i)) % count).ok()).collect();
        match self.balance {
            Balance::RoundRobin => {}
            Balance::LeastLoad => order.sort_by_cached_key(|&i| self.load(i)),
            Balance::Prefix => {
                let total: u32 = (0..count).filter_map(|i| u16::try_from(i).ok()).map(|i| self.load(i)).sum();
                let bound = (f64::from(total + 1) / count as f64 * LOAD_BOUND).ceil() as u32;
                order.sort_by_cached_key(|&i| (self.load(i) >= bound, Reverse(self.affinity(key, i))));
            }
        }
        order
    }

    fn load(&self, index: u16) -> u32 {
        self.backends.get(usize::from(index)).map_or(u32::MAX, |offer| offer.node.in_flight())
    }

    /// Rendezvous hashing (Thaler, Ravishankar 1998): a key's nodes keep their rank when another node comes or goes.
    fn affinity(&self, key: &[u8], index: u16) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        hasher.write_u64(self.backends.get(usize::from(index)).map_or(0, |offer| offer.seed));
        hasher.finish()
    }
}

impl BackendIter for Order {
    fn next(&mut self) -> Option<&Backend> {
        let index = *self.order.get(self.next)?;
        self.next += 1;
        self.selection.backends.get(usize::from(index)).map(|offer| &offer.backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::node::Address;

    fn selection(balance: Balance, nodes: usize) -> Arc<Selection> {
        let backends = (0..nodes)
            .map(|i| {
                let (address, _) = Address::parse(&format!("http://127.0.0.1:{}", 1000 + i)).unwrap();
                let mut backend = Backend::new(&format!("127.0.0.1:{}", 1000 + i)).unwrap();
                backend.ext.insert(Arc::new(Node::new(i.to_string(), address, None, 1)));
                backend
            })
            .collect();
        Arc::new(Selection::build_with_config(&backends, &balance))
    }

    fn first(selection: &Selection, key: &[u8]) -> u16 {
        selection.order(key)[0]
    }

    #[test]
    fn least_load_offers_the_idlest_node_first_and_every_node_once() {
        let selection = selection(Balance::LeastLoad, 3);
        let _busy = (selection.backends[0].node.acquire(None), selection.backends[2].node.acquire(None));
        for _ in 0..4 {
            let mut order = selection.order(b"");
            assert_eq!(order[0], 1);
            order.sort();
            assert_eq!(order[..], [0, 1, 2]);
        }
    }

    #[test]
    fn equal_loads_take_turns() {
        let selection = selection(Balance::LeastLoad, 3);
        let firsts: BTreeSet<u16> = (0..3).map(|_| first(&selection, b"")).collect();
        assert_eq!(firsts.len(), 3);
    }

    #[test]
    fn a_prefix_stays_with_its_node_until_that_is_overloaded() {
        let selection = selection(Balance::Prefix, 4);
        let home = first(&selection, b"you are a helpful assistant");
        assert!((0..20).all(|_| first(&selection, b"you are a helpful assistant") == home));
        let homes: BTreeSet<u16> = (0..64u8).map(|i| first(&selection, &[i])).collect();
        assert_eq!(homes.len(), 4, "keys spread over all nodes");
        let node = &selection.backends[usize::from(home)].node;
        let _load: Vec<_> = (0..3).map(|_| node.acquire(None)).collect();
        assert_ne!(first(&selection, b"you are a helpful assistant"), home);
    }
}

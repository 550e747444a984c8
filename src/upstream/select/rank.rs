//! Which node a request should go to, from numbers alone: what each one has to do and what it remembers of the prompt.
//!
//! What a reader could get wrong: this is pure arithmetic, without clock, lock or socket, because the simulation in `lab/` drives it as well;
//! and it gives an order, not a verdict: whoever takes a place goes down the list until a node has one.

use std::cmp::Reverse;
use std::hash::Hasher as _;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use smallvec::SmallVec;

/// How much above its fair share a node may be loaded before it is passed over: consistent hashing with bounded loads (Mirrokni, Thorup,
/// Zadimoghaddam 2018) finds 1.25 a good compromise.
const HOME_BOUND: f64 = 1.25;
/// The same for a node that has the prompt: what waiting there costs is weighed already, so this only guards against places taken wrong and
/// against a prompt so long that no line seems too long for it. At 1.25 a crowd at a node makes others read its prompt anew: in the simulation
/// two hits in a hundred are lost under load (three where nodes do not tell their places), for a p99 lower by a sixth.
const HOLDER_BOUND: f64 = 2.0;
/// A match below this many tokens, or below this part of the prompt, saves less than a better balance does.
const WORTH_TOKENS: u64 = 64;
const WORTH_PART: u64 = 16;
/// What having all its slots taken but one costs the first token of the next request, in prompt tokens: batches grow, prompts are read between
/// their steps, and the next ones find no slot. Each request at work costs its part of it.
const AT_WORK: u64 = 1024;
/// What waiting for one of `slots` places costs, in prompt tokens, times the slots: writing a token takes as long as reading some hundred, so an
/// answer of some 300 tokens takes as long as reading thirty thousand.
const FOR_A_PLACE: u64 = 32_768;
/// How much a token that has to be read weighs against one that waits to be read: it also holds up those who come after, and drives other
/// prompts out of the cache. In the simulation 3 loses one hit in a hundred under load, and above 5 the longest waits grow again.
const MISSED: u64 = 5;

/// What a token that was read lately weighs against one that waits to be read, for a prompt that nobody has: one in so many. New prompts go where
/// few went before, so that none drives another out of a cache while there is room elsewhere. In the simulation that saves almost half of what
/// would be forgotten too soon.
const LATELY: u64 = 2;

/// The unit of [`Standing::share`].
pub const WHOLE: u32 = 1000;

/// A node as one request finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Nodes of a higher tier are asked when no other can (SRV's priorities).
    pub tier: u16,
    /// Requests that it works on or that wait there, whoever sent them.
    pub requests: u32,
    /// Prompt tokens of these that it still has to read, as far as they are ours.
    pub pending: u64,
    /// Prompt tokens that it was given to read lately, those of longer ago counting less.
    pub recent: u64,
    /// Requests that it works on at once; above, they wait.
    pub slots: u32,
    /// Its share of the work, in thousandths: its weight, less while it starts slowly.
    pub share: u32,
    /// Tokens of this prompt that it has.
    pub matched: u64,
    /// Rendezvous hashing (Thaler, Ravishankar 1998) of prompt and node: a prompt's nodes keep their rank when another node comes or goes.
    pub affinity: u64,
}

/// Places in the list of nodes, the best first.
pub type Order = SmallVec<[u16; 16]>;

impl Standing {
    /// A node that does nothing and knows nothing.
    pub fn idle(slots: u32) -> Standing {
        Standing { tier: 0, requests: 0, pending: 0, recent: 0, slots, share: WHOLE, matched: 0, affinity: 0 }
    }

    /// Requests for its share: what is levelled.
    pub fn load(&self) -> u64 {
        u64::from(self.requests) * 1_000_000 / u64::from(self.share.max(1))
    }

    /// Time to the first token of a prompt of which it has to read so much, in prompt tokens to read.
    fn cost(&self, ours: u64) -> u64 {
        let (requests, slots) = (u64::from(self.requests), u64::from(self.slots.max(1)));
        let waits = (requests + 1).saturating_sub(slots);
        let before_us = self.pending + (requests * AT_WORK + waits * FOR_A_PLACE) / slots;
        before_us.saturating_mul(u64::from(WHOLE)) / u64::from(self.share.max(1)) + ours * MISSED
    }

    /// For a prompt that has to be read wherever it goes: what it would drive out of the cache counts instead.
    fn cost_of_new(&self) -> u64 {
        let lately = (self.recent / LATELY).saturating_mul(u64::from(WHOLE)) / u64::from(self.share.max(1));
        self.cost(0).saturating_add(lately)
    }
}

/// The nodes by how little they have to do for their share. Equal ones stay in the order in which they come.
pub fn by_load(nodes: &[Standing]) -> Order {
    let mut order = places(nodes);
    order.sort_by_key(|&place| at(nodes, place).map(|node| (node.tier, node.load())));
    order
}

/// The nodes as they come, those of a higher tier last.
pub fn in_turn(nodes: &[Standing]) -> Order {
    let mut order = places(nodes);
    order.sort_by_key(|&place| at(nodes, place).map(|node| node.tier));
    order
}

/// The nodes for a prompt of so many tokens. `is_known`: others with the same beginning have been asked before.
///
/// - If some node has enough of it: the node that gives the first token soonest, reading what it lacks after what waits there; those far above
///   their fair share last.
/// - If none has (evicted, restarted) and the beginning is known: its home by consistent hashing with bounded loads.
/// - Otherwise there is nothing to share: the node with the least to do (requests, tokens that wait to be read) and the least read lately.
pub fn by_prefix(nodes: &[Standing], tokens: u64, is_known: bool) -> Order {
    let best = nodes.iter().map(|node| node.matched).max().unwrap_or(0);
    let is_worth_it = best >= WORTH_TOKENS && best * WORTH_PART >= tokens;
    let mut order = places(nodes);
    let bound = Bound::of(nodes, if is_worth_it { HOLDER_BOUND } else { HOME_BOUND });
    order.sort_by_cached_key(|&place| {
        at(nodes, place).map(|node| {
            let is_over = bound.is_over(node);
            let cost = match (is_worth_it, is_known) {
                (true, _) => node.cost(tokens - node.matched.min(tokens)),
                (false, true) => 0,
                (false, false) => node.cost_of_new(),
            };
            (node.tier, is_over, cost, Reverse(node.affinity))
        })
    });
    order
}

/// What a node may have to do before others are preferred.
struct Bound {
    /// Requests for each thousandth of share.
    fair: f64,
}

impl Bound {
    fn of(nodes: &[Standing], bound: f64) -> Bound {
        let requests: u64 = nodes.iter().map(|node| u64::from(node.requests)).sum();
        let shares: u64 = nodes.iter().map(|node| u64::from(node.share)).sum();
        Bound { fair: bound * (requests + 1) as f64 / shares.max(1) as f64 }
    }

    /// A node that has a place free is never over it: a match is not given up because the other nodes are idle.
    fn is_over(&self, node: &Standing) -> bool {
        let fair = (self.fair * f64::from(node.share)).ceil();
        f64::from(node.requests) >= fair.max(f64::from(node.slots))
    }
}

/// How much a prompt with this beginning belongs to the node with this seed: the highest is its home.
pub fn affinity(leading: u64, seed: u64) -> u64 {
    let mut hasher = FoldHasher::with_seed(seed, SharedSeed::global_fixed());
    hasher.write_u64(leading);
    hasher.finish()
}

fn places(nodes: &[Standing]) -> Order {
    (0..nodes.len()).filter_map(|place| u16::try_from(place).ok()).collect()
}

fn at(nodes: &[Standing], place: u16) -> Option<&Standing> {
    nodes.get(usize::from(place))
}

#[cfg(test)]
mod tests;

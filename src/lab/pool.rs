//! A pool of simulated nodes with prefix caches, in virtual time: what `balance: prefix` gains over the other ways, and what it never costs.
//!
//! It drives the selection that the gateway uses (`upstream::select::rank`, `upstream::prefix`), with loads and caches of its own. What a
//! reader could get wrong: the gateway's idea of a node's cache and the cache itself are two things here, as in life; only the second counts
//! as hits. Nothing waits and nothing is random: the same seed gives the same table.

mod machine;
mod traffic;

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use crate::upstream::load::recent::Recent;
use crate::upstream::prefix::{self, Blocks, Tree};
use crate::upstream::select::rank::{self, Standing};
use machine::{Asked, Machine};
pub use traffic::Traffic;
use traffic::{Conversations, Turn};

/// What the gateway takes a node to work on at once that does not tell, until it sees more.
const ASSUMED_SLOTS: u32 = 8;
/// sglang-router goes by load alone where the busiest node has so many requests more than the idlest, and so many times as many.
const UNEVEN: (u32, f64) = (64, 1.5);
/// It takes a match above this part of the prompt.
const LONG_ENOUGH: f64 = 0.3;

/// How nodes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    RoundRobin,
    LeastLoad,
    Prefix,
    /// The longest match wherever it is, unless loads are very uneven: sglang-router's `cache_aware`, with its default thresholds.
    LongestMatch,
}

/// The simulated machines.
#[derive(Debug, Clone, Copy)]
pub struct Machines {
    pub nodes: usize,
    /// Requests that one works on at once.
    pub slots: usize,
    /// Tokens that its KV cache holds.
    pub cache: u64,
    /// Prompt tokens that it reads in a second.
    pub reads: f64,
    /// Tokens that it writes in a second for one request alone.
    pub writes: f64,
    /// They tell how many requests they work on at once, as llama-server does.
    pub tell: bool,
}

impl Default for Machines {
    /// Eight small GPUs with an 8B model.
    fn default() -> Self {
        Machines { nodes: 8, slots: 16, cache: 65_536, reads: 6000.0, writes: 60.0, tell: true }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    pub requests: usize,
    pub prompt_tokens: u64,
    /// Prompt tokens that a node had in its cache.
    pub hit_tokens: u64,
    /// Time to the first token, seconds.
    pub ttft_p50: f64,
    pub ttft_p99: f64,
}

/// Runs the traffic through the machines.
pub fn simulate(policy: Policy, machines: Machines, traffic: Traffic, seed: u64) -> Outcome {
    let mut run = Run::new(policy, machines, traffic, seed);
    while let Some(Due { at, what, .. }) = run.due.pop() {
        run.now = at;
        match what {
            Event::Arrives(conversation) => run.arrives(conversation),
            Event::Read(node) => run.has_read(node),
            Event::Answered(node, asked) => run.answered(node, asked),
        }
    }
    run.outcome()
}

/// The three ways side by side, as text.
pub fn table(machines: Machines, traffic: Traffic, seed: u64) -> String {
    let mut text =
        String::from("balance       requests  prompt tokens   hit tokens   hit   first token p50      p99\n");
    for (name, policy) in
        [("round-robin", Policy::RoundRobin), ("least-load", Policy::LeastLoad), ("prefix", Policy::Prefix)]
    {
        let o = simulate(policy, machines, traffic, seed);
        let share = 100.0 * o.hit_tokens as f64 / o.prompt_tokens.max(1) as f64;
        text += &format!(
            "{name:<12} {:>9} {:>14} {:>12} {share:>4.0}% {:>14.0} ms {:>6.0} ms\n",
            o.requests,
            o.prompt_tokens,
            o.hit_tokens,
            1e3 * o.ttft_p50,
            1e3 * o.ttft_p99,
        );
    }
    text
}

/// Microseconds.
type Time = u64;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The next turn of this conversation.
    Arrives(usize),
    /// The node has read the prompt it was at.
    Read(usize),
    Answered(usize, usize),
}

/// Ordered so that the heap gives what is due first, and what was planned first of those.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    at: Time,
    number: u64,
    what: Event,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What the gateway knows of a node.
#[derive(Debug, Default)]
struct Known {
    requests: u32,
    pending: u64,
    recent: Recent,
    answering: u32,
    /// The most that it answered at once.
    seen: u32,
    tree: Tree,
}

struct Run {
    policy: Policy,
    now: Time,
    planned: u64,
    due: BinaryHeap<Due>,
    conversations: Conversations,
    machines: Vec<Machine>,
    known: Vec<Known>,
    /// Beginnings that have been asked for.
    beginnings: BTreeMap<u64, ()>,
    /// What sglang-router would keep: who was sent this block last.
    sent: HashMap<u64, usize>,
    turn: usize,
    /// As told, or assumed until more are seen.
    slots: u32,
    asked: Vec<Asked>,
    waits: Vec<Time>,
    hits: u64,
    tokens: u64,
}

impl Run {
    fn new(policy: Policy, machines: Machines, traffic: Traffic, seed: u64) -> Run {
        let conversations = Conversations::new(traffic, seed);
        let mut run = Run {
            policy,
            now: 0,
            planned: 0,
            due: BinaryHeap::new(),
            machines: (0..machines.nodes).map(|_| Machine::new(machines)).collect(),
            known: (0..machines.nodes).map(|_| Known { tree: Tree::new(machines.cache), ..Known::default() }).collect(),
            beginnings: BTreeMap::new(),
            sent: HashMap::new(),
            turn: 0,
            slots: if machines.tell { u32::try_from(machines.slots).unwrap_or(u32::MAX) } else { ASSUMED_SLOTS },
            asked: Vec::new(),
            waits: Vec::new(),
            hits: 0,
            tokens: 0,
            conversations,
        };
        for (conversation, at) in run.conversations.starts().to_vec().into_iter().enumerate() {
            run.plan(at, Event::Arrives(conversation));
        }
        run
    }

    fn plan(&mut self, at: Time, what: Event) {
        self.planned += 1;
        self.due.push(Due { at, number: self.planned, what });
    }

    fn arrives(&mut self, conversation: usize) {
        let Some(turn) = self.conversations.turn(conversation) else { return };
        let tokens = turn.tokens();
        let blocks = turn.blocks();
        let (node, missed) = self.choose(&blocks, tokens);
        if let Some(known) = self.known.get_mut(node) {
            known.requests += 1;
            known.pending += missed;
            known.recent.add(missed, self.now / 1000);
            let bytes = blocks.bytes().max(1) as u64;
            known.tree.serve(blocks.hashes(), |index| {
                u32::try_from(tokens * prefix::size(index) as u64 / bytes).unwrap_or(u32::MAX)
            });
        }
        let Turn { chain, answer, .. } = turn;
        let asked = self.asked.len();
        self.tokens += tokens;
        self.asked.push(Asked { conversation, chain, tokens, answer, missed, arrived: self.now });
        let Some(machine) = self.machines.get_mut(node) else { return };
        machine.take(asked);
        self.go_on(node);
    }

    /// The gateway's choice: the node, and how many tokens it will have to read as far as the gateway knows.
    fn choose(&mut self, blocks: &Blocks, tokens: u64) -> (usize, u64) {
        let count = self.known.len();
        let turn = self.turn;
        self.turn += 1;
        // As the gateway does, starting at another node each time.
        let nodes: Vec<usize> = (0..count).map(|i| (turn + i) % count).collect();
        let leading = prefix::leading(blocks.hashes());
        let standings: Vec<Standing> = nodes.iter().map(|&node| self.standing(node, blocks, tokens, leading)).collect();
        let order = match self.policy {
            Policy::RoundRobin => return (turn % count, tokens),
            Policy::LongestMatch => return (self.longest_match(blocks), tokens),
            Policy::LeastLoad => rank::by_load(&standings),
            Policy::Prefix => {
                let is_known = leading.is_some_and(|leading| self.beginnings.insert(leading, ()).is_some());
                rank::by_prefix(&standings, tokens, is_known)
            }
        };
        let place = usize::from(order.first().copied().unwrap_or(0));
        let matched = standings.get(place).map_or(0, |standing| standing.matched);
        (nodes.get(place).copied().unwrap_or(0), tokens - matched.min(tokens))
    }

    fn longest_match(&mut self, blocks: &Blocks) -> usize {
        let requests = || self.known.iter().map(|known| known.requests);
        let (least, most) = (requests().min().unwrap_or(0), requests().max().unwrap_or(0));
        let is_uneven = most - least > UNEVEN.0 && f64::from(most) > UNEVEN.1 * f64::from(least);
        let matched = blocks.hashes().iter().map_while(|hash| self.sent.get(hash)).collect::<Vec<_>>();
        let part = prefix::bytes_of(matched.len()) as f64 / blocks.bytes().max(1) as f64;
        let holder = matched.last().filter(|_| part > LONG_ENOUGH && !is_uneven);
        let node = holder.map_or_else(|| requests().position(|it| it == least).unwrap_or(0), |node| **node);
        self.sent.extend(blocks.hashes().iter().map(|hash| (*hash, node)));
        node
    }

    fn standing(&self, node: usize, blocks: &Blocks, tokens: u64, leading: Option<u64>) -> Standing {
        let seen = self.known.iter().map(|known| known.seen).max().unwrap_or(0);
        let Some(known) = self.known.get(node) else { return Standing::idle(self.slots) };
        let matched = if self.policy == Policy::Prefix { known.tree.matched(blocks.hashes()) } else { 0 };
        Standing {
            requests: known.requests,
            pending: known.pending,
            recent: known.recent.at(self.now / 1000),
            matched: tokens * prefix::bytes_of(matched) as u64 / blocks.bytes().max(1) as u64,
            affinity: leading.map_or(0, |leading| rank::affinity(leading, node as u64 + 1)),
            ..Standing::idle(self.slots.max(seen))
        }
    }

    /// The node reads the next prompt if it can.
    fn go_on(&mut self, node: usize) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        if let Some((time, hits)) = machine.read_next(&self.asked) {
            self.hits += hits;
            self.plan(self.now + time, Event::Read(node));
        }
    }

    fn has_read(&mut self, node: usize) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        let Some((number, time)) = machine.has_read(&self.asked) else { return };
        if let (Some(asked), Some(known)) = (self.asked.get(number), self.known.get_mut(node)) {
            self.waits.push(self.now - asked.arrived);
            known.pending -= asked.missed;
            known.answering += 1;
            known.seen = known.seen.max(known.answering);
        }
        self.plan(self.now + time, Event::Answered(node, number));
        self.go_on(node);
    }

    fn answered(&mut self, node: usize, number: usize) {
        let Some(asked) = self.asked.get_mut(number) else { return };
        let conversation = asked.conversation;
        let chain = std::mem::take(&mut asked.chain);
        if let (Some(machine), Some(known)) = (self.machines.get_mut(node), self.known.get_mut(node)) {
            machine.answered(&self.conversations.with_answer(conversation, chain));
            known.requests -= 1;
            known.answering -= 1;
        }
        if let Some(pause) = self.conversations.next(conversation) {
            self.plan(self.now + pause, Event::Arrives(conversation));
        }
        self.go_on(node);
    }

    fn outcome(mut self) -> Outcome {
        self.waits.sort_unstable();
        let at = |part: f64| {
            let place = ((self.waits.len() as f64 * part) as usize).min(self.waits.len().saturating_sub(1));
            self.waits.get(place).map_or(0.0, |wait| *wait as f64 / 1e6)
        };
        Outcome {
            requests: self.waits.len(),
            prompt_tokens: self.tokens,
            hit_tokens: self.hits,
            ttft_p50: at(0.50),
            ttft_p99: at(0.99),
        }
    }
}

#[cfg(test)]
mod tests;

//! One simulated node: slots, a prompt read at a time, answers written side by side, a KV cache of blocks that evicts the leaf used longest ago.
//!
//! What a reader could get wrong: what the cache has of a prompt is looked up when the node begins to read it, not when it arrives: others
//! in the line may have brought it by then.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Machines, Time};

/// Tokens of a block.
pub(super) const BLOCK: u64 = 64;

/// A request at a node.
#[derive(Debug)]
pub(super) struct Asked {
    pub conversation: usize,
    /// Hashes of the prompt's full blocks, each for all before it.
    pub chain: Vec<u64>,
    pub tokens: u64,
    /// Tokens of its answer.
    pub answer: u64,
    /// What the gateway believes it had to read.
    pub missed: u64,
    pub arrived: Time,
}

#[derive(Debug)]
pub(super) struct Machine {
    is: Machines,
    busy: usize,
    line: VecDeque<usize>,
    reading: Option<usize>,
    cache: Cache,
}

impl Machine {
    pub fn new(is: Machines) -> Machine {
        Machine { is, busy: 0, line: VecDeque::new(), reading: None, cache: Cache::new(is.cache / BLOCK) }
    }

    pub fn take(&mut self, asked: usize) {
        self.line.push_back(asked);
    }

    /// Begins with the next prompt if a slot is free: the time that takes, and the tokens that need not be read.
    pub fn read_next(&mut self, all: &[Asked]) -> Option<(Time, u64)> {
        if self.reading.is_some() || self.busy >= self.is.slots {
            return None;
        }
        let number = self.line.pop_front()?;
        let asked = all.get(number)?;
        self.busy += 1;
        self.reading = Some(number);
        let hits = self.cache.matched(&asked.chain) * BLOCK;
        // The last token is read in any case, for its logits.
        let reads = (asked.tokens - hits).max(1);
        Some(((reads as f64 / self.is.reads * 1e6) as Time, hits))
    }

    /// The prompt is read, the first token is there: whose it is, and how long the answer will take.
    pub fn has_read(&mut self, all: &[Asked]) -> Option<(usize, Time)> {
        let number = self.reading.take()?;
        let asked = all.get(number)?;
        self.cache.keep(&asked.chain);
        // Each further answer in the batch makes every step a little longer.
        let rate = self.is.writes / (1.0 + 0.03 * (self.busy as f64 - 1.0));
        Some((number, (asked.answer as f64 / rate * 1e6) as Time))
    }

    /// The answer is written; it is in the cache as well.
    pub fn answered(&mut self, chain: &[u64]) {
        self.busy -= 1;
        self.cache.keep(chain);
    }
}

/// Blocks with the moment of their last use.
#[derive(Debug)]
struct Cache {
    used: HashMap<u64, (u64, usize)>,
    /// By last use, the deepest first.
    oldest: BTreeSet<(u64, std::cmp::Reverse<usize>, u64)>,
    clock: u64,
    capacity: u64,
}

impl Cache {
    fn new(capacity: u64) -> Cache {
        Cache { used: HashMap::new(), oldest: BTreeSet::new(), clock: 0, capacity }
    }

    fn matched(&self, chain: &[u64]) -> u64 {
        chain.iter().take_while(|hash| self.used.contains_key(hash)).count() as u64
    }

    fn keep(&mut self, chain: &[u64]) {
        self.clock += 1;
        for (depth, hash) in chain.iter().enumerate() {
            if let Some((used, depth)) = self.used.insert(*hash, (self.clock, depth)) {
                self.oldest.remove(&(used, std::cmp::Reverse(depth), *hash));
            }
            self.oldest.insert((self.clock, std::cmp::Reverse(depth), *hash));
        }
        while self.used.len() as u64 > self.capacity {
            let Some((_, _, hash)) = self.oldest.pop_first() else { return };
            self.used.remove(&hash);
        }
    }
}

//! What a node is taken to have in its KV cache: a prefix tree over block hashes, as large as the node's memory, forgetting as the node would.
//!
//! A block's hash stands for everything before it, so the tree needs no edges: a path is the list of hashes along it. What a reader could get
//! wrong: a prompt's blocks are touched from the last to the first, so whatever was touched longest ago is a leaf, as in vLLM's own cache,
//! and a block is never in the tree without those before it. That is why the longest match can be searched for by halving.

use std::hash::{BuildHasherDefault, Hasher};

use hashlink::LinkedHashMap;

/// Where the node does not say how many tokens its cache holds: a small machine with an 8B model.
pub const USUAL_TOKENS: u64 = 65_536;
/// More is not remembered whatever the node says: 65,536 blocks, some 4 MB.
const MOST_TOKENS: u64 = 1 << 22;
/// A block counts for so many tokens at least, so that the number of blocks is bounded.
const LEAST: u32 = 64;

/// The blocks that a node has, by its own reckoning the last used last.
#[derive(Debug)]
pub struct Tree {
    /// Tokens of each block; the one used longest ago is first.
    blocks: LinkedHashMap<u64, u32, BuildHasherDefault<Hashed>>,
    tokens: u64,
    capacity: u64,
}

/// Block hashes are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree::new(USUAL_TOKENS)
    }
}

impl Tree {
    /// For a node whose cache holds `capacity` tokens.
    pub fn new(capacity: u64) -> Tree {
        Tree { blocks: LinkedHashMap::default(), tokens: 0, capacity: capacity.min(MOST_TOKENS) }
    }

    /// How many of a prompt's blocks, from the first, the node has.
    pub fn matched(&self, hashes: &[u64]) -> usize {
        hashes.partition_point(|hash| self.blocks.contains_key(hash))
    }

    /// The node works on this prompt: it has these blocks from now on, each of so many tokens.
    pub fn serve(&mut self, hashes: &[u64], tokens: impl Fn(usize) -> u32) {
        for (index, hash) in hashes.iter().enumerate().rev() {
            if self.blocks.to_back(hash).is_none() {
                let tokens = tokens(index).max(LEAST);
                self.blocks.insert(*hash, tokens);
                self.tokens += u64::from(tokens);
            }
        }
        self.shrink();
    }

    /// The node has told its size.
    pub fn resize(&mut self, capacity: u64) {
        self.capacity = capacity.min(MOST_TOKENS);
        self.shrink();
    }

    /// The node has been restarted.
    pub fn clear(&mut self) {
        self.blocks = LinkedHashMap::default();
        self.tokens = 0;
    }

    /// Tokens in it.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    fn shrink(&mut self) {
        while self.tokens > self.capacity {
            let Some((_, tokens)) = self.blocks.pop_front() else { return };
            self.tokens -= u64::from(tokens);
        }
    }
}

#[cfg(test)]
mod tests;

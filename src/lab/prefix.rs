//! The KV cache of a simulated node: which beginnings of prompts it has worked on lately.
//!
//! What a reader could get wrong: a block's hash covers everything before it, so two prompts share a block only where they agree from their first
//! byte; the least recently used goes first, and of one prompt its end before its beginning, as in vLLM and llama.cpp.

use std::hash::{BuildHasher as _, Hasher as _};

use hashlink::LinkedHashMap;

/// Tokens in a block: vLLM's default.
pub const BLOCK_TOKENS: usize = 16;
/// Bytes taken for a token: English text has a little over four.
pub const TOKEN_BYTES: usize = 4;

/// Blocks by the hash of all that leads to them.
#[derive(Debug)]
pub struct PrefixCache {
    /// Least recently used first.
    blocks: LinkedHashMap<u64, ()>,
    capacity: usize,
}

impl PrefixCache {
    /// `tokens`: how many it holds.
    pub fn new(tokens: usize) -> PrefixCache {
        PrefixCache { blocks: LinkedHashMap::new(), capacity: tokens / BLOCK_TOKENS }
    }

    /// How many leading tokens of that prompt are known.
    pub fn known(&self, chain: &[u64]) -> usize {
        chain.iter().take_while(|block| self.blocks.contains_key(block)).count() * BLOCK_TOKENS
    }

    /// Works on a prompt: gives how many of its leading tokens were known, and knows all of them from now on.
    pub fn work(&mut self, chain: &[u64]) -> usize {
        let known = self.known(chain);
        // The end first: it is then the first to go.
        for block in chain.iter().take(self.capacity).rev() {
            self.blocks.remove(block);
            self.blocks.insert(*block, ());
        }
        while self.blocks.len() > self.capacity {
            self.blocks.pop_front();
        }
        known
    }

    /// Forgets all, as a restart does.
    pub fn clear(&mut self) {
        self.blocks.clear();
    }
}

/// The hashes of a prompt's whole blocks, each over everything before it. The same on every run.
pub fn chain(prompt: &[u8]) -> Vec<u64> {
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    let hash = |block: &[u8]| {
        hasher.write(block);
        hasher.finish()
    };
    prompt.chunks_exact(BLOCK_TOKENS * TOKEN_BYTES).map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(system: char, user: char) -> Vec<u64> {
        let text = format!("{}{}", system.to_string().repeat(640), user.to_string().repeat(320));
        chain(text.as_bytes())
    }

    #[test]
    fn what_prompts_share_is_worked_on_once() {
        let mut cache = PrefixCache::new(1000);
        assert_eq!(cache.work(&prompt('s', 'a')), 0);
        assert_eq!(cache.work(&prompt('s', 'a')), 240);
        assert_eq!(cache.work(&prompt('s', 'b')), 160);
        assert_eq!(cache.work(&prompt('t', 'a')), 0, "the same end behind another beginning is nothing shared");
    }

    #[test]
    fn the_end_of_the_oldest_prompt_goes_first() {
        let mut cache = PrefixCache::new(320);
        cache.work(&prompt('s', 'a'));
        cache.work(&prompt('t', 'b'));
        assert_eq!(cache.known(&prompt('t', 'b')), 240);
        assert_eq!(cache.known(&prompt('s', 'a')), 80, "its beginning is still there");
        cache.clear();
        assert_eq!(cache.known(&prompt('t', 'b')), 0);
    }
}

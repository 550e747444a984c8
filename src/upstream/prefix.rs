//! What requests have in common with what a node has in its KV cache: a prompt as a chain of block hashes.
//!
//! Each hash stands for the prompt from its beginning to the block's end, so two prompts share exactly the blocks that their lists begin with
//! alike. What a reader could get wrong: a block that is not full is not in the list, as vLLM and llama-server reuse no such thing either, and
//! the hashes are for this process alone: they are never stored and never sent.

pub mod tree;

use std::hash::Hasher as _;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use smallvec::SmallVec;

pub use tree::Tree;

/// Bytes of the first blocks: some 64 tokens, fine enough to see where a short system prompt ends.
const BLOCK: usize = 256;
/// So many blocks have the same size; then it is four times as large, so that a long prompt has few.
const STEP: usize = 64;
/// The most blocks: the first 336 KiB of a prompt. Prompts that agree so far are the same conversation.
pub const MOST: usize = 3 * STEP;
/// Blocks that say which prompt this is (1 KiB): whose home is looked for by consistent hashing.
const LEADING: usize = 4;
/// Any number: the same in every process, so that replicas find the same homes.
const SEED: u64 = 0x7469_6465_6761_7465;

/// A prompt's blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    hashes: SmallVec<[u64; 16]>,
    bytes: usize,
}

impl Blocks {
    /// Of a prompt's pieces in the order in which the model reads them, each with a mark of who speaks.
    pub fn of<'p>(pieces: impl IntoIterator<Item = (u8, &'p [u8])>) -> Blocks {
        let mut hasher = FoldHasher::with_seed(SEED, SharedSeed::global_fixed());
        let mut blocks = Blocks::default();
        let mut room = BLOCK;
        for (speaker, mut text) in pieces {
            hasher.write_u8(speaker);
            blocks.bytes += text.len();
            while text.len() >= room && blocks.hashes.len() < MOST {
                let (now, rest) = text.split_at(room);
                hasher.write(now);
                blocks.hashes.push(hasher.finish());
                room = size(blocks.hashes.len());
                text = rest;
            }
            if blocks.hashes.len() < MOST {
                hasher.write(text);
                room -= text.len();
            }
        }
        blocks
    }

    /// One hash for each full block.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes of the whole prompt.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What prompts with the same beginning have in common; `None` for one too short to have a block.
pub fn leading(hashes: &[u64]) -> Option<u64> {
    hashes.get(..LEADING.min(hashes.len()))?.last().copied()
}

/// Bytes of the block at `index`.
pub fn size(index: usize) -> usize {
    BLOCK << (2 * (index / STEP).min(2))
}

/// Bytes of the first `count` blocks.
pub fn bytes_of(count: usize) -> usize {
    let in_step = |step: usize| count.saturating_sub(step * STEP);
    let first = in_step(0).min(STEP) * size(0);
    let second = in_step(1).min(STEP) * size(STEP);
    first + second + in_step(2) * size(2 * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(pieces: &[(u8, &str)]) -> Blocks {
        Blocks::of(pieces.iter().map(|(speaker, text)| (*speaker, text.as_bytes())))
    }

    fn common(a: &Blocks, b: &Blocks) -> usize {
        a.hashes().iter().zip(b.hashes()).take_while(|(a, b)| a == b).count()
    }

    #[test]
    fn prompts_share_the_blocks_they_begin_with() {
        let system = "s".repeat(3 * BLOCK + 10);
        let first = blocks(&[(0, &system), (1, &"a".repeat(BLOCK))]);
        let second = blocks(&[(0, &system), (1, &"b".repeat(BLOCK))]);
        assert_eq!((first.hashes().len(), common(&first, &second)), (4, 3));
        let grown = blocks(&[(0, &system), (1, &"a".repeat(BLOCK)), (2, &"c".repeat(5 * BLOCK))]);
        assert_eq!(common(&first, &grown), first.hashes().len());
        // Who speaks matters, and so does everything before.
        assert_eq!(common(&first, &blocks(&[(1, &system), (1, &"a".repeat(BLOCK))])), 0);
        let shifted = blocks(&[(0, "x"), (0, &system)]);
        assert_eq!(common(&first, &shifted), 0);
    }

    #[test]
    fn a_long_prompt_has_few_blocks_and_a_short_one_none() {
        assert_eq!(blocks(&[(0, &"x".repeat(BLOCK - 1))]).hashes().len(), 0);
        assert_eq!(leading(&[]), None);
        let long = blocks(&[(0, &"x".repeat(100 << 10))]);
        assert_eq!(long.hashes().len(), 64 + 64 + 5);
        let endless = blocks(&[(0, &"x".repeat(2 << 20)), (1, "y")]);
        assert_eq!((endless.hashes().len(), endless.bytes()), (MOST, (2 << 20) + 1));
    }

    #[test]
    fn bytes_of_blocks_are_their_sizes_summed() {
        for count in [0, 1, 63, 64, 65, 128, 129, MOST] {
            assert_eq!(bytes_of(count), (0..count).map(size).sum::<usize>(), "{count}");
        }
    }

    #[test]
    fn leading_blocks_tell_prompts_apart() {
        let boilerplate = "p".repeat(3 * BLOCK);
        let one = blocks(&[(0, &boilerplate), (1, &"a".repeat(BLOCK))]);
        let two = blocks(&[(0, &boilerplate), (1, &"b".repeat(BLOCK))]);
        assert_ne!(leading(one.hashes()), leading(two.hashes()));
        let longer = blocks(&[(0, &boilerplate), (1, &"a".repeat(4 * BLOCK))]);
        assert_eq!(leading(one.hashes()), leading(longer.hashes()));
    }
}

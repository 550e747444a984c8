//! The Merkle tree over a segment's records (the shape of RFC 6962, BLAKE3 for the hashes): one root signed for all of them, and a
//! short path that proves that one record is among them.
//!
//! What a reader could get wrong: a leaf is the record's own line hash, made in another `derive_key` context than a node, so that no
//! node can be passed off as a record.

use super::line::Hash;

/// BLAKE3's `derive_key` context of an inner node; what is hashed is the left child and then the right, 64 bytes.
pub const NODE_CONTEXT: &str = "tidegate 2026 audit node v1";

/// Hashes inner nodes.
pub(super) struct NodeHasher(blake3::Hasher);

impl NodeHasher {
    pub(super) fn new() -> NodeHasher {
        NodeHasher(blake3::Hasher::new_derive_key(NODE_CONTEXT))
    }

    fn node(&mut self, left: &Hash, right: &Hash) -> Hash {
        let mut both = [0; 64];
        both[..32].copy_from_slice(left);
        both[32..].copy_from_slice(right);
        self.0.reset().update(&both).finalize().into()
    }
}

/// The right edge of a growing tree: all that is needed to add leaves and to tell the root.
pub(super) struct Frontier {
    hasher: NodeHasher,
    /// Roots of perfect subtrees, the largest first: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
    size: u64,
}

impl Frontier {
    pub(super) fn new() -> Frontier {
        Frontier { hasher: NodeHasher::new(), peaks: Vec::with_capacity(64), size: 0 }
    }

    /// The next segment's tree begins.
    pub(super) fn clear(&mut self) {
        self.peaks.clear();
        self.size = 0;
    }

    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// One node on average.
    pub(super) fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = self.hasher.node(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root; of no leaves: zeros.
    pub(super) fn root(&mut self) -> Hash {
        let Some((last, rest)) = self.peaks.split_last() else { return [0; 32] };
        rest.iter().rev().fold(*last, |right, left| self.hasher.node(left, &right))
    }
}

/// The hashes that lead from leaf `index` to the root of `leaves`, the nearest first. `index` must be one of them.
pub(super) fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let mut hasher = NodeHasher::new();
    let (mut level, mut at, mut path) = (leaves.to_vec(), index, Vec::new());
    // Level by level; an odd last node moves up as it is, which is RFC 6962's shape.
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            path.push(*sibling);
        }
        level = level.chunks(2).map(|pair| if let [a, b] = pair { hasher.node(a, b) } else { pair[0] }).collect();
        at /= 2;
    }
    path
}

/// The root to which `path` leads from leaf `index` of `size`; `None`: the path has not the length that it must have.
pub(super) fn climb(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let mut hasher = NodeHasher::new();
    let (mut node, mut at, mut last) = (leaf, index, size.checked_sub(1)?);
    if at > last {
        return None;
    }
    let mut path = path.iter();
    while last > 0 {
        if at % 2 == 1 {
            node = hasher.node(path.next()?, &node);
        } else if at < last {
            node = hasher.node(&node, path.next()?);
        }
        at /= 2;
        last /= 2;
    }
    path.next().is_none().then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(number: usize) -> Hash {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    /// RFC 6962, section 2.1, word by word.
    fn by_the_book(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => [0; 32],
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                blake3::derive_key(NODE_CONTEXT, &[by_the_book(left), by_the_book(right)].concat())
            }
        }
    }

    #[test]
    fn roots_and_paths_are_the_rfcs() {
        let leaves: Vec<Hash> = (0..70).map(leaf).collect();
        let mut frontier = Frontier::new();
        for size in 0..=leaves.len() {
            let root = by_the_book(&leaves[..size]);
            assert_eq!(frontier.root(), root, "{size}");
            assert_eq!(frontier.size(), size as u64);
            for index in 0..size {
                let path = path(&leaves[..size], index);
                let climbed =
                    |leaf, index: usize, size: usize, path: &[Hash]| climb(leaf, index as u64, size as u64, path);
                assert_eq!(climbed(leaves[index], index, size, &path), Some(root), "{index} of {size}");
                assert_ne!(climbed(leaf(99), index, size, &path), Some(root));
                assert_ne!(climbed(leaves[index], index + 1, size, &path), Some(root));
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(climbed(leaves[index], index, size, shorter), None);
                }
                assert_eq!(climbed(leaves[index], index, size, &[path.as_slice(), &[root]].concat()), None);
            }
            if let Some(leaf) = leaves.get(size) {
                frontier.push(*leaf);
            }
        }
        frontier.clear();
        assert_eq!((frontier.size(), frontier.root()), (0, [0; 32]));
    }
}

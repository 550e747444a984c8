//! The tree against a plain list of the prompts that a node was given.

use proptest::prelude::*;

use super::*;

/// The hashes of a made-up prompt: each number is one block, its hash stands for all before.
fn chain(blocks: &[u8]) -> Vec<u64> {
    let mut hash = 0x1234_5678;
    let next = |block: &u8| {
        let sum = u64::wrapping_add(hash, u64::from(*block) + 1);
        hash = sum.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        hash
    };
    blocks.iter().map(next).collect()
}

fn common(a: &[u64], b: &[u64]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[test]
fn the_longest_match_is_found_and_grows_with_the_conversation() {
    let mut tree = Tree::new(10 * 64);
    tree.serve(&chain(&[1, 2, 3]), |_| 64);
    assert_eq!(tree.matched(&chain(&[1, 2, 3, 4])), 3);
    assert_eq!(tree.matched(&chain(&[1, 2, 9])), 2);
    assert_eq!(tree.matched(&chain(&[2, 3])), 0);
    tree.serve(&chain(&[1, 2, 3, 4, 5]), |_| 64);
    assert_eq!((tree.matched(&chain(&[1, 2, 3, 4, 5, 6])), tree.tokens()), (5, 5 * 64));
}

#[test]
fn the_leaf_unused_longest_goes_first_and_shared_beginnings_stay() {
    let mut tree = Tree::new(5 * 64);
    tree.serve(&chain(&[1, 2, 3]), |_| 64);
    tree.serve(&chain(&[1, 2, 4]), |_| 64);
    tree.serve(&chain(&[1, 5, 6]), |_| 64);
    // Six blocks were used: 3, the oldest leaf, had to go.
    assert_eq!(tree.matched(&chain(&[1, 2, 3])), 2);
    assert_eq!(tree.matched(&chain(&[1, 2, 4])), 3);
    assert_eq!(tree.matched(&chain(&[1, 5, 6])), 3);
}

#[test]
fn a_prompt_larger_than_the_cache_keeps_its_beginning_and_a_restart_forgets_all() {
    let mut tree = Tree::new(3 * 64);
    let long = chain(&[1, 2, 3, 4, 5, 6]);
    tree.serve(&long, |_| 64);
    assert_eq!(tree.matched(&long), 3);
    tree.resize(64);
    assert_eq!(tree.matched(&long), 1);
    tree.clear();
    assert_eq!((tree.matched(&long), tree.tokens()), (0, 0));
}

proptest! {
    /// Bounded; never more matched than was ever served; the last prompt is there as far as it fits; what is matched is a beginning.
    #[test]
    fn it_is_bounded_and_never_claims_too_much(
        prompts in prop::collection::vec(prop::collection::vec(0u8..3, 0..12), 1..60),
        capacity in 1u64..20,
    ) {
        let mut tree = Tree::new(capacity * 64);
        for (done, prompt) in prompts.iter().enumerate() {
            let hashes = chain(prompt);
            let truth = prompts[..done].iter().map(|earlier| common(&chain(earlier), &hashes)).max().unwrap_or(0);
            prop_assert!(tree.matched(&hashes) <= truth);
            tree.serve(&hashes, |_| 64);
            prop_assert!(tree.tokens() <= capacity * 64);
            prop_assert_eq!(tree.matched(&hashes), prompt.len().min(usize::try_from(capacity).unwrap()));
            // No block without those before it: every prefix of a match is a match.
            for earlier in &prompts[..done] {
                let earlier = chain(earlier);
                let matched = tree.matched(&earlier);
                for (index, hash) in earlier.iter().enumerate() {
                    prop_assert_eq!(tree.blocks.contains_key(hash), index < matched);
                }
            }
        }
    }
}

//! The two loops of a lookup, compiled for several instruction sets and chosen at run time: the crate is built for any x86-64, whose popcount
//! in plain arithmetic takes four times as long.
//!
//! What a reader could get wrong: plain loops on purpose; the compiler makes vectors of them, `#[multiversion]` only says for which machines.

use multiversion::multiversion;

/// An entry whose signs differ from the question's in fewer places than the worst kept so far.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub differing: u16,
    /// Within its segment.
    pub position: u16,
    pub segment: u32,
}

/// Entries looked at together: most blocks hold no candidate, which one comparison tells.
const BLOCK: usize = 32;

/// Appends the entries of a segment that differ from `question` in fewer than `below` signs.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512vl+avx512vpopcntdq+popcnt",
    "x86_64+avx2+popcnt+bmi1+bmi2",
    "x86_64+sse4.2+popcnt"
))]
pub(super) fn propose(signs: &[u64], question: &[u64], below: u16, segment: u32, out: &mut Vec<Candidate>) {
    match <&[u64; 4]>::try_from(question) {
        // 256 dimensions, those of the built-in embedder: a length known here is a loop less.
        Ok(question) => in_blocks(signs, question, below, segment, out),
        Err(_) => in_blocks(signs, question, below, segment, out),
    }
}

#[inline(always)]
fn in_blocks<Q: AsRef<[u64]> + ?Sized>(
    signs: &[u64],
    question: &Q,
    below: u16,
    segment: u32,
    out: &mut Vec<Candidate>,
) {
    let question = question.as_ref();
    if question.is_empty() {
        return;
    }
    let mut counts = [u16::MAX; BLOCK];
    for (block, entries) in signs.chunks(BLOCK * question.len()).enumerate() {
        let mut fewest = u16::MAX;
        let mut counted = 0;
        for (entry, count) in entries.chunks_exact(question.len()).zip(&mut counts) {
            *count =
                entry.iter().zip(question).map(|(entry, question)| (entry ^ question).count_ones()).sum::<u32>() as u16;
            fewest = fewest.min(*count);
            counted += 1;
        }
        if fewest >= below {
            continue;
        }
        for (at, differing) in counts.iter().take(counted).enumerate() {
            if *differing < below {
                out.push(Candidate { differing: *differing, position: (block * BLOCK + at) as u16, segment });
            }
        }
    }
}

/// The scalar product of two codes.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn dot(a: &[i8], b: &[i8]) -> i32 {
    let mut sum = 0;
    for (a, b) in a.iter().zip(b) {
        sum += i32::from(*a) * i32::from(*b);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_entry_below_is_proposed(words in 1_usize..6, entries in 0_usize..200, seed in any::<u64>(), below in 0_u16..200) {
            let word = |at: usize| (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left((at % 61) as u32);
            let signs: Vec<u64> = (0..entries * words).map(word).collect();
            let question: Vec<u64> = (0..words).map(|at| word(at + 7_919)).collect();
            let mut found = Vec::new();
            propose(&signs, &question, below, 3, &mut found);
            let expected: Vec<(u16, u16)> = signs
                .chunks(words)
                .enumerate()
                .map(|(at, entry)| (entry.iter().zip(&question).map(|(a, b)| (a ^ b).count_ones() as u16).sum(), at as u16))
                .filter(|(differing, _): &(u16, u16)| *differing < below)
                .collect();
            let found: Vec<(u16, u16)> = found.iter().map(|found| (found.differing, found.position)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn products_are_exact(a in proptest::collection::vec(any::<i8>(), 0..600)) {
            let b: Vec<i8> = a.iter().rev().copied().collect();
            let expected: i32 = a.iter().zip(&b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            prop_assert_eq!(dot(&a, &b), expected);
        }
    }
}

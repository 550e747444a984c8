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

/// Entries whose signs lie together: the first word of each, then the second of each. One comparison tells of most that none is a candidate.
pub(super) const LANES: usize = 8;

/// Appends the entries of a segment that differ from `question` in fewer than `below` signs; `signs` in blocks of `LANES` entries.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512vl+avx512vpopcntdq+popcnt",
    "x86_64+avx2+popcnt+bmi1+bmi2",
    "x86_64+sse4.2+popcnt"
))]
pub(super) fn propose(
    signs: &[u64],
    entries: usize,
    question: &[u64],
    below: u16,
    segment: u32,
    out: &mut Vec<Candidate>,
) {
    match <&[u64; 4]>::try_from(question) {
        // 256 dimensions, those of the built-in embedder: a length known here is a loop less.
        Ok(question) => in_blocks(signs, entries, question, below, segment, out),
        Err(_) => in_blocks(signs, entries, question, below, segment, out),
    }
}

#[inline(always)]
fn in_blocks(signs: &[u64], entries: usize, question: &[u64], below: u16, segment: u32, out: &mut Vec<Candidate>) {
    if question.is_empty() {
        return;
    }
    for (block, words) in signs.chunks_exact(LANES * question.len()).enumerate() {
        let mut counts = [0_u64; LANES];
        for (words, question) in words.as_chunks::<LANES>().0.iter().zip(question) {
            for (count, word) in counts.iter_mut().zip(words) {
                *count += u64::from((word ^ question).count_ones());
            }
        }
        let mut any = false;
        for count in counts {
            any |= count < u64::from(below);
        }
        if !any {
            continue;
        }
        for (position, count) in (block * LANES..entries).zip(counts) {
            if count < u64::from(below) {
                out.push(Candidate { differing: count as u16, position: position as u16, segment });
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
            let plain: Vec<u64> = (0..entries * words).map(word).collect();
            let mut signs = vec![0; entries.div_ceil(LANES) * LANES * words];
            for (at, entry) in plain.chunks(words).enumerate() {
                for (nth, word) in entry.iter().enumerate() {
                    signs[(at / LANES * words + nth) * LANES + at % LANES] = *word;
                }
            }
            let question: Vec<u64> = (0..words).map(|at| word(at + 7_919)).collect();
            let mut found = Vec::new();
            propose(&signs, entries, &question, below, 3, &mut found);
            let expected: Vec<(u16, u16)> = plain
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

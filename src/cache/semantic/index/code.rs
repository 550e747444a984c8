//! A vector as the index keeps it: turned at random, one byte per dimension, and a bit per dimension that says its sign.
//!
//! What a reader could get wrong: codes mean something only to the coder that made them, by the same dimensions. The turn keeps angles; it
//! spreads what an embedder puts into its first few dimensions over all of them, without which the bits of the last ones are noise.

/// Rounds of flips and Hadamard transforms: two would do for a power of two, three mix both ends of any other length.
const ROUNDS: usize = 3;

pub(super) struct Coder {
    dimensions: usize,
    /// 1 or -1 per round and dimension.
    flips: Vec<f32>,
}

/// A coded vector of length one.
pub(super) struct Code {
    /// Which dimensions are positive, 64 to a word.
    pub signs: Vec<u64>,
    pub bytes: Vec<i8>,
    /// What one step of `bytes` is worth.
    pub unit: f32,
}

impl Coder {
    pub fn new(dimensions: usize) -> Coder {
        let mut random = Sequence(0x7469_6465_6761_7465);
        let flips = (0..dimensions * ROUNDS).map(|_| if random.next() >> 63 == 0 { 1.0 } else { -1.0 }).collect();
        Coder { dimensions, flips }
    }

    /// `None` for a vector of another number of dimensions, of no direction, or with what is no number.
    pub fn code(&self, vector: &[f32]) -> Option<Code> {
        let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
        if vector.len() != self.dimensions || !length.is_normal() {
            return None;
        }
        let mut turned: Vec<f32> = vector.iter().map(|part| part / length).collect();
        self.turn(&mut turned);
        let largest = turned.iter().fold(0.0_f32, |largest, part| largest.max(part.abs()));
        let unit = largest / f32::from(i8::MAX);
        // Half away from zero by hand: without SSE 4.1, `round` is a call.
        let bytes = turned.iter().map(|part| (part / unit + 0.5_f32.copysign(*part)) as i8).collect();
        let signs = turned
            .chunks(64)
            .map(|parts| parts.iter().enumerate().fold(0, |word, (bit, part)| word | (u64::from(*part > 0.0) << bit)))
            .collect();
        Some(Code { signs, bytes, unit })
    }

    /// A random orthogonal map in n log n steps (Ailon and Chazelle, 2006).
    fn turn(&self, vector: &mut [f32]) {
        let dimensions = vector.len();
        let block = 1 << dimensions.checked_ilog2().unwrap_or(0);
        let shrink = 1.0 / (block as f32).sqrt();
        for (round, flips) in self.flips.chunks_exact(dimensions.max(1)).enumerate() {
            vector.iter_mut().zip(flips).for_each(|(part, flip)| *part *= flip);
            let ends = if round % 2 == 0 { vector.get_mut(..block) } else { vector.get_mut(dimensions - block..) };
            let Some(ends) = ends else { return };
            hadamard(ends);
            ends.iter_mut().for_each(|part| *part *= shrink);
        }
    }
}

fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
}

/// SplitMix64: the flips are the same in every process.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn a_turn_keeps_angles_and_spreads_what_is_in_one_dimension() {
        for dimensions in [1, 2, 3, 64, 100, 256, 384, 1536] {
            let coder = Coder::new(dimensions);
            let (mut a, mut b) = (vec![0.0; dimensions], vec![0.5; dimensions]);
            a[0] = 1.0;
            let before = dot(&a, &b);
            coder.turn(&mut a);
            coder.turn(&mut b);
            assert!((dot(&a, &a) - 1.0).abs() < 1e-4, "{dimensions}");
            assert!((dot(&a, &b) - before).abs() < 1e-3, "{dimensions}");
            let largest = a.iter().fold(0.0_f32, |largest, part| largest.max(part.abs()));
            assert!(dimensions < 64 || largest < 0.6, "{dimensions}: {largest}");
        }
    }

    #[test]
    fn what_has_no_direction_has_no_code() {
        let coder = Coder::new(3);
        for vector in [&[0.0, 0.0, 0.0][..], &[1.0, f32::NAN, 0.0], &[1.0, f32::INFINITY, 0.0], &[1.0, 2.0], &[]] {
            assert!(coder.code(vector).is_none(), "{vector:?}");
        }
        assert!(Coder::new(0).code(&[]).is_none());
    }
}

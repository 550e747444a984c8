//! Word vectors that training starts from, so that what is learned of one word holds for its neighbours: 64 numbers per word, distilled
//! from all-MiniLM-L6-v2 by `scripts/distil_vectors.py`.
//!
//! What a reader could get wrong: the gateway never reads them; training folds them into one number per word and head.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::signals::classifier::WEIGHT_UNIT;

use super::example::only_word;

pub(super) const DIMENSIONS: usize = 64;

pub(super) struct Vectors {
    unit: f32,
    words: HashMap<u32, (u16, [i8; DIMENSIONS])>,
}

impl Vectors {
    /// Those of the crate.
    pub fn built_in() -> &'static Vectors {
        static VECTORS: LazyLock<Vectors> = LazyLock::new(|| Vectors::parse(include_bytes!("vectors.bin")));
        &VECTORS
    }

    /// Stops at what is malformed; a test counts the words of the file that is built in.
    fn parse(bytes: &[u8]) -> Vectors {
        let mut vectors = Vectors { unit: 0.0, words: HashMap::new() };
        let Some((head, mut rest)) = bytes.split_first_chunk::<20>() else { return vectors };
        if !head.starts_with(b"TGVEC001") || head[12] != DIMENSIONS as u8 {
            return vectors;
        }
        vectors.unit = f32::from_le_bytes([head[16], head[17], head[18], head[19]]);
        while let Some((word, weight, vector, following)) = one(rest) {
            if let Some(hash) = only_word(word) {
                vectors.words.entry(hash).or_insert((weight, vector));
            }
            rest = following;
        }
        vectors
    }

    /// A word's weight; the full one for a word that is not there.
    pub fn weight(&self, hash: u32) -> u16 {
        self.words.get(&hash).map_or(WEIGHT_UNIT, |(weight, _)| *weight)
    }

    /// Adds `times` a word's vector.
    pub fn add(&self, hash: u32, times: f64, to: &mut [f64]) {
        if let Some((_, vector)) = self.words.get(&hash) {
            let times = times * f64::from(self.unit);
            to.iter_mut().zip(vector).for_each(|(to, part)| *to += times * f64::from(*part));
        }
    }

    /// The words, sorted.
    pub fn hashes(&self) -> Vec<u32> {
        let mut hashes: Vec<u32> = self.words.keys().copied().collect();
        hashes.sort_unstable();
        hashes
    }
}

type One<'f> = (&'f str, u16, [i8; DIMENSIONS], &'f [u8]);

fn one(bytes: &[u8]) -> Option<One<'_>> {
    let (len, rest) = bytes.split_first()?;
    let (word, rest) = rest.split_at_checked(usize::from(*len))?;
    let (weight, rest) = rest.split_first_chunk::<2>()?;
    let (vector, rest) = rest.split_first_chunk::<DIMENSIONS>()?;
    Some((std::str::from_utf8(word).ok()?, u16::from_le_bytes(*weight), vector.map(|byte| byte as i8), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_vectors_are_read_to_the_end() {
        assert!(Vectors::built_in().words.len() > 21_000, "{}", Vectors::built_in().words.len());
        assert!(Vectors::built_in().hashes().contains(&only_word("theorem").unwrap()));
    }
}

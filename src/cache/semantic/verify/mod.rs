//! Whether two questions have the same answer, as a calibrated probability: nearness of vectors only proposes, this decides.
//!
//! Words are aligned; what has no counterpart, what clashes (numbers, names, units, opposites, quotations) and what stands in another order become
//! features of boosted trees, trained by `examples/train_verifier`. The card (README.md) has data, figures and what it cannot do.
//!
//! What a reader could get wrong: the probability holds for the mix of pairs it was calibrated on, mostly near misses; serve by `threshold`, which
//! is an upper bound of the error among what is accepted, not by 0.5.

mod align;
mod contractions;
mod counted;
pub mod features;
pub mod forest;
mod kinds;
mod lexicon;
mod near;
mod number;
mod numerals;
mod order;
mod question;
mod read;
mod spelling;
#[cfg(test)]
mod tests;
mod why;
mod words;

use std::sync::LazyLock;

use features::{Features, features};
use forest::{Forest, along};
pub use question::{MAX_BYTES, Question};
pub use why::Why;

/// For the same words in the same order, written alike; what is left is that a sentence's first capital changed what is meant.
const IDENTICAL: f64 = 0.999;

/// Decides about pairs; one for the process, shared by all threads.
#[derive(Debug)]
pub struct Verifier {
    forest: Forest,
    identity: String,
}

impl Verifier {
    /// That of the crate.
    pub fn builtin() -> &'static Verifier {
        static BUILTIN: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(include_bytes!("weights.bin")));
        &BUILTIN
    }

    /// Of the bytes of a model; bytes that are none give a verifier that never says "the same" but of the same words.
    pub fn new(weights: &[u8]) -> Verifier {
        let hash = blake3::hash(weights).to_hex();
        let identity = hash.get(..16).unwrap_or_default().to_owned();
        Verifier { forest: Forest::parse(weights).unwrap_or_default(), identity }
    }

    /// Hash of the weights, 16 hexadecimal digits.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// That `asked` may be answered with the answer to `stored`, 0 to 1, calibrated.
    pub fn probability(&self, stored: &Question, asked: &Question) -> f64 {
        match rule(stored, asked) {
            Some(settled) => settled,
            None => along(&self.forest.calibration, self.forest.score(&Verifier::features(stored, asked))),
        }
    }

    /// The probability from which on at most the share `max_error` (0 to 1) of what is accepted was wrong on pairs not trained on, at the upper end
    /// of its 95 % interval; 1 where no threshold holds it, which accepts nothing.
    pub fn threshold(&self, max_error: f64) -> f64 {
        let holds = self.forest.thresholds.iter().rev().find(|(error, _)| f64::from(*error) <= max_error + 1e-9);
        holds.map_or(1.0, |(_, threshold)| f64::from(*threshold))
    }

    /// What differs most, for a person; says nothing of the texts.
    pub fn why(&self, stored: &Question, asked: &Question) -> Why {
        why::why(stored, asked)
    }

    /// What the trees see.
    pub fn features(stored: &Question, asked: &Question) -> Features {
        features(stored, asked)
    }
}

/// What no model is asked about.
fn rule(stored: &Question, asked: &Question) -> Option<f64> {
    let is_other = stored.fenced != asked.fenced || stored.signs != asked.signs;
    if stored.is_refused || asked.is_refused || is_other {
        return Some(0.0);
    }
    if stored.sequence == asked.sequence {
        // The same words, written otherwise: what that means no model was taught.
        return Some(if stored.spelling.agrees(asked.spelling) { IDENTICAL } else { 0.0 });
    }
    (stored.is_foreign || asked.is_foreign).then_some(0.0)
}

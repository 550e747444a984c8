//! Text to vector: static token vectors distilled from all-MiniLM-L6-v2, so that a question costs microseconds and no model is downloaded.
//!
//! The order of words is not in a vector, nor is what a negation applies to; the card (README.md) says how well likeness is kept.
//! What a reader could get wrong: a high cosine says "about the same things", never "the same answer".

mod file;
mod wordpiece;

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::sync::LazyLock;

use file::Vectors;
pub use wordpiece::{MAX_TOKENS, Token};

/// Numbers of a vector, of a token's as of a text's.
pub const DIMENSIONS: usize = 256;

/// Reads texts; one for the process, shared by all threads.
pub struct Embedder {
    file: Vectors<'static>,
    identity: String,
}

impl Embedder {
    /// That of the crate. The first call builds the table of spellings, some milliseconds.
    pub fn builtin() -> &'static Embedder {
        static BUILTIN: LazyLock<Embedder> = LazyLock::new(|| {
            Embedder::new(Vectors::parse(include_bytes!("vectors.bin")).unwrap_or_else(Vectors::none))
        });
        &BUILTIN
    }

    fn new(file: Vectors<'static>) -> Embedder {
        let mut identity = String::with_capacity(16);
        for byte in file.identity {
            // Writing to a string does not fail.
            let _ = write!(identity, "{byte:02x}");
        }
        Embedder { file, identity }
    }

    /// Hash of the token vectors, 16 hexadecimal digits: vectors of texts under another identity mean nothing here.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How many tokens there are; an id is below.
    pub fn vocabulary_len(&self) -> usize {
        self.file.weights.len()
    }

    /// Appends the tokens of `text`, `MAX_TOKENS` at most, in the order of the text; whether all of it was read.
    pub fn tokens(&self, text: &str, out: &mut Vec<Token>) -> bool {
        if self.file.weights.is_empty() {
            return false;
        }
        wordpiece::tokens(text, &self.file.vocabulary, out)
    }

    /// A token's direction: each token's largest number is 127 or -127, so the length says nothing (`weight` does). Empty for an id that is
    /// not there.
    pub fn vector(&self, id: u32) -> &[i8] {
        let start = id as usize * DIMENSIONS;
        self.file.vectors.get(start..start + DIMENSIONS).unwrap_or_default()
    }

    /// How much a token adds to a text's vector, 1 on average over the vocabulary; near 0 for "the" and the full stop.
    pub fn weight(&self, id: u32) -> f32 {
        self.file.weights.get(id as usize).map_or(0.0, |weight| weight.get())
    }

    /// Of two tokens, -1 to 1; 0 where one is not there.
    pub fn cosine(&self, a: u32, b: u32) -> f32 {
        let (mut both, mut only_a, mut only_b) = (0_i32, 0_i32, 0_i32);
        for (a, b) in self.vector(a).iter().zip(self.vector(b)) {
            let (a, b) = (i32::from(*a), i32::from(*b));
            both += a * b;
            only_a += a * a;
            only_b += b * b;
        }
        if only_a == 0 || only_b == 0 {
            return 0.0;
        }
        both as f32 / (only_a as f32 * only_b as f32).sqrt()
    }

    /// The direction of a text, of length one; all zero where it has no tokens.
    pub fn embed(&self, text: &str) -> Vec<f32> {
        let mut tokens = Vec::with_capacity((text.len() / 4 + 1).min(MAX_TOKENS));
        self.tokens(text, &mut tokens);
        self.embed_tokens(&tokens)
    }

    /// As `embed`, of tokens that were read before.
    pub fn embed_tokens(&self, tokens: &[Token]) -> Vec<f32> {
        let mut sum = vec![0.0_f32; DIMENSIONS];
        for token in tokens {
            let scale = self.file.scales.get(token.id as usize).map_or(0.0, |scale| scale.get());
            for (sum, part) in sum.iter_mut().zip(self.vector(token.id)) {
                *sum += scale * f32::from(*part);
            }
        }
        let length = sum.iter().map(|part| part * part).sum::<f32>().sqrt();
        if length > 0.0 {
            sum.iter_mut().for_each(|part| *part /= length);
        }
        sum
    }
}

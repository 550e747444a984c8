//! A prompt as numbers, by the very code that scores: words with their share of the norm, and features.
//!
//! What a reader could get wrong: words are kept by the low half of their hash, as in the model file.

use crate::signals::classifier::{ASIDE, COUNT, Group, Listener, Passage, Seen, Sink, WEIGHT_UNIT, features, gather};

use super::rows::Prompt;
use super::vectors::Vectors;

/// What training sees of a prompt.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// Hash, and how much of the word's weight (of one) over the norm the prompt has of it.
    pub words: Vec<(u32, f32)>,
    pub features: [f32; COUNT],
}

impl Example {
    pub fn of(prompt: &Prompt) -> Example {
        let mut heard = Heard::default();
        let tallies = gather(prompt.passages(), &mut heard);
        let unique = heard.words.len() as u32;
        let features = features(&prompt.circumstances(), &tallies, unique);
        let vectors = Vectors::built_in();
        let unit = f32::from(WEIGHT_UNIT);
        let mut words: Vec<(u32, f32)> = heard.words;
        words.iter_mut().for_each(|(hash, share)| *share *= f32::from(vectors.weight(*hash)) / unit);
        let norm = words.iter().map(|(_, share)| *share).sum::<f32>().max(1.0 / 8.0).sqrt();
        words.iter_mut().for_each(|(_, share)| *share /= norm);
        Example { words, features }
    }
}

/// The hash of a text that is one word and nothing else.
pub(super) fn only_word(text: &str) -> Option<u32> {
    let passage = Passage { source: crate::openai::view::Source::User, message: 0, text: text.as_bytes() };
    let mut heard = Heard::default();
    let tallies = gather(std::iter::once(passage), &mut heard);
    let alone = tallies.ask.marks.iter().all(|marks| *marks == 0);
    match heard.words.as_slice() {
        [(hash, _)] if alone => Some(*hash),
        _ => None,
    }
}

#[derive(Default)]
struct Heard {
    words: Vec<(u32, f32)>,
    seen: Seen,
    aside: bool,
}

impl Sink for Heard {
    fn word(&mut self, hash: u64, _: &[u8]) {
        if self.seen.first(hash) {
            self.words.push((hash as u32, if self.aside { ASIDE } else { 1.0 }));
        }
    }
}

impl Listener for Heard {
    fn enter(&mut self, group: Group) {
        self.aside = group == Group::Aside;
    }
}

//! Prompt classifiers: how likely it is that the cloud model succeeds where the edge model fails (*difficulty*), and that a prompt asks
//! for what happened lately (*fresh knowledge*). What the shipped ones are made from and how good they are: `models/README.md`.
//!
//! A model is one or two *heads*, each linear in the words (a weight per word, from a table) and in a few counts; each head gives a
//! probability, and the score is their product: difficulty is P(no everyday request) × P(the cloud is needed | no everyday request).
//!
//! What a reader could get wrong: sums over words are sums of integers and the rest is done with correctly rounded operations and
//! `libm`, so a prompt's score is the same to the bit on every machine; a platform's own `exp` or a fused multiply-add would end that.

mod explain;
mod features;
mod file;
mod gather;
mod reading;
mod table;

use std::sync::{Arc, LazyLock};

use crate::openai::Modalities;
use crate::openai::view::Source;

pub use explain::{Moved, explain};
pub(crate) use features::{ASIDE, COUNT, OF_LENGTH, features};
pub(crate) use file::Contents;
pub(crate) use gather::{Group, Listener, gather};
pub(crate) use reading::Sink;
pub(crate) use table::{Entry, MOST_HEADS, Seen, WEIGHT_UNIT};

/// Bytes of text above which reading should be moved off the worker. There is no such size: of each text only head and tail are read
/// (about 10 KB in all, whatever the prompt's length), which takes well below 200 µs.
pub const LARGE: usize = usize::MAX;

/// Hex digits of a model's identity.
const IDENTITY_DIGITS: usize = 12;

/// One trained model; immutable, shared by `Arc`.
#[derive(Debug)]
pub struct Classifier {
    heads: Vec<Head>,
    table: table::Table,
    entries: Vec<Entry>,
    calibration: Vec<CalibrationPoint>,
    identity: String,
}

/// What sending everything above a threshold to the cloud gave on prompts held out from training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationPoint {
    /// A difficulty, 0 to 1.
    pub threshold: f32,
    /// Share of the prompts at or above it, 0 to 1.
    pub cloud_share: f32,
    /// Share of the cloud-only accuracy that is kept; above 1 where the mix beats the cloud alone.
    pub quality: f32,
}

/// One linear part of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub bias: f32,
    /// One unit of the words' weights.
    pub scale: f32,
    /// Per feature.
    pub weights: [f32; COUNT],
    /// Per feature, its mean in training.
    pub centres: [f32; COUNT],
}

/// A piece of the conversation.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'b> {
    pub source: Source,
    /// Index of the message that it belongs to.
    pub message: u32,
    /// JSON-escaped, without the quotes.
    pub text: &'b [u8],
}

/// What is known of a request besides its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// Messages of the user.
    pub turns: u32,
    pub has_tools: bool,
    pub modalities: Modalities,
}

/// What the models say, 0 to 1 each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    pub difficulty: Option<f32>,
    pub fresh: Option<f32>,
}

impl Classifier {
    /// Reads a model file.
    ///
    /// # Errors
    /// What is wrong with it, where, and how to get a right one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Classifier, String> {
        let Contents { heads, calibration, entries } = file::read(bytes)?;
        let identity = blake3::hash(bytes).to_hex().chars().take(IDENTITY_DIGITS).collect();
        Ok(Classifier { table: table::Table::new(&entries), heads, entries, calibration, identity })
    }

    /// The model file; reading it gives this model.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(&self.contents())
    }

    pub(crate) fn contents(&self) -> Contents {
        Contents { heads: self.heads.clone(), calibration: self.calibration.clone(), entries: self.entries.clone() }
    }

    pub(crate) fn from_contents(contents: &Contents) -> Result<Classifier, String> {
        Classifier::from_bytes(&file::write(contents))
    }

    /// The first twelve hex digits of the file's BLAKE3.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// From predictions on held-out prompts, by rising threshold; may be empty.
    pub fn calibration(&self) -> &[CalibrationPoint] {
        &self.calibration
    }

    /// The built-in model of difficulty.
    pub fn difficulty() -> Arc<Classifier> {
        static MODEL: LazyLock<Arc<Classifier>> = LazyLock::new(|| built_in(include_bytes!("models/difficulty.bin")));
        MODEL.clone()
    }

    /// The built-in model of the need for fresh knowledge.
    pub fn fresh_knowledge() -> Arc<Classifier> {
        static MODEL: LazyLock<Arc<Classifier>> = LazyLock::new(|| built_in(include_bytes!("models/fresh.bin")));
        MODEL.clone()
    }

    /// Each head's log-odds for a request; 0 for a head that the model does not have.
    pub(crate) fn heads_of<'b>(
        &self,
        circumstances: &Circumstances,
        passages: impl Iterator<Item = Passage<'b>> + Clone,
    ) -> [f32; MOST_HEADS] {
        let mut words = Words { difficulty: Some(self), ..Words::default() };
        let tallies = gather(passages, &mut words);
        let odds = self.log_odds(&words.sums[0], &features(circumstances, &tallies, words.unique));
        odds.map(|odds| if odds.is_finite() { odds } else { 0.0 })
    }

    /// The heads' log-odds, before they are multiplied as probabilities.
    fn log_odds(&self, sums: &Sums, features: &[f32; COUNT]) -> [f32; MOST_HEADS] {
        let norm = sums.norm();
        let mut odds = [f32::INFINITY; MOST_HEADS];
        for ((odds, head), sum) in odds.iter_mut().zip(&self.heads).zip(sums.words()) {
            let counted = head.weights.iter().zip(&head.centres).zip(features).map(|((w, centre), x)| w * (x - centre));
            *odds = counted.fold(head.bias + head.scale * sum / norm, |odds, part| odds + part);
        }
        odds
    }
}

/// A test reads both; a file that cannot be read scores everything alike instead of taking the process down.
fn built_in(bytes: &[u8]) -> Arc<Classifier> {
    let model = Classifier::from_bytes(bytes).unwrap_or_else(|_| Classifier {
        heads: vec![],
        table: table::Table::new(&[]),
        entries: vec![],
        calibration: vec![],
        identity: String::new(),
    });
    Arc::new(model)
}

/// Scores one request with both models in one pass over its text; cost is bounded, see [`LARGE`].
pub fn score<'b>(
    difficulty: Option<&Classifier>,
    fresh: Option<&Classifier>,
    circumstances: &Circumstances,
    passages: impl Iterator<Item = Passage<'b>> + Clone,
) -> Scores {
    if difficulty.is_none() && fresh.is_none() {
        return Scores::default();
    }
    let mut words = Words { difficulty, fresh, ..Words::default() };
    let tallies = gather(passages, &mut words);
    let features = features(circumstances, &tallies, words.unique);
    let probability = |model: &Classifier, sums: &Sums| {
        model.log_odds(sums, &features).iter().take(model.heads.len()).fold(1.0, |p, odds| p * sigmoid(*odds))
    };
    Scores {
        difficulty: difficulty.map(|model| probability(model, &words.sums[0])),
        fresh: fresh.map(|model| probability(model, &words.sums[1])),
    }
}

pub(crate) fn sigmoid(odds: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-odds))
}

/// What one model's words add up to: those of what is asked for, and of the rest.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    heads: [[i32; MOST_HEADS]; 2],
    weight: [u32; 2],
}

impl Sums {
    fn add(&mut self, group: usize, (weight, heads): (u16, [i16; MOST_HEADS])) {
        self.weight[group] += u32::from(weight);
        for (sum, head) in self.heads[group].iter_mut().zip(heads) {
            *sum += i32::from(head);
        }
    }

    /// Per head, in units of its scale.
    fn words(&self) -> [f32; MOST_HEADS] {
        let [ask, aside] = self.heads;
        std::array::from_fn(|head| ask[head] as f32 + ASIDE * aside[head] as f32)
    }

    /// The root of the words' weights: twenty words on one theme say more than two, but not ten times as much.
    fn norm(&self) -> f32 {
        let weight = (self.weight[0] as f32 + ASIDE * self.weight[1] as f32) / f32::from(WEIGHT_UNIT);
        weight.max(1.0 / 8.0).sqrt()
    }
}

/// Adds up both models' words, each word once.
#[derive(Default)]
struct Words<'m> {
    difficulty: Option<&'m Classifier>,
    fresh: Option<&'m Classifier>,
    sums: [Sums; 2],
    seen: Seen,
    unique: u32,
    group: usize,
}

impl Sink for Words<'_> {
    fn word(&mut self, hash: u64, _: &[u8]) {
        if !self.seen.first(hash) {
            return;
        }
        self.unique += 1;
        if let Some(model) = self.difficulty {
            self.sums[0].add(self.group, model.table.look_up(hash));
        }
        if let Some(model) = self.fresh {
            self.sums[1].add(self.group, model.table.look_up(hash));
        }
    }
}

impl Listener for Words<'_> {
    fn enter(&mut self, group: Group) {
        self.group = usize::from(group == Group::Aside);
    }
}

#[cfg(test)]
mod tests;

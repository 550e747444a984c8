//! What moved a score most, in words: for `explain`, the admin API and a stored decision.
//!
//! What a reader could get wrong: this repeats the reading of `score` with spellings kept, and allocates; it is off the hot path.

use super::features::{ASIDE, COUNT, FEATURES, features};
use super::gather::{Group, Listener, gather};
use super::reading::{Sink, decode};
use super::table::Seen;
use super::{Circumstances, Classifier, MOST_HEADS, Passage, Sums, sigmoid};

/// As many as an operator reads.
const MOST: usize = 10;
/// What moves the log-odds by less is not worth a line.
const LEAST: f32 = 0.01;

/// One thing that moved a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// A word of the prompt in lower case, or the name of a feature (`mathematics`).
    pub what: String,
    /// In log-odds of the score, against an average prompt; more than 0: higher.
    pub by: f32,
    /// `what` is text of the prompt: not to be kept where prompts are not.
    pub is_text: bool,
}

/// What moved the model's score of this request most, the largest first, at most ten.
pub fn explain<'b>(
    model: &Classifier,
    circumstances: &Circumstances,
    passages: impl Iterator<Item = Passage<'b>> + Clone,
) -> Vec<Moved> {
    let mut kept = Kept { model, words: vec![], sums: Sums::default(), seen: Seen::default(), group: Group::Ask };
    let tallies = gather(passages, &mut kept);
    let features = features(circumstances, &tallies, kept.words.len() as u32);
    let slopes = slopes(model, model.log_odds(&kept.sums, &features));
    let norm = kept.sums.norm();
    let mut moved: Vec<Moved> = Vec::with_capacity(kept.words.len() + COUNT);
    for (what, heads) in kept.words {
        let parts =
            model.heads.iter().zip(heads).zip(slopes).map(|((head, word), slope)| slope * head.scale * word / norm);
        moved.push(Moved { what, by: parts.sum(), is_text: true });
    }
    for (feature, what) in FEATURES.iter().enumerate() {
        let off = |centre: f32| features[feature] - centre;
        let parts = model.heads.iter().zip(slopes);
        let by = parts.map(|(head, slope)| slope * head.weights[feature] * off(head.centres[feature])).sum();
        moved.push(Moved { what: (*what).to_owned(), by, is_text: false });
    }
    moved.retain(|moved| moved.by.abs() >= LEAST);
    moved.sort_by(|a, b| b.by.abs().total_cmp(&a.by.abs()).then_with(|| a.what.cmp(&b.what)));
    moved.truncate(MOST);
    moved
}

/// How much the log-odds of the product move when one head's do: its share of the doubt.
fn slopes(model: &Classifier, odds: [f32; MOST_HEADS]) -> [f32; MOST_HEADS] {
    let product: f32 = odds.iter().take(model.heads.len()).map(|odds| sigmoid(*odds)).product();
    odds.map(|odds| ((1.0 - sigmoid(odds)) / (1.0 - product).max(f32::EPSILON)).clamp(0.0, 1.0))
}

struct Kept<'m> {
    model: &'m Classifier,
    words: Vec<(String, [f32; MOST_HEADS])>,
    sums: Sums,
    seen: Seen,
    group: Group,
}

impl Sink for Kept<'_> {
    fn word(&mut self, hash: u64, raw: &[u8]) {
        if !self.seen.first(hash) {
            return;
        }
        let found = self.model.table.look_up(hash);
        self.sums.add(usize::from(self.group == Group::Aside), found);
        let counts = if self.group == Group::Aside { ASIDE } else { 1.0 };
        self.words.push((spell(raw), found.1.map(|head| counts * f32::from(head))));
    }
}

impl Listener for Kept<'_> {
    fn enter(&mut self, group: Group) {
        self.group = group;
    }
}

fn spell(raw: &[u8]) -> String {
    let (mut at, mut word) = (0, String::new());
    while at < raw.len() {
        let (c, len) = decode(raw, at);
        word.extend(c.to_lowercase());
        at += len;
    }
    word
}

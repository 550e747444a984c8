//! What differs by kind of word: a clash (both sides have one that the other lacks) and what only one side has.
//!
//! What a reader could get wrong: a clash counts the lesser side, so that a question with one more name is no clash but an addition; a word that the
//! other has, but less often, takes part in a clash and is no addition.

use super::align::{Alignment, Link, SAME};
use super::lexicon::class;
use super::question::{Question, Word};

/// Each kind's name and its classes; what is none of them is plain.
pub const KINDS: [(&str, u32); 12] = [
    ("name", class::NAME | class::PLACE),
    ("unit", class::UNIT | class::CURRENCY),
    ("date", class::MONTH | class::WEEKDAY | class::RELATIVE),
    ("quoted", class::QUOTED),
    ("code", class::CODE | class::TONGUE | class::LANGUAGE),
    ("colour", class::COLOUR),
    ("quantity", class::QUANTIFIER | class::COMPARATIVE | class::SUPERLATIVE),
    ("modal", class::MODAL),
    ("direction", class::DIRECTION),
    ("person", class::FIRST_PERSON | class::SECOND_PERSON | class::THIRD_PERSON),
    ("unknown", class::UNKNOWN),
    ("plain", 0),
];

/// Two features a kind.
pub fn kinds(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    let (left, right) = (counts(a, &links.a), counts(b, &links.b));
    for ([lost, all], [other_lost, other_all]) in left.iter().zip(&right) {
        let most = lost.max(*other_lost);
        put(all.min(*other_all).min(most));
        put(most);
    }
}

/// Words that the other question lacks, and these with those that it says less often.
fn counts(question: &Question, links: &[Link]) -> [[f32; 2]; KINDS.len()] {
    let mut counts = [[0.0; 2]; KINDS.len()];
    for (word, link) in question.words.iter().zip(links).filter(|(_, link)| link.fit < SAME || link.is_again()) {
        if let Some([lost, all]) = kind(word).and_then(|kind| counts.get_mut(kind)) {
            *lost += if link.fit < SAME { 1.0 } else { 0.0 };
            *all += 1.0;
        }
    }
    counts
}

/// The first kind that fits; none for words that carry nothing.
pub fn kind(word: &Word) -> Option<usize> {
    if word.is(class::NUMBER) {
        return None;
    }
    let plain = KINDS.len() - 1;
    match KINDS.iter().position(|(_, classes)| word.is(*classes)) {
        Some(kind) => Some(kind),
        None if word.is(class::FUNCTION | class::QUESTION | class::LIGHT | class::NEGATION) => None,
        None => Some(plain),
    }
}

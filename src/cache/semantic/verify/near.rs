//! Phrases that say the same in other words: what is left on both sides, compared as a whole.
//!
//! What a reader could get wrong: a word may be near to one that has its counterpart already ("lose belly fat", "get rid of abdominal fat"): here,
//! unlike in the alignment, a word may count for several.

use super::align::{Alignment, Link, SAME, cosine, excludes};
use super::lexicon::class;
use super::question::{NONE, Question, Word};
use crate::cache::semantic::embedder::{DIMENSIONS, Embedder};

/// So many words of a side are compared; more are left only where little is the same anyway.
const MOST: usize = 8;

/// Three features.
pub fn near(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    let (left, right) = (lost(a, &links.a), lost(b, &links.b));
    put(residual(&left, &right));
    let (x, y) = (reach(&left, b), reach(&right, a));
    put(x.min(y));
    put(x.max(y));
}

fn lost<'q>(question: &'q Question, links: &[Link]) -> Vec<&'q Word> {
    let is_lost = |(word, link): &(&Word, &Link)| link.fit < SAME && word.is_content();
    question.words.iter().zip(links).filter(is_lost).map(|(word, _)| word).take(MOST).collect()
}

/// Cosine of the sums of what is left; 1 where nothing is left, 0 where one side has nothing left.
fn residual(left: &[&Word], right: &[&Word]) -> f32 {
    if left.is_empty() || right.is_empty() {
        return if left.is_empty() && right.is_empty() { 1.0 } else { 0.0 };
    }
    let (left, right) = (sum(left), sum(right));
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let length = (dot(&left, &left) * dot(&right, &right)).sqrt();
    if length > 0.0 { dot(&left, &right) / length } else { 0.0 }
}

fn sum(words: &[&Word]) -> [f32; DIMENSIONS] {
    let embedder = Embedder::builtin();
    let mut sum = [0.0; DIMENSIONS];
    for word in words.iter().filter(|word| word.token != NONE) {
        let weight = word.weight();
        for (sum, part) in sum.iter_mut().zip(embedder.vector(u32::from(word.token))) {
            *sum += weight * f32::from(*part);
        }
    }
    sum
}

/// How near the words are to the nearest of the other question, by weight; 1 without words.
fn reach(words: &[&Word], other: &Question) -> f32 {
    let (mut total, mut near) = (0.0, 0.0);
    for word in words {
        let weight = word.weight();
        total += weight;
        if word.token == NONE {
            continue;
        }
        let is_known = |other: &&Word| other.token != NONE && other.is_content() && !other.is(class::LIGHT);
        let known = other.words.iter().filter(is_known).filter(|other| !excludes(word, other)).take(24);
        let best = known.map(|other| cosine(word, other)).fold(0.0, f32::max);
        near += weight * best;
    }
    if total > 0.0 { near / total } else { 1.0 }
}

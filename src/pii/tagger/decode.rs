//! The best row of labels for a stretch of words (Viterbi's algorithm).
//!
//! What a reader could get wrong: in front of a stretch and behind it stands a word that is nothing, so no name crosses its ends. A score carries the
//! label that it came from in its last four bits, so that one maximum of 16-bit lanes, which every processor has, finds both.

use super::label::{LABELS, Label};
use super::model::{Lanes, Model};

/// Scores are whole numbers of this, beside which there is room for a label.
const UNIT: i16 = LABELS as i16;
/// Sums of weights lose their last bits, so that twelve bits hold them.
const LOST: u32 = 2;
/// So far below the best a label is given up.
const LEAST: i16 = -1000;

/// What one label says about the next, in the unit of the scores.
pub fn step(weight: i16) -> i16 {
    (weight >> LOST).clamp(LEAST, -LEAST) * UNIT
}

/// Writes the best labels for the sums of a stretch into `labels`, cleared first. `back` is scratch space.
pub fn decode(model: &Model, sums: &[Lanes], back: &mut Vec<Lanes>, labels: &mut Vec<Label>) {
    labels.clear();
    back.clear();
    let mut scores = [LEAST * UNIT; LABELS];
    if let Some(nothing) = scores.first_mut() {
        *nothing = 0;
    }
    for sum in sums {
        let best = reach(model, &scores);
        let mut top = i16::MIN;
        for ((score, best), sum) in scores.iter_mut().zip(&best).zip(sum) {
            *score = (best >> 4) + (sum >> LOST);
            top = top.max(*score);
        }
        for score in &mut scores {
            *score = (*score - top).max(LEAST) * UNIT;
        }
        back.push(best);
    }
    let [ending, ..] = reach(model, &scores);
    let mut lane = ending & (UNIT - 1);
    for from in back.iter().rev() {
        let label = Label::of(lane.to_le_bytes()[0]);
        labels.push(label);
        lane = from.get(label as usize).copied().unwrap_or(0) & (UNIT - 1);
    }
    labels.reverse();
}

/// The best way to each label, and in the last bits from which.
fn reach(model: &Model, scores: &Lanes) -> Lanes {
    let mut best = [i16::MIN; LABELS];
    for (label, (score, steps)) in (0..).zip(scores.iter().zip(&model.steps)) {
        // Most labels are given up at once.
        if *score <= LEAST * UNIT {
            continue;
        }
        for (best, step) in best.iter_mut().zip(steps) {
            *best = (*best).max(score.saturating_add(*step) | label);
        }
    }
    best
}

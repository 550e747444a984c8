//! The best row of labels for a stretch of words (Viterbi's algorithm).
//!
//! What a reader could get wrong: in front of a stretch and behind it stands a word that is nothing, so no name crosses its ends.

use super::label::{LABELS, Label};
use super::model::{Lanes, Model};

/// Worse than any sum.
const NEVER: i32 = i32::MIN / 2;

/// Writes the best labels for the sums of a stretch into `labels`, cleared first. `back` is scratch space.
pub fn decode(model: &Model, sums: &[Lanes], back: &mut Vec<[u8; LABELS]>, labels: &mut Vec<Label>) {
    labels.clear();
    back.clear();
    let mut scores = [NEVER; LABELS];
    if let Some(nothing) = scores.first_mut() {
        *nothing = 0;
    }
    for sum in sums {
        let mut best = [NEVER * 2; LABELS];
        let mut from = [0_u8; LABELS];
        for (label, (score, steps)) in (0_u8..).zip(scores.iter().zip(&model.steps)) {
            for ((best, from), step) in best.iter_mut().zip(&mut from).zip(steps) {
                let reached = score.saturating_add(i32::from(*step));
                if reached > *best {
                    (*best, *from) = (reached, label);
                }
            }
        }
        for ((score, best), sum) in scores.iter_mut().zip(best).zip(sum) {
            *score = best.saturating_add(i32::from(*sum)).max(NEVER);
        }
        back.push(from);
    }
    let ending = model.steps.iter().map(|steps| i32::from(steps.first().copied().unwrap_or(0)));
    let last = (0_u8..).zip(scores.iter().zip(ending)).max_by_key(|(_, (score, step))| score.saturating_add(*step));
    let mut lane = last.map_or(0, |(lane, _)| lane);
    for from in back.iter().rev() {
        labels.push(Label::of(lane));
        lane = from.get(usize::from(lane)).copied().unwrap_or(0);
    }
    labels.reverse();
}

//! Scores as probabilities: fitting them (Platt's two numbers), and measuring how true they are.
//!
//! What a reader could get wrong: everything here wants predictions for rows that the model was not trained on; on its own training rows
//! any model looks well calibrated.

use crate::signals::classifier::CalibrationPoint;

use super::rows::Row;
use super::solve::{Columns, Loss, Problem};

const BINS: usize = 10;
/// Thresholds that a model file lists.
const POINTS: usize = 21;

/// A tenth of the scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    /// Scores from here …
    pub from: f64,
    /// … to here.
    pub to: f64,
    pub rows: usize,
    /// Mean score.
    pub predicted: f64,
    /// Mean of what came true.
    pub observed: f64,
}

/// Slope and offset that make `values` the log-odds of `targets`.
pub(super) fn platt(values: &[f64], targets: &[f64], weights: &[f64]) -> (f64, f64) {
    let rows: Vec<Columns> = values.iter().map(|value| vec![(0, *value as f32), (1, 1.0)]).collect();
    let rows: Vec<&Columns> = rows.iter().collect();
    let found = Problem { rows: &rows, targets, weights, penalties: &[1e-6, 1e-6], loss: Loss::Logistic }.solve();
    (found[0].max(0.0), found[1])
}

/// What came of sending a row to the cloud: 1 where it succeeded and the edge failed.
pub(super) fn gained(row: &Row) -> f64 {
    f64::from(row.cloud_ok) * (1.0 - f64::from(row.edge_ok))
}

/// Scores beside outcomes, in ten bins of equal width; empty bins are left out.
pub fn reliability(scores: &[f64], outcomes: &[f64]) -> Vec<Bin> {
    let width = 1.0 / BINS as f64;
    let bin = |score: f64| ((score / width) as usize).min(BINS - 1);
    let one = |at: usize| {
        let within: Vec<(f64, f64)> =
            scores.iter().zip(outcomes).filter(|(score, _)| bin(**score) == at).map(|(s, o)| (*s, *o)).collect();
        let rows = within.len();
        let mean = |of: fn(&(f64, f64)) -> f64| within.iter().map(of).sum::<f64>() / rows.max(1) as f64;
        let (predicted, observed) = (mean(|pair| pair.0), mean(|pair| pair.1));
        Bin { from: at as f64 * width, to: (at + 1) as f64 * width, rows, predicted, observed }
    };
    (0..BINS).map(one).filter(|bin| bin.rows > 0).collect()
}

/// Expected calibration error: by how much score and outcome differ, over the bins by their rows. 0 to 1.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let rows: usize = bins.iter().map(|bin| bin.rows).sum();
    let off: f64 = bins.iter().map(|bin| bin.rows as f64 * (bin.predicted - bin.observed).abs()).sum();
    off / rows.max(1) as f64
}

/// What thresholds give, for the model file: from held-out scores, by rising threshold.
pub(super) fn points(scores: &[f64], rows: &[Row]) -> Vec<CalibrationPoint> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(a.cmp(b)));
    let cloud: f64 = rows.iter().map(|row| f64::from(row.cloud_ok)).sum();
    if rows.is_empty() || cloud <= 0.0 {
        return vec![];
    }
    let mut points: Vec<CalibrationPoint> = vec![];
    for point in 0..POINTS {
        let first = (rows.len() - 1) * point / (POINTS - 1);
        let threshold = scores[order[first]];
        let above = |at: &&usize| scores[**at] >= threshold;
        let sent = order.iter().filter(above).count();
        let kept: f64 = order
            .iter()
            .map(|at| f64::from(if scores[*at] >= threshold { rows[*at].cloud_ok } else { rows[*at].edge_ok }))
            .sum();
        let share = sent as f64 / rows.len() as f64;
        let next =
            CalibrationPoint { threshold: threshold as f32, cloud_share: share as f32, quality: (kept / cloud) as f32 };
        if points.last().is_none_or(|last| last.threshold < next.threshold) {
            points.push(next);
        }
    }
    points
}

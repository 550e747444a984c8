//! How good a router is, as RouteLLM measures it: <https://arxiv.org/abs/2406.18665>.
//!
//! What a reader could get wrong: thresholds stand at the decile edges of the score, and ties all go to the cloud, so a score that is the
//! same for many prompts has fewer points than eleven.

use crate::signals::classifier::{Classifier, score};

use super::calibrate::{Bin, calibration_error, gained, reliability};
use super::rows::Row;

const DECILES: usize = 10;

/// Quality of one way to rank. Shares are 0 to 1; `None` where that much of the gap is never closed, or there is no gap.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApgrRow {
    /// Average performance gap recovered: 0.5 for chance.
    pub apgr: Option<f64>,
    /// Share of the prompts sent to the cloud at which half of the gap is closed.
    pub cpt50: Option<f64>,
    /// The same for four fifths.
    pub cpt80: Option<f64>,
}

/// What a model does on labelled rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub rows: usize,
    pub apgr: Option<f64>,
    pub cpt50: Option<f64>,
    pub cpt80: Option<f64>,
    pub edge_accuracy: f64,
    pub cloud_accuracy: f64,
    /// Chance.
    pub random: ApgrRow,
    /// Longer is harder.
    pub length: ApgrRow,
    /// Knows the outcome.
    pub oracle: ApgrRow,
    /// Expected calibration error of the score as the probability that the cloud succeeds where the edge fails.
    pub calibration_error: f64,
    pub reliability: Vec<Bin>,
}

/// Measures a model on rows that it was not trained on.
pub fn evaluate(model: &Classifier, rows: &[Row]) -> Report {
    let scores: Vec<f64> = rows.iter().map(|row| score_of(model, row)).collect();
    report(&scores, rows)
}

/// The difficulty of a row's prompt.
pub(super) fn score_of(model: &Classifier, row: &Row) -> f64 {
    let scores = score(Some(model), None, &row.prompt.circumstances(), row.prompt.passages());
    f64::from(scores.difficulty.unwrap_or_default())
}

/// Measures scores that came from elsewhere, one per row.
pub fn report(scores: &[f64], rows: &[Row]) -> Report {
    let labels = Labels::of(rows);
    let lengths: Vec<f64> = rows.iter().map(|row| row.prompt.bytes() as f64).collect();
    let gains: Vec<f64> = rows.iter().map(|row| f64::from(row.cloud_ok) - f64::from(row.edge_ok)).collect();
    let outcomes: Vec<f64> = rows.iter().map(gained).collect();
    let own = Curve::of(scores, &labels).row();
    let bins = reliability(scores, &outcomes);
    let chance = labels.gap().map(|_| ApgrRow { apgr: Some(0.5), cpt50: Some(0.5), cpt80: Some(0.8) });
    Report {
        rows: rows.len(),
        apgr: own.apgr,
        cpt50: own.cpt50,
        cpt80: own.cpt80,
        edge_accuracy: mean(&labels.edge),
        cloud_accuracy: mean(&labels.cloud),
        random: chance.unwrap_or_default(),
        length: Curve::of(&lengths, &labels).row(),
        oracle: Curve::oracle(&gains, &labels).row(),
        calibration_error: calibration_error(&bins),
        reliability: bins,
    }
}

/// Outcomes of both models, row by row.
#[derive(Debug, Clone)]
pub struct Labels {
    edge: Vec<f64>,
    cloud: Vec<f64>,
}

impl Labels {
    pub fn of(rows: &[Row]) -> Labels {
        Labels {
            edge: rows.iter().map(|row| f64::from(row.edge_ok)).collect(),
            cloud: rows.iter().map(|row| f64::from(row.cloud_ok)).collect(),
        }
    }

    /// What the cloud is better by; `None` where it is not.
    fn gap(&self) -> Option<f64> {
        Some(mean(&self.cloud) - mean(&self.edge)).filter(|gap| *gap > 0.0)
    }
}

/// Accuracy over the share sent to the cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Share and accuracy, by rising share.
    pub points: Vec<(f64, f64)>,
    edge: f64,
    cloud: f64,
}

impl Curve {
    /// The curve of a score, one number per row, more is harder.
    pub fn of(scores: &[f64], labels: &Labels) -> Curve {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let point = |decile: usize| {
            let threshold = quantile(&sorted, decile as f64 / DECILES as f64);
            // At the last edge nothing is sent, not even the hardest.
            let sent = |score: f64| if decile == DECILES { score > threshold } else { score >= threshold };
            let rows = scores.iter().zip(labels.edge.iter().zip(&labels.cloud));
            let (mut share, mut right) = (0.0, 0.0);
            for (score, (edge, cloud)) in rows {
                share += f64::from(u8::from(sent(*score)));
                right += if sent(*score) { cloud } else { edge };
            }
            let count = scores.len().max(1) as f64;
            (share / count, right / count)
        };
        let mut points: Vec<(f64, f64)> = (0..=DECILES).map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Curve { points, edge: mean(&labels.edge), cloud: mean(&labels.cloud) }
    }

    /// The best that can be done: the rows that gain most first, at every tenth.
    fn oracle(gains: &[f64], labels: &Labels) -> Curve {
        let mut sorted = gains.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let (edge, cloud) = (mean(&labels.edge), mean(&labels.cloud));
        let point = |tenth: usize| {
            let sent = gains.len() * tenth / DECILES;
            let count = gains.len().max(1) as f64;
            (sent as f64 / count, edge + sorted.iter().take(sent).sum::<f64>() / count)
        };
        Curve { points: (0..=DECILES).map(point).collect(), edge, cloud }
    }

    /// The figures of the curve.
    pub fn row(&self) -> ApgrRow {
        if self.cloud <= self.edge {
            return ApgrRow::default();
        }
        ApgrRow { apgr: self.apgr(), cpt50: self.cpt(0.5), cpt80: self.cpt(0.8) }
    }

    /// Area under accuracy over share, minus the edge's, over the gap; scaled to the shares that the curve covers.
    fn apgr(&self) -> Option<f64> {
        let area: f64 = self.points.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum();
        let width = self.points.last()?.0 - self.points.first()?.0;
        (width > 0.0).then(|| (area - self.edge * width) / ((self.cloud - self.edge) * width))
    }

    /// The least share at which this part of the gap is closed, interpolated.
    fn cpt(&self, part: f64) -> Option<f64> {
        let wanted = self.edge + part * (self.cloud - self.edge);
        let first = self.points.iter().position(|point| point.1 >= wanted)?;
        let (share, right) = self.points[first];
        let Some((before, less)) = first.checked_sub(1).map(|at| self.points[at]) else { return Some(share) };
        Some(before + (share - before) * (wanted - less) / (right - less))
    }
}

/// The share of pairs (one row with outcome, one without) that the score has in the right order; ties count half. 0.5 for chance or
/// where there are no such pairs.
pub fn auc(scores: &[f64], outcomes: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut ranks, mut at) = (0.0, 0);
    while at < order.len() {
        let tied = order[at..].iter().take_while(|row| scores[**row] == scores[order[at]]).count();
        let rank = at as f64 + (tied as f64 + 1.0) / 2.0;
        ranks += rank * order[at..at + tied].iter().filter(|row| outcomes[**row]).count() as f64;
        at += tied;
    }
    let with = outcomes.iter().filter(|outcome| **outcome).count() as f64;
    let without = outcomes.len() as f64 - with;
    if with * without == 0.0 { 0.5 } else { (ranks - with * (with + 1.0) / 2.0) / (with * without) }
}

/// As `auc`, over those pairs only whose lengths differ by less than this factor: what is left when length says nothing.
pub fn length_matched_auc(scores: &[f64], lengths: &[f64], outcomes: &[bool], factor: f64) -> f64 {
    let rows = || scores.iter().zip(lengths).zip(outcomes);
    let (mut right, mut pairs) = (0.0, 0.0);
    for ((hard, length), _) in rows().filter(|(_, outcome)| **outcome) {
        let close = |other: f64| other < length * factor && *length < other * factor;
        for ((easy, _), _) in rows().filter(|((_, other), outcome)| !**outcome && close(**other)) {
            pairs += 1.0;
            right += if hard > easy {
                1.0
            } else if hard == easy {
                0.5
            } else {
                0.0
            };
        }
    }
    if pairs == 0.0 { 0.5 } else { right / pairs }
}

/// Between the sorted values, linearly, as numpy and pandas do.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len().max(1) - 1) as f64;
    let (below, above) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize));
    let (Some(below), Some(above)) = (below, above) else { return 0.0 };
    if below == above { *below } else { below + (above - below) * (at - at.floor()) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

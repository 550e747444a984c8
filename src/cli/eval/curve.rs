//! What each threshold would have given on an eval set: quality, share and cost of sending to the cloud what is at least that hard.
//!
//! What a reader could get wrong: quality is that of all rows together, as a share of the cloud's own; a mix may be better than the cloud
//! alone, where the edge is right and the cloud wrong.

use crate::signals::Calibration;
use crate::signals::calibration::Point;

/// Points of the curve, beyond the two ends.
const POINTS: usize = 50;

/// One row with both answers.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// 0 to 1.
    pub difficulty: f64,
    pub edge_ok: bool,
    pub cloud_ok: bool,
    /// How much the row counts.
    pub weight: f64,
    pub edge_usd: Option<f64>,
    pub cloud_usd: Option<f64>,
}

/// The calibration that the outcomes give. `model`: the identity of the difficulty model.
pub fn calibrate(outcomes: &[Outcome], model: &str) -> Calibration {
    let share = |ok: fn(&Outcome) -> bool| {
        weight(outcomes.iter().filter(|outcome| ok(outcome))) / weight(outcomes.iter()).max(f64::MIN_POSITIVE)
    };
    let (edge, cloud) = (share(|outcome| outcome.edge_ok), share(|outcome| outcome.cloud_ok));
    let mut scores: Vec<f64> = outcomes.iter().map(|outcome| outcome.difficulty).collect();
    scores.sort_by(f64::total_cmp);
    let at = |part: usize| scores.get((scores.len() * part / POINTS).min(scores.len().saturating_sub(1))).copied();
    let mut thresholds: Vec<f64> = (0..=POINTS).filter_map(at).chain([0.0, 1.0]).collect();
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let points = thresholds.into_iter().map(|threshold| point(outcomes, threshold, cloud)).collect();
    Calibration {
        model: model.to_owned(),
        written: jiff::Zoned::now().date().to_string(),
        rows: outcomes.len(),
        edge_quality: edge,
        cloud_quality: cloud,
        points,
    }
}

/// What happens at one threshold; `cloud`: the share of right answers of the cloud alone.
pub fn point(outcomes: &[Outcome], threshold: f64, cloud: f64) -> Point {
    let (mut sent, mut right, mut cost) = (0.0, 0.0, Some(0.0));
    for outcome in outcomes {
        // As rules have it: easy is what is below.
        let to_cloud = outcome.difficulty >= threshold;
        let is_right = if to_cloud { outcome.cloud_ok } else { outcome.edge_ok };
        sent += if to_cloud { outcome.weight } else { 0.0 };
        right += if is_right { outcome.weight } else { 0.0 };
        let paid = if to_cloud { outcome.cloud_usd } else { outcome.edge_usd };
        cost = cost.zip(paid).map(|(sum, paid)| sum + paid);
    }
    let count = weight(outcomes.iter()).max(f64::MIN_POSITIVE);
    let quality = if cloud > 0.0 { right / count / cloud } else { 1.0 };
    Point { threshold, cloud_share: sent / count, quality, cost_usd: cost }
}

fn weight<'o>(outcomes: impl Iterator<Item = &'o Outcome>) -> f64 {
    outcomes.map(|outcome| outcome.weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The harder half needs the cloud.
    fn outcomes() -> Vec<Outcome> {
        (0..100)
            .map(|i| Outcome {
                difficulty: f64::from(i) / 100.0,
                edge_ok: i < 50,
                cloud_ok: true,
                weight: 1.0,
                edge_usd: Some(0.0),
                cloud_usd: Some(0.01),
            })
            .collect()
    }

    #[test]
    fn a_clean_boundary_is_found() {
        let calibration = calibrate(&outcomes(), "m");
        assert_eq!((calibration.edge_quality, calibration.cloud_quality, calibration.rows), (0.5, 1.0, 100));
        assert_eq!(calibration.threshold_for(1.0), Some(0.5));
        let at = point(&outcomes(), 0.5, 1.0);
        assert_eq!((at.cloud_share, at.quality), (0.5, 1.0));
        assert!((at.cost_usd.unwrap() - 0.5).abs() < 1e-9);
        let threshold = calibration.threshold_for(0.9).unwrap();
        assert!((0.58..=0.6).contains(&threshold), "{threshold}");
    }

    #[test]
    fn a_row_counts_by_its_weight() {
        let mut outcomes = outcomes();
        for hard in &mut outcomes[50..] {
            hard.weight = 3.0;
        }
        let calibration = calibrate(&outcomes, "m");
        assert_eq!((calibration.edge_quality, calibration.cloud_quality), (0.25, 1.0));
        assert_eq!(point(&outcomes, 0.5, 1.0).cloud_share, 0.75);
    }

    #[test]
    fn an_unknown_price_makes_the_cost_unknown() {
        let mut outcomes = outcomes();
        outcomes[99].cloud_usd = None;
        assert_eq!(point(&outcomes, 0.5, 1.0).cost_usd, None);
        assert!(point(&outcomes, 1.0, 1.0).cost_usd.is_some(), "it stays at the edge");
        assert_eq!(calibrate(&[], "m").points.len(), 2);
    }
}

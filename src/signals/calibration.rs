//! What a threshold is worth: the file that `tidegate train routing` and `tidegate eval models` write, and `target_quality` reads.
//!
//! What a reader could get wrong: the quality of a point is that of all requests together when those at or above the threshold go to the
//! cloud, as a share of the cloud's own; so it rises as the threshold falls, up to noise, which [`Calibration::threshold_for`] does not trust.

use serde::{Deserialize, Serialize};

/// A file of the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The identity of the difficulty model that gave the scores.
    pub model: String,
    /// When it was made (YYYY-MM-DD).
    #[serde(default)]
    pub written: String,
    /// Labelled prompts behind it.
    #[serde(default)]
    pub rows: usize,
    /// The share of right answers of the edge alone and of the cloud alone.
    #[serde(default)]
    pub edge_quality: f64,
    #[serde(default)]
    pub cloud_quality: f64,
    pub points: Vec<Point>,
}

/// One threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub threshold: f64,
    /// The share of requests at or above it.
    pub cloud_share: f64,
    /// Of the cloud's own quality; above 1 where the mix is better than the cloud.
    pub quality: f64,
    /// US dollars of all requests, where prices are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Calibration {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// It is no calibration: what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Calibration, String> {
        let read: Calibration = serde_json::from_slice(bytes).map_err(|error| {
            format!("it is no calibration (line {}): make one with `tidegate eval models --calibration`", error.line())
        })?;
        let valid = |point: &Point| (0.0..=1.0).contains(&point.threshold) && point.quality.is_finite();
        match read.points.iter().position(|point| !valid(point)) {
            _ if read.points.is_empty() => Err("it has no points".into()),
            Some(place) => Err(format!("its point {} is out of range", place + 1)),
            None => Ok(read),
        }
    }

    /// The highest threshold at which, and below which, the quality is at least `target`; `None`: not even everything in the cloud is
    /// known to reach it.
    pub fn threshold_for(&self, target: f64) -> Option<f64> {
        let mut points = self.points.clone();
        points.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
        points.iter().take_while(|point| point.quality >= target).last().map(|point| point.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(points: &[(f64, f64)]) -> Calibration {
        let point = |(threshold, quality): &(f64, f64)| Point {
            threshold: *threshold,
            cloud_share: 1.0 - threshold,
            quality: *quality,
            cost_usd: None,
        };
        let points = points.iter().map(point).collect();
        Calibration {
            model: "m".into(),
            written: String::new(),
            rows: 9,
            edge_quality: 0.6,
            cloud_quality: 0.8,
            points,
        }
    }

    #[test]
    fn the_highest_threshold_that_is_safe_all_the_way_is_found() {
        let of = calibration(&[(0.9, 0.8), (0.0, 1.0), (0.3, 0.97), (0.5, 0.93), (0.7, 0.96)]);
        assert_eq!(of.threshold_for(0.95), Some(0.3), "0.7 is luck: 0.5 is worse");
        assert_eq!(of.threshold_for(0.9), Some(0.7));
        assert_eq!(of.threshold_for(1.2), None);
        assert_eq!(of.threshold_for(0.5), Some(0.9));
    }

    #[test]
    fn a_file_survives_writing_and_nonsense_is_told() {
        let of = calibration(&[(0.5, 0.9)]);
        assert_eq!(Calibration::parse(&serde_json::to_vec(&of).unwrap()).unwrap(), of);
        assert!(Calibration::parse(b"{").unwrap_err().contains("tidegate eval models"));
        assert_eq!(Calibration::parse(br#"{"model":"m","points":[]}"#).unwrap_err(), "it has no points");
        let bad = br#"{"model":"m","points":[{"threshold":7,"cloud_share":0,"quality":1}]}"#;
        assert_eq!(Calibration::parse(bad).unwrap_err(), "its point 1 is out of range");
    }
}

//! Metrics of where requests run: how hard they are, where the boundary stands, how much the providers push back.
//!
//! What a reader could get wrong: thresholds, shares and pressures are read when somebody scrapes; only difficulty is observed per request.

use prometheus::{GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec};

use super::Build;

/// How hard prompts are: tenths, for that is what thresholds are set by.
const DIFFICULTY_BUCKETS: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// How certain answers are: fine at both ends, where what is plainly wrong and what is plainly right lie.
const CONFIDENCE_BUCKETS: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// The handles.
#[derive(Debug)]
pub struct Routing {
    pub difficulty: Histogram,
    /// `route`
    pub threshold: GaugeVec,
    /// `route`: where a controller keeps it.
    pub cloud_share: GaugeVec,
    /// `upstream`
    pub pressure: GaugeVec,
    /// `model`: `current`, `candidate`.
    pub scored: IntCounterVec,
    /// `route, model, placement, verdict`: `good`, `bad`, `neutral`.
    pub feedback: IntCounterVec,
    /// `route, result` (`cloud`, `draft-confident`, `draft-cloud-failed`, `failed`, `left`, `off`).
    pub progressive: IntCounterVec,
    /// `route, reason`
    pub escalations: IntCounterVec,
    /// `model`: of the answers that were judged.
    pub confidence: HistogramVec,
}

impl Routing {
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Routing> {
        let options = HistogramOpts::new("tidegate_difficulty", "how hard prompts are, 0 to 1, where a rule looks");
        Ok(Routing {
            difficulty: build.register(Histogram::with_opts(options.buckets(DIFFICULTY_BUCKETS.to_vec()))?)?,
            threshold: build.reals("tidegate_threshold", "where easy ends and hard begins", &["route"])?,
            cloud_share: build.reals(
                "tidegate_cloud_share",
                "share of lately that went to the cloud first, where a controller keeps it",
                &["route"],
            )?,
            pressure: build.reals(
                "tidegate_cloud_pressure",
                "how much a cloud upstream pushes back, 0 to 1",
                &["upstream"],
            )?,
            scored: build.counters(
                "tidegate_scored_total",
                "prompts scored, by the difficulty model in force or the one on trial",
                &["model"],
            )?,
            feedback: build.counters(
                "tidegate_feedback_total",
                "what was said of answers afterwards",
                &["route", "model", "placement", "verdict"],
            )?,
            progressive: build.counters(
                "tidegate_progressive_total",
                "requests for a draft beside the answer, by which of the two became the answer",
                &["route", "result"],
            )?,
            escalations: build.counters(
                "tidegate_escalations_total",
                "answers put aside for want of confidence",
                &["route", "reason"],
            )?,
            confidence: build.histograms(
                "tidegate_confidence",
                "confidence of the answers that were judged, 0 to 1",
                CONFIDENCE_BUCKETS,
                &["model"],
            )?,
        })
    }
}

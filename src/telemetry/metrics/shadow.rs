//! Metrics of copies to shadow models.
//!
//! What a reader could get wrong: what a copy costs is here alone, not in `tidegate_cost_usd_total`: no tenant asked for it.

use prometheus::{CounterVec, HistogramVec, IntCounterVec, Opts};

use super::Build;

/// Shares of words that two answers have in common; beyond the last bound they are the same.
const AGREEMENT_BUCKETS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.999, 1.0];

/// What became of copies.
#[derive(Debug)]
pub struct Shadow {
    /// `route, rule, model, result` (`same`, `different`, `failed`, `skipped`)
    pub results: IntCounterVec,
    /// `model`
    pub cost: CounterVec,
    /// `route, rule, model`
    pub agreement: HistogramVec,
}

impl Shadow {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Shadow> {
        Ok(Shadow {
            results: build.counters(
                "tidegate_shadow_total",
                "sampled copies of requests by what came of them: the same answer, a different one, none (failed), or no comparison (skipped)",
                &["route", "rule", "model", "result"],
            )?,
            cost: build.register(CounterVec::new(
                Opts::new("tidegate_shadow_cost_usd_total", "US dollars at the configured prices for copies of requests"),
                &["model"],
            )?)?,
            agreement: build.histograms(
                "tidegate_shadow_agreement",
                "share of words that the answer to a copy has in common with the answer that the client got",
                AGREEMENT_BUCKETS,
                &["route", "rule", "model"],
            )?,
        })
    }
}

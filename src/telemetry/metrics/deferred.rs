//! Metrics of work that is done later.
//!
//! What a reader could get wrong: the gauges are read from the queue when somebody scrapes; the rest is counted by the process that
//! does the work.

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::Build;

/// Seconds from acceptance to the first execution: at once, or when the cloud is back.
const WAIT_BUCKETS: &[f64] =
    &[0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];

/// What waits, what was done.
#[derive(Debug)]
pub struct Deferred {
    /// `state`
    pub jobs: IntGaugeVec,
    pub bytes: IntGauge,
    /// Seconds since the oldest queued job was accepted.
    pub oldest: IntGauge,
    /// `kind, outcome`
    pub finished: IntCounterVec,
    /// `kind, reason`: put back, to be tried later.
    pub postponed: IntCounterVec,
    /// `kind`
    pub wait: HistogramVec,
}

impl Deferred {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Deferred> {
        Ok(Deferred {
            jobs: build.gauges("tidegate_deferred_jobs", "deferred requests that are kept, by state", &["state"])?,
            bytes: build.register(IntGauge::new(
                "tidegate_deferred_bytes",
                "what deferred requests, their answers and files take, in bytes",
            )?)?,
            oldest: build.register(IntGauge::new(
                "tidegate_deferred_oldest_seconds",
                "since when the oldest queued deferred request waits; 0: none does",
            )?)?,
            finished: build.counters(
                "tidegate_deferred_finished_total",
                "deferred requests by what became of them",
                &["kind", "outcome"],
            )?,
            postponed: build.counters(
                "tidegate_deferred_postponed_total",
                "executions of deferred requests that have to be tried again later, by reason",
                &["kind", "reason"],
            )?,
            wait: build.histograms(
                "tidegate_deferred_wait_seconds",
                "from the acceptance of a deferred request to the execution that gave its result",
                WAIT_BUCKETS,
                &["kind"],
            )?,
        })
    }
}

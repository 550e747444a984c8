//! Breakers, retries, hedges, and routes that have to do without the cloud.

use prometheus::{IntCounterVec, IntGaugeVec};

use super::Build;

/// How trouble is met.
#[derive(Debug)]
pub struct Survival {
    /// `upstream, node`: 0 closed, 1 half open, 2 open.
    pub breaker_state: IntGaugeVec,
    /// `upstream, reason`: further attempts at the same upstream.
    pub retries: IntCounterVec,
    /// `upstream`: those that the budget did not allow.
    pub retries_denied: IntCounterVec,
    /// `upstream, result`: attempts beside a slow one; `won`, `lost`, `failed`.
    pub hedges: IntCounterVec,
    /// `upstream`: requests kept back because the provider had said that its limit is used up.
    pub held_back: IntCounterVec,
    /// `route`: requests that the edge answered because no cloud could be reached.
    pub degraded: IntCounterVec,
}

impl Survival {
    /// What must be there before the first event of an upstream: a rate over a series that is absent is no rate.
    pub fn begin(&self, upstream: &str) {
        self.retries_denied.with_label_values(&[upstream]);
        self.held_back.with_label_values(&[upstream]);
        for result in ["won", "lost", "failed", "left"] {
            self.hedges.with_label_values(&[upstream, result]);
        }
    }

    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Survival> {
        Ok(Survival {
            breaker_state: build.gauges(
                "tidegate_breaker_state",
                "0 while the node is asked as usual, 1 while single requests find out, 2 while it is left alone",
                &["upstream", "node"],
            )?,
            retries: build.counters(
                "tidegate_retries_total",
                "further attempts at the same upstream, by what went wrong before",
                &["upstream", "reason"],
            )?,
            retries_denied: build.counters(
                "tidegate_retries_denied_total",
                "further attempts that the retry budget did not allow",
                &["upstream"],
            )?,
            hedges: build.counters(
                "tidegate_hedges_total",
                "attempts beside a slow one, by what came of them",
                &["upstream", "result"],
            )?,
            held_back: build.counters(
                "tidegate_held_back_total",
                "attempts not made because the provider had said that its limit is used up",
                &["upstream"],
            )?,
            degraded: build.counters(
                "tidegate_degraded_total",
                "requests that the edge answered because no cloud could be reached",
                &["route"],
            )?,
        })
    }
}

//! Metrics of what is remembered.
//!
//! What a reader could get wrong: a request that was answered from disk missed in memory first, so it counts in both tiers; each request counts once
//! in `tidegate_cache_tenant_requests_total`.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Build;

/// As long as it lives, one more request follows another one's call.
#[derive(Debug)]
pub struct Following(IntGauge);

impl Following {
    pub fn begin(gauge: &IntGauge) -> Following {
        gauge.inc();
        Following(gauge.clone())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What was remembered, and what that was good for.
#[derive(Debug)]
pub struct Cache {
    /// `tier` (`memory`, `semantic`, `flight`, `disk`, `shared`), `result`
    pub requests: IntCounterVec,
    pub memory_hit: IntCounter,
    pub memory_miss: IntCounter,
    /// `tenant`, `result` (`hit`, `semantic`, `coalesced`, `miss`, `off`)
    pub tenants: IntCounterVec,
    /// Requests that wait for, or follow, an answer that another one asked for.
    pub following: IntGauge,
    /// `tier`
    pub bytes: IntGaugeVec,
    /// `tier`: what it may take.
    pub capacity: IntGaugeVec,
    /// `tier`
    pub entries: IntGaugeVec,
    /// `by` (`all`, `route`, `tenant`, `model`, `key`)
    pub purged: IntCounterVec,
    /// `route`, `result` (`right`, `wrong`, `unknown`)
    pub verified: IntCounterVec,
    /// `route`
    pub semantic_threshold: GaugeVec,
}

impl Cache {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Cache> {
        let requests = build.counters(
            "tidegate_cache_requests_total",
            "lookups by tier (memory, semantic, flight, disk, shared) and result",
            &["tier", "result"],
        )?;
        Ok(Cache {
            memory_hit: requests.with_label_values(&["memory", "hit"]),
            memory_miss: requests.with_label_values(&["memory", "miss"]),
            requests,
            tenants: build.counters(
                "tidegate_cache_tenant_requests_total",
                "requests by tenant and what the cache was to them (hit, semantic, coalesced, miss, off)",
                &["tenant", "result"],
            )?,
            following: build.register(IntGauge::new(
                "tidegate_cache_following",
                "requests that wait for, or follow, an answer that another one has asked for",
            )?)?,
            bytes: build.gauges("tidegate_cache_bytes", "bytes kept, by tier", &["tier"])?,
            capacity: build.gauges("tidegate_cache_capacity_bytes", "bytes that may be kept, by tier", &["tier"])?,
            entries: build.gauges("tidegate_cache_entries", "answers kept, by tier", &["tier"])?,
            purged: build.counters(
                "tidegate_cache_purged_total",
                "answers purged, by what they were named by",
                &["by"],
            )?,
            verified: build.counters(
                "tidegate_cache_verified_total",
                "semantic hits that were asked for upstream all the same, by whether they were right",
                &["route", "result"],
            )?,
            semantic_threshold: build.reals(
                "tidegate_cache_semantic_threshold",
                "probability from which a question in other words is answered from memory",
                &["route"],
            )?,
        })
    }
}

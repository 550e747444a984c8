//! Metrics of edge pools: what their nodes say of themselves, and what sending prompts after their beginnings saves.
//!
//! What a reader could get wrong: gauges of a node are its own word, at most one health check old; a node that tells nothing has none.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::Build;

/// Metrics of pools.
#[derive(Debug)]
pub struct Pool {
    /// Requests that wait for a place. `upstream`
    pub queue_depth: IntGaugeVec,
    /// `upstream, result` (`hit`, `miss`)
    pub prefix_tokens: IntCounterVec,
    /// `upstream, node`
    pub draining: IntGaugeVec,
    /// `upstream, node`
    pub running: IntGaugeVec,
    /// `upstream, node`
    pub waiting: IntGaugeVec,
    /// `upstream, node`
    pub slots: IntGaugeVec,
    /// `upstream, node`
    pub cache_used: GaugeVec,
}

impl Pool {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Pool> {
        let node = &["upstream", "node"];
        Ok(Pool {
            queue_depth: build.gauges(
                "tidegate_queue_depth",
                "requests that wait for a place at a node of the upstream",
                &["upstream"],
            )?,
            prefix_tokens: build.counters(
                "tidegate_prefix_tokens_total",
                "prompt tokens sent to a node that was taken to have them in its KV cache (hit) or not (miss), where `balance: prefix`",
                &["upstream", "result"],
            )?,
            draining: build.gauges("tidegate_node_draining", "1 while the node gets nothing new", node)?,
            running: build.gauges("tidegate_node_requests_running", "requests that the node says it works on", node)?,
            waiting: build.gauges("tidegate_node_requests_waiting", "requests that the node says wait there", node)?,
            slots: build.gauges("tidegate_node_slots", "requests that the node says it works on at once", node)?,
            cache_used: build.reals(
                "tidegate_node_cache_used_ratio",
                "part of its KV cache that the node says is in use",
                node,
            )?,
        })
    }

    /// Nodes that have gone disappear from the scrape.
    pub fn reset_nodes(&self) {
        for gauges in [&self.draining, &self.running, &self.waiting, &self.slots] {
            gauges.reset();
        }
        self.cache_used.reset();
    }
}

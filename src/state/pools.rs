//! Pools and their nodes as the admin listener sees them, and nodes taken out and back in by hand.
//!
//! What a reader could get wrong: a node is named by its place in the configuration or a number, never by its address; that is nobody's
//! business here.

use serde_json::{Value, json};

use super::admin::Admin;
use crate::upstream::{Node, Upstream};

/// Thousandths.
const WHOLE: f64 = 1000.0;

impl Admin {
    /// Gauges of nodes, read now.
    pub(super) fn nodes(&self) {
        let metrics = &self.shared.durable.metrics;
        let snapshot = self.shared.snapshot();
        // Nodes that have gone with a reload disappear from the scrape.
        metrics.upstream_up.reset();
        metrics.upstream_in_flight.reset();
        metrics.survival.breaker_state.reset();
        metrics.pool.queue_depth.reset();
        metrics.pool.reset_nodes();
        for upstream in &snapshot.upstreams {
            let waiting = i64::try_from(upstream.pool.waiting()).unwrap_or(i64::MAX);
            metrics.pool.queue_depth.with_label_values(&[&upstream.name]).set(waiting);
            for node in upstream.pool.nodes() {
                let labels = [upstream.name.as_str(), node.label.as_str()];
                metrics.upstream_up.with_label_values(&labels).set(i64::from(node.is_up()));
                let state = node.breaker.state(node.elapsed_ms());
                metrics.survival.breaker_state.with_label_values(&labels).set(state as i64);
                metrics.upstream_in_flight.with_label_values(&labels).set(i64::from(node.in_flight()));
                metrics.pool.draining.with_label_values(&labels).set(i64::from(node.load.is_draining()));
                let report = node.load.report();
                let told = [
                    (&metrics.pool.running, report.running),
                    (&metrics.pool.waiting, report.waiting),
                    (&metrics.pool.slots, node.load.slots()),
                ];
                for (gauge, value) in told {
                    if let Some(value) = value {
                        gauge.with_label_values(&labels).set(i64::from(value));
                    }
                }
                if let Some(used) = report.cache_used {
                    metrics.pool.cache_used.with_label_values(&labels).set(used);
                }
            }
        }
    }

    /// Every upstream with its nodes.
    pub fn upstreams(&self) -> Value {
        let snapshot = self.shared.snapshot();
        Value::Array(snapshot.upstreams.iter().map(|upstream| shown(upstream)).collect())
    }

    /// Takes a node of an upstream out of its pool by hand, or back in. It holds until the other is asked for or the gateway ends.
    ///
    /// # Errors
    /// The status, and what is not there.
    pub fn drain(&self, upstream: &str, node: &str, drain: bool) -> Result<Value, (u16, String)> {
        let snapshot = self.shared.snapshot();
        let found = snapshot.upstreams.iter().find(|found| found.name == upstream);
        let found =
            found.ok_or_else(|| (404, "there is no such upstream, GET /api/upstreams lists them".to_owned()))?;
        if !found.pool.drain(node, drain) {
            return Err((404, "the upstream has no such node, GET /api/upstreams lists them".to_owned()));
        }
        tracing::info!(upstream, node, drain, "a node is drained or takes part again, by hand");
        Ok(shown(found))
    }
}

fn shown(upstream: &Upstream) -> Value {
    let mut nodes = upstream.pool.nodes();
    // 2 before 10.
    nodes.sort_by(|a, b| (a.label.len(), &a.label).cmp(&(b.label.len(), &b.label)));
    let nodes: Vec<Value> = nodes.iter().map(|node| one(upstream, node)).collect();
    json!({
        "name": upstream.name,
        "placement": upstream.placement_name(),
        "available": upstream.pool.is_available(),
        "waiting": upstream.pool.waiting(),
        "nodes": nodes,
    })
}

fn one(upstream: &Upstream, node: &Node) -> Value {
    let load = &node.load;
    let report = load.report();
    let share = f64::from(load.share(upstream.section.slow_start())) / WHOLE;
    json!({
        "node": node.label,
        "up": node.is_up(),
        "in_flight": node.in_flight(),
        "weight": f64::from(load.weight()) / WHOLE,
        "share": share,
        "starting_slowly": share < f64::from(load.weight()) / WHOLE,
        "draining": load.is_draining(),
        "priority": load.tier(),
        "pending_tokens": load.pending(),
        "others": load.others(),
        "slots": load.slots(),
        "running": report.running,
        "waiting": report.waiting,
        "cache_used": report.cache_used,
        "cache_tokens": report.cache_tokens,
        "cached_tokens": load.cached_tokens(),
        "models": load.models(),
    })
}

//! What the admin listener shows of the state.

use std::sync::Arc;

use serde_json::{Value, json};

use super::reload::Reloader;
use super::{Shared, Snapshot};
use crate::config::file::Placement;

/// The state as the admin listener sees it.
#[derive(Debug)]
pub struct Admin {
    pub shared: Arc<Shared>,
    pub reloader: Arc<Reloader>,
}

impl Admin {
    /// Metrics in Prometheus' text format; gauges are read now.
    pub fn metrics(&self) -> String {
        let metrics = &self.shared.durable.metrics;
        let snapshot = self.shared.snapshot();
        self.nodes();
        self.money(&snapshot);
        self.routing(&snapshot);
        self.shared.measure_cache(&snapshot);
        metrics.render()
    }

    /// Gauges of budgets, lines and books, as they are now.
    fn money(&self, snapshot: &Snapshot) {
        let metrics = &self.shared.durable.metrics;
        let now = jiff::Timestamp::now().as_microsecond();
        metrics.money.budget_used.reset();
        metrics.money.app_budget_used.reset();
        for tenant in snapshot.tenants.tenants() {
            if let Some(budget) = &tenant.budget {
                metrics.money.budget_used.with_label_values(&[&tenant.name]).set(1.0 - budget.left(now));
            }
            for (app, section) in &tenant.apps {
                if let Some(budget) = &section.budget {
                    let used = metrics.money.app_budget_used.with_label_values(&[&tenant.name, app]);
                    used.set(1.0 - budget.left(now));
                }
            }
        }
        if let Some(books) = &self.shared.durable.books {
            let (pending, backlog, failures) = books.condition();
            let set = |kind, bytes: u64| {
                metrics.money.journal_bytes.with_label_values(&[kind]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            };
            set("pending", pending as u64);
            set("backlog", backlog);
            metrics.money.journal_failures.set(i64::try_from(failures).unwrap_or(i64::MAX));
        }
    }

    /// Where each route's boundary stands, and how much the providers push back.
    fn routing(&self, snapshot: &Snapshot) {
        let routing = &self.shared.durable.metrics.routing;
        routing.threshold.reset();
        routing.cloud_share.reset();
        routing.pressure.reset();
        for (name, entry) in &snapshot.routes {
            // Under its own name only, and not for a model that stands for itself.
            if *name != entry.route.name || !entry.is_decided {
                continue;
            }
            routing.threshold.with_label_values(&[name]).set(entry.threshold.read(entry.cloud_pressure(), None).value);
            if let Some(share) = entry.threshold.cloud_share() {
                routing.cloud_share.with_label_values(&[name]).set(share);
            }
        }
        for upstream in snapshot.upstreams.iter().filter(|upstream| upstream.placement() == Placement::Cloud) {
            routing.pressure.with_label_values(&[&upstream.name]).set(upstream.pressure.now());
        }
    }

    /// Ready as long as one upstream has a node: a gateway whose cloud is unreachable still serves from the edge.
    pub fn ready(&self) -> Result<(), String> {
        let snapshot = self.shared.snapshot();
        if snapshot.upstreams.iter().any(|upstream| upstream.pool.is_available()) {
            return Ok(());
        }
        Err("no upstream has a healthy node".into())
    }

    /// The usage ledger's answer: content type and body. Blocks.
    pub fn usage(&self, parameters: &str) -> Result<(&'static str, String), String> {
        match &self.shared.durable.books {
            Some(books) => books.usage(parameters),
            None => Err("the ledger is off".into()),
        }
    }

    /// The configuration in force, secrets masked.
    pub fn config(&self) -> Value {
        let snapshot = self.shared.snapshot();
        json!({"generation": snapshot.generation, "hash": snapshot.hash, "config": snapshot.shown})
    }

    /// The generation after the reload, or all problems.
    pub async fn reload(&self) -> Result<u64, String> {
        self.reloader.reload().await
    }
}

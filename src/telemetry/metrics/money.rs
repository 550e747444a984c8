//! Metrics of tokens, money, limits and the books.
//!
//! What a reader could get wrong: the gauges of budgets are read when somebody scrapes; between two scrapes they stand still.

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::Build;

/// What was used, what it cost, and what was refused for it.
#[derive(Debug)]
pub struct Money {
    /// `tenant, placement, model, kind`
    pub tokens: IntCounterVec,
    /// `tenant, placement, model`
    pub cost: prometheus::CounterVec,
    /// `tenant, placement, model`: attempts whose price is not known.
    pub cost_unknown: IntCounterVec,
    /// `tenant, by` (`edge`, `cache`)
    pub saved: prometheus::CounterVec,
    /// `tenant, limit`
    pub rate_limited: IntCounterVec,
    /// `tenant`: the share of the budget that is spent or reserved.
    pub budget_used: GaugeVec,
    /// `tenant, app`: the same of an app's own budget.
    pub app_budget_used: GaugeVec,
    /// `kind` (`pending`: in memory, `backlog`: on disk and not yet in the books)
    pub journal_bytes: IntGaugeVec,
    /// Failed writes of the journal.
    pub journal_failures: IntGauge,
}

impl Money {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Money> {
        Ok(Money {
            tokens: build.counters(
                "tidegate_tokens_total",
                "tokens by kind (prompt, completion, cached, reasoning), as the upstream counted them",
                &["tenant", "placement", "model", "kind"],
            )?,
            cost: build.register(prometheus::CounterVec::new(
                Opts::new("tidegate_cost_usd_total", "US dollars at the configured prices"),
                &["tenant", "placement", "model"],
            )?)?,
            cost_unknown: build.counters(
                "tidegate_cost_unknown_total",
                "attempts whose cost is not known, because their model has no price",
                &["tenant", "placement", "model"],
            )?,
            saved: build.register(prometheus::CounterVec::new(
                Opts::new(
                    "tidegate_saved_usd_total",
                    "US dollars that the dearest allowed target would have cost beyond what was paid",
                ),
                &["tenant", "by"],
            )?)?,
            rate_limited: build.counters(
                "tidegate_rate_limited_total",
                "requests refused by a limit, a budget or for load",
                &["tenant", "limit"],
            )?,
            budget_used: build.register(GaugeVec::new(
                Opts::new("tidegate_budget_used_ratio", "share of the tenant's budget that is spent or reserved"),
                &["tenant"],
            )?)?,
            app_budget_used: build.register(GaugeVec::new(
                Opts::new("tidegate_app_budget_used_ratio", "share of an app's own budget that is spent or reserved"),
                &["tenant", "app"],
            )?)?,
            journal_bytes: build.gauges(
                "tidegate_journal_bytes",
                "bytes of the journal: pending in memory, backlog on disk that the ledger has not taken yet",
                &["kind"],
            )?,
            journal_failures: build.register(IntGauge::new(
                "tidegate_journal_write_failures",
                "failed writes of the journal since the start",
            )?)?,
        })
    }
}

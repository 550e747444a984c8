//! Every metric, its name, labels and buckets. Names and labels are the contract; values of labels come from the configuration.
//!
//! What a reader could get wrong: nothing on the request's path looks a label up. Handles are resolved when a snapshot is built
//! (`TargetMetrics`, `state::Lane`); gauges of nodes are read when somebody scrapes.

mod cache;
mod deferred;
mod money;
mod pool;
mod private;
mod routing;
mod shadow;
mod survival;

use std::sync::OnceLock;

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use cache::{Cache, Following};
pub use deferred::Deferred;
pub use money::Money;
pub use pool::Pool;
pub use private::Private;
pub use routing::Routing;
pub use shadow::Shadow;
pub use survival::Survival;

/// Seconds of a whole request: an edge model answers in tens of milliseconds, a reasoning model in minutes.
const REQUEST_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0, 600.0];
/// Seconds until the first token.
const FIRST_TOKEN_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds that the gateway itself added: microseconds, hopefully.
const OVERHEAD_BUCKETS: &[f64] =
    &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 5e-2, 0.25, 1.0];

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// `route, tenant, placement, model, rule, outcome`
    pub requests: IntCounterVec,
    /// `placement, model, stream`
    pub request_seconds: HistogramVec,
    /// `placement, model`
    pub first_token_seconds: HistogramVec,
    /// Phase `decide`: from the request's head to the plan, the body's arrival not counted.
    pub overhead_decide: Histogram,
    /// Phase `request`: all time of the request that was not spent waiting for client or upstream, until the answer's head.
    pub overhead_request: Histogram,
    /// `upstream`: waiting for a place at a node.
    pub wait_seconds: HistogramVec,
    /// `from, to, reason`
    pub fallbacks: IntCounterVec,
    /// `upstream, node`
    pub upstream_up: IntGaugeVec,
    /// `upstream, node`
    pub upstream_in_flight: IntGaugeVec,
    pub pool: Pool,
    pub money: Money,
    pub routing: Routing,
    pub shadow: Shadow,
    pub private: Private,
    pub cache: Cache,
    pub deferred: Deferred,
    pub survival: Survival,
    /// Must stay 0: counted at the last place before the socket.
    pub locality_violations: IntCounter,
    /// `result`
    pub reloads: IntCounterVec,
    pub generation: IntGauge,
    /// `model`
    pub retires_in_days: IntGaugeVec,
    /// `route, rule`: conditions that failed to evaluate.
    pub rule_errors: IntCounterVec,
}

/// The handles of one target, resolved once.
#[derive(Debug, Clone)]
pub struct TargetMetrics {
    pub request_plain: Histogram,
    pub request_stream: Histogram,
    pub first_token: Histogram,
    /// By the tenant's index; 0 is nobody.
    lanes: Box<[OnceLock<Lane>]>,
}

/// The handles of one target for one tenant, resolved when first used.
#[derive(Debug, Clone)]
pub struct Lane {
    pub prompt: IntCounter,
    pub completion: IntCounter,
    pub cached: IntCounter,
    pub reasoning: IntCounter,
    pub cost: prometheus::Counter,
    pub cost_unknown: IntCounter,
}

impl TargetMetrics {
    /// The lane of the tenant with this index.
    pub fn lane(&self, index: usize, resolve: impl FnOnce() -> Lane) -> Option<&Lane> {
        self.lanes.get(index).map(|lane| lane.get_or_init(resolve))
    }
}

impl Metrics {
    /// Registers everything. Fails only if two metrics share a name, which a test rules out.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let build = Build(&registry);
        let overhead = build.histograms(
            "tidegate_overhead_seconds",
            "time that the gateway itself added, by phase",
            OVERHEAD_BUCKETS,
            &["phase"],
        )?;
        let metrics = Metrics {
            requests: build.counters(
                "tidegate_requests_total",
                "requests by route, rule, placement and outcome",
                &["route", "tenant", "placement", "model", "rule", "outcome"],
            )?,
            request_seconds: request_seconds(&build)?,
            first_token_seconds: build.histograms(
                "tidegate_first_token_seconds",
                "from the request's arrival to the first token of the answer",
                FIRST_TOKEN_BUCKETS,
                &["placement", "model"],
            )?,
            overhead_decide: overhead.with_label_values(&["decide"]),
            overhead_request: overhead.with_label_values(&["request"]),
            wait_seconds: build.histograms(
                "tidegate_wait_seconds",
                "waiting for a place at a node of the upstream",
                FIRST_TOKEN_BUCKETS,
                &["upstream"],
            )?,
            fallbacks: build.counters(
                "tidegate_fallbacks_total",
                "attempts that another target took over",
                &["from", "to", "reason"],
            )?,
            upstream_up: build.gauges(
                "tidegate_upstream_up",
                "1 while the node is asked as usual: there, not left alone, not silent, not much slower than the others",
                &["upstream", "node"],
            )?,
            upstream_in_flight: build.gauges(
                "tidegate_upstream_in_flight",
                "requests that the node is working on for this gateway",
                &["upstream", "node"],
            )?,
            locality_violations: build.register(IntCounter::new(
                "tidegate_locality_violations_total",
                "requests bound to the edge that were stopped in front of a cloud socket; must stay 0",
            )?)?,
            reloads: build.counters("tidegate_config_reloads_total", "configuration reloads", &["result"])?,
            generation: build.register(IntGauge::new(
                "tidegate_config_generation",
                "counts the configurations that have been in force",
            )?)?,
            retires_in_days: build.gauges(
                "tidegate_model_retires_in_days",
                "days until the model is refused",
                &["model"],
            )?,
            rule_errors: build.counters(
                "tidegate_rule_errors_total",
                "conditions that could not be evaluated and counted as not matched",
                &["route", "rule"],
            )?,
            pool: Pool::new(&build)?,
            money: Money::new(&build)?,
            routing: Routing::new(&build)?,
            shadow: Shadow::new(&build)?,
            private: Private::new(&build)?,
            cache: Cache::new(&build)?,
            deferred: Deferred::new(&build)?,
            survival: Survival::new(&build)?,
            registry: registry.clone(),
        };
        metrics.begin()?;
        Ok(metrics)
    }

    /// What must be there before the first event: a rate over a series that is absent is no rate.
    fn begin(&self) -> prometheus::Result<()> {
        for result in ["applied", "rejected"] {
            self.reloads.with_label_values(&[result]);
        }
        // Linux only: elsewhere the process figures are missing, the rest works.
        #[cfg(target_os = "linux")]
        self.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(())
    }

    /// The handles of a target, for that many tenants.
    pub fn target(&self, placement: &str, model: &str, tenants: usize) -> TargetMetrics {
        TargetMetrics {
            request_plain: self.request_seconds.with_label_values(&[placement, model, "false"]),
            request_stream: self.request_seconds.with_label_values(&[placement, model, "true"]),
            first_token: self.first_token_seconds.with_label_values(&[placement, model]),
            lanes: (0..=tenants).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The handles of a target for a tenant.
    pub fn lane(&self, tenant: &str, placement: &str, model: &str) -> Lane {
        let tokens = |kind| self.money.tokens.with_label_values(&[tenant, placement, model, kind]);
        Lane {
            prompt: tokens("prompt"),
            completion: tokens("completion"),
            cached: tokens("cached"),
            reasoning: tokens("reasoning"),
            cost: self.money.cost.with_label_values(&[tenant, placement, model]),
            cost_unknown: self.money.cost_unknown.with_label_values(&[tenant, placement, model]),
        }
    }

    /// The exposition in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut out = Vec::with_capacity(16 << 10);
        // Writing to memory cannot fail but for a metric without a name, which registering refuses.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Creates and registers in one step.
struct Build<'r>(&'r Registry);

impl Build<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn reals(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> prometheus::Result<HistogramVec> {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }
}

fn request_seconds(build: &Build<'_>) -> prometheus::Result<HistogramVec> {
    build.histograms(
        "tidegate_request_seconds",
        "whole requests, the answer's end included",
        REQUEST_BUCKETS,
        &["placement", "model", "stream"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_once_and_the_contract_names_are_there() {
        let metrics = Metrics::new().unwrap();
        metrics.lane("", "edge", "small").prompt.inc_by(3);
        let text = metrics.render();
        assert!(
            text.contains(r#"tidegate_tokens_total{kind="prompt",model="small",placement="edge",tenant=""} 3"#),
            "{text}"
        );
        assert!(text.contains(r#"tidegate_config_reloads_total{result="rejected"} 0"#), "{text}");
        assert!(text.contains("tidegate_locality_violations_total 0"), "{text}");
        assert!(text.contains("process_cpu_seconds_total"), "{text}");
    }
}

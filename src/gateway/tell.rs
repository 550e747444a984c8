//! What a finished request tells metrics and the log.
//!
//! What a reader could get wrong: no label comes from the client: tenants, models and rules are those of the configuration.

use super::books::Costs;
use super::recall::{How, Remembered};
use super::record::{Record, micros};
use super::tries::OK;
use crate::cache::entry::Counters;
use crate::config::file::Placement;
use crate::error::Kind;
use crate::telemetry::access::Line;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;
use crate::upstream::price::NANOS_PER_USD;

impl Record {
    pub(super) fn measure(&self, outcome: Option<Kind>, costs: &Costs) {
        let metrics = &self.gateway.shared.durable.metrics;
        metrics.overhead_request.observe(self.overhead.as_secs_f64());
        if !matches!((&self.remembered, outcome), (Remembered::Known(_, How::Exact), None)) {
            self.count(metrics, outcome);
            self.count_remembered(metrics);
        }
        for (attempt, cost) in self.tries.iter().zip(&costs.attempts) {
            let Some(target) = &attempt.target else { continue };
            let tenant = self.admission.tenant();
            let (index, name) = tenant.map_or((0, ""), |tenant| (tenant.index, tenant.name.as_str()));
            let Some(lane) =
                target.metrics.lane(index, || metrics.lane(name, target.upstream.placement_name(), &target.name))
            else {
                continue;
            };
            let usage = &attempt.usage;
            if *usage != Default::default() {
                lane.prompt.inc_by(usage.prompt);
                lane.completion.inc_by(usage.completion);
                lane.cached.inc_by(usage.cached);
                lane.reasoning.inc_by(usage.reasoning);
            }
            match cost {
                Some(cost) => lane.cost.inc_by(cost.usd as f64 / NANOS_PER_USD),
                None => lane.cost_unknown.inc(),
            }
        }
        self.pay_threshold(costs);
        if let Some(difficulty) = self.seen.difficulty {
            metrics.routing.difficulty.observe(difficulty);
        }
        if let Some(counters) = self.count_known(metrics, outcome) {
            counters.saved.inc_by(costs.saving as f64 / NANOS_PER_USD);
        } else if costs.saving > 0 {
            let by = if self.remembered.is_saving() { "cache" } else { "edge" };
            let saved = metrics.money.saved.with_label_values(&[self.tenant_name(), by]);
            saved.inc_by(costs.saving as f64 / NANOS_PER_USD);
        }
        if let Some(told) = &self.private {
            told.count(self.target.as_ref().map(|(_, target)| target.upstream.placement()), &metrics.private.found);
        }
        let Some((_, target)) = &self.target else { return };
        let handles = &target.metrics;
        let seconds = if self.stream { &handles.request_stream } else { &handles.request_plain };
        seconds.observe(self.age().as_secs_f64());
        if let Some(first) = self.first_token {
            handles.first_token.observe(first.as_secs_f64());
        }
    }

    /// What the cloud has cost is told to the route's threshold, which may have to spread it.
    fn pay_threshold(&self, costs: &Costs) {
        let Some(entry) = &self.route else { return };
        let is_cloud = |upstream: &Upstream| upstream.placement() == Placement::Cloud;
        let cloud = self.tries.iter().zip(&costs.attempts).filter(|(attempt, _)| is_cloud(&attempt.upstream));
        let paid = cloud.filter_map(|(_, cost)| *cost).map(|cost| cost.usd).sum();
        if paid > 0 {
            entry.threshold.paid(paid, self.arrived_us());
        }
    }

    /// The same question again, answered well: the usual case of a cache that is worth having. Its counters were looked up before.
    fn count_known(&self, metrics: &Metrics, outcome: Option<Kind>) -> Option<&Counters> {
        let Remembered::Known(entry, How::Exact) = &self.remembered else { return None };
        if outcome.is_some() {
            return None;
        }
        let tenant = self.tenant_name();
        let counters = entry.counters(|| {
            let (route, rule) = self.names();
            let labels = [route, tenant, "cache", &entry.facts.model, rule, OK];
            Counters {
                requests: metrics.requests.with_label_values(&labels),
                tenant: metrics.cache.tenants.with_label_values(&[tenant, self.remembered.label()]),
                saved: metrics.money.saved.with_label_values(&[tenant, "cache"]),
            }
        });
        counters.requests.inc();
        counters.tenant.inc();
        Some(counters)
    }

    /// Requests that name a model, by what the cache was to them.
    fn count_remembered(&self, metrics: &Metrics) {
        if self.snapshot.cache.is_some() && self.route.is_some() {
            metrics.cache.tenants.with_label_values(&[self.tenant_name(), self.remembered.label()]).inc();
        }
    }

    /// What sharing a call came to: `coalesced`, or `alone` where the answer could not be shared.
    pub(super) fn count_flight(&self, result: &str) {
        self.shared().durable.metrics.cache.requests.with_label_values(&["flight", result]).inc();
    }

    /// One more request; the usual series is resolved once.
    fn count(&self, metrics: &Metrics, outcome: Option<Kind>) {
        let rule = self.route.as_ref().zip(self.rule).and_then(|(route, rule)| route.rules.get(rule));
        let (route_name, rule_name) = self.names();
        let resolve = || {
            let (placement, model) = self.answered_by();
            let outcome = outcome.map_or(OK, Kind::label);
            let labels = &[route_name, self.tenant_name(), placement, model, rule_name, outcome];
            metrics.requests.with_label_values(labels)
        };
        let tenant = self.admission.tenant().map_or(0, |tenant| tenant.index);
        let resolved = self.target.as_ref().zip(rule).filter(|_| outcome.is_none());
        match resolved.and_then(|((id, _), rule)| rule.ok(*id, tenant, resolve)) {
            Some(counter) => counter.inc(),
            None => resolve().inc(),
        }
    }

    /// Placement and model of the answer, as labels.
    fn answered_by(&self) -> (&str, &str) {
        match (&self.target, &self.remembered) {
            (Some((_, target)), _) => (target.upstream.placement_name(), &target.name),
            (None, Remembered::Known(entry, _)) => ("cache", &entry.facts.model),
            (None, Remembered::Shared(head)) => ("cache", head.settled.get().map_or("", |s| &s.facts.model)),
            (None, _) => ("", ""),
        }
    }

    /// Route and rule, as labels: empty where none was reached; `passthrough` for everything that is not routed by model.
    pub(super) fn names(&self) -> (&str, &str) {
        let Some(entry) = &self.route else {
            return (if self.elsewhere.is_some() { "passthrough" } else { "" }, "");
        };
        let rule = self.rule.and_then(|i| entry.route.rules.get(i)).map_or("", |rule| rule.name.as_str());
        (&entry.route.name, rule)
    }

    pub(super) fn line<'a>(&'a self, outcome: Option<Kind>, attempts: &'a str) -> Line<'a> {
        let (route, rule) = self.names();
        let (placement, model) = self.answered_by();
        let target = self.target.as_ref().map(|(_, target)| target);
        let upstream = target.map(|t| &t.upstream).or(self.elsewhere.as_ref());
        let usage = self.tries.last().map(|attempt| attempt.usage).unwrap_or_default();
        Line {
            request_id: self.request_id(),
            tenant: self.tenant_name(),
            method: self.method.as_str(),
            path: self.uri.path(),
            status: self.status_sent(),
            outcome: outcome.map_or(OK, Kind::label),
            route,
            rule,
            model,
            upstream: upstream.map_or("", |u| u.name.as_str()),
            placement: upstream.map_or(placement, |u| u.placement_name()),
            attempts,
            stream: self.stream,
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            first_token_us: micros(self.first_token.unwrap_or_default()),
            total_us: micros(self.age()),
            overhead_us: micros(self.overhead),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        self.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or("")
    }

    /// nginx's 499 where the client left before an answer.
    pub(super) fn status_sent(&self) -> u16 {
        if self.status == 0 { 499 } else { self.status }
    }
}

//! What is known of a request, from its first byte to its last: filled in by the stages, told once at the end to metrics and log.
//!
//! What a reader could get wrong: a record that is dropped without `close` means that the client went away; it is told all the same.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, StatusCode, Uri};
use smallvec::SmallVec;

use super::Gateway;
use crate::error::Kind;
use crate::openai::usage::Usage;
use crate::policy::TargetId;
use crate::state::{RouteEntry, Shared, Snapshot};
use crate::telemetry::access::Line;
use crate::telemetry::metrics::NO_TENANT;
use crate::upstream::Target;
use crate::upstream::price::{Day, NANOS_PER_USD};

/// How an attempt ended, for `x-tidegate-attempts`: `ok` or an error's label.
const OK: &str = "ok";

/// One request's facts.
#[derive(Debug)]
pub struct Record {
    pub snapshot: Arc<Snapshot>,
    gateway: Gateway,
    started: Instant,
    arrived: tokio::time::Instant,
    /// Time spent waiting for the client's body or the upstream.
    waited: Duration,
    /// Of that, for the upstream.
    pub upstream_wait: Duration,
    method: Method,
    uri: Uri,
    request_id: Option<HeaderValue>,
    pub stream: bool,
    pub route: Option<Arc<RouteEntry>>,
    /// Index of the rule that matched.
    pub rule: Option<usize>,
    pub target: Option<(TargetId, Arc<Target>)>,
    /// Where a passed-through request went.
    pub elsewhere: Option<Arc<crate::upstream::Upstream>>,
    attempts: SmallVec<[(Arc<Target>, &'static str); 2]>,
    pub usage: Usage,
    first_token: Option<Duration>,
    overhead: Duration,
    status: u16,
    closed: bool,
}

impl Record {
    pub fn open<B>(gateway: &Gateway, snapshot: Arc<Snapshot>, request: &Request<B>) -> Record {
        Record {
            snapshot,
            gateway: gateway.clone(),
            started: Instant::now(),
            arrived: tokio::time::Instant::now(),
            waited: Duration::ZERO,
            upstream_wait: Duration::ZERO,
            method: request.method().clone(),
            uri: request.uri().clone(),
            request_id: request.headers().get("x-request-id").cloned(),
            stream: false,
            route: None,
            rule: None,
            target: None,
            elsewhere: None,
            attempts: SmallVec::new(),
            usage: Usage::default(),
            first_token: None,
            overhead: Duration::ZERO,
            status: 0,
            closed: false,
        }
    }

    pub fn shared(&self) -> &Shared {
        &self.gateway.shared
    }

    /// When the request's head was here.
    pub fn arrived(&self) -> tokio::time::Instant {
        self.arrived
    }

    /// Time since the request's head was here.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Awaits something that is not the gateway's own work.
    pub async fn waiting<F: Future>(&mut self, future: F) -> F::Output {
        let before = Instant::now();
        let output = future.await;
        self.waited += before.elapsed();
        output
    }

    /// Awaits the upstream.
    pub async fn waiting_upstream<F: Future>(&mut self, future: F) -> F::Output {
        let before = Instant::now();
        let output = future.await;
        let took = before.elapsed();
        self.waited += took;
        self.upstream_wait += took;
        output
    }

    /// An attempt failed.
    pub fn failed_attempt(&mut self, target: &Arc<Target>, kind: Kind) {
        self.attempts.push((Arc::clone(target), kind.label()));
    }

    /// An attempt is answering the client.
    pub fn committed(&mut self, id: TargetId, target: &Arc<Target>) {
        self.first_token = Some(self.age());
        self.target = Some((id, Arc::clone(target)));
    }

    /// The head of the answer is about to go: what the gateway itself has added is known now.
    pub fn head(&mut self, status: StatusCode) -> Duration {
        self.status = status.as_u16();
        self.overhead = self.age().saturating_sub(self.waited);
        self.overhead
    }

    /// Failed attempts and the one that answers: `small:connect,frontier:ok`. The usual case costs nothing.
    pub fn attempts(&self) -> Option<HeaderValue> {
        match (&self.target, self.attempts.is_empty()) {
            (Some((_, target)), true) => Some(target.ok_header.clone()),
            (None, true) => None,
            _ => HeaderValue::try_from(self.attempts_text()).ok(),
        }
    }

    fn attempts_text(&self) -> String {
        let failed = self.attempts.iter().map(|(target, how)| (target.name.as_str(), *how));
        let answering = self.target.as_ref().map(|(_, target)| (target.name.as_str(), OK));
        let all: Vec<String> = failed.chain(answering).map(|(target, how)| format!("{target}:{how}")).collect();
        all.join(",")
    }

    /// The request ended. `None`: well.
    pub fn close(mut self, outcome: Option<Kind>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Option<Kind>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.measure(outcome);
        let durable = &self.gateway.shared.durable;
        if durable.access.is_on() {
            let attempts = self.attempts_text();
            durable.access.write(self.gateway.worker, &self.line(outcome, &attempts));
        }
    }

    fn measure(&self, outcome: Option<Kind>) {
        let metrics = &self.gateway.shared.durable.metrics;
        metrics.overhead_request.observe(self.overhead.as_secs_f64());
        let rule = self.route.as_ref().zip(self.rule).and_then(|(route, rule)| route.rules.get(rule));
        let (route_name, rule_name) = self.names();
        let resolve = || {
            let (placement, model) =
                self.target.as_ref().map_or(("", ""), |(_, t)| (t.upstream.placement_name(), t.name.as_str()));
            let outcome = outcome.map_or(OK, Kind::label);
            metrics.requests.with_label_values(&[route_name, NO_TENANT, placement, model, rule_name, outcome])
        };
        let resolved = self.target.as_ref().zip(rule).filter(|_| outcome.is_none());
        match resolved.and_then(|((id, _), rule)| rule.ok(*id, resolve)) {
            Some(counter) => counter.inc(),
            None => resolve().inc(),
        }
        let Some((_, target)) = &self.target else { return };
        let handles = &target.metrics;
        let seconds = if self.stream { &handles.request_stream } else { &handles.request_plain };
        seconds.observe(self.age().as_secs_f64());
        if let Some(first) = self.first_token {
            handles.first_token.observe(first.as_secs_f64());
        }
        if self.usage != Usage::default() {
            handles.tokens_prompt.inc_by(self.usage.prompt);
            handles.tokens_completion.inc_by(self.usage.completion);
            handles.tokens_cached.inc_by(self.usage.cached);
            handles.tokens_reasoning.inc_by(self.usage.reasoning);
            let busy = match self.usage.compute_us {
                0 => self.age().saturating_sub(self.overhead),
                micros => Duration::from_micros(micros),
            };
            let cost = target.cost(&self.usage, Day::of(jiff::Timestamp::now()), busy).unwrap_or_default();
            handles.cost.inc_by(cost.usd as f64 / NANOS_PER_USD);
        }
    }

    /// Route and rule, as labels: empty where none was reached; `passthrough` for everything that is not routed by model.
    fn names(&self) -> (&str, &str) {
        let Some(entry) = &self.route else {
            return (if self.elsewhere.is_some() { "passthrough" } else { "" }, "");
        };
        let rule = self.rule.and_then(|i| entry.route.rules.get(i)).map_or("", |rule| rule.name.as_str());
        (&entry.route.name, rule)
    }

    fn line<'a>(&'a self, outcome: Option<Kind>, attempts: &'a str) -> Line<'a> {
        let (route, rule) = self.names();
        let target = self.target.as_ref().map(|(_, target)| target);
        let upstream = target.map(|t| &t.upstream).or(self.elsewhere.as_ref());
        Line {
            request_id: self.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or(""),
            method: self.method.as_str(),
            path: self.uri.path(),
            status: if self.status == 0 { 499 } else { self.status },
            outcome: outcome.map_or(OK, Kind::label),
            route,
            rule,
            model: target.map_or("", |t| t.name.as_str()),
            upstream: upstream.map_or("", |u| u.name.as_str()),
            placement: upstream.map_or("", |u| u.placement_name()),
            attempts,
            stream: self.stream,
            prompt_tokens: self.usage.prompt,
            completion_tokens: self.usage.completion,
            first_token_us: micros(self.first_token.unwrap_or_default()),
            total_us: micros(self.age()),
            overhead_us: micros(self.overhead),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tell(Some(Kind::ClientGone));
    }
}

/// Microseconds; no request lasts 584,000 years.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

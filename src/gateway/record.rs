//! What is known of a request, from its first byte to its last: filled in by the stages, told once at the end to metrics, log and books.
//!
//! What a reader could get wrong: a record that is dropped without `close` means that the client went away; it is told all the same.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, StatusCode, Uri};

use super::Gateway;
use super::admit::Admission;
use super::books::Open;
use super::conversation::{self, Turn};
use super::inspect::Told;
use super::keep::Settled;
use super::progressive::Mode;
use super::recall::Remembered;
use super::seen::Seen;
use super::shadow::{self, Shadowing};
use super::trial::Judged;
use super::tries::{INTERRUPTED, OK, Role, Tries, Try, TryId};
use crate::cache::Key;
use crate::config::file::Privacy;
use crate::error::Kind;
use crate::openai::usage::Usage;
use crate::policy::{Decision, TargetId};
use crate::state::{RouteEntry, Shared, Snapshot};
use crate::upstream::price::{Day, NanoUsd};
use crate::upstream::{InFlight, Node, Target, Upstream};

/// One request's facts.
#[derive(Debug)]
pub struct Record {
    pub snapshot: Arc<Snapshot>,
    pub(super) gateway: Gateway,
    started: Instant,
    arrived: tokio::time::Instant,
    /// Microseconds (Unix).
    arrived_us: i64,
    /// Time spent waiting for the client's body or the upstream.
    waited: Duration,
    /// Of that, for the upstream.
    pub upstream_wait: Duration,
    /// Of that, in the queue for a place at a node.
    pub queued: Duration,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) request_id: Option<HeaderValue>,
    pub stream: bool,
    /// What became of the wish for a progressive answer.
    pub mode: Mode,
    pub admission: Admission,
    /// The tier in force.
    pub privacy: Privacy,
    pub route: Option<Arc<RouteEntry>>,
    /// Index of the rule that matched.
    pub rule: Option<usize>,
    pub decision: Option<Decision>,
    pub conversation: Option<Turn>,
    pub shadow: Shadowing,
    pub seen: Seen,
    /// What was found of personal data; `None`: nobody looked.
    pub private: Option<Box<Told>>,
    /// What the cache was to it.
    pub remembered: Remembered,
    /// Under which its answer is kept; `None`: it is not.
    pub cache_key: Option<Key>,
    /// No cloud could be reached: the edge answers in its place.
    pub degraded: bool,
    /// The answer is not the one that the plan was after: it is given, and not kept.
    pub second_best: bool,
    /// Told when it is closed: others wait for its answer.
    pub settles: Option<Arc<Settled>>,
    pub target: Option<(TargetId, Arc<Target>)>,
    /// Where a passed-through request went.
    pub elsewhere: Option<Arc<Upstream>>,
    pub tries: Tries,
    /// What was thought of its answers.
    pub judged: Judged,
    /// What the request may cost at most, and, for what is passed through, what it does cost.
    pub reserved: NanoUsd,
    pub flat_cost: Option<NanoUsd>,
    /// The upstream's own figures.
    pub usage: Option<Usage>,
    /// Tokens of the answer as counted here, for when the upstream says nothing.
    pub produced: u64,
    pub(super) open: Open,
    pub(super) first_token: Option<Duration>,
    pub(super) overhead: Duration,
    pub(super) status: u16,
    closed: bool,
}

impl Record {
    pub fn open<B>(gateway: &Gateway, snapshot: Arc<Snapshot>, request: &Request<B>) -> Box<Record> {
        // Large, and handed on several times: in its place it stays where it is.
        Box::new(Record {
            snapshot,
            gateway: gateway.clone(),
            started: Instant::now(),
            arrived: tokio::time::Instant::now(),
            arrived_us: jiff::Timestamp::now().as_microsecond(),
            waited: Duration::ZERO,
            upstream_wait: Duration::ZERO,
            queued: Duration::ZERO,
            method: request.method().clone(),
            uri: request.uri().clone(),
            request_id: request.headers().get("x-request-id").cloned(),
            stream: false,
            mode: Mode::Unasked,
            admission: Admission::default(),
            privacy: Privacy::default(),
            route: None,
            rule: None,
            decision: None,
            conversation: None,
            shadow: Shadowing::None,
            seen: Seen::default(),
            private: None,
            remembered: Remembered::Off,
            cache_key: None,
            degraded: false,
            second_best: false,
            settles: None,
            target: None,
            elsewhere: None,
            tries: Tries::default(),
            judged: Judged::default(),
            reserved: 0,
            flat_cost: None,
            usage: None,
            produced: 0,
            open: Open::default(),
            first_token: None,
            overhead: Duration::ZERO,
            status: 0,
            closed: false,
        })
    }

    pub fn shared(&self) -> &Shared {
        &self.gateway.shared
    }

    /// The worker that it came to.
    pub fn worker(&self) -> usize {
        self.gateway.worker
    }

    /// When the request's head was here.
    pub fn arrived(&self) -> tokio::time::Instant {
        self.arrived
    }

    /// The same as microseconds (Unix).
    pub fn arrived_us(&self) -> i64 {
        self.arrived_us
    }

    /// The day whose prices hold.
    pub fn day(&self) -> Day {
        Day::of_micros(self.arrived_us)
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

    /// Time went by on the upstream's account.
    pub fn waited_upstream(&mut self, took: Duration) {
        self.waited += took;
        self.upstream_wait += took;
    }

    /// Time went by in the queue for a place at a node.
    pub fn waited_in_queue(&mut self, took: Duration) {
        self.waited += took;
        self.queued += took;
    }

    /// Attempts waited beside each other: `took` is what went by for all of them, `waits` what was counted before.
    pub fn waited_together(&mut self, (waited, upstream): (Duration, Duration), took: Duration) {
        (self.waited, self.upstream_wait) = (waited + took, upstream + took);
    }

    /// All waiting so far, and that for the upstream.
    pub fn waits(&self) -> (Duration, Duration) {
        (self.waited, self.upstream_wait)
    }

    /// Awaits the upstream, or somebody else who does.
    pub async fn waiting_upstream<F: Future>(&mut self, future: F) -> F::Output {
        let before = Instant::now();
        let output = future.await;
        self.waited_upstream(before.elapsed());
        output
    }

    /// A limit has refused the request.
    pub fn limited(&self, limit: &str) {
        let tenant = self.tenant_name();
        self.shared().durable.metrics.money.rate_limited.with_label_values(&[tenant, limit]).inc();
    }

    /// Empty where nobody is asked for a key.
    pub fn tenant_name(&self) -> &str {
        self.admission.tenant().map_or("", |tenant| tenant.name.as_str())
    }

    /// An attempt at a node begins. `role`: a special one; otherwise it follows from what was tried before.
    pub fn begin_attempt(&mut self, target: &Arc<Target>, place: &InFlight, role: Option<Role>) -> TryId {
        let role = role.unwrap_or_else(|| self.tries.next_role(target));
        let node = Arc::clone(place.node());
        self.tries.begin(self.attempt(role, Some(Arc::clone(target)), &target.upstream, Some(node)))
    }

    /// The one attempt of a request that is passed through.
    pub fn begin_passthrough(&mut self, upstream: &Arc<Upstream>, place: &InFlight) -> TryId {
        let node = Arc::clone(place.node());
        self.tries.begin(self.attempt(Role::Passthrough, None, upstream, Some(node)))
    }

    /// There was no node to try.
    pub fn nowhere(&mut self, target: &Arc<Target>, kind: Kind) {
        let role = self.tries.next_role(target);
        let id = self.tries.begin(self.attempt(role, Some(Arc::clone(target)), &target.upstream, None));
        self.failed_attempt(id, kind);
    }

    fn attempt(
        &self,
        role: Role,
        target: Option<Arc<Target>>,
        upstream: &Arc<Upstream>,
        node: Option<Arc<Node>>,
    ) -> Try {
        let now = self.age();
        Try {
            id: TryId::default(),
            role,
            target,
            upstream: Arc::clone(upstream),
            shared_by: node.as_ref().map_or(1, |node| node.in_flight()),
            node,
            outcome: INTERRUPTED,
            status: 0,
            began: now,
            head: now,
            ended: now,
            bytes_out: 0,
            usage: Usage::default(),
            estimated: false,
        }
    }

    /// An attempt failed.
    pub fn failed_attempt(&mut self, id: TryId, kind: Kind) {
        let now = self.age();
        self.tries.failed(id, kind, self.seen.input_tokens, now);
    }

    /// An attempt was given up for another one.
    pub fn cancelled_attempt(&mut self, id: TryId) {
        let now = self.age();
        self.tries.cancelled(id, self.seen.input_tokens, now);
    }

    /// An attempt is answering the client.
    pub fn committed(&mut self, (attempt, id): (TryId, TargetId), target: &Arc<Target>, status: StatusCode) {
        self.first_token = Some(self.age());
        self.target = Some((id, Arc::clone(target)));
        conversation::answered(self);
        self.answering(attempt, status);
    }

    /// The head of an attempt's answer is here, and the client is to get it.
    pub fn answering(&mut self, attempt: TryId, status: StatusCode) {
        let now = self.age();
        if let Some(last) = self.tries.answers(attempt) {
            (last.outcome, last.status, last.head) = (OK, status.as_u16(), now);
        }
    }

    /// The edge answers because no cloud can be reached.
    pub fn degrade(&mut self) {
        (self.degraded, self.second_best) = (true, true);
        self.add_note("cloud-unreachable");
        let (route, _) = self.names();
        self.shared().durable.metrics.survival.degraded.with_label_values(&[route]).inc();
    }

    /// The head of the answer is about to go: what the gateway itself has added is known now.
    pub fn head(&mut self, status: StatusCode) -> Duration {
        self.status = status.as_u16();
        self.overhead = self.age().saturating_sub(self.waited);
        self.overhead
    }

    /// Failed attempts and the one that answers: `small:connect,frontier:ok`. The usual case costs nothing.
    pub fn attempts(&self) -> Option<HeaderValue> {
        match &self.target {
            Some((_, target)) if self.tries.len() == 1 && !self.judged.is_unsure => Some(target.ok_header.clone()),
            None if self.tries.is_empty() || self.elsewhere.is_some() => None,
            _ => HeaderValue::try_from(self.told_attempts()).ok(),
        }
    }

    /// The one that answers is the last; if nobody is sure of it, that is how it is called.
    fn told_attempts(&self) -> String {
        let mut text = self.tries.text();
        if self.judged.is_unsure && text.ends_with(":ok") {
            text.truncate(text.len() - OK.len());
            text.push_str(Kind::LowConfidence.label());
        }
        text
    }

    /// The request ended. `None`: well.
    pub fn close(mut self: Box<Self>, outcome: Option<Kind>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Option<Kind>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        shadow::ended(self, outcome);
        self.settle_usage(outcome);
        let costs = self.costs();
        self.settle(outcome, &costs);
        self.measure(outcome, &costs);
        let durable = &self.gateway.shared.durable;
        if durable.access.is_on() {
            let attempts = if self.elsewhere.is_some() { String::new() } else { self.told_attempts() };
            durable.access.write(self.gateway.worker, &self.line(outcome, &attempts));
        }
        self.book(outcome, &costs);
    }

    /// The figures of the attempt that answered: the upstream's own, or what was counted here.
    fn settle_usage(&mut self, outcome: Option<Kind>) {
        let now = self.age();
        let (said, produced, prompt) = (self.usage, self.produced, self.seen.input_tokens);
        if let Some(last) = self.tries.answering_mut() {
            if let Some(kind) = outcome {
                last.outcome = kind.label();
            }
            last.ended = now;
            match said {
                Some(usage) => last.usage = usage,
                None if last.target.is_some() => {
                    last.usage = Usage { prompt, completion: produced, ..Usage::default() };
                    last.estimated = true;
                }
                None => {}
            }
        }
        // The client left before the answer began.
        self.tries.end(outcome.unwrap_or(Kind::Internal), prompt, now);
        let images = self.seen.images.into();
        if let Some(last) = self.tries.last_mut().filter(|last| last.usage != Usage::default()) {
            last.usage.images = images;
        }
        // Also where nothing was tried: the estimate is given back.
        let used: u64 = self.tries.iter().map(|t| t.usage.prompt.saturating_add(t.usage.completion)).sum();
        self.admission.used(used);
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

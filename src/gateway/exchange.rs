//! One attempt at one node: the request as this target gets it, sent; its answer held until it is certain enough to commit to.
//!
//! What a reader could get wrong: nothing here chooses or gives up; the walk (`attempt`) does. Several attempts of one request may run beside
//! each other, so what they write into the record goes through the desk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::answer::Answered;
use super::decide::Plan;
use super::desk::Desk;
use super::hold::{self, Held, Hold};
use super::inspect::{Hidden, Inspected};
use super::read::Read;
use super::record::Record;
use super::trial::{self, Spare, Trial};
use super::tries::TryId;
use super::{Gateway, admit, headers};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result, Retry};
use crate::openai::splice::{self, Edit, Segments};
use crate::openai::usage::Usage;
use crate::openai::{Endpoint, edits};
use crate::policy::TargetId;
use crate::upstream::body::Outgoing;
use crate::upstream::price::NanoUsd;
use crate::upstream::send::{Answer, Outbound};
use crate::upstream::{InFlight, Node, Target};

/// So much of an error answer is read; more is an error page.
const HELD_ERROR: usize = 64 << 10;

const DEADLINE: HeaderName = HeaderName::from_static("x-tidegate-deadline-ms");

/// What all attempts of a request share.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub gateway: &'a Gateway,
    pub read: &'a Read,
    pub plan: &'a Plan,
    pub inspected: &'a Inspected,
    /// Edits that are the same for every target.
    edits: SmallVec<[Edit; 3]>,
    /// What it makes is a draft, told as it comes and judged at its end: what it is held to then.
    looks_on: Option<f64>,
    /// There is no money for another cloud.
    is_broke: AtomicBool,
    /// The best of the answers that were put aside.
    spare: Mutex<Option<Box<Spare>>>,
}

/// What is cut or added whatever the target: the hints, and the usage that the client did not ask for.
pub(super) fn shared_edits(read: &Read) -> SmallVec<[Edit; 3]> {
    let mut list = SmallVec::new();
    list.extend(edits::cut_hints(&read.view));
    if matches!(read.endpoint, Endpoint::Chat | Endpoint::Completions) {
        list.extend(edits::ask_usage(&read.view));
    }
    list
}

/// The body as this target gets it.
pub(super) fn body(read: &Read, shared: &SmallVec<[Edit; 3]>, target: &Target, hidden: Option<&Hidden>) -> Segments {
    let mut edits = shared.clone();
    edits.extend(hidden.into_iter().flat_map(|hidden| hidden.edits.iter().cloned()));
    if target.id != read.model {
        edits.extend(edits::model(&read.view, &target.id));
    }
    splice::apply(&read.body, &mut edits)
}

impl<'a> Exchange<'a> {
    pub fn new(gateway: &'a Gateway, read: &'a Read, plan: &'a Plan, inspected: &'a Inspected) -> Exchange<'a> {
        Exchange {
            gateway,
            read,
            plan,
            inspected,
            edits: shared_edits(read),
            looks_on: None,
            spare: Mutex::new(None),
            is_broke: AtomicBool::new(false),
        }
    }

    /// For a draft. `bound`: what it must come up to at its end.
    pub fn looking_on(self, bound: Option<f64>) -> Exchange<'a> {
        Exchange { looks_on: bound, ..self }
    }

    /// Makes one attempt, which has begun in the record.
    pub async fn attempt(
        &self,
        attempt: TryId,
        (id, target): (TargetId, &Arc<Target>),
        place: InFlight,
        desk: &Desk<'_>,
    ) -> Result<Answered> {
        let upstream = &target.upstream;
        let ours = Instant::now() + upstream.timeouts.total;
        let deadline = self.plan.deadline.map_or(ours, |theirs| theirs.min(ours));
        let is_hidden = self.inspected.is_hidden_from(upstream.placement());
        let hidden = if is_hidden { self.hide(desk) } else { None };
        let outbound = Outbound {
            method: Method::POST,
            path: target.path(self.read.endpoint),
            headers: self.headers(target, deadline),
            placement: upstream.placement(),
            locality: self.plan.locality,
            redacted: is_hidden,
            timeouts: upstream.timeouts,
            deadline,
            worker: self.gateway.worker,
            upgrade: false,
        };
        let node = Arc::clone(place.node());
        let (_awaiting, reads) = (node.awaits(), node.load.pending());
        let bound = self.looks_on.or_else(|| self.plan.bound(id));
        let trial = bound.map(|bound| Trial::of(self.read, target, bound, hidden.is_some()));
        let (mut trial, asks) = trial.unzip();
        if let Some(trial) = &mut trial {
            trial.looks_on = self.looks_on.is_some();
        }
        let asked = asks.map(|asks| self.edits.iter().cloned().chain(asks).collect());
        let segments = body(self.read, asked.as_ref().unwrap_or(&self.edits), target, hidden);
        let has_asked = trial.as_ref().is_some_and(|trial| trial.remover.is_some());
        let began = Instant::now();
        let violations = &self.gateway.shared.durable.metrics.locality_violations;
        let bytes = segments.iter().map(|segment| segment.len() as u64).sum();
        let make = || {
            target.known.quota.sends(self.plan.asked.input_tokens);
            Some((Outgoing::segments(segments.clone()), bytes))
        };
        let answer = desk.sending(attempt, place, &outbound, make, || violations.inc()).await?;
        upstream.said(&node, &target.known, &answer.head.headers);
        if answer.head.status.is_success() {
            if has_asked {
                target.granted_logprobs();
            }
            let restorer = hidden.and_then(|hidden| hidden.restorer.clone());
            let bound = trial.as_ref().map_or(0.0, |trial| trial.bound);
            let hold = Hold { read: self.read, target, deadline, started: Instant::now(), restorer, trial };
            let held = desk.waiting_upstream(hold.commit(answer)).await?;
            upstream.answered(&node, &target.known, self.read.view.stream, began.elapsed(), reads);
            return self.weigh((attempt, id), target, held, bound, desk);
        }
        let fault = desk.waiting_upstream(fault(target, answer, deadline)).await;
        Err(if has_asked { trial::blame(fault, self.read, target) } else { fault })
    }

    /// Commits to an answer, or puts it aside.
    fn weigh(
        &self,
        (attempt, id): (TryId, TargetId),
        target: &Arc<Target>,
        held: Held,
        bound: f64,
        desk: &Desk<'_>,
    ) -> Result<Answered> {
        let Held { answered, figures, verdict } = held;
        let mut record = desk.record();
        let unsure = verdict.filter(|verdict| !record.heard(target, *verdict, bound));
        let Some(verdict) = unsure else {
            record.committed((attempt, id), target, answered.status);
            (record.usage, record.produced) = figures;
            return Ok(answered);
        };
        record.put_aside(attempt, answered.status, figures);
        drop(record);
        let mut spare = self.spare.lock();
        if spare.as_ref().is_none_or(|best| best.verdict.confidence <= verdict.confidence) {
            let target = (id, Arc::clone(target));
            *spare = Some(Box::new(Spare { attempt, target, answered, figures, verdict }));
        }
        drop(spare);
        let error = Error::upstream(Kind::LowConfidence, "the answer was not certain enough");
        Err(if self.may_escalate(target, desk) { error } else { error.with_retry(Retry::Never) })
    }

    /// An answer that is put aside has used up what was set aside for the next one: as much is set aside again, if there is the money.
    fn may_escalate(&self, target: &Target, desk: &Desk<'_>) -> bool {
        let mut record = desk.record();
        let worst = target.worst(&self.plan.asked, record.day()).unwrap_or(0);
        self.pay(&mut record, worst)
    }

    /// Nobody had a better answer than the best of those that were put aside, if any was.
    pub fn give_spare(&self, desk: &Desk<'_>) -> Option<Answered> {
        let spare = self.spare.lock().take();
        spare.map(|spare| spare.give(desk))
    }

    /// An attempt came to nothing, after `took`: everybody who learns from it is told, and what it has cost is set aside beside what further ones may
    /// cost. The error says if there is no money left for them.
    pub fn failed(
        &self,
        attempt: TryId,
        target: &Target,
        node: &Node,
        mut error: Error,
        took: Duration,
        desk: &Desk<'_>,
    ) -> Error {
        let mut record = desk.record();
        record.failed_attempt(attempt, error.kind);
        // The client's patience was at its end, not the node's time.
        let impatient = error.kind == Kind::Timeout
            && self.plan.deadline.is_some_and(|deadline| deadline <= Instant::now())
            && took < target.upstream.timeouts.first_token;
        // A plain answer comes at its end, and a long one may not come in time from a node that answers everybody else.
        let lengthy = error.kind == Kind::Timeout && !self.read.view.stream && node.has_spoken_within(took);
        if !impatient && !lengthy {
            target.upstream.failed(node, &error, took);
        }
        let day = record.day();
        let spent = record.tries.get(attempt).filter(|attempt| attempt.usage != Usage::default());
        let spent =
            spent.and_then(|attempt| target.cost(&attempt.usage, day, attempt.busy())).map_or(0, |cost| cost.usd);
        // One that was put aside has raised for its successor already.
        if spent > 0 && error.kind != Kind::LowConfidence && !self.pay(&mut record, spent) {
            error.retry = Retry::Never;
        }
        error
    }

    /// So much is set aside for what comes next. Where there is not the money for another cloud, the edge may go on (`then: edge-only`).
    fn pay(&self, record: &mut Record, amount: NanoUsd) -> bool {
        if admit::raise(record, amount, false) {
            return true;
        }
        let goes_on = admit::raise(record, amount, true);
        self.is_broke.fetch_or(goes_on, Relaxed);
        goes_on
    }

    /// What was spent has left no money for this target.
    pub fn cannot_pay(&self, target: &Target) -> bool {
        target.upstream.placement() == Placement::Cloud && self.is_broke.load(Relaxed)
    }

    /// The provider has said that its limit is used up, and for how long.
    pub fn limit_is_used_up(&self, target: &Target) -> Option<Duration> {
        if target.upstream.placement() == Placement::Edge {
            return None;
        }
        let now = target.upstream.pool.nodes().first()?.elapsed_ms();
        target.known.quota.pause(self.plan.asked.input_tokens, now)
    }

    /// Another attempt than those that were reckoned with is about to be made: what it may cost is set aside. `false`: there is no money for it.
    pub fn raise(&self, target: &Target, desk: &Desk<'_>) -> bool {
        let mut record = desk.record();
        let worst = target.worst(&self.plan.asked, record.day()).unwrap_or(0);
        admit::raise(&mut record, worst, target.upstream.placement() == Placement::Edge)
    }

    fn headers(&self, target: &Target, deadline: Instant) -> HeaderMap {
        let mut headers = headers::upwards(&self.read.headers, true);
        // Another gateway may stand there. A provider need not know how patient the client is.
        if self.plan.deadline.is_some() && target.upstream.placement() == Placement::Edge {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            headers.insert(DEADLINE, HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX).max(1)));
        }
        if let Some((name, value)) = &target.upstream.credentials {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }

    /// Hides what was found. The conversation is that of the request's own leader.
    fn hide(&self, desk: &Desk<'_>) -> Option<&'a Hidden> {
        let record = desk.record();
        let leader = record.admission.leader(record.tenant_name(), &self.read.hints);
        self.inspected.hide(self.read, &self.gateway.shared.durable.pii_keys, leader)
    }
}

/// Reads an error answer and has the dialect judge it.
async fn fault(target: &Target, answer: Answer, deadline: Instant) -> Error {
    let Answer { head, body, mut lease } = answer;
    let by = deadline.min(Instant::now() + target.upstream.timeouts.between_tokens);
    let read = tokio::time::timeout_at(by, hold::gather(body, BytesMut::new(), HELD_ERROR)).await;
    let bytes = match read {
        Ok(Ok((bytes, None))) => {
            lease.finish();
            bytes
        }
        Ok(Ok((bytes, Some(_)))) => bytes,
        _ => Bytes::new(),
    };
    if head.status.is_redirection() || head.status.is_informational() {
        return Error::upstream(Kind::UpstreamFailed, "the upstream answered with a redirect; check its base_url");
    }
    target.upstream.provider.fault(head.status, &head.headers, &bytes)
}

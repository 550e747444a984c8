//! Walks the plan: one target after the other, one node after the other, until an answer is worth committing to.
//!
//! What a reader could get wrong: as long as this function has not returned, nothing has reached the client, and the next target can take over
//! without anybody noticing. That is why a plain answer is read to its end (within reason) and a stream to its first event in here.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::HeaderMap;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::answer::Answered;
use super::decide::Plan;
use super::hold::{self, Hold};
use super::inspect::{Hidden, Inspected};
use super::read::Read;
use super::record::Record;
use super::{Gateway, headers, shadow};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result, Retry};
use crate::openai::splice::{self, Edit, Segments};
use crate::openai::{Endpoint, edits};
use crate::policy::TargetId;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Answer, Outbound};
use crate::upstream::{InFlight, Node, Target};

/// So much of an error answer is read; more is an error page.
const HELD_ERROR: usize = 64 << 10;
/// The prompt's beginning, for `balance: prefix`: system prompts that agree this far share a node's KV cache.
const PREFIX: usize = 1024;
/// A longer pause than this is the client's to wait out (SDKs obey `retry-after`), not the gateway's.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Answers from the first target of the plan that can.
pub async fn run(
    gateway: &Gateway,
    read: &Read,
    plan: &Plan,
    inspected: &Inspected,
    record: &mut Record,
) -> Result<Answered> {
    let mut walk = Walk {
        gateway,
        read,
        plan,
        inspected,
        edits: shared_edits(read),
        headers: Some(headers::upwards(&read.headers, true)),
        left: record.snapshot.max_attempts,
        last: None,
    };
    for (place, (id, target)) in plan.targets.iter().enumerate() {
        if place > 0 {
            walk.count_fallback(place, target, record);
        }
        match walk.target(*id, target, record).await {
            Ok(answered) => return Ok(answered),
            Err(error) if error.retry == Retry::Never || walk.left == 0 => return Err(error),
            Err(error) => walk.last = Some(error),
        }
    }
    walk.wait_and_retry(record).await
}

struct Walk<'a> {
    gateway: &'a Gateway,
    read: &'a Read,
    plan: &'a Plan,
    inspected: &'a Inspected,
    /// Edits that are the same for every target.
    edits: SmallVec<[Edit; 3]>,
    /// For the first attempt; a further one makes them anew.
    headers: Option<HeaderMap>,
    /// Attempts that may still be made.
    left: u32,
    last: Option<Error>,
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

/// What requests that share a KV cache have in common: the first text of the prompt.
pub(super) fn prefix(read: &Read) -> &[u8] {
    let first = read.view.pieces.first().and_then(|piece| read.body.get(piece.range.clone()));
    let first = first.unwrap_or_default();
    first.get(..PREFIX).unwrap_or(first)
}

impl<'a> Walk<'a> {
    /// Tries the nodes of one target.
    async fn target(&mut self, id: TargetId, target: &Arc<Target>, record: &mut Record) -> Result<Answered> {
        let mut tried: SmallVec<[Arc<Node>; 4]> = SmallVec::new();
        let mut last = None;
        while self.left > 0 {
            let Some(place) = self.place(target, &tried, record).await else {
                let error = last.unwrap_or_else(|| nowhere(target));
                if tried.is_empty() {
                    record.nowhere(target, error.kind);
                }
                return Err(error);
            };
            self.left -= 1;
            let node = Arc::clone(place.node());
            let error = match self.attempt(id, target, place, record).await {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            record.failed_attempt(error.kind);
            target.upstream.pressure.failed(error.kind);
            if matches!(error.kind, Kind::Connect | Kind::Broken) {
                target.upstream.pool.failed(&node);
            }
            if !may_other_node_answer(&error) {
                return Err(error);
            }
            tried.push(node);
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| nowhere(target)))
    }

    /// A place at a node. Where all are at their limit and no other target is left to be asked, the request waits in line.
    async fn place(&self, target: &Arc<Target>, tried: &[Arc<Node>], record: &mut Record) -> Option<InFlight> {
        let pool = &target.upstream.pool;
        if let Some(place) = pool.pick(prefix(self.read), tried) {
            return Some(place);
        }
        let is_last = self.plan.targets.last().is_some_and(|(_, last)| Arc::ptr_eq(last, target));
        if !is_last || !pool.is_full(tried) {
            return None;
        }
        let by = Instant::now() + target.upstream.section.max_wait();
        let by = self.plan.deadline.map_or(by, |deadline| deadline.min(by));
        let waiting = tokio::time::timeout_at(by, pool.pick_waiting(prefix(self.read), tried, record.admission.rank()));
        let before = record.queued;
        let place = record.waiting_in_queue(waiting).await;
        let seconds = &self.gateway.shared.durable.metrics.wait_seconds;
        seconds.with_label_values(&[&target.upstream.name]).observe((record.queued - before).as_secs_f64());
        place.ok().flatten()
    }

    async fn attempt(
        &mut self,
        id: TargetId,
        target: &Arc<Target>,
        place: InFlight,
        record: &mut Record,
    ) -> Result<Answered> {
        let upstream = &target.upstream;
        let ours = Instant::now() + upstream.timeouts.total;
        let deadline = self.plan.deadline.map_or(ours, |theirs| theirs.min(ours));
        let mut headers = self.headers.take().unwrap_or_else(|| headers::upwards(&self.read.headers, true));
        if let Some((name, value)) = &upstream.credentials {
            headers.insert(name.clone(), value.clone());
        }
        let is_hidden = self.inspected.is_hidden_from(upstream.placement());
        let hidden = if is_hidden { self.hide(record) } else { None };
        let outbound = Outbound {
            method: Method::POST,
            path: target.path(self.read.endpoint),
            headers,
            placement: upstream.placement(),
            locality: self.plan.locality,
            redacted: is_hidden,
            timeouts: upstream.timeouts,
            deadline,
            worker: self.gateway.worker,
            upgrade: false,
        };
        let segments = body(self.read, &self.edits, target, hidden);
        record.begin_attempt(target, &place);
        let began = Instant::now();
        let violations = &self.gateway.shared.durable.metrics.locality_violations;
        let bytes = segments.iter().map(|segment| segment.len() as u64).sum();
        let make = || Some((Outgoing::segments(segments.clone()), bytes));
        let answer = record.sending(place, &outbound, make, || violations.inc()).await?;
        if answer.head.status.is_success() {
            let restorer = hidden.and_then(|hidden| hidden.restorer.clone());
            let hold = Hold { read: self.read, target, deadline, started: Instant::now(), restorer };
            let answered = record.waiting_upstream(hold.commit(answer)).await?;
            upstream.pressure.answered(began.elapsed());
            record.committed(id, target, answered.0.status);
            (record.usage, record.produced) = answered.1;
            shadow::begin(self.gateway, self.read, self.plan.locality, record);
            return Ok(answered.0);
        }
        let fault = record.waiting_upstream(fault(target, answer, deadline)).await;
        Err(fault)
    }

    /// Hides what was found. The conversation is that of the request's own leader.
    fn hide(&self, record: &Record) -> Option<&'a Hidden> {
        let leader = record.admission.leader(record.tenant_name(), &self.read.hints);
        self.inspected.hide(self.read, &self.gateway.shared.durable.pii_keys, leader)
    }

    fn count_fallback(&self, place: usize, to: &Target, record: &Record) {
        let from = self.plan.targets.get(place - 1).map_or("", |(_, target)| target.name.as_str());
        let reason = self.last.as_ref().map_or("", |error| error.kind.label());
        let fallbacks = &record.shared().durable.metrics.fallbacks;
        fallbacks.with_label_values(&[from, &to.name, reason]).inc();
    }

    /// Every target has failed. If the last one asked for a short pause and there is time, it gets it.
    async fn wait_and_retry(&mut self, record: &mut Record) -> Result<Answered> {
        let exhausted = || Error::gateway(Kind::Internal, "no target was tried");
        let error = self.last.take().unwrap_or_else(exhausted);
        let Retry::SameAfter(pause) = error.retry else { return Err(error) };
        let in_time = self.plan.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        let Some((id, target)) = self.plan.targets.last() else { return Err(error) };
        if self.left == 0 || pause > LONGEST_PAUSE || !in_time {
            return Err(error);
        }
        record.waiting_upstream(tokio::time::sleep(pause)).await;
        self.target(*id, target, record).await
    }
}

/// A pool without a node to ask.
fn nowhere(target: &Target) -> Error {
    let pool = &target.upstream.pool;
    if pool.is_available() {
        let message = format!("every node of upstream `{}` is at its max_in_flight_per_node", target.upstream.name);
        return Error::gateway(Kind::Overloaded, message).with_retry(Retry::NextTarget);
    }
    let message = format!("no eligible target: upstream `{}` has no healthy node", target.upstream.name);
    Error::gateway(Kind::NoEligibleTarget, message).with_retry(Retry::NextTarget)
}

/// Trouble of one node: another of the same pool may be well. A refusal is the same at all of them.
fn may_other_node_answer(error: &Error) -> bool {
    let node_trouble =
        matches!(error.kind, Kind::Connect | Kind::Broken | Kind::Timeout | Kind::UpstreamFailed | Kind::RateLimited);
    node_trouble && error.retry != Retry::Never
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

/// Whether a request may leave the edge for this target; for the paths that have no plan.
pub fn stays_home(locality: send::Locality, placement: Placement) -> bool {
    locality == send::Locality::EdgeOnly && placement != Placement::Edge
}

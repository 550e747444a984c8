//! One attempt at one node: the request as this target gets it, sent; its answer held until it is certain enough to commit to.
//!
//! What a reader could get wrong: nothing here chooses or gives up; the walk (`attempt`) does. Several attempts of one request may run beside
//! each other, so what they write into the record goes through the desk.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::HeaderMap;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::answer::Answered;
use super::decide::Plan;
use super::desk::Desk;
use super::hold::{self, Hold};
use super::inspect::{Hidden, Inspected};
use super::read::Read;
use super::tries::TryId;
use super::{Gateway, headers};
use crate::error::{Error, Kind, Result};
use crate::openai::splice::{self, Edit, Segments};
use crate::openai::{Endpoint, edits};
use crate::policy::TargetId;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{Answer, Outbound};
use crate::upstream::{InFlight, Target};

/// So much of an error answer is read; more is an error page.
const HELD_ERROR: usize = 64 << 10;

/// What all attempts of a request share.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub gateway: &'a Gateway,
    pub read: &'a Read,
    pub plan: &'a Plan,
    pub inspected: &'a Inspected,
    /// Edits that are the same for every target.
    edits: SmallVec<[Edit; 3]>,
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
        Exchange { gateway, read, plan, inspected, edits: shared_edits(read) }
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
            headers: self.headers(target),
            placement: upstream.placement(),
            locality: self.plan.locality,
            redacted: is_hidden,
            timeouts: upstream.timeouts,
            deadline,
            worker: self.gateway.worker,
            upgrade: false,
        };
        let segments = body(self.read, &self.edits, target, hidden);
        let began = Instant::now();
        let violations = &self.gateway.shared.durable.metrics.locality_violations;
        let bytes = segments.iter().map(|segment| segment.len() as u64).sum();
        let make = || Some((Outgoing::segments(segments.clone()), bytes));
        let answer = desk.sending(attempt, place, &outbound, make, || violations.inc()).await?;
        if answer.head.status.is_success() {
            let restorer = hidden.and_then(|hidden| hidden.restorer.clone());
            let hold = Hold { read: self.read, target, deadline, started: Instant::now(), restorer };
            let (answered, figures) = desk.waiting_upstream(hold.commit(answer)).await?;
            upstream.pressure.answered(began.elapsed());
            let mut record = desk.record();
            record.committed((attempt, id), target, answered.status);
            (record.usage, record.produced) = figures;
            return Ok(answered);
        }
        Err(desk.waiting_upstream(fault(target, answer, deadline)).await)
    }

    fn headers(&self, target: &Target) -> HeaderMap {
        let mut headers = headers::upwards(&self.read.headers, true);
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

//! Walks the plan: one target after the other, one node after the other, until an answer is worth committing to.
//!
//! What a reader could get wrong: as long as this function has not returned, nothing has reached the client, and the next target can take over
//! without anybody noticing. That is why a plain answer is read to its end (within reason) and a stream to its first event in here.

use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use tokio::time::Instant;

use super::answer::Answered;
use super::decide::Plan;
use super::desk::Desk;
use super::exchange::Exchange;
use super::hedge;
use super::inspect::Inspected;
use super::read::Read;
use super::record::Record;
use super::tries::TryId;
use super::{Gateway, shadow};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result, Retry};
use crate::policy::TargetId;
use crate::telemetry::metrics::Survival;
use crate::upstream::send;
use crate::upstream::{InFlight, Node, Target};

/// A longer pause than this is the client's to wait out (SDKs obey `retry-after`), not the gateway's.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first pause before an upstream that is overloaded is asked again; it doubles each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// One who finds out is under way: others come back when he may know.
const LEAST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Answers from the first target of the plan that can.
pub async fn run(
    gateway: &Gateway,
    read: &Read,
    plan: &Plan,
    inspected: &Inspected,
    record: &mut Record,
) -> Result<Answered> {
    let left = record.snapshot.retries.max_attempts;
    let exchange = Exchange::new(gateway, read, plan, inspected);
    let desk = Desk::new(record);
    let answered = walk(&exchange, &desk, left).await?;
    shadow::begin(gateway, read, plan.locality, &mut desk.record());
    Ok(answered)
}

/// The same, where others write into the record too. `left`: how many attempts may be made.
pub(super) async fn walk<'a>(exchange: &'a Exchange<'a>, desk: &'a Desk<'a>, left: u32) -> Result<Answered> {
    let mut walk = Walk {
        exchange,
        desk,
        left,
        last: None,
        has_asked: false,
        passed_over: SmallVec::new(),
        last_resort: false,
        repeats: 0,
        cut_off: true,
        keep: 0,
        beside: SmallVec::new(),
    };
    walk.run().await.or_else(|error| exchange.give_spare(desk).ok_or(error))
}

/// One request's way through its plan.
pub(super) struct Walk<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) desk: &'a Desk<'a>,
    /// Attempts that may still be made.
    pub(super) left: u32,
    last: Option<Error>,
    /// Somebody was asked.
    has_asked: bool,
    /// Targets that are left alone because their answers failed.
    passed_over: SmallVec<[TargetId; 2]>,
    /// Nobody else is left: now these may be asked.
    last_resort: bool,
    /// Times that an upstream was asked again.
    repeats: u32,
    /// All clouds that were tried, or would have been, could not be reached.
    cut_off: bool,
    /// Attempts that are left for later targets of the plan.
    pub(super) keep: u32,
    /// Targets that have failed beside another one.
    beside: SmallVec<[TargetId; 2]>,
}

/// An attempt, or two beside each other, that came to nothing.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) nodes: SmallVec<[Arc<Node>; 2]>,
    /// The second of two was another target's.
    pub(super) beside: Option<TargetId>,
}

impl Walk<'_> {
    /// The targets of the plan, one after the other. Then those that were passed over because their last answers failed: one client's bad requests
    /// may be to blame for that, and this one is answered. Then those that are there in need; then the last one again.
    async fn run(&mut self) -> Result<Answered> {
        let plan = self.exchange.plan;
        let mut before: Option<&Target> = None;
        for (place, (id, target)) in plan.targets.iter().enumerate() {
            if self.beside.contains(id) || self.exchange.cannot_pay(target) {
                continue;
            }
            if let Some(before) = before.replace(target) {
                self.count_fallback(before, target);
            }
            target.upstream.allowance.earn(self.desk.record().snapshot.retries.budget);
            // Each of those that come after is to have its attempt.
            let later = u32::try_from(plan.targets.len() - place - 1).unwrap_or(u32::MAX);
            match self.target(*id, target, later).await {
                Ok(answered) => return Ok(answered),
                Err(error) if error.retry == Retry::Never || self.left == 0 && !self.is_in_need(&error) => {
                    return Err(error);
                }
                Err(error) => self.last = Some(error),
            }
        }
        self.last_resort = true;
        let passed_over = std::mem::take(&mut self.passed_over);
        for (id, target) in plan.targets.iter().filter(|(id, _)| passed_over.contains(id)) {
            let share = self.desk.record().snapshot.retries.budget;
            if self.left == 0 || self.exchange.cannot_pay(target) || self.has_asked && !self.spend(target, share) {
                continue;
            }
            match self.target(*id, target, 0).await {
                Ok(answered) => return Ok(answered),
                Err(error) if error.retry == Retry::Never => return Err(error),
                Err(error) => self.last = Some(error),
            }
        }
        self.last_resort = false;
        if self.last.as_ref().is_some_and(|error| self.is_in_need(error)) {
            self.left = self.left.max(1);
            for (id, target) in &plan.in_need {
                if !self.exchange.raise(target, self.desk) {
                    continue;
                }
                if let Some(before) = before.replace(target) {
                    self.count_fallback(before, target);
                }
                match self.target(*id, target, 0).await {
                    Ok(answered) => return Ok(answered),
                    Err(error) => drop(error),
                }
            }
        }
        self.wait_and_retry().await
    }

    /// No cloud can be reached, and somebody else might answer.
    fn is_in_need(&self, error: &Error) -> bool {
        self.cut_off && !self.exchange.plan.in_need.is_empty() && is_unreachable(error.kind)
    }

    /// Tries the nodes of one target. `later`: attempts to be left for others.
    async fn target(&mut self, id: TargetId, target: &Arc<Target>, later: u32) -> Result<Answered> {
        let answered = self.nodes(id, target, later).await;
        let is_cloud = target.upstream.placement() == Placement::Cloud;
        match &answered {
            Ok(_) if !is_cloud && self.is_degraded() => {
                let mut record = self.desk.record();
                record.degrade();
            }
            Err(error) if is_cloud && !is_unreachable(error.kind) => self.cut_off = false,
            _ => {}
        }
        answered
    }

    /// The rule would have had the cloud answer, and none can be reached.
    fn is_degraded(&self) -> bool {
        let is_there = |target: &Target| {
            let upstream = &target.upstream;
            // One that refuses or fails is left alone, but it can be reached.
            let reached = upstream.left_alone().map(|(kind, _)| !is_unreachable(kind));
            upstream.placement() == Placement::Cloud && reached.unwrap_or_else(|| upstream.pool.is_available())
        };
        let was_tried = self.last.is_some();
        self.exchange.plan.wants_cloud
            && self.cut_off
            && (was_tried || !self.exchange.plan.targets.iter().any(|(_, target)| is_there(target)))
    }

    async fn nodes(&mut self, id: TargetId, target: &Arc<Target>, later: u32) -> Result<Answered> {
        let share = self.desk.record().snapshot.retries.budget;
        let mut tried: SmallVec<[Arc<Node>; 4]> = SmallVec::new();
        let mut last: Option<Error> = None;
        self.keep = later.min(self.left.saturating_sub(1));
        while self.left > self.keep {
            if let Some(error) = self.held_back(target) {
                return Err(last.unwrap_or(error));
            }
            let Some(place) = self.place(target, &tried).await else {
                let error = last.unwrap_or_else(|| nowhere(target));
                if tried.is_empty() && !self.last_resort {
                    self.passed_over.extend(target.upstream.left_alone().map(|_| id));
                    self.desk.record().nowhere(target, error.kind);
                }
                return Err(error);
            };
            if let Some(error) = &last
                && !self.may_repeat(target, error, share).await
            {
                break;
            }
            self.left -= 1;
            self.has_asked = true;
            let Failed { error, nodes, beside } = match hedge::attempt(self, (id, target), place).await {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            self.left = self.left.saturating_sub(u32::from(nodes.len() > 1));
            // Nobody was there to take it: it counts as tried, and not as an attempt.
            if error.kind == Kind::Connect && nodes.len() == 1 {
                self.left += 1;
            }
            self.beside.extend(beside);
            if !may_other_node_answer(&error) || self.exchange.cannot_pay(target) {
                return Err(error);
            }
            tried.extend(nodes);
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| nowhere(target)))
    }

    /// An attempt begins: it is in the record from now on.
    pub(super) fn begin(&self, target: &Arc<Target>, place: &InFlight, role: Option<super::tries::Role>) -> TryId {
        self.desk.record().begin_attempt(target, place, role)
    }

    /// Makes an attempt that has begun, and tells everybody who learns from its end.
    pub(super) async fn one(
        &self,
        attempt: TryId,
        (id, target): (TargetId, &Arc<Target>),
        place: InFlight,
    ) -> Result<Answered, Failed> {
        let (node, began) = (Arc::clone(place.node()), Instant::now());
        let error = match self.exchange.attempt(attempt, (id, target), place, self.desk).await {
            Ok(answered) => return Ok(answered),
            Err(error) => error,
        };
        let error = self.exchange.failed(attempt, target, &node, error, began.elapsed(), self.desk);
        Err(Failed { error, nodes: smallvec![node], beside: None })
    }

    /// The provider has said that its limit is used up: it is not asked before the limit is renewed.
    fn held_back(&self, target: &Arc<Target>) -> Option<Error> {
        let pause = self.exchange.limit_is_used_up(target)?;
        let upstream = &target.upstream.name;
        self.survival().held_back.with_label_values(&[upstream]).inc();
        let message = format!("upstream `{upstream}` has said that its rate limit is used up for now");
        let error = Error::upstream(Kind::RateLimited, message).with_retry(Retry::SameAfter(pause));
        self.desk.record().nowhere(target, error.kind);
        Some(error)
    }

    /// Whether the same upstream may be asked once more after `error`; waits where it is overloaded.
    async fn may_repeat(&mut self, target: &Target, error: &Error, share: f64) -> bool {
        let waits = matches!(error.kind, Kind::RateLimited | Kind::UpstreamFailed);
        let pause = if waits { backoff(self.repeats + 1) } else { Duration::ZERO };
        let in_time = self.exchange.plan.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        // Nothing went out: nobody has worked, so nobody is burdened.
        if !in_time || error.kind != Kind::Connect && !self.spend(target, share) {
            return false;
        }
        self.survival().retries.with_label_values(&[&target.upstream.name, error.kind.label()]).inc();
        self.repeats += 1;
        if waits {
            self.desk.waiting_upstream(tokio::time::sleep(pause)).await;
        }
        true
    }

    /// Takes a retry out of the upstream's budget.
    pub(super) fn spend(&self, target: &Target, share: f64) -> bool {
        let now = target.upstream.pool.nodes().first().map_or(0, |node| node.elapsed_ms());
        let may = target.upstream.allowance.spend(share, now);
        if !may {
            self.survival().retries_denied.with_label_values(&[&target.upstream.name]).inc();
        }
        may
    }

    pub(super) fn survival(&self) -> &Survival {
        &self.exchange.gateway.shared.durable.metrics.survival
    }

    /// A place at a node. Where all are at their limit and no other target is left to be asked, the request waits in line.
    async fn place(&self, target: &Arc<Target>, tried: &[Arc<Node>]) -> Option<InFlight> {
        let (read, plan) = (self.exchange.read, self.exchange.plan);
        let pool = &target.upstream.pool;
        let ask = read.ask(target);
        if let Some(place) = pool.pick(&ask, tried) {
            return Some(place);
        }
        let is_last = plan.targets.last().is_some_and(|(_, last)| Arc::ptr_eq(last, target));
        if self.last_resort {
            return pool.pick_in_need(&ask, tried);
        }
        if !is_last || !pool.is_full(&ask, tried) {
            return None;
        }
        let by = Instant::now() + target.upstream.section.max_wait();
        let by = plan.deadline.map_or(by, |deadline| deadline.min(by));
        let rank = self.desk.record().admission.rank();
        let before = Instant::now();
        let place = pool.pick_waiting(&ask, tried, rank, by).await;
        let waited = before.elapsed();
        let mut record = self.desk.record();
        record.waited_in_queue(waited);
        let seconds = &record.shared().durable.metrics.wait_seconds;
        seconds.with_label_values(&[&target.upstream.name]).observe(waited.as_secs_f64());
        place
    }

    fn count_fallback(&self, from: &Target, to: &Target) {
        let reason = self.last.as_ref().map_or("", |error| error.kind.label());
        let fallbacks = &self.exchange.gateway.shared.durable.metrics.fallbacks;
        fallbacks.with_label_values(&[&from.name, &to.name, reason]).inc();
    }

    /// Every target has failed. If the last one asked for a short pause and there is time, it gets it.
    async fn wait_and_retry(&mut self) -> Result<Answered> {
        let exhausted = || Error::gateway(Kind::Internal, "no target was tried");
        let error = self.last.take().unwrap_or_else(exhausted);
        let Retry::SameAfter(pause) = error.retry else { return Err(error) };
        // One that is left alone because nobody was there is not waited for: who knows for how long.
        if error.upstream.is_none() && error.kind != Kind::RateLimited {
            return Err(error);
        }
        let plan = self.exchange.plan;
        if pause > LONGEST_PAUSE || plan.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return Err(error);
        }
        let Some((id, target)) = plan.targets.last() else { return Err(error) };
        let share = self.desk.record().snapshot.retries.budget;
        if self.left == 0 || self.exchange.cannot_pay(target) || !self.spend(target, share) {
            return Err(error);
        }
        self.survival().retries.with_label_values(&[&target.upstream.name, error.kind.label()]).inc();
        // Those who were told the same do not come back at the same moment.
        let pause = pause + backoff(1);
        self.desk.waiting_upstream(tokio::time::sleep(pause)).await;
        self.target(*id, target, 0).await
    }
}

/// Exponential backoff with full jitter: anything between nothing and a time that doubles with each repeat (Brooker, "Exponential
/// Backoff And Jitter", AWS 2015).
fn backoff(repeats: u32) -> Duration {
    let most = FIRST_BACKOFF.saturating_mul(1 << repeats.saturating_sub(1).min(16)).min(LONGEST_BACKOFF);
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    most.mul_f64(random as f64 / u64::MAX as f64)
}

/// A pool without a node to ask.
fn nowhere(target: &Target) -> Error {
    let upstream = &target.upstream;
    if let Some((kind, left)) = upstream.left_alone() {
        let message = format!("upstream `{}` is not asked for a moment: its last answers failed", upstream.name);
        return Error::upstream(kind, message).with_retry(Retry::SameAfter(left.max(LEAST_PAUSE)));
    }
    if upstream.pool.is_available() && !target.is_available() {
        let message = format!("no eligible target: no node of upstream `{}` has the model", upstream.name);
        return Error::gateway(Kind::NoEligibleTarget, message).with_retry(Retry::NextTarget);
    }
    if upstream.pool.is_available() {
        let message = format!("every node of upstream `{}` has as many requests as it may have", upstream.name);
        return Error::gateway(Kind::Overloaded, message).with_retry(Retry::NextTarget);
    }
    let message = format!("no eligible target: upstream `{}` has no healthy node", upstream.name);
    Error::gateway(Kind::NoEligibleTarget, message).with_retry(Retry::NextTarget)
}

/// Nobody is there, or nobody who says a word.
fn is_unreachable(kind: Kind) -> bool {
    matches!(kind, Kind::Connect | Kind::Timeout | Kind::Broken | Kind::NoEligibleTarget)
}

/// Trouble of one node: another of the same pool may be well. A refusal is the same at all of them.
pub(super) fn may_other_node_answer(error: &Error) -> bool {
    let node_trouble =
        matches!(error.kind, Kind::Connect | Kind::Broken | Kind::Timeout | Kind::UpstreamFailed | Kind::RateLimited);
    node_trouble && error.retry != Retry::Never
}

/// Whether a request may leave the edge for this target; for the paths that have no plan.
pub fn stays_home(locality: send::Locality, placement: Placement) -> bool {
    locality == send::Locality::EdgeOnly && placement != Placement::Edge
}

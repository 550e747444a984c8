//! Walks the plan: one target after the other, one node after the other, until an answer is worth committing to.
//!
//! What a reader could get wrong: as long as this function has not returned, nothing has reached the client, and the next target can take over
//! without anybody noticing. That is why a plain answer is read to its end (within reason) and a stream to its first event in here.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::answer::Answered;
use super::decide::Plan;
use super::desk::Desk;
use super::exchange::Exchange;
use super::inspect::Inspected;
use super::read::Read;
use super::record::Record;
use super::{Gateway, shadow};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result, Retry};
use crate::policy::TargetId;
use crate::upstream::send;
use crate::upstream::{InFlight, Node, Target};

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
    let left = record.snapshot.max_attempts;
    let exchange = Exchange::new(gateway, read, plan, inspected);
    let desk = Desk::new(record);
    let answered = Walk { exchange: &exchange, desk: &desk, left, last: None }.run().await?;
    shadow::begin(gateway, read, plan.locality, &mut desk.record());
    Ok(answered)
}

struct Walk<'a> {
    exchange: &'a Exchange<'a>,
    desk: &'a Desk<'a>,
    /// Attempts that may still be made.
    left: u32,
    last: Option<Error>,
}

impl Walk<'_> {
    /// The targets of the plan, one after the other.
    async fn run(mut self) -> Result<Answered> {
        let targets = &self.exchange.plan.targets;
        for (place, (id, target)) in targets.iter().enumerate() {
            if place > 0 {
                self.count_fallback(place, target);
            }
            match self.target(*id, target).await {
                Ok(answered) => return Ok(answered),
                Err(error) if error.retry == Retry::Never || self.left == 0 => return Err(error),
                Err(error) => self.last = Some(error),
            }
        }
        self.wait_and_retry().await
    }

    /// Tries the nodes of one target.
    async fn target(&mut self, id: TargetId, target: &Arc<Target>) -> Result<Answered> {
        let mut tried: SmallVec<[Arc<Node>; 4]> = SmallVec::new();
        let mut last = None;
        while self.left > 0 {
            let Some(place) = self.place(target, &tried).await else {
                let error = last.unwrap_or_else(|| nowhere(target));
                if tried.is_empty() {
                    self.desk.record().nowhere(target, error.kind);
                }
                return Err(error);
            };
            self.left -= 1;
            let node = Arc::clone(place.node());
            let attempt = self.desk.record().begin_attempt(target, &place, None);
            let error = match self.exchange.attempt(attempt, (id, target), place, self.desk).await {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            self.desk.record().failed_attempt(attempt, error.kind);
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
    async fn place(&self, target: &Arc<Target>, tried: &[Arc<Node>]) -> Option<InFlight> {
        let (read, plan) = (self.exchange.read, self.exchange.plan);
        let pool = &target.upstream.pool;
        let ask = read.ask(target);
        if let Some(place) = pool.pick(&ask, tried) {
            return Some(place);
        }
        let is_last = plan.targets.last().is_some_and(|(_, last)| Arc::ptr_eq(last, target));
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

    fn count_fallback(&self, place: usize, to: &Target) {
        let from = self.exchange.plan.targets.get(place - 1).map_or("", |(_, target)| target.name.as_str());
        let reason = self.last.as_ref().map_or("", |error| error.kind.label());
        let fallbacks = &self.exchange.gateway.shared.durable.metrics.fallbacks;
        fallbacks.with_label_values(&[from, &to.name, reason]).inc();
    }

    /// Every target has failed. If the last one asked for a short pause and there is time, it gets it.
    async fn wait_and_retry(&mut self) -> Result<Answered> {
        let exhausted = || Error::gateway(Kind::Internal, "no target was tried");
        let error = self.last.take().unwrap_or_else(exhausted);
        let Retry::SameAfter(pause) = error.retry else { return Err(error) };
        let plan = self.exchange.plan;
        let in_time = plan.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        let Some((id, target)) = plan.targets.last() else { return Err(error) };
        if self.left == 0 || pause > LONGEST_PAUSE || !in_time {
            return Err(error);
        }
        self.desk.waiting_upstream(tokio::time::sleep(pause)).await;
        self.target(*id, target).await
    }
}

/// A pool without a node to ask.
fn nowhere(target: &Target) -> Error {
    let pool = &target.upstream.pool;
    if pool.is_available() && !target.is_available() {
        let message = format!("no eligible target: no node of upstream `{}` has the model", target.upstream.name);
        return Error::gateway(Kind::NoEligibleTarget, message).with_retry(Retry::NextTarget);
    }
    if pool.is_available() {
        let message = format!("every node of upstream `{}` has as many requests as it may have", target.upstream.name);
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

/// Whether a request may leave the edge for this target; for the paths that have no plan.
pub fn stays_home(locality: send::Locality, placement: Placement) -> bool {
    locality == send::Locality::EdgeOnly && placement != Placement::Edge
}

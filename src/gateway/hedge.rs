//! An attempt, and another one beside it where the first is slower than usual: whichever answers first is taken, the other one is given up.
//!
//! What a reader could get wrong: the second attempt is one of the plan's own, so no constraint is crossed by it; it stays at the placement of
//! the first, it needs a retry from the upstream's budget, and what it may cost is set aside before it is sent. Requests that leave something
//! behind at the upstream (`store`, `background`) are never sent twice.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::time::timeout;

use super::answer::Answered;
use super::attempt::{Failed, Walk};
use super::read::Read;
use super::tries::{Role, TryId};
use crate::config::file::HedgeAfter;
use crate::error::Retry;
use crate::openai::Endpoint;
use crate::policy::TargetId;
use crate::telemetry::metrics::Survival;
use crate::upstream::{InFlight, Node, Target};

/// Less than this is no slowness: the timer itself would be the cost.
const LEAST_PATIENCE: Duration = Duration::from_millis(5);

/// Makes an attempt at `place`, with company if need be.
pub(super) async fn attempt(
    walk: &Walk<'_>,
    (id, target): (TargetId, &Arc<Target>),
    place: InFlight,
) -> Result<Answered, Failed> {
    let first = walk.begin(target, &place, None);
    let Some(patience) = patience(walk, target) else {
        return walk.one(first, (id, target), place).await;
    };
    let node = Arc::clone(place.node());
    let (waits, began) = (walk.desk.record().waits(), Instant::now());
    // Boxed: hedging is the rare case, and two attempts side by side make a large future.
    let mut attempt = Box::pin(walk.one(first, (id, target), place));
    if let Ok(ended) = timeout(patience, &mut attempt).await {
        return ended;
    }
    let Some(second) = second(walk, (id, target), &node) else { return attempt.await };
    let beside = Some(second.id).filter(|second| *second != id);
    let ended = race(walk, (first, attempt.as_mut()), second).await;
    let ended = ended.map_err(|failed| Failed { beside, ..failed });
    walk.desk.record().waited_together(waits, began.elapsed());
    ended
}

/// A second place, with its target.
struct Second {
    id: TargetId,
    target: Arc<Target>,
    place: InFlight,
}

async fn race(
    walk: &Walk<'_>,
    (first, mut attempt): (TryId, std::pin::Pin<&mut impl Future<Output = Result<Answered, Failed>>>),
    Second { id, target, place }: Second,
) -> Result<Answered, Failed> {
    let hedge = walk.begin(&target, &place, Some(Role::Hedge));
    let mut beside = pin!(walk.one(hedge, (id, &target), place));
    // Until it is known how it ends, the client may leave.
    let mut told = Told { survival: walk.survival(), target: Arc::clone(&target), result: "left" };
    // The one polled first has answered before the other is looked at: only one of them can commit.
    tokio::select! {
        biased;
        ended = &mut attempt => match ended {
            Ok(answered) => {
                walk.desk.record().cancelled_attempt(hedge);
                told.result = "lost";
                Ok(answered)
            }
            Err(failed) => match beside.await {
                Ok(answered) => {
                    told.result = "won";
                    Ok(answered)
                }
                Err(other) => {
                    told.result = "failed";
                    Err(both(failed, other))
                }
            },
        },
        ended = &mut beside => match ended {
            Ok(answered) => {
                walk.desk.record().cancelled_attempt(first);
                told.result = "won";
                Ok(answered)
            }
            Err(other) => {
                told.result = "failed";
                attempt.await.map_err(|failed| both(failed, other))
            }
        },
    }
}

/// How a race ended; counted when it is over, however that comes.
struct Told<'w> {
    survival: &'w Survival,
    target: Arc<Target>,
    result: &'static str,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let upstream = self.target.upstream.name.as_str();
        self.survival.hedges.with_label_values(&[upstream, self.result]).inc();
    }
}

/// What the first one says is told, unless the other one knows that nobody needs to be asked.
fn both(mut first: Failed, other: Failed) -> Failed {
    first.nodes.extend(other.nodes);
    if other.error.retry == Retry::Never {
        first.error = other.error;
    }
    first
}

/// How long the first attempt is waited for alone; `None`: as long as it takes.
fn patience(walk: &Walk<'_>, target: &Target) -> Option<Duration> {
    let after = walk.desk.record().snapshot.retries.hedge_after?;
    let patience = match after {
        HedgeAfter::Time(time) => time,
        HedgeAfter::Percentile(share) => target.known.latency(walk.exchange.read.view.stream).percentile(share)?,
    };
    // Each of the targets that come later is to have its attempt.
    (walk.left > walk.keep).then_some(patience.max(LEAST_PATIENCE))
}

/// A place at another node of the same upstream, or at the next target of the plan at the same placement.
fn second(walk: &Walk<'_>, (id, target): (TargetId, &Arc<Target>), slow: &Arc<Node>) -> Option<Second> {
    let exchange = walk.exchange;
    if leaves_something(exchange.read) {
        return None;
    }
    let read = exchange.read;
    let same = target.upstream.pool.pick(&read.ask(target), std::slice::from_ref(slow));
    let found = same.map(|place| Second { id, target: Arc::clone(target), place });
    let found = found.or_else(|| {
        let after = exchange.plan.targets.iter().skip_while(|(other, _)| *other != id).skip(1);
        let mut beside = after.filter(|(_, other)| other.upstream.placement() == target.upstream.placement());
        beside.find_map(|(id, target)| {
            if exchange.limit_is_used_up(target).is_some() || exchange.cannot_pay(target) {
                return None;
            }
            let place = target.upstream.pool.pick(&read.ask(target), &[])?;
            Some(Second { id: *id, target: Arc::clone(target), place })
        })
    })?;
    let share = walk.desk.record().snapshot.retries.budget;
    let may = walk.spend(&found.target, share) && exchange.raise(&found.target, walk.desk);
    may.then_some(found)
}

/// The request changes something at the upstream, so it is no good to make it twice.
fn leaves_something(read: &Read) -> bool {
    #[derive(Deserialize)]
    struct Stored {
        store: Option<bool>,
        background: Option<bool>,
    }
    // Read only when an attempt is slow.
    let Ok(said) = serde_json::from_slice::<Stored>(&read.body) else { return true };
    let stored = said.store.unwrap_or(read.endpoint == Endpoint::Responses);
    stored || said.background == Some(true)
}

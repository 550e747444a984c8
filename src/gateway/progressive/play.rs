//! Who comes first: the edge's draft or the cloud's answer, and what follows from that.
//!
//! What a reader could get wrong: as long as no draft was told this is an ordinary request, whichever side answers it. Only when the draft comes
//! first is there anything to be told of two (`told`).

use std::pin::pin;
use std::sync::Arc;

use http::Response;
use tokio::time::Instant;

use super::Mode;
use super::stage::Stage;
use super::told::{Lane, Telling};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};
use crate::gateway::answer::{self, Answered, Flow};
use crate::gateway::decide::{self, Plan};
use crate::gateway::desk::Desk;
use crate::gateway::exchange::Exchange;
use crate::gateway::inspect::{self, Inspected};
use crate::gateway::read::Read;
use crate::gateway::record::Record;
use crate::gateway::tries::{INTERRUPTED, Role, TryId};
use crate::gateway::{Body, Gateway, admit, attempt};
use crate::policy::TargetId;
use crate::upstream::target::Asked;
use crate::upstream::{InFlight, Target};

/// How it ended.
#[allow(clippy::large_enum_variant, reason = "one of each request, and never kept")]
enum End {
    /// No draft was told: an answer like any other.
    Ordinary(Result<Answered>),
    /// It was told to its end; `None`: well.
    Told(Option<Kind>),
}

/// A request from its plan to the end of its answer.
pub(super) async fn play(
    gateway: Gateway,
    read: Read,
    mut record: Box<Record>,
    stage: Arc<Stage>,
) -> Option<Response<Body>> {
    let end = Box::pin(play_it(&gateway, read, &mut record, &stage)).await;
    match end {
        End::Ordinary(Ok(answered)) => Some(answer::succeeded(record, answered)),
        End::Ordinary(Err(error)) => Some(answer::failed(record, &error)),
        End::Told(outcome) => {
            record.close(outcome);
            None
        }
    }
}

async fn play_it(gateway: &Gateway, read: Read, record: &mut Record, stage: &Stage) -> End {
    record.mode = Mode::Off;
    let (read, inspected) = match inspect::inspect(read, record).await {
        Ok(inspected) => inspected,
        Err(error) => return End::Ordinary(Err(error)),
    };
    let plan = match decide::decide(&read, &inspected, record) {
        Ok(plan) => plan,
        Err(error) => return End::Ordinary(Err(error)),
    };
    match Parts::of(&plan, &read, record) {
        Some(parts) => Box::pin(parts.play(gateway, &read, &inspected, record, stage)).await,
        None => {
            count(record, "off");
            End::Ordinary(attempt::run(gateway, &read, &plan, &inspected, record).await)
        }
    }
}

/// What came of a progressive request.
pub(super) fn count(record: &Record, result: &str) {
    let route = record.names().0;
    record.shared().durable.metrics.routing.progressive.with_label_values(&[route, result]).inc();
}

/// A plan in parts.
struct Parts {
    /// Who makes the draft, and his place at a node.
    draft: (TargetId, Arc<Target>),
    place: InFlight,
    /// Who answers.
    cloud: Plan,
    /// The edge: who answers if the cloud does not, and there is no draft.
    rest: Plan,
}

impl Parts {
    /// `None`: it takes both sides, a free place at the edge now, and money for both.
    fn of(plan: &Plan, read: &Read, record: &mut Record) -> Option<Parts> {
        let (cloud, rest) = (plan.part(Placement::Cloud), plan.part(Placement::Edge));
        let draft = rest.targets.first().filter(|_| !cloud.targets.is_empty())?.clone();
        let place = draft.1.upstream.pool.pick(&read.ask(&draft.1), &[])?;
        let seen = &record.seen;
        let asked = Asked {
            input_tokens: seen.input_tokens,
            output_tokens: seen.max_output_tokens,
            choices: 1,
            images: seen.images.into(),
        };
        let worst = draft.1.worst(&asked, record.day()).unwrap_or(0);
        admit::raise(record, worst, true).then_some(Parts { draft, place, cloud, rest })
    }

    async fn play(
        self,
        gateway: &Gateway,
        read: &Read,
        inspected: &Inspected,
        record: &mut Record,
        stage: &Stage,
    ) -> End {
        let left = record.snapshot.retries.max_attempts;
        let (waits, began) = (record.waits(), Instant::now());
        // A draft that comes to nothing has tried one node; its target may have others.
        let is_pool = self.draft.1.upstream.pool.nodes().len() > 1;
        let mut others = self.rest.part(Placement::Edge);
        others.targets.retain(|(id, _)| *id != self.draft.0);
        let desk = Desk::new(record);
        let cloud = Exchange::new(gateway, read, &self.cloud, inspected);
        let edge = Exchange::new(gateway, read, &self.rest, inspected);
        let beside = Exchange::new(gateway, read, &others, inspected);
        // An attempt by itself does not look at the plan's targets.
        let bound = self.rest.asked_of(self.draft.0);
        let sketch = Exchange::new(gateway, read, &self.rest, inspected).looking_on(bound);
        let id = desk.record().begin_attempt(&self.draft.1, &self.place, Some(Role::Draft));
        let mut answering = pin!(attempt::walk(&cloud, &desk, left));
        let mut drafting = pin!(draft(&sketch, id, (self.draft.0, &self.draft.1), self.place, &desk));
        let rest = async |error, unheard: Error| {
            let again = is_pool && attempt::may_other_node_answer(&unheard);
            match again || !others.targets.is_empty() {
                true => attempt::walk(if again { &edge } else { &beside }, &desk, left).await,
                false => Err(error),
            }
        };
        // The answer is looked at first: one that is there needs no draft.
        let drafted = tokio::select! {
            biased;
            answered = &mut answering => match answered {
                Ok(answered) => {
                    give_up(&mut desk.record());
                    count(&desk.record(), "cloud");
                    return End::Ordinary(Ok(answered));
                }
                Err(error) => {
                    let drafted = match drafting.await {
                        Ok(drafted) => drafted,
                        Err(unheard) => return End::Ordinary(rest(error, unheard).await),
                    };
                    let mut record = desk.record();
                    record.mode = Mode::Draft;
                    count(&record, "draft-cloud-failed");
                    return End::Ordinary(Ok(drafted.into_answered()));
                }
            },
            drafted = &mut drafting => drafted,
        };
        let drafted = match drafted {
            Ok(drafted) => drafted,
            Err(unheard) => {
                return End::Ordinary(match answering.await {
                    Ok(answered) => {
                        count(&desk.record(), "cloud");
                        Ok(answered)
                    }
                    Err(error) => rest(error, unheard).await,
                });
            }
        };
        desk.record().waited_together(waits, began.elapsed());
        let telling = Telling::open(&desk, stage, read, drafted, bound);
        End::Told(telling.run(answering).await)
    }
}

/// A draft that has begun.
pub(super) struct Drafted {
    pub(super) status: http::StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) lane: Lane,
}

impl Drafted {
    fn into_answered(self) -> Answered {
        Answered { status: self.status, headers: self.headers, flow: Flow::Events(self.lane.events) }
    }
}

/// One attempt at the draft: it is a nicety, nobody waits or tries again for it.
async fn draft(
    sketch: &Exchange<'_>,
    id: TryId,
    (target_id, target): (TargetId, &Arc<Target>),
    place: InFlight,
    desk: &Desk<'_>,
) -> Result<Drafted> {
    let (node, began) = (Arc::clone(place.node()), Instant::now());
    let answered = sketch.attempt(id, (target_id, target), place, desk).await;
    let error = match answered {
        Ok(Answered { status, headers, flow: Flow::Events(events) }) => {
            let came = desk.record().age();
            return Ok(Drafted { status, headers, lane: Lane { id, target: Arc::clone(target), events, came } });
        }
        Ok(_) => Error::upstream(Kind::Broken, "the upstream was asked for a stream and answered without one"),
        Err(error) => error,
    };
    desk.record().forget(target_id, error.kind);
    Err(sketch.failed(id, target, &node, error, began.elapsed(), desk))
}

/// Whatever is still under way is not needed any more.
pub(super) fn give_up(record: &mut Record) {
    let under_way: Vec<TryId> =
        record.tries.iter().filter(|attempt| attempt.outcome == INTERRUPTED).map(|attempt| attempt.id).collect();
    under_way.into_iter().for_each(|id| record.cancelled_attempt(id));
}

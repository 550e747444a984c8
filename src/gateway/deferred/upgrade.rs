//! `then: upgrade`: the edge has answered, and the cloud's answer follows under the same id.
//!
//! What a reader could get wrong: it does not matter why the edge answered (the rule prefers it, or no cloud could be reached). What counts is
//! that the rule and all constraints would let a cloud target have the request.
//! It is for chat completions only: a client goes on from a response by its id, and no provider would know ours.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use serde_json::value::RawValue;

use super::accept::{asked, patient};
use super::follow::text;
use super::object::{self, Failure, bytes, members, set};
use super::rename::Renaming;
use super::{CHAT, now_us};
use crate::cache::replay;
use crate::config::file::{Placement, Privacy};
use crate::deferred::{Fault, Job, JobId, Kind as JobKind, NewJob, Part, State, Store};
use crate::gateway::admit;
use crate::gateway::answer::{Answered, Flow};
use crate::gateway::read::Read;
use crate::gateway::record::Record;
use crate::openai::{Endpoint, said};
use crate::task;

/// Says of an answer whether another one follows it.
pub const UPGRADE: HeaderName = HeaderName::from_static("x-tidegate-upgrade");
/// It does.
pub const QUEUED: HeaderValue = HeaderValue::from_static("queued");

/// Whether this answer is to be followed by the cloud's.
pub fn is_due(read: &Read, answered: &Answered, record: &Record) -> bool {
    let (Some(entry), Some(decision)) = (&record.route, &record.decision) else { return false };
    let is_wanted = decision.rule.and_then(|rule| entry.route.rules.get(rule)).is_some_and(|rule| rule.upgrade);
    is_wanted
        && record.snapshot.deferred.is_some()
        && record.admission.work.is_none()
        && record.privacy == Privacy::Retained
        && read.endpoint == Endpoint::Chat
        && matches!(answered.flow, Flow::Whole(_) | Flow::Events(_))
        && record.target.as_ref().is_some_and(|(_, target)| target.upstream.placement() == Placement::Edge)
        && decision
            .plan()
            .any(|id| record.snapshot.target(id).is_some_and(|target| target.upstream.placement() == Placement::Cloud))
}

/// Queues the cloud's answer, and puts this one under the job's id. Where there is no room the answer stays as it is.
pub async fn queue(read: &Read, mut answered: Answered, record: &mut Record) -> Answered {
    let snapshot = record.snapshot.clone();
    let (Some(deferring), Some(body)) = (&snapshot.deferred, body(read)) else { return answered };
    let id = JobId::new(CHAT);
    let edge = match &answered.flow {
        Flow::Whole(whole) => match under(whole, id.as_str()) {
            Some(renamed) => Some(renamed),
            None => return answered,
        },
        _ => None,
    };
    let now = now_us();
    let wait = i64::try_from(deferring.section.expires.0.as_micros()).unwrap_or(i64::MAX);
    let tenant = record.tenant_name().to_owned();
    let mut asked = asked("/v1/chat/completions", read, record);
    asked.stream = false;
    let job = NewJob {
        id: id.clone(),
        kind: JobKind::Upgrade,
        tenant: tenant.clone(),
        batch: None,
        asked,
        body,
        edge: edge.clone(),
        created_us: now,
        not_before_us: now,
        expires_us: now.saturating_add(wait),
    };
    if let Err(fault) = record.waiting(deferring.store.enqueue(vec![job])).await {
        if let Fault::Broken(message) = fault {
            tracing::error!("the queue of deferred work cannot be used: {message}");
        }
        answered.headers.insert(UPGRADE, HeaderValue::from_static("refused"));
        return answered;
    }
    answered.headers.insert(UPGRADE, QUEUED);
    match (&mut answered.flow, edge) {
        (Flow::Whole(whole), Some(renamed)) => *whole = renamed,
        (Flow::Events(events), _) => {
            let (renaming, whole) = Renaming::new(id.as_str());
            events.rename(renaming);
            let (store, shared) = (deferring.store.clone(), record.gateway.shared.clone());
            let (app, hints) = (record.admission.app.clone(), read.hints.clone());
            // Ends with the stream.
            drop(task::spawn("edge answer of an upgrade", async move {
                let Ok(pieces) = whole.await else { return };
                // It may have been tightened while the stream went on.
                let tier = admit::tier(&shared.snapshot(), &tenant, app.as_deref(), &hints);
                if tier == Privacy::Retained {
                    keep_edge(&store, &id, &tenant, &pieces).await;
                }
            }));
        }
        _ => {}
    }
    answered
}

/// The stream's plain form, beside the answer that follows. One that is not understood is not kept.
async fn keep_edge(store: &Store, id: &JobId, tenant: &str, pieces: &[Bytes]) {
    let Some(plain) = replay::to_plain(Endpoint::Chat, &pieces.concat()) else { return };
    if let Err(fault) = store.put_edge(id, tenant, plain.into()).await {
        tracing::error!("the queue of deferred work cannot be used: {fault}");
    }
}

/// The request as the cloud gets it: not as a stream, and for nobody who waits. `None`: the client forbids to store it.
fn body(read: &Read) -> Option<Bytes> {
    let mut request = members(&read.body)?;
    if request.get("store").is_some_and(|store| store.get() == "false") {
        return None;
    }
    request.shift_remove("stream_options");
    if let Some(hints) = request.get_mut("tidegate")
        && let Some(Ok(patient)) = patient(hints.get().as_bytes()).map(|hints| serde_json::from_slice(&hints))
    {
        *hints = patient;
    }
    if read.view.stream {
        set(&mut request, "stream", &false);
    }
    Some(bytes(&request))
}

/// An answer under another id.
pub(super) fn under(answer: &[u8], id: &str) -> Option<Bytes> {
    let mut answer = members(answer)?;
    set(&mut answer, "id", &id);
    Some(bytes(&answer))
}

/// Both answers: the cloud's as soon as it is there, the edge's until then, and under `tidegate` what became of it.
pub(super) async fn shown(store: &Store, job: &Job) -> Result<Bytes, Fault> {
    let edge = text(store, job, Part::Edge).await?;
    let result = text(store, job, Part::Result).await?;
    let cloud = result.as_ref().filter(|_| job.state == State::Completed);
    let failure = match (&result, job.state) {
        (None, State::Completed) => Some(Failure::damaged()),
        (Some(error), State::Failed) => Some(Failure::of(error)),
        (_, State::Expired) => Some(Failure::expired()),
        _ => None,
    };
    let same = cloud.zip(edge.as_ref()).and_then(|(cloud, edge)| Some(words(cloud)? == words(edge)?));
    let raw = |answer: Option<&Bytes>| answer.and_then(|answer| serde_json::from_slice::<Box<RawValue>>(answer).ok());
    let mut upgrade = object::Members::new();
    set(&mut upgrade, "status", &status(job.state));
    set(&mut upgrade, "same", &same);
    set(&mut upgrade, "model", &Some(&job.model).filter(|model| !model.is_empty()));
    set(&mut upgrade, "error", &failure.map(|failure| json!({"code": failure.code, "message": failure.message})));
    set(&mut upgrade, "edge", &raw(edge.as_ref()));
    set(&mut upgrade, "cloud", &raw(cloud));
    let mut answer = match cloud.or(edge.as_ref()).and_then(|answer| members(answer)) {
        Some(answer) => answer,
        // The edge's stream is under way, or broke off.
        None => empty(store, job).await?,
    };
    let mut tidegate = object::Members::new();
    set(&mut tidegate, "upgrade", &upgrade);
    set(&mut answer, "tidegate", &tidegate);
    Ok(bytes(&answer))
}

async fn empty(store: &Store, job: &Job) -> Result<object::Members, Fault> {
    let request = text(store, job, Part::Request).await?.unwrap_or_default();
    let model = members(&request).and_then(|mut request| request.swap_remove("model"));
    let mut answer = object::Members::new();
    set(&mut answer, "id", &job.id.as_str());
    set(&mut answer, "object", &"chat.completion");
    set(&mut answer, "created", &(job.created_us / 1_000_000));
    set(&mut answer, "model", &model);
    set(&mut answer, "choices", &json!([]));
    Ok(answer)
}

fn status(state: State) -> &'static str {
    match state {
        State::Expired => "expired",
        other => object::word(other),
    }
}

/// What was said, however it is spaced.
fn words(answer: &[u8]) -> Option<Vec<String>> {
    Some(said::of_answer(answer)?.split_whitespace().map(str::to_owned).collect())
}

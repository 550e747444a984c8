//! One execution of one job, from its claim to its result.
//!
//! What a reader could get wrong: it goes the way of every request (admit, read, decide, attempt, record) with nobody waiting at the end.
//! The cache is left alone: nothing is taken from it, and nothing put there.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::hear::{Heard, Sink, hear};
use super::object::{self, Failure};
use super::postpone::{Later, Scope, judge};
use super::room::{self, AtEdge, EdgePlace};
use super::{may_name, now_us, upgrade};
use crate::config::file::Privacy;
use crate::deferred::{Back, Claimed, Fault, Job, Kind as JobKind, Outcome, State};
use crate::error::{Error, Kind};
use crate::gateway::admit::{self, Work};
use crate::gateway::record::Record;
use crate::gateway::{Body, Gateway, answer, attempt, decide, inspect, read};
use crate::openai::{Endpoint, usage};
use crate::signals::hints::PlacementHint;
use crate::state::Deferring;

const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");

/// What came of an execution.
#[derive(Debug)]
pub enum Done {
    Result(Outcome),
    /// What was asked may not be kept any more, and was not executed.
    Forbidden(Outcome),
    Later(Later),
    /// The job was cancelled or deleted meanwhile.
    Unwanted,
}

/// Executes a job.
///
/// # Errors
/// The queue cannot be written.
pub async fn execute(
    gateway: &Gateway,
    deferring: &Deferring,
    at_edge: &AtEdge,
    claimed: &Claimed,
) -> Result<Done, Fault> {
    if claimed.attempts > deferring.section.max_attempts {
        // It was under way when the gateway died, again and again.
        let failure = Error::gateway(Kind::Internal, "it was interrupted too often");
        return Ok(Done::Result(failed(claimed, &failure)));
    }
    let (response, _place) = match ask(gateway, deferring, at_edge, claimed).await {
        Ok(response) => response,
        Err(Refused::Later(later)) => return Ok(Done::Later(later)),
        Err(Refused::Finally(error)) => return Ok(Done::Result(failed(claimed, &error))),
        Err(Refused::Forbidden(error)) => {
            let emptied = Claimed { body: Bytes::from_static(b"{}"), ..claimed.clone() };
            return Ok(Done::Forbidden(failed(&emptied, &error)));
        }
    };
    let (status, model, placement) = (response.status(), of(&response, "model"), of(&response, "placement"));
    let is_streamed = claimed.kind == JobKind::Background && claimed.asked.stream;
    let sink = is_streamed.then_some(Sink { store: &deferring.store, lease: &claimed.lease, next: claimed.next_event });
    let (state, body) = match hear(response, sink).await? {
        Heard::Ended(state, body) => (state, body),
        Heard::Whole(body) => match claimed.kind {
            JobKind::Background => match object::adopted(&body, claimed.lease.job.as_str()) {
                Some(response) => (object::status(&response), response),
                None => return Ok(broken(deferring, claimed)),
            },
            JobKind::Upgrade => match upgrade::under(&body, claimed.lease.job.as_str()) {
                Some(answer) => (State::Completed, answer),
                None => return Ok(broken(deferring, claimed)),
            },
            // What is no JSON object (a proxy's page, say) is no answer, whatever its status.
            JobKind::Batch if object::members(&body).is_none() => return Ok(broken(deferring, claimed)),
            JobKind::Batch => (State::Completed, body),
        },
        Heard::Broken => return Ok(broken(deferring, claimed)),
        Heard::TooLong => {
            let error = Error::gateway(Kind::Internal, "the answer is longer than 64 MiB, which is not kept");
            return Ok(Done::Result(failed(claimed, &error)));
        }
        Heard::Unwanted => return Ok(Done::Unwanted),
    };
    let used = usage::of_answer(&body).unwrap_or_default();
    Ok(Done::Result(Outcome {
        state,
        status: status.as_u16(),
        body,
        model,
        placement,
        prompt_tokens: used.prompt,
        completion_tokens: used.completion,
        at_us: now_us(),
    }))
}

enum Refused {
    Later(Later),
    Finally(Error),
    Forbidden(Error),
}

/// The request, on the way of every other one.
async fn ask(
    gateway: &Gateway,
    deferring: &Deferring,
    at_edge: &AtEdge,
    claimed: &Claimed,
) -> Result<(Response<Body>, Option<EdgePlace>), Refused> {
    let snapshot = gateway.shared.snapshot();
    let placement = placement(deferring, claimed);
    if let (Some(PlacementHint::OnlyCloud), Some(pause)) = (placement, until_hours(deferring, claimed)) {
        return Err(Refused::Later(Later::until(pause).unseen()));
    }
    // Before anything is written down of it.
    let mut place =
        room::find(&snapshot, claimed, placement, at_edge).map_err(|later| Refused::Later(later.unseen()))?;
    let mut record = Record::open(gateway, snapshot, &request(claimed));
    let asked = &claimed.asked;
    let work = Work { job: claimed.lease.job.to_string(), placement };
    let entered = admit::enter_as(&claimed.tenant, asked.app.as_deref(), asked.user.as_deref(), work, &mut record);
    let answered = match entered {
        Ok(()) => enter(gateway, claimed, (&mut place, at_edge), &mut record).await,
        Err(error) => Err(Unanswered::from(error)),
    };
    match answered {
        Ok(answered) => Ok((answer::succeeded(record, answered), place)),
        Err(Unanswered { error, why: Why::Forbidden }) => {
            drop(answer::failed(record, &error));
            Err(Refused::Forbidden(error))
        }
        Err(Unanswered { error, why: Why::EdgeIsFull }) => {
            drop(answer::failed(record, &error));
            Err(Refused::Later(Later::for_room("edge", Scope::Job)))
        }
        Err(Unanswered { error, .. }) => {
            let was_sent = record.tries.iter().any(|attempt| attempt.bytes_out > 0);
            let decision = record.decision.as_ref();
            let later = judge(&error, decision, was_sent);
            let mut later =
                later.or_else(|| Some(Later::until(until_hours(deferring, claimed)?)).filter(|_| is_placed(&error)));
            if let Some(later) = later.as_mut() {
                if later.of == Scope::Targets {
                    let is_alike = room::is_alike(&record.snapshot, claimed, decision);
                    later.of = if is_alike { Scope::Lane } else { Scope::Job };
                }
                if later.why == Back::PushedBack && deferring.store.is_alone(&claimed.lease) {
                    // Others pass: it is the job itself that the provider does not take.
                    later.why = Back::Failed;
                }
            }
            // The record ends with it; nobody reads what it says.
            drop(answer::failed(record, &error));
            Err(match later.filter(|later| may_wait(deferring, claimed, later)) {
                Some(later) => Refused::Later(later),
                None => Refused::Finally(error),
            })
        }
    }
}

struct Unanswered {
    error: Error,
    why: Why,
}

/// What the error itself does not say.
enum Why {
    AsItSays,
    Forbidden,
    EdgeIsFull,
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Unanswered { error, why: Why::AsItSays }
    }
}

async fn enter(
    gateway: &Gateway,
    claimed: &Claimed,
    (place, at_edge): (&mut Option<EdgePlace>, &AtEdge),
    record: &mut Record,
) -> Result<answer::Answered, Unanswered> {
    let unknown = || Error::client(Kind::NotFound, "no such endpoint for deferred work");
    let endpoint = Endpoint::of_path(&claimed.asked.endpoint).ok_or_else(unknown)?;
    record.saw_prompt(&claimed.body);
    let mut read = read::read(endpoint, headers(claimed), claimed.body.clone(), record).await?;
    // It was for somebody who waits.
    read.hints.deadline_ms = None;
    // The tier may have been tightened since, or the line says so itself.
    let privacy = record.admission.privacy(&read.hints);
    if privacy != Privacy::Retained {
        record.privacy = privacy;
        let tier = privacy.name();
        let message = format!("deferred requests are kept on disk, which the privacy tier `{tier}` forbids now");
        let error = Error::client(Kind::InvalidRequest, message);
        return Err(Unanswered { error, why: Why::Forbidden });
    }
    may_name(&read, record).await?;
    let (read, inspected) = inspect::inspect(read, record).await?;
    let plan = decide::decide(&read, &inspected, record)?;
    let Some(plan) = room::seat(plan, place, at_edge) else {
        let error = Error::gateway(Kind::Overloaded, "the edge is full of requests that somebody waits for");
        return Err(Unanswered { error, why: Why::EdgeIsFull });
    };
    Ok(attempt::run(gateway, &read, &plan, &inspected, record).await?)
}

/// Outside of the hours only the edge is left to batches; an upgrade is the cloud's.
fn placement(deferring: &Deferring, claimed: &Claimed) -> Option<PlacementHint> {
    match claimed.kind {
        JobKind::Upgrade => Some(PlacementHint::OnlyCloud),
        JobKind::Batch => until_hours(deferring, claimed).map(|_| PlacementHint::OnlyEdge),
        JobKind::Background => None,
    }
}

/// How long it is until the cloud may be asked for such work; `None`: it may now.
fn until_hours(deferring: &Deferring, claimed: &Claimed) -> Option<Duration> {
    let hours = deferring.section.hours.filter(|_| claimed.kind != JobKind::Background)?;
    let now = jiff::Zoned::now();
    let hour = u8::try_from(now.hour()).unwrap_or(0);
    if hours.contains(hour) {
        return None;
    }
    let whole = (u64::from(hours.from) + 24 - u64::from(hour)) % 24;
    let past = u64::try_from(now.minute()).unwrap_or(0) * 60 + u64::try_from(now.second()).unwrap_or(0);
    Some(Duration::from_secs((whole * 3600).saturating_sub(past)))
}

/// Nobody was left who may have it.
fn is_placed(error: &Error) -> bool {
    error.kind == Kind::NoEligibleTarget
}

/// What failed at an upstream too often is not tried again.
fn may_wait(deferring: &Deferring, claimed: &Claimed, later: &Later) -> bool {
    later.why != Back::Failed || claimed.attempts < deferring.section.max_attempts
}

fn broken(deferring: &Deferring, claimed: &Claimed) -> Done {
    let later = Later::failed(Kind::Broken);
    if may_wait(deferring, claimed, &later) {
        return Done::Later(later);
    }
    Done::Result(failed(claimed, &Error::upstream(Kind::Broken, "the upstream broke off in the middle of its answer")))
}

/// The head of the request, as the records see it: its name is the job's, and of a further execution its number too.
fn request(claimed: &Claimed) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = claimed.asked.endpoint.parse().unwrap_or_default();
    let name = match claimed.executions {
        0 | 1 => claimed.lease.job.to_string(),
        further => format!("{}-{further}", claimed.lease.job),
    };
    request
        .headers_mut()
        .extend(HeaderValue::try_from(name).ok().map(|name| (HeaderName::from_static("x-request-id"), name)));
    request
}

fn headers(claimed: &Claimed) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(claimed.asked.headers.len() + 1);
    for (name, value) in &claimed.asked.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.extend(HeaderValue::try_from(claimed.lease.job.as_str()).ok().map(|key| (IDEMPOTENCY, key)));
    headers
}

/// What the answer's headers say of where it ran.
fn of(response: &Response<Body>, what: &str) -> String {
    let value = response.headers().get(format!("x-tidegate-{what}"));
    value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The result of a job that nobody answered.
fn failed(claimed: &Claimed, error: &Error) -> Outcome {
    let (status, _, body) = crate::openai::error::answer(error);
    let body = match claimed.kind {
        JobKind::Background => object::pending(&job(claimed), State::Failed, &claimed.body, Some(&Failure::of(&body))),
        JobKind::Upgrade | JobKind::Batch => body,
    };
    let status = if error.kind == Kind::Internal { StatusCode::INTERNAL_SERVER_ERROR } else { status };
    outcome(State::Failed, status, body)
}

fn outcome(state: State, status: StatusCode, body: Bytes) -> Outcome {
    Outcome {
        state,
        status: status.as_u16(),
        body,
        model: String::new(),
        placement: String::new(),
        prompt_tokens: 0,
        completion_tokens: 0,
        at_us: now_us(),
    }
}

/// As much of the job as its object needs.
fn job(claimed: &Claimed) -> Job {
    Job {
        id: claimed.lease.job.clone(),
        kind: claimed.kind,
        tenant: claimed.tenant.clone(),
        batch: claimed.batch.clone(),
        state: State::Running,
        attempts: claimed.attempts,
        created_us: claimed.created_us,
        started_us: None,
        completed_us: None,
        not_before_us: 0,
        expires_us: claimed.expires_us,
        asked: claimed.asked.clone(),
        status: 0,
        model: String::new(),
        placement: String::new(),
        prompt_tokens: 0,
        completion_tokens: 0,
        next_event: claimed.next_event,
    }
}

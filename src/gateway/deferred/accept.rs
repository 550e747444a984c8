//! `background: true`: the request is kept, and its client told where to find the answer.
//!
//! What a reader could get wrong: what can be refused is refused here (model, key, tier, room), but nothing is decided: where it runs
//! is decided when it is done.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};

use super::follow::{self, Followed};
use super::object::{self, members};
use super::{RESPONSE, now_us};
use crate::config::file::Privacy;
use crate::deferred::{Asked, Job, JobId, Kind as JobKind, NewJob, State};
use crate::error::{Error, Kind, Result};
use crate::gateway::answer::{Answered, Flow};
use crate::gateway::read::Read;
use crate::gateway::record::Record;
use crate::gateway::{admit, decide, headers};
use crate::openai::edits;
use crate::openai::splice::{self, Edit};

const DEFERRED: HeaderName = HeaderName::from_static("x-tidegate-deferred");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Hints that are about somebody who waits.
const OF_WAITING: [&str; 2] = ["x-tidegate-deadline-ms", "x-tidegate-mode"];

/// Accepts a background response.
///
/// # Errors
/// It may not be kept, nobody could answer it, or there is no room.
pub async fn accept(read: &Read, record: &mut Record) -> Result<Answered> {
    let snapshot = record.snapshot.clone();
    let deferring = snapshot.deferred.as_ref().ok_or_else(super::retrieve::off)?;
    let entry = decide::route(&snapshot, &read.model)?;
    admit::may_ask(&read.model, record)?;
    admit::hinted(&read.hints, record)?;
    record.route = Some(std::sync::Arc::clone(entry));
    record.privacy = record.admission.privacy(&read.hints);
    record.seen = crate::gateway::seen::Seen::of_request(read);
    may_be_kept(read, record.privacy)?;
    let tenant = record.tenant_name().to_owned();
    let now = now_us();
    let wait = i64::try_from(deferring.section.expires.0.as_micros()).unwrap_or(i64::MAX);
    let new = NewJob {
        id: JobId::new(RESPONSE),
        kind: JobKind::Background,
        tenant: tenant.clone(),
        batch: None,
        asked: asked("/v1/responses", read, record),
        body: without_background(read),
        edge: None,
        created_us: now,
        not_before_us: now,
        expires_us: now.saturating_add(wait),
    };
    let job = as_accepted(&new);
    let body = new.body.clone();
    record.waiting(deferring.store.enqueue(vec![new])).await?;
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(DEFERRED, HeaderValue::from_static("queued"));
    if read.view.stream {
        let followed = follow::begin(&deferring.store, job, body, -1);
        return Ok(streamed(headers, followed));
    }
    headers.insert(CONTENT_TYPE, JSON);
    let flow = Flow::Whole(object::pending(&job, State::Queued, &body, None));
    Ok(Answered { status: StatusCode::OK, headers, flow })
}

/// An answer that comes as events.
pub(super) fn streamed(mut headers: HeaderMap, followed: Followed) -> Answered {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Answered { status: StatusCode::OK, headers, flow: Flow::Followed(followed) }
}

fn may_be_kept(read: &Read, privacy: Privacy) -> Result<()> {
    let refused = |message: String| Err(Error::client(Kind::InvalidRequest, message).with_param("background"));
    if privacy != Privacy::Retained {
        let tier = privacy.name();
        return refused(format!(
            "background responses are kept on disk, which `{tier}` forbids; send it without `background`"
        ));
    }
    let store = members(&read.body).and_then(|mut members| members.swap_remove("store"));
    if store.is_some_and(|store| store.get() == "false") {
        return refused("background responses need `store: true`".into());
    }
    Ok(())
}

/// How a request was asked, for later.
pub(super) fn asked(endpoint: &str, read: &Read, record: &Record) -> Asked {
    Asked {
        endpoint: endpoint.to_owned(),
        app: record.admission.app.clone(),
        user: record.admission.user.clone(),
        headers: kept(&read.headers),
        custom_id: None,
        stream: read.view.stream,
        about: vec![],
    }
}

/// The headers that matter to the answer: hints, and what goes up to providers.
pub(super) fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let up = headers::upwards(headers, true);
    let hints = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-tidegate-"));
    let matter = up.iter().chain(hints).filter(|(name, _)| {
        // An idempotency key of the client's is for the acceptance; the job has its own.
        !OF_WAITING.contains(&name.as_str()) && **name != "idempotency-key"
    });
    let text =
        |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
    matter.filter_map(text).collect()
}

/// The body's hints without those that are about somebody who waits, like the headers'; `None`: they have none.
pub(super) fn patient(hints: &[u8]) -> Option<Bytes> {
    let mut hints = members(hints)?;
    let before = hints.len();
    for name in ["mode", "deadline_ms"] {
        hints.shift_remove(name);
    }
    (hints.len() < before).then(|| object::bytes(&hints))
}

/// The body as it is asked later: for the upstream it is a request like any other.
fn without_background(read: &Read) -> Bytes {
    let hints = read.view.hints.as_ref().and_then(|member| {
        let with = patient(read.body.get(member.value.clone())?)?;
        Some(Edit { range: member.value.clone(), with })
    });
    let mut edits: Vec<_> = edits::cut_background(&read.view).into_iter().chain(hints).collect();
    let segments = splice::apply(&read.body, &mut edits);
    match segments.as_slice() {
        [whole] => whole.clone(),
        parts => parts.concat().into(),
    }
}

/// A job as it stands when it has just been accepted.
fn as_accepted(new: &NewJob) -> Job {
    Job {
        id: new.id.clone(),
        kind: new.kind,
        tenant: new.tenant.clone(),
        batch: None,
        state: State::Queued,
        attempts: 0,
        created_us: new.created_us,
        started_us: None,
        completed_us: None,
        not_before_us: new.not_before_us,
        expires_us: new.expires_us,
        asked: new.asked.clone(),
        status: 0,
        model: String::new(),
        placement: String::new(),
        prompt_tokens: 0,
        completion_tokens: 0,
        next_event: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_about_waiting_are_taken_out_and_the_others_stay_as_they_are() {
        let hints = br#"{"mode":"progressive","tags":{"a":"b"},"deadline_ms":50,"privacy":"retained"}"#;
        assert_eq!(patient(hints).unwrap(), r#"{"tags":{"a":"b"},"privacy":"retained"}"#);
        assert_eq!(patient(br#"{"mode":"progressive"}"#).unwrap(), "{}");
        assert_eq!(patient(br#"{"tags":"a=b"}"#), None);
    }
}

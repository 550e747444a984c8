//! The head of the answer: what the contract's headers say, and the body that carries the record to its end.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::deferred::{Content, Followed};
use super::paced::Paced;
use super::plain::Plain;
use super::recall::{How, Remembered};
use super::record::{Record, micros};
use super::relay::{Events, Relay};
use super::watchdog::Watchdog;
use super::{limits, share, tunnel};
use crate::error::{Error, Kind};
use crate::openai;
use crate::upstream::send::Lease;

/// What a stage answers with.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub flow: Flow,
}

/// How the body comes.
#[derive(Debug)]
pub enum Flow {
    Whole(Bytes),
    Plain {
        begun: Bytes,
        rest: Incoming,
        watchdog: Watchdog,
        lease: Lease,
    },
    Events(Box<Events>),
    /// Events from memory, with a pause between them.
    Paced(Bytes, Duration),
    /// Events of a background response, as they come.
    Followed(Followed),
    /// A file of ours.
    Content(Content),
    /// Protocols are switched; nothing of HTTP follows.
    Tunnel(tunnel::Ends),
}

const PLACEMENT: HeaderName = HeaderName::from_static("x-tidegate-placement");
const UPSTREAM: HeaderName = HeaderName::from_static("x-tidegate-upstream");
const MODEL: HeaderName = HeaderName::from_static("x-tidegate-model");
const ROUTE: HeaderName = HeaderName::from_static("x-tidegate-route");
const RULE: HeaderName = HeaderName::from_static("x-tidegate-rule");
const DIFFICULTY: HeaderName = HeaderName::from_static("x-tidegate-difficulty");
const PII: HeaderName = HeaderName::from_static("x-tidegate-pii");
const CACHE: HeaderName = HeaderName::from_static("x-tidegate-cache");
const MODE: HeaderName = HeaderName::from_static("x-tidegate-mode");
const KEY: HeaderName = HeaderName::from_static("x-tidegate-cache-key");
const SIMILARITY: HeaderName = HeaderName::from_static("x-tidegate-cache-similarity");
const PROBABILITY: HeaderName = HeaderName::from_static("x-tidegate-cache-probability");
const DEGRADED: HeaderName = HeaderName::from_static("x-tidegate-degraded");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tidegate-attempts");
const CONFIDENCE: HeaderName = HeaderName::from_static("x-tidegate-confidence");
const ESCALATION: HeaderName = HeaderName::from_static("x-tidegate-escalation");
const OVERHEAD: HeaderName = HeaderName::from_static("x-tidegate-overhead-us");
const TIMING: HeaderName = HeaderName::from_static("server-timing");

/// An answer for the client; the record ends with its body.
pub fn succeeded(mut record: Box<Record>, answered: Answered) -> Response<Body> {
    let Answered { status, mut headers, flow } = answered;
    describe(&mut record, status, &mut headers);
    let body = match flow {
        Flow::Whole(bytes) => {
            record.saw_whole(&bytes);
            record.close(None);
            Body::whole(bytes)
        }
        Flow::Plain { begun, rest, watchdog, lease } => {
            Body::Plain(Box::new(Plain::new(begun, rest, watchdog, lease, record)))
        }
        Flow::Paced(events, pace) => Body::Paced(Box::new(Paced::new(events, pace, record))),
        Flow::Content(content) => Body::Content(Box::new(content.recorded(record))),
        Flow::Followed(followed) => Body::Followed(Box::new(followed.recorded(record))),
        Flow::Events(events) => Body::Relay(Box::new(Relay::new(*events, record))),
        Flow::Tunnel(ends) => {
            tunnel::open(ends, record);
            Body::Whole(None)
        }
    };
    respond(status, headers, body)
}

/// An error for the client; the record ends here.
pub fn failed(mut record: Box<Record>, error: &Error) -> Response<Body> {
    let (status, mut headers, body) = openai::error::answer(error);
    describe(&mut record, status, &mut headers);
    if error.kind == Kind::Internal {
        tracing::error!(error = %error, "a request failed through a fault of the gateway");
    }
    record.close(Some(error.kind));
    respond(status, headers, Body::whole(body))
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The contract's headers: where it ran and why, and what the gateway added.
pub fn describe(record: &mut Record, status: StatusCode, headers: &mut HeaderMap) {
    let overhead = record.head(status);
    // What is written below and by the server: a map that has to grow costs more than all of it.
    headers.reserve(20);
    remembered(record, headers);
    let upstream = record.target.as_ref().map(|(_, target)| &target.upstream).or(record.elsewhere.as_ref());
    if let Some(upstream) = upstream {
        headers.insert(PLACEMENT, HeaderValue::from_static(upstream.placement_name()));
        headers.insert(UPSTREAM, upstream.name_header.clone());
    }
    if let Some((_, target)) = &record.target {
        headers.insert(MODEL, target.name_header.clone());
    }
    if let Some(entry) = &record.route {
        headers.insert(ROUTE, entry.name_header.clone());
        if let Some(rule) = record.rule.and_then(|i| entry.rules.get(i)) {
            headers.insert(RULE, rule.name_header.clone());
        }
    }
    if let Some(difficulty) = record.seen.difficulty {
        headers.insert(DIFFICULTY, thousandths(difficulty));
    }
    if let Some(told) = record.private.as_ref().filter(|told| !told.text.is_empty()) {
        headers.extend(HeaderValue::from_str(&told.text).ok().map(|value| (PII, value)));
    }
    if record.degraded {
        headers.insert(DEGRADED, HeaderValue::from_static("cloud-unreachable"));
    }
    if let Some(attempts) = record.attempts() {
        headers.insert(ATTEMPTS, attempts);
    }
    if let Some(mode) = record.mode.header() {
        headers.insert(MODE, mode);
    }
    if let Some(confidence) = record.judged.confidence {
        headers.extend(HeaderValue::try_from(format!("{confidence:.2}")).ok().map(|value| (CONFIDENCE, value)));
    }
    if let Some(reason) = record.judged.escalated {
        headers.insert(ESCALATION, HeaderValue::from_static(reason.label()));
    }
    limits::describe(record, headers);
    headers.insert(OVERHEAD, HeaderValue::from(micros(overhead)));
    headers.insert(TIMING, timing(overhead, record.queued, record.upstream_wait));
}

/// What the cache was to the request, and what is told of an answer out of it.
fn remembered(record: &Record, headers: &mut HeaderMap) {
    if record.route.is_some() {
        headers.insert(CACHE, HeaderValue::from_static(record.remembered.label()));
    }
    let Remembered::Known(entry, how) = &record.remembered else {
        let key = record.cache_key.and_then(|key| HeaderValue::try_from(key.hex()).ok());
        headers.extend(key.map(|key| (KEY, key)));
        return;
    };
    headers.insert(KEY, entry.headers.key.clone());
    headers.insert(PLACEMENT, HeaderValue::from_static("cache"));
    headers.insert(MODEL, entry.headers.model.clone());
    if let Some(difficulty) = entry.facts.difficulty {
        headers.insert(DIFFICULTY, thousandths(difficulty.into()));
    }
    if let Some(pii) = &entry.headers.pii {
        headers.insert(PII, pii.clone());
    }
    if let How::Alike { similarity, probability } = how {
        headers.insert(SIMILARITY, thousandths((*similarity).into()));
        headers.insert(PROBABILITY, thousandths((*probability).into()));
    }
}

/// The head of an answer that was asked for by another one, for this one.
pub fn shared(record: &Record, headers: &HeaderMap) -> HeaderMap {
    let mut headers = share::without_own(headers);
    headers.insert(CACHE, HeaderValue::from_static(record.remembered.label()));
    headers
}

/// `0.312`
fn thousandths(value: f64) -> HeaderValue {
    let mut text = [0u8; 16];
    let mut rest = &mut text[..];
    let written = write!(rest, "{value:.3}");
    let length = 16 - rest.len();
    let text = text.get(..length).filter(|_| written.is_ok()).unwrap_or_default();
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

/// Milliseconds by phase (W3C Server Timing): deciding and relaying, queueing, waiting for the upstream.
fn timing(overhead: Duration, queued: Duration, upstream: Duration) -> HeaderValue {
    let mut text = [0u8; 96];
    let mut rest = &mut text[..];
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let written = match queued.is_zero() {
        true => write!(rest, "decide;dur={:.3}, wait;dur=0, upstream;dur={:.3}", ms(overhead), ms(upstream)),
        false => {
            write!(rest, "decide;dur={:.3}, wait;dur={:.3}, upstream;dur={:.3}", ms(overhead), ms(queued), ms(upstream))
        }
    };
    let length = 96 - rest.len();
    let text = text.get(..length).filter(|_| written.is_ok()).unwrap_or_default();
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

//! Asking for an answer that is to be kept: together with whoever asks the same at the same time.
//!
//! What a reader could get wrong: the one who asks first gives his record to the call; if he leaves, the call and its record go on as long as
//! somebody waits. Everybody else has a record of his own, which costs nothing.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::answer::{self, Answered, Flow};
use super::deferred::upgrade::{QUEUED, UPGRADE};
use super::keep::{Keeper, Settled};
use super::read::Read;
use super::recall::{self, Form, How, Recalled, Remembered, Wanted};
use super::record::Record;
use super::relay::Relay;
use super::seat::{SeatBody, SharedStream};
use super::{Body, Gateway, beyond};
use crate::cache::flight::{Asking, Flight, Landed, Listed, Seat, Source, Told};
use crate::cache::replay;
use crate::cache::{Entry, Terms};
use crate::config::file::OnSharedError;
use crate::error::{Error, Kind, Side};
use crate::openai::Endpoint;
use crate::task;
use crate::telemetry::metrics::Following;

/// An answer's head, as everybody gets it who waits for it.
#[derive(Debug)]
pub struct Head {
    pub status: StatusCode,
    /// As the one gets them who asked first.
    pub headers: HeaderMap,
    pub is_stream: bool,
    /// What is known once it has ended.
    pub settled: Arc<Settled>,
    /// What was kept or found, if that is known by now.
    pub entry: OnceLock<Arc<Entry>>,
    /// It was found, not asked for: this is how.
    pub found: Option<How>,
}

/// A seat at a call of the gateway's.
pub type OurSeat = Seat<Head, Response<Body>>;

/// Headers that belong to one request: everybody has his own.
const OWN: [&str; 4] = ["x-tidegate-attempts", "x-tidegate-overhead-us", "server-timing", "x-tidegate-cache"];
const LIMITS: &str = "x-ratelimit-";
/// How much longer a stream is than its answer, about.
const EVENTS_PER_ANSWER: usize = 8;

/// Asks, or waits with those who have asked.
pub async fn ask(gateway: &Gateway, read: Read, wanted: Wanted, record: Box<Record>) -> Response<Body> {
    let form = Form::of(&read);
    // One's deadline and special wishes are no matter of the others.
    let is_own = wanted.refresh || wanted.max_age.is_some() || wanted.only_if_kept || read.hints.deadline_ms.is_some();
    let is_shared = wanted.terms.coalesce && !is_own;
    if !is_shared {
        let asking = call(gateway.clone(), read, wanted.clone(), record, None);
        let seat = Flight::begin(asking, window(&wanted.terms));
        return lead(seat, form).await;
    }
    let flights = Arc::clone(&wanted.store.flights);
    let load = (read, record);
    let begun = flights.join_or_begin(wanted.key, load, |(read, record), listed| {
        Flight::begin(call(gateway.clone(), read, wanted.clone(), record, Some(listed)), window(&wanted.terms))
    });
    match begun {
        Ok(seat) => lead(seat, form).await,
        Err((seat, (read, record))) => Box::pin(follow(gateway, seat, read, record, &wanted)).await,
    }
}

/// The one who asked first.
async fn lead(mut seat: OurSeat, form: Form) -> Response<Body> {
    let told = seat.told().await;
    if let Some(own) = seat.own() {
        return own;
    }
    match told {
        Told::Whole(head, bytes) => respond(head.status, head.headers.clone(), Body::whole(bytes)),
        Told::Flowing(head) => {
            let body = SeatBody::new(seat, form, None, Arc::clone(&head.settled));
            respond(head.status, head.headers.clone(), Body::Shared(Box::new(body)))
        }
        // His own answer has been taken above.
        Told::Alone | Told::Failed(_) => Response::new(Body::whole(Bytes::new())),
    }
}

/// One who asked the same while it was under way.
async fn follow(
    gateway: &Gateway,
    mut seat: OurSeat,
    read: Read,
    mut record: Box<Record>,
    wanted: &Wanted,
) -> Response<Body> {
    record.seen = super::seen::Seen::of_request(&read);
    let form = Form::of(&read);
    let following = Following::begin(&record.shared().durable.metrics.cache.following);
    let told = record.waiting_upstream(seat.told()).await;
    let answered = match told {
        Told::Failed(error) => {
            record.route = record.snapshot.routes.get(&read.model).cloned();
            return answer::failed(record, &error);
        }
        Told::Alone => None,
        Told::Whole(head, bytes) => whole(&head, &bytes, form, wanted, &read, &mut record),
        Told::Flowing(head) if form.stream == head.is_stream && form.stream => {
            record.count_flight("coalesced");
            join(&head, &read, &mut record);
            let mut headers = answer::shared(&record, &head.headers);
            answer::describe(&mut record, head.status, &mut headers);
            let body = SeatBody::new(seat, form, Some((record, following)), Arc::clone(&head.settled));
            return respond(head.status, headers, Body::Shared(Box::new(body)));
        }
        Told::Flowing(head) => {
            let pieces = record.waiting_upstream(seat.whole(window(&wanted.terms))).await;
            let plain = put_together(read.endpoint, pieces).await;
            plain.map(|plain| {
                join(&head, &read, &mut record);
                let mut headers = answer::shared(&record, &head.headers);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Answered { status: head.status, headers, flow: Flow::Whole(Bytes::from(plain)) }
            })
        }
    };
    match answered {
        Some(answered) => {
            record.count_flight("coalesced");
            answer::succeeded(record, answered)
        }
        None => {
            // What the first one left behind is let go with the last seat.
            drop((following, seat));
            record.count_flight("alone");
            // It may have been kept in the meantime.
            match recall::recall(&read, &mut record).await {
                Ok(Recalled::Answered(answered)) => answer::succeeded(record, answered),
                Ok(_) => gateway.ask_alone(read, record).await,
                Err(error) => answer::failed(record, &error),
            }
        }
    }
}

/// Bytes of a shared stream that are held: events say a token in some two hundred bytes where the plain form takes four.
fn window(terms: &Terms) -> usize {
    terms.max_entry.saturating_mul(EVENTS_PER_ANSWER)
}

/// The plain form of a stream's pieces, made apart: it takes a millisecond for a long one.
async fn put_together(endpoint: Endpoint, pieces: Option<Vec<Bytes>>) -> Option<Vec<u8>> {
    let pieces = pieces?;
    task::blocking(move || replay::to_plain(endpoint, &pieces.concat())).await.ok()?
}

/// A whole answer in the form in which this one wants it.
fn whole(
    head: &Arc<Head>,
    bytes: &Bytes,
    form: Form,
    wanted: &Wanted,
    read: &Read,
    record: &mut Record,
) -> Option<Answered> {
    if let (Some(entry), Some(how)) = (head.entry.get(), head.found) {
        let route = Arc::clone(record.snapshot.routes.get(&read.model)?);
        recall::known_route(&route, entry, record);
        return recall::give(entry, how, form, &wanted.terms, &wanted.store, record);
    }
    join(head, read, record);
    let mut headers = answer::shared(record, &head.headers);
    let flow = match (head.is_stream, form.stream) {
        (false, false) | (true, true) => Flow::Whole(bytes.clone()),
        (false, true) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            Flow::Whole(Bytes::from(replay::to_stream(read.endpoint, bytes, form.usage)?))
        }
        (true, false) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Flow::Whole(Bytes::from(replay::to_plain(read.endpoint, bytes)?))
        }
    };
    Some(Answered { status: head.status, headers, flow })
}

fn join(head: &Arc<Head>, read: &Read, record: &mut Record) {
    record.route = record.snapshot.routes.get(&read.model).cloned();
    let rule = head.headers.get("x-tidegate-rule").and_then(|rule| rule.to_str().ok());
    record.rule = record.route.as_ref().and_then(|route| route.route.rules.iter().position(|r| Some(&*r.name) == rule));
    record.remembered = Remembered::Shared(Arc::clone(head));
}

/// The call itself: tiers beyond memory, then the usual way.
fn call(
    gateway: Gateway,
    mut read: Read,
    wanted: Wanted,
    mut record: Box<Record>,
    listed: Option<Listed>,
) -> Asking<Head, Response<Body>> {
    Box::pin(async move {
        let settled = Arc::new(Settled::default());
        let keeper = Keeper::new(&read, &wanted, &record, Arc::clone(&settled), listed);
        record.settles = Some(Arc::clone(&settled));
        // Followers may have asked for usage: it is taken out for each who has not.
        read.shared = Some(wanted.terms.max_entry);
        let form = Form::of(&read);
        let mut keeper = keeper;
        if let Some((entry, how)) = beyond::find(&gateway, &read, &wanted, &mut keeper, &mut record).await {
            return found(entry, how, &read, form, &wanted, keeper, record);
        }
        if wanted.only_if_kept {
            let error = recall::nothing_kept();
            let own = answer::failed(record, &error);
            return Landed::Failed { error, is_shared: false, own };
        }
        match gateway.ask(read, &mut record).await {
            Err(error) => {
                let is_shared = wanted.terms.on_error == OnSharedError::Share && concerns_all(&error, &record);
                let own = answer::failed(record, &error);
                Landed::Failed { error, is_shared, own }
            }
            Ok(answered) => land(answered, record, keeper, form).await,
        }
    })
}

/// An answer that was found beyond memory, or to a question in other words.
fn found(
    entry: Arc<Entry>,
    how: How,
    read: &Read,
    form: Form,
    wanted: &Wanted,
    keeper: Keeper,
    mut record: Box<Record>,
) -> Landed<Head, Response<Body>> {
    record.settles = None;
    record.seen = super::seen::Seen::of_request(read);
    recall::known_route(&wanted.route, &entry, &mut record);
    let given = recall::give(&entry, how, form, &wanted.terms, &wanted.store, &mut record);
    let settled = Arc::clone(&keeper.settled);
    match given {
        Some(Answered { status, mut headers, flow: Flow::Whole(bytes) }) => {
            answer::describe(&mut record, status, &mut headers);
            record.saw_answer(&bytes);
            record.close(None);
            let entry = OnceLock::from(entry);
            let head = Head { status, headers, is_stream: form.stream, settled, entry, found: Some(how) };
            Landed::Whole(head, bytes)
        }
        // The others look again, and find it in memory.
        Some(answered) => Landed::Alone(answer::succeeded(record, answered)),
        None => {
            let error = Error::gateway(Kind::Internal, "a kept answer cannot be told as a stream");
            let own = answer::failed(record, &error);
            Landed::Failed { error, is_shared: false, own }
        }
    }
}

/// An upstream's answer is the same for all; the one's own budget, limit or leaving is not.
fn concerns_all(error: &Error, record: &Record) -> bool {
    !record.tries.is_empty() && (error.side == Side::Upstream || error.kind == Kind::Overloaded)
}

async fn land(answered: Answered, mut record: Box<Record>, keeper: Keeper, form: Form) -> Landed<Head, Response<Body>> {
    let Answered { status, mut headers, mut flow } = answered;
    if headers.get(UPGRADE).is_some_and(|upgrade| upgrade == QUEUED) {
        // It has the id of a job, which its client can delete: everybody else asks for himself, and nothing is kept.
        if let Flow::Events(events) = &mut flow {
            events.strip_usage(!form.usage);
        }
        return Landed::Alone(answer::succeeded(record, Answered { status, headers, flow }));
    }
    let settled = Arc::clone(&keeper.settled);
    let is_stream = matches!(flow, Flow::Events(_));
    match flow {
        Flow::Whole(bytes) => {
            answer::describe(&mut record, status, &mut headers);
            record.saw_answer(&bytes);
            record.close(None);
            let entry = OnceLock::new();
            if status == StatusCode::OK
                && let Some(kept) = keeper.keep_plain(&bytes).await
            {
                // Set once, just made.
                let _set = entry.set(kept);
            }
            Landed::Whole(Head { status, headers, is_stream, settled, entry, found: None }, bytes)
        }
        Flow::Events(events) => {
            answer::describe(&mut record, status, &mut headers);
            let mut relay = Relay::new(*events, record);
            relay.hash_without_usage(!form.usage);
            let head = Head { status, headers, is_stream, settled, entry: OnceLock::new(), found: None };
            Landed::Flowing(head, Box::new(SharedStream::new(relay, keeper)) as Box<dyn Source>)
        }
        flow => Landed::Alone(answer::succeeded(record, Answered { status, headers, flow })),
    }
}

/// Another one's headers without what is his alone.
pub fn without_own(headers: &HeaderMap) -> HeaderMap {
    let is_own = |name: &HeaderName| {
        OWN.contains(&name.as_str()) || name.as_str().starts_with(LIMITS) || *name == CONTENT_LENGTH
    };
    let mut shared = HeaderMap::with_capacity(headers.len() + 8);
    for (name, value) in headers.iter().filter(|(name, _)| !is_own(name)) {
        shared.append(name, value.clone());
    }
    shared
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

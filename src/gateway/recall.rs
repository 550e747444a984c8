//! Looking an answer up: whether the request may be answered from memory at all, under which key, and the answer if it is there.
//!
//! What a reader could get wrong: this comes before the request is looked through and decided. That is safe because the key holds everything that
//! those depend on (tenant, tier, wishes, the route as configured): an answer is only ever given to a request for which the same was decided.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use smallvec::SmallVec;

use super::answer::{Answered, Flow};
use super::headers;
use super::read::{LONG, Read};
use super::record::Record;
use super::share::Head;
use super::{admit, decide};
use crate::cache::key::Within;
use crate::cache::quick::{Circumstances, Known};
use crate::cache::semantic::index;
use crate::cache::{Entry, Key, Scope, Store, Terms};
use crate::config::file::Privacy;
use crate::error::{Error, Kind, Result};
use crate::openai::Endpoint;
use crate::openai::canon::{self, Canon};
use crate::openai::view::{Source, decode_string};
use crate::signals::SignalId;
use crate::signals::hints::CacheHint;
use crate::state::RouteEntry;
use crate::task;

/// Use of an entry is told to the store once in so many times: often enough to keep it there.
const TOLD_EVERY: u32 = 32;

/// Longer requests are asked: spelling them costs more than the lookup is worth, and nobody sends one twice.
const LARGEST: usize = 4 << 20;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// What the cache was to a request.
#[derive(Debug, Default)]
pub enum Remembered {
    /// Nothing is kept of it.
    #[default]
    Off,
    Miss,
    Known(Arc<Entry>, How),
    /// Others asked the same at the same time.
    Shared(Arc<Head>),
}

/// How an entry was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    Exact,
    /// By a question in other words.
    Alike {
        similarity: f32,
        probability: f32,
    },
}

impl Remembered {
    /// Nothing was paid for it.
    pub fn is_saving(&self) -> bool {
        matches!(self, Remembered::Known(..) | Remembered::Shared(_))
    }

    /// The word of headers and records.
    pub fn label(&self) -> &'static str {
        match self {
            Remembered::Off => "off",
            Remembered::Miss => "miss",
            Remembered::Known(_, How::Exact) => "hit",
            Remembered::Known(_, How::Alike { .. }) => "semantic",
            Remembered::Shared(_) => "coalesced",
        }
    }
}

/// What came of looking.
#[derive(Debug)]
pub enum Recalled {
    Answered(Answered),
    /// Nothing is to be kept of it: it is asked by itself.
    Alone,
    Wanted(Wanted),
}

/// An answer that is to be kept when it comes.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub store: Arc<Store>,
    pub route: Arc<RouteEntry>,
    pub key: Key,
    pub terms: Terms,
    /// What is there is not to be used.
    pub refresh: bool,
    /// What is kept is not to be used when it is older: seconds.
    pub max_age: Option<u64>,
    /// What is not kept anywhere is not to be asked for.
    pub only_if_kept: bool,
    /// When there had been so many purges.
    pub purges: u64,
    /// The question, where one in other words may be answered alike.
    pub question: Option<Question>,
}

/// The last thing that the user said, and what surrounds it.
#[derive(Debug, Clone)]
pub struct Question {
    pub scope: index::Scope,
    pub text: String,
}

/// In which form the client wants an answer.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub stream: bool,
    /// Usage in a stream.
    pub usage: bool,
}

impl Form {
    pub fn of(read: &Read) -> Form {
        let usage = read.view.stream_options.as_ref().is_some_and(|options| options.include_usage);
        Form { stream: read.view.stream, usage }
    }
}

/// The shortest way: the very bytes that were asked before.
pub fn at_once(endpoint: Endpoint, headers: &HeaderMap, body: &Bytes, record: &mut Record) -> Option<Answered> {
    let snapshot = Arc::clone(&record.snapshot);
    let store = snapshot.cache.as_ref()?;
    // An app has a tier, wishes and a threshold of its own; a key may stand for one.
    if !headers::are_usual(headers) || record.admission.app.is_some() {
        return None;
    }
    let here = circumstances(endpoint, record);
    let known = store.quick.find(record.worker(), here, body)?;
    let entry = known.entry.upgrade().filter(|entry| entry.holds(record.arrived_us()))?;
    let route = snapshot.routes.get(&*known.model)?;
    let terms = route.terms.as_ref()?;
    admit::may_ask(&known.model, record).ok()?;
    if entry.touch(TOLD_EVERY) {
        store.memory.get(&entry.key, record.arrived_us())?;
    }
    record.knew_prompt(known.prompt_hash);
    record.privacy = record.admission.tenant().map_or(Privacy::default(), |tenant| tenant.privacy);
    record.stream = known.stream;
    record.seen.input_tokens = known.input_tokens;
    record.seen.endpoint = endpoint.name();
    record.route = Some(Arc::clone(route));
    record.rule = known.rule;
    record.shared().durable.metrics.cache.memory_hit.inc();
    let form = Form { stream: known.stream, usage: known.usage };
    give(&entry, How::Exact, form, terms, store, record)
}

/// Looks in memory.
///
/// # Errors
/// There is no such model, the key may not ask for it, or only what is kept was asked for and this never is.
pub async fn recall(read: &Read, record: &mut Record) -> Result<Recalled> {
    let snapshot = Arc::clone(&record.snapshot);
    let Some(store) = &snapshot.cache else { return Ok(Recalled::Alone) };
    let entry = decide::route(&snapshot, &read.model)?;
    let Some(terms) = &entry.terms else { return Ok(Recalled::Alone) };
    admit::may_ask(&read.model, record)?;
    admit::hinted(&read.hints, record)?;
    record.privacy = record.admission.privacy(&read.hints);
    let demand = Demand::of(read);
    if demand.is_off || record.privacy == Privacy::LocalOnly {
        return demand.alone();
    }
    if read.body.len() > LARGEST {
        return demand.alone();
    }
    let canon = spell(read, record).await?;
    if canon.is_live || !terms.is_steady(read.endpoint, canon.temperature) {
        return demand.alone();
    }
    let scope = scope(read, entry, record);
    let key = scope.key(&canon.bytes);
    record.remembered = Remembered::Miss;
    record.cache_key = Some(key);
    let now = record.arrived_us();
    let found = if demand.refresh { None } else { store.memory.get(&key, now) };
    if let Some(found) = found.filter(|found| found.is_within(demand.max_age, terms.ttl, now)) {
        record.shared().durable.metrics.cache.memory_hit.inc();
        record.seen = super::seen::Seen::of_request(read);
        known_route(entry, &found, record);
        let given = give(&found, How::Exact, Form::of(read), terms, store, record);
        if let Some(given) = given {
            learn(read, entry, &found, record);
            return Ok(Recalled::Answered(given));
        }
        record.remembered = Remembered::Miss;
    }
    record.shared().durable.metrics.cache.memory_miss.inc();
    Ok(Recalled::Wanted(Wanted {
        store: Arc::clone(store),
        route: Arc::clone(entry),
        key,
        terms: terms.clone(),
        refresh: demand.refresh,
        max_age: demand.max_age,
        only_if_kept: demand.only_if_cached,
        purges: store.purges(),
        question: terms.semantic.and_then(|_| question(read, &scope)),
    }))
}

/// The last message, if it is the user's and nothing but one text. A list of inputs, images and the like have no question.
fn question(read: &Read, scope: &Scope) -> Option<Question> {
    let view = &read.view;
    let last = view.pieces.iter().filter(|piece| piece.source != Source::ToolDefinition).max_by_key(|p| p.message)?;
    let beside = view.pieces.iter().filter(|piece| piece.message == last.message && piece.source == last.source);
    let is_alone = beside.count() == 1;
    let is_question = match read.endpoint {
        Endpoint::Chat | Endpoint::Responses => last.source == Source::User,
        Endpoint::Completions => last.source == Source::Input && view.pieces.len() == 1,
        Endpoint::Embeddings => false,
    };
    if !is_alone || !is_question || view.opaque || view.images > 0 || view.files > 0 || read.body.len() > LONG {
        return None;
    }
    let text = decode_string(read.body.get(last.range.clone())?)?.into_owned();
    let around = canon::canon(read.endpoint, &read.body, Some(last.range.clone())).ok()?;
    Some(Question { scope: index::Scope(scope.around(&around.bytes)), text })
}

async fn spell(read: &Read, record: &mut Record) -> Result<Canon> {
    let (endpoint, body) = (read.endpoint, read.body.clone());
    let spelled = match body.len() {
        LONG.. => record.waiting(task::blocking(move || canon::canon(endpoint, &body, None))).await?,
        _ => canon::canon(read.endpoint, &body, None),
    };
    spelled.map_err(|_| Error::client(Kind::InvalidRequest, "the request body cannot be read"))
}

/// Route and rule of an entry, for headers and records.
pub fn known_route(route: &Arc<RouteEntry>, entry: &Entry, record: &mut Record) {
    record.rule = route.route.rules.iter().position(|rule| rule.name == entry.facts.rule);
    record.route = Some(Arc::clone(route));
}

/// An answer out of an entry; `None`: it cannot be told in this form.
pub fn give(
    entry: &Arc<Entry>,
    how: How,
    form: Form,
    terms: &Terms,
    store: &Store,
    record: &mut Record,
) -> Option<Answered> {
    let mut headers = HeaderMap::with_capacity(24);
    let flow = match form.stream {
        false => {
            headers.insert(CONTENT_TYPE, JSON);
            Flow::Whole(entry.plain().clone())
        }
        true => {
            let (events, is_new) = entry.stream(form.usage)?;
            if is_new {
                // It has grown.
                store.memory.weigh(entry);
            }
            headers.insert(CONTENT_TYPE, EVENTS);
            match terms.pace {
                None => Flow::Whole(events.clone()),
                Some(pace) => Flow::Paced(events.clone(), pace),
            }
        }
    };
    headers.insert(AGE, HeaderValue::from(entry.age(record.arrived_us())));
    record.remembered = Remembered::Known(Arc::clone(entry), how);
    Some(Answered { status: StatusCode::OK, headers, flow })
}

/// Next time the bytes alone are enough, where nothing else of the request matters.
fn learn(read: &Read, route: &RouteEntry, entry: &Arc<Entry>, record: &Record) {
    let reads_who =
        [SignalId::App, SignalId::User, SignalId::Tags].into_iter().any(|signal| route.reads.contains(signal));
    let is_plain = read.view.hints.is_none() && headers::are_usual(&read.headers);
    if reads_who || !is_plain || record.admission.app.is_some() {
        return;
    }
    let Some(store) = &record.snapshot.cache else { return };
    let form = Form::of(read);
    let known = Known {
        circumstances: circumstances(read.endpoint, record),
        entry: Arc::downgrade(entry),
        model: read.model.as_str().into(),
        rule: record.rule,
        stream: form.stream,
        usage: form.usage,
        input_tokens: read.input_tokens,
        prompt_hash: record.prompt_hash(),
    };
    store.quick.remember(record.worker(), &read.body, known);
}

/// Where nothing is hinted, tier and wishes are the tenant's own.
fn circumstances(endpoint: Endpoint, record: &Record) -> Circumstances {
    let tenant = record.admission.tenant();
    Circumstances {
        generation: record.snapshot.generation,
        tenant: tenant.map_or(0, |tenant| tenant.index),
        privacy: tenant.map_or(Privacy::default(), |tenant| tenant.privacy) as u8,
        endpoint,
    }
}

/// Everything that an answer depends on besides the request's body.
fn scope(read: &Read, route: &RouteEntry, record: &Record) -> Scope {
    let tenant = record.admission.tenant();
    let index = tenant.map_or(0, |tenant| tenant.index);
    let reads = |signal| route.reads.contains(signal);
    let app = record.admission.app.as_deref().or(read.hints.app.as_deref()).unwrap_or("");
    let user = record.admission.user.as_deref().or(read.hints.user.as_deref()).unwrap_or("");
    let has_apps = tenant.is_some_and(|tenant| !tenant.apps.is_empty());
    let mut headers: SmallVec<[_; 4]> =
        headers::that_matter(&read.headers).map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    headers.sort_unstable();
    let within = Within {
        route: &route.scope,
        tenant: tenant.map_or("", |tenant| tenant.name.as_str()),
        tenant_as: record.snapshot.tenant_scopes.get(index).map_or(&[][..], |scope| &scope[..]),
        privacy: record.privacy.name(),
        endpoint: read.endpoint.name(),
        placement: read.hints.placement.map_or("", |hint| hint.name()),
        app: (has_apps || reads(SignalId::App)).then_some(app),
        user: reads(SignalId::User).then_some(user),
        model: reads(SignalId::Model).then_some(read.model.as_str()),
        stream: reads(SignalId::Stream).then_some(read.view.stream),
        deadline_ms: reads(SignalId::HintDeadlineMs).then_some(read.hints.deadline_ms.unwrap_or(0)),
        tags: if reads(SignalId::Tags) { &read.hints.tags } else { &[] },
        headers: &headers,
    };
    within.scope()
}

/// What the request wants of the cache.
#[derive(Debug, Default, PartialEq)]
struct Demand {
    is_off: bool,
    refresh: bool,
    /// Seconds.
    max_age: Option<u64>,
    only_if_cached: bool,
}

impl Demand {
    /// The hint, and what `cache-control` means in a request (RFC 9111 5.2.1).
    fn of(read: &Read) -> Demand {
        let mut demand = Demand {
            is_off: read.hints.cache == Some(CacheHint::Off),
            refresh: read.hints.cache == Some(CacheHint::Refresh),
            ..Demand::default()
        };
        let lines =
            read.headers.get_all(http::header::CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
        for directive in lines.flat_map(|line| line.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => demand.is_off = true,
                "no-cache" => demand.refresh = true,
                "only-if-cached" => demand.only_if_cached = true,
                "max-age" => match value.trim().trim_matches('"').parse() {
                    // Nothing that is kept is as fresh as that.
                    Ok(0) => demand.refresh = true,
                    Ok(seconds) => demand.max_age = Some(seconds),
                    Err(_) => {}
                },
                _ => {}
            }
        }
        demand
    }

    /// It is not looked up: whether it may be asked for.
    fn alone(&self) -> Result<Recalled> {
        if self.only_if_cached { Err(nothing_kept()) } else { Ok(Recalled::Alone) }
    }
}

/// To one who wants nothing but what is kept.
pub fn nothing_kept() -> Error {
    let message = "nothing is kept for this request, and `cache-control: only-if-cached` asks for nothing else";
    Error::client(Kind::Timeout, message)
}

//! The decision for a request without sending it: the same stages as a real one, for `tidegate explain` and `POST /api/explain`.
//!
//! What a reader could get wrong: which upstreams are up, and where controllers stand, is what this process knows; a command-line run has just
//! started and takes all for up. Nothing is observed: explaining moves no threshold and no budget.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::look::{self, Asker, Looked};
use super::read::{self, Read};
use super::{admit, decide, inspect};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};
use crate::openai::Endpoint;
use crate::policy::explain::{MovedTold, ScoreTold, ThresholdTold};
use crate::policy::threshold::Own;
use crate::policy::{self, Explanation};
use crate::signals::Wish;
use crate::signals::classifier::{self, Classifier};
use crate::signals::conversation::Leader;
use crate::signals::hints::{PlacementHint, PrivacyHint};
use crate::signals::wish::Who;
use crate::state::{RouteEntry, Snapshot};
use crate::tenant::Tenant;

/// A request to be explained.
#[derive(Debug)]
pub struct Asked {
    pub endpoint: Endpoint,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// In whose name; empty: nobody's.
    pub tenant: String,
    pub app: String,
}

impl Asked {
    /// A chat without headers, in nobody's name.
    pub fn chat(body: &[u8]) -> Asked {
        Asked {
            endpoint: Endpoint::Chat,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            tenant: String::new(),
            app: String::new(),
        }
    }
}

impl Asked {
    /// From what `POST /api/explain` takes: a chat request as it is, or
    /// `{request: {…}, endpoint?: "chat", headers?: {…}, tenant?, app?}`.
    ///
    /// # Errors
    /// What cannot be read, without the text.
    pub fn from_api(body: &[u8]) -> Result<Asked> {
        let bad = |message: String| Error::client(Kind::InvalidRequest, message);
        let Ok(Value::Object(mut envelope)) = serde_json::from_slice::<Value>(body) else {
            return Ok(Asked::chat(body));
        };
        let Some(request) = envelope.remove("request") else { return Ok(Asked::chat(body)) };
        let mut text = |name: &str| match envelope.remove(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(bad(format!("`{name}` must be text"))),
        };
        let (tenant, app, endpoint) = (text("tenant")?, text("app")?, text("endpoint")?);
        let endpoint = match endpoint.as_str() {
            "" | "chat" => Endpoint::Chat,
            "completions" => Endpoint::Completions,
            "embeddings" => Endpoint::Embeddings,
            "responses" => Endpoint::Responses,
            _ => return Err(bad("`endpoint` must be chat, completions, embeddings or responses".into())),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in envelope.remove("headers").as_ref().and_then(Value::as_object).into_iter().flatten() {
            let wrong = || bad(format!("`headers`: `{name}` is no header with a text"));
            let value = value.as_str().and_then(|value| value.parse().ok()).ok_or_else(wrong)?;
            headers.append(name.parse::<http::HeaderName>().map_err(|_| wrong())?, value);
        }
        if let Some(unknown) = envelope.keys().next() {
            let known = "request, endpoint, headers, tenant, app";
            return Err(bad(format!("unknown member `{unknown}`; beside `request` there are {known}")));
        }
        Ok(Asked { endpoint, headers, body: request.to_string().into(), tenant, app })
    }
}

/// Decides and explains. Errors are those that the request would meet, and an unknown tenant or app.
pub fn explain(snapshot: &Snapshot, asked: &Asked) -> Result<Explanation> {
    let read = read::understand(asked.endpoint, asked.headers.clone(), asked.body.clone())?;
    let entry = decide::route(snapshot, &read.model)?;
    let tenant = tenant(snapshot, asked)?;
    let asker = asker(tenant, asked, &read)?;
    let inspected = inspect::inspect_anyway(snapshot, &asked.tenant, asker.privacy, &read);
    let looked = look::look_at_all(&read, entry, snapshot, asker, inspected.signals());
    let decision = policy::decide(&entry.route, &looked.signals);
    let mut told = Explanation::new(&entry.route, &decision, &looked.signals);
    told.threshold = ThresholdTold { value: looked.threshold.value, source: looked.threshold.to_string() };
    told.difficulty = looked.model.map(|model| score_told(model, &read));
    told.needs_fresh_knowledge = Some(score_told(&snapshot.classifiers.fresh, &read));
    if entry.is_sticky {
        told.notes.push("sticky: later turns of a conversation keep the difficulty and threshold of its first".into());
    }
    measure(&mut told, &looked, &read, entry, snapshot, asked);
    Ok(told)
}

fn tenant<'s>(snapshot: &'s Snapshot, asked: &Asked) -> Result<Option<&'s Tenant>> {
    if asked.tenant.is_empty() {
        return Ok(None);
    }
    let found = snapshot.tenants.tenants().iter().find(|tenant| tenant.name == asked.tenant);
    let unknown = || Error::client(Kind::InvalidRequest, format!("there is no tenant `{}`", asked.tenant));
    found.map(|tenant| Some(tenant.as_ref())).ok_or_else(unknown)
}

/// Who asks, as with that tenant's key.
fn asker<'a>(tenant: Option<&'a Tenant>, asked: &'a Asked, read: &'a Read) -> Result<Asker<'a, 'a>> {
    let Some(tenant) = tenant else { return Ok(Asker::nobody(&read.hints)) };
    let name = if asked.app.is_empty() { read.hints.app.as_deref().unwrap_or("") } else { &asked.app };
    let app = tenant.apps.get(name);
    if app.is_none() && !name.is_empty() && !tenant.apps.is_empty() {
        let message = format!("tenant `{}` has no app `{name}`", tenant.name);
        return Err(Error::client(Kind::AppNotAllowed, message));
    }
    if tenant.models.as_ref().is_some_and(|models| !models.contains(&read.model)) {
        let message = format!("tenant `{}` may not ask for the model `{}`", tenant.name, read.model);
        return Err(Error::client(Kind::ModelNotAllowed, message));
    }
    let now = jiff::Timestamp::now().as_microsecond();
    let budgets = tenant.budget.iter().chain(app.and_then(|app| app.budget.as_ref()));
    let wishes = [(Who::Tenant, tenant.placement), (Who::App, app.and_then(|app| app.placement))];
    let placement =
        wishes.into_iter().fold(Wish::default(), |wish, (who, said)| wish.then(who, said.map(PlacementHint::from)));
    let tiers = [Some(tenant.privacy), app.and_then(|app| app.privacy), read.hints.privacy.map(PrivacyHint::tier)];
    let own = app.and_then(|app| app.threshold).map(Own::App);
    Ok(Asker {
        tenant: &tenant.name,
        privacy: tiers.into_iter().flatten().max().unwrap_or_default(),
        regions: tenant.regions.as_deref(),
        budget: admit::money(budgets, now),
        deferred: false,
        placement: placement.then(Who::Request, read.hints.placement),
        threshold: own.or(tenant.threshold.map(Own::Tenant)),
        leader: Leader { tenant: &tenant.name, app: name, user: read.hints.user.as_deref().unwrap_or("") },
    })
}

fn score_told(model: &Classifier, read: &Read) -> ScoreTold {
    let moved = classifier::explain(model, &look::circumstances(read), look::passages(read));
    let told = |moved: classifier::Moved| MovedTold {
        what: moved.what,
        by: (f64::from(moved.by) * 1e3).round() / 1e3,
        is_text: moved.is_text,
    };
    ScoreTold { model: model.identity().to_owned(), moved: moved.into_iter().map(told).collect() }
}

/// How long each signal that has to be found out took, once everything is warm.
fn measure(
    told: &mut Explanation,
    looked: &Looked<'_>,
    read: &Read,
    entry: &RouteEntry,
    snapshot: &Snapshot,
    asked: &Asked,
) {
    let (circumstances, passages) = (look::circumstances(read), look::passages(read));
    let fresh = Some(snapshot.classifiers.fresh.as_ref());
    let costs = [
        (
            "input_tokens",
            microseconds(|| read::understand(asked.endpoint, HeaderMap::new(), asked.body.clone()).is_ok()),
        ),
        ("difficulty", microseconds(|| classifier::score(looked.model, None, &circumstances, passages.clone()))),
        ("needs_fresh_knowledge", microseconds(|| classifier::score(None, fresh, &circumstances, passages.clone()))),
        (
            "pii.severity",
            microseconds(|| inspect::inspect_anyway(snapshot, &asked.tenant, looked.signals.privacy, read)),
        ),
        ("threshold", microseconds(|| entry.threshold.read(looked.signals.cloud_pressure, None))),
        ("edge.available", microseconds(|| snapshot.available(Placement::Edge))),
        ("cloud.available", microseconds(|| snapshot.available(Placement::Cloud))),
        ("edge.load", microseconds(|| snapshot.edge_load())),
        ("cloud.pressure", microseconds(|| entry.cloud_pressure())),
        ("hour", microseconds(jiff::Zoned::now)),
    ];
    for signal in &mut told.signals {
        signal.us = costs.iter().find(|(name, _)| *name == signal.name).map(|(_, us)| *us);
    }
}

fn microseconds<T>(find_out: impl Fn() -> T) -> f64 {
    // The first time brings code and tables into the caches.
    std::hint::black_box(find_out());
    let began = Instant::now();
    std::hint::black_box(find_out());
    (began.elapsed().as_nanos() as f64 / 100.0).round() / 10.0
}

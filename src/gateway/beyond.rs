//! Looking further than memory, before anybody upstream is asked: in the tiers beyond it, then for the same question in other words.
//!
//! What a reader could get wrong: of a hundred answers that would be given for a question in other words, as many as `verify_sample` says
//! are asked for upstream all the same: their client gets the upstream's answer, and the two are compared.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use tokio::time::Instant;

use super::keep::Keeper;
use super::read::Read;
use super::recall::{Form, How, Question, Wanted};
use super::record::Record;
use super::{Gateway, hold};
use crate::cache::Entry;
use crate::cache::semantic::doubt::Whose;
use crate::cache::semantic::verify::Verifier;
use crate::cache::semantic::{Asked, Semantic};
use crate::config::file::{BUILTIN, Placement, Privacy};
use crate::openai::Endpoint;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Locality, Outbound};
use crate::upstream::{Ask, Target, Timeouts};

/// An embedder that takes longer costs more than the answer is worth.
const EMBEDDING: Duration = Duration::from_millis(250);
/// No vector is longer.
const LARGEST_VECTOR: usize = 1 << 20;

/// An answer, and how it was found.
pub async fn find(
    gateway: &Gateway,
    read: &Read,
    wanted: &Wanted,
    keeper: &mut Keeper,
    record: &mut Record,
) -> Option<(Arc<Entry>, How)> {
    let store = &wanted.store;
    if !wanted.refresh {
        let (privacy, purges) = (record.privacy, wanted.purges);
        let found = record.waiting(store.beyond(&wanted.key, privacy, purges)).await;
        if let Some((entry, _)) = found.filter(|(entry, _)| may_be_given(entry, read, wanted, record)) {
            return Some((entry, How::Exact));
        }
    }
    let (semantic, question) = (store.semantic.as_ref()?, wanted.question.as_ref()?);
    let asked = prepare(gateway, read, question, record).await?;
    keeper.asked(asked.clone());
    if wanted.refresh {
        return None;
    }
    let found = in_other_words(&asked, semantic, read, wanted, keeper, record);
    let result = if found.is_some() { "hit" } else { "miss" };
    record.shared().durable.metrics.cache.requests.with_label_values(&["semantic", result]).inc();
    found
}

/// It is an answer of this endpoint, young enough, and can be told in the form that is asked for.
fn may_be_given(entry: &Entry, read: &Read, wanted: &Wanted, record: &Record) -> bool {
    let form = Form::of(read);
    entry.endpoint == read.endpoint
        && entry.is_within(wanted.max_age, wanted.terms.ttl, record.arrived_us())
        && (!form.stream || entry.stream(form.usage).is_some())
}

fn in_other_words(
    asked: &Asked,
    semantic: &Semantic,
    read: &Read,
    wanted: &Wanted,
    keeper: &mut Keeper,
    record: &Record,
) -> Option<(Arc<Entry>, How)> {
    let terms = wanted.terms.semantic?;
    let alike = semantic.nearest(asked)?;
    let threshold = Verifier::builtin().threshold(terms.max_error);
    if f64::from(alike.probability) < threshold {
        return None;
    }
    let Some(entry) = wanted.store.memory.get(&alike.key, record.arrived_us()) else {
        semantic.forget(alike.key);
        return None;
    };
    if !may_be_given(&entry, read, wanted, record) {
        return None;
    }
    // Also what is doubted by now: otherwise nothing could ever be learnt to its credit.
    let durable = &record.shared().durable;
    if durable.shadows.draws(terms.verify_sample) {
        durable.metrics.cache.requests.with_label_values(&["semantic", "verify"]).inc();
        keeper.check(entry, alike.probability, durable.metrics.cache.verified.clone());
        return None;
    }
    let whose = Whose { route: &wanted.route.route.name, tenant: record.tenant_name() };
    let believed = semantic.doubts.believed(whose, alike.probability.into());
    let how = How::Alike { similarity: alike.similarity, probability: believed as f32 };
    (believed >= threshold).then_some((entry, how))
}

async fn prepare(gateway: &Gateway, read: &Read, question: &Question, record: &mut Record) -> Option<Asked> {
    let section = Arc::clone(&record.snapshot);
    let embedder = section.embedder.as_deref().unwrap_or(BUILTIN);
    if embedder == BUILTIN {
        return Semantic::prepare(question.scope, &question.text, None);
    }
    let target = section.targets.iter().find(|target| target.name == embedder)?;
    if !may_have(target, read, record) {
        return None;
    }
    let vector = record.waiting(embed(gateway, target, &question.text)).await;
    let result = if vector.is_some() { "ok" } else { "failed" };
    record.shared().durable.metrics.cache.requests.with_label_values(&["embedder", result]).inc();
    Semantic::prepare(question.scope, &question.text, Some(vector?))
}

/// The embedder gets the question as it was sent: not where it would have to be hidden from the edge, where the request may not run there, or
/// outside the tenant's regions.
fn may_have(target: &Target, read: &Read, record: &Record) -> bool {
    let profile = record.snapshot.protection.profile(record.tenant_name());
    let is_hidden = profile.holds_for(Placement::Edge, record.privacy == Privacy::NoRetention);
    let is_forbidden = record.admission.placement(&read.hints).forbids(Placement::Edge).is_some();
    let regions = record.admission.tenant().and_then(|tenant| tenant.regions.as_ref());
    let region = target.upstream.section.region.as_ref();
    let is_abroad = regions.is_some_and(|allowed| region.is_some_and(|region| !allowed.contains(region)));
    !is_hidden && !is_forbidden && !is_abroad
}

/// The part of an embeddings answer that counts.
#[derive(Debug, Deserialize)]
struct Embedded {
    data: Vec<Datum>,
}

#[derive(Debug, Deserialize)]
struct Datum {
    embedding: Vec<f32>,
}

/// Has a model at the edge make the vector; the configuration names no other (see `config/check/cache.rs`).
async fn embed(gateway: &Gateway, target: &Arc<Target>, text: &str) -> Option<Vec<f32>> {
    let upstream = &target.upstream;
    let body = Bytes::from(serde_json::json!({"model": target.id, "input": text}).to_string());
    let place = upstream.pool.pick(&Ask { model: &target.id, ..Ask::default() }, &[])?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = &upstream.credentials {
        headers.insert(name.clone(), value.clone());
    }
    let deadline = Instant::now() + EMBEDDING;
    let outbound = Outbound {
        method: Method::POST,
        path: target.path(Endpoint::Embeddings),
        headers,
        placement: upstream.placement(),
        // Every question goes there: whatever its tier, it may not leave the edge for this.
        locality: Locality::EdgeOnly,
        redacted: upstream.placement() == Placement::Cloud,
        timeouts: Timeouts { connect: EMBEDDING, first_token: EMBEDDING, between_tokens: EMBEDDING, total: EMBEDDING },
        deadline,
        worker: gateway.worker,
        upgrade: false,
    };
    let asking = async {
        let make = || Some(Outgoing::segments(smallvec::smallvec![body.clone()]));
        let answer = send::send(place, &outbound, make, || {}).await.ok()?;
        let send::Answer { head, body, mut lease } = answer;
        if !head.status.is_success() {
            return None;
        }
        let (whole, rest) = hold::gather(body, BytesMut::new(), LARGEST_VECTOR).await.ok()?;
        if rest.is_some() {
            return None;
        }
        lease.finish();
        let embedded: Embedded = serde_json::from_slice(&whole).ok()?;
        embedded.data.into_iter().next().map(|datum| datum.embedding)
    };
    tokio::time::timeout_at(deadline, asking).await.ok()?
}

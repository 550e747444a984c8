//! What the cache needs of a configuration: the store, kept over reloads, and the scopes of routes and tenants.
//!
//! What a reader could get wrong: a scope changes with everything in the configuration that may change an answer (rules, models, what is hidden),
//! so that after such a reload nothing old is found. What cannot (limits, keys, timeouts, nodes) is left out.

use std::sync::Arc;

use prometheus::IntGaugeVec;
use serde_json::{Value, json};

use super::snapshot::Snapshot;
use super::{Durable, Shared};
use crate::cache::semantic::verify::Verifier;
use crate::cache::tier::{Figures, Outcome, Write};
use crate::cache::{Key, Purge, Store};
use crate::config::file::File;
use crate::config::load::Loaded;
use crate::telemetry::metrics::Cache;

/// The hash of what an answer depends on.
pub type Scope = [u8; 32];

/// Keys of an upstream that may change an answer.
const OF_UPSTREAM: [&str; 5] = ["placement", "kind", "base_url", "region", "api_version"];
/// Keys of a tenant that cannot.
const NOT_OF_TENANT: [&str; 4] = ["keys", "limits", "budget", "priority"];
/// Keys of a route that cannot.
const NOT_OF_ROUTE: [&str; 2] = ["aliases", "cache"];

/// The store: the one from before, if it fits.
///
/// # Errors
/// A tier cannot be opened; as a text for people.
pub fn store(file: &File, durable: &Durable, before: Option<&Snapshot>) -> Result<Option<Arc<Store>>, String> {
    let Some(section) = &file.cache else { return Ok(None) };
    let kept = before.and_then(|snapshot| snapshot.cache.clone()).filter(|store| store.fits(section));
    let open = || Store::open(section, durable.data_dir.as_deref(), durable.workers, &durable.control).map(Arc::new);
    kept.map_or_else(open, Ok).map(Some)
}

/// The scope of a route: itself, all models and where they run (a rule may name any of them), what is looked for in requests.
pub fn of_route(loaded: &Loaded, name: &str) -> Scope {
    let shown = &loaded.masked;
    let mut hasher = blake3::Hasher::new();
    let mut part = |value: &Value| {
        let text = value.to_string();
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    part(&Value::from(name));
    part(&without(shown.pointer("/routes").and_then(|routes| routes.get(name)), &NOT_OF_ROUTE));
    for section in ["models", "pii", "difficulty_model"] {
        part(shown.get(section).unwrap_or(&Value::Null));
    }
    let kept = |pointer: &str| shown.pointer(pointer).cloned().unwrap_or(Value::Null);
    part(&kept("/cache/exact/truncated"));
    let own = shown.pointer("/routes").and_then(|routes| routes.get(name)?.pointer("/cache/truncated"));
    part(own.unwrap_or(&Value::Null));
    let upstreams = shown.get("upstreams").and_then(Value::as_object);
    for (name, upstream) in upstreams.into_iter().flatten() {
        part(&Value::from(name.as_str()));
        OF_UPSTREAM.iter().for_each(|key| part(upstream.get(key).unwrap_or(&Value::Null)));
    }
    *hasher.finalize().as_bytes()
}

/// The scopes of tenants by their index; the first is nobody's.
pub fn of_tenants(loaded: &Loaded) -> Vec<Scope> {
    let tenants = loaded.masked.get("tenants");
    let named = loaded.file.tenants.keys().map(|name| {
        let section = without(tenants.and_then(|tenants| tenants.get(name)), &NOT_OF_TENANT);
        *blake3::hash(format!("{name}\0{section}").as_bytes()).as_bytes()
    });
    std::iter::once(*blake3::hash(b"").as_bytes()).chain(named).collect()
}

fn without(section: Option<&Value>, keys: &[&str]) -> Value {
    let mut section = section.cloned().unwrap_or(Value::Null);
    if let Value::Object(map) = &mut section {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
    section
}

/// The keys of a purge, as the admin API takes them: exactly one.
const NAMES: [&str; 5] = ["all", "route", "tenant", "model", "key"];

impl Shared {
    /// Forgets what `{"route": NAME}`, `{"tenant": …}`, `{"model": …}`, `{"key": …}` or `{"all": true}` names.
    ///
    /// # Errors
    /// The status to answer with, and why.
    pub fn purge(&self, body: &[u8]) -> Result<Value, (u16, String)> {
        let wrong = |why: &str| {
            (
                400,
                format!(
                    "{why}; send one of {{\"route\": NAME}}, {{\"tenant\": NAME}}, {{\"model\": NAME}}, {{\"key\": HEX}}, {{\"all\": true}}"
                ),
            )
        };
        let asked: Value = serde_json::from_slice(body).map_err(|_| wrong("the body is no JSON"))?;
        let object =
            asked.as_object().filter(|object| object.len() == 1).ok_or_else(|| wrong("it names not one thing"))?;
        let (by, value) = object.iter().next().ok_or_else(|| wrong("it names nothing"))?;
        let by = NAMES.into_iter().find(|name| name == by).ok_or_else(|| wrong("it names nothing that is known"))?;
        let name = value.as_str().unwrap_or_default().to_owned();
        let what = match by {
            "all" if value == &Value::Bool(true) => Purge::Everything,
            "route" if value.is_string() => Purge::Route(name),
            "tenant" if value.is_string() => Purge::Tenant(name),
            "model" if value.is_string() => Purge::Model(name),
            "key" => Purge::Key(Key::parse(&name).ok_or_else(|| wrong("the key is not of 64 hexadecimal digits"))?),
            _ => return Err(wrong("the value is of the wrong type")),
        };
        let snapshot = self.snapshot();
        let store = snapshot.cache.as_ref().ok_or((404, "the cache is off: add `cache: {}` to the file".to_owned()))?;
        let purged = store.purge(&what);
        let beyond = self.durable.control.block_on(store.purge_beyond(&what));
        let failed = |tier: &str, why: &str| (500, format!("forgotten in memory, but not in the {tier} tier: {why}"));
        let disk = beyond.disk.transpose().map_err(|why| failed("disk", &why))?;
        let shared = beyond.shared.transpose().map_err(|why| failed("shared", &why))?;
        self.durable.metrics.cache.purged.with_label_values(&[by]).inc_by(purged);
        Ok(
            json!({ "purged": purged, "disk": disk, "shared": shared.map(|count| count.map_or(json!("all"), Value::from)) }),
        )
    }

    /// Gauges of what is remembered, as it is now.
    pub fn measure_cache(&self, snapshot: &Snapshot) {
        let metrics = &self.durable.metrics.cache;
        let set = |tier: &str, bytes: u64, entries: u64| {
            let as_gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            metrics.bytes.with_label_values(&[tier]).set(as_gauge(bytes));
            metrics.entries.with_label_values(&[tier]).set(as_gauge(entries));
        };
        let Some(store) = &snapshot.cache else {
            // It may have been on before the last reload.
            [&metrics.bytes, &metrics.capacity, &metrics.entries].into_iter().for_each(IntGaugeVec::reset);
            return metrics.semantic_threshold.reset();
        };
        for (tier, bytes) in store.capacities() {
            metrics.capacity.with_label_values(&[tier]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let (bytes, entries) = store.memory.size();
        set("memory", bytes, entries);
        if let Some(semantic) = &store.semantic {
            let (bytes, entries) = semantic.size();
            set("semantic", bytes, entries);
            for entry in snapshot.routes.values() {
                let Some(terms) = entry.terms.as_ref().and_then(|terms| terms.semantic) else { continue };
                let offline = Verifier::builtin().threshold(terms.max_error);
                let threshold = semantic.doubts.threshold(&entry.route.name, offline);
                metrics.semantic_threshold.with_label_values(&[entry.route.name.as_str()]).set(threshold);
            }
        }
        if let Some(disk) = &store.tiers.disk {
            set("disk", disk.bytes(), disk.entries());
            tell(metrics, "disk", disk.figures());
        }
        if let Some(shared) = &store.tiers.shared {
            tell(metrics, "shared", shared.figures());
        }
    }
}

/// A tier counts for itself; counters here are brought up to that. A tier that was opened anew begins at nothing, and they stand until it has
/// caught up.
fn tell(metrics: &Cache, tier: &str, figures: &Figures) {
    let up_to = |label: &str, now: u64| {
        let counter = metrics.requests.with_label_values(&[tier, label]);
        counter.inc_by(now.saturating_sub(counter.get()));
    };
    Outcome::ALL.into_iter().for_each(|outcome| up_to(outcome.label(), figures.lookups(outcome)));
    Write::ALL.into_iter().for_each(|write| up_to(write.label(), figures.writes(write)));
}

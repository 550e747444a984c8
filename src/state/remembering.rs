//! What the cache needs of a configuration: the store, kept over reloads, and the scopes of routes and tenants.
//!
//! What a reader could get wrong: a scope changes with everything in the configuration that may change an answer (rules, models, what is hidden),
//! so that after such a reload nothing old is found. What cannot (limits, keys, timeouts, nodes) is left out.

use std::sync::Arc;

use serde_json::Value;

use super::snapshot::Snapshot;
use crate::cache::Store;
use crate::config::file::File;
use crate::config::load::Loaded;

/// The hash of what an answer depends on.
pub type Scope = [u8; 32];

/// Keys of an upstream that may change an answer.
const OF_UPSTREAM: [&str; 4] = ["placement", "kind", "base_url", "region"];
/// Keys of a tenant that cannot.
const NOT_OF_TENANT: [&str; 4] = ["keys", "limits", "budget", "priority"];
/// Keys of a route that cannot.
const NOT_OF_ROUTE: [&str; 2] = ["aliases", "cache"];

/// The store: the one from before, if it fits.
pub fn store(file: &File, workers: usize, before: Option<&Snapshot>) -> Option<Arc<Store>> {
    let section = file.cache.as_ref()?;
    let kept = before.and_then(|snapshot| snapshot.cache.clone()).filter(|store| store.fits(section));
    Some(kept.unwrap_or_else(|| Arc::new(Store::new(section, workers))))
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

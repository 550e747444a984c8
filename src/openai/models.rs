//! The answers of `GET /v1/models` and `GET /v1/models/{id}`: what clients may ask for, from the configuration alone.

use bytes::Bytes;
use serde::Serialize;

/// One entry. `created` is the time since which this configuration stands, for OpenAI's field of that name.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

impl Entry {
    pub fn new(id: impl Into<String>, created: i64) -> Entry {
        Entry { id: id.into(), object: "model", created, owned_by: "tidegate" }
    }
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<&'a Entry>,
}

/// The list.
pub fn list<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Bytes {
    json(&List { object: "list", data: entries.into_iter().collect() })
}

/// One entry.
pub fn one(entry: &Entry) -> Bytes {
    json(entry)
}

fn json(value: &impl Serialize) -> Bytes {
    // Strings and numbers always serialise.
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

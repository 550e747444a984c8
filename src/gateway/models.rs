//! `GET /v1/models` and `/v1/models/{id}`: answered here, from the configuration. Asking nodes would show their command lines (llama-server's router
//! mode lists them) and fail where a node does not know the second path.

use std::borrow::Cow;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, StatusCode};

use super::admit;
use super::answer::{Answered, Flow};
use super::record::Record;
use crate::error::{Error, Kind, Result};
use crate::openai::models;

/// Answers from the snapshot.
pub fn answer<B>(request: &Request<B>, record: &Record) -> Result<Answered> {
    let snapshot = &record.snapshot;
    let id = request.uri().path().trim_start_matches("/v1/models").trim_matches('/');
    let body = if id.is_empty() && record.admission.tenant().is_none() {
        snapshot.models_answer.clone()
    } else if id.is_empty() {
        let may_ask = |entry: &&models::Entry| admit::may_ask(&entry.id, record).is_ok();
        models::list(snapshot.models.iter().filter(may_ask))
    } else {
        let id = percent_decoded(id);
        let entry = snapshot.models.iter().find(|entry| entry.id == *id && admit::may_ask(&entry.id, record).is_ok());
        models::one(entry.ok_or_else(|| {
            let shown: String = id.chars().take(100).collect();
            Error::client(Kind::ModelNotFound, format!("the model `{shown}` does not exist")).with_param("model")
        })?)
    };
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Answered { status: StatusCode::OK, headers, flow: Flow::Whole(body) })
}

/// SDKs write `org/model` as `org%2Fmodel` (RFC 3986 2.1). What is no valid escape stays as it is.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        assert_eq!(percent_decoded("org%2Fmodel"), "org/model");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("a%zzb%2"), "a%zzb%2");
        assert_eq!(percent_decoded("%ff"), "%ff");
    }
}

//! `GET`, `DELETE`, `…/cancel` and `…/input_items` of a background response.
//!
//! What a reader could get wrong: what is another tenant's, or another app's than the one that a key is bound to, looks as if it were not there, which is why a wrong id and a foreign one
//! get the same 404.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::accept::streamed;
use super::follow;
use super::{CHAT, RESPONSE, now_us, upgrade};
use crate::deferred::{Job, JobId, Kind as JobKind, Part, Store};
use crate::error::{Error, Kind, Result};
use crate::gateway::admit::Sight;
use crate::gateway::answer::{Answered, Flow};
use crate::gateway::record::Record;

/// Which job a path names, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    id: JobId,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Retrieve,
    Delete,
    Cancel,
    InputItems,
}

/// The job that a path names, if it is one of the gateway's own.
///
/// # Errors
/// The path is, the method is not.
pub fn named(method: &Method, path: &str) -> Option<Result<Named>> {
    let of = |folder: &str, prefix: &str| path.strip_prefix(folder).filter(|rest| rest.starts_with(prefix));
    let response = of("/v1/responses/", RESPONSE);
    let rest = response.or_else(|| of("/v1/chat/completions/", CHAT))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let what = match (tail, method) {
        (tail, _) if response.is_none() && !tail.is_empty() => {
            return Some(Err(Error::client(Kind::NotFound, "a deferred chat completion has no such path")));
        }
        ("", &Method::GET) => What::Retrieve,
        ("", &Method::DELETE) => What::Delete,
        ("cancel", &Method::POST) => What::Cancel,
        ("input_items", &Method::GET) => What::InputItems,
        ("", _) => return Some(Err(Error::method_not_allowed("GET, DELETE"))),
        ("cancel", _) => return Some(Err(Error::method_not_allowed("POST"))),
        ("input_items", _) => return Some(Err(Error::method_not_allowed("GET"))),
        _ => return Some(Err(Error::client(Kind::NotFound, "a response has no such path"))),
    };
    Some(Ok(Named { id: JobId::named(id), what }))
}

/// Answers for a job.
///
/// # Errors
/// There is none of this name for this tenant, or the queue cannot be read.
pub async fn retrieve<B>(named: &Named, request: &Request<B>, record: &mut Record) -> Result<Answered> {
    let snapshot = record.snapshot.clone();
    let store = &snapshot.deferred.as_ref().ok_or_else(off)?.store;
    let tenant = record.tenant_name().to_owned();
    let query = request.uri().query().unwrap_or("").to_owned();
    let sight = record.admission.sight();
    let answering = answer(store, named, &tenant, &sight, &query);
    record.waiting(answering).await
}

async fn answer(store: &Store, named: &Named, tenant: &str, sight: &Sight, query: &str) -> Result<Answered> {
    let Named { id, what } = named;
    let missing = || missing(id);
    let found = store.get(id, tenant).await?;
    let job = found.filter(|job| sight.sees(job.asked.app.as_deref())).ok_or_else(missing)?;
    match what {
        What::Delete => {
            if !store.delete(id, tenant).await? {
                return Err(missing());
            }
            let object = if id.as_str().starts_with(CHAT) { "chat.completion.deleted" } else { "response" };
            Ok(whole(&json!({"id": id.as_str(), "object": object, "deleted": true})))
        }
        What::Cancel => {
            let job = store.cancel(id, tenant, now_us()).await?.ok_or_else(missing)?;
            shown(store, &job).await
        }
        What::Retrieve => match Asked::of(query)? {
            None => shown(store, &job).await,
            Some(_) if !job.asked.stream => {
                let message = "this response was not created with `stream: true`: its events were not kept";
                Err(Error::client(Kind::InvalidRequest, message).with_param("stream"))
            }
            Some(Asked { after }) => {
                let request = request_of(store, &job).await?;
                Ok(streamed(HeaderMap::with_capacity(24), follow::begin(store, job, request, after)))
            }
        },
        What::InputItems => Ok(whole(&input_items(&job, &request_of(store, &job).await?))),
    }
}

/// What a wrong id and a foreign one get.
pub(super) fn missing(id: &JobId) -> Error {
    let shown: String = id.as_str().chars().take(100).collect();
    Error::client(Kind::NotFound, format!("there is nothing of the id `{shown}`, or no longer"))
}

/// The job's response as it stands.
async fn shown(store: &Store, job: &Job) -> Result<Answered> {
    if job.kind == JobKind::Upgrade {
        return Ok(json_answer(upgrade::shown(store, job).await?));
    }
    let request = request_of(store, job).await?;
    Ok(json_answer(follow::response(store, job, &request).await?))
}

async fn request_of(store: &Store, job: &Job) -> Result<Bytes> {
    Ok(follow::text(store, job, Part::Request).await?.unwrap_or_default())
}

/// A stream is asked for, of what follows an event.
struct Asked {
    after: i64,
}

impl Asked {
    fn of(query: &str) -> Result<Option<Asked>> {
        let (mut stream, mut after) = (false, -1);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "stream" => stream = value.eq_ignore_ascii_case("true"),
                "starting_after" => {
                    after = value.parse().ok().filter(|after| *after >= 0).ok_or_else(|| {
                        let message = "`starting_after` must be the sequence_number of an event";
                        Error::client(Kind::InvalidRequest, message).with_param("starting_after")
                    })?;
                }
                _ => {}
            }
        }
        Ok(stream.then_some(Asked { after }))
    }
}

/// What was asked, item by item, the last first, as OpenAI lists them.
fn input_items(job: &Job, request: &[u8]) -> Value {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let text = |text: &str| json!([{"type": "input_text", "text": text}]);
    let mut items = match &request["input"] {
        Value::String(input) => vec![json!({"type": "message", "role": "user", "content": text(input)})],
        Value::Array(items) => items.clone(),
        _ => vec![],
    };
    let suffix = job.id.as_str().trim_start_matches(RESPONSE);
    for (at, item) in items.iter_mut().enumerate() {
        let Some(item) = item.as_object_mut() else { continue };
        item.entry("id").or_insert_with(|| json!(format!("msg_tg{suffix}{at}")));
        item.entry("type").or_insert_with(|| json!("message"));
        item.entry("status").or_insert_with(|| json!("completed"));
        if let Some(content) = item.get_mut("content").filter(|content| content.is_string()) {
            *content = text(content.as_str().unwrap_or_default());
        }
    }
    items.reverse();
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({"object": "list", "first_id": id(items.first()), "last_id": id(items.last()), "has_more": false, "data": items})
}

fn whole(value: &Value) -> Answered {
    json_answer(Bytes::from(value.to_string()))
}

fn json_answer(body: Bytes) -> Answered {
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answered { status: StatusCode::OK, headers, flow: Flow::Whole(body) }
}

pub(super) fn off() -> Error {
    Error::client(Kind::NotFound, "deferred work is off here: there is no `deferred` in the configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_our_own_responses_are_found() {
        let what =
            |method: Method, path: &str| named(&method, path).map(|named| named.map(|n| n.what).map_err(|e| e.kind));
        assert_eq!(what(Method::GET, "/v1/responses/resp_tg1"), Some(Ok(What::Retrieve)));
        assert_eq!(what(Method::DELETE, "/v1/responses/resp_tg1/"), Some(Ok(What::Delete)));
        assert_eq!(what(Method::POST, "/v1/responses/resp_tg1/cancel"), Some(Ok(What::Cancel)));
        assert_eq!(what(Method::GET, "/v1/responses/resp_tg1/input_items"), Some(Ok(What::InputItems)));
        assert_eq!(what(Method::PUT, "/v1/responses/resp_tg1"), Some(Err(Kind::MethodNotAllowed)));
        assert_eq!(what(Method::GET, "/v1/responses/resp_tg1/x"), Some(Err(Kind::NotFound)));
        assert_eq!(what(Method::GET, "/v1/responses/resp_1"), None);
        assert_eq!(what(Method::GET, "/v1/chat/completions"), None);
        assert_eq!(what(Method::GET, "/v1/chat/completions/chatcmpl-tg1"), Some(Ok(What::Retrieve)));
        assert_eq!(what(Method::DELETE, "/v1/chat/completions/chatcmpl-tg1"), Some(Ok(What::Delete)));
        assert_eq!(what(Method::GET, "/v1/chat/completions/chatcmpl-tg1/messages"), Some(Err(Kind::NotFound)));
        assert_eq!(what(Method::GET, "/v1/chat/completions/chatcmpl-1"), None);
    }

    #[test]
    fn what_follows_an_event_is_asked_for_by_its_number() {
        let after = |query: &str| Asked::of(query).map(|asked| asked.map(|asked| asked.after)).map_err(|e| e.kind);
        assert_eq!(after(""), Ok(None));
        assert_eq!(after("stream=true"), Ok(Some(-1)));
        assert_eq!(after("include=x&stream=true&starting_after=7"), Ok(Some(7)));
        assert_eq!(after("stream=false&starting_after=7"), Ok(None));
        assert_eq!(after("stream=true&starting_after=-3"), Err(Kind::InvalidRequest));
    }
}

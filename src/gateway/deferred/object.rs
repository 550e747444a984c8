//! Responses API objects: one that is not done yet, one that failed, an upstream's under another id.
//!
//! What a reader could get wrong: an upstream's object is not re-typed. Members are replaced by name, all others go through as the bytes
//! that came, in their order.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::deferred::{Job, State};

/// The members of an object, each as it was written.
pub type Members = IndexMap<String, Box<RawValue>>;

/// `None`: it is no object.
pub fn members(object: &[u8]) -> Option<Members> {
    serde_json::from_slice(object).ok()
}

/// Puts a member in the place of the one of that name, or last.
pub fn set(members: &mut Members, name: &str, value: &impl Serialize) {
    // A value of ours always serialises.
    if let Ok(raw) = to_raw_value(value) {
        members.insert(name.to_owned(), raw);
    }
}

/// An object's bytes.
pub fn bytes(members: &Members) -> Bytes {
    serde_json::to_vec(members).map(Bytes::from).unwrap_or_default()
}

/// An upstream's response as the job's: under its id, in the background. `None`: it is no object.
pub fn adopted(response: &[u8], id: &str) -> Option<Bytes> {
    let mut response = members(response)?;
    set(&mut response, "id", &id);
    set(&mut response, "background", &true);
    Some(bytes(&response))
}

/// What a response says of itself in `status`.
pub fn status(response: &[u8]) -> State {
    let status = members(response).and_then(|mut members| members.swap_remove("status"));
    match status.as_deref().map(RawValue::get) {
        Some("\"incomplete\"") => State::Incomplete,
        Some("\"failed\"") => State::Failed,
        Some("\"cancelled\"") => State::Cancelled,
        _ => State::Completed,
    }
}

/// The word of the Responses API for a job's state.
pub fn word(state: State) -> &'static str {
    match state {
        State::Queued | State::Held => "queued",
        State::Running => "in_progress",
        State::Completed => "completed",
        State::Failed | State::Expired => "failed",
        State::Cancelled => "cancelled",
        State::Incomplete => "incomplete",
    }
}

/// Why a response failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

impl Failure {
    /// Out of an error answer in the OpenAI shape.
    pub fn of(body: &[u8]) -> Failure {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &answer["error"];
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        Failure {
            code: text("code").or_else(|| text("type")).unwrap_or_else(|| "server_error".into()),
            message: text("message").unwrap_or_else(|| "the request could not be answered".into()),
        }
    }

    /// The answer was lost.
    pub fn damaged() -> Failure {
        let message = "the answer cannot be read any more: it was damaged on disk";
        Failure { code: "unreadable".into(), message: message.into() }
    }

    /// It waited too long.
    pub fn expired() -> Failure {
        let message = "it could not be done before it expired: no target could be reached";
        Failure { code: "server_error".into(), message: message.into() }
    }
}

/// The object of a job without a result of its own, with what the request said. `request`: its body.
pub fn pending(job: &Job, state: State, request: &[u8], failure: Option<&Failure>) -> Bytes {
    let mut asked = members(request).unwrap_or_default();
    let mut response = Members::new();
    set(&mut response, "id", &job.id.as_str());
    set(&mut response, "object", &"response");
    set(&mut response, "created_at", &(job.created_us / 1_000_000));
    set(&mut response, "status", &word(state));
    set(&mut response, "background", &true);
    set(&mut response, "completed_at", &Value::Null);
    set(&mut response, "error", &failure.map(|f| json!({"code": f.code, "message": f.message})));
    set(&mut response, "incomplete_details", &Value::Null);
    set(&mut response, "output", &json!([]));
    set(&mut response, "usage", &Value::Null);
    // What the SDKs' types need, as OpenAI has it where the request says nothing.
    for (name, usual) in [
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("max_tool_calls", Value::Null),
        ("model", json!("")),
        ("parallel_tool_calls", json!(true)),
        ("previous_response_id", Value::Null),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("service_tier", json!("auto")),
        ("store", json!(true)),
        ("temperature", json!(1.0)),
        ("text", json!({"format": {"type": "text"}})),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_p", json!(1.0)),
        ("truncation", json!("disabled")),
        ("user", Value::Null),
        ("metadata", json!({})),
    ] {
        match asked.swap_remove(name) {
            Some(said) => drop(response.insert(name.to_owned(), said)),
            None => set(&mut response, name, &usual),
        }
    }
    bytes(&response)
}

/// An event of a stream, as it is told.
pub fn event(kind: &str, sequence: i64, response: &[u8]) -> Bytes {
    let mut members = Members::new();
    set(&mut members, "type", &kind);
    set(&mut members, "sequence_number", &sequence);
    if let Ok(response) = serde_json::from_slice::<Box<RawValue>>(response) {
        members.insert("response".into(), response);
    }
    frame(kind, &bytes(&members))
}

/// A frame of server-sent events.
pub fn frame(kind: &str, data: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(data.len() + kind.len() + 17);
    for part in [b"event: ", kind.as_bytes(), b"\ndata: ", data, b"\n\n"] {
        frame.extend_from_slice(part);
    }
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstreams_object_keeps_what_is_not_ours() {
        let came = br#"{"object":"response","id":"resp_1","new":[1.0, 2e5],"status":"incomplete","background":false,"z":null}"#;
        let ours = adopted(came, "resp_tg1").unwrap();
        let expected = r#"{"object":"response","id":"resp_tg1","new":[1.0, 2e5],"status":"incomplete","background":true,"z":null}"#;
        assert_eq!(ours, expected);
        assert_eq!(status(&ours), State::Incomplete);
        assert_eq!(adopted(b"[]", "x"), None);
    }

    #[test]
    fn a_failure_is_read_from_an_error_answer() {
        let read = |body: &[u8]| Failure::of(body).code;
        assert_eq!(read(br#"{"error":{"message":"m","code":"context_length_exceeded"}}"#), "context_length_exceeded");
        assert_eq!(
            read(br#"{"error":{"message":"m","type":"invalid_request_error","code":null}}"#),
            "invalid_request_error"
        );
        assert_eq!(read(b"<html>"), "server_error");
    }
}

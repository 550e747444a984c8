//! An error that an upstream tells in the middle of a stream, as the client is told of it.
//!
//! What a reader could get wrong: its words go to the client alone, scrubbed; the [`Error`] that records and logs see has none of them. Events of
//! the Responses API (and whatever else has a `type`) keep their shape, since their readers know no other end.

use bytes::Bytes;
use serde_json::Value;

use super::fault::{Private, scrub_members, scrub_value};
use crate::error::{Error, Kind};
use crate::openai;
use crate::openai::sse::Frame;

const WHAT: &str = "the upstream's stream ended with an error";

/// Of a frame that is an error: what has gone wrong, and the frame that ends the client's stream.
pub fn of_frame(frame: Frame<'_>, private: &Private) -> (Error, Bytes) {
    let error = Error::upstream(Kind::UpstreamFailed, WHAT);
    let Ok(mut event) = serde_json::from_slice::<Value>(frame.data) else {
        let told = openai::error::event(&error);
        return (error, told);
    };
    if matches!(event.get("type").and_then(Value::as_str), Some("error" | "response.failed")) {
        scrub_event(&mut event, private);
        // Its name is kept; further fields and comments are the upstream's own words.
        let name = if event.get("type").is_some_and(|kind| kind == "error") { "error" } else { "response.failed" };
        return (error, format!("event: {name}\ndata: {event}\n\n").into());
    }
    let told = match message(&event) {
        Some(message) => Error::upstream(Kind::UpstreamFailed, format!("{WHAT}: {}", private.scrub(message))),
        None => Error::upstream(Kind::UpstreamFailed, WHAT),
    };
    (error, openai::error::event(&told))
}

/// All of an `error` event, and of a response that has failed its error: the answer beside it is the model's own.
fn scrub_event(event: &mut Value, private: &Private) {
    let Some(members) = event.as_object_mut() else { return };
    match members.get_mut("response").and_then(Value::as_object_mut) {
        Some(response) => {
            if let Some(error) = response.get_mut("error") {
                scrub_value(error, private);
            }
            if let Some(error) = members.get_mut("error") {
                scrub_value(error, private);
            }
        }
        None => scrub_members(members, private),
    }
}

/// In whichever shape: `{"error":{"message"}}`, `{"error":"…"}`, a flat `{"message"}`, beside a choice, `{"detail"}`, `{"errors":[…]}`.
fn message(event: &Value) -> Option<&str> {
    let choice = || event.get("choices")?.as_array()?.iter().find_map(|choice| choice.get("error"));
    let error = ["error", "detail", "errors"].iter().find_map(|name| event.get(name).filter(|said| !said.is_null()));
    let error = error.or_else(choice).unwrap_or(event);
    let error = error.as_array().and_then(|list| list.first()).unwrap_or(error);
    error.as_str().or_else(|| error.get("message")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "backend http://10.1.2.3:8080 refused key sk-secret-provider-a";

    fn of_frame(frame: Frame<'_>) -> (Error, Bytes) {
        super::of_frame(frame, &Private::default())
    }

    fn of(event: &Value) -> (Error, String) {
        let data = event.to_string();
        let bytes = format!("event: x\ndata: {data}\n\n");
        let (error, told) = of_frame(Frame { bytes: bytes.as_bytes(), data: data.as_bytes() });
        (error, String::from_utf8(told.to_vec()).unwrap())
    }

    #[test]
    fn neither_address_nor_key_comes_down_in_any_shape() {
        for event in [
            serde_json::json!({"error": {"message": SECRET, "param": SECRET}}),
            serde_json::json!({"error": SECRET}),
            serde_json::json!({"object": "error", "message": SECRET, "code": 500}),
            serde_json::json!({"detail": SECRET}),
            serde_json::json!({"errors": [{"message": SECRET}]}),
            serde_json::json!({"choices": [{"error": {"message": SECRET, "code": 502}}]}),
            serde_json::json!({"type": "error", "message": SECRET, "code": SECRET, "error": {"message": SECRET}}),
            serde_json::json!({"type": "response.failed", "error": SECRET, "response": {"id": "r", "error": {"code": "server_error", "message": SECRET}}}),
        ] {
            let (error, told) = of(&event);
            assert_eq!((error.kind, &*error.message), (Kind::UpstreamFailed, WHAT));
            assert!(told.contains("backend *** refused key ***"), "{told}");
            assert!(!told.contains("10.1.2.3") && !told.contains("sk-secret"), "{told}");
            assert!(told.ends_with("\n\n") && told.matches("\n\n").count() == 1, "{told}");
        }
    }

    #[test]
    fn a_response_that_has_failed_keeps_its_shape_and_its_text() {
        let text = "see http://example.com:80 and sk-this-is-text";
        let event = serde_json::json!({"type": "response.failed", "sequence_number": 4, "response": {"id": "resp_1",
            "output": [{"content": [{"text": text}]}], "error": {"code": "server_error", "message": "no"}}});
        let (_, told) = of(&event);
        let data = told.strip_prefix("event: response.failed\ndata: ").unwrap();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), event);
    }

    #[test]
    fn what_is_no_json_is_not_passed_on() {
        let (_, told) = of_frame(Frame { bytes: b"event: error\ndata: http://10.1.2.3\n\n", data: b"http://10.1.2.3" });
        assert!(told.starts_with(b"event: error\ndata: {\"error\":{\"message\":\"the upstream's"), "{told:?}");
    }
}

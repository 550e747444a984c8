//! The lines of a batch's output file and error file.
//!
//! What a reader could get wrong: an answer of 400 or more is no success and stands in the error file, with the answer as its `response`
//! and `error: null`; `error` is for requests that got no answer at all.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// It was answered: the status, the id under which the books know it, the body.
    Answered { status: u16, request_id: &'a str, body: &'a [u8] },
    /// There was no answer; an error object, as a client would have got it.
    Unanswered { error: &'a [u8] },
    /// It was not run before the batch's window closed.
    Expired,
    /// It was not run before the batch was cancelled.
    Cancelled,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    custom_id: &'a str,
    response: Option<Response<'a>>,
    error: Option<Fault>,
}

#[derive(Serialize)]
struct Response<'a> {
    status_code: u16,
    request_id: &'a str,
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Raw(&'a RawValue),
    /// Written over several lines, as providers like to; put on one.
    Joined(Box<RawValue>),
    /// What is no JSON.
    Text(String),
}

#[derive(Serialize)]
struct Fault {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct ErrorObject {
    error: ErrorFields,
}

#[derive(Deserialize)]
struct ErrorFields {
    code: Option<String>,
    message: String,
}

impl Ended<'_> {
    /// Whether the line belongs into the output file; into the error file else.
    pub fn is_success(&self) -> bool {
        matches!(self, Ended::Answered { status: 200..=299, .. })
    }
}

/// One line with its end. `id`: of the request in the batch.
pub fn line(id: &str, custom_id: &str, result: &Ended<'_>) -> Vec<u8> {
    let fault = |code: &str, message: &str| (None, Some(Fault { code: code.into(), message: message.into() }));
    let (response, error) = match *result {
        Ended::Answered { status, request_id, body } => {
            (Some(Response { status_code: status, request_id, body: raw(body) }), None)
        }
        Ended::Unanswered { error } => (None, Some(unanswered(error))),
        Ended::Expired => {
            fault("batch_expired", "This request could not be executed before the completion window expired.")
        }
        Ended::Cancelled => fault("batch_cancelled", "This request was not executed before the batch was cancelled."),
    };
    // Strings and JSON that was read already always serialise.
    let mut line = serde_json::to_vec(&Line { id, custom_id, response, error }).unwrap_or_default();
    line.push(b'\n');
    line
}

fn unanswered(error: &[u8]) -> Fault {
    let known = serde_json::from_slice::<ErrorObject>(error).ok().map(|object| object.error);
    let message = known.as_ref().map_or("This request could not be executed.", |error| &error.message);
    let code = known.as_ref().and_then(|error| error.code.as_deref()).unwrap_or("server_error");
    Fault { code: code.into(), message: message.into() }
}

/// The answer's bytes. A line end in JSON is white space (RFC 8259 allows none within strings): another takes its place.
fn raw(body: &[u8]) -> Body<'_> {
    let text = || Body::Text(String::from_utf8_lossy(body).into_owned());
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(raw) if memchr::memchr2(b'\n', b'\r', raw.get().as_bytes()).is_none() => Body::Raw(raw),
        Ok(raw) => RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).map_or_else(|_| text(), Body::Joined),
        Err(_) => text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: &Ended<'_>) -> String {
        String::from_utf8(line("batch_req_1", "r\n1", result)).unwrap()
    }

    #[test]
    fn lines_are_as_openai_writes_them() {
        let answered = Ended::Answered { status: 200, request_id: "req_1", body: br#"{"n": 1.50e+3}"# };
        let head = r#"{"id":"batch_req_1","custom_id":"r\n1","response":"#;
        let expected =
            format!("{head}{}\n", r#"{"status_code":200,"request_id":"req_1","body":{"n": 1.50e+3}},"error":null}"#);
        assert_eq!(text(&answered), expected);
        assert!(answered.is_success());
        let expired = text(&Ended::Expired);
        assert!(
            expired.starts_with(&format!(r#"{head}null,"error":{{"code":"batch_expired","message":""#)),
            "{expired}"
        );
        assert!(text(&Ended::Cancelled).contains(r#""code":"batch_cancelled""#));
        let error = br#"{"error":{"message":"all were busy","type":"server_error","param":null,"code":"overloaded"}}"#;
        let expected = format!("{head}null,\"error\":{}\n", r#"{"code":"overloaded","message":"all were busy"}}"#);
        assert_eq!(text(&Ended::Unanswered { error }), expected);
        assert!(text(&Ended::Unanswered { error: b"" }).contains(r#""code":"server_error""#));
        assert!(!Ended::Expired.is_success());
        assert!(!Ended::Answered { status: 429, request_id: "", body: b"{}" }.is_success());
    }

    #[test]
    fn a_line_is_one_line_whatever_the_answer() {
        for body in [&b"{\n  \"a\": [1,\r\n2]\n}"[..], b"<html>\nno JSON", b"", b"\xff", b" {} \n"] {
            let line = text(&Ended::Answered { status: 502, request_id: "", body });
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
            serde_json::from_str::<serde_json::Value>(&line).unwrap();
        }
        let pretty = text(&Ended::Answered { status: 200, request_id: "", body: b"{\n\"b\":1.50e+3,\n\"a\":2}" });
        assert!(pretty.contains(r#""body":{ "b":1.50e+3, "a":2}"#), "{pretty}");
    }
}

//! An upstream's error answer: who is at fault, may another target be tried, and the same in the OpenAI shape.
//!
//! Seen in the wild: OpenAI `{"error":{message,type,param,code}}`; llama-server with an integer `code` and no `param`; vLLM's 401
//! `{"error":"Unauthorized"}`; SGLang's flat `{"object":"error","message":…}`; HTML from a load balancer. What a reader could get wrong:
//! a message can hold an address or an echoed key: it is scrubbed before it is passed on.

mod private;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::error::{Error, Kind, Retry, UpstreamAnswer};
use crate::openai::Endpoint;
use crate::openai::error::object;
use crate::openai::stream;
pub use private::Private;

const CREDENTIALS: &str =
    "the upstream refused the gateway's own credentials; the operator must check this upstream's api_key";

/// Reads an error answer. `body` may be cut off or no JSON at all.
pub(super) fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8], private: &Private) -> Error {
    let said = Said::read(body);
    let retry_after = retry_after(headers);
    let (kind, retry) = fate(status, &said, retry_after);
    // Credentials of ours that an upstream does not accept are no fault of the client: he must not be told to change his key.
    let body = match status.as_u16() {
        401 => object(CREDENTIALS, "authentication_error", None, Some("upstream_credentials")),
        _ => said.normalised(status, kind, private),
    };
    let answer = UpstreamAnswer { status, body, retry_after };
    let message = match kind {
        Kind::RateLimited => "the upstream is rate limited",
        Kind::UpstreamFailed => "the upstream failed",
        _ => "the upstream refused the request",
    };
    Error::upstream(kind, message).with_retry(retry).with_upstream(answer)
}

/// An answer that is said to be good and is none: an error in its place (OpenRouter tells it so), a page of HTML, nothing at all.
pub(super) fn unsound(endpoint: Endpoint, body: &[u8], private: &Private) -> Option<Error> {
    if stream::is_answer(endpoint, body) {
        return None;
    }
    // An error that names a status is like that status; everything else is a gateway's fault.
    let said = Said::read(body);
    let code = said.code.as_deref().and_then(|code| code.parse::<u16>().ok());
    let status = code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    Some(classify(status, &HeaderMap::new(), body, private))
}

fn fate(status: StatusCode, said: &Said, retry_after: Option<Duration>) -> (Kind, Retry) {
    match status.as_u16() {
        // Another account may have money left; this one will not by waiting.
        429 if said.code.as_deref() == Some("insufficient_quota") => (Kind::RateLimited, Retry::NextTarget),
        // More than the limit itself: the request's own size, and no fault of whoever refuses it.
        429 if said.message.as_deref().is_some_and(|m| m.starts_with("Request too large")) => {
            (Kind::UpstreamRefused, Retry::NextTarget)
        }
        429 => (Kind::RateLimited, retry_after.map_or(Retry::NextTarget, Retry::SameAfter)),
        408 => (Kind::UpstreamFailed, Retry::NextTarget),
        // An older llama-server answers 500 to a body that it cannot parse: the body's fault, not the node's.
        500 if said.message.as_deref().is_some_and(|m| m.contains("parse error")) => {
            (Kind::UpstreamRefused, Retry::Never)
        }
        503 => (Kind::UpstreamFailed, retry_after.map_or(Retry::NextTarget, Retry::SameAfter)),
        500.. => (Kind::UpstreamFailed, Retry::NextTarget),
        // A model that this upstream does not have may be another's; so may a prompt that does not fit here.
        401 | 403 | 404 => (Kind::UpstreamRefused, Retry::NextTarget),
        _ if said.is_context_exceeded() => (Kind::UpstreamRefused, Retry::NextTarget),
        _ => (Kind::UpstreamRefused, Retry::Never),
    }
}

/// `retry-after-ms` or `retry-after` in seconds (RFC 9110 10.2.3; a date is treated as absent: clocks differ).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok().filter(|n| *n >= 0.0);
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// What the upstream said, in whichever shape.
#[derive(Default)]
struct Said {
    message: Option<String>,
    r#type: Option<String>,
    param: Option<String>,
    code: Option<String>,
    /// The whole object, kept when it is already in the OpenAI shape, so that unknown fields survive.
    whole: Option<Value>,
}

impl Said {
    fn read(body: &[u8]) -> Said {
        let Ok(whole) = serde_json::from_slice::<Value>(body) else { return Said::default() };
        // Gemini wraps it in a list of one on streams.
        let whole = match whole {
            Value::Array(mut list) if list.len() == 1 => list.remove(0),
            other => other,
        };
        let inner = match whole.get("error").or_else(|| whole.get("detail")).or_else(|| whole.get("errors")) {
            Some(Value::String(text)) => return Said { message: Some(text.clone()), ..Said::default() },
            Some(inner @ Value::Object(_)) => inner,
            Some(Value::Array(list)) if list.len() == 1 => list.first().unwrap_or(&whole),
            _ => &whole,
        };
        let text = |key: &str| match inner.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (message, r#type, param, code) = (text("message"), text("type"), text("param"), text("code"));
        let whole = whole.get("error").is_some_and(Value::is_object).then_some(whole);
        Said { message, r#type, param, code, whole }
    }

    fn is_context_exceeded(&self) -> bool {
        self.r#type.as_deref() == Some("exceed_context_size_error")
            || self.code.as_deref() == Some("context_length_exceeded")
            || self.message.as_deref().is_some_and(|m| m.contains("maximum context length"))
    }

    /// The error object as an SDK expects it; further members of the upstream's own object are kept.
    fn normalised(&self, status: StatusCode, kind: Kind, private: &Private) -> Bytes {
        let scrub = |text: &str| private.scrub(text);
        let message = self
            .message
            .as_deref()
            .map_or_else(|| format!("the upstream answered {} without saying why", status.as_u16()), scrub);
        let fallback = if kind == Kind::UpstreamRefused { "invalid_request_error" } else { "server_error" };
        let r#type = self.r#type.as_deref().map_or_else(|| fallback.to_owned(), scrub);
        let param = self.param.as_deref().map(scrub);
        // An integer code (llama-server, vLLM) only repeats the status.
        let code = self.code.as_deref().filter(|code| code.parse::<i64>().is_err());
        let code = match (code, self.r#type.as_deref()) {
            (None, Some("exceed_context_size_error")) => Some("context_length_exceeded".to_owned()),
            (code, _) => code.map(scrub),
        };
        let Some(mut whole) = self.whole.clone() else {
            return object(&message, &r#type, param.as_deref(), code.as_deref());
        };
        scrub_value(&mut whole, private);
        if let Some(inner) = whole.get_mut("error").and_then(Value::as_object_mut) {
            inner.insert("message".into(), message.into());
            inner.insert("type".into(), r#type.into());
            inner.insert("param".into(), param.into());
            inner.insert("code".into(), code.into());
        }
        serde_json::to_vec(&whole).map(Bytes::from).unwrap_or_default()
    }
}

/// All strings within, names of members included.
pub(super) fn scrub_members(object: &mut serde_json::Map<String, Value>, private: &Private) {
    let members = std::mem::take(object);
    object.extend(members.into_iter().map(|(name, mut value)| {
        scrub_value(&mut value, private);
        (private.scrub(&name), value)
    }));
}

pub(super) fn scrub_value(value: &mut Value, private: &Private) {
    match value {
        Value::String(text) => *text = private.scrub(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub_value(item, private)),
        Value::Object(members) => scrub_members(members, private),
        _ => {}
    }
}

#[cfg(test)]
mod tests;

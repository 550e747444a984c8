//! Errors as HTTP answers in the OpenAI shape: the one table from kind to status, `type` and `code`.
//!
//! What a reader could get wrong: SDKs obey `x-should-retry` and `retry-after` to the letter. An error that stands after the gateway's
//! own retries says `false`, or every client multiplies the attempts by three; a passing one carries a short pause.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::error::{Error, Kind, Retry};

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

#[derive(Serialize)]
struct Envelope<'a> {
    error: Object<'a>,
}

#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// Status, `type` and `code` of a kind: the contract's list.
fn row(kind: Kind) -> (StatusCode, &'static str, Option<&'static str>) {
    const CLIENT: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match kind {
        Kind::InvalidRequest => (StatusCode::BAD_REQUEST, CLIENT, Some("invalid_request_error")),
        Kind::NotFound => (StatusCode::NOT_FOUND, CLIENT, Some("not_found")),
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, CLIENT, Some("method_not_allowed")),
        Kind::InvalidKey => (StatusCode::UNAUTHORIZED, CLIENT, Some("invalid_api_key")),
        Kind::ModelNotAllowed => (StatusCode::FORBIDDEN, CLIENT, Some("model_not_allowed")),
        Kind::AppNotAllowed => (StatusCode::FORBIDDEN, CLIENT, Some("app_not_allowed")),
        Kind::ModelNotFound => (StatusCode::NOT_FOUND, CLIENT, Some("model_not_found")),
        Kind::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, CLIENT, Some("timeout")),
        Kind::RequestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, CLIENT, Some("request_too_large")),
        Kind::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, CLIENT, Some("headers_too_large")),
        Kind::NoEligibleTarget => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("no_eligible_target")),
        Kind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("overloaded")),
        Kind::Timeout => (StatusCode::GATEWAY_TIMEOUT, SERVER, Some("timeout")),
        Kind::Connect => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_unreachable")),
        Kind::Broken => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_broken")),
        Kind::LimitReached => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", Some("rate_limit_exceeded")),
        Kind::QuotaExceeded => (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", Some("insufficient_quota")),
        Kind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", Some("rate_limit_exceeded")),
        Kind::UpstreamFailed => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_failed")),
        Kind::UpstreamRefused => (StatusCode::BAD_REQUEST, CLIENT, None),
        // A client sees it only where a later target was to answer and none could.
        Kind::LowConfidence => (StatusCode::BAD_GATEWAY, SERVER, Some("low_confidence")),
        // Nobody reads it; nginx's 499 for the log.
        Kind::ClientGone => (StatusCode::REQUEST_TIMEOUT, CLIENT, Some("client_gone")),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, SERVER, Some("internal_error")),
    }
}

/// What the client is told: status, headers and body.
pub fn answer(error: &Error) -> (StatusCode, HeaderMap, Bytes) {
    let (mut status, _, _) = row(error.kind);
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = error.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(upstream) = &error.upstream {
        status = upstream.status;
        if let Some(pause) = upstream.retry_after {
            // Longer than a day is nobody's pause.
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().clamp(1, 86_400)));
        }
        if retried(error.kind) {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        return (status, headers, upstream.body.clone());
    }
    match error.kind {
        // Known without asking, and passing: a provider's limit, a node that is left alone for a moment.
        kind if retried(kind) && matches!(error.retry, Retry::SameAfter(_)) => {
            if let Retry::SameAfter(pause) = error.retry {
                pause_of(&mut headers, pause);
            }
        }
        // Passing: room is likely in a moment.
        Kind::Overloaded => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Kind::LimitReached => match error.retry {
            Retry::SameAfter(pause) => pause_of(&mut headers, pause),
            // Larger than the limit itself: no pause would help.
            _ => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
        },
        // RFC 9110 11.6.1; SDKs do not repeat a 401.
        Kind::InvalidKey => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Without it the SDKs, which repeat every 429, would ask again.
        Kind::QuotaExceeded => {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        kind if retried(kind) || kind == Kind::NoEligibleTarget => {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        _ => {}
    }
    (status, headers, body(error))
}

/// `retry-after` in whole seconds (RFC 9110 10.2.3), rounded up; SDKs prefer the one in milliseconds.
fn pause_of(headers: &mut HeaderMap, pause: Duration) {
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
    headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
    headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from(millis));
}

/// Kinds that reach the client only after the gateway has tried what it could.
fn retried(kind: Kind) -> bool {
    matches!(kind, Kind::Timeout | Kind::Connect | Kind::Broken | Kind::RateLimited | Kind::UpstreamFailed)
}

/// The error object alone, as it stands in a body or in the `data:` of an SSE `error` event.
pub fn body(error: &Error) -> Bytes {
    let (_, r#type, code) = row(error.kind);
    object(&error.message, r#type, error.param.as_deref(), code)
}

/// Any error object in the OpenAI shape.
pub fn object(message: &str, r#type: &str, param: Option<&str>, code: Option<&str>) -> Bytes {
    let envelope = Envelope { error: Object { message, r#type, param, code } };
    // Strings always serialise; the empty object is for a world in which they do not.
    serde_json::to_vec(&envelope).map_or_else(|_| Bytes::from_static(b"{\"error\":{}}"), Bytes::from)
}

/// The event that ends a stream which has begun and cannot be finished: no `[DONE]` follows.
pub fn event(error: &Error) -> Bytes {
    let body = body(error);
    let mut out = Vec::with_capacity(body.len() + 24);
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\n\n");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UpstreamAnswer;

    #[test]
    fn every_kind_is_an_openai_error_object() {
        for kind in Kind::ALL {
            let error = Error::client(kind, "what is wrong").with_param("model");
            let (status, _, body) = answer(&error);
            assert!(status.is_client_error() || status.is_server_error());
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value["error"]["message"], "what is wrong");
            assert_eq!(value["error"]["param"], "model");
        }
    }

    #[test]
    fn used_up_retries_tell_the_sdk_to_stop_and_passing_trouble_to_pause() {
        let (status, headers, _) = answer(&Error::upstream(Kind::Connect, "unreachable"));
        assert_eq!((status.as_u16(), headers["x-should-retry"].as_bytes()), (502, &b"false"[..]));
        let (status, headers, _) = answer(&Error::gateway(Kind::Overloaded, "full"));
        assert_eq!((status.as_u16(), headers["retry-after"].as_bytes()), (503, &b"1"[..]));
        assert_eq!(headers.get("x-should-retry"), None);
    }

    #[test]
    fn an_upstreams_own_refusal_keeps_status_and_body() {
        let refused = UpstreamAnswer {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: Bytes::from_static(b"{\"error\":{\"message\":\"no\"}}"),
            retry_after: None,
        };
        let error = Error::upstream(Kind::UpstreamRefused, "refused").with_upstream(refused);
        let (status, headers, body) = answer(&error);
        assert_eq!(status.as_u16(), 422);
        assert_eq!(headers.get("x-should-retry"), None);
        assert_eq!(&body[..], b"{\"error\":{\"message\":\"no\"}}");
    }

    #[test]
    fn the_event_is_one_frame_without_done() {
        let text = event(&Error::upstream(Kind::Broken, "the upstream broke off"));
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("event: error\ndata: {\"error\":{"));
        assert!(text.ends_with("}}\n\n") && text.matches("\n\n").count() == 1);
    }
}

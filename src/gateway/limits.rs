//! `x-ratelimit-*`: what is left of the limits, as OpenAI writes it.
//!
//! What a reader could get wrong: where a tenant is known the provider's own figures never come down: they are those of the gateway's
//! account, and an SDK would slow down for somebody else's traffic.

use std::io::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::record::Record;

const PREFIX: &str = "x-ratelimit-";
const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const LEFT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");
const LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens");
const LEFT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens");
const RESET_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-reset-tokens");

/// Writes the tenant's standing into the answer's head.
pub fn describe(record: &Record, headers: &mut HeaderMap) {
    if record.admission.tenant().is_none() {
        return;
    }
    let foreign: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
    let standing = &record.admission.standing;
    if let Some((limit, left, whole_in)) = standing.requests {
        headers.insert(LIMIT_REQUESTS, HeaderValue::from(limit));
        headers.insert(LEFT_REQUESTS, HeaderValue::from(left));
        headers.insert(RESET_REQUESTS, span(whole_in));
    }
    if let Some((limit, left, whole_in)) = standing.tokens {
        headers.insert(LIMIT_TOKENS, HeaderValue::from(limit));
        headers.insert(LEFT_TOKENS, HeaderValue::from(left));
        headers.insert(RESET_TOKENS, span(whole_in));
    }
}

/// As Go prints durations, which is what OpenAI sends: `59.5s`, `120ms`, `0s`.
fn span(duration: Duration) -> HeaderValue {
    let mut text = [0u8; 24];
    let mut rest = &mut text[..];
    let millis = duration.as_millis();
    let written = match millis {
        0 => write!(rest, "0s"),
        1..1000 => write!(rest, "{millis}ms"),
        1000..60_000 => write!(rest, "{}s", millis as f64 / 1e3),
        _ => write!(rest, "{}m{}s", millis / 60_000, (millis % 60_000) as f64 / 1e3),
    };
    let length = 24 - rest.len();
    let text = text.get(..length).filter(|_| written.is_ok()).unwrap_or(b"0s");
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("0s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_openai_does() {
        for (millis, text) in [(0, "0s"), (120, "120ms"), (1000, "1s"), (59_500, "59.5s"), (61_250, "1m1.25s")] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}

//! The body of `POST /v1/batches`.
//!
//! What a reader could get wrong: `completion_window` is OpenAI's `24h`, and here any other duration too, such as `90s` or `7d`.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Kind, Result};
use crate::openai::Endpoint;

/// What OpenAI allows for `metadata`.
const METADATA: (usize, usize, usize) = (16, 64, 512);
/// What may be asked for as a window: somebody may wait for a weekend, nobody for a year.
const WINDOW: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
/// What OpenAI allows for `output_expires_after.seconds`: an hour to 30 days.
const EXPIRES: std::ops::RangeInclusive<u64> = 3_600..=2_592_000;

/// A batch that is asked for.
#[derive(Debug, Clone)]
pub struct Create {
    pub input_file: String,
    pub endpoint: Endpoint,
    /// As it was written.
    pub completion_window: String,
    pub window: Duration,
    pub metadata: Option<IndexMap<String, String>>,
    /// Seconds after their creation at which output and error file go.
    pub output_expires_after: Option<u64>,
    /// The value of the `tidegate` member, as it was written.
    pub hints: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Raw {
    input_file_id: Option<String>,
    endpoint: Option<String>,
    completion_window: Option<String>,
    #[serde(default)]
    metadata: Option<IndexMap<String, String>>,
    #[serde(default)]
    output_expires_after: Option<RawExpires>,
    #[serde(default)]
    tidegate: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RawExpires {
    anchor: String,
    seconds: u64,
}

/// The file that a body names, if it can be read so far: whose the batch is depends on it.
pub fn input_file(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        input_file_id: Option<String>,
    }
    serde_json::from_slice::<Named>(body).ok()?.input_file_id
}

impl Create {
    /// Reads a body.
    ///
    /// # Errors
    /// A field is missing, or has a value that it cannot have.
    pub fn read(body: &[u8]) -> Result<Create> {
        let raw: Raw = serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::client(
                Kind::InvalidRequest,
                format!("the request body is no batch: a field is not what it has to be ({place})"),
            )
        })?;
        let missing = |name: &'static str| wrong(format!("you must provide `{name}`"), name);
        let endpoint = raw.endpoint.ok_or_else(|| missing("endpoint"))?;
        let endpoint = Endpoint::of_path(&endpoint).filter(|_| !endpoint.ends_with('/')).ok_or_else(|| {
            let known = "/v1/chat/completions, /v1/responses, /v1/completions or /v1/embeddings";
            wrong(format!("`endpoint` must be {known}"), "endpoint")
        })?;
        let completion_window = raw.completion_window.ok_or_else(|| missing("completion_window"))?;
        let window = duration(&completion_window).filter(|window| WINDOW.contains(window)).ok_or_else(|| {
            wrong("`completion_window` must be a duration from 1s to 30d, such as `24h`".into(), "completion_window")
        })?;
        if let Some(metadata) = &raw.metadata {
            check_metadata(metadata)?;
        }
        let output_expires_after = raw.output_expires_after.map(RawExpires::checked).transpose()?;
        Ok(Create {
            input_file: raw.input_file_id.ok_or_else(|| missing("input_file_id"))?,
            endpoint,
            completion_window,
            window,
            metadata: raw.metadata,
            output_expires_after,
            hints: raw.tidegate,
        })
    }
}

impl RawExpires {
    fn checked(self) -> Result<u64> {
        if self.anchor != "created_at" {
            return Err(wrong(
                "`output_expires_after.anchor` must be `created_at`".into(),
                "output_expires_after.anchor",
            ));
        }
        let (least, most) = (EXPIRES.start(), EXPIRES.end());
        let message = || format!("`output_expires_after.seconds` must be a whole number from {least} to {most}");
        Some(self.seconds)
            .filter(|seconds| EXPIRES.contains(seconds))
            .ok_or_else(|| wrong(message(), "output_expires_after.seconds"))
    }
}

fn check_metadata(metadata: &IndexMap<String, String>) -> Result<()> {
    let (most, key, value) = METADATA;
    let fits = |(k, v): (&String, &String)| k.chars().count() <= key && v.chars().count() <= value;
    if metadata.len() <= most && metadata.iter().all(fits) {
        return Ok(());
    }
    Err(wrong(format!("`metadata` takes {most} pairs, with {key} characters as key and {value} as value"), "metadata"))
}

/// `24h`, `90s`, `30m`, `7d`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn wrong(message: String, param: &'static str) -> Error {
    Error::client(Kind::InvalidRequest, message).with_param(param)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> serde_json::Value {
        json!({"input_file_id": "file-tg1", "endpoint": "/v1/chat/completions", "completion_window": "24h", "x": 1})
    }

    #[test]
    fn what_sdks_send_is_read() {
        let mut body = body();
        body["metadata"] = json!({"b": "1", "a": "2"});
        body["output_expires_after"] = json!({"anchor": "created_at", "seconds": 3600});
        let create = Create::read(body.to_string().as_bytes()).unwrap();
        assert_eq!((create.endpoint, create.window), (Endpoint::Chat, Duration::from_secs(86_400)));
        assert_eq!(create.output_expires_after, Some(3600));
        assert_eq!(create.metadata.unwrap().len(), 2);
        assert_eq!(input_file(body.to_string().as_bytes()).as_deref(), Some("file-tg1"));
        assert_eq!(input_file(b"[]"), None);
        body["metadata"] = json!(null);
        assert!(Create::read(body.to_string().as_bytes()).unwrap().metadata.is_none());
    }

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("24h", 86_400), ("1s", 1), ("90s", 90), ("30m", 1_800), ("7d", 604_800)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for none in ["", "h", "24", "+1h", "1.5h", "24H", "1é", "99999999999999999999h", "9999999999999999999d"] {
            assert_eq!(duration(none), None, "{none}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        for (field, value) in [
            ("endpoint", json!("/v1/images")),
            ("endpoint", json!("/v1/chat/completions/")),
            ("completion_window", json!("0s")),
            ("completion_window", json!("31d")),
            ("completion_window", json!("soon")),
            ("metadata", json!({"a": "x".repeat(513)})),
            ("input_file_id", json!(null)),
            ("endpoint", json!(null)),
            ("output_expires_after.seconds", json!(60)),
        ] {
            let mut body = body();
            match field.strip_suffix(".seconds") {
                Some(outer) => body[outer] = json!({"anchor": "created_at", "seconds": value}),
                None => body[field] = value,
            }
            let error = Create::read(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(field), "{error}");
        }
        assert!(Create::read(b"{").is_err());
        assert!(Create::read(br#"{"metadata":{"a":1}}"#).is_err());
    }
}

//! The lines of a batch's input: each one a request with a name, checked before anything is run.
//!
//! What a reader could get wrong: `body` is kept as it was written; it is run as if a client had sent those bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::LineFault;
use crate::openai::Endpoint;

/// A name that somebody can still read.
const LONGEST_NAME: usize = 512;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counts from one.
    pub number: usize,
    pub custom_id: String,
    pub model: String,
    /// The body's `tidegate` object, if it has one.
    pub hints: Option<Bytes>,
    pub body: Bytes,
}

/// Checks lines, one after the other.
#[derive(Debug)]
pub struct Lines {
    endpoint: Endpoint,
    /// The names so far, as hashes: 50,000 of the longest names would take 25 MB. 128 bits of it are never alike by accident.
    names: HashMap<[u8; 16], usize>,
}

#[derive(Deserialize)]
struct Raw<'l> {
    #[serde(borrow)]
    custom_id: Option<&'l RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'l, str>>,
    #[serde(borrow)]
    url: Option<Cow<'l, str>>,
    #[serde(borrow)]
    body: Option<&'l RawValue>,
}

/// What is looked at of a body here; its own checks are those of a request, later.
#[derive(Deserialize)]
struct RawBody<'l> {
    #[serde(borrow)]
    model: Option<&'l RawValue>,
    #[serde(borrow)]
    stream: Option<&'l RawValue>,
    #[serde(borrow)]
    background: Option<&'l RawValue>,
    #[serde(borrow)]
    tidegate: Option<&'l RawValue>,
}

impl Lines {
    /// Of a batch for this endpoint.
    pub fn new(endpoint: Endpoint) -> Lines {
        Lines { endpoint, names: HashMap::new() }
    }

    /// How many were right so far.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Checks a line (see [`super::Split`]).
    ///
    /// # Errors
    /// What is wrong with it, as it stands in the batch's `errors`.
    pub fn check(&mut self, number: usize, text: &Bytes) -> Result<Line, LineFault> {
        let wrong = |code, param, message: String| LineFault::at(number, code, param, message);
        let unreadable = |_| wrong("invalid_json_line", None, "this line is not parseable as a JSON object".into());
        let raw: Raw<'_> = serde_json::from_slice(text).map_err(unreadable)?;
        if !text.starts_with(b"{") {
            return Err(wrong("invalid_json_line", None, "this line is not parseable as a JSON object".into()));
        }
        let missing =
            |name| wrong("missing_required_parameter", Some(name), format!("the parameter `{name}` is missing"));
        let custom_id = raw.custom_id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        let custom_id = custom_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("custom_id"))?;
        if custom_id.len() > LONGEST_NAME {
            let message = format!("the parameter `custom_id` is longer than {LONGEST_NAME} bytes");
            return Err(wrong("invalid_custom_id", Some("custom_id"), message));
        }
        if raw.method.ok_or_else(|| missing("method"))? != "POST" {
            return Err(wrong("invalid_method", Some("method"), "the parameter `method` must be `POST`".into()));
        }
        let path = self.endpoint.path();
        if raw.url.ok_or_else(|| missing("url"))?.strip_prefix("/v1") != Some(path) {
            let message = format!("the parameter `url` must be the batch's endpoint, `/v1{path}`");
            return Err(wrong("mismatched_endpoint", Some("url"), message));
        }
        let body = raw.body.ok_or_else(|| missing("body"))?;
        let (model, hints) = asked(number, body.get())?;
        // Last, so that a line which is wrong otherwise is told so.
        let first = *self.names.entry(hashed(&custom_id)).or_insert(number);
        if first != number {
            let message =
                format!("the parameter `custom_id` is the same as on line {first}; it must be unique in a batch");
            return Err(wrong("duplicate_custom_id", Some("custom_id"), message));
        }
        // The range of the body within the line, which it shares.
        let within = |part: &str| text.slice_ref(part.as_bytes());
        Ok(Line { number, custom_id, model, hints: hints.map(within), body: within(body.get()) })
    }
}

/// The model that a body asks for, and its hints.
fn asked(number: usize, body: &str) -> Result<(String, Option<&str>), LineFault> {
    let wrong = |code, param, message: &str| LineFault::at(number, code, Some(param), message.to_owned());
    let unreadable =
        |_| wrong("invalid_body", "body", "the parameter `body` must be an object, with no field given twice");
    let raw: RawBody<'_> = serde_json::from_str(body).map_err(unreadable)?;
    if !body.starts_with('{') {
        return Err(wrong("invalid_body", "body", "the parameter `body` must be an object, with no field given twice"));
    }
    for (value, name) in [(raw.stream, "body.stream"), (raw.background, "body.background")] {
        if value.is_some_and(|value| value.get() == "true") {
            return Err(wrong("invalid_body", name, "a line of a batch cannot be streamed or run in the background"));
        }
    }
    let model = raw.model.and_then(|model| serde_json::from_str::<String>(model.get()).ok());
    let missing = || wrong("missing_required_parameter", "body.model", "the parameter `body.model` is missing");
    let hints = raw.tidegate.map(RawValue::get).filter(|hints| *hints != "null");
    Ok((model.filter(|model| !model.is_empty()).ok_or_else(missing)?, hints))
}

fn hashed(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn good(name: &str) -> Value {
        json!({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": {"model": "auto", "messages": []}})
    }

    fn check(lines: &mut Lines, number: usize, line: &str) -> Result<Line, LineFault> {
        lines.check(number, &Bytes::copy_from_slice(line.as_bytes()))
    }

    #[test]
    fn the_body_is_kept_as_it_was_written() {
        let body = r#"{ "model" : "au\u0074o",  "seed": 1.50e+3 }"#;
        let line =
            format!(r#"{{"body": {body} ,"url":"/v1\/chat/completions","method":"POST","custom_id":"r-1","x":1}}"#);
        let line = check(&mut Lines::new(Endpoint::Chat), 7, &line).unwrap();
        assert_eq!((line.number, line.custom_id.as_str(), line.model.as_str()), (7, "r-1", "auto"));
        assert_eq!(line.body, body);
    }

    #[test]
    fn every_fault_has_its_code_its_field_and_its_line() {
        let with = |field: &str, value: Value| {
            let mut line = good("r-1");
            match field.strip_prefix("body.") {
                Some(inner) => line["body"][inner] = value,
                None => line[field] = value,
            }
            line.to_string()
        };
        for (line, code, param) in [
            ("{".to_owned(), "invalid_json_line", None),
            ("[]".to_owned(), "invalid_json_line", None),
            (r#"["r-1","POST","/v1/chat/completions",{"model":"auto"}]"#.to_owned(), "invalid_json_line", None),
            (with("method", json!("GET")), "invalid_method", Some("method")),
            (with("method", json!(null)), "missing_required_parameter", Some("method")),
            (with("url", json!("/v1/responses")), "mismatched_endpoint", Some("url")),
            (with("url", json!("/chat/completions")), "mismatched_endpoint", Some("url")),
            (with("url", json!(null)), "missing_required_parameter", Some("url")),
            (with("custom_id", json!("")), "missing_required_parameter", Some("custom_id")),
            (with("custom_id", json!(7)), "missing_required_parameter", Some("custom_id")),
            (with("custom_id", json!("x".repeat(513))), "invalid_custom_id", Some("custom_id")),
            (with("body", json!(null)), "missing_required_parameter", Some("body")),
            (with("body", json!(["auto"])), "invalid_body", Some("body")),
            (with("body", json!(["auto", null, null])), "invalid_body", Some("body")),
            (with("body.model", json!(null)), "missing_required_parameter", Some("body.model")),
            (with("body.model", json!("")), "missing_required_parameter", Some("body.model")),
            (with("body.stream", json!(true)), "invalid_body", Some("body.stream")),
            (with("body.background", json!(true)), "invalid_body", Some("body.background")),
        ] {
            let fault = check(&mut Lines::new(Endpoint::Chat), 3, &line).unwrap_err();
            assert_eq!((fault.code.as_str(), fault.param.as_deref(), fault.line), (code, param, Some(3)), "{line}");
        }
        assert!(check(&mut Lines::new(Endpoint::Chat), 1, &with("body.stream", json!(false))).is_ok());
    }

    #[test]
    fn a_name_stands_once() {
        let mut lines = Lines::new(Endpoint::Chat);
        assert!(check(&mut lines, 1, &good("a").to_string()).is_ok());
        assert!(check(&mut lines, 2, &good("b").to_string()).is_ok());
        let fault = check(&mut lines, 4, &good("a").to_string()).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.line), ("duplicate_custom_id", Some(4)));
        assert!(fault.message.contains("on line 1"), "{}", fault.message);
        assert_eq!(lines.count(), 2);
    }

    #[test]
    fn no_fault_tells_what_the_line_says() {
        let line = r#"{"custom_id":"Ada Lovelace","method":"Ada Lovelace","url":"Ada Lovelace","body":"Ada Lovelace"}"#;
        let fault = check(&mut Lines::new(Endpoint::Chat), 1, line).unwrap_err();
        assert!(!fault.message.contains("Ada"), "{}", fault.message);
    }

    proptest! {
        #[test]
        fn what_is_right_is_taken_whatever_the_names(names in prop::collection::hash_set("\\PC{1,20}", 1..20), text in "\\PC{0,40}") {
            let mut lines = Lines::new(Endpoint::Chat);
            for (at, name) in names.iter().enumerate() {
                let mut line = good(name);
                line["body"]["messages"] = json!([{"role": "user", "content": text}]);
                let read = check(&mut lines, at + 1, &line.to_string()).unwrap();
                prop_assert_eq!(&read.custom_id, name);
                prop_assert_eq!(serde_json::from_slice::<Value>(&read.body).unwrap(), line["body"].clone());
            }
            prop_assert_eq!(lines.count(), names.len());
        }

        #[test]
        fn nothing_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..120) {
            let mut lines = Lines::new(Endpoint::Chat);
            let _ = lines.check(1, &Bytes::from(line));
            let good = good("a").to_string();
            let half = Bytes::copy_from_slice(good.as_bytes().get(..cut).unwrap_or(good.as_bytes()));
            prop_assert_eq!(lines.check(2, &half).is_ok(), half.len() == good.len());
        }
    }
}

//! Token figures read from answers: a JSON body, or the data of one event.
//!
//! What a reader could get wrong: an event is looked at only if `"usage"` stands in it at all, which the many chunks of a stream do not pay for;
//! the value is parsed by serde, on that one frame.

use memchr::memmem;
use serde::Deserialize;

/// Tokens as the upstream counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub prompt: u64,
    /// Answer tokens, reasoning included.
    pub completion: u64,
    /// Of the prompt, what the upstream had cached.
    pub cached: u64,
    /// Of the answer, what was reasoning.
    pub reasoning: u64,
    pub audio_in: u64,
    pub audio_out: u64,
    pub compute_us: u64,
    pub cache_write: u64,
    pub images: u64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    usage: Option<Raw>,
    /// Responses events carry the whole response.
    #[serde(default)]
    response: Option<Inner>,
    #[serde(default)]
    choices: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    usage: Option<Raw>,
}

/// Chat and completions call them prompt and completion, Responses input and output.
#[derive(Deserialize)]
struct Raw {
    #[serde(default, alias = "input_tokens")]
    prompt_tokens: Option<u64>,
    #[serde(default, alias = "output_tokens")]
    completion_tokens: Option<u64>,
    #[serde(default, alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
    #[serde(default, alias = "output_tokens_details")]
    completion_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl From<Raw> for Usage {
    fn from(raw: Raw) -> Usage {
        Usage {
            prompt: raw.prompt_tokens.unwrap_or(0),
            completion: raw.completion_tokens.unwrap_or(0),
            cached: raw.prompt_tokens_details.and_then(|d| d.cached_tokens).unwrap_or(0),
            reasoning: raw.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or(0),
            ..Usage::default()
        }
    }
}

/// What an event says of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub usage: Usage,
    /// The event holds nothing else (`choices` is empty): the chunk that `stream_options.include_usage` asks for.
    pub alone: bool,
}

/// Usage of a complete JSON answer; `None` if it has none or is no JSON.
pub fn of_answer(body: &[u8]) -> Option<Usage> {
    of_event(body).map(|seen| seen.usage)
}

/// Usage in the data of an event.
pub fn of_event(data: &[u8]) -> Option<Seen> {
    memmem::find(data, b"\"usage\"")?;
    let answer: Answer = serde_json::from_slice(data).ok()?;
    let raw = answer.usage.or_else(|| answer.response.and_then(|r| r.usage))?;
    Some(Seen { usage: raw.into(), alone: answer.choices.is_some_and(|choices| choices.is_empty()) })
}

/// The data is an error object instead of a piece of an answer.
pub fn is_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        choices: Option<serde::de::IgnoredAny>,
    }
    if memmem::find(data, b"\"error\"").is_none() {
        return false;
    }
    let event = serde_json::from_slice::<Event>(data).ok();
    event.is_some_and(|e| (e.error.is_some() && e.choices.is_none()) || e.kind.as_deref() == Some("error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_every_dialect_are_read() {
        let chat = br#"{"id":"x","choices":[{"index":0}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
        assert_eq!(
            of_answer(chat),
            Some(Usage { prompt: 9, completion: 12, cached: 4, reasoning: 3, ..Usage::default() })
        );
        let response = br#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}}}"#;
        assert_eq!(
            of_event(response).unwrap().usage,
            Usage { prompt: 5, completion: 2, cached: 1, ..Usage::default() }
        );
        let embedding = br#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#;
        assert_eq!(of_answer(embedding).unwrap().prompt, 5);
    }

    #[test]
    fn only_the_chunk_that_was_asked_for_counts_as_alone() {
        let alone = |data: &str| of_event(data.as_bytes()).is_some_and(|seen| seen.alone);
        assert!(alone(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1},"timings":{"x":1}}"#));
        assert!(!alone(r#"{"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1}}"#));
        // Azure's first chunk has no choices either, but content filter results.
        assert!(!alone(r#"{"choices":[],"prompt_filter_results":[{}],"usage":null}"#));
        assert!(!alone(r#"{"choices":[{"delta":{"content":"say \"usage\""}}]}"#));
    }

    #[test]
    fn an_error_is_told_from_text_about_errors() {
        assert!(is_error(br#"{"error":{"message":"x"}}"#));
        assert!(is_error(br#"{"type":"error","code":"x","message":"y"}"#));
        assert!(!is_error(br#"{"choices":[{"delta":{"content":"\"error\""}}]}"#));
        assert!(!is_error(br#"{"type":"response.created","response":{"error":null}}"#));
    }
}

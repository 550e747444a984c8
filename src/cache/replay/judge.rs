//! What a plain answer is: how it ended.
//!
//! What a reader could get wrong: this is about the answer alone. Whether an answer that ended that way is kept (one cut by its own
//! `max_tokens` is as good a second time) is for the cache to say.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::is_empty;
use crate::openai::Endpoint;

/// How an answer ended, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finish {
    /// It said what it had to say.
    Stop,
    /// It asks for tools (or a function) to be called.
    ToolCalls,
    /// It was cut at its longest.
    Length,
    /// Filtered, failed, unknown, or not said.
    Other,
}

/// What a plain answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The worst over all choices.
    pub finish: Finish,
    /// How many choices (chat, completions), items (responses) or vectors (embeddings) it has.
    pub parts: usize,
    /// It tells an error; `finish` is `Other` then.
    pub has_error: bool,
}

impl Judged {
    /// It is all that the model had to say: it may be kept.
    pub fn is_whole(&self) -> bool {
        matches!(self.finish, Finish::Stop | Finish::ToolCalls)
    }
}

type Raw<'a> = Option<&'a RawValue>;

/// Of a value that may be of any kind, the text if it is one.
fn word<'a>(value: Raw<'a>) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Word<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Word<'a>>(value?.get()).ok().map(|word| word.0)
}

fn is_told(value: Raw<'_>) -> bool {
    value.is_some_and(|value| !is_empty(value.get()))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, borrow)]
    error: Raw<'a>,
    #[serde(default, borrow)]
    choices: Raw<'a>,
    #[serde(default, borrow)]
    data: Raw<'a>,
    #[serde(default, borrow)]
    output: Raw<'a>,
    #[serde(default, borrow)]
    status: Raw<'a>,
    #[serde(default, borrow)]
    incomplete_details: Raw<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, borrow)]
    finish_reason: Raw<'a>,
    #[serde(default, borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    tool_calls: Raw<'a>,
    #[serde(default, borrow)]
    function_call: Raw<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Raw<'a>,
}

#[derive(Deserialize)]
struct Reason<'a> {
    #[serde(default, borrow)]
    reason: Raw<'a>,
}

pub(super) fn judge(endpoint: Endpoint, plain: &[u8]) -> Option<Judged> {
    let plain = simdutf8::basic::from_utf8(plain).ok()?;
    // A list would be read as the members in order.
    if !plain.trim_ascii_start().starts_with('{') {
        return None;
    }
    let answer: Answer<'_> = serde_json::from_str(plain).ok()?;
    let has_error = answer.error.is_some();
    let (finish, parts) = match endpoint {
        Endpoint::Chat | Endpoint::Completions => choices(answer.choices),
        Endpoint::Responses => response(&answer),
        Endpoint::Embeddings => {
            let parts = parts::<&RawValue>(answer.data).len();
            (if parts > 0 { Finish::Stop } else { Finish::Other }, parts)
        }
    };
    Some(Judged { finish: if has_error { Finish::Other } else { finish }, parts, has_error })
}

/// The elements of a list; none if it is none.
fn parts<'a, T: Deserialize<'a>>(list: Raw<'a>) -> Vec<T> {
    list.and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default()
}

fn choices(list: Raw<'_>) -> (Finish, usize) {
    let list: Vec<Choice<'_>> = parts(list);
    (list.iter().map(choice).max().unwrap_or(Finish::Other), list.len())
}

fn choice(choice: &Choice<'_>) -> Finish {
    match word(choice.finish_reason).as_deref() {
        // Some servers say `stop` behind tool calls.
        Some("stop") => match &choice.message {
            Some(message) if is_told(message.tool_calls) || is_told(message.function_call) => Finish::ToolCalls,
            _ => Finish::Stop,
        },
        Some("tool_calls" | "function_call") => Finish::ToolCalls,
        Some("length") => Finish::Length,
        _ => Finish::Other,
    }
}

fn response(answer: &Answer<'_>) -> (Finish, usize) {
    let items: Vec<Item<'_>> = parts(answer.output);
    let finish = match word(answer.status).as_deref() {
        Some("completed") => {
            let is_call =
                |item: &Item<'_>| matches!(word(item.kind).as_deref(), Some("function_call" | "custom_tool_call"));
            if items.iter().any(is_call) { Finish::ToolCalls } else { Finish::Stop }
        }
        Some("incomplete") => {
            let reason: Option<Reason<'_>> =
                answer.incomplete_details.and_then(|details| serde_json::from_str(details.get()).ok());
            match word(reason.and_then(|reason| reason.reason)).as_deref() {
                Some("max_output_tokens") => Finish::Length,
                _ => Finish::Other,
            }
        }
        _ => Finish::Other,
    };
    (finish, items.len())
}

//! What an answer says, read out of its JSON: chat and text completions, the Responses API; whole, or event by event.
//!
//! What a reader could get wrong: only the first choice is judged. Whole answers and events of one dialect have the same shape but for a
//! name (`message` and `delta`), and are read by the same types; what is not in them is skipped. Two names for one thing are two fields here,
//! never an alias: an upstream that sends both would send a duplicate. A member that cannot be read counts as absent (`lenient`).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// What cannot be read is as good as absent: a figure that is none must not hide the text beside it.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Option<T>>(raw.get()).unwrap_or_default())
}

/// A message that is a text and nothing else is one as well.
fn message<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Message<'a>>, D::Error> {
    let raw: &'a str = <&'de RawValue>::deserialize(deserializer)?.get();
    if raw.starts_with('"') {
        let content = serde_json::from_str(raw).ok().map(Content::Text);
        return Ok(Some(Message { content, ..Message::default() }));
    }
    Ok(serde_json::from_str::<Option<Message<'a>>>(raw).unwrap_or_default())
}

/// A string that is borrowed where it has no escape: within an `Option`, a `Cow` alone would be copied.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A whole answer or the data of an event, of chat and text completions.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) choices: SmallVec<[Choice<'a>; 1]>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    /// Absent or no number: the first.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u32>,
    /// Of a whole answer.
    #[serde(borrow, default, deserialize_with = "message")]
    pub(super) message: Option<Message<'a>>,
    /// Of an event.
    #[serde(borrow, default, deserialize_with = "message")]
    pub(super) delta: Option<Message<'a>>,
    /// Of a text completion.
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) logprobs: Option<Logprobs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Content<'a>>,
    /// Sound is an answer as well.
    #[serde(default)]
    pub(super) audio: Given,
    /// So are pictures, beside the text (OpenRouter).
    #[serde(default)]
    pub(super) images: Given,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) reasoning_content: Option<Text<'a>>,
    /// The other name for it; vLLM has sent both.
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) reasoning: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) tool_calls: Option<SmallVec<[ToolCall<'a>; 1]>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) function_call: Option<Function<'a>>,
}

/// What a message says: a text, or parts.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Text(Text<'a>),
    Parts(SmallVec<[ContentPart<'a>; 1]>),
    /// Something else that is not nothing.
    Other,
    Nothing,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let read = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).ok().map(Content::Text),
            Some(b'[') => serde_json::from_str(raw).ok().map(Content::Parts),
            _ => None,
        };
        Ok(read.unwrap_or(if is_given(raw) { Content::Other } else { Content::Nothing }))
    }
}

/// A part of a content: text, or whatever it is of which there is some.
#[derive(Debug)]
pub(super) struct ContentPart<'a>(pub(super) Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for ContentPart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members<'m> {
            #[serde(borrow, default, deserialize_with = "lenient")]
            text: Option<Text<'m>>,
        }
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let text = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).ok(),
            _ => serde_json::from_str::<Members<'de>>(raw).ok().and_then(|part| part.text),
        };
        Ok(ContentPart(text))
    }
}

/// Whether a member is there and holds anything.
#[derive(Debug, Default)]
pub(super) struct Given(pub(super) bool);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Given(is_given(<&'de RawValue>::deserialize(deserializer)?.get())))
    }
}

/// Neither `null` nor an empty value of its kind.
fn is_given(raw: &str) -> bool {
    let within = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    match raw.as_bytes().first() {
        Some(b'"' | b'[' | b'{') => !within.trim().is_empty(),
        _ => !matches!(raw, "null" | "false"),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u32>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) arguments: Option<Text<'a>>,
}

/// `null` in place of a token has been seen.
pub(super) type Tokens<'a> = SmallVec<[Option<Token<'a>>; 1]>;

/// Of chat; of text completions (OpenAI: two lists; llama-server: as chat).
#[derive(Debug, Deserialize)]
pub(super) struct Logprobs<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) content: Option<Tokens<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) tokens: Option<SmallVec<[Option<Text<'a>>; 1]>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) token_logprobs: Option<SmallVec<[Option<f64>; 1]>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) token: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) logprob: Option<f64>,
}

/// An event of the Responses API.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    /// A piece of text or of arguments, as `kind` says.
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) delta: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) logprobs: Option<Tokens<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) output_index: Option<u32>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) item: Option<Item<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) response: Option<Ended<'a>>,
}

/// How a response ended.
#[derive(Debug, Deserialize)]
pub(super) struct Ended<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) incomplete_details: Option<Incomplete<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Incomplete<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) reason: Option<Text<'a>>,
}

/// A whole response.
#[derive(Debug, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default)]
    pub(super) output: SmallVec<[Item<'a>; 1]>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) incomplete_details: Option<Incomplete<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "lenient")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) arguments: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) content: Option<SmallVec<[Part<'a>; 1]>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    pub(super) logprobs: Option<Tokens<'a>>,
}

/// How a chat or text completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// As it should, whatever the word.
    Well,
    /// There was no more room.
    Length,
    /// A filter stopped it.
    Filter,
}

impl Finish {
    pub(super) fn of(word: &str) -> Finish {
        match word {
            "length" | "max_tokens" | "max_output_tokens" => Finish::Length,
            "content_filter" => Finish::Filter,
            _ => Finish::Well,
        }
    }
}

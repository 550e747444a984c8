//! One scan of a request body into a *view*: byte ranges of the fields that matter, and nothing else is built.
//!
//! The scan validates all of the JSON (RFC 8259) on the way, so that whoever splices by these ranges can rely on them.
//! What a reader could get wrong: ranges of strings include the quotes; the text between them is still JSON-escaped.

mod fields;
mod line;
mod options;
mod others;
pub(in crate::openai) mod scanner;

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::{Endpoint, Modalities};
pub use line::{Line, scan_columns, scan_line};

/// What a request says, as far as the gateway needs to know. All ranges index the body that was scanned.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The value of `model`, quotes included; `None` when absent.
    pub model: Option<Range<usize>>,
    /// `stream: true`.
    pub stream: bool,
    /// The value of `stream_options`, if present (an object's range, or `null`'s).
    pub stream_options: Option<StreamOptions>,
    /// Just behind the `{` that opens the body: where a new first member goes.
    pub body_open: usize,
    /// The body object has no member at all, so an inserted one takes no comma.
    pub body_empty: bool,
    /// The greatest of `max_tokens`, `max_completion_tokens`, `max_output_tokens` that are given: which one an upstream goes by, it knows.
    pub max_output_tokens: Option<u64>,
    /// Images in the prompt.
    pub images: u32,
    /// `n` (choices asked for) or `best_of` if that is more; 1 when absent.
    pub choices: u64,
    /// `tools` or `functions` is a non-empty array.
    pub has_tools: bool,
    /// What the prompt contains.
    pub modalities: Modalities,
    /// Messages (chat) or input items (responses) with the role `user`; 1 for a plain string input.
    pub turns: u32,
    /// Every piece of text that the upstream would read, in order of appearance.
    pub pieces: SmallVec<[Piece; 8]>,
    /// Sum of the lengths of `pieces` in (escaped) bytes, without quotes.
    pub text_bytes: usize,
    /// Other strings that the upstream would see (metadata, schemas, fields that the gateway does not know), in order of appearance: no
    /// prompt, but somebody may have put a name into them. Identifiers and words of the protocol are not among them.
    pub others: Vec<Range<usize>>,
    /// Files within the body: strings that are data URLs.
    pub attached: Vec<Range<usize>>,
    /// Files, wherever they are.
    pub files: u32,
    /// There is something that nobody can read: token ids, parts of a kind that is not known to be text.
    pub opaque: bool,
    /// The answer is to be JSON (`response_format`, Responses' `text.format`).
    pub json_answer: bool,
    /// The `tidegate` member: its value, and the span to cut so that what remains is valid JSON.
    pub hints: Option<Member>,
    /// `background: true` of the Responses API: the member, to be cut like the hints.
    pub background: Option<Member>,
    /// The value of the Responses API's `previous_response_id`, where that is a string.
    pub previous: Option<Range<usize>>,
    /// A file is named that is the gateway's own (see [`super::files::PREFIX`]).
    pub own_file: bool,
}

/// `stream_options` as found.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamOptions {
    /// The whole value.
    pub value: Range<usize>,
    /// It is an object (else `null`).
    pub is_object: bool,
    /// It is an object without members.
    pub is_empty: bool,
    /// `include_usage: true`.
    pub include_usage: bool,
    /// The value of `include_usage`, if the key is there.
    pub include_usage_value: Option<Range<usize>>,
}

/// One string that the upstream reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The JSON string, quotes included.
    pub range: Range<usize>,
    pub source: Source,
    /// Index of the message or input item that it belongs to; 0 for a plain prompt.
    pub message: u32,
}

/// Where a piece of text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `system` or `developer` messages, `instructions`.
    System,
    User,
    Assistant,
    /// Tool results.
    Tool,
    /// Arguments of an earlier tool call (JSON inside a JSON string).
    ToolArguments,
    /// Descriptions of tools and their parameters, what these enumerate.
    ToolDefinition,
    /// The name of a tool, defined or called: the protocol's, and left as it is.
    ToolName,
    /// `prompt`, `input` of completions and embeddings.
    Input,
    /// `name`, `user`, file names: short strings that may hold personal data.
    Name,
}

/// A member of the body object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub value: Range<usize>,
    /// From the key to the value with one adjoining comma: cutting this leaves valid JSON.
    pub cut: Range<usize>,
}

/// Why a body was refused. `at` is the byte offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    pub at: usize,
    /// Lower case, without the body's text: `expected a comma or a closing brace`.
    pub what: &'static str,
    /// The field at fault where one is known (`model`, `stream`, …).
    pub param: Option<&'static str>,
}

/// Scans `body` once.
///
/// # Errors
/// No JSON object, or a field of a type that no upstream would take; see [`Malformed`].
pub fn scan(endpoint: Endpoint, body: &[u8]) -> Result<View, Malformed> {
    if let Err(at) = utf8_error(body) {
        return Err(Malformed { at, what: "it is not valid UTF-8", param: None });
    }
    fields::read(endpoint, body)
}

fn utf8_error(body: &[u8]) -> Result<(), usize> {
    if simdutf8::basic::from_utf8(body).is_ok() {
        return Ok(());
    }
    simdutf8::compat::from_utf8(body).map(drop).map_err(|error| error.valid_up_to())
}

impl View {
    /// The model that was asked for, decoded; `None` when the body names none.
    pub fn model_name<'b>(&self, body: &'b [u8]) -> Option<Result<Cow<'b, str>, Malformed>> {
        let range = self.model.clone()?;
        let text = body.get(range.clone()).unwrap_or_default();
        let what = "it is no text (a lone surrogate?)";
        Some(decode_string(text).ok_or(Malformed { at: range.start, what, param: Some("model") }))
    }
}

/// The text of a JSON string, quotes included; `None` for a lone surrogate.
pub fn decode_string(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;

//! Two streams told as one: a draft that comes at once, and the answer that takes its place. Pure: bytes of both in, bytes for the client out.
//!
//! Chat: the draft is choice 1, the answer choice 0. Responses: the draft is an item of reasoning, the answer the items behind it
//! (docs/decisions/0020 says why). What is not changed is passed on byte for byte.
//!
//! What a reader could get wrong: many clients read the first choice of a chunk without looking at its index. So each chunk of the draft has a
//! choice 0 in front, which says nothing. And a [`Duet`] is for a draft that came first: an answer that comes first needs none.

mod chat;
mod chunk;
mod event;
mod patch;
mod responses;
mod returned;

use bytes::Bytes;
use smallvec::SmallVec;

use self::chat::Chat;
use self::responses::Responses;
use super::Endpoint;
use super::sse::{Frame, Frames, Keep, TooLong};
pub use returned::without_drafts;

/// A draft that is longer than this, as JSON, cannot become the answer, and is told no further.
const LONGEST_DRAFT: usize = 1 << 20;

/// Under which names the one stream goes.
#[derive(Debug, Clone)]
pub struct Names {
    /// What makes the ids of this answer unlike those of others.
    pub id: String,
    /// Seconds (Unix).
    pub created: i64,
    /// The model that was asked for.
    pub model: String,
    /// The client asked for the usage.
    pub usage: bool,
}

/// Tokens that were used, as the client is told of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub prompt: u64,
    pub completion: u64,
}

/// Why a draft became the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was good enough.
    Confident,
    /// No answer came from the cloud.
    CloudFailed,
}

/// How a draft stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    On,
    /// It came to its own end.
    Complete,
    /// Its upstream told an error.
    Failed,
    /// It calls a tool, which nobody has offered it.
    Calls,
    /// It is too long to be held: it goes no further.
    TooLong,
}

/// Two streams told as one.
#[derive(Debug)]
pub struct Duet(Api);

#[derive(Debug)]
enum Api {
    Chat(Box<Chat>),
    Responses(Box<Responses>),
}

impl Spent {
    /// Both.
    pub fn plus(self, other: Spent) -> Spent {
        Spent {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
        }
    }
}

impl Why {
    /// The word in streams and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Why::Confident => "confident",
            Why::CloudFailed => "cloud-failed",
        }
    }
}

impl Duet {
    /// Whether an endpoint has a form for it.
    pub fn is_for(endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::Chat | Endpoint::Responses)
    }

    /// For a draft that is about to begin. `None`: the endpoint has no form for it.
    pub fn new(endpoint: Endpoint, names: &Names) -> Option<Duet> {
        match endpoint {
            Endpoint::Chat => Some(Duet(Api::Chat(Box::new(Chat::new(names))))),
            Endpoint::Responses => Some(Duet(Api::Responses(Box::new(Responses::new(names))))),
            Endpoint::Completions | Endpoint::Embeddings => None,
        }
    }

    /// Takes bytes of the draft in; what the client gets is put behind `out`.
    ///
    /// # Errors
    /// A frame is longer than can be held.
    pub fn draft(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<Standing, TooLong> {
        match &mut self.0 {
            Api::Chat(chat) => chat.draft(bytes, out),
            Api::Responses(responses) => responses.draft(bytes, out),
        }
    }

    /// The draft goes no further, whether it came to its end or not. `spent`: what it has used.
    pub fn draft_over(&mut self, spent: Spent, out: &mut Vec<u8>) {
        match &mut self.0 {
            Api::Chat(chat) => chat.draft_over(spent, out),
            Api::Responses(responses) => responses.draft_over(spent, out),
        }
    }

    /// Takes bytes of the answer in, once the draft is over.
    ///
    /// # Errors
    /// A frame is longer than can be held.
    pub fn answer(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<(), TooLong> {
        match &mut self.0 {
            Api::Chat(chat) => chat.answer(bytes, out),
            Api::Responses(responses) => responses.answer(bytes, out),
        }
    }

    /// The draft is the answer: what it has said so far is said again in the answer's place, and what is to come goes there.
    pub fn promote(&mut self, why: Why, out: &mut Vec<u8>) {
        match &mut self.0 {
            Api::Chat(chat) => chat.promote(why, out),
            Api::Responses(responses) => responses.promote(why, out),
        }
    }

    /// The end of a draft that is the answer. `beside`: what was used besides the draft.
    pub fn finish(&mut self, beside: Spent, out: &mut Vec<u8>) {
        match &mut self.0 {
            Api::Chat(chat) => chat.finish(beside, out),
            Api::Responses(responses) => responses.finish(beside, out),
        }
    }

    /// The draft came to its own end, and was not cut off by its limit.
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Api::Chat(chat) => chat.is_complete(),
            Api::Responses(responses) => responses.is_complete(),
        }
    }

    /// The draft came to an end of its own, whichever. A stream that is over without one has broken off.
    pub fn has_ended(&self) -> bool {
        match &self.0 {
            Api::Chat(chat) => chat.has_ended(),
            Api::Responses(responses) => responses.has_ended(),
        }
    }

    /// The draft has said anything at all.
    pub fn has_said(&self) -> bool {
        match &self.0 {
            Api::Chat(chat) => chat.has_said(),
            Api::Responses(responses) => responses.has_said(),
        }
    }

    /// What the draft has said so far.
    pub fn text(&self) -> String {
        let escaped = match &self.0 {
            Api::Chat(chat) => chat.text(),
            Api::Responses(responses) => responses.text(),
        };
        let quoted = [b"\"", escaped, b"\""].concat();
        serde_json::from_slice(&quoted).unwrap_or_default()
    }
}

/// Shows each event of a stream to `tell`, which writes what the client gets instead; comments stay where they are.
fn each(
    frames: &mut Frames,
    bytes: Bytes,
    out: &mut Vec<u8>,
    mut tell: impl FnMut(Frame<'_>, &mut Vec<u8>),
) -> Result<(), TooLong> {
    let mut pieces = SmallVec::new();
    let visit = |frame: Frame<'_>| {
        let mut told = Vec::new();
        tell(frame, &mut told);
        if told.is_empty() { Keep::No } else { Keep::Instead(told.into()) }
    };
    let pushed = frames.push_frames(bytes, visit, &mut pieces);
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    pushed
}

/// As a JSON string. Text always serialises.
fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec())
}

/// The text of a JSON string between its quotes, still escaped.
fn inner(quoted: &[u8]) -> &[u8] {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

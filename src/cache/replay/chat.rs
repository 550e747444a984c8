//! Chat completions: chunks put together into a message, and a message told in chunks as OpenAI tells it.
//!
//! What a reader could get wrong: a delta's texts are pieces of one text, everything else in it is whole. A text under a name that is not
//! among `TEXTS` and comes twice may be either, so such a stream is not kept.

use std::borrow::Cow;

use super::calls::{self, Calls, Said};
use super::envelope::{Chunks, FromChunks, in_order, join, write_index};
use super::events::said_before_done;
use super::logprobs::{Joined, Parts};
use super::members::{Choices, Holding, Members, Name, is_empty, is_null, is_whole, text, write_key};

const PLAIN: &str = "chat.completion";
const CHUNK: &str = "chat.completion.chunk";
/// What a message says piece by piece, in the order in which it is said. `reasoning_content`: DeepSeek, llama-server; `reasoning`: vLLM,
/// OpenRouter.
const TEXTS: [&str; 4] = ["reasoning_content", "reasoning", "content", "refusal"];

#[derive(Debug)]
struct Delta;
impl Name for Delta {
    const NAME: &'static str = "delta";
}

#[derive(Debug)]
struct Message;
impl Name for Message {
    const NAME: &'static str = "message";
}

type ChunkChoice<'a> = Holding<'a, Delta, Option<Members<'a>>>;
type PlainChoice<'a> = Holding<'a, Message, Members<'a>>;
type Answer<'a> = Holding<'a, Choices, Vec<PlainChoice<'a>>>;

/// A choice of a stream, put together.
#[derive(Debug, Default)]
struct Choice<'a> {
    role: Option<&'a str>,
    /// `None`: null was said.
    texts: [Option<Option<String>>; TEXTS.len()],
    calls: Calls<'a>,
    function_call: Option<Said<'a>>,
    message: Members<'a>,
    logprobs: Joined<'a>,
    finish_reason: Option<&'a str>,
    members: Members<'a>,
}

pub(super) fn to_plain(events: &[u8]) -> Option<Vec<u8>> {
    join::<Choice<'_>>(&said_before_done(events)?, PLAIN)
}

impl<'a> FromChunks<'a> for Choice<'a> {
    type Chunk = ChunkChoice<'a>;

    fn index(chunk: &ChunkChoice<'a>) -> Option<&'a str> {
        chunk.rest.get("index")
    }

    fn note(&mut self, choice: ChunkChoice<'a>) -> Option<()> {
        // A whole message instead of a delta is no stream of ours.
        if choice.held.is_none() && choice.rest.told("message").is_some() {
            return None;
        }
        for (key, value) in choice.rest.0 {
            match &*key {
                // Perplexity says the message so far beside the delta.
                "index" | "message" => {}
                "logprobs" => self.logprobs.note(value)?,
                "finish_reason" if is_null(value) => {}
                "finish_reason" => self.finish_reason = Some(value),
                // Whether a text or list goes on or stands for itself cannot be known.
                _ if value.starts_with(['"', '[']) => self.members.settle(key, value)?,
                _ => self.members.renew(key, value)?,
            }
        }
        for (key, value) in choice.held.flatten().into_iter().flat_map(|delta| delta.0) {
            self.note_delta(key, value)?;
        }
        Some(())
    }

    fn write(&self, index: u32, out: &mut Vec<u8>) -> Option<()> {
        write_index(out, index);
        out.extend_from_slice(b",\"message\":{\"role\":");
        out.extend_from_slice(self.role.unwrap_or("\"assistant\"").as_bytes());
        for (name, said) in TEXTS.iter().zip(&self.texts) {
            let said = match said {
                // Readers look for content, whatever else is said.
                None if *name == "content" => &None,
                None => continue,
                Some(said) => said,
            };
            out.push(b',');
            write_key(out, name);
            match said {
                None => out.extend_from_slice(b"null"),
                Some(said) if is_whole(said) => {
                    out.push(b'"');
                    out.extend_from_slice(said.as_bytes());
                    out.push(b'"');
                }
                Some(_) => return None,
            }
        }
        if !self.calls.is_empty() {
            out.extend_from_slice(b",\"tool_calls\":");
            self.calls.write(out)?;
        }
        if let Some(function) = &self.function_call {
            out.extend_from_slice(b",\"function_call\":");
            function.write(out)?;
        }
        self.message.write_more(out, |_, _| true);
        out.push(b'}');
        self.logprobs.write(out);
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(self.finish_reason.unwrap_or("null").as_bytes());
        self.members.write_more(out, |_, _| true);
        out.push(b'}');
        Some(())
    }
}

impl<'a> Choice<'a> {
    fn note_delta(&mut self, key: Cow<'a, str>, value: &'a str) -> Option<()> {
        if let Some(at) = TEXTS.iter().position(|name| *name == key) {
            let known = self.texts.get_mut(at)?.get_or_insert_default();
            if !is_null(value) {
                known.get_or_insert_default().push_str(text(value)?);
            }
            return Some(());
        }
        match &*key {
            "role" if is_empty(value) => Some(()),
            "role" if self.role.is_some_and(|role| role != value) => None,
            "role" => {
                self.role = Some(value);
                text(value).map(drop)
            }
            "tool_calls" => self.calls.note(value),
            "function_call" if is_null(value) => Some(()),
            "function_call" => self.function_call.get_or_insert_default().note(Members::parse(value)?),
            // Sound comes in pieces of its own.
            "audio" if !is_null(value) => None,
            _ => self.message.settle(key, value),
        }
    }
}

pub(super) fn to_stream(plain: &str, usage: bool) -> Option<Vec<u8>> {
    let answer: Answer<'_> = serde_json::from_str(plain).ok()?;
    let mut chunks = Chunks::new(answer.rest, PLAIN, CHUNK, usage)?;
    for (choice, index, is_last) in in_order(answer.held?, |choice| choice.rest.get("index"))? {
        tell(choice, index, is_last, &mut chunks)?;
    }
    Some(chunks.done())
}

/// Tells one choice.
fn tell(choice: PlainChoice<'_>, index: u32, is_last: bool, chunks: &mut Chunks<'_>) -> Option<()> {
    let (members, message) = (choice.rest, choice.held?);
    let finish_reason = members.get("finish_reason").filter(|reason| text(reason).is_some())?;
    if members.get("delta").is_some() || message.told("audio").is_some() {
        return None;
    }
    let mut logprobs = Parts::of(members.get("logprobs"))?;
    chunks.expect(TEXTS.iter().filter_map(|name| message.get(name)).map(str::len).sum());
    let mut head = Vec::with_capacity(32);
    write_index(&mut head, index);
    head.extend_from_slice(b",\"delta\":{");
    // The inside of a delta, of which list of log probabilities it tells how many.
    let mut delta = |inside: &[&[u8]], logprobs: &mut Parts<'_>, of: &str, entries: usize| {
        chunks.chunk(|out| {
            out.extend_from_slice(&head);
            inside.iter().for_each(|part| out.extend_from_slice(part));
            out.push(b'}');
            logprobs.write(Some(of), entries, out);
            out.extend_from_slice(b",\"finish_reason\":null}");
        });
    };
    delta(&[&first(&message)?], &mut logprobs, "", 0);
    for name in TEXTS {
        let Some(told) = message.get(name).and_then(text) else { continue };
        for step in logprobs.steps(name, told) {
            let inside: [&[u8]; 5] = [b"\"", name.as_bytes(), b"\":\"", step.text.as_bytes(), b"\""];
            delta(&inside, &mut logprobs, name, step.entries);
        }
    }
    if let Some(calls) = message.get("tool_calls").filter(|calls| !is_empty(calls)) {
        calls::tell(calls, |inside| delta(&[inside], &mut logprobs, "", 0))?;
    }
    if let Some(function) = message.told("function_call") {
        calls::tell_function(function, |inside| delta(&[inside], &mut logprobs, "", 0))?;
    }
    let mut others = Vec::new();
    message.write_more(&mut others, |name, value| !is_empty(value) && !is_told_above(name));
    if let Some(others) = others.get(1..) {
        delta(&[others], &mut logprobs, "", 0);
    }
    let end = |out: &mut Vec<u8>| {
        out.extend_from_slice(&head);
        out.push(b'}');
        logprobs.write_rest(out);
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(finish_reason.as_bytes());
        members.write_more(out, |name, _| !matches!(name, "index" | "logprobs" | "finish_reason"));
        out.push(b'}');
    };
    chunks.end_choice(is_last, end);
    Some(())
}

fn is_told_above(name: &str) -> bool {
    matches!(name, "role" | "tool_calls" | "function_call" | "audio") || TEXTS.contains(&name)
}

/// The inside of the first delta: the role, what is null, what is an empty text. `None` if the message cannot be told in pieces.
fn first(message: &Members<'_>) -> Option<Vec<u8>> {
    let role = message.get("role").filter(|role| text(role).is_some_and(|role| !role.is_empty()))?;
    let mut first = b"\"role\":".to_vec();
    first.extend_from_slice(role.as_bytes());
    for name in TEXTS {
        let Some(value) = message.get(name) else { continue };
        let value: &[u8] = match text(value) {
            Some(told) if !is_whole(told) => return None,
            // Content begins empty, a refusal as null; thoughts are not spoken of until they come.
            Some(told) if name == "content" || told.is_empty() => b"\"\"",
            Some(_) if name == "refusal" => b"null",
            Some(_) => continue,
            None if is_null(value) && matches!(name, "content" | "refusal") => b"null",
            None if is_null(value) => continue,
            None => return None,
        };
        first.push(b',');
        write_key(&mut first, name);
        first.extend_from_slice(value);
    }
    Some(first)
}

//! Completions: texts put together, and told in pieces.
//!
//! What a reader could get wrong: the chunks of a stream say the same object as the plain answer, `text_completion`.

use super::envelope::{Chunks, FromChunks, in_order, join, write_index};
use super::events::said_before_done;
use super::logprobs::{Joined, Parts, Step};
use super::members::{Choices, Holding, Members, is_null, is_whole, text};

const OBJECT: &str = "text_completion";

type Answer<'a> = Holding<'a, Choices, Vec<Members<'a>>>;

/// A choice of a stream, put together.
#[derive(Debug, Default)]
struct Choice<'a> {
    text: String,
    logprobs: Joined<'a>,
    finish_reason: Option<&'a str>,
    members: Members<'a>,
}

pub(super) fn to_plain(events: &[u8]) -> Option<Vec<u8>> {
    join::<Choice<'_>>(&said_before_done(events)?, OBJECT)
}

impl<'a> FromChunks<'a> for Choice<'a> {
    type Chunk = Members<'a>;

    fn index(chunk: &Members<'a>) -> Option<&'a str> {
        chunk.get("index")
    }

    fn note(&mut self, choice: Members<'a>) -> Option<()> {
        for (key, value) in choice.0 {
            match &*key {
                "index" => {}
                "text" if is_null(value) => {}
                "text" => self.text.push_str(text(value)?),
                "logprobs" => self.logprobs.note(value)?,
                "finish_reason" if is_null(value) => {}
                "finish_reason" => self.finish_reason = Some(value),
                // Whether a text or list goes on or stands for itself cannot be known.
                _ if value.starts_with(['"', '[']) => self.members.settle(key, value)?,
                _ => self.members.renew(key, value)?,
            }
        }
        Some(())
    }

    fn write(&self, index: u32, out: &mut Vec<u8>) -> Option<()> {
        if !is_whole(&self.text) {
            return None;
        }
        write_index(out, index);
        out.extend_from_slice(b",\"text\":\"");
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'"');
        self.logprobs.write(out);
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(self.finish_reason.unwrap_or("null").as_bytes());
        self.members.write_more(out, |_, _| true);
        out.push(b'}');
        Some(())
    }
}

pub(super) fn to_stream(plain: &str, usage: bool) -> Option<Vec<u8>> {
    let answer: Answer<'_> = serde_json::from_str(plain).ok()?;
    let mut chunks = Chunks::new(answer.rest, OBJECT, OBJECT, usage)?;
    for (choice, index, is_last) in in_order(answer.held?, |choice| choice.get("index"))? {
        tell(&choice, index, is_last, &mut chunks)?;
    }
    Some(chunks.done())
}

/// Tells one choice.
fn tell(choice: &Members<'_>, index: u32, is_last: bool, chunks: &mut Chunks<'_>) -> Option<()> {
    let told = text(choice.get("text")?).filter(|told| is_whole(told))?;
    let finish_reason = choice.get("finish_reason").filter(|reason| text(reason).is_some())?;
    let mut logprobs = Parts::of(choice.get("logprobs"))?;
    let mut head = Vec::with_capacity(32);
    write_index(&mut head, index);
    head.extend_from_slice(b",\"text\":\"");
    chunks.expect(told.len());
    for Step { text, entries } in steps(&logprobs, told) {
        chunks.chunk(|out| {
            out.extend_from_slice(&head);
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
            logprobs.write(None, entries, out);
            out.extend_from_slice(b",\"finish_reason\":null}");
        });
    }
    let end = |out: &mut Vec<u8>| {
        out.extend_from_slice(&head);
        out.push(b'"');
        logprobs.write_rest(out);
        out.extend_from_slice(b",\"finish_reason\":");
        out.extend_from_slice(finish_reason.as_bytes());
        choice.write_more(out, |name, _| !matches!(name, "index" | "text" | "logprobs" | "finish_reason"));
        out.push(b'}');
    };
    chunks.end_choice(is_last, end);
    Some(())
}

/// At the tokens, if the lists stand side by side: OpenAI's `tokens`, or llama-server's `content`.
fn steps<'t>(logprobs: &Parts<'_>, told: &'t str) -> Vec<Step<'t>> {
    let lead = ["tokens", "content"].into_iter().find(|lead| logprobs.are_parallel(lead));
    logprobs.steps(lead.unwrap_or(""), told)
}

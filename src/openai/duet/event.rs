//! Where things stand in an event of the Responses API.
//!
//! What a reader could get wrong: llama-server leaves `sequence_number`, `output_index` and `content_index` out; everything is optional here.

use std::ops::Range;

use super::chunk::string;
use crate::openai::view::Malformed;
use crate::openai::view::scanner::Scanner;

/// The data of an event.
#[derive(Debug, Default)]
pub(super) struct Event<'d> {
    /// Its `type`.
    pub kind: &'d [u8],
    /// The position of its opening brace.
    pub at: usize,
    pub sequence_number: Option<Range<usize>>,
    pub output_index: Option<Range<usize>>,
    pub content_index: Option<Range<usize>>,
    pub delta: Option<Range<usize>>,
    pub response: Inside,
}

/// The response that some events carry.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub output: Option<Output>,
    pub usage: Option<Range<usize>>,
}

#[derive(Debug)]
pub(super) struct Output {
    /// The position of its opening bracket.
    pub at: usize,
    pub is_empty: bool,
}

/// What an event means to a merged stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// The response has begun; it is told once.
    Begun,
    ItemAdded,
    /// Of an item.
    Item,
    /// Of a part of an item.
    Part,
    /// A piece of text.
    Text,
    /// A piece of a refusal.
    Refusal,
    Completed,
    Incomplete,
    Failed,
    Other,
}

impl<'d> Event<'d> {
    /// `None`: the data is no JSON object.
    pub(super) fn read(data: &'d [u8]) -> Option<Event<'d>> {
        let mut scanner = Scanner::new(data);
        scanner.peek();
        let mut event = Event { at: scanner.at(), ..Event::default() };
        let read = scanner.object(|s, key, _| {
            match &*key {
                b"type" => event.kind = string(s)?.map(|range| s.bytes(range)).map(super::inner).unwrap_or_default(),
                b"sequence_number" => event.sequence_number = Some(s.skip()?),
                b"output_index" => event.output_index = Some(s.skip()?),
                b"content_index" => event.content_index = Some(s.skip()?),
                b"delta" => event.delta = string(s)?,
                b"response" if s.peek() == Some(b'{') => event.response = Inside::read(s)?,
                _ => {
                    s.skip()?;
                }
            }
            Ok(())
        });
        read.ok().map(|()| event)
    }

    pub(super) fn means(&self) -> Means {
        match self.kind {
            b"response.created" | b"response.in_progress" | b"response.queued" => Means::Begun,
            b"response.output_item.added" => Means::ItemAdded,
            b"response.output_item.done" => Means::Item,
            b"response.output_text.delta" => Means::Text,
            b"response.refusal.delta" => Means::Refusal,
            b"response.completed" => Means::Completed,
            b"response.incomplete" => Means::Incomplete,
            b"response.failed" | b"error" => Means::Failed,
            kind => match kind.strip_prefix(b"response.") {
                Some(rest) => match rest.split(|byte| *byte == b'.').next() {
                    Some(b"content_part" | b"output_text" | b"refusal" | b"reasoning_text") => Means::Part,
                    _ => Means::Item,
                },
                None => Means::Other,
            },
        }
    }
}

impl Inside {
    fn read(s: &mut Scanner<'_>) -> Result<Inside, Malformed> {
        let mut inside = Inside::default();
        s.object(|s, key, _| {
            match &*key {
                b"output" if s.peek() == Some(b'[') => {
                    let mut output = Output { at: s.at(), is_empty: true };
                    s.array(|s| {
                        output.is_empty = false;
                        s.skip().map(drop)
                    })?;
                    inside.output = Some(output);
                }
                b"usage" => inside.usage = Some(s.skip()?),
                _ => {
                    s.skip()?;
                }
            }
            Ok(())
        })?;
        Ok(inside)
    }
}

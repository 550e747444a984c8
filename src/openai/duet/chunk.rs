//! Where things stand in a chunk of a chat stream.
//!
//! What a reader could get wrong: ranges of strings include the quotes. Only the first choice is looked into: a draft has no other.

use std::ops::Range;

use crate::openai::view::Malformed;
use crate::openai::view::scanner::Scanner;

/// The data of an event of a chat stream.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub id: Option<Range<usize>>,
    pub created: Option<Range<usize>>,
    pub model: Option<Range<usize>>,
    pub usage: Option<Range<usize>>,
    pub choice: Option<Choice>,
    /// It is an error instead.
    pub is_error: bool,
}

/// The first choice.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The position of its opening brace.
    pub at: usize,
    pub index: Option<Range<usize>>,
    /// The text that it says.
    pub content: Option<Range<usize>>,
    /// The reason, if it has ended.
    pub finish: Option<Range<usize>>,
    /// It calls a tool.
    pub calls: bool,
    pub is_empty: bool,
}

impl Chunk {
    /// `None`: the data is no JSON object.
    pub(super) fn read(data: &[u8]) -> Option<Chunk> {
        let mut chunk = Chunk::default();
        let (mut error, mut choices) = (false, false);
        let read = Scanner::new(data).object(|s, key, _| {
            match &*key {
                b"id" => chunk.id = Some(s.skip()?),
                b"created" => chunk.created = Some(s.skip()?),
                b"model" => chunk.model = Some(s.skip()?),
                b"usage" => chunk.usage = Some(s.skip()?),
                b"error" => error = s.skip().map(|range| s.bytes(range) != b"null")?,
                b"choices" if s.peek() == Some(b'[') => {
                    choices = true;
                    s.array(|s| match (&chunk.choice, s.peek()) {
                        (None, Some(b'{')) => {
                            chunk.choice = Some(Choice::read(s)?);
                            Ok(())
                        }
                        _ => s.skip().map(drop),
                    })?;
                }
                _ => {
                    s.skip()?;
                }
            }
            Ok(())
        });
        read.ok()?;
        chunk.is_error = error && !choices;
        Some(chunk)
    }
}

impl Choice {
    fn read(s: &mut Scanner<'_>) -> Result<Choice, Malformed> {
        let mut choice = Choice { at: s.at(), is_empty: true, ..Choice::default() };
        s.object(|s, key, _| {
            choice.is_empty = false;
            match &*key {
                b"index" => choice.index = Some(s.skip()?),
                b"finish_reason" => choice.finish = string(s)?,
                b"delta" if s.peek() == Some(b'{') => s.object(|s, key, _| {
                    match &*key {
                        b"content" => choice.content = string(s)?,
                        b"tool_calls" | b"function_call" => {
                            let value = s.skip()?;
                            choice.calls |= !matches!(s.bytes(value), b"null" | b"[]");
                        }
                        _ => {
                            s.skip()?;
                        }
                    }
                    Ok(())
                })?,
                _ => {
                    s.skip()?;
                }
            }
            Ok(())
        })?;
        Ok(choice)
    }
}

/// A string's range; `None`: it is something else, such as null.
pub(super) fn string(s: &mut Scanner<'_>) -> Result<Option<Range<usize>>, Malformed> {
    let is_string = s.peek() == Some(b'"');
    let range = s.skip()?;
    Ok(is_string.then_some(range))
}

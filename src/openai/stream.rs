//! What an event of a stream means to whoever relays it: nothing yet, an error, or a piece of an answer.
//!
//! What a reader could get wrong: whatever is not known is a piece of an answer, so that nobody waits for a word that has come. Text about
//! errors is none: its quotes are escaped, and so an event is looked into only where a bare `"error"` stands in it.

use memchr::memmem;

use super::sse::Frame;
use super::view::Malformed;
use super::view::scanner::Scanner;

/// What stands at the top of an event.
#[derive(Default)]
struct Top<'d> {
    kind: &'d [u8],
    error: &'d [u8],
    has_usage: bool,
    has_choices: bool,
    /// Of the choices.
    says: bool,
}

/// The event begins an answer and says nothing of it: a Responses stream's `created`, `in_progress` or `queued`, a chat chunk with a role alone
/// or without any choice. The next target could still answer instead.
pub fn says_nothing_yet(data: &[u8]) -> bool {
    let mut scanner = Scanner::new(data);
    let mut top = Top::default();
    let walked = scanner.object(|s, key, _| {
        match &*key {
            b"type" => {
                top.kind = skipped(s)?;
                // It comes first, and what follows can be long.
                if top.is_created() {
                    return s.wrong("it is known");
                }
            }
            b"choices" if s.peek() == Some(b'[') => {
                top.has_choices = true;
                s.array(|s| choice(s).map(|says| top.says |= says))?;
            }
            b"usage" => top.has_usage = skipped(s)? != b"null",
            b"error" => top.error = skipped(s)?,
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    });
    let is_silent_chunk = walked.is_ok() && top.has_choices && !top.says && is_nothing(top.error);
    top.is_created() || (is_silent_chunk && top.kind.is_empty() && !top.has_usage)
}

/// The event is an error in place of a piece of an answer.
pub fn is_error(frame: Frame<'_>) -> bool {
    if frame.bytes.starts_with(b"event: error\n") || frame.bytes.starts_with(b"event: error\r") {
        return true;
    }
    if !may_be_error(frame.data) {
        return false;
    }
    let mut top = Top::default();
    // What stands before a place that cannot be read has been read.
    let _walked = Scanner::new(frame.data).object(|s, key, _| {
        match &*key {
            b"type" => top.kind = skipped(s)?,
            b"error" => top.error = skipped(s)?,
            b"choices" => top.has_choices = skipped(s)? != b"null",
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    });
    // Beside choices (OpenRouter's way to end a stream) only what says something is one.
    let says = if top.has_choices { has_content(top.error) && top.error != b"false" } else { !is_nothing(top.error) };
    says || matches!(top.kind, b"\"error\"" | b"\"response.failed\"")
}

/// Whether it is worth looking into.
pub fn may_be_error(data: &[u8]) -> bool {
    memmem::find(data, b"\"error\"").is_some()
}

impl Top<'_> {
    fn is_created(&self) -> bool {
        matches!(self.kind, b"\"response.created\"" | b"\"response.in_progress\"" | b"\"response.queued\"")
    }
}

/// Whether a choice says anything: an end is something, too.
fn choice(s: &mut Scanner<'_>) -> Result<bool, Malformed> {
    if s.peek() != Some(b'{') {
        s.skip()?;
        return Ok(true);
    }
    let mut says = false;
    s.object(|s, key, _| {
        match &*key {
            b"delta" if s.peek() == Some(b'{') => s.object(|s, key, _| {
                let value = skipped(s)?;
                says |= &*key != b"role" && has_content(value);
                Ok(())
            })?,
            b"delta" | b"message" | b"text" | b"finish_reason" => says |= has_content(skipped(s)?),
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(says)
}

fn skipped<'d>(s: &mut Scanner<'d>) -> Result<&'d [u8], Malformed> {
    let value = s.skip()?;
    Ok(s.bytes(value))
}

/// The member is not there, or `null`.
fn is_nothing(value: &[u8]) -> bool {
    value.is_empty() || value == b"null"
}

/// Neither absent nor an empty value of its kind.
fn has_content(value: &[u8]) -> bool {
    let within = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    match value.first() {
        Some(b'"') => !within.is_empty(),
        Some(b'[' | b'{') => !within.trim_ascii().is_empty(),
        _ => !is_nothing(value),
    }
}

#[cfg(test)]
mod tests;

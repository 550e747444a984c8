//! Events with which an answer begins and which say nothing of it: the next target could still answer instead.
//!
//! What a reader could get wrong: only what is known to be empty is silent. An item of reasoning or a tool's call is a word, although it has no
//! text yet.

use super::super::view::Malformed;
use super::super::view::scanner::Scanner;
use super::top::{has_content, is_nothing, skipped};

#[derive(Default)]
struct Opening<'d> {
    kind: &'d [u8],
    error: &'d [u8],
    has_usage: bool,
    has_choices: bool,
    /// Of the choices.
    says: bool,
    /// Of a Responses event: what is added has no content.
    is_empty: bool,
}

/// A Responses stream's `created`, `in_progress` or `queued`, an item or part of it that is empty, a chat chunk with a role alone or without any
/// choice.
pub fn says_nothing_yet(data: &[u8]) -> bool {
    let mut scanner = Scanner::new(data);
    let mut top = Opening::default();
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
            b"item" if s.peek() == Some(b'{') => top.is_empty = is_empty_item(s)?,
            b"part" if s.peek() == Some(b'{') => top.is_empty = is_empty_part(s)?,
            b"usage" => top.has_usage = skipped(s)? != b"null",
            b"error" => top.error = skipped(s)?,
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    });
    if top.is_created() {
        return true;
    }
    if walked.is_err() || !is_nothing(top.error) {
        return false;
    }
    match top.kind {
        b"\"response.output_item.added\"" | b"\"response.content_part.added\"" => top.is_empty,
        kind => kind.is_empty() && top.has_choices && !top.says && !top.has_usage,
    }
}

impl Opening<'_> {
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

/// A message without content. Its content, if it has any, may still be an empty part.
fn is_empty_item(s: &mut Scanner<'_>) -> Result<bool, Malformed> {
    let (mut is_message, mut is_empty) = (false, true);
    s.object(|s, key, _| {
        match &*key {
            b"type" => is_message = skipped(s)? == b"\"message\"",
            b"content" if s.peek() == Some(b'[') => s.array(|s| match s.peek() {
                Some(b'{') => is_empty_part(s).map(|part| is_empty &= part),
                _ => skipped(s).map(|_| is_empty = false),
            })?,
            b"content" => is_empty &= !has_content(skipped(s)?),
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(is_message && is_empty)
}

/// A part whose text or refusal is there, and empty.
fn is_empty_part(s: &mut Scanner<'_>) -> Result<bool, Malformed> {
    let (mut is_there, mut says) = (false, false);
    s.object(|s, key, _| {
        match &*key {
            b"text" | b"refusal" => {
                is_there = true;
                says |= has_content(skipped(s)?);
            }
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(is_there && !says)
}

//! What stands at the top of an event or of a whole answer.
//!
//! What a reader could get wrong: values are kept as they are written, quotes included, and what stands before a place that cannot be read has
//! been read.

use super::super::view::Malformed;
use super::super::view::scanner::Scanner;

#[derive(Default)]
pub(super) struct Top<'d> {
    pub(super) kind: &'d [u8],
    pub(super) error: &'d [u8],
    pub(super) object: &'d [u8],
    pub(super) has_usage: bool,
    pub(super) has_choices: bool,
    pub(super) has_output: bool,
    pub(super) has_data: bool,
    /// A choice is an error.
    pub(super) has_failed: bool,
    /// A choice is at its end.
    pub(super) has_finished: bool,
    /// It has a member that errors have.
    pub(super) is_complaint: bool,
}

impl<'d> Top<'d> {
    /// What there is of it, and whether it was an object to its end.
    pub(super) fn read(data: &'d [u8]) -> (Top<'d>, bool) {
        let mut scanner = Scanner::new(data);
        let mut top = Top::default();
        let walked = scanner.object(|s, key, _| top.member(s, &key));
        let is_read = walked.is_ok() && scanner.peek().is_none();
        (top, is_read)
    }

    fn member(&mut self, s: &mut Scanner<'d>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"choices" if s.peek() == Some(b'[') => {
                self.has_choices = true;
                return s.array(|s| self.choice(s));
            }
            b"type" => self.kind = skipped(s)?,
            b"object" => self.object = skipped(s)?,
            b"error" => {
                self.error = skipped(s)?;
                self.is_complaint |= !is_nothing(self.error);
            }
            b"usage" => self.has_usage = skipped(s)? != b"null",
            b"output" => self.has_output = skipped(s)? != b"null",
            b"data" => self.has_data = skipped(s)? != b"null",
            b"errors" | b"detail" | b"details" => self.is_complaint |= has_content(skipped(s)?),
            b"message" | b"msg" => {
                let value = skipped(s)?;
                self.is_complaint |= value.first() == Some(&b'"') && has_content(value);
            }
            _ => {
                s.skip()?;
            }
        }
        Ok(())
    }

    fn choice(&mut self, s: &mut Scanner<'d>) -> Result<(), Malformed> {
        if s.peek() != Some(b'{') {
            return s.skip().map(drop);
        }
        s.object(|s, key, _| {
            let value = skipped(s)?;
            match &*key {
                b"error" => self.has_failed |= has_content(value) && value != b"false",
                b"finish_reason" => self.has_finished |= has_content(value),
                _ => {}
            }
            Ok(())
        })
    }

    /// By what is known of errors in any dialect.
    pub(super) fn is_error(&self) -> bool {
        // Beside choices or an output (OpenRouter's way to end a stream) only what says something is one.
        let says = match self.has_choices || self.has_output {
            true => has_content(self.error) && self.error != b"false",
            false => !is_nothing(self.error),
        };
        let is_named = matches!(self.kind, b"\"error\"" | b"\"response.failed\"") || self.object == b"\"error\"";
        says || is_named || self.has_failed
    }
}

pub(super) fn skipped<'d>(s: &mut Scanner<'d>) -> Result<&'d [u8], Malformed> {
    let value = s.skip()?;
    Ok(s.bytes(value))
}

/// The member is not there, or `null`.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    value.is_empty() || value == b"null"
}

/// Neither absent nor an empty value of its kind.
pub(super) fn has_content(value: &[u8]) -> bool {
    let within = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    match value.first() {
        Some(b'"') => !within.is_empty(),
        Some(b'[' | b'{') => !within.trim_ascii().is_empty(),
        _ => !is_nothing(value),
    }
}

//! A request's body in one spelling: two bodies that ask for the same give the same bytes, whatever their white space, the order of their keys
//! and the way their strings and numbers are written. The bytes are hashed and thrown away; nothing is sent in this form.
//!
//! What a reader could get wrong: fields that cannot change the answer are left out (`NEUTRAL`), and so is `model`: the route that it names
//! is part of the cache's scope. A field that the gateway does not know is kept: it may change the answer.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::Endpoint;
use super::view::scanner::Scanner;
use super::view::{Malformed, decode_string};

/// Fields of the body that change who is told, billed or how the answer comes, not what it says.
const NEUTRAL: [&[u8]; 10] = [
    b"model",
    b"stream",
    b"stream_options",
    b"user",
    b"metadata",
    b"store",
    b"tidegate",
    b"safety_identifier",
    b"prompt_cache_key",
    b"prompt_cache_retention",
];

/// A request, as far as its answer depends on it.
#[derive(Debug, Default)]
pub struct Canon {
    /// The body in one spelling.
    pub bytes: Vec<u8>,
    /// `temperature`, if it is given.
    pub temperature: Option<f64>,
    /// Asking again may do something again, or see something new: hosted tools, stored conversations, background work, sound.
    pub is_live: bool,
}

/// Writes a body down in one spelling. `blank`: a string's range (quotes included) that is left open, for what surrounds a question.
///
/// # Errors
/// No JSON object; never for a body that [`super::view::scan`] has taken.
pub fn canon(endpoint: Endpoint, body: &[u8], blank: Option<Range<usize>>) -> Result<Canon, Malformed> {
    let canon = Canon { bytes: Vec::with_capacity(body.len() + 16), ..Canon::default() };
    let mut writer = Writer { canon, endpoint, nulls: SmallVec::new(), blank };
    let mut scanner = Scanner::new(body);
    writer.object(&mut scanner, Place::Body)?;
    Ok(writer.canon)
}

/// Where a value stands, as far as it matters.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Body,
    /// The list of tools, and one of them.
    Tools,
    Tool,
    Elsewhere,
}

/// A key, and where the member was written.
type Member<'b> = (Cow<'b, [u8]>, Range<usize>);

struct Writer {
    canon: Canon,
    endpoint: Endpoint,
    /// Keys at the top that were null, and left out.
    nulls: SmallVec<[Vec<u8>; 2]>,
    blank: Option<Range<usize>>,
}

type Result<T, E = Malformed> = std::result::Result<T, E>;

impl Writer {
    fn value(&mut self, s: &mut Scanner<'_>, place: Place) -> Result<()> {
        match s.peek() {
            Some(b'{') => self.object(s, place),
            Some(b'[') => {
                self.canon.bytes.push(b'[');
                let inside = if place == Place::Tools { Place::Tool } else { Place::Elsewhere };
                s.array(|s| {
                    self.value(s, inside)?;
                    self.canon.bytes.push(b',');
                    Ok(())
                })?;
                self.canon.bytes.push(b']');
                Ok(())
            }
            Some(b'"') => {
                let range = s.string()?;
                self.string(s.bytes(range.clone()), &range);
                Ok(())
            }
            _ => {
                let range = s.skip()?;
                number(s.bytes(range), &mut self.canon.bytes);
                Ok(())
            }
        }
    }

    fn object(&mut self, s: &mut Scanner<'_>, place: Place) -> Result<()> {
        self.canon.bytes.push(b'{');
        let start = self.canon.bytes.len();
        let mut members: SmallVec<[Member<'_>; 12]> = SmallVec::new();
        s.object(|s, key, key_at| {
            // A lone surrogate in a key: it stands there as it is written, like a text with a backslash would.
            let is_odd = key.contains(&b'\\') && s.bytes(key_at + 1..key_at + 1 + key.len()) == &*key;
            self.canon.is_live |= is_odd;
            let from = self.canon.bytes.len();
            self.member(s, &key, place)?;
            if self.canon.bytes.len() > from {
                members.push((key, from..self.canon.bytes.len()));
            }
            Ok(())
        })?;
        // Keys that come twice stay in their order: which one counts differs between parsers. At the top nobody can say what was asked.
        if !members.is_sorted_by(|a, b| a.0 <= b.0) {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let written = self.canon.bytes.get(start..).unwrap_or_default().to_vec();
            self.canon.bytes.truncate(start);
            for (_, range) in &members {
                let text = written.get(range.start - start..range.end - start).unwrap_or_default();
                self.canon.bytes.extend_from_slice(text);
            }
        }
        let is_twice = |pair: &[Member<'_>]| matches!(pair, [a, b] if a.0 == b.0);
        let is_also_null = |member: &Member<'_>| self.nulls.iter().any(|null| *null == *member.0);
        let is_unclear = members.windows(2).any(is_twice) || members.iter().any(is_also_null);
        self.canon.is_live |= place == Place::Body && is_unclear;
        self.canon.bytes.push(b'}');
        Ok(())
    }

    /// One member with its comma; nothing where it does not count.
    fn member(&mut self, s: &mut Scanner<'_>, key: &[u8], place: Place) -> Result<()> {
        let is_top = place == Place::Body;
        // The Responses API stores by default, and who has it stored goes on from there.
        let is_neutral = NEUTRAL.contains(&key) && !(key == b"store" && self.endpoint == Endpoint::Responses);
        if is_top && is_neutral {
            return s.skip().map(drop);
        }
        let from = self.canon.bytes.len();
        quoted(key, &mut self.canon.bytes);
        self.canon.bytes.push(b':');
        let value_at = self.canon.bytes.len();
        let inside = if is_top && key == b"tools" { Place::Tools } else { Place::Elsewhere };
        self.value(s, inside)?;
        let value = self.canon.bytes.get(value_at..).unwrap_or_default();
        // `"temperature": null` asks for the same as no temperature.
        if is_top && value == b"null" {
            self.canon.bytes.truncate(from);
            self.nulls.push(key.to_vec());
            return Ok(());
        }
        match place {
            Place::Body => {
                if key == b"temperature" {
                    self.canon.temperature = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                }
                self.canon.is_live |= is_live(key, value);
            }
            Place::Tool => self.canon.is_live |= key == b"type" && !matches!(value, b"\"function\"" | b"\"custom\""),
            _ => {}
        }
        self.canon.bytes.push(b',');
        Ok(())
    }

    fn string(&mut self, text: &[u8], range: &Range<usize>) {
        let out = &mut self.canon.bytes;
        if self.blank.as_ref() == Some(range) {
            // No JSON string is written like that.
            out.extend_from_slice(b"\"\0\"");
        } else if memchr::memchr(b'\\', text).is_none() {
            out.extend_from_slice(text);
        } else {
            match decode_string(text) {
                Some(decoded) => quoted(decoded.as_bytes(), out),
                // A lone surrogate has one spelling only.
                None => out.extend_from_slice(text),
            }
        }
    }
}

/// Members whose presence makes an answer of the moment.
fn is_live(key: &[u8], value: &[u8]) -> bool {
    match key {
        b"background" => value == b"true",
        b"conversation" | b"web_search_options" | b"audio" => true,
        b"modalities" => memchr::memmem::find(value, b"\"audio\"").is_some(),
        _ => false,
    }
}

/// A text between quotes, with as few escapes as there must be.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let hex = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.extend([hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// A number as short as it goes (`1.0` is `1`); a word as it is. Digits that a double could not hold stay.
fn number(text: &[u8], out: &mut Vec<u8>) {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(text).ok().filter(|_| !plain).and_then(|text| text.parse::<f64>().ok());
    match value.filter(|value| value.is_finite()) {
        // The same digits that an integer has.
        Some(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => {
            out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        }
        // Beyond that a double may stand for several.
        Some(value) if value.abs() < 9.0e15 && text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            out.extend_from_slice(format!("{value:?}").as_bytes());
        }
        _ => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests;

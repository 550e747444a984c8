//! Strings outside of the prompt: told, so that whoever looks for personal data sees all that the upstream would see.
//!
//! What a reader could get wrong: words of the protocol and identifiers are left out by their keys; changing one of those would break the request.

use super::fields::Fields;
use super::scanner::Scanner;
use super::{Malformed, Source};
use crate::openai::Modalities;
use crate::openai::files::PREFIX;

/// What is no text of anybody's: words of the protocol, opaque data. Keys that end in `_id` besides.
const PROTOCOL: [&[u8]; 24] = [
    b"id",
    b"type",
    b"role",
    b"object",
    b"status",
    b"detail",
    b"format",
    b"voice",
    b"model",
    b"effort",
    b"mode",
    b"verbosity",
    b"truncation",
    b"service_tier",
    b"tool_choice",
    b"reasoning_effort",
    b"encoding_format",
    b"prompt_cache_retention",
    b"modalities",
    b"include",
    b"encrypted_content",
    b"signature",
    b"data",
    b"b64_json",
];

/// Bytes that a token id counts as, where a prompt comes as ids.
const BYTES_PER_TOKEN_ID: usize = 4;

/// Strings up to this length (quotes included) hold nothing that is looked for outside of a prompt.
const SHORT: usize = 6;

/// Letters behind the prefix of a file of ours.
const OWN_FILE: usize = 32;

/// Whether a string is the id of a file of ours, and nothing else.
fn is_own_file(quoted: &[u8]) -> bool {
    let id = quoted.get(1..quoted.len().saturating_sub(1)).and_then(|inner| inner.strip_prefix(PREFIX.as_bytes()));
    id.is_some_and(|id| id.len() == OWN_FILE && id.iter().all(u8::is_ascii_hexdigit))
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// Beside fields of the protocol.
    Protocol,
    /// Where somebody's own keys are (`metadata`, variables, arguments), or a text in an unusual shape: every string counts.
    Text,
}

impl Within {
    /// Below this key of the body.
    pub(super) fn of(key: &[u8]) -> Within {
        if matches!(key, b"metadata" | b"arguments" | b"variables") { Within::Text } else { Within::Protocol }
    }
}

impl Fields {
    /// Skips a value, and notes the strings in it.
    pub(super) fn other(&mut self, s: &mut Scanner<'_>, key: &[u8], within: Within) -> Result<(), Malformed> {
        match s.peek() {
            // They name tools, which are left as they are.
            _ if within == Within::Protocol && matches!(key, b"tool_choice" | b"function_call") => s.skip().map(drop),
            Some(b'"') => {
                let range = s.string()?;
                self.view.own_file |= within == Within::Protocol && is_own_file(s.bytes(range.clone()));
                let is_protocol = within == Within::Protocol && (PROTOCOL.contains(&key) || key.ends_with(b"_id"));
                if range.len() > SHORT && !is_protocol {
                    self.view.others.push(range);
                }
                Ok(())
            }
            Some(b'{') => s.object(|s, key, _| {
                let within = if within == Within::Text { within } else { Within::of(&key) };
                self.other(s, &key, within)
            }),
            Some(b'[') => s.array(|s| self.other(s, key, within)),
            _ => s.skip().map(drop),
        }
    }

    /// What the answer is to look like; schemas have descriptions.
    pub(super) fn answer_format(&mut self, s: &mut Scanner<'_>, key: &[u8]) -> Result<(), Malformed> {
        let start = s.at();
        self.other(s, key, Within::Protocol)?;
        let whole = s.bytes(start..s.at());
        self.view.json_answer |=
            [&b"json_schema\""[..], b"json_object\""].iter().any(|kind| memchr::memmem::find(whole, kind).is_some());
        Ok(())
    }

    /// A file as a data URL, or where it is.
    pub(super) fn file(&mut self, s: &mut Scanner<'_>) -> Result<(), Malformed> {
        if s.peek() != Some(b'"') {
            return self.other(s, b"", Within::Text);
        }
        let range = s.string()?;
        self.view.own_file |= is_own_file(s.bytes(range.clone()));
        let is_data = |url: &[u8]| url.get(1..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"));
        let list = if is_data(s.bytes(range.clone())) { &mut self.view.attached } else { &mut self.view.others };
        list.push(range);
        Ok(())
    }

    /// One of a prompt's token ids; anything else in its place is a text in an unusual shape.
    pub(super) fn token_id(&mut self, s: &mut Scanner<'_>) -> Result<(), Malformed> {
        if matches!(s.peek(), Some(b'0'..=b'9' | b'-')) {
            self.view.opaque = true;
            self.view.text_bytes += BYTES_PER_TOKEN_ID;
            return s.skip().map(drop);
        }
        self.other(s, b"", Within::Text)
    }

    /// Something that is no text; of a file, the name is.
    pub(super) fn attached(&mut self, s: &mut Scanner<'_>, kind: Modalities, index: u32) -> Result<(), Malformed> {
        self.view.modalities = self.view.modalities.with(kind);
        self.view.files = self.view.files.saturating_add(u32::from(kind == Modalities::FILE));
        self.view.images = self.view.images.saturating_add(u32::from(kind == Modalities::IMAGE));
        if s.peek() != Some(b'{') {
            return self.file(s);
        }
        s.object(|s, key, _| match &*key {
            b"filename" => self.text(s, Source::Name, index),
            b"file_data" | b"url" => self.file(s),
            key => self.other(s, key, Within::Protocol),
        })
    }
}

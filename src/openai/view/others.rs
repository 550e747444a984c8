//! Strings outside of the prompt: told, so that whoever looks for personal data sees all that the upstream would see.
//!
//! What a reader could get wrong: words of the protocol and identifiers are left out by their keys; changing one of those would break the request.

use super::Malformed;
use super::fields::Fields;
use super::scanner::Scanner;

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

/// Strings up to this length (quotes included) hold nothing that is looked for outside of a prompt.
const SHORT: usize = 6;

impl Fields {
    /// Skips a value, and notes the strings in it.
    pub(super) fn other(&mut self, s: &mut Scanner<'_>, key: &[u8]) -> Result<(), Malformed> {
        if PROTOCOL.contains(&key) || key.ends_with(b"_id") {
            return s.skip().map(drop);
        }
        match s.peek() {
            Some(b'"') => {
                let range = s.string()?;
                if range.len() > SHORT {
                    self.view.others.push(range);
                }
                Ok(())
            }
            Some(b'{') => s.object(|s, key, _| self.other(s, &key)),
            Some(b'[') => s.array(|s| self.other(s, b"")),
            _ => s.skip().map(drop),
        }
    }

    /// A file as a data URL, or where it is.
    pub(super) fn file(&mut self, s: &mut Scanner<'_>) -> Result<(), Malformed> {
        let range = s.skip()?;
        let list = if s.bytes(range.clone()).starts_with(b"\"data:") {
            &mut self.view.attached
        } else {
            &mut self.view.others
        };
        list.push(range);
        Ok(())
    }
}

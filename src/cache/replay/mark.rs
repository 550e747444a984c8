//! Marks the prompt of an answer as cached in its usage.
//!
//! What a reader could get wrong: nothing else changes, by a single byte; what does not look as it should is left alone.

use std::ops::Range;

use super::members::{Members, is_null};
use crate::openai::Endpoint;

pub(super) fn mark_cached(endpoint: Endpoint, plain: &[u8]) -> Vec<u8> {
    let Some((at, with)) = edit(endpoint, plain) else { return plain.to_vec() };
    let (before, after) = (plain.get(..at.start).unwrap_or_default(), plain.get(at.end..).unwrap_or_default());
    [before, with.as_bytes(), after].concat()
}

/// What is put where.
fn edit(endpoint: Endpoint, plain: &[u8]) -> Option<(Range<usize>, String)> {
    let (prompt, details) = match endpoint {
        Endpoint::Chat | Endpoint::Completions => ("prompt_tokens", "prompt_tokens_details"),
        Endpoint::Responses => ("input_tokens", "input_tokens_details"),
        Endpoint::Embeddings => return None,
    };
    let plain = simdutf8::basic::from_utf8(plain).ok()?;
    let usage = Members::parse(plain)?.told("usage")?;
    let members = Members::parse(usage)?;
    let tokens = members.get(prompt).filter(|tokens| tokens.bytes().all(|byte| byte.is_ascii_digit()))?;
    let within = |value: &str| {
        // A part of the body that was borrowed from it.
        let start = (value.as_ptr() as usize).checked_sub(plain.as_ptr() as usize)?;
        Some(start..start + value.len())
    };
    let behind_brace = |object: &str| within(object).map(|range| range.start + 1..range.start + 1);
    match members.get(details) {
        None => Some((behind_brace(usage)?, format!("\"{details}\":{{\"cached_tokens\":{tokens}}},"))),
        Some(null) if is_null(null) => Some((within(null)?, format!("{{\"cached_tokens\":{tokens}}}"))),
        Some(object) => {
            let told = Members::parse(object)?;
            match told.get("cached_tokens") {
                Some(value) => Some((within(value)?, tokens.to_owned())),
                None => {
                    let comma = if told.0.is_empty() { "" } else { "," };
                    Some((behind_brace(object)?, format!("\"cached_tokens\":{tokens}{comma}")))
                }
            }
        }
    }
}

//! Files that a request carries in itself: data URLs (RFC 2397) of text types, and the text in them.
//!
//! What a reader could get wrong: a file that holds something to hide is encoded anew as a whole; one that does not stays byte for byte.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::catalog::{Catalog, Wording};
use super::entity::Entity;

/// A file with finds in it. It has no `Debug` of its own text.
pub struct Embedded {
    /// The JSON string in the body, quotes included.
    pub range: Range<usize>,
    /// `data:text/plain;base64,`
    head: String,
    text: String,
    /// Its bytes are Latin-1, not UTF-8.
    is_latin: bool,
    /// Where, what, and the value's place.
    spans: Vec<(Range<usize>, Entity, bool, usize)>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedded({} finds)", self.spans.len())
    }
}

/// Types whose text can be read.
const TEXTS: [&str; 11] = [
    "application/x-ndjson",
    "application/jsonl",
    "image/svg+xml",
    "application/javascript",
    "text/",
    "application/json",
    "application/xml",
    "application/x-yaml",
    "application/yaml",
    "application/csv",
    "message/",
];

/// Padding or none: encoders differ.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `;base64,` at the end of a URL's head, in any case.
fn is_base64(head: &str) -> bool {
    let head: String = head.chars().filter(|sign| !sign.is_whitespace()).collect();
    head.to_ascii_lowercase().ends_with(";base64,")
}

/// Whether a data URL holds text; of other things nothing is known.
pub fn is_text(url: &[u8]) -> bool {
    let head = url.get(..64).unwrap_or(url);
    let (Some(scheme), Some(kind)) = (head.get(..5), head.get(5..)) else { return false };
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return false;
    }
    TEXTS.iter().any(|text| kind.get(..text.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(text.as_bytes())))
        // RFC 2397: without a type it is plain text.
        || matches!(kind.first(), Some(b',' | b';'))
}

impl Embedded {
    /// Looks into the string at `range`. `None`: no text that can be read.
    pub fn find(
        catalog: &Catalog,
        range: &Range<usize>,
        body: &[u8],
        mut value: impl FnMut(Entity, bool, &str) -> usize,
    ) -> Option<Embedded> {
        let quoted = body.get(range.clone())?;
        if !is_text(quoted.get(1..)?) {
            return None;
        }
        let url = crate::openai::view::decode_string(quoted)?;
        let comma = url.find(',')? + 1;
        let (head, data) = url.split_at_checked(comma)?;
        let bytes = if is_base64(head) {
            let data: String = data.chars().filter(|sign| !sign.is_whitespace()).collect();
            LENIENT.decode(data.replace('-', "+").replace('_', "/")).ok()?
        } else {
            percent_encoding::percent_decode_str(data).collect()
        };
        // Tables from older programs are Latin-1, each byte a character.
        let (text, is_latin) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(bad) => (bad.into_bytes().into_iter().map(char::from).collect(), true),
        };
        if text.contains('\0') {
            // UTF-16, or no text at all.
            return None;
        }
        let mut found = Vec::new();
        catalog.find(&text, Wording::Prose, &mut found);
        let spans: Vec<_> = found
            .iter()
            .filter_map(|span| {
                let place = value(span.entity, span.public, text.get(span.start..span.end)?);
                Some((span.start..span.end, span.entity, span.public, place))
            })
            .collect();
        Some(Embedded { range: range.clone(), head: head.to_owned(), text, is_latin, spans })
    }

    /// Nothing was found in it.
    pub fn is_clean(&self) -> bool {
        self.spans.is_empty()
    }

    /// Finds again what was found elsewhere. `known`: the type and the value's place for a pattern of the automaton and the words found; `None`: it is
    /// something else.
    pub fn repeat(&mut self, automaton: &AhoCorasick, mut known: impl FnMut(usize, &str) -> Option<(Entity, usize)>) {
        let hidden: Vec<Range<usize>> = self.spans.iter().map(|(range, ..)| range.clone()).collect();
        for again in automaton.find_iter(&self.text) {
            let next = hidden.partition_point(|range| range.end <= again.start());
            let is_hidden = hidden.get(next).is_some_and(|range| range.start < again.end());
            let found = self.text.get(again.range()).filter(|_| !is_hidden);
            if let Some((entity, value)) = found.and_then(|found| known(again.pattern().as_usize(), found)) {
                self.spans.push((again.range(), entity, false, value));
            }
        }
        self.spans.sort_by_key(|(range, ..)| range.start);
    }

    /// The text, for numbers that it uses already.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The JSON string with other words for its finds. `with`: what stands for one; `None`: it stays. `None`: all stay.
    pub fn replaced(&self, mut with: impl FnMut(Entity, bool, usize) -> Option<String>) -> Option<Vec<u8>> {
        let mut text = String::with_capacity(self.text.len());
        let mut done = 0;
        for (range, entity, public, value) in &self.spans {
            if let Some(with) = with(*entity, *public, *value) {
                text.push_str(self.text.get(done..range.start).unwrap_or_default());
                text.push_str(&with);
                done = range.end;
            }
        }
        if done == 0 {
            return None;
        }
        text.push_str(self.text.get(done..).unwrap_or_default());
        let bytes: Vec<u8> = match self.is_latin {
            true => text.chars().map(|sign| u8::try_from(u32::from(sign)).unwrap_or(b'?')).collect(),
            false => text.into_bytes(),
        };
        let data = match is_base64(&self.head) {
            true => STANDARD.encode(bytes),
            false => percent_encoding::percent_encode(&bytes, percent_encoding::NON_ALPHANUMERIC).to_string(),
        };
        // A string always serialises.
        serde_json::to_vec(&format!("{}{data}", self.head)).ok()
    }
}

//! Files that a request carries in itself: data URLs (RFC 2397) of text types, and the text in them.
//!
//! What a reader could get wrong: a file that holds something to hide is encoded anew as a whole; one that does not stays byte for byte.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::catalog::{Catalog, Wording};
use super::entity::Entity;

/// A file with finds in it. It has no `Debug` of its own text.
pub struct Embedded {
    /// The JSON string in the body, quotes included.
    pub range: Range<usize>,
    /// `data:text/plain;base64,`
    head: String,
    text: String,
    /// Where, what, and the value's place.
    spans: Vec<(Range<usize>, Entity, bool, usize)>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedded({} finds)", self.spans.len())
    }
}

/// Types whose text can be read.
const TEXTS: [&str; 7] = [
    "text/",
    "application/json",
    "application/xml",
    "application/x-yaml",
    "application/yaml",
    "application/csv",
    "message/",
];

/// Whether a data URL holds text; of other things nothing is known.
pub fn is_text(url: &[u8]) -> bool {
    let head = url.get(..64).unwrap_or(url);
    let Some(kind) = head.strip_prefix(b"data:") else { return false };
    TEXTS.iter().any(|text| kind.get(..text.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(text.as_bytes())))
        // RFC 2397: without a type it is plain text.
        || matches!(kind.first(), Some(b',' | b';'))
}

impl Embedded {
    /// Looks into the string at `range`. `None`: no text, or nothing in it.
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
        let text = if head.ends_with(";base64,") {
            String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok()?
        } else {
            percent_encoding::percent_decode_str(data).decode_utf8().ok()?.into_owned()
        };
        let mut found = Vec::new();
        catalog.find(&text, Wording::Prose, &mut found);
        let spans: Vec<_> = found
            .iter()
            .filter_map(|span| {
                let place = value(span.entity, span.public, text.get(span.start..span.end)?);
                Some((span.start..span.end, span.entity, span.public, place))
            })
            .collect();
        (!spans.is_empty()).then(|| Embedded { range: range.clone(), head: head.to_owned(), text, spans })
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
        let data = match self.head.ends_with(";base64,") {
            true => STANDARD.encode(text),
            false => percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string(),
        };
        // A string always serialises.
        serde_json::to_vec(&format!("{}{data}", self.head)).ok()
    }
}

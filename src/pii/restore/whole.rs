//! An answer in one piece: each of its texts restored, every other byte as it was.

use bytes::Bytes;

use super::text::{Held, Kind, Restorer};
use crate::openai::splice::{self, Edit};
use crate::openai::texts;
use crate::openai::view::decode_string;

/// The answer with its values. What is no JSON is treated as one text.
pub fn restore(restorer: &Restorer, body: &Bytes) -> Bytes {
    let Some(found) = texts::find(body, false) else {
        let Ok(text) = std::str::from_utf8(body) else { return body.clone() };
        let restored = restorer.push(&mut Held::default(), text, Kind::Plain, true);
        return restored.map_or_else(|| body.clone(), Bytes::from);
    };
    let mut edits = Vec::new();
    for text in &found.texts {
        let kind = restorer.kind(text.is_arguments);
        let Some(piece) = body.get(text.range.clone()).and_then(decode_string) else { continue };
        if let Some(restored) = restorer.push(&mut Held::default(), &piece, kind, true) {
            // A string always serialises.
            let with = serde_json::to_vec(&restored).unwrap_or_default().into();
            edits.push(Edit { range: text.range.clone(), with });
        }
    }
    if edits.is_empty() {
        return body.clone();
    }
    Bytes::from(splice::apply(body, &mut edits).concat())
}

//! From what was found to what is sent: edits of the body, and the mapping that puts the values back.
//!
//! What a reader could get wrong: this is asked for once a request, when the first target that wants it is about to get the body; a request that stays at
//! the edge never comes here.

use bytes::Bytes;

use super::catalog::Catalog;
use super::entity::Entity;
use super::find::{self, Findings};
use super::label;
use super::mapping::{Labels, Mapping};
use super::profile::Profile;
use super::span::Span;
use crate::config::file::PiiMode;
use crate::openai::splice::Edit;
use crate::openai::view::View;

/// What stands for a masked value. Of one length: the value's own would tell something.
const MASK: &str = "********";
/// Hexadecimal digits of a hashed value.
const HASH: usize = 12;

/// Keys for labels and hashes, kept across restarts.
#[derive(Debug, Clone)]
pub struct Keys {
    labels: blake3::Hasher,
    hashes: blake3::Hasher,
}

impl Keys {
    /// From 32 random bytes that stay the same.
    pub fn new(secret: &[u8; 32]) -> Keys {
        let derived = |context: &str| blake3::Hasher::new_keyed(&blake3::derive_key(context, secret));
        Keys { labels: derived("tidegate 2026 pii labels v1"), hashes: derived("tidegate 2026 pii hashes v1") }
    }
}

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub tenant: &'a str,
    /// The conversation's key.
    pub conversation: u64,
}

/// The edits that hide what the profile wants hidden, and what puts it back.
pub fn hide(
    catalog: &Catalog,
    profile: &Profile,
    keys: &Keys,
    scope: Scope<'_>,
    found: &Findings,
    (view, body): (&View, &[u8]),
) -> (Vec<Edit>, Mapping) {
    let mut names: Vec<String> = Vec::new();
    for (entity, public) in found.entities() {
        let name = catalog.name(entity);
        if profile.mode(entity, public) == PiiMode::Redact && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let mut labels = Labels::new(&keys.labels, scope.conversation, names);
    find::texts(view, body).for_each(|text| labels.avoid(&text.text));
    found.embedded.iter().for_each(|file| labels.avoid(file.text()));
    let mut edits = Vec::with_capacity(found.hits.len());
    let mut stands_for = |entity: Entity, public: bool, value: usize, bare: bool| {
        let (name, value) = (catalog.name(entity), found.value(value));
        match profile.mode(entity, public) {
            PiiMode::Redact => Some(label::write(name, labels.number(name, value), bare)),
            PiiMode::Mask => Some(MASK.to_owned()),
            PiiMode::Hash => Some(hashed(&keys.hashes, scope.tenant, name, value, bare)),
            // What is blocked or stays at home does not come here but where it may go on.
            PiiMode::Block | PiiMode::StayHome | PiiMode::Allow => None,
        }
    };
    for hit in &found.hits {
        if let Some(text) = stands_for(hit.entity, hit.public, hit.value, hit.bare) {
            let text = if hit.quoted { format!("\\\"{text}\\\"") } else { text };
            edits.push(Edit { range: hit.range.clone(), with: Bytes::from(text) });
        }
    }
    join_overlapping(&mut edits);
    for file in &found.embedded {
        if let Some(with) = file.replaced(|entity, public, value| stands_for(entity, public, value, false)) {
            edits.push(Edit { range: file.range.clone(), with: with.into() });
        }
    }
    (edits, labels.finish())
}

/// Whoever splices leaves out the later of two edits that overlap, and what it hides would stay. Finds do not overlap; should they ever, one edit
/// takes both away.
fn join_overlapping(edits: &mut Vec<Edit>) {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    edits.dedup_by(|later, kept| {
        let overlaps = later.range.start < kept.range.end;
        if overlaps {
            kept.range.end = kept.range.end.max(later.range.end);
        }
        overlaps
    });
}

/// A text with what was found hidden, for bulk work: what would be blocked or stay at home is hidden by a label too. `spans` in order.
pub fn text(catalog: &Catalog, profile: &Profile, keys: &Keys, text: &str, spans: &[Span]) -> String {
    let mode = |span: &Span| match profile.mode(span.entity, span.public) {
        PiiMode::Block | PiiMode::StayHome => PiiMode::Redact,
        mode => mode,
    };
    let mut names: Vec<String> = spans.iter().map(|span| catalog.name(span.entity).to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    let mut labels = Labels::new(&keys.labels, 0, names);
    labels.avoid(text);
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for span in spans {
        let name = catalog.name(span.entity);
        let value = text.get(span.start..span.end).unwrap_or_default();
        let with = match mode(span) {
            PiiMode::Redact => label::write(name, labels.number(name, value), false),
            PiiMode::Mask => MASK.to_owned(),
            PiiMode::Hash => hashed(&keys.hashes, "", name, value, false),
            PiiMode::Block | PiiMode::StayHome | PiiMode::Allow => continue,
        };
        out.push_str(text.get(done..span.start).unwrap_or_default());
        out.push_str(&with);
        done = span.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

fn hashed(key: &blake3::Hasher, tenant: &str, name: &str, value: &str, bare: bool) -> String {
    let mut hasher = key.clone();
    for part in [tenant, name] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(value.as_bytes());
    let hex = hasher.finalize().to_hex();
    let hex = hex.get(..HASH).unwrap_or_default();
    if bare { format!("{name}_{hex}") } else { format!("<{name}_{hex}>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_finds_that_overlap_nothing_stays() {
        let edit = |range: std::ops::Range<usize>, with: &'static str| Edit {
            range,
            with: Bytes::from_static(with.as_bytes()),
        };
        let mut edits = vec![edit(4..9, "b"), edit(0..5, "a"), edit(12..14, "c"), edit(8..10, "d")];
        join_overlapping(&mut edits);
        assert_eq!(edits, [edit(0..10, "a"), edit(12..14, "c")]);
    }
}

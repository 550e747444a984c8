//! Changes a few ranges of a body and leaves every other byte as it is.
//!
//! What a reader could get wrong: edits must not overlap; `apply` sorts them. A long body is not copied: it becomes slices of
//! the original with the replacements between them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// One change: these bytes are replaced by those (an empty range inserts, an empty replacement cuts).
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: Bytes,
}

/// A body in pieces, to be sent one after the other.
pub type Segments = SmallVec<[Bytes; 3]>;

/// Below this a body is copied into one piece: cheaper than to send it in three.
const COPIED: usize = 16 << 10;

/// The edited body. Edits that overlap are a fault of the caller; the later one is then left out rather than applied wrongly.
pub fn apply(body: &Bytes, edits: &mut [Edit]) -> Segments {
    if edits.is_empty() {
        return smallvec::smallvec![body.clone()];
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    if body.len() < COPIED {
        return smallvec::smallvec![copied(body, edits)];
    }
    let mut segments = Segments::new();
    walk(body, edits, |kept, with| {
        segments.extend([body.slice(kept), with.clone()].into_iter().filter(|s| !s.is_empty()));
    });
    segments
}

fn copied(body: &Bytes, edits: &[Edit]) -> Bytes {
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + added);
    walk(body, edits, |kept, with| {
        out.extend_from_slice(body.get(kept).unwrap_or_default());
        out.extend_from_slice(with);
    });
    out.freeze()
}

/// Calls `each` with what is kept and what is put behind it, to the end of the body.
fn walk(body: &Bytes, edits: &[Edit], mut each: impl FnMut(Range<usize>, &Bytes)) {
    let mut done = 0;
    for edit in edits {
        if edit.range.start < done || edit.range.end > body.len() {
            debug_assert!(false, "edits overlap");
            continue;
        }
        each(done..edit.range.start, &edit.with);
        done = edit.range.end;
    }
    each(done..body.len(), &Bytes::new());
}

#[cfg(test)]
mod tests;

//! A thousand entries of one scope side by side: signs together, bytes together, so that a scan reads nothing else.
//!
//! What a reader could get wrong: a removal moves the last entry into the gap, so a position means something only under one lock.

use super::Neighbour;
use super::code::Code;
use super::scan::{self, Candidate, LANES};

/// Entries of a full segment: 130 KB are copied when it grows for the last time, some ten microseconds that a lookup may wait for.
pub(super) const ENTRIES: usize = 1024;
/// What a scope of one entry makes room for.
const FIRST_ENTRIES: usize = 2;
/// A segment with this many times more room than entries is made smaller.
const SLACK: usize = 4;

#[derive(Default)]
pub(super) struct Segment {
    ids: Vec<u64>,
    units: Vec<f32>,
    /// In blocks, see `scan::propose`.
    signs: Vec<u64>,
    bytes: Vec<i8>,
}

impl Segment {
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_full(&self) -> bool {
        self.ids.len() >= ENTRIES
    }

    /// Bytes of memory that are held.
    pub fn held(&self) -> usize {
        self.ids.capacity() * 8 + self.units.capacity() * 4 + self.signs.capacity() * 8 + self.bytes.capacity()
    }

    pub fn push(&mut self, id: u64, code: &Code) {
        let at = self.ids.len();
        if self.ids.len() == self.ids.capacity() {
            let room = (self.ids.len() * 2).clamp(FIRST_ENTRIES, ENTRIES.max(self.ids.len() + 1)) - self.ids.len();
            self.ids.reserve_exact(room);
            self.units.reserve_exact(room);
            self.signs
                .reserve_exact((self.ids.len() + room).next_multiple_of(LANES) * code.signs.len() - self.signs.len());
            self.bytes.reserve_exact(room * code.bytes.len());
        }
        self.ids.push(id);
        self.units.push(code.unit);
        if at.is_multiple_of(LANES) {
            self.signs.resize(self.signs.len() + LANES * code.signs.len(), 0);
        }
        let words = code.signs.len();
        for (nth, word) in code.signs.iter().enumerate() {
            if let Some(place) = self.signs.get_mut(place(at, nth, words)) {
                *place = *word;
            }
        }
        self.bytes.extend_from_slice(&code.bytes);
    }

    pub fn holds(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// Whether the entry was here.
    pub fn remove(&mut self, id: u64) -> bool {
        let Some(at) = self.ids.iter().position(|kept| *kept == id) else { return false };
        let last = self.ids.len() - 1;
        let (words, width) = (self.signs.len() / (last + 1).next_multiple_of(LANES), self.bytes.len() / (last + 1));
        self.ids.swap_remove(at);
        self.units.swap_remove(at);
        for nth in 0..words {
            let from = place(last, nth, words);
            self.signs.copy_within(from..=from, place(at, nth, words));
        }
        self.signs.truncate(last.next_multiple_of(LANES) * words);
        self.bytes.copy_within(last * width.., at * width);
        self.bytes.truncate(last * width);
        if self.ids.capacity() > self.ids.len() * SLACK {
            self.ids.shrink_to_fit();
            self.units.shrink_to_fit();
            self.signs.shrink_to_fit();
            self.bytes.shrink_to_fit();
        }
        true
    }

    pub fn propose(&self, question: &Code, below: u16, segment: u32, out: &mut Vec<Candidate>) {
        scan::propose(&self.signs, self.ids.len(), &question.signs, below, segment, out);
    }

    /// The entry at a position, if there still is one.
    pub fn score(&self, question: &Code, position: usize) -> Option<Neighbour> {
        let (id, unit) = (*self.ids.get(position)?, *self.units.get(position)?);
        let width = question.bytes.len();
        let bytes = self.bytes.get(position * width..(position + 1) * width)?;
        let cosine = scan::dot(bytes, &question.bytes) as f32 * unit * question.unit;
        Some(Neighbour { id, cosine: cosine.clamp(-1.0, 1.0) })
    }
}

/// Where the `nth` of an entry's `words` words of signs is.
fn place(entry: usize, nth: usize, words: usize) -> usize {
    (entry / LANES * words + nth) * LANES + entry % LANES
}

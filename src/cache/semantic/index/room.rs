//! The entries of one scope: a list of segments, each behind its own lock.
//!
//! What a reader could get wrong: only one thread at a time adds or removes (the index sees to it); any number look up meanwhile, and hold one
//! segment at a time, so that neither waits for more than a segment's scan.

use std::sync::Arc;

use parking_lot::RwLock;
use smallvec::SmallVec;

use super::Neighbour;
use super::code::Code;
use super::scan::Candidate;
use super::segment::{ENTRIES, Segment};

/// Entries that are compared byte by byte, of all that are compared by their signs. Measured (docs/decisions/0016): of the four nearest among
/// 97,000 questions, 97 to 98 % are among the 320 with the most signs in common.
const CANDIDATES: usize = 320;
/// What a room and its first segment take beside the entries: two reference-counted blocks, the list, the place in the map.
const ROOM_BYTES: usize = 192;
const SEGMENT_BYTES: usize = 136;

#[derive(Default)]
pub(super) struct Room {
    segments: RwLock<Segments>,
}

type Segments = Arc<[Arc<RwLock<Segment>>]>;

impl Room {
    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        let segments = self.segments.read().clone();
        ROOM_BYTES + segments.iter().map(|segment| SEGMENT_BYTES + segment.read().held()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.segments.read().is_empty()
    }

    /// Adds an entry whose id is not here. How many bytes more are held.
    pub fn push(&self, id: u64, code: &Code) -> isize {
        let segments = self.segments.read().clone();
        let open = segments.last().filter(|last| !last.read().is_full()).or_else(|| emptiest(&segments));
        if let Some(open) = open {
            let mut open = open.write();
            let before = open.held();
            open.push(id, code);
            return open.held() as isize - before as isize;
        }
        let mut segment = Segment::default();
        segment.push(id, code);
        let more = (SEGMENT_BYTES + segment.held()) as isize;
        let segment = Arc::new(RwLock::new(segment));
        let longer = segments.iter().cloned().chain([segment]).collect();
        *self.segments.write() = longer;
        more
    }

    /// How many bytes less are held; `None` where there is no such entry. The oldest are in the first segments.
    pub fn remove(&self, id: u64) -> Option<isize> {
        let segments = self.segments.read().clone();
        for (at, segment) in segments.iter().enumerate() {
            if !segment.read().holds(id) {
                continue;
            }
            let mut found = segment.write();
            let before = found.held();
            found.remove(id);
            if found.len() > 0 {
                return Some(before as isize - found.held() as isize);
            }
            let others = segments.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other.clone());
            *self.segments.write() = others.collect();
            return Some((SEGMENT_BYTES + before) as isize);
        }
        None
    }

    /// The `count` entries of the highest cosine, best first.
    pub fn nearest(&self, question: &Code, count: usize) -> SmallVec<[Neighbour; 8]> {
        let segments = self.segments.read().clone();
        let mut best = Best { count, found: SmallVec::new() };
        let candidates = propose(&segments, question, CANDIDATES.max(count));
        for together in candidates.chunk_by(|a, b| a.segment == b.segment) {
            let Some(segment) = together.first().and_then(|first| segments.get(first.segment as usize)) else {
                continue;
            };
            let segment = segment.read();
            // An entry that was moved or removed since then is passed over, or another one scored in its place.
            let scored =
                together.iter().filter_map(|candidate| segment.score(question, usize::from(candidate.position)));
            scored.for_each(|found| best.offer(found));
        }
        best.found
    }
}

/// At least `wanted` entries whose signs differ in the fewest places, with all that tie with the last of them, in the order of their places.
fn propose(segments: &Segments, question: &Code, wanted: usize) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::with_capacity(4 * CANDIDATES);
    // How many candidates differ in how many places; `kept` of them in fewer than `below`. As more are seen, `below` sinks.
    let mut by_difference = vec![0_usize; question.bytes.len() + 1];
    let (mut kept, mut below) = (0, by_difference.len());
    for (at, segment) in (0_u32..).zip(segments.iter()) {
        let before = candidates.len();
        segment.read().propose(question, below.try_into().unwrap_or(u16::MAX), at, &mut candidates);
        for candidate in candidates.iter().skip(before) {
            if let Some(count) = by_difference.get_mut(usize::from(candidate.differing)) {
                *count += 1;
                kept += 1;
            }
        }
        while let Some(last) = below.checked_sub(1).and_then(|last| by_difference.get(last)) {
            if kept - last < wanted {
                break;
            }
            kept -= last;
            below -= 1;
        }
    }
    candidates.retain(|candidate| usize::from(candidate.differing) < below);
    candidates
}

/// The segment with the fewest entries, where those are less than half of what it can have: what removals leave is filled before more is added.
fn emptiest(segments: &[Arc<RwLock<Segment>>]) -> Option<&Arc<RwLock<Segment>>> {
    let (entries, emptiest) =
        segments.iter().map(|segment| (segment.read().len(), segment)).min_by_key(|(entries, _)| *entries)?;
    (entries < ENTRIES / 2).then_some(emptiest)
}

/// The best so far, best first.
struct Best {
    count: usize,
    found: SmallVec<[Neighbour; 8]>,
}

impl Best {
    fn offer(&mut self, neighbour: Neighbour) {
        let at = self.found.partition_point(|found| found.cosine >= neighbour.cosine);
        // An entry that is being replaced may be met in both of its places.
        if at >= self.count || self.found.iter().any(|found| found.id == neighbour.id) {
            return;
        }
        self.found.insert(at, neighbour);
        self.found.truncate(self.count);
    }
}

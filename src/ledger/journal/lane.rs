//! What one worker has of its own: finished entries that wait for the journal's thread, open slots, numbers.
//!
//! What a reader could get wrong: both locks are the worker's own and the thread takes them for an instant (to swap a buffer, to hand
//! back slots), never while it writes: a slow disk is not felt here.

use std::fs::File;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::fit;
use super::frame::{self, HEAD, MAX_PAYLOAD};
use crate::ledger::Entry;

/// A buffer that was needed once is given back above this.
const KEPT_BYTES: usize = 1 << 20;
/// The same for what is let go with the batch, in items.
const KEPT_ITEMS: usize = 1 << 13;

/// The bits of a number that count; above them is the worker.
const NUMBER_BITS: u32 = 48;

/// Alone on its cache lines (two, as processors fetch them in pairs).
#[repr(align(128))]
pub(super) struct Lane<P> {
    pub ready: Mutex<Ready<P>>,
    pub free: Mutex<Free>,
    number: AtomicU64,
    pub slots: File,
    pub closed: File,
}

impl<P> Lane<P> {
    pub fn new(index: usize, slots: File, closed: File, limit: usize) -> Lane<P> {
        let free = Free { limit: u32::try_from(limit).unwrap_or(u32::MAX), ..Free::default() };
        let number = AtomicU64::new((index as u64) << NUMBER_BITS);
        Lane { ready: Mutex::new(Ready::default()), free: Mutex::new(free), number, slots, closed }
    }

    pub fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Finished entries, and what is to be done once they are durable.
pub(super) struct Ready<P> {
    /// Frames.
    pub bytes: Vec<u8>,
    pub done: Vec<Done<P>>,
    /// Bytes not yet counted where all workers' are.
    pub uncounted: usize,
    /// The thread has been told that there is much to do.
    pub urged: bool,
    scratch: Vec<u8>,
}

/// What is done once an entry is durable: its slot is closed, and what was kept is let go.
pub(super) struct Done<P> {
    /// Index and ticket.
    pub slot: Option<(u32, u64)>,
    pub keep: Option<P>,
}

impl<P> Default for Ready<P> {
    fn default() -> Ready<P> {
        Ready { bytes: vec![], done: vec![], uncounted: 0, urged: false, scratch: vec![] }
    }
}

impl<P> Ready<P> {
    /// Adds an entry. If it cannot be encoded, which no entry can be the reason of, nothing is added: its slot stays open and tells of it.
    pub fn add(&mut self, entry: &Entry<'_>, done: Done<P>) -> postcard::Result<()> {
        self.encode(entry)?;
        if self.scratch.len() > MAX_PAYLOAD {
            for smaller in fit::smaller(entry) {
                self.encode(&smaller)?;
                if self.scratch.len() <= MAX_PAYLOAD {
                    break;
                }
            }
        }
        frame::put(&self.scratch, &mut self.bytes);
        self.uncounted += HEAD + self.scratch.len();
        if done.slot.is_some() || done.keep.is_some() {
            self.done.push(done);
        }
        Ok(())
    }

    fn encode(&mut self, entry: &Entry<'_>) -> postcard::Result<()> {
        let mut scratch = mem::take(&mut self.scratch);
        scratch.clear();
        self.scratch = entry.encode(scratch)?;
        Ok(())
    }

    /// Empties it for its next use; what it has grown to in a bad moment is given back.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.done.clear();
        self.done.shrink_to(KEPT_ITEMS);
        self.scratch.clear();
        self.scratch.shrink_to(KEPT_BYTES);
        self.urged = false;
    }
}

/// A worker's slots that are free: last in, first out, so that few pages are in use.
#[derive(Default)]
pub(super) struct Free {
    pub freed: Vec<u32>,
    /// From here on, none has ever been opened.
    fresh: u32,
    limit: u32,
    ticket: u64,
}

impl Free {
    /// A slot's index and its ticket.
    pub fn take(&mut self) -> Option<(u32, u64)> {
        let index = match self.freed.pop() {
            Some(index) => index,
            None if self.fresh < self.limit => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        self.ticket += 1;
        Some((index, self.ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_last_in_first_out_with_ever_higher_tickets() {
        let mut free = Free { limit: 2, ..Free::default() };
        assert_eq!([free.take(), free.take(), free.take()], [Some((0, 1)), Some((1, 2)), None]);
        free.freed.extend([1, 0]);
        assert_eq!([free.take(), free.take(), free.take()], [Some((0, 3)), Some((1, 4)), None]);
    }

    #[test]
    fn an_entry_beyond_all_bounds_loses_its_tags_rather_than_itself() {
        let mut ready = Ready::<()>::default();
        let tags = "t".repeat(MAX_PAYLOAD);
        let entry = Entry { boot: 7, number: 1, tags: &tags, user: "u", ..Entry::default() };
        ready.add(&entry, Done { slot: None, keep: None }).unwrap();
        let frame::Frame::Entry(payload) = frame::parse(&ready.bytes) else { panic!("not a frame") };
        assert_eq!(Entry::decode(payload).unwrap(), Entry { tags: "", ..entry });
        assert_eq!(ready.uncounted, ready.bytes.len());
        assert!(ready.done.is_empty());
    }

    #[test]
    fn buffers_shrink_after_a_bad_moment() {
        let mut ready = Ready::<()>::default();
        ready.bytes.reserve(64 << 20);
        ready.reset();
        assert!(ready.bytes.capacity() <= 2 * KEPT_BYTES);
    }
}

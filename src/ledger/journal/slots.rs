//! Open slots: one entry for each request that is under way, as it would have to be recorded if the process were killed now.
//!
//! What a reader could get wrong: slots are written to the page cache only. They survive `kill -9`, not a loss of power; and a slot
//! of 512 bytes lies within one page, which a killed process has either written or not.
//!
//! `slots-N` holds the slots of worker N, `closed-N` one `u64` for each: the ticket that was last closed there. A slot is open if its
//! checksum holds and its ticket is higher. Tickets of one worker go up with each opening, so that a stale page proves nothing wrong.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::fit;
use super::frame::identity;
use super::segment::MODE;
use crate::ledger::Entry;

pub(super) const SIZE: usize = 512;
/// Ticket (`u64`), checksum of all the rest (`u32`), length of the payload (`u16`).
const HEAD: usize = 14;
pub(super) const PAYLOAD: usize = SIZE - HEAD;

fn slots_path(folder: &Path, lane: usize) -> PathBuf {
    folder.join(format!("slots-{lane}"))
}

fn closed_path(folder: &Path, lane: usize) -> PathBuf {
    folder.join(format!("closed-{lane}"))
}

/// Makes the two files of a worker.
pub(super) fn create(folder: &Path, lane: usize) -> io::Result<(File, File)> {
    let create = |path| OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    Ok((create(slots_path(folder, lane))?, create(closed_path(folder, lane))?))
}

/// Writes an entry into a slot. Does not wait for the disk.
pub(super) fn write(file: &File, index: u32, ticket: u64, entry: &Entry<'_>) -> io::Result<()> {
    let mut bytes = [0; HEAD + PAYLOAD];
    let length = encode(entry, &mut bytes[HEAD..])?;
    bytes[..8].copy_from_slice(&ticket.to_le_bytes());
    bytes[12..HEAD].copy_from_slice(&(length as u16).to_le_bytes());
    let checksum = checksum(&bytes[..HEAD + length]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    file.write_all_at(&bytes[..HEAD + length], u64::from(index) * SIZE as u64)
}

/// Encodes the entry, without what does not fit.
fn encode(entry: &Entry<'_>, into: &mut [u8]) -> io::Result<usize> {
    if let Ok(used) = postcard::to_slice(entry, into) {
        return Ok(used.len());
    }
    let found =
        fit::smaller(entry).iter().find_map(|entry| postcard::to_slice(entry, into).ok().map(|used| used.len()));
    found.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the entry does not fit an open slot"))
}

/// Of everything in a slot but the checksum itself.
fn checksum(slot: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&slot[..8]);
    hasher.update(&slot[12..]);
    hasher.finalize()
}

/// The tickets that were last closed in one worker's slots, as the journal's thread keeps them.
#[derive(Default)]
pub(super) struct Closed {
    tickets: Vec<u64>,
    dirty: Range<usize>,
    bytes: Vec<u8>,
}

impl Closed {
    pub fn close(&mut self, index: u32, ticket: u64) {
        let index = index as usize;
        if self.tickets.len() <= index {
            self.tickets.resize(index + 1, 0);
        }
        self.tickets[index] = ticket;
        self.dirty = if self.dirty.is_empty() {
            index..index + 1
        } else {
            self.dirty.start.min(index)..self.dirty.end.max(index + 1)
        };
    }

    /// Writes what has changed, as one piece. On an error it is still to be written.
    pub fn write(&mut self, file: &File) -> io::Result<()> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        self.bytes.clear();
        self.bytes.extend(self.tickets[self.dirty.clone()].iter().flat_map(|ticket| ticket.to_le_bytes()));
        file.write_all_at(&self.bytes, self.dirty.start as u64 * 8)?;
        self.dirty = 0..0;
        Ok(())
    }
}

/// What stands in an open slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open {
    pub number: u64,
    /// The encoded entry.
    pub payload: Vec<u8>,
}

/// The open slots of a process that is dead. Some may have been recorded all the same: it may have died between the writing of a
/// batch and the closing of its slots. An error of kind `NotFound`: the folder has been discarded meanwhile.
pub(super) fn open(folder: &Path, boot: u64) -> io::Result<Vec<Open>> {
    let mut found = vec![];
    for file in folder.read_dir()? {
        let name = file?.file_name();
        let lane = name.to_str().and_then(|name| name.strip_prefix("slots-")).and_then(|lane| lane.parse().ok());
        let Some(lane) = lane else { continue };
        // In this order: without the one, everything in the other would seem open.
        let closed = fs::read(closed_path(folder, lane))?;
        let slots = fs::read(slots_path(folder, lane))?;
        let closed = closed.chunks_exact(8).map(number).chain(std::iter::repeat(0));
        found.extend(slots.chunks(SIZE).zip(closed).filter_map(|(slot, closed)| read(slot, closed, boot)));
    }
    found.sort_unstable_by_key(|open| open.number);
    Ok(found)
}

fn read(slot: &[u8], closed: u64, boot: u64) -> Option<Open> {
    let length = u16::from_le_bytes(slot.get(12..HEAD)?.try_into().ok()?);
    let slot = slot.get(..HEAD + usize::from(length))?;
    let intact = checksum(slot).to_le_bytes() == slot[8..12];
    if !intact || number(&slot[..8]) <= closed {
        return None;
    }
    let payload = &slot[HEAD..];
    let (_, number) = identity(payload).filter(|(from, _)| *from == boot)?;
    Some(Open { number, payload: payload.to_vec() })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(folder: &Path) -> Vec<u64> {
        open(folder, 7).unwrap().iter().map(|open| open.number).collect()
    }

    #[test]
    fn a_slot_is_open_until_its_ticket_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (slots, closed) = create(folder.path(), 0).unwrap();
        let mut tickets = Closed::default();
        for (index, number) in [(0, 30), (3, 10), (1, 20)] {
            write(&slots, index, number, &Entry { boot: 7, number, ..Entry::default() }).unwrap();
        }
        assert_eq!(numbers(folder.path()), [10, 20, 30]);
        tickets.close(3, 10);
        tickets.write(&closed).unwrap();
        assert_eq!(numbers(folder.path()), [20, 30]);
        tickets.close(0, 30);
        assert_eq!(numbers(folder.path()), [20, 30], "not yet written");
        tickets.write(&closed).unwrap();
        write(&slots, 0, 31, &Entry { boot: 7, number: 5, ..Entry::default() }).unwrap();
        assert_eq!(numbers(folder.path()), [5, 20], "tickets count, not the entries' numbers");
        assert!(open(folder.path(), 8).unwrap().is_empty(), "another process");
    }

    #[test]
    fn a_torn_slot_counts_as_none_and_a_missing_file_as_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (slots, _) = create(folder.path(), 0).unwrap();
        write(&slots, 0, 1, &Entry { boot: 7, number: 1, tenant: "acme", ..Entry::default() }).unwrap();
        slots.write_all_at(b"X", HEAD as u64 + 3).unwrap();
        assert!(numbers(folder.path()).is_empty());
        fs::remove_file(closed_path(folder.path(), 0)).unwrap();
        assert_eq!(open(folder.path(), 7).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_does_not_fit_goes_in_the_stated_order() {
        let folder = tempfile::tempdir().unwrap();
        let (slots, _) = create(folder.path(), 0).unwrap();
        let (tags, user) = ("t".repeat(300), "u".repeat(300));
        let entry = Entry { boot: 7, number: 1, tags: &tags, user: &user, rule: "easy", ..Entry::default() };
        write(&slots, 0, 1, &entry).unwrap();
        let found = open(folder.path(), 7).unwrap().remove(0).payload;
        assert_eq!(found, Entry { tags: "", ..entry }.encode(vec![]).unwrap());
    }
}

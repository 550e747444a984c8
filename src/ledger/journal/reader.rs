//! Reads a journal: batches of entries, in the order in which they became durable, from a position on.
//!
//! What a reader could get wrong: the end of a *living* process's journal is what it calls durable (`up_to`); behind that the file may
//! end in half a frame. An orphan that has been recovered has no such end and is read to its last byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{Frame, parse};
use super::segment::{self, HEADER, check_header};
use super::{Entry, Position, folder};

/// Read at once: some 600 entries.
const CHUNK: usize = 256 << 10;

/// Entries as they stand in a segment. To be used again: it keeps its memory.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Framed>,
}

struct Framed {
    start: usize,
    end: usize,
    position: Position,
}

impl Batch {
    /// Entries in it.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The last entry's position.
    pub fn last(&self) -> Option<Position> {
        self.frames.last().map(|frame| frame.position)
    }

    /// Each entry with its position. An error: an entry that is intact but was written by a program that encodes otherwise.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<(Position, Entry<'_>)>> {
        self.payloads().map(|(position, payload)| match Entry::decode(payload) {
            Ok(entry) => Ok((position, entry)),
            Err(error) => {
                let Position { boot, segment, offset } = position;
                let place = format!("journal {boot}, segment {segment}, before byte {offset}");
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("{place}: the entry cannot be read: {error}")))
            }
        })
    }

    /// For the next use.
    pub(super) fn emptied(&mut self) -> &mut Batch {
        self.frames.clear();
        self
    }

    pub(super) fn payloads(&self) -> impl Iterator<Item = (Position, &[u8])> {
        self.frames.iter().map(|frame| (frame.position, &self.bytes[frame.start..frame.end]))
    }
}

/// Reads one process's journal.
pub struct Reader {
    folder: PathBuf,
    at: Position,
    segment: Option<Segment>,
}

impl Reader {
    /// Reads the journal of `boot` below `dir`, behind `from`; from its beginning if `from` is another process's position.
    pub fn new(dir: &Path, boot: u64, from: Position) -> Reader {
        let at = if from.boot == boot { from } else { Position { boot, ..Position::default() } };
        Reader { folder: folder::path(dir, boot), at, segment: None }
    }

    /// Behind the last entry that was read.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The next entries: as many as come with one read, `max` at most, up to the position `up_to` (that the journal has called
    /// durable) or to the end. Returns how many; 0: there are no more for now. Errors name the file and the byte.
    pub fn next_batch(&mut self, up_to: Option<Position>, max: usize, batch: &mut Batch) -> io::Result<usize> {
        batch.emptied();
        loop {
            let Some(segment) = self.current()? else { return Ok(0) };
            let (number, offset) = (segment.number, self.at.offset);
            // Where the present segment ends, if it is known, and whether there is another behind it.
            let (limit, last) = match up_to {
                Some(up_to) if up_to.boot != self.at.boot || up_to.segment < number => return Ok(0),
                Some(up_to) if up_to.segment == number => (Some(up_to.offset), true),
                Some(_) => (None, false),
                None => (None, !segment::path(&self.folder, number + 1).exists()),
            };
            let Some(segment) = &self.segment else { return Ok(0) };
            let stop = segment.read(self.at, limit, max, batch)?;
            self.at.offset = stop.offset;
            if !batch.is_empty() {
                return Ok(batch.len());
            }
            match stop.why {
                Why::Damaged(why) => return Err(segment.damaged(stop.offset, why)),
                Why::Cut if !last || limit.is_some() => {
                    return Err(segment.damaged(stop.offset, "it ends in half an entry"));
                }
                Why::End if !last => self.next_segment(),
                Why::End | Why::Cut => return Ok(0),
                Why::Enough if stop.offset == offset => return Ok(0),
                Why::Enough => {}
            }
        }
    }

    fn current(&mut self) -> io::Result<Option<&Segment>> {
        if self.segment.is_none() {
            if self.at.segment == 0 {
                let Some(first) = segment::list(&self.folder)?.first().copied() else { return Ok(None) };
                self.at.segment = first;
            }
            self.at.offset = self.at.offset.max(HEADER);
            self.segment = Some(Segment::open(&self.folder, self.at.boot, self.at.segment)?);
        }
        Ok(self.segment.as_ref())
    }

    fn next_segment(&mut self) {
        self.segment = None;
        self.at.segment += 1;
        self.at.offset = HEADER;
    }
}

/// A segment file, open for reading.
pub(super) struct Segment {
    pub number: u32,
    path: PathBuf,
    file: File,
}

/// Where and why reading stopped.
pub(super) struct Stop {
    pub offset: u64,
    pub why: Why,
}

pub(super) enum Why {
    /// Nothing is behind it.
    End,
    /// There may be more.
    Enough,
    /// What is behind it is not all there.
    Cut,
    Damaged(&'static str),
}

impl Segment {
    pub fn open(folder: &Path, boot: u64, number: u32) -> io::Result<Segment> {
        let path = segment::path(folder, number);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()));
        let file = File::open(&path).map_err(named)?;
        let mut header = [0; HEADER as usize];
        let read = read_at(&file, &mut header, 0).map_err(named)?;
        check_header(&header[..read], &path, boot, number)?;
        Ok(Segment { number, path, file })
    }

    /// Adds up to `max` entries to `batch` (which must be empty), from `at` to `limit` or the end of the file.
    pub fn read(&self, at: Position, limit: Option<u64>, max: usize, batch: &mut Batch) -> io::Result<Stop> {
        let mut offset = at.offset;
        let mut wanted = CHUNK;
        loop {
            let left =
                limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX));
            wanted = wanted.min(left);
            if batch.bytes.len() < wanted {
                batch.bytes.resize(wanted, 0);
            }
            let read = read_at(&self.file, &mut batch.bytes[..wanted], offset)?;
            let at_end = read < wanted || read == left;
            let mut start = 0;
            let why = loop {
                if batch.frames.len() >= max {
                    break Why::Enough;
                }
                let rest = &batch.bytes[start.min(read)..read];
                match parse(rest) {
                    Frame::Entry(payload) => {
                        let end = start + super::frame::HEAD + payload.len();
                        let position = Position { offset: offset + end as u64, ..at };
                        batch.frames.push(Framed { start: end - payload.len(), end, position });
                        start = end;
                    }
                    Frame::Hole(bytes) => start += bytes as usize,
                    Frame::Short(_) if rest.is_empty() => break if at_end { Why::End } else { Why::Enough },
                    Frame::Short(_) if at_end => break Why::Cut,
                    Frame::Short(needed) if start == 0 => {
                        wanted = needed.max(CHUNK);
                        break Why::Enough;
                    }
                    Frame::Short(_) => break Why::Enough,
                    Frame::Bad(why) => break Why::Damaged(why),
                }
            };
            let moved = start > 0;
            offset += start as u64;
            // Holes alone, or an entry longer than a chunk: there is more to be had at once.
            if batch.is_empty() && matches!(why, Why::Enough) && max > 0 {
                if moved {
                    wanted = CHUNK;
                }
                continue;
            }
            return Ok(Stop { offset, why });
        }
    }

    pub fn damaged(&self, offset: u64, why: &str) -> io::Error {
        let path = self.path.display();
        let text = format!("{path} is damaged at byte {offset}: {why}; a restart recovers what is intact behind it");
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

/// Reads until the buffer is full or the file ends; how many bytes.
fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

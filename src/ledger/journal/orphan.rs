//! Journals of processes that are dead: what they left open is recorded, then they are read like any other, then deleted.
//!
//! What a reader could get wrong: recovery only ever adds. Damage (half a frame at the end, most of the time) is covered by a hole, not
//! cut off, so that a position in the books never points behind the end; and an open slot is added only if no frame has its number,
//! so that recovery may itself be killed at any point and done again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{self, Frame, HEAD};
use super::segment::{self, Appender, HEADER, check_header};
use super::{Position, folder, slots};

/// The journal of a dead process, locked: no other can take it.
pub struct Orphan {
    dir: PathBuf,
    boot: u64,
    _lock: File,
}

/// What recovery has found and done.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Recovered {
    /// Requests that were under way: now recorded, as they stood.
    pub interrupted: usize,
    /// Bytes behind the last whole entry: what was being written when the process died. Nothing is lost with them.
    pub torn: u64,
    /// Places before intact entries that cannot be read: file, byte, length. What was there is lost, unless its slot was still open.
    pub damaged: Vec<(PathBuf, u64, u64)>,
    /// Behind the last entry.
    pub end: Position,
}

/// The journals below `dir` whose processes are dead, oldest first, locked. To be called only by the owner of the books, who is to
/// call it again while another process is being replaced. Folders that cannot be looked at are logged and left alone.
pub fn orphans(dir: &Path) -> io::Result<Vec<Orphan>> {
    let mut found = vec![];
    let boots = folder::list(dir)?;
    if dir.exists() {
        folder::sweep(dir)?;
    }
    for boot in boots {
        match folder::take(&folder::path(dir, boot)) {
            Ok(Some(lock)) => found.push(Orphan { dir: dir.to_owned(), boot, _lock: lock }),
            Ok(None) => {}
            Err(error) => tracing::error!("cannot lock journal {boot} in {}: {error}; it is left alone", dir.display()),
        }
    }
    Ok(found)
}

impl Orphan {
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Records what was left open, so that the journal's segments are all there is to read. Durable when it returns; may be repeated.
    pub fn recover(&self) -> io::Result<Recovered> {
        let folder = folder::path(&self.dir, self.boot);
        let mut open: BTreeMap<u64, Vec<u8>> =
            slots::open(&folder, self.boot)?.into_iter().map(|open| (open.number, open.payload)).collect();
        let numbers = segment::list(&folder)?;
        let last = numbers.last().copied().unwrap_or(0);
        let mut recovered = Recovered::default();
        for number in &numbers {
            self.look_through(&folder, *number, *number == last, &mut open, &mut recovered)?;
        }
        let mut segment = match last {
            0 => Appender::create(&folder, self.boot, 1)?,
            last => Appender::resume(&folder, last)?,
        };
        let mut frames = vec![];
        for payload in open.values() {
            frame::put(payload, &mut frames);
        }
        segment.append([frames.as_slice()].into_iter())?;
        recovered.interrupted = open.len();
        recovered.end = Position { boot: self.boot, segment: segment.number, offset: segment.end };
        Ok(recovered)
    }

    /// Deletes the journal: everything is in the books.
    pub fn discard(self) -> io::Result<()> {
        folder::discard(&self.dir, self.boot)
    }

    /// Takes from `open` what is recorded in a segment, and covers damage.
    fn look_through(
        &self,
        folder: &Path,
        number: u32,
        last: bool,
        open: &mut BTreeMap<u64, Vec<u8>>,
        recovered: &mut Recovered,
    ) -> io::Result<()> {
        let path = segment::path(folder, number);
        let bytes = fs::read(&path)?;
        if last && ((bytes.len() as u64) < HEADER || bytes.iter().all(|byte| *byte == 0)) {
            // The process died while it began the segment.
            Appender::create(folder, self.boot, number)?;
            return Ok(());
        }
        check_header(&bytes[..bytes.len().min(HEADER as usize)], &path, self.boot, number)?;
        let mut holes = vec![];
        let mut at = HEADER as usize;
        while at < bytes.len() {
            match frame::parse(&bytes[at..]) {
                Frame::Entry(payload) => {
                    if let Some((boot, number)) = frame::identity(payload)
                        && boot == self.boot
                    {
                        open.remove(&number);
                    }
                    at += HEAD + payload.len();
                }
                Frame::Hole(size) => at += size as usize,
                Frame::Short(_) | Frame::Bad(_) => {
                    let next = frame::next_intact(&bytes, at + 1);
                    let end = next.unwrap_or(bytes.len());
                    match next {
                        None if last => recovered.torn += (end - at) as u64,
                        _ => recovered.damaged.push((path.clone(), at as u64, (end - at) as u64)),
                    }
                    holes.push((at, end));
                    at = end;
                }
            }
        }
        cover(&path, &holes)
    }
}

/// Puts holes over damage. One at the end may be too short for its head: the file grows by what is missing.
fn cover(path: &Path, holes: &[(usize, usize)]) -> io::Result<()> {
    if holes.is_empty() {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    for (start, end) in holes {
        file.write_all_at(&frame::hole((end - start).max(HEAD)), *start as u64)?;
    }
    file.sync_data()
}

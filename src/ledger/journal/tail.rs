//! What is not in the books yet, for commands that look at the data directory from outside, also while a gateway runs.
//!
//! What a reader could get wrong: the order. First the tail is opened, then the books are read (in one transaction: their sums and
//! their positions), then the tail is read behind these positions. What is deleted after the opening is still held open; what was
//! deleted before it is in the books. In any other order a request could be missed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::reader::{Batch, Segment, Why};
use super::segment::{self, HEADER};
use super::{Entry, Position, folder, frame, slots};

/// All journals of a data directory, as they were when this was opened, and what has been appended since.
pub struct Tail {
    boots: Vec<Boot>,
}

struct Boot {
    boot: u64,
    segments: Vec<Segment>,
    /// Of a dead process, by number: payloads of what it left open.
    open: BTreeMap<u64, Vec<u8>>,
}

/// Opens the journals below `dir` (`data_dir/journal`). Changes nothing and waits for nobody.
pub fn pending_tail(dir: &Path) -> io::Result<Tail> {
    let mut boots = vec![];
    for boot in folder::list(dir)? {
        boots.extend(unless_gone(Boot::open(&folder::path(dir, boot), boot))?);
    }
    Ok(Tail { boots })
}

impl Tail {
    /// Calls `each` with every entry that is not in the books: `after` is how far the books are with a process (`Position::default()`:
    /// they do not know it). Requests that a dead process left open come as they stood. Half an entry at the end of a journal
    /// ends it.
    pub fn read(&self, mut after: impl FnMut(u64) -> Position, mut each: impl FnMut(&Entry<'_>)) -> io::Result<()> {
        let mut batch = Batch::default();
        for boot in &self.boots {
            boot.read(after(boot.boot), &mut batch, &mut each)?;
        }
        Ok(())
    }
}

impl Boot {
    fn open(folder: &Path, boot: u64) -> io::Result<Boot> {
        let open = if folder::is_dead(folder)? { slots::open(folder, boot)? } else { vec![] };
        let mut segments = vec![];
        for number in segment::list(folder)? {
            // One that is just being begun has no header yet, and no entry.
            let begun = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData && is_short(folder, number);
            match unless_gone(Segment::open(folder, boot, number)) {
                Err(error) if begun(&error) => {}
                opened => segments.extend(opened?),
            }
        }
        Ok(Boot { boot, segments, open: open.into_iter().map(|open| (open.number, open.payload)).collect() })
    }

    fn read(&self, after: Position, batch: &mut Batch, each: &mut impl FnMut(&Entry<'_>)) -> io::Result<()> {
        let after = if after.boot == self.boot { after } else { Position::default() };
        let mut open: BTreeMap<u64, &[u8]> =
            self.open.iter().map(|(number, payload)| (*number, payload.as_slice())).collect();
        for (index, segment) in self.segments.iter().enumerate() {
            // What is in the books is of interest only because it is not open then.
            if segment.number < after.segment && open.is_empty() {
                continue;
            }
            let last = index + 1 == self.segments.len();
            let mut at = Position { boot: self.boot, segment: segment.number, offset: HEADER };
            loop {
                let stop = segment.read(at, None, usize::MAX, batch.emptied())?;
                for (position, payload) in batch.payloads() {
                    if let Some((_, number)) = frame::identity(payload) {
                        open.remove(&number);
                    }
                    if position > after {
                        each(
                            &Entry::decode(payload)
                                .map_err(|error| segment.damaged(position.offset, &error.to_string()))?,
                        );
                    }
                }
                at.offset = stop.offset;
                match stop.why {
                    Why::Enough => {}
                    Why::Damaged(why) if !last => return Err(segment.damaged(stop.offset, why)),
                    Why::End | Why::Cut | Why::Damaged(_) => break,
                }
            }
        }
        for payload in open.values() {
            let damaged = |error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("journal {}: an open slot cannot be read: {error}", self.boot),
                )
            };
            each(&Entry::decode(payload).map_err(damaged)?);
        }
        Ok(())
    }
}

fn is_short(folder: &Path, number: u32) -> bool {
    std::fs::metadata(segment::path(folder, number)).is_ok_and(|found| found.len() < HEADER)
}

/// What has been deleted meanwhile is in the books, which are read after this.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

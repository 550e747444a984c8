//! The journal: makes the entry of each request durable within 50 ms, without a worker ever waiting for the disk.
//!
//! What a reader could get wrong: there are two ways into it. `begin` writes an *open slot* before a request leaves for an upstream:
//! what is to be recorded if the process is killed now. `finish` hands over the final entry, which the thread "journal" writes to a
//! *segment* with all others of the last 10 ms; only when that is synced is the slot closed and the reservation let go. So a killed
//! process leaves each request either in a segment or in an open slot, and whoever takes its folder over (`orphans`) records the open
//! ones as they stand. Between `finish` and that sync the slot still says what it said last: `amend` it to what is known by then.
//!
//! On disk: `data_dir/journal/<boot>/` with `lock` (held as long as the process lives), `00000001.seg` and so on (`segment`, `frame`),
//! `slots-N` and `closed-N` for each worker (`slots`).

mod fit;
mod folder;
mod frame;
mod lane;
mod orphan;
mod reader;
mod scribe;
mod segment;
mod shared;
mod slots;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub use self::orphan::{Orphan, Recovered, orphans};
pub use self::reader::{Batch, Reader};
pub use self::tail::{Tail, pending_tail};

use self::lane::{Done, Lane};
use self::scribe::Scribe;
use self::segment::{Appender, HEADER};
use self::shared::{Extent, Gate, Progress, Shared};
use super::{Entry, Position};

/// Entries are some 400 bytes: at 10,000 requests a second, 16 seconds of a disk that stands still.
pub const MAX_PENDING: usize = 64 << 20;

/// Some 20 million requests while the database is away.
pub const MAX_BACKLOG: u64 = 8 << 30;

/// Segments are deleted as a whole once they are in the books: this is what stays on disk although it need not.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Requests under way at once, per worker, those included whose end is not yet durable: some 16,000 streams that last for minutes, and
/// a disk that stands still for seconds. Slots that were never needed take no space.
pub const SLOTS: usize = 65_536;

/// A worker's buffer that gets this full is written without waiting for the interval.
const URGENT_BYTES: usize = 256 << 10;

/// Bytes that a worker counts by itself before all workers' sum is touched.
const PORTION: usize = 16 << 10;

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `data_dir/journal`; made if it is not there.
    pub dir: PathBuf,
    pub workers: usize,
    /// Bytes in memory, all workers together, from which on requests are refused.
    pub max_pending: usize,
    /// Bytes on disk that are not in the books, from which on requests are refused.
    pub max_backlog: u64,
    /// A segment is no longer than this, but for a single batch that is.
    pub segment_bytes: u64,
    /// Open slots per worker.
    pub slots: usize,
}

impl Settings {
    /// With the defaults of this module.
    pub fn new(dir: impl Into<PathBuf>, workers: usize) -> Settings {
        Settings {
            dir: dir.into(),
            workers,
            max_pending: MAX_PENDING,
            max_backlog: MAX_BACKLOG,
            segment_bytes: SEGMENT_BYTES,
            slots: SLOTS,
        }
    }
}

/// Why a request cannot be let in: it could not be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The disk does not keep up and the bound on memory is reached.
    Memory,
    /// The books do not keep up and the bound on disk space is reached.
    Backlog,
    /// The disk cannot be written.
    Disk,
    /// The worker has as many requests under way as it has slots.
    Slots,
    /// The process is going down.
    Closed,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Full::Memory => "the journal holds as much in memory as it may: the disk of data_dir is too slow",
            Full::Backlog => "the journal holds as much on disk as it may: the ledger's database is away or too slow",
            Full::Disk => "the journal cannot be written: look for a full or failed disk of data_dir",
            Full::Slots => "too many requests are under way for the journal",
            Full::Closed => "the journal is closed",
        })
    }
}

impl std::error::Error for Full {}

/// A request that is under way, as far as the journal knows of it. To be given back to `finish`; if it is dropped instead, the request
/// counts as interrupted when the process ends, and one slot less is left until then.
#[derive(Debug)]
#[must_use = "a slot that is not finished is recorded as interrupted when the process ends"]
pub struct Slot {
    lane: u32,
    index: u32,
    ticket: u64,
}

/// The journal of this process, shared by all workers. `P` is what must be let go only once an entry is durable, such as a budget's
/// reservation; it is dropped by the journal's thread.
pub struct Journal<P: Send + 'static> {
    shared: Arc<Shared<P>>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl<P: Send + 'static> Journal<P> {
    /// Makes the folder of this process and starts the thread "journal". Errors: the folder cannot be made or written, no thread.
    pub fn open(settings: Settings) -> io::Result<Journal<P>> {
        let (shared, scribe) = assemble(settings)?;
        let handle = thread::Builder::new().name("journal".to_owned()).spawn(move || scribe.run())?;
        Ok(Journal { shared, thread: handle.thread().clone(), handle: Mutex::new(Some(handle)) })
    }

    /// The microsecond (Unix) of this process's start: what `Entry::boot` must be.
    pub fn boot(&self) -> u64 {
        self.shared.boot
    }

    /// Whether one more request may be let in. Costs a few loads.
    pub fn has_room(&self) -> Result<(), Full> {
        self.shared.has_room()
    }

    /// A number for a request, given to no other of this process. Workers have ranges of their own.
    pub fn next_number(&self, worker: usize) -> u64 {
        self.lane(worker).1.next_number()
    }

    /// Before a request leaves for an upstream: notes what is to be recorded if the process is killed. What does not fit (tags, then
    /// user, then considered targets) is left out. One write to the page cache. Errors: `Slots`; `Disk`, if it is full.
    pub fn begin(&self, worker: usize, entry: &Entry<'_>) -> Result<Slot, Full> {
        let (lane, own) = self.lane(worker);
        let (index, ticket) = own.free.lock().take().ok_or(Full::Slots)?;
        if let Err(error) = slots::write(&own.slots, index, ticket, entry) {
            own.free.lock().freed.push(index);
            self.shared.gate.write_failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("cannot write an open slot of the journal in {}: {error}", self.shared.folder.display());
            return Err(Full::Disk);
        }
        Ok(Slot { lane: lane as u32, index, ticket })
    }

    /// The same request, as it would have to be recorded now (the next attempt is made, more is known).
    pub fn amend(&self, slot: &Slot, entry: &Entry<'_>) {
        let (_, lane) = self.lane(slot.lane as usize);
        if let Err(error) = slots::write(&lane.slots, slot.index, slot.ticket, entry) {
            self.shared.gate.write_failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("cannot write an open slot of the journal in {}: {error}", self.shared.folder.display());
        }
    }

    /// The final entry (with the number that `begin` was given). Never refused and never waits for the disk: once the entry is durable,
    /// the slot is closed and `keep` dropped.
    pub fn finish(&self, worker: usize, slot: Option<Slot>, entry: &Entry<'_>, keep: Option<P>) {
        let gate = &self.shared.gate;
        let (_, lane) = self.lane(slot.as_ref().map_or(worker, |slot| slot.lane as usize));
        let done = Done { slot: slot.map(|slot| (slot.index, slot.ticket)), keep };
        let mut ready = lane.ready.lock();
        if let Err(error) = ready.add(entry, done) {
            gate.write_failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                "entry {} cannot be encoded: {error}; it is recorded as interrupted at the next start",
                entry.number
            );
            return;
        }
        if ready.uncounted >= self.shared.portion {
            // Under the lock: counted before the thread, which takes the bytes from here, can count them off.
            gate.pending.fetch_add(ready.uncounted, Ordering::Relaxed);
            ready.uncounted = 0;
        }
        let urgent = ready.bytes.len() >= URGENT_BYTES && !ready.urged;
        ready.urged |= urgent;
        drop(ready);
        if urgent {
            self.rouse();
        } else if gate.idle.load(Ordering::Relaxed) && gate.idle.swap(false, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }

    /// Waits until everything finished so far is durable. `false`: it will not be, as the thread has stopped.
    pub fn flush(&self) -> bool {
        let mut progress = self.shared.progress.lock();
        let needed = progress.begun + 1;
        self.rouse();
        while progress.done < needed && !progress.stopped {
            self.shared.moved.wait(&mut progress);
        }
        progress.done >= needed
    }

    /// Makes everything durable and stops the thread; entries finished after this are not written, their slots stay open. On a disk that
    /// fails it gives up after 5 s and returns `false`.
    pub fn close(&self) -> bool {
        self.shared.gate.closing.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(handle) = self.handle.lock().take() {
            let _ = handle.join();
        }
        self.shared.lanes.iter().all(|lane| lane.ready.lock().bytes.is_empty()) && self.pending_bytes() == 0
    }

    /// Behind the newest entry that is durable.
    pub fn durable(&self) -> Position {
        self.shared.progress.lock().durable
    }

    /// Waits until there is something durable beyond `position`, for `timeout` at most. Returns what `durable` would; at once if the
    /// journal is closed.
    pub fn wait_beyond(&self, position: Position, timeout: Duration) -> Position {
        let until = Instant::now() + timeout;
        let mut progress = self.shared.progress.lock();
        while progress.durable <= position && !progress.stopped {
            if self.shared.moved.wait_until(&mut progress, until).timed_out() {
                break;
            }
        }
        progress.durable
    }

    /// Everything up to here is in the books: segments wholly before it are deleted.
    pub fn release(&self, up_to: Position) {
        self.shared.release(up_to);
    }

    /// Bytes in memory that are not yet durable, but for up to 16 KiB per worker.
    pub fn pending_bytes(&self) -> usize {
        self.shared.gate.pending.load(Ordering::Relaxed)
    }

    /// Bytes on disk that are not yet released.
    pub fn backlog_bytes(&self) -> u64 {
        self.shared.gate.backlog.load(Ordering::Relaxed)
    }

    /// Failed writes since the start.
    pub fn write_failures(&self) -> u64 {
        self.shared.gate.write_failures.load(Ordering::Relaxed)
    }

    fn lane(&self, worker: usize) -> (usize, &Lane<P>) {
        let lane = worker % self.shared.lanes.len();
        (lane, &self.shared.lanes[lane])
    }

    fn rouse(&self) {
        self.shared.gate.urgent.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<P: Send + 'static> Drop for Journal<P> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The journal's parts, the thread not yet started.
fn assemble<P>(settings: Settings) -> io::Result<(Arc<Shared<P>>, Scribe<P>)> {
    let workers = settings.workers.max(1);
    let (own, (segment, lanes)) = folder::create(&settings.dir, |folder, boot| {
        let lanes: io::Result<Box<[Lane<P>]>> = (0..workers)
            .map(|index| {
                let (slots, closed) = slots::create(folder, index)?;
                Ok(Lane::new(index, slots, closed, settings.slots))
            })
            .collect();
        Ok((Appender::create(folder, boot, 1)?, lanes?))
    })?;
    let durable = Position { boot: own.boot, segment: 1, offset: HEADER };
    let shared = Arc::new(Shared {
        boot: own.boot,
        folder: own.path,
        lanes,
        max_pending: settings.max_pending,
        max_backlog: settings.max_backlog,
        portion: PORTION.min(settings.max_pending / workers / 4),
        gate: Gate::default(),
        progress: Mutex::new(Progress { durable, ..Progress::default() }),
        moved: Condvar::new(),
        extent: Mutex::new(Extent { starts: VecDeque::from([(1, 0)]), written: 0, released: 0 }),
        _lock: own.lock,
    });
    let scribe = Scribe::new(shared.clone(), segment, settings.segment_bytes);
    Ok((shared, scribe))
}

//! What workers, the journal's thread and whoever reads the journal have in common.
//!
//! What a reader could get wrong: workers only read the `Gate` on a request's path. Their bytes are added to it in portions, so that
//! they do not fight over its cache line; the bound on memory is exact to one portion per worker.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

use super::lane::Lane;
use super::segment::HEADER;
use super::{Full, segment};
use crate::ledger::Position;

pub(super) struct Shared<P> {
    pub boot: u64,
    pub folder: PathBuf,
    pub lanes: Box<[Lane<P>]>,
    pub max_pending: usize,
    pub max_backlog: u64,
    /// Bytes that a worker gathers before it counts them in `Gate::pending`.
    pub portion: usize,
    pub gate: Gate,
    pub progress: Mutex<Progress>,
    /// `progress` has moved on.
    pub moved: Condvar,
    pub extent: Mutex<Extent>,
    /// Held for the life of the process.
    pub _lock: File,
}

/// What a request is let in by, and what the thread is woken by.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Gate {
    /// Bytes in memory that are not yet durable.
    pub pending: AtomicUsize,
    /// Bytes on disk that are not yet released.
    pub backlog: AtomicU64,
    pub failed: AtomicBool,
    pub closing: AtomicBool,
    /// The thread has nothing to do and waits to be woken.
    pub idle: AtomicBool,
    /// The thread shall not wait for the interval to pass.
    pub urgent: AtomicBool,
    pub write_failures: AtomicU64,
}

/// How far the thread has come.
#[derive(Default)]
pub(super) struct Progress {
    pub durable: Position,
    /// Rounds begun, and rounds done: what was finished before a round began is durable once it is done.
    pub begun: u64,
    pub done: u64,
    /// The thread is no more.
    pub stopped: bool,
}

/// Where segments begin in the whole of what was written, and how much of it was released.
pub(super) struct Extent {
    /// Segments on disk that are not released: number, and bytes of frames in all segments before it.
    pub starts: VecDeque<(u32, u64)>,
    pub written: u64,
    pub released: u64,
}

impl Extent {
    fn total_at(&self, position: Position) -> Option<u64> {
        let (_, start) = self.starts.iter().find(|(number, _)| *number == position.segment)?;
        Some(start + position.offset.saturating_sub(HEADER))
    }
}

impl<P> Shared<P> {
    pub fn has_room(&self) -> Result<(), Full> {
        let gate = &self.gate;
        if gate.closing.load(Ordering::Relaxed) {
            Err(Full::Closed)
        } else if gate.failed.load(Ordering::Relaxed) {
            Err(Full::Disk)
        } else if gate.pending.load(Ordering::Relaxed) >= self.max_pending {
            Err(Full::Memory)
        } else if gate.backlog.load(Ordering::Relaxed) >= self.max_backlog {
            Err(Full::Backlog)
        } else {
            Ok(())
        }
    }

    /// Tells readers how far the journal is durable.
    pub fn publish(&self, durable: Position, bytes: u64) {
        let mut extent = self.extent.lock();
        extent.written += bytes;
        self.gate.backlog.store(extent.written - extent.released, Ordering::Relaxed);
        drop(extent);
        let mut progress = self.progress.lock();
        progress.durable = durable;
        progress.done = progress.begun;
        drop(progress);
        self.moved.notify_all();
    }

    /// Everything up to here is in the books: deletes the segments before it.
    pub fn release(&self, up_to: Position) {
        let up_to = up_to.min(self.progress.lock().durable);
        if up_to.boot != self.boot {
            return;
        }
        let mut extent = self.extent.lock();
        let Some(total) = extent.total_at(up_to) else { return };
        extent.released = extent.released.max(total);
        self.gate.backlog.store(extent.written - extent.released, Ordering::Relaxed);
        let passed = extent.starts.iter().take_while(|(number, _)| *number < up_to.segment).count();
        let passed: Vec<u32> = extent.starts.drain(..passed).map(|(number, _)| number).collect();
        drop(extent);
        if !passed.is_empty() {
            self.delete(&passed);
        }
    }

    /// The frames of these segments are what proves, after a loss of power, that slots are closed: the files that say so come first.
    fn delete(&self, segments: &[u32]) {
        for lane in &self.lanes {
            if let Err(error) = lane.closed.sync_data() {
                tracing::warn!(
                    "cannot sync {}: {error}; its segments stay until the next start",
                    self.folder.display()
                );
                return;
            }
        }
        for number in segments {
            let path = segment::path(&self.folder, *number);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(
                    "cannot delete {}: {error}; it is in the books and goes at the next start",
                    path.display()
                );
            }
        }
    }
}

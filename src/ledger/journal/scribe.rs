//! The journal's thread: gathers what all workers have finished, makes it durable, and only then lets go of what was kept for it.
//!
//! What a reader could get wrong: the order. Frames are synced, then slots are closed, then reservations dropped, then the new
//! position published; killed between any two, nothing is lost (the slot is open) nor doubled (the frame has its number).

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::lane::Ready;
use super::segment::{Appender, HEADER};
use super::shared::Shared;
use super::slots::Closed;
use crate::ledger::Position;

/// Between two batches: with the sync of the disk itself, an entry is durable well within 50 ms.
const INTERVAL: Duration = Duration::from_millis(10);

/// From the first failure to the next attempt; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How long a closing journal goes on trying a disk that fails. The slots of what is not written stay open.
const LAST_TRIES: Duration = Duration::from_secs(5);

pub(super) struct Scribe<P> {
    shared: Arc<Shared<P>>,
    segment: Appender,
    segment_bytes: u64,
    /// Per worker, what is being made durable; swapped with what the worker fills.
    taken: Vec<Ready<P>>,
    /// Per worker.
    closed: Vec<Closed>,
}

impl<P> Scribe<P> {
    pub fn new(shared: Arc<Shared<P>>, segment: Appender, segment_bytes: u64) -> Scribe<P> {
        let taken = shared.lanes.iter().map(|_| Ready::default()).collect();
        let closed = shared.lanes.iter().map(|_| Closed::default()).collect();
        Scribe { shared, segment, segment_bytes, taken, closed }
    }

    /// Until the journal is closed and everything is durable, or the disk fails to the last.
    pub fn run(mut self) {
        let shared = self.shared.clone();
        let _stopped = Stopped(&shared);
        loop {
            let began = Instant::now();
            let closing = shared.gate.closing.load(Ordering::Acquire);
            let bytes = self.collect();
            if bytes > 0 && !(self.persistent(Self::append) && self.persistent(Self::close_slots)) {
                tracing::error!(
                    "the journal is closed with {bytes} bytes unwritten: their requests are recorded as interrupted"
                );
                return;
            }
            self.settle();
            if closing && bytes == 0 {
                return;
            }
            self.rest(began, bytes > 0);
        }
    }

    /// Takes what the workers have finished; its size in bytes.
    pub fn collect(&mut self) -> usize {
        self.shared.progress.lock().begun += 1;
        let mut bytes = 0;
        let mut uncounted = 0;
        for (lane, taken) in self.shared.lanes.iter().zip(&mut self.taken) {
            mem::swap(&mut *lane.ready.lock(), taken);
            bytes += taken.bytes.len();
            uncounted += mem::take(&mut taken.uncounted);
        }
        self.shared.gate.pending.fetch_add(uncounted, Ordering::Relaxed);
        bytes
    }

    /// Makes the batch durable, in a new segment if it does not fit the present one. After an error: once more, with the same batch.
    pub fn append(&mut self) -> io::Result<()> {
        let bytes: u64 = self.taken.iter().map(|taken| taken.bytes.len() as u64).sum();
        if self.segment.end > HEADER && self.segment.end + bytes > self.segment_bytes {
            let number = self.segment.number + 1;
            self.segment = Appender::create(&self.shared.folder, self.shared.boot, number)?;
            let mut extent = self.shared.extent.lock();
            let written = extent.written;
            extent.starts.push_back((number, written));
        }
        self.segment.append(self.taken.iter().map(|taken| taken.bytes.as_slice()))
    }

    /// Writes down which slots are closed, for whoever comes after a `kill -9`.
    pub fn close_slots(&mut self) -> io::Result<()> {
        for ((lane, taken), closed) in self.shared.lanes.iter().zip(&self.taken).zip(&mut self.closed) {
            for (index, ticket) in taken.done.iter().filter_map(|done| done.slot) {
                closed.close(index, ticket);
            }
            closed.write(&lane.closed)?;
        }
        Ok(())
    }

    /// The batch is durable: lets go of what was kept for it, and says so.
    pub fn settle(&mut self) {
        let mut bytes = 0;
        for (lane, taken) in self.shared.lanes.iter().zip(&mut self.taken) {
            bytes += taken.bytes.len();
            if !taken.done.is_empty() {
                lane.free.lock().freed.extend(taken.done.iter().filter_map(|done| done.slot.map(|(index, _)| index)));
            }
            taken.reset();
        }
        self.shared.gate.pending.fetch_sub(bytes, Ordering::Relaxed);
        let position = Position { boot: self.shared.boot, segment: self.segment.number, offset: self.segment.end };
        self.shared.publish(position, bytes as u64);
    }

    /// Does it until it succeeds; `false`: the journal is being closed and the disk does not come back.
    fn persistent(&mut self, what: fn(&mut Self) -> io::Result<()>) -> bool {
        let mut pause = FIRST_PAUSE;
        let mut last_try = None;
        while self.attempt(what).is_err() {
            if self.shared.gate.closing.load(Ordering::Acquire) {
                let last_try = *last_try.get_or_insert_with(|| Instant::now() + LAST_TRIES);
                if Instant::now() > last_try {
                    return false;
                }
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        true
    }

    /// Does it once. While it fails no more requests are let in.
    pub fn attempt(&mut self, what: fn(&mut Self) -> io::Result<()>) -> io::Result<()> {
        let result = what(self);
        let gate = &self.shared.gate;
        if let Err(error) = &result {
            gate.write_failures.fetch_add(1, Ordering::Relaxed);
            if !gate.failed.swap(true, Ordering::Relaxed) {
                let folder = self.shared.folder.display();
                tracing::error!(
                    "cannot write the journal in {folder}: {error}; requests are refused until it can be written"
                );
            }
        } else if gate.failed.load(Ordering::Relaxed) {
            gate.failed.store(false, Ordering::Relaxed);
            tracing::info!("the journal can be written again");
        }
        result
    }

    /// Until the next batch is due: after the interval, or, if there was nothing to do, when there is something.
    fn rest(&self, began: Instant, worked: bool) {
        let gate = &self.shared.gate;
        let roused = || gate.urgent.swap(false, Ordering::AcqRel) || gate.closing.load(Ordering::Acquire);
        if worked {
            while let Some(left) = INTERVAL.checked_sub(began.elapsed())
                && !roused()
            {
                thread::park_timeout(left);
            }
            return;
        }
        gate.idle.store(true, Ordering::SeqCst);
        // After `idle` is set, a worker that adds something wakes the thread; what was added before is found here.
        if self.shared.lanes.iter().all(|lane| lane.ready.lock().bytes.is_empty()) {
            while gate.idle.load(Ordering::Acquire) && !roused() {
                thread::park();
            }
        }
        gate.idle.store(false, Ordering::Relaxed);
    }
}

/// Whoever waits for the thread shall not wait for ever, and nothing shall be let in that nobody writes down.
struct Stopped<'a, P>(&'a Shared<P>);

impl<P> Drop for Stopped<'_, P> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.gate.failed.store(true, Ordering::Relaxed);
        }
        self.0.progress.lock().stopped = true;
        self.0.moved.notify_all();
    }
}

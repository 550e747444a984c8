//! Entries on this machine's disk: sealed, in a SQLite file of bounded size, there again after a restart.
//!
//! What a reader could get wrong: the names of all entries are in memory, so a miss costs a hash and a look into a map; only what is
//! there is read from disk, on a thread of its own and within a deadline. During an upgrade two processes have the file open: each finds
//! what was there at its start and what it put there itself.

mod index;
mod readers;
mod store;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::figures::{Figures, Outcome, Write};
use super::room::Room;
use super::seal::{OVERHEAD, Place, Seal};
use super::{Kept, Key, Purge, now_us};
use crate::task;
use index::Index;
use readers::Readers;
use store::Store;
use writer::{Job, Writer};

/// Below the cache's folder.
pub const FILE: &str = "entries.db";
/// Less than this holds nothing worth its file.
pub const LEAST_CAPACITY: u64 = 1 << 20;

/// Jobs and bytes that may wait to be written: half a second of a busy gateway's answers.
const QUEUE: usize = 1_024;
const QUEUE_BYTES: u64 = 32 << 20;
/// An entry takes at most this part of the capacity: one must not push all others out.
const LARGEST: u64 = 8;
/// A disk that takes longer than this is not asked for the sake of speed any more.
const DEADLINE: Duration = Duration::from_millis(100);

/// The tier on disk.
pub struct Disk {
    inner: Arc<Inner>,
    jobs: SyncSender<Job>,
    room: Arc<Room>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    seal: Arc<Seal>,
    index: RwLock<Index>,
    readers: Readers,
    figures: Figures,
    capacity: u64,
    bytes: AtomicU64,
    /// A reader found damage, and the writer is not told yet.
    damaged: AtomicBool,
}

impl Disk {
    /// Opens `entries.db` in `folder`, which is made if it is not there, and starts the thread that writes. A damaged file is moved aside
    /// (`entries.db.damaged`) with a warning. `capacity`: bytes that the file may take, at least [`LEAST_CAPACITY`]; SQLite's log beside
    /// it takes some MiB more.
    ///
    /// # Errors
    /// The folder or the file cannot be made or opened, typically for want of permission; as a text for people.
    pub fn open(folder: &Path, seal: Arc<Seal>, capacity: u64) -> Result<Disk, String> {
        let path = folder.join(FILE);
        let remedy = "`data_dir` must be a directory that this user may write";
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}; {remedy}", folder.display()))?;
        let capacity = capacity.max(LEAST_CAPACITY);
        let mut index = Index::default();
        let opened = Store::open(&path, capacity, seal.check(), &mut index);
        let opened = match opened {
            Err(error) if store::is_damage(&error) => {
                let aside =
                    store::move_aside(&path).map_err(|e| format!("cannot move {} aside: {e}", path.display()))?;
                tracing::warn!(
                    "the cache in {} is damaged ({error}) and was moved to {}",
                    path.display(),
                    aside.display()
                );
                index.clear();
                Store::open(&path, capacity, seal.check(), &mut index)
            }
            other => other,
        };
        let store = opened.map_err(|error| format!("cannot open {}: {error}; {remedy}", path.display()))?;
        let bytes = AtomicU64::new(store.bytes().unwrap_or(0));
        let (readers, figures) = (Readers::new(path.clone()), Figures::default());
        let inner = Arc::new(Inner {
            seal,
            index: RwLock::new(index),
            readers,
            figures,
            capacity,
            bytes,
            damaged: AtomicBool::new(false),
        });
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = Writer { inner: Arc::clone(&inner), jobs: queue, path, store: Some(store), failing: false };
        let thread = std::thread::Builder::new().name("cache-disk".into()).spawn(move || writer.run());
        let thread = thread.map_err(|error| format!("the thread of the cache on disk cannot be started: {error}"))?;
        Ok(Disk { inner, jobs, room: Room::new(QUEUE_BYTES), thread: Mutex::new(Some(thread)) })
    }

    /// What was put under this key, if it is there and holds.
    pub async fn get(&self, key: &Key) -> Option<Kept> {
        let name = fingerprint(self.inner.seal.name(Place::Disk, key));
        // A statement of its own: the lock must not be held while the disk is read.
        let id = self.inner.index.read().ask(name);
        match id {
            Some(id) => self.read(*key, name, id).await,
            None => {
                self.inner.figures.looked(Outcome::Miss);
                None
            }
        }
    }

    async fn read(&self, key: Key, name: u64, id: i64) -> Option<Kept> {
        let inner = Arc::clone(&self.inner);
        let read = task::blocking(move || inner.read(&key, id));
        let (found, outcome) = match tokio::time::timeout(DEADLINE, read).await {
            Err(_) => (None, Outcome::Timeout),
            Ok(Err(_)) => (None, Outcome::Broken),
            Ok(Ok(read)) => read,
        };
        if outcome == Outcome::Broken && self.inner.damaged.swap(false, Ordering::Relaxed) {
            // Where the queue is full the writer finds out by itself.
            let _ = self.jobs.try_send(Job::Damaged);
        }
        self.inner.figures.looked(outcome);
        if outcome == Outcome::Unsealed {
            self.inner.index.write().remove(name, id);
            // Where the queue is full it stays on disk, where nothing finds it any more.
            let _ = self.jobs.try_send(Job::Drop { name, id });
        }
        found
    }

    /// Has an entry written. Returns at once.
    pub fn put(&self, key: &Key, kept: &Kept) {
        let figures = &self.inner.figures;
        let size = kept.bytes.len() + OVERHEAD;
        if size as u64 > self.inner.capacity / LARGEST || kept.until_us <= now_us() {
            return figures.wrote(Write::Unfit, 1);
        }
        let queued = self.room.take(size).map(|taken| self.jobs.try_send(Job::Put(*key, kept.clone(), taken)).is_ok());
        if queued != Some(true) {
            figures.wrote(Write::Full, 1);
        }
    }

    /// Forgets what was put before this call; the number of entries forgotten. When it returns they are gone for good, a power cut
    /// notwithstanding.
    ///
    /// # Errors
    /// The file cannot be written, or the writer has ended; as a text for people.
    pub async fn purge(&self, by: Purge) -> Result<u64, String> {
        self.ask(|reply| Job::Purge(by, reply)).await
    }

    /// Forgets what is past its time at `now_us`, as the writer does by itself every half minute.
    #[cfg(test)]
    async fn sweep(&self, now_us: i64) -> Result<u64, String> {
        self.ask(|reply| Job::Sweep(now_us, reply)).await
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Result<u64, String>>) -> Job) -> Result<u64, String> {
        let ended = || "the cache on disk has ended".to_owned();
        let (reply, answer) = oneshot::channel();
        let (jobs, job) = (self.jobs.clone(), job(reply));
        // The queue may be full: this waits for it, no request does.
        let _ = task::blocking(move || jobs.send(job).is_ok()).await;
        // Where it was not sent nobody answers.
        answer.await.map_err(|_| ended())?
    }

    /// Writes what is queued and ends the thread. Without it what is queued when the process ends is not kept.
    pub async fn finish(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        let jobs = self.jobs.clone();
        // Its panic, if any, has been reported by the hook.
        let _ = task::blocking(move || jobs.send(Job::Finish).is_ok().then(|| thread.join())).await;
    }

    /// What lookups and writes came to.
    pub fn figures(&self) -> &Figures {
        &self.inner.figures
    }

    /// Entries there are.
    pub fn entries(&self) -> u64 {
        self.inner.index.read().len() as u64
    }

    /// Bytes that the file takes.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("entries", &self.entries()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Inner {
    fn read(&self, key: &Key, id: i64) -> (Option<Kept>, Outcome) {
        let Some(mut turn) = self.readers.turn() else { return (None, Outcome::Skipped) };
        let sealed = match turn.read(id) {
            Ok(Some(sealed)) => sealed,
            // Forgotten since it was looked up.
            Ok(None) => return (None, Outcome::Miss),
            Err(error) => {
                self.damaged.fetch_or(store::is_damage(&error), Ordering::Relaxed);
                return (None, Outcome::Broken);
            }
        };
        drop(turn);
        match self.seal.open(Place::Disk, key, sealed) {
            None => (None, Outcome::Unsealed),
            Some((kept, _)) if kept.until_us <= now_us() => (None, Outcome::Stale),
            Some((kept, _)) => (Some(kept), Outcome::Hit),
        }
    }
}

/// As much of a name as the file and the map need: one in a few million million pairs is alike, and then the one written last is there.
fn fingerprint(name: [u8; 16]) -> u64 {
    let mut short = [0; 8];
    short.copy_from_slice(&name[..8]);
    u64::from_le_bytes(short)
}

#[cfg(test)]
mod tests;

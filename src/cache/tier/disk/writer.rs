//! The thread that writes entries: it gathers what is queued, seals it, and writes it in one transaction.
//!
//! What a reader could get wrong: jobs are done in the order they were queued, so a purge takes with it what was put before.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::store::{self, By, Row, Store};
use super::{Inner, fingerprint};
use crate::cache::tier::figures::Write;
use crate::cache::tier::room::Taken;
use crate::cache::tier::seal::{Kind, Place};
use crate::cache::tier::{Kept, Key, Purge, now_us};

/// How often entries past their time are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Entries and bytes in one transaction.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 4 << 20;

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Job {
    Put(Key, Kept, Taken),
    /// An entry that does not unseal.
    Drop {
        name: u64,
        id: i64,
    },
    /// A reader found the file damaged.
    Damaged,
    Purge(Purge, oneshot::Sender<Result<u64, String>>),
    /// Everything before is written, and what is past its time is gone.
    #[cfg(test)]
    Sweep(i64, oneshot::Sender<Result<u64, String>>),
    /// Everything before is written; the thread ends.
    Finish,
}

pub struct Writer {
    pub inner: Arc<Inner>,
    pub jobs: Receiver<Job>,
    pub path: PathBuf,
    /// `None`: the file could not be made anew; tried again at each sweep.
    pub store: Option<Store>,
    /// The last write failed: told once, not each time.
    pub failing: bool,
}

impl Writer {
    pub fn run(mut self) {
        let mut next_sweep = Instant::now() + SWEEP_EVERY;
        self.measure();
        loop {
            let job = match self.jobs.recv_timeout(next_sweep.saturating_duration_since(Instant::now())) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let ended = job.is_some_and(|job| self.work(job));
            if Instant::now() >= next_sweep {
                next_sweep = Instant::now() + SWEEP_EVERY;
                let _ = self.sweep(now_us());
            }
            self.measure();
            if ended {
                return;
            }
        }
    }

    /// Does this and what else is queued; whether that was the end.
    fn work(&mut self, first: Job) -> bool {
        let mut next = Some(first);
        let mut rows: Vec<(Row, Taken)> = vec![];
        let mut bytes = 0;
        while let Some(job) = next.take() {
            match job {
                Job::Put(key, kept, taken) => {
                    if let Some(row) = self.row(&key, &kept) {
                        bytes += row.sealed.len();
                        rows.push((row, taken));
                    }
                }
                other => {
                    self.write(&mut rows);
                    if self.other(other) {
                        return true;
                    }
                }
            }
            if rows.len() < BATCH && bytes < BATCH_BYTES {
                next = self.jobs.try_recv().ok();
            }
        }
        self.write(&mut rows);
        false
    }

    fn other(&mut self, job: Job) -> bool {
        match job {
            Job::Drop { name, id } => {
                let index = Arc::clone(&self.inner);
                let _ = self.with(|store| store.drop_one(name, id, &index.index));
            }
            Job::Purge(by, reply) => {
                let purged = self.purge(by);
                self.measure();
                // Whoever asked may have gone.
                let _ = reply.send(purged);
            }
            #[cfg(test)]
            Job::Sweep(now, reply) => {
                let _ = reply.send(self.sweep(now));
            }
            Job::Damaged => self.damaged(),
            Job::Finish => return true,
            Job::Put(..) => {}
        }
        false
    }

    fn row(&self, key: &Key, kept: &Kept) -> Option<Row> {
        let seal = &self.inner.seal;
        let Some(sealed) = seal.seal(Place::Disk, key, kept, &[0; 4]) else {
            self.inner.figures.wrote(Write::Failed, 1);
            return None;
        };
        let label = |kind, label| fingerprint(seal.label(Place::Disk, kind, label)) as i64;
        let of = kept.labels;
        let labels = [label(Kind::Route, of.route), label(Kind::Tenant, of.tenant), label(Kind::Model, of.model)];
        Some(Row { name: fingerprint(seal.name(Place::Disk, key)), until_us: kept.until_us, labels, sealed })
    }

    fn write(&mut self, rows: &mut Vec<(Row, Taken)>) {
        if rows.is_empty() {
            return;
        }
        let (batch, taken): (Vec<Row>, Vec<Taken>) = rows.drain(..).unzip();
        let inner = Arc::clone(&self.inner);
        let done = self.with(|store| store.write(&batch, &inner.index).and_then(|()| store.trim()));
        let outcome = if done.is_ok() { Write::Stored } else { Write::Failed };
        inner.figures.wrote(outcome, batch.len() as u64);
        drop(taken);
    }

    fn sweep(&mut self, now: i64) -> Result<u64, String> {
        if self.store.is_none() {
            self.reopen();
        }
        let inner = Arc::clone(&self.inner);
        self.with(|store| {
            let swept = store.sweep(now, &inner.index)?;
            store.trim()?;
            Ok(swept)
        })
    }

    fn purge(&mut self, by: Purge) -> Result<u64, String> {
        let inner = Arc::clone(&self.inner);
        let label = |kind, label| fingerprint(inner.seal.label(Place::Disk, kind, label)) as i64;
        self.with(|store| match by {
            Purge::Everything => store.clear(&inner.index),
            Purge::Key(key) => store.purge_one(fingerprint(inner.seal.name(Place::Disk, &key)), &inner.index),
            Purge::Route(route) => store.purge(By::Route, label(Kind::Route, route), &inner.index),
            Purge::Tenant(tenant) => store.purge(By::Tenant, label(Kind::Tenant, tenant), &inner.index),
            Purge::Model(model) => store.purge(By::Model, label(Kind::Model, model), &inner.index),
        })
    }

    /// Does something with the file; tells once that it cannot be done, and begins a new file where this one is damaged.
    fn with<T>(&mut self, act: impl FnOnce(&mut Store) -> rusqlite::Result<T>) -> Result<T, String> {
        let Some(store) = &mut self.store else { return Err("the cache on disk could not be made anew".to_owned()) };
        match act(store) {
            Ok(value) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the cache on disk can be written again");
                }
                Ok(value)
            }
            Err(error) => {
                let message = format!("the cache on disk cannot be written: {error}");
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("{message}; answers are remembered without it");
                }
                if store::is_damage(&error) {
                    self.damaged();
                }
                Err(message)
            }
        }
    }

    fn damaged(&mut self) {
        tracing::warn!("the cache in {} is damaged: it is moved aside and begun anew", self.path.display());
        self.store = None;
        self.reopen();
    }

    /// After damage: the file goes aside, and a new one is begun.
    fn reopen(&mut self) {
        self.inner.index.write().clear();
        if let Err(error) = store::move_aside(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("the damaged {} cannot be moved aside: {error}", self.path.display());
            return;
        }
        let mut index = super::index::Index::default();
        self.store = Store::open(&self.path, self.inner.capacity, self.inner.seal.check(), &mut index).ok();
        self.inner.readers.renew();
    }

    fn measure(&self) {
        if let Some(bytes) = self.store.as_ref().and_then(|store| store.bytes().ok()) {
            self.inner.bytes.store(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

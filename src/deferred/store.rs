//! The queue as the rest of the gateway sees it: accept, look up, cancel, delete, and hear of changes.
//!
//! What a reader could get wrong: every question names the tenant, and what is another's is not there. Nothing here runs on a worker:
//! writes go to the queue's own thread, reads to blocking threads, at most [`READERS`] at a time.

use std::hash::BuildHasher as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Semaphore, watch};

use super::fault::Fault;
use super::job::{Job, JobId, Kind, NewJob, Part, State};
use super::lanes::Lanes;
use super::rows::{JOB, insert, job, opened, place, put_text};
use super::schema::{self, FILES};
use super::writer::Writer;
use crate::seal::{Sealer, secret};

/// Below the data directory.
pub const FOLDER: &str = "deferred";

const FILE: &str = "queue.sqlite";
const CONTEXT: &str = "tidegate 2026 deferred texts v1";

/// How long the lock of another process (the one before, in an upgrade) is waited for.
const BUSY: Duration = Duration::from_secs(10);

/// Reads at a time.
const READERS: usize = 4;

/// Those who wait for changes are told by the hash of what changes: few enough to cost nothing, many enough to wake few in vain.
const BELLS: usize = 64;

/// How much may wait and lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one tenant that are not done.
    pub jobs_per_tenant: u64,
    /// Jobs that are not done, over all tenants.
    pub jobs: u64,
    /// Bytes of one tenant, results and files included.
    pub bytes_per_tenant: u64,
    /// Bytes over all tenants.
    pub bytes: u64,
}

/// How many jobs there are, by state, and since when the oldest waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By [`State`] as a number.
    pub jobs: [u64; State::ALL.len()],
    pub bytes: u64,
    pub files: u64,
    /// When the oldest queued job was accepted.
    pub oldest_us: Option<i64>,
}

/// The queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    sealer: Sealer,
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
    limits: RwLock<Limits>,
    bells: Vec<watch::Sender<()>>,
    hasher: foldhash::fast::RandomState,
    /// Rings when something may have become ready.
    ready: watch::Sender<()>,
    lanes: Lanes,
    /// Jobs that were cancelled and not told of yet, by kind.
    cancelled: [AtomicU64; Kind::ALL.len()],
}

/// Hears of changes of one thing.
#[derive(Debug)]
pub struct Changes(watch::Receiver<()>);

impl Changes {
    /// Resolves when something has changed since the last call, or since this was made; sometimes in vain.
    pub async fn changed(&mut self) {
        // The sender lives as long as the store; without it nothing changes any more.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Store {
    /// Opens the queue in a data directory; folder, key and file are made if they are not there.
    ///
    /// # Errors
    /// The folder cannot be written, the key is not the one the queue was sealed under, or the tables are another version's; as a
    /// text for people.
    pub fn open(data_dir: &Path, limits: Limits) -> Result<Store, String> {
        let folder = data_dir.join(FOLDER);
        let secret = secret::load_or_make(&folder)?;
        let sealer = Sealer::new(CONTEXT, secret.bytes());
        let path = folder.join(FILE);
        let named = |what: String| format!("{}: {what}", path.display());
        // For its owner alone; the files that SQLite puts beside it are made alike.
        let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        made.map_err(|e| named(format!("{e}; `data_dir` must be a directory that this user may write")))?;
        let db = writing(&path, sealer.check()).map_err(|e| named(e.to_string()))?;
        let inner = Inner {
            writer: Writer::start(db).map_err(|e| named(e.to_string()))?,
            sealer,
            path: path.clone(),
            readers: Mutex::default(),
            places: Arc::new(Semaphore::new(READERS)),
            limits: RwLock::new(limits),
            bells: (0..BELLS).map(|_| watch::Sender::new(())).collect(),
            hasher: foldhash::fast::RandomState::default(),
            ready: watch::Sender::new(()),
            lanes: Lanes::default(),
            cancelled: Default::default(),
        };
        Ok(Store(Arc::new(inner)))
    }

    /// After a reload.
    pub fn set_limits(&self, limits: Limits) {
        *self.0.limits.write() = limits;
    }

    /// Accepts jobs, all or none. They are on the disk when this returns. Lines of a batch are [`State::Held`] until it begins.
    ///
    /// # Errors
    /// [`Fault::Full`]: a bound would be passed.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<(), Fault> {
        let (sealer, limits) = (self.0.sealer.clone(), *self.0.limits.read());
        self.write(move |db| jobs.iter().try_for_each(|job| insert(db, &sealer, &limits, job))).await?;
        self.ring_ready();
        Ok(())
    }

    /// A job as it stands; `None`: there is none of this name of this tenant.
    pub async fn get(&self, id: &JobId, tenant: &str) -> Result<Option<Job>, Fault> {
        let (id, tenant, sealer) = (id.clone(), tenant.to_owned(), self.0.sealer.clone());
        self.read(move |db| {
            let sql = format!("SELECT {JOB} FROM jobs WHERE id = ?1 AND tenant = ?2");
            let mut select = db.prepare_cached(&sql)?;
            select.query_row([id.as_str(), &tenant], |row| Ok(job(row, &sealer))).optional()?.transpose()
        })
        .await
    }

    /// A text of a job; `None`: there is none (yet).
    pub async fn text(&self, id: &JobId, tenant: &str, part: Part) -> Result<Option<Bytes>, Fault> {
        let (id, tenant, sealer) = (id.clone(), tenant.to_owned(), self.0.sealer.clone());
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT sealed FROM texts JOIN jobs USING (n) WHERE id = ?1 AND tenant = ?2 AND part = ?3",
            )?;
            let sealed = select.query_row(params![id.as_str(), tenant, part as i64], |row| row.get(0)).optional()?;
            sealed.map(|sealed| opened(&sealer, &place(id.as_str(), part), sealed)).transpose()
        })
        .await
    }

    /// Keeps what was answered at once, where it was a stream and has only now come to its end; unless the job was given up meanwhile, or what it
    /// was asked may not be kept any more.
    pub async fn put_edge(&self, id: &JobId, tenant: &str, text: Bytes) -> Result<(), Fault> {
        let (name, whose, sealer) = (id.clone(), tenant.to_owned(), self.0.sealer.clone());
        self.write(move |db| {
            let n = db
                .prepare_cached(
                    "SELECT n FROM jobs JOIN texts USING (n) WHERE id = ?1 AND tenant = ?2 AND part = 0 AND state NOT IN (5, 6)",
                )?
                .query_row([name.as_str(), &whose], |row| row.get(0))
                .optional()?;
            // Deleted meanwhile, or forbidden.
            let Some(n) = n else { return Ok(()) };
            db.prepare_cached("UPDATE jobs SET bytes = bytes + ?2 WHERE n = ?1")?.execute([n, text.len() as i64])?;
            put_text(db, &sealer, name.as_str(), n, Part::Edge, &text)
        })
        .await?;
        self.ring(id.as_str());
        Ok(())
    }

    /// Cancels a job that is not done; gives it as it then stands. What runs is stopped by whoever runs it.
    pub async fn cancel(&self, id: &JobId, tenant: &str, now_us: i64) -> Result<Option<Job>, Fault> {
        let (name, whose, sealer) = (id.clone(), tenant.to_owned(), self.0.sealer.clone());
        let (changed, now) = self
            .write(move |db| {
                let changed = db
                    .prepare_cached(
                        "UPDATE jobs SET state = 5, lease = 0, completed_us = ?3 WHERE id = ?1 AND tenant = ?2 AND state <= 2",
                    )?
                    .execute(params![name.as_str(), whose, now_us])?;
                let sql = format!("SELECT {JOB} FROM jobs WHERE id = ?1 AND tenant = ?2");
                let mut select = db.prepare_cached(&sql)?;
                let found = select.query_row([name.as_str(), &whose], |row| Ok(job(row, &sealer))).optional()?;
                Ok((changed, found.transpose()?))
            })
            .await?;
        if let Some(job) = &now {
            self.count_cancelled(job.kind, changed);
        }
        self.ring(id.as_str());
        Ok(now)
    }

    /// Removes a job and all its texts; whether there was one.
    pub async fn delete(&self, id: &JobId, tenant: &str) -> Result<bool, Fault> {
        let (name, whose) = (id.clone(), tenant.to_owned());
        let deleted = self
            .write(move |db| {
                let mut delete = db.prepare_cached("DELETE FROM jobs WHERE id = ?1 AND tenant = ?2")?;
                Ok(delete.execute([name.as_str(), &whose])? > 0)
            })
            .await?;
        self.ring(id.as_str());
        Ok(deleted)
    }

    /// How many there are.
    pub async fn counts(&self) -> Result<Counts, Fault> {
        self.read(|db| {
            let mut counts = Counts::default();
            let mut select = db.prepare_cached("SELECT state, sum(rows), sum(bytes) FROM totals GROUP BY state")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let (state, of, bytes) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
                match usize::try_from(state).ok().and_then(|state| counts.jobs.get_mut(state)) {
                    Some(jobs) => *jobs = of.max(0) as u64,
                    None => counts.files = of.max(0) as u64,
                }
                counts.bytes += bytes.max(0) as u64;
            }
            counts.oldest_us = db
                .prepare_cached(
                    "SELECT created_us FROM jobs INDEXED BY jobs_oldest WHERE state = 0 ORDER BY created_us LIMIT 1",
                )?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(counts)
        })
        .await
    }

    /// Hears of changes of a job, a batch or a file. Ask for it before you look, and look again when it says so.
    pub fn subscribe(&self, id: &str) -> Changes {
        Changes(self.bell(id).subscribe())
    }

    /// Hears that something may have become ready to be claimed.
    pub fn when_ready(&self) -> Changes {
        Changes(self.0.ready.subscribe())
    }

    pub(super) fn count_cancelled(&self, kind: Kind, count: usize) {
        self.0.cancelled[kind as usize].fetch_add(count as u64, Relaxed);
    }

    /// Jobs of a kind that were cancelled since this was asked last.
    pub fn take_cancelled(&self, kind: Kind) -> u64 {
        self.0.cancelled[kind as usize].swap(0, Relaxed)
    }

    pub(super) fn ring(&self, id: &str) {
        self.bell(id).send_replace(());
    }

    pub(super) fn ring_ready(&self) {
        self.0.ready.send_replace(());
    }

    fn bell(&self, id: &str) -> &watch::Sender<()> {
        &self.0.bells[(self.0.hasher.hash_one(id) as usize) % BELLS]
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    pub(super) fn limits(&self) -> Limits {
        *self.0.limits.read()
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.0.writer.write(act).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = Arc::clone(&self.0);
        let place = Arc::clone(&inner.places).acquire_owned().await;
        let gone = |_| Fault::Broken("a read ended early".into());
        crate::task::blocking(move || {
            let _place = place;
            let idle = inner.readers.lock().pop();
            let db = idle.map_or_else(|| reading(&inner.path), Ok)?;
            let found = look(&db);
            if found.is_ok() {
                inner.readers.lock().push(db);
            }
            found
        })
        .await
        .map_err(gone)?
    }
}

fn writing(path: &Path, check: [u8; 16]) -> Result<Connection, Fault> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    // Before the first table. FULL: what a client is told of is on the disk.
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    db.execute_batch("PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON")?;
    db.set_prepared_statement_cache_capacity(64);
    schema::prepare(&mut db, check)?;
    Ok(db)
}

fn reading(path: &Path) -> Result<Connection, Fault> {
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

const _: () = assert!(FILES > State::ALL.len() as i64);

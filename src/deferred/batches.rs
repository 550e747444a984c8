//! Batches: many jobs under one name, that are counted together.
//!
//! What a reader could get wrong: a batch is `Validating` while its lines are read and put in, and nothing of it is done then: its jobs
//! are held. Only [`Store::release`] lets them go, in steps, and only then is it `InProgress`. One that is still `Validating` at a
//! start was interrupted: whoever owns batches begins it anew or fails it.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Fault;
use super::job::{Job, Kind, State};
use super::rows::{JOB, job, opened, readable, sealed};
use super::store::Store;
use crate::seal::Sealer;

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchState {
    Validating = 0,
    InProgress = 1,
    /// All lines are done; the files of results are being written.
    Finalizing = 2,
    Completed = 3,
    Failed = 4,
    Cancelling = 5,
    Cancelled = 6,
    Expired = 7,
}

impl BatchState {
    /// As OpenAI names it.
    pub fn label(self) -> &'static str {
        match self {
            BatchState::Validating => "validating",
            BatchState::InProgress => "in_progress",
            BatchState::Finalizing => "finalizing",
            BatchState::Completed => "completed",
            BatchState::Failed => "failed",
            BatchState::Cancelling => "cancelling",
            BatchState::Cancelled => "cancelled",
            BatchState::Expired => "expired",
        }
    }

    /// Nothing more becomes of it.
    pub fn is_final(self) -> bool {
        matches!(self, BatchState::Completed | BatchState::Failed | BatchState::Cancelled | BatchState::Expired)
    }

    fn of(number: i64) -> BatchState {
        match number {
            0 => BatchState::Validating,
            1 => BatchState::InProgress,
            2 => BatchState::Finalizing,
            3 => BatchState::Completed,
            5 => BatchState::Cancelling,
            6 => BatchState::Cancelled,
            7 => BatchState::Expired,
            _ => BatchState::Failed,
        }
    }
}

/// A batch to be made.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// `batch_tg…`; see [`super::JobId::new`].
    pub id: String,
    pub tenant: String,
    pub created_us: i64,
    pub expires_us: i64,
    /// What its owner wants to find again: files, endpoint, metadata, times (JSON). Sealed.
    pub about: Bytes,
}

/// A batch as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: String,
    pub tenant: String,
    pub state: BatchState,
    pub created_us: i64,
    pub expires_us: i64,
    pub ended_us: Option<i64>,
    /// Jobs.
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub expired: u64,
    /// Empty: it cannot be read any more.
    pub about: Bytes,
}

impl Batch {
    /// Jobs that nothing more becomes of.
    pub fn done(&self) -> u64 {
        self.completed + self.failed + self.cancelled + self.expired
    }
}

const COLUMNS: &str =
    "id, tenant, state, created_us, expires_us, ended_us, total, completed, failed, cancelled, expired, about";

impl Store {
    /// Makes a batch without jobs, `Validating`. Its jobs come with [`Store::enqueue`], each naming it.
    pub async fn create_batch(&self, batch: NewBatch) -> Result<(), Fault> {
        let sealer = self.sealer().clone();
        self.write(move |db| {
            let about = sealed(&sealer, &place(&batch.id), &batch.about)?;
            db.prepare_cached(
                "INSERT INTO batches (id, tenant, state, created_us, expires_us, about) VALUES (?1, ?2, 0, ?3, ?4, ?5)",
            )?
            .execute(params![batch.id, batch.tenant, batch.created_us, batch.expires_us, about])?;
            Ok(())
        })
        .await
    }

    /// `None`: there is none of this name of this tenant.
    pub async fn batch(&self, id: &str, tenant: &str) -> Result<Option<Batch>, Fault> {
        let (id, tenant, sealer) = (id.to_owned(), tenant.to_owned(), self.sealer().clone());
        self.read(move |db| find(db, &sealer, &id, &tenant)).await
    }

    /// A tenant's batches, newest first, after the one named `after`; at most `limit`.
    pub async fn batches(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Batch>, Fault> {
        let (tenant, after, sealer) = (tenant.to_owned(), after.map(str::to_owned), self.sealer().clone());
        self.read(move |db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM batches WHERE tenant = ?1 \
                 AND n < coalesce((SELECT n FROM batches WHERE id = ?2 AND tenant = ?1), 9223372036854775807) \
                 ORDER BY n DESC LIMIT ?3"
            );
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query(params![tenant, after, limit as i64])?;
            let mut batches = vec![];
            while let Some(row) = rows.next()? {
                batches.push(batch(row, &sealer)?);
            }
            Ok(batches)
        })
        .await
    }

    /// Batches of all tenants in a state, oldest first: for whoever moves them on.
    pub async fn batches_in(&self, state: BatchState, limit: usize) -> Result<Vec<Batch>, Fault> {
        let sealer = self.sealer().clone();
        self.read(move |db| {
            let sql = format!("SELECT {COLUMNS} FROM batches WHERE state = ?1 ORDER BY n LIMIT ?2");
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query(params![state as i64, limit as i64])?;
            let mut batches = vec![];
            while let Some(row) = rows.next()? {
                batches.push(batch(row, &sealer)?);
            }
            Ok(batches)
        })
        .await
    }

    /// Moves a batch from one state to another, perhaps with another `about`. `false`: it was not in that state (any more).
    pub async fn move_batch(
        &self,
        id: &str,
        from: BatchState,
        to: BatchState,
        about: Option<Bytes>,
        now_us: i64,
    ) -> Result<bool, Fault> {
        let (name, sealer) = (id.to_owned(), self.sealer().clone());
        let moved = self
            .write(move |db| {
                let about = about.map(|about| sealed(&sealer, &place(&name), &about)).transpose()?;
                let ended = to.is_final().then_some(now_us);
                let mut update = db.prepare_cached(
                    "UPDATE batches SET state = ?3, about = coalesce(?4, about), ended_us = coalesce(?5, ended_us) \
                     WHERE id = ?1 AND state = ?2",
                )?;
                Ok(update.execute(params![name, from as i64, to as i64, about, ended])? > 0)
            })
            .await?;
        self.ring(id);
        Ok(moved)
    }

    /// Lets up to `limit` held jobs of a batch go; how many: fewer than `limit` means that all are.
    pub async fn release(&self, id: &str, limit: usize) -> Result<usize, Fault> {
        let name = id.to_owned();
        let released = self.write(move |db| move_held(db, &name, State::Queued, None, limit)).await?;
        self.ring_ready();
        Ok(released)
    }

    /// Cancels up to `limit` jobs of a batch that are not done; how many: fewer than `limit` means that all are. Those that run are
    /// cancelled too.
    pub async fn cancel_jobs(&self, id: &str, limit: usize, now_us: i64) -> Result<usize, Fault> {
        let name = id.to_owned();
        let cancelled = self.write(move |db| move_held(db, &name, State::Cancelled, Some(now_us), limit)).await?;
        self.count_cancelled(Kind::Batch, cancelled);
        self.ring(id);
        Ok(cancelled)
    }

    /// Jobs of a batch in the order of its lines, after the `after` first; at most `limit`.
    pub async fn jobs_of(&self, id: &str, tenant: &str, after: u64, limit: usize) -> Result<Vec<Job>, Fault> {
        let (id, tenant, sealer) = (id.to_owned(), tenant.to_owned(), self.sealer().clone());
        self.read(move |db| {
            let sql = format!("SELECT {JOB} FROM jobs WHERE batch = ?1 AND tenant = ?2 ORDER BY n LIMIT ?4 OFFSET ?3");
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query(params![id, tenant, after as i64, limit as i64])?;
            let mut jobs = vec![];
            while let Some(row) = rows.next()? {
                jobs.push(job(row, &sealer)?);
            }
            Ok(jobs)
        })
        .await
    }

    /// Removes up to `limit` jobs of a batch that are done (their results lie in its files); how many.
    pub async fn drop_jobs(&self, id: &str, limit: usize) -> Result<usize, Fault> {
        let name = id.to_owned();
        self.write(move |db| {
            let mut delete = db.prepare_cached(
                "DELETE FROM jobs WHERE n IN (SELECT n FROM jobs WHERE batch = ?1 AND state > 2 LIMIT ?2)",
            )?;
            Ok(delete.execute(params![name, limit as i64])?)
        })
        .await
    }
}

fn move_held(db: &Connection, batch: &str, to: State, at_us: Option<i64>, limit: usize) -> Result<usize, Fault> {
    let from = if to == State::Queued { "state = 2" } else { "state <= 2" };
    let sql = format!(
        "UPDATE jobs SET state = ?2, lease = 0, completed_us = ?3 \
         WHERE n IN (SELECT n FROM jobs WHERE batch = ?1 AND {from} LIMIT ?4)"
    );
    Ok(db.prepare_cached(&sql)?.execute(params![batch, to as i64, at_us, limit as i64])?)
}

fn find(db: &Connection, sealer: &Sealer, id: &str, tenant: &str) -> Result<Option<Batch>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM batches WHERE id = ?1 AND tenant = ?2");
    let mut select = db.prepare_cached(&sql)?;
    select.query_row([id, tenant], |row| Ok(batch(row, sealer))).optional()?.transpose()
}

fn batch(row: &Row<'_>, sealer: &Sealer) -> Result<Batch, Fault> {
    let id: String = row.get(0)?;
    let count = |column| row.get::<_, i64>(column).map(|count| count.max(0) as u64);
    Ok(Batch {
        tenant: row.get(1)?,
        state: BatchState::of(row.get(2)?),
        created_us: row.get(3)?,
        expires_us: row.get(4)?,
        ended_us: row.get(5)?,
        total: count(6)?,
        completed: count(7)?,
        failed: count(8)?,
        cancelled: count(9)?,
        expired: count(10)?,
        about: readable(opened(sealer, &place(&id), row.get(11)?))?.unwrap_or_default(),
        id,
    })
}

fn place(id: &str) -> String {
    format!("batch {id}")
}

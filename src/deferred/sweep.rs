//! Tidying: what waited too long expires, what was kept long enough goes. In small steps, so that nothing waits for it.
//!
//! What a reader could get wrong: a job that expires gets no text; what its client sees is made from its state.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::job::{JobId, Kind};
use super::store::Store;

/// Rows in a step.
const STEP: i64 = 256;

/// Free pages that are kept: 1 MiB.
const SPARE: i64 = 256;

/// Pages given back to the system in a step: each may have to be moved.
const PAGES: i64 = 512;

/// How long a file may take to be put.
const UNFINISHED_US: i64 = 24 * 3600 * 1_000_000;

/// What a step of tidying did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs that expired.
    pub expired: Vec<(JobId, Kind)>,
    /// Rows that are gone.
    pub removed: usize,
}

impl Swept {
    /// There may be more to do.
    pub fn is_full(&self) -> bool {
        !self.expired.is_empty() || self.removed > 0
    }
}

impl Store {
    /// One step. `keep_us`: how long finished jobs and ended batches are kept.
    pub async fn sweep(&self, now_us: i64, keep_us: i64) -> Result<Swept, Fault> {
        let before = now_us.saturating_sub(keep_us);
        let swept = self
            .write(move |db| {
                let mut select = db.prepare_cached("SELECT n, id, kind FROM jobs INDEXED BY jobs_expiring WHERE state = 0 AND expires_us <= ?1 LIMIT ?2")?;
                let due: Vec<(i64, String, i64)> =
                    select.query_map([now_us, STEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
                let mut expire = db.prepare_cached("UPDATE jobs SET state = 6, completed_us = ?2 WHERE n = ?1")?;
                for (n, _, _) in &due {
                    expire.execute([*n, now_us])?;
                }
                let mut removed = 0;
                for sql in [
                    // Jobs of a batch go after it: their results may not lie in its files yet.
                    "DELETE FROM jobs WHERE n IN (SELECT n FROM jobs WHERE completed_us < ?1 AND completed_us IS NOT NULL \
                     AND (batch IS NULL OR NOT EXISTS (SELECT 1 FROM batches WHERE batches.id = jobs.batch AND ended_us IS NULL)) \
                     LIMIT ?2)",
                    "DELETE FROM batches WHERE n IN (SELECT n FROM batches WHERE ended_us < ?1 LIMIT ?2)",
                ] {
                    removed += db.prepare_cached(sql)?.execute([before, STEP])?;
                }
                // Whoever finishes a batch takes its own time for its files, and the clock may leap meanwhile.
                removed += db
                    .prepare_cached(
                        "DELETE FROM files WHERE n IN (SELECT n FROM files WHERE (expires_us <= ?1 OR (state = 0 AND created_us < ?2)) \
                         AND NOT (purpose = 'batch_output' AND state = 0 AND EXISTS (SELECT 1 FROM batches \
                         WHERE batches.tenant = files.tenant AND batches.state IN (2, 5))) LIMIT ?3)",
                    )?
                    .execute(params![now_us, now_us - UNFINISHED_US, STEP])?;
                removed += chunks(db)?;
                shrink(db)?;
                let expired = due.into_iter().map(|(_, id, kind)| (JobId::named(&id), Kind::of(kind))).collect();
                Ok(Swept { expired, removed })
            })
            .await?;
        for (id, _) in &swept.expired {
            self.ring(id.as_str());
        }
        Ok(swept)
    }
}

/// Gives free pages back to the system, but for some that the next jobs take.
fn shrink(db: &Connection) -> Result<(), Fault> {
    let free: i64 = db.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
    if free <= SPARE {
        return Ok(());
    }
    let mut vacuum = db.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut steps = vacuum.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

/// Chunks of one file that is gone: 16 MiB in a step where they are of 64 KiB.
fn chunks(db: &Connection) -> Result<usize, Fault> {
    let gone = db.prepare_cached("SELECT n FROM gone LIMIT 1")?.query_row([], |row| row.get::<_, i64>(0)).optional()?;
    let Some(n) = gone else { return Ok(0) };
    let removed = db
        .prepare_cached(
            "DELETE FROM chunks WHERE n = ?1 AND chunk IN (SELECT chunk FROM chunks WHERE n = ?1 LIMIT ?2)",
        )?
        .execute([n, STEP])?;
    if (removed as i64) < STEP {
        db.prepare_cached("DELETE FROM gone WHERE n = ?1")?.execute([n])?;
    }
    // Never less than one: there may be another file.
    Ok(removed.max(1))
}

//! Leases: a job that was given to be executed comes back with a result, or without.
//!
//! What a reader could get wrong: whatever is done with a lease names it in the condition of its one statement. A lease that was taken
//! away (cancelled, deleted, queued again after a crash) changes nothing any more, and `false` says so.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::job::{Back, Kind, Lease, Outcome, Part};
use super::lanes::Return;
use super::rows::put_text;
use super::store::Store;
use crate::seal::{OVERHEAD, Sealer};

/// What waited for somebody who answers again goes on in such portions.
const HASTENED: i64 = 256;

/// In the column `unreached`: it waits for leave, not for somebody to answer.
const PAUSED: i64 = 2;

/// How a job is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Putting {
    pub why: Back,
    /// Not to begin before.
    pub not_before_us: i64,
    /// It would be so for every job of its lane: they wait with it.
    pub is_all: bool,
    /// Until when the lane waits, where it has to.
    pub lane_until_us: i64,
    /// It was looked at only, and is in no book: the next execution has its number.
    pub is_unseen: bool,
}

impl Store {
    /// When the next of the jobs that wait for a time may begin; `None`: none waits for one.
    pub async fn next_at(&self, now_us: i64) -> Result<Option<i64>, Fault> {
        let job = self
            .read(move |db| {
                let mut select = db.prepare_cached(
                    "SELECT min(not_before_us) FROM jobs INDEXED BY jobs_next WHERE state = 0 AND not_before_us > ?1",
                )?;
                Ok(select.query_row([now_us], |row| row.get::<_, Option<i64>>(0))?)
            })
            .await?;
        Ok(job.into_iter().chain(self.lanes().next_at(now_us)).min())
    }

    /// How often in a row the lane of this one (its tenant, kind, model, app, user and placement hint) had to wait.
    pub fn failures(&self, lease: &Lease) -> u32 {
        self.lanes().failures(lease.lane)
    }

    /// Whether this one was pushed back before, and others of its lane were answered since.
    pub fn is_alone(&self, lease: &Lease) -> bool {
        self.lanes().is_alone(lease.lane, lease.n)
    }

    /// Stores what a job came to; on the disk when this returns. `false`: the lease does not hold any more, and nothing was stored. Where
    /// somebody answered, what waited for that may begin too.
    pub async fn finish(&self, lease: &Lease, outcome: Outcome) -> Result<bool, Fault> {
        self.store(lease, outcome, Texts::Kept).await
    }

    /// The same, and what was asked, and answered before, is gone.
    pub async fn finish_and_forget(&self, lease: &Lease, outcome: Outcome) -> Result<bool, Fault> {
        self.store(lease, outcome, Texts::Gone).await
    }

    async fn store(&self, lease: &Lease, outcome: Outcome, texts: Texts) -> Result<bool, Fault> {
        let (held, sealer) = (lease.clone(), self.sealer().clone());
        let (reached, at_us) = (!outcome.placement.is_empty(), outcome.at_us);
        let stored = self.write(move |db| store_result(db, &sealer, &held, &outcome, texts)).await?;
        self.ring(lease.job.as_str());
        if self.lanes().done(lease.lane, lease.n, reached) {
            self.hasten_lane(lease.lane, at_us).await?;
        }
        Ok(stored)
    }

    async fn hasten_lane(&self, lane: i64, now_us: i64) -> Result<(), Fault> {
        self.write(move |db| {
            let mut update = db.prepare_cached(
                "UPDATE jobs SET not_before_us = 0 WHERE n IN (SELECT n FROM jobs INDEXED BY jobs_unreached WHERE state = 0 \
                 AND unreached = 1 AND lane = ?1 AND not_before_us > ?2 ORDER BY not_before_us LIMIT ?3)",
            )?;
            update.execute(params![lane, now_us, HASTENED])?;
            Ok(())
        })
        .await?;
        self.ring_ready();
        Ok(())
    }

    /// Puts a job back, not to begin before a time; where it could not be reached or has to wait, so it is for all of its lane. `false`: the lease
    /// does not hold any more.
    pub async fn give_back(&self, lease: &Lease, not_before_us: i64, why: Back) -> Result<bool, Fault> {
        let is_all = matches!(why, Back::Unreachable | Back::Paused);
        self.put_back(lease, Putting { why, not_before_us, is_all, lane_until_us: not_before_us, is_unseen: false })
            .await
    }

    /// Puts a job back. `false`: the lease does not hold any more.
    pub async fn put_back(&self, lease: &Lease, putting: Putting) -> Result<bool, Fault> {
        let Putting { why, not_before_us, is_all, lane_until_us: until_us, is_unseen } = putting;
        let held = lease.clone();
        // At once whatever the clock does.
        let not_before_us = if why == Back::Stopped { 0 } else { not_before_us };
        let given = self
            .write(move |db| {
                let mut update = db.prepare_cached(
                    "UPDATE jobs SET state = 0, lease = 0, not_before_us = ?3, attempts = attempts - ?4, postponed = postponed + ?5, \
                     unreached = ?6, executions = executions - ?7 \
                     WHERE n = ?1 AND state = 1 AND lease = ?2",
                )?;
                let (uncounted, postponed) = (i64::from(why != Back::Failed), i64::from(why != Back::Stopped));
                let unreached = match why {
                    Back::Unreachable => 1,
                    Back::Paused | Back::PushedBack => PAUSED,
                    Back::Failed | Back::Stopped => 0,
                };
                let given = update.execute(params![
                    held.n,
                    held.lease,
                    not_before_us,
                    uncounted,
                    postponed,
                    unreached,
                    i64::from(is_unseen)
                ])? > 0;
                if given {
                    forget_events(db, held.n)?;
                }
                Ok(given)
            })
            .await?;
        if given {
            self.lanes().back(lease.lane, Return { n: lease.n, why, is_all, until_us });
        }
        self.ring(lease.job.as_str());
        self.ring_ready();
        Ok(given)
    }

    /// What was given back because nobody could be reached may begin now: somebody is there again. At most `limit`, those first that would have
    /// begun first; how many.
    pub async fn hasten(&self, now_us: i64, limit: usize) -> Result<usize, Fault> {
        let hastened = self
            .write(move |db| {
                let mut update = db.prepare_cached(
                    "UPDATE jobs SET not_before_us = ?1 WHERE n IN (SELECT n FROM jobs INDEXED BY jobs_unreached WHERE state = 0 AND unreached = 1 \
                     AND not_before_us > ?1 ORDER BY not_before_us LIMIT ?2)",
                )?;
                Ok(update.execute(params![now_us, limit as i64])?)
            })
            .await?;
        self.lanes().hasten();
        self.ring_ready();
        Ok(hastened)
    }

    /// What waits for people (a budget, a key) may look at once: they may have changed something. All lanes, and of the jobs that wait by themselves
    /// at most `limit`, those first that would have begun first; how many.
    pub async fn look_again(&self, now_us: i64, limit: usize) -> Result<usize, Fault> {
        let hastened = self
            .write(move |db| {
                let mut update = db.prepare_cached(
                    "UPDATE jobs SET not_before_us = 0 WHERE n IN (SELECT n FROM jobs INDEXED BY jobs_next WHERE state = 0 AND unreached > 0 \
                     AND not_before_us > ?1 ORDER BY not_before_us LIMIT ?2)",
                )?;
                Ok(update.execute(params![now_us, limit as i64])?)
            })
            .await?;
        self.lanes().hasten();
        self.ring_ready();
        Ok(hastened)
    }

    /// How many jobs wait by themselves, for somebody to answer or for leave to begin.
    pub async fn paused(&self, now_us: i64) -> Result<usize, Fault> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT count(*) FROM jobs INDEXED BY jobs_next WHERE state = 0 AND unreached > 0 AND not_before_us > ?1",
            )?;
            Ok(select.query_row([now_us], |row| row.get::<_, i64>(0))?.max(0) as usize)
        })
        .await
    }

    /// Queues again what was running when the gateway died; how many. Only for the one process that executes jobs.
    pub async fn recover(&self) -> Result<u64, Fault> {
        let recovered = self
            .write(move |db| {
                let mut select = db.prepare("SELECT n FROM jobs WHERE state = 1")?;
                let running: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for n in &running {
                    db.prepare_cached("UPDATE jobs SET state = 0, lease = 0, not_before_us = 0 WHERE n = ?1")?
                        .execute([*n])?;
                    forget_events(db, *n)?;
                }
                Ok(running.len() as u64)
            })
            .await?;
        self.ring_ready();
        Ok(recovered)
    }

    /// Whether a lease still holds: asked before work is begun anew under it.
    pub async fn holds(&self, lease: &Lease) -> Result<bool, Fault> {
        let held = lease.clone();
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT 1 FROM jobs WHERE n = ?1 AND state = 1 AND lease = ?2")?;
            Ok(select.exists([held.n, held.lease])?)
        })
        .await
    }
}

/// What becomes of what was asked, when there is a result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// But for the lines of a batch: nobody asks for those again.
    Kept,
    Gone,
}

fn store_result(
    db: &Connection,
    sealer: &Sealer,
    lease: &Lease,
    outcome: &Outcome,
    texts: Texts,
) -> Result<bool, Fault> {
    let mut update = db.prepare_cached(
        "UPDATE jobs SET state = ?3, lease = 0, completed_us = ?4, status = ?5, model = ?6, placement = ?7, prompt_tokens = ?8, \
         completion_tokens = ?9, bytes = bytes + ?10 WHERE n = ?1 AND state = 1 AND lease = ?2",
    )?;
    let stored = update.execute(params![
        lease.n,
        lease.lease,
        outcome.state as i64,
        outcome.at_us,
        outcome.status,
        outcome.model,
        outcome.placement,
        outcome.prompt_tokens as i64,
        outcome.completion_tokens as i64,
        outcome.body.len() as i64
    ])?;
    if stored == 0 {
        return Ok(false);
    }
    put_text(db, sealer, lease.job.as_str(), lease.n, Part::Result, &outcome.body)?;
    if texts == Texts::Gone {
        forget_events(db, lease.n)?;
        forget_text(db, lease.n, Part::Edge)?;
    }
    let is_line =
        || db.prepare_cached("SELECT 1 FROM jobs WHERE n = ?1 AND kind = ?2")?.exists([lease.n, Kind::Batch as i64]);
    if texts == Texts::Gone || is_line()? {
        forget_text(db, lease.n, Part::Request)?;
    }
    Ok(true)
}

fn forget_text(db: &Connection, n: i64, part: Part) -> Result<(), Fault> {
    let length = db
        .prepare_cached("SELECT length(sealed) FROM texts WHERE n = ?1 AND part = ?2")?
        .query_row([n, part as i64], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(length) = length else { return Ok(()) };
    db.prepare_cached("DELETE FROM texts WHERE n = ?1 AND part = ?2")?.execute([n, part as i64])?;
    // Counted as it was before it was sealed.
    db.prepare_cached("UPDATE jobs SET bytes = bytes - ?2 WHERE n = ?1")?.execute([n, length - OVERHEAD as i64])?;
    Ok(())
}

/// Another execution begins anew; its events have higher numbers.
fn forget_events(db: &Connection, n: i64) -> Result<(), Fault> {
    let bytes: i64 = db
        .prepare_cached("SELECT coalesce(sum(length(sealed)), 0) FROM events WHERE n = ?1")?
        .query_row([n], |row| row.get(0))?;
    if bytes > 0 {
        db.prepare_cached("DELETE FROM events WHERE n = ?1")?.execute([n])?;
        db.prepare_cached("UPDATE jobs SET bytes = bytes - ?2 WHERE n = ?1")?.execute([n, bytes])?;
    }
    Ok(())
}

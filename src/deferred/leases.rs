//! Claims: a job is given to be executed, and comes back with a result, or without.
//!
//! What a reader could get wrong: whatever is done with a lease names it in the condition of its one statement. A lease that was taken
//! away (cancelled, deleted, queued again after a crash) changes nothing any more, and `false` says so.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::job::{Back, Claimed, JobId, Kind, Lease, Outcome, Part};
use super::rows::{asked, opened, place, put_text};
use super::store::Store;
use crate::seal::Sealer;

impl Store {
    /// Up to `limit` jobs that may begin now, each with a lease. Tenants take turns: the one with the fewest running comes first; of a
    /// tenant's jobs those that somebody polls for.
    pub async fn claim(&self, now_us: i64, limit: usize) -> Result<Vec<Claimed>, Fault> {
        let sealer = self.sealer().clone();
        self.write(move |db| {
            let mut claimed = vec![];
            while claimed.len() < limit
                && let Some(next) = claim_one(db, &sealer, now_us)?
            {
                claimed.push(next);
            }
            Ok(claimed)
        })
        .await
    }

    /// When the next of the jobs that wait may begin; `None`: none waits.
    pub async fn next_at(&self) -> Result<Option<i64>, Fault> {
        self.read(|db| {
            Ok(db.prepare_cached("SELECT min(not_before_us) FROM jobs WHERE state = 0")?.query_row([], |r| r.get(0))?)
        })
        .await
    }

    /// Stores what a job came to; on the disk when this returns. `false`: the lease does not hold any more, and nothing was stored.
    pub async fn finish(&self, lease: &Lease, outcome: Outcome) -> Result<bool, Fault> {
        let (held, sealer) = (lease.clone(), self.sealer().clone());
        let stored = self.write(move |db| store_result(db, &sealer, &held, &outcome)).await?;
        self.ring(lease.job.as_str());
        Ok(stored)
    }

    /// Puts a job back, not to begin before a time. `false`: the lease does not hold any more.
    pub async fn give_back(&self, lease: &Lease, not_before_us: i64, why: Back) -> Result<bool, Fault> {
        let held = lease.clone();
        let given = self
            .write(move |db| {
                let mut update = db.prepare_cached(
                    "UPDATE jobs SET state = 0, lease = 0, not_before_us = ?3, attempts = attempts - ?4, postponed = postponed + ?5, \
                     unreached = ?6 \
                     WHERE n = ?1 AND state = 1 AND lease = ?2",
                )?;
                let (uncounted, postponed) = (i64::from(why != Back::Failed), i64::from(why != Back::Stopped));
                let unreached = i64::from(why == Back::Unreachable);
                let given = update.execute(params![held.n, held.lease, not_before_us, uncounted, postponed, unreached])? > 0;
                if given {
                    forget_events(db, held.n)?;
                }
                Ok(given)
            })
            .await?;
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
                    "UPDATE jobs SET not_before_us = ?1 WHERE n IN (SELECT n FROM jobs WHERE state = 0 AND unreached = 1 \
                     AND not_before_us > ?1 ORDER BY not_before_us LIMIT ?2)",
                )?;
                Ok(update.execute(params![now_us, limit as i64])?)
            })
            .await?;
        if hastened > 0 {
            self.ring_ready();
        }
        Ok(hastened)
    }

    /// Queues again what was running when the gateway died; how many. Only for the one process that executes jobs.
    pub async fn recover(&self, now_us: i64) -> Result<u64, Fault> {
        let recovered = self
            .write(move |db| {
                let mut select = db.prepare("SELECT n FROM jobs WHERE state = 1")?;
                let running: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for n in &running {
                    db.prepare_cached("UPDATE jobs SET state = 0, lease = 0, not_before_us = ?2 WHERE n = ?1")?
                        .execute([*n, now_us])?;
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

/// The tenants with jobs that wait, found by leaps through the index, those with the fewest running first.
const TENANTS: &str = "
WITH RECURSIVE waiting (tenant) AS (
  SELECT min(tenant) FROM jobs WHERE state = 0
  UNION ALL SELECT (SELECT min(tenant) FROM jobs WHERE state = 0 AND tenant > waiting.tenant) FROM waiting WHERE tenant IS NOT NULL)
SELECT tenant FROM waiting WHERE tenant IS NOT NULL
ORDER BY (SELECT coalesce(sum(rows), 0) FROM totals WHERE totals.tenant = waiting.tenant AND state = 1), tenant";

fn claim_one(db: &Connection, sealer: &Sealer, now_us: i64) -> Result<Option<Claimed>, Fault> {
    let mut tenants = db.prepare_cached(TENANTS)?;
    let tenants: Vec<String> = tenants.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for tenant in &tenants {
        for kind in Kind::ALL {
            let mut select = db.prepare_cached(
                "SELECT n FROM jobs WHERE state = 0 AND tenant = ?1 AND kind = ?2 AND not_before_us <= ?3 AND expires_us > ?3 \
                 ORDER BY not_before_us LIMIT 1",
            )?;
            let found = select.query_row(params![tenant, kind as i64, now_us], |row| row.get(0)).optional()?;
            if let Some(n) = found {
                return take(db, sealer, n, now_us).map(Some);
            }
        }
    }
    Ok(None)
}

fn take(db: &Connection, sealer: &Sealer, n: i64, now_us: i64) -> Result<Claimed, Fault> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| Fault::Broken("the system has no random bytes to give".into()))?;
    // Never 0, which is nobody's.
    let lease = i64::from_le_bytes(random) | 1;
    db.prepare_cached(
        "UPDATE jobs SET state = 1, lease = ?2, attempts = attempts + 1, started_us = coalesce(started_us, ?3) WHERE n = ?1",
    )?
    .execute([n, lease, now_us])?;
    let mut select = db.prepare_cached(
        "SELECT id, kind, tenant, batch, asked, sealed, attempts, created_us, expires_us, next_event, postponed \
         FROM jobs JOIN texts USING (n) WHERE n = ?1 AND part = 0",
    )?;
    let mut rows = select.query([n])?;
    let row = rows.next()?.ok_or_else(|| Fault::Broken("a job has no request".into()))?;
    let id: String = row.get(0)?;
    Ok(Claimed {
        kind: Kind::of(row.get(1)?),
        tenant: row.get(2)?,
        batch: row.get(3)?,
        asked: asked(sealer, &id, row.get(4)?)?,
        body: opened(sealer, &place(&id, Part::Request), row.get(5)?)?,
        attempts: row.get(6)?,
        created_us: row.get(7)?,
        expires_us: row.get(8)?,
        next_event: row.get(9)?,
        postponed: row.get(10)?,
        lease: Lease { job: JobId::named(&id), n, lease },
    })
}

fn store_result(db: &Connection, sealer: &Sealer, lease: &Lease, outcome: &Outcome) -> Result<bool, Fault> {
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
    Ok(true)
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

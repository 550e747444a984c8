//! Which job is next: tenants take turns, lanes wait together, and what cannot be read is passed over.
//!
//! What a reader could get wrong: a job whose text does not open is failed here, in the same transaction. It must not be found again: it would
//! be the next one for ever, and nobody's job would be done any more.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use super::job::{Asked, Claimed, JobId, Kind, Lease, Part};
use super::lanes::{Door, LONGEST_PAUSE_US, Lanes, lane};
use super::rows::{asked, opened, place, put_text, unreadable};
use super::store::{Limits, Store};
use crate::seal::Sealer;

impl Store {
    /// As [`Store::claim_fairly`], without a bound for one tenant.
    pub async fn claim(&self, now_us: i64, limit: usize) -> Result<Vec<Claimed>, Fault> {
        self.claim_fairly(now_us, limit, usize::MAX).await
    }

    /// Up to `limit` jobs that may begin now, each with a lease. Tenants take turns: the one with the fewest running comes first, and none
    /// gets more than `each`; of a tenant's jobs those that somebody polls for. A tenant whose requests and answers take a quarter more space
    /// than it may have gets none until some are deleted.
    pub async fn claim_fairly(&self, now_us: i64, limit: usize, each: usize) -> Result<Vec<Claimed>, Fault> {
        let (store, limits) = (self.clone(), self.limits());
        self.write(move |db| {
            let mut claimed = vec![];
            let turn = Turn { db, sealer: store.sealer(), lanes: store.lanes(), limits, each, now_us };
            while claimed.len() < limit
                && let Some(next) = turn.next()?
            {
                claimed.push(next);
            }
            Ok(claimed)
        })
        .await
    }
}

struct Turn<'s> {
    db: &'s Connection,
    sealer: &'s Sealer,
    lanes: &'s Lanes,
    limits: Limits,
    each: usize,
    now_us: i64,
}

/// The tenants with jobs that wait, found by leaps through the index, those with the fewest running first; and their bytes.
const TENANTS: &str = "
WITH RECURSIVE waiting (tenant) AS (
  SELECT min(tenant) FROM jobs INDEXED BY jobs_ready WHERE state = 0
  UNION ALL SELECT (SELECT min(tenant) FROM jobs INDEXED BY jobs_ready WHERE state = 0 AND tenant > waiting.tenant)
    FROM waiting WHERE tenant IS NOT NULL)
SELECT tenant, (SELECT coalesce(sum(rows), 0) FROM totals WHERE totals.tenant = waiting.tenant AND state = 1) AS running,
  (SELECT coalesce(sum(bytes), 0) FROM totals WHERE totals.tenant = waiting.tenant)
FROM waiting WHERE tenant IS NOT NULL ORDER BY running, tenant";

/// The next lanes of a tenant with jobs of a kind that wait.
const LANES: &str = "
WITH RECURSIVE waiting (lane) AS (
  SELECT min(lane) FROM jobs INDEXED BY jobs_ready WHERE state = 0 AND tenant = ?1 AND kind = ?2 AND lane > ?3
  UNION ALL SELECT (SELECT min(lane) FROM jobs INDEXED BY jobs_ready WHERE state = 0 AND tenant = ?1 AND kind = ?2 AND lane > waiting.lane)
    FROM waiting WHERE lane IS NOT NULL LIMIT ?4)
SELECT lane FROM waiting WHERE lane IS NOT NULL";

/// So many lanes are compared, to do first what was accepted first; more (users have their own) take turns.
const FEW: usize = 64;
/// Lanes that are looked through for one that is open: the rest at the next look.
const MOST: usize = 4_096;

/// In a lane: what has waited, what may begin at once, and what waits for a time that only a clock that was set back can have written.
const READY: [&str; 3] = ["not_before_us BETWEEN 1 AND ?4", "not_before_us = 0", "not_before_us > ?4 + 900000000"];
const _: () = assert!(LONGEST_PAUSE_US == 900_000_000, "as it stands in `READY`");

impl Turn<'_> {
    fn next(&self) -> Result<Option<Claimed>, Fault> {
        let all: i64 =
            self.db.prepare_cached("SELECT coalesce(sum(bytes), 0) FROM totals")?.query_row([], |r| r.get(0))?;
        if is_over(all, self.limits.bytes) {
            return Ok(None);
        }
        let mut select = self.db.prepare_cached(TENANTS)?;
        let tenants = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let tenants: Vec<(String, i64, i64)> = tenants.collect::<Result<_, _>>()?;
        for (tenant, running, bytes) in &tenants {
            let has_enough = usize::try_from(*running).is_ok_and(|running| running >= self.each);
            if has_enough || is_over(*bytes, self.limits.bytes_per_tenant) {
                continue;
            }
            for kind in Kind::ALL {
                while let Some((n, _)) = self.first(tenant, kind)? {
                    if let Some(claimed) = self.take(n)? {
                        return Ok(Some(claimed));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Of a tenant's jobs of a kind that may begin: the one that was accepted first, or where there are many lanes the first of the lane whose
    /// turn it is; and its lane.
    fn first(&self, tenant: &str, kind: Kind) -> Result<Option<(i64, i64)>, Fault> {
        let all = self.lanes_after(tenant, kind, i64::MIN, FEW + 1)?;
        if all.len() <= FEW {
            let mut first: Option<(i64, i64)> = None;
            for lane in all {
                first = first.into_iter().chain(self.first_of(tenant, kind, lane)?).min();
            }
            return Ok(first);
        }
        let began = self.lanes.turn();
        let (mut after, mut wrapped) = (began, false);
        for _ in 0..MOST / FEW {
            let some = self.lanes_after(tenant, kind, after, FEW)?;
            for lane in &some {
                after = *lane;
                if let Some(first) = self.first_of(tenant, kind, after)? {
                    self.lanes.set_turn(after);
                    return Ok(Some(first));
                }
            }
            match (some.len() < FEW, wrapped) {
                (true, false) => (after, wrapped) = (i64::MIN, true),
                (true, true) => break,
                (false, _) if wrapped && after > began => break,
                (false, _) => {}
            }
        }
        self.lanes.set_turn(after);
        Ok(None)
    }

    fn lanes_after(&self, tenant: &str, kind: Kind, after: i64, most: usize) -> Result<Vec<i64>, Fault> {
        let mut select = self.db.prepare_cached(LANES)?;
        let lanes = select.query_map(params![tenant, kind as i64, after, most as i64], |row| row.get(0))?;
        Ok(lanes.collect::<Result<_, _>>()?)
    }

    /// The job of a lane that may begin, and the lane.
    fn first_of(&self, tenant: &str, kind: Kind, lane: i64) -> Result<Option<(i64, i64)>, Fault> {
        let order = match self.door(lane)? {
            Door::Shut => return Ok(None),
            Door::Open => [0, 1, 2],
            // What kept the others may be theirs alone: one that was not tried yet is sent ahead.
            Door::Ajar(_) => [1, 0, 2],
        };
        for ready in order.map(|at| READY[at]) {
            let sql = format!(
                "SELECT n FROM jobs INDEXED BY jobs_ready WHERE state = 0 AND tenant = ?1 AND kind = ?2 AND lane = ?3 AND {ready} \
                 AND expires_us > ?4 ORDER BY not_before_us, n LIMIT 1"
            );
            let mut select = self.db.prepare_cached(&sql)?;
            let given = params![tenant, kind as i64, lane, self.now_us];
            let found: Option<i64> = select.query_row(given, |row| row.get(0)).optional()?;
            if let Some(n) = found {
                return Ok(Some((n, lane)));
            }
        }
        Ok(None)
    }

    fn door(&self, lane: i64) -> Result<Door, Fault> {
        match self.lanes.door(lane, self.now_us) {
            Door::Ajar(Some(n)) => {
                // Cancelled or deleted, it has told nobody.
                let runs = self.db.prepare_cached("SELECT 1 FROM jobs WHERE n = ?1 AND state = 1")?.exists([n])?;
                Ok(if runs { Door::Shut } else { Door::Ajar(None) })
            }
            door => Ok(door),
        }
    }

    /// `None`: it cannot be read, and has failed.
    fn take(&self, n: i64) -> Result<Option<Claimed>, Fault> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Fault::Broken("the system has no random bytes to give".into()))?;
        // Never 0, which is nobody's.
        let lease = i64::from_le_bytes(random) | 1;
        match self.read(n, lease) {
            Ok(claimed) => {
                self.db
                    .prepare_cached(
                        "UPDATE jobs SET state = 1, lease = ?2, attempts = attempts + 1, executions = executions + 1, lane = ?4, \
                         started_us = coalesce(started_us, ?3) WHERE n = ?1",
                    )?
                    .execute([n, lease, self.now_us, claimed.lease.lane])?;
                self.lanes.begun(claimed.lease.lane, n);
                Ok(Some(claimed))
            }
            Err(Fault::Unreadable(why)) => {
                let id: String =
                    self.db.prepare_cached("SELECT id FROM jobs WHERE n = ?1")?.query_row([n], |row| row.get(0))?;
                tracing::error!(job = id, "a deferred request has failed: {why}");
                self.db
                    .prepare_cached("UPDATE jobs SET state = 4, lease = 0, completed_us = ?2 WHERE n = ?1")?
                    .execute([n, self.now_us])?;
                self.db
                    .prepare_cached("DELETE FROM texts WHERE n = ?1 AND part = ?2")?
                    .execute([n, Part::Result as i64])?;
                put_text(self.db, self.sealer, &id, n, Part::Result, &unreadable())?;
                Ok(None)
            }
            Err(broken) => Err(broken),
        }
    }

    fn read(&self, n: i64, lease: i64) -> Result<Claimed, Fault> {
        let mut select = self.db.prepare_cached(
            "SELECT id, kind, tenant, batch, asked, sealed, attempts + 1, created_us, expires_us, next_event, postponed, executions + 1 \
             FROM jobs JOIN texts USING (n) WHERE n = ?1 AND part = 0",
        )?;
        let mut rows = select.query([n])?;
        let row = rows.next()?.ok_or_else(|| Fault::Unreadable("its text is gone".into()))?;
        let id: String = row.get(0)?;
        let (kind, tenant): (Kind, String) = (Kind::of(row.get(1)?), row.get(2)?);
        let asked: Asked = asked(self.sealer, &id, row.get(4)?)?;
        let body = opened(self.sealer, &place(&id, Part::Request), row.get(5)?)?;
        // An earlier version put it into a wider one.
        let lane = lane(&tenant, kind, &asked, &body);
        Ok(Claimed {
            kind,
            tenant,
            batch: row.get(3)?,
            asked,
            body,
            attempts: row.get(6)?,
            created_us: row.get(7)?,
            expires_us: row.get(8)?,
            next_event: row.get(9)?,
            postponed: row.get(10)?,
            executions: row.get(11)?,
            lease: Lease { job: JobId::named(&id), n, lease, lane },
        })
    }
}

/// What is under way may pass the bound; from so far beyond it nothing more is begun.
fn is_over(bytes: i64, bound: u64) -> bool {
    u64::try_from(bytes).is_ok_and(|bytes| bytes > bound.saturating_add(bound / 4))
}

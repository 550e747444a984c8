//! What is kept no longer: single requests first, hourly sums where a time is set for them.
//!
//! What a reader could get wrong: an hour is marked before its first request goes, because from then on only its sums are complete.

use rusqlite::{OptionalExtension as _, params};

use super::Sqlite;
use crate::ledger::store::error::StoreError;
use crate::ledger::store::measure::HOUR_US;

/// Requests that go in one transaction: about a millisecond of the writer's time.
const STEP: i64 = 1_000;

impl Sqlite {
    /// One step: deletes some of what came before the hours `keep` (single requests) and `keep_hourly` (sums). True if there may be
    /// more.
    pub fn prune(&mut self, keep: i64, keep_hourly: Option<i64>) -> Result<bool, StoreError> {
        // The sums must hold what goes.
        self.roll()?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.prune_requests(keep).and_then(|more| match keep_hourly {
            Some(hour) if !more => self.prune_sums(hour),
            _ => Ok(more),
        });
        self.finish(done)
    }

    fn prune_requests(&self, before: i64) -> Result<bool, StoreError> {
        let connection = &self.connection;
        let sql =
            "SELECT hour, first_id, last_id FROM spans WHERE hour < ?1 AND first_id <= last_id ORDER BY hour LIMIT 1";
        let mut select = connection.prepare_cached(sql)?;
        let next = select.query_row([before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((hour, first, last)): Option<(i64, i64, i64)> = next else { return Ok(false) };
        // Ids of other hours may lie between: the step is counted over all, so that it stays short.
        let sql = "SELECT max(id) FROM (SELECT id FROM requests WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3)";
        let upto: Option<i64> = connection.prepare_cached(sql)?.query_row([first, last, STEP], |row| row.get(0))?;
        let upto = upto.unwrap_or(last);
        let bounds = [first, upto, hour * HOUR_US, (hour + 1) * HOUR_US];
        let attempts = "DELETE FROM attempts WHERE request BETWEEN ?1 AND ?2 AND at >= ?3 AND at < ?4";
        connection.prepare_cached(attempts)?.execute(bounds)?;
        let requests = "DELETE FROM requests WHERE id BETWEEN ?1 AND ?2 AND at >= ?3 AND at < ?4";
        connection.prepare_cached(requests)?.execute(bounds)?;
        // An empty span, should a late request of this hour come, becomes that request's.
        let (first, last) = if upto < last { (upto + 1, last) } else { (i64::MAX, 0) };
        let mark = "UPDATE spans SET pruned = 1, first_id = ?2, last_id = ?3 WHERE hour = ?1";
        connection.prepare_cached(mark)?.execute(params![hour, first, last])?;
        Ok(true)
    }

    fn prune_sums(&self, before: i64) -> Result<bool, StoreError> {
        let connection = &self.connection;
        let oldest = "SELECT min(hour) FROM spans WHERE hour < ?1";
        let hour: Option<i64> = connection.prepare_cached(oldest)?.query_row([before], |row| row.get(0))?;
        let Some(hour) = hour else { return Ok(false) };
        connection.prepare_cached("DELETE FROM hourly WHERE hour = ?1")?.execute([hour])?;
        connection.prepare_cached("DELETE FROM spans WHERE hour = ?1")?.execute([hour])?;
        Ok(true)
    }
}

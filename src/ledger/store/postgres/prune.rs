//! What is kept no longer in Postgres: the same steps as in SQLite, one transaction each.
//!
//! What a reader could get wrong: a step takes its turn with the writers of all gateways, so it must stay short.

use postgres::{Client, Transaction};

use super::write::TURN;
use crate::ledger::store::error::StoreError;
use crate::ledger::store::measure::HOUR_US;

/// Requests that go in one transaction: some milliseconds.
const STEP: i64 = 1_000;

/// See [`crate::ledger::store::sqlite::Sqlite::prune`].
pub fn step(client: &mut Client, keep: i64, keep_hourly: Option<i64>) -> Result<bool, StoreError> {
    let mut transaction = client.transaction()?;
    transaction.query_one(TURN, &[])?;
    let more = match (requests(&mut transaction, keep)?, keep_hourly) {
        (false, Some(hour)) => sums(&mut transaction, hour)?,
        (more, _) => more,
    };
    transaction.commit()?;
    Ok(more)
}

fn requests(transaction: &mut Transaction<'_>, before: i64) -> Result<bool, StoreError> {
    let next =
        "SELECT hour, first_id, last_id FROM spans WHERE hour < $1 AND first_id <= last_id ORDER BY hour LIMIT 1";
    let Some(row) = transaction.query_opt(next, &[&before])? else { return Ok(false) };
    let (hour, first, last): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let step = "SELECT max(id) FROM (SELECT id FROM requests WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3) AS step";
    let upto: Option<i64> = transaction.query_one(step, &[&first, &last, &STEP])?.get(0);
    let upto = upto.unwrap_or(last);
    let (begin, end) = (hour * HOUR_US, (hour + 1) * HOUR_US);
    let attempts = "DELETE FROM attempts WHERE request BETWEEN $1 AND $2 AND at >= $3 AND at < $4";
    transaction.execute(attempts, &[&first, &upto, &begin, &end])?;
    let requests = "DELETE FROM requests WHERE id BETWEEN $1 AND $2 AND at >= $3 AND at < $4";
    transaction.execute(requests, &[&first, &upto, &begin, &end])?;
    let (first, last) = if upto < last { (upto + 1, last) } else { (i64::MAX, 0) };
    let mark = "UPDATE spans SET pruned = 1, first_id = $2, last_id = $3 WHERE hour = $1";
    transaction.execute(mark, &[&hour, &first, &last])?;
    Ok(true)
}

fn sums(transaction: &mut Transaction<'_>, before: i64) -> Result<bool, StoreError> {
    let oldest: Option<i64> = transaction.query_one("SELECT min(hour) FROM spans WHERE hour < $1", &[&before])?.get(0);
    let Some(hour) = oldest else { return Ok(false) };
    transaction.execute("DELETE FROM hourly WHERE hour = $1", &[&hour])?;
    transaction.execute("DELETE FROM spans WHERE hour = $1", &[&hour])?;
    Ok(true)
}

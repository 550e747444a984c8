//! The tables.
//!
//! What a reader could get wrong: `totals` is kept by triggers, so that no path can forget it: jobs and bytes by tenant and state, and
//! files under the state [`FILES`]. Bounds and gauges read it; nothing counts rows.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::fault::Fault;

/// The version of the tables. Earlier ones are brought up to it; a later one is refused: what was accepted is not thrown away.
const VERSION: i64 = 2;

/// The row of `totals` that files are counted under.
pub(super) const FILES: i64 = 100;

const TABLES: &str = "
CREATE TABLE about (secret BLOB NOT NULL);
CREATE TABLE jobs (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, tenant TEXT NOT NULL, batch TEXT,
  state INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, postponed INTEGER NOT NULL DEFAULT 0, unreached INTEGER NOT NULL DEFAULT 0,
  executions INTEGER NOT NULL DEFAULT 0,
  lease INTEGER NOT NULL DEFAULT 0, lane INTEGER NOT NULL,
  created_us INTEGER NOT NULL, started_us INTEGER, completed_us INTEGER, not_before_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL, bytes INTEGER NOT NULL, next_event INTEGER NOT NULL DEFAULT 0,
  status INTEGER NOT NULL DEFAULT 0, model TEXT NOT NULL DEFAULT '', placement TEXT NOT NULL DEFAULT '',
  prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0, asked BLOB NOT NULL);
CREATE INDEX jobs_ready ON jobs (state, tenant, kind, lane, not_before_us);
CREATE INDEX jobs_next ON jobs (not_before_us) WHERE state = 0;
CREATE INDEX jobs_oldest ON jobs (created_us) WHERE state = 0;
CREATE INDEX jobs_unreached ON jobs (not_before_us) WHERE state = 0 AND unreached = 1;
CREATE INDEX jobs_expiring ON jobs (expires_us) WHERE state = 0;
CREATE INDEX jobs_kept ON jobs (completed_us) WHERE completed_us IS NOT NULL;
CREATE INDEX jobs_batch ON jobs (batch, n) WHERE batch IS NOT NULL;
CREATE TABLE texts (n INTEGER NOT NULL, part INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (n, part));
CREATE TABLE events (n INTEGER NOT NULL, event INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (n, event));
CREATE TABLE files (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, purpose TEXT NOT NULL,
  state INTEGER NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER, length INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL, name BLOB NOT NULL);
CREATE INDEX files_tenant ON files (tenant, n);
CREATE INDEX files_expiring ON files (expires_us) WHERE expires_us IS NOT NULL;
CREATE TABLE chunks (n INTEGER NOT NULL, chunk INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (n, chunk));
CREATE TABLE gone (n INTEGER PRIMARY KEY);
CREATE TABLE batches (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, state INTEGER NOT NULL,
  created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, ended_us INTEGER,
  total INTEGER NOT NULL DEFAULT 0, completed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0, expired INTEGER NOT NULL DEFAULT 0, about BLOB NOT NULL);
CREATE INDEX batches_tenant ON batches (tenant, n);
CREATE INDEX batches_state ON batches (state);
CREATE TABLE totals (
  tenant TEXT NOT NULL, state INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (tenant, state));
";

const TRIGGERS: &str = "
CREATE TRIGGER jobs_in AFTER INSERT ON jobs BEGIN
  INSERT INTO totals VALUES (NEW.tenant, NEW.state, 1, NEW.bytes)
    ON CONFLICT DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
  UPDATE batches SET total = total + 1 WHERE id = NEW.batch;
END;
CREATE TRIGGER jobs_out AFTER DELETE ON jobs BEGIN
  UPDATE totals SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant AND state = OLD.state;
  DELETE FROM texts WHERE n = OLD.n;
  DELETE FROM events WHERE n = OLD.n;
END;
CREATE TRIGGER jobs_moved AFTER UPDATE OF state, bytes ON jobs BEGIN
  UPDATE totals SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant AND state = OLD.state;
  INSERT INTO totals VALUES (NEW.tenant, NEW.state, 1, NEW.bytes)
    ON CONFLICT DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER batches_count AFTER UPDATE OF state ON jobs WHEN NEW.batch IS NOT NULL AND NEW.state <> OLD.state BEGIN
  UPDATE batches SET completed = completed + (NEW.state IN (3, 7)) - (OLD.state IN (3, 7)),
    failed = failed + (NEW.state = 4) - (OLD.state = 4), cancelled = cancelled + (NEW.state = 5) - (OLD.state = 5),
    expired = expired + (NEW.state = 6) - (OLD.state = 6) WHERE id = NEW.batch;
END;
CREATE TRIGGER files_in AFTER INSERT ON files BEGIN
  INSERT INTO totals VALUES (NEW.tenant, 100, 1, NEW.bytes)
    ON CONFLICT DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER files_moved AFTER UPDATE OF bytes ON files BEGIN
  UPDATE totals SET bytes = bytes + NEW.bytes - OLD.bytes WHERE tenant = NEW.tenant AND state = 100;
END;
CREATE TRIGGER files_out AFTER DELETE ON files BEGIN
  UPDATE totals SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant AND state = 100;
  INSERT INTO gone VALUES (OLD.n);
END;
";

/// From version 1: executions were told by those that count.
const COUNT_EXECUTIONS: &str = "
ALTER TABLE jobs ADD COLUMN executions INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET executions = attempts + postponed;
";

/// Makes the tables, or finds them as this program knows them.
pub(super) fn prepare(db: &mut Connection, check: [u8; 16]) -> Result<(), Fault> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(TRIGGERS)?;
            transaction.execute("INSERT INTO about VALUES (?1)", [&check[..]])?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        1..=VERSION => {
            let found: Option<Vec<u8>> =
                transaction.query_row("SELECT secret FROM about", [], |row| row.get(0)).optional()?;
            if found.as_deref() != Some(&check) {
                return Err(Fault::Broken(
                    "it was sealed under another key: put the `key` that belongs to it back beside it, or move both away".into(),
                ));
            }
            if version == 1 {
                transaction.execute_batch(COUNT_EXECUTIONS)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
        }
        other => {
            return Err(Fault::Broken(format!(
                "its tables are version {other}, this program knows {VERSION}: run the tidegate that wrote it"
            )));
        }
    }
    Ok(transaction.commit()?)
}

//! The ledger in a SQLite file: one connection that writes, any number that read.
//!
//! What a reader could get wrong: the hourly sums lag behind the rows on purpose (`rolled` in `meta` is the last row in them), so that
//! a sum is written once in thousands of rows; whoever reads adds the rows after it.

mod prune;
pub mod read;
mod rows;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::kinds::Kinds;
use super::measure::{self, Measured, Sums};
use super::schema::{self, Dialect};
use crate::ledger::entry::{Entry, Position};
use rows::{Insert, attempt_row, insert_attempt, insert_request, number, request_row, upsert_sums};

/// Rows after which the sums are written: a reader goes through as many in a few milliseconds.
const ROLL_ROWS: i64 = 8_192;

/// The same for many different sums, which are held in memory (170 bytes each) until then.
const ROLL_SUMS: usize = 4_096;

/// How long the lock of another program (somebody's `sqlite3`) is waited for.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Pages in the write-ahead log after which they are copied to their place: 16 MiB. The tables' last pages change with every batch
/// and are copied once a time; more saves nothing, and less copies them more often.
const CHECKPOINT_PAGES: i64 = 4_096;

type Fast<K, V> = HashMap<K, V, RandomState>;

#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    kinds: Kinds,
    /// Where the database stands in the journal of each process.
    positions: Fast<u64, Position>,
    next_id: i64,
    /// Sums of the rows after `rolled`, by hour and kind.
    pending: Fast<(i64, i64), Sums>,
    rolled: i64,
    /// After a failure: what is in memory may be ahead of the database.
    stale: bool,
}

impl Sqlite {
    /// Opens the file, makes it if it is not there.
    pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
        let named = |e: rusqlite::Error| StoreError::from(e).doing(path.display());
        make(path).map_err(|e| {
            StoreError::lasting(format!(
                "{}: {e}; `data_dir` must be a directory that this user may write",
                path.display()
            ))
        })?;
        let connection = Connection::open(path).map_err(named)?;
        connection.busy_timeout(BUSY).map_err(named)?;
        // Synchronous NORMAL: a power cut may take the last transactions, never the file; the journal brings them again.
        let settings = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
             PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF"
        );
        connection.execute_batch(&settings).map_err(named)?;
        connection.set_prepared_statement_cache_capacity(32);
        let mut store = Sqlite {
            connection,
            kinds: Kinds::default(),
            positions: HashMap::default(),
            next_id: 1,
            pending: HashMap::default(),
            rolled: 0,
            stale: true,
        };
        let ready = store.migrate().and_then(|()| store.resume());
        ready.map_err(|e| e.doing(path.display()))?;
        Ok(store)
    }

    fn migrate(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = (|| {
            self.connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
            )?;
            let version = meta(&self.connection, "schema")?.unwrap_or(0);
            for step in schema::pending(Dialect::Sqlite, version)? {
                self.connection.execute_batch(&step)?;
            }
            self.set_meta("schema", schema::VERSION)
        })();
        self.finish(done)
    }

    /// Reads where the database stands, and writes the sums that the process before could not.
    fn resume(&mut self) -> Result<(), StoreError> {
        self.kinds.clear();
        self.pending.clear();
        self.positions = positions(&self.connection)?.into_iter().map(|position| (position.boot, position)).collect();
        self.rolled = meta(&self.connection, "rolled")?.unwrap_or(0);
        let last: Option<i64> = self.connection.query_row("SELECT max(id) FROM requests", [], |row| row.get(0))?;
        // All rows may have been pruned: their numbers are not given again, the sums hold them.
        self.next_id = last.unwrap_or(0).max(self.rolled) + 1;
        let mut pending = std::mem::take(&mut self.pending);
        read::unrolled(&self.connection, self.rolled, &mut |hour, kind, sums| {
            pending.entry((hour, kind)).or_default().add(sums);
        })?;
        self.pending = pending;
        self.stale = false;
        Ok(())
    }

    /// See [`super::Store::append`].
    pub fn append<'e>(&mut self, batch: impl Iterator<Item = (Position, Entry<'e>)>) -> Result<u64, StoreError> {
        self.fresh()?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.write(batch);
        let (moved, rows) = self.settle(done)?;
        self.positions.extend(moved);
        Ok(rows)
    }

    /// Writes the sums of all rows that are not in them yet.
    pub fn roll(&mut self) -> Result<(), StoreError> {
        self.fresh()?;
        if self.rolled + 1 == self.next_id {
            return Ok(());
        }
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.write_sums();
        self.settle(done)
    }

    pub fn position(&self, boot: u64) -> Option<Position> {
        self.positions.get(&boot).copied()
    }

    pub fn positions(&self) -> Vec<Position> {
        self.positions.values().copied().collect()
    }

    pub fn forget(&mut self, boot: u64) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM journal WHERE boot = ?1", [boot as i64])?;
        self.positions.remove(&boot);
        Ok(())
    }

    /// For questions.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    fn fresh(&mut self) -> Result<(), StoreError> {
        if self.stale { self.resume() } else { Ok(()) }
    }

    /// Commits, or rolls back and notes that memory is no longer what the database holds.
    fn settle<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let done = self.finish(done);
        self.stale = done.is_err();
        done
    }

    fn finish<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let done = done.and_then(|value| {
            self.connection.execute_batch("COMMIT")?;
            Ok(value)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            // Where even this fails the connection rolls back by itself with its next statement.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        done
    }

    fn set_meta(&self, name: &str, value: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.prepare_cached(sql)?.execute(params![name, value])?;
        Ok(())
    }

    fn write<'e>(
        &mut self,
        batch: impl Iterator<Item = (Position, Entry<'e>)>,
    ) -> Result<(Fast<u64, Position>, u64), StoreError> {
        let (mut moved, mut spans) = (Fast::<u64, Position>::default(), Fast::<i64, (i64, i64)>::default());
        let first = self.next_id;
        {
            let mut requests = Insert::new(&self.connection, &insert_request())?;
            let mut attempts = None;
            for (position, entry) in batch {
                let known = match moved.entry(position.boot) {
                    Slot::Occupied(slot) => slot.into_mut(),
                    Slot::Vacant(slot) => slot.insert(self.positions.get(&position.boot).copied().unwrap_or_default()),
                };
                if (position.segment, position.offset) <= (known.segment, known.offset) {
                    continue;
                }
                *known = position;
                let (id, hour) = (self.next_id, measure::hour(entry.at));
                self.next_id += 1;
                spans.entry(hour).or_insert((id, id)).1 = id;
                if entry.attempts.len() > 1 {
                    let attempts = match &mut attempts {
                        Some(attempts) => attempts,
                        none => none.insert(Insert::new(&self.connection, &insert_attempt())?),
                    };
                    for (n, measured) in measure::earlier(&entry).enumerate() {
                        let kind = number(&mut self.kinds, &self.connection, &measured.kind)?;
                        attempt_row(attempts, id, n as i64 + 1, entry.at, kind, &measured)?;
                        add(&mut self.pending, hour, kind, &measured);
                    }
                }
                let measured = measure::request(&entry);
                let kind = number(&mut self.kinds, &self.connection, &measured.kind)?;
                // Only the first is given its number: SQLite counts on from it, and appends without a search.
                request_row(&mut requests, (id == first).then_some(id), &entry, kind, &measured)?;
                add(&mut self.pending, hour, kind, &measured);
            }
        }
        self.write_spans(&spans)?;
        self.write_positions(&moved)?;
        if self.next_id - self.rolled > ROLL_ROWS || self.pending.len() > ROLL_SUMS {
            self.write_sums()?;
        }
        Ok((moved, (self.next_id - first) as u64))
    }

    fn write_spans(&self, spans: &Fast<i64, (i64, i64)>) -> Result<(), StoreError> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO spans VALUES (?1, ?2, ?3, 0) ON CONFLICT (hour) DO UPDATE SET \
             first_id = min(first_id, excluded.first_id), last_id = max(last_id, excluded.last_id)",
        )?;
        spans.iter().try_for_each(|(hour, (first, last))| upsert.execute([hour, first, last]).map(drop))?;
        Ok(())
    }

    fn write_positions(&self, moved: &Fast<u64, Position>) -> Result<(), StoreError> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO journal VALUES (?1, ?2, ?3) ON CONFLICT (boot) DO UPDATE SET \
             segment = excluded.segment, byte_offset = excluded.byte_offset",
        )?;
        for (boot, position) in moved {
            upsert.execute(params![*boot as i64, position.segment, position.offset as i64])?;
        }
        Ok(())
    }

    fn write_sums(&mut self) -> Result<(), StoreError> {
        {
            let mut upsert = Insert::new(&self.connection, &upsert_sums())?;
            let mut keys: Vec<(i64, i64)> = self.pending.keys().copied().collect();
            // In the order of the table: neighbours share a page.
            keys.sort_unstable();
            for key in keys {
                let sums = &self.pending[&key];
                upsert.ints([key.0, key.1, sums.rows, sums.unknown])?;
                upsert.ints(sums.of)?;
                upsert.run()?;
            }
        }
        self.rolled = self.next_id - 1;
        self.set_meta("rolled", self.rolled)?;
        self.pending.clear();
        Ok(())
    }
}

/// Makes the file where there is none, for its owner alone (SQLite would let everybody read who used what); the files that SQLite puts
/// beside it are made alike.
fn make(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn add(pending: &mut Fast<(i64, i64), Sums>, hour: i64, kind: i64, measured: &Measured<'_>) {
    pending.entry((hour, kind)).or_default().add(&Sums::one(&measured.figures, measured.cost_known));
}

/// The value of a row in `meta`.
fn meta(connection: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

/// Where the database stands in each journal.
pub(super) fn positions(connection: &Connection) -> Result<Vec<Position>, StoreError> {
    let mut select = connection.prepare_cached("SELECT boot, segment, byte_offset FROM journal")?;
    let rows = select.query_map([], |row| {
        Ok(Position { boot: row.get::<_, i64>(0)? as u64, segment: row.get(1)?, offset: row.get::<_, i64>(2)? as u64 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

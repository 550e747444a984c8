//! The SQLite file that entries lie in, as the one thread that writes it sees it.
//!
//! What a reader could get wrong: room is what the file's pages take, not what entries sum up to, so `capacity` holds whatever the
//! entries' sizes; room is made before an entry is written, which is why the file never grows much beyond it.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};

use super::index::Index;

/// Another schema is thrown away: it is a cache.
const SCHEMA: i64 = 1;

/// How long the lock of another process (the one before, in an upgrade) is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// Entries looked at in one step of making room.
const EVICT: usize = 16;

/// Entries forgotten in one transaction: no reader of the log waits long.
const SWEEP: usize = 512;

/// Pages given back at a time: each may have to be moved.
const TRIM: u64 = 128;

/// Entries at most: 17 bytes each in memory, 36 where the map has just grown.
const MAX_ENTRIES: i64 = 1 << 20;

/// Columns that an entry can be purged by.
#[derive(Debug, Clone, Copy)]
pub enum By {
    Route,
    Tenant,
    Model,
}

/// An entry as it is written.
#[derive(Debug)]
pub struct Row {
    pub name: u64,
    pub until_us: i64,
    /// Route, tenant, model.
    pub labels: [i64; 3],
    pub sealed: Vec<u8>,
}

/// What the index learns when the transaction is through.
#[derive(Debug)]
struct Change {
    name: u64,
    id: i64,
    is_there: bool,
}

#[derive(Debug)]
pub struct Store {
    db: Connection,
    page: u64,
    capacity: u64,
    /// The order of forgetting; a hit moves its entry to the end when its turn comes.
    turn: i64,
}

impl Store {
    /// Opens the file, makes it if it is not there, and lists what is in it. What was sealed under another secret is thrown away.
    pub fn open(path: &Path, capacity: u64, check: [u8; 16], index: &mut Index) -> rusqlite::Result<Store> {
        // For its owner alone; the files that SQLite puts beside it are made alike.
        let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        made.map_err(|_| cannot_open())?;
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        // Before the first table: afterwards it would take rewriting the file.
        // Pages of 16 KiB: an answer of two or three KB would leave half of a smaller one empty.
        db.execute_batch("PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
        db.execute_batch("PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY")?;
        db.set_prepared_statement_cache_capacity(32);
        let page = pragma(&db, "page_size")?;
        let mut store = Store { db, page, capacity, turn: 0 };
        store.prepare(check)?;
        store.list(index)?;
        Ok(store)
    }

    fn prepare(&mut self, check: [u8; 16]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let same = version == SCHEMA
            && transaction
                .query_row("SELECT secret FROM about", [], |row| row.get::<_, Vec<u8>>(0))
                .optional()?
                .as_deref()
                == Some(&check);
        if !same {
            transaction.execute_batch(
                "DROP TABLE IF EXISTS about; DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS bodies; \
                 CREATE TABLE about (secret BLOB NOT NULL); \
                 CREATE TABLE entries (id INTEGER PRIMARY KEY, name INTEGER NOT NULL, turn INTEGER NOT NULL, \
                   until_us INTEGER NOT NULL, route INTEGER NOT NULL, tenant INTEGER NOT NULL, model INTEGER NOT NULL); \
                 CREATE INDEX entries_turn ON entries (turn); \
                 CREATE INDEX entries_until ON entries (until_us); \
                 CREATE TABLE bodies (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
            )?;
            transaction.execute("INSERT INTO about VALUES (?1)", [&check[..]])?;
            transaction.pragma_update(None, "user_version", SCHEMA)?;
        }
        transaction.commit()
    }

    fn list(&mut self, index: &mut Index) -> rusqlite::Result<()> {
        let mut select = self.db.prepare("SELECT id, name, turn FROM entries ORDER BY turn")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            index.insert(row.get::<_, i64>(1)? as u64, row.get(0)?);
            self.turn = row.get(2)?;
        }
        Ok(())
    }

    /// Writes entries in one transaction; `index` is changed once they are there for readers too.
    pub fn write(&mut self, rows: &[Row], index: &RwLock<Index>) -> rusqlite::Result<()> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let mut changes = vec![];
        let done = rows.iter().try_for_each(|row| {
            self.make_room(row.sealed.len() as u64, index, &mut changes)?;
            let earlier =
                changes.iter().rev().find(|change| change.name == row.name).map(|c| c.is_there.then_some(c.id));
            if let Some(id) = earlier.unwrap_or_else(|| index.read().id(row.name)) {
                self.delete(id)?;
                changes.push(Change { name: row.name, id, is_there: false });
            }
            changes.push(Change { name: row.name, id: self.insert(row)?, is_there: true });
            Ok(())
        });
        self.settle(done)?;
        let mut index = index.write();
        for Change { name, id, is_there } in changes {
            if is_there { index.insert(name, id) } else { index.remove(name, id) }
        }
        Ok(())
    }

    fn insert(&mut self, row: &Row) -> rusqlite::Result<i64> {
        self.turn += 1;
        let sql = "INSERT INTO bodies (sealed) VALUES (?1)";
        self.db.prepare_cached(sql)?.execute([&row.sealed])?;
        let id = self.db.last_insert_rowid();
        let [route, tenant, model] = row.labels;
        let sql = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = params![id, row.name as i64, self.turn, row.until_us, route, tenant, model];
        self.db.prepare_cached(sql)?.execute(values)?;
        Ok(id)
    }

    /// Forgets entries until there is room for one of so many bytes: the oldest first, but one that was asked for since its last turn
    /// gets another.
    fn make_room(&mut self, bytes: u64, index: &RwLock<Index>, changes: &mut Vec<Change>) -> rusqlite::Result<()> {
        let mut entries =
            changes.iter().fold(index.read().len() as i64, |sum, c| sum + if c.is_there { 1 } else { -1 });
        // Two pages for what an entry needs besides its bytes.
        while self.used()? + bytes + 2 * self.page > self.capacity || entries >= MAX_ENTRIES {
            let oldest = self.oldest()?;
            if oldest.is_empty() {
                return Ok(());
            }
            for (id, name) in oldest {
                if index.read().take_used(name, id) {
                    self.turn += 1;
                    let sql = "UPDATE entries SET turn = ?1 WHERE id = ?2";
                    self.db.prepare_cached(sql)?.execute([self.turn, id])?;
                } else {
                    self.delete(id)?;
                    changes.push(Change { name, id, is_there: false });
                    entries -= 1;
                }
            }
        }
        Ok(())
    }

    fn oldest(&self) -> rusqlite::Result<Vec<(i64, u64)>> {
        let mut select = self.db.prepare_cached("SELECT id, name FROM entries ORDER BY turn LIMIT ?1")?;
        select.query_map([EVICT as i64], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?.collect()
    }

    fn delete(&self, id: i64) -> rusqlite::Result<usize> {
        self.db.prepare_cached("DELETE FROM bodies WHERE id = ?1")?.execute([id])?;
        self.db.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute([id])
    }

    /// Forgets what is past its time; number of entries.
    pub fn sweep(&mut self, now_us: i64, index: &RwLock<Index>) -> rusqlite::Result<u64> {
        self.forget("SELECT id, name FROM entries WHERE until_us <= ?1", now_us, index)
    }

    /// Forgets what has this label; number of entries.
    pub fn purge(&mut self, by: By, label: i64, index: &RwLock<Index>) -> rusqlite::Result<u64> {
        let sql = match by {
            By::Route => "SELECT id, name FROM entries WHERE route = ?1",
            By::Tenant => "SELECT id, name FROM entries WHERE tenant = ?1",
            By::Model => "SELECT id, name FROM entries WHERE model = ?1",
        };
        let forgotten = self.forget(sql, label, index)?;
        self.settle_on_disk()?;
        Ok(forgotten)
    }

    /// Forgets one entry; number of entries.
    pub fn purge_one(&mut self, name: u64, index: &RwLock<Index>) -> rusqlite::Result<u64> {
        let forgotten = self.forget("SELECT id, name FROM entries WHERE name = ?1", name as i64, index)?;
        self.settle_on_disk()?;
        Ok(forgotten)
    }

    /// Forgets everything; number of entries.
    pub fn clear(&mut self, index: &RwLock<Index>) -> rusqlite::Result<u64> {
        let count: i64 = self.db.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.db.execute_batch("DELETE FROM entries; DELETE FROM bodies");
        self.settle(done)?;
        index.write().clear();
        self.shrink(u64::MAX)?;
        self.settle_on_disk()?;
        Ok(count as u64)
    }

    /// Forgets one that does not unseal.
    pub fn drop_one(&mut self, name: u64, id: i64, index: &RwLock<Index>) -> rusqlite::Result<()> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.delete(id).map(drop);
        self.settle(done)?;
        index.write().remove(name, id);
        Ok(())
    }

    fn forget(&mut self, sql: &str, value: i64, index: &RwLock<Index>) -> rusqlite::Result<u64> {
        let all: Vec<(i64, u64)> = {
            let mut select = self.db.prepare_cached(sql)?;
            let rows = select.query_map([value], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
            rows.collect::<Result<_, _>>()?
        };
        for some in all.chunks(SWEEP) {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            let done = some.iter().try_for_each(|(id, _)| self.delete(*id).map(drop));
            self.settle(done)?;
            let mut index = index.write();
            some.iter().for_each(|(id, name)| index.remove(*name, *id));
        }
        Ok(all.len() as u64)
    }

    /// What was purged must not come back after a power cut: the log goes into the file and is synced.
    fn settle_on_disk(&mut self) -> rusqlite::Result<()> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Gives back a few of the pages that nothing needs any more, beyond a twentieth of the capacity: what is left is for entries to come.
    pub fn trim(&mut self) -> rusqlite::Result<()> {
        let free = pragma(&self.db, "freelist_count")?;
        self.shrink(free.saturating_sub(self.capacity / 20 / self.page).min(TRIM))
    }

    fn shrink(&mut self, pages: u64) -> rusqlite::Result<()> {
        if pages > 0 {
            // Zero stands for all.
            let pages = if pages == u64::MAX { 0 } else { pages };
            let mut vacuum = self.db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let mut steps = vacuum.query([])?;
            while steps.next()?.is_some() {}
        }
        Ok(())
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> rusqlite::Result<u64> {
        Ok(pragma(&self.db, "page_count")? * self.page)
    }

    fn used(&self) -> rusqlite::Result<u64> {
        Ok((pragma(&self.db, "page_count")? - pragma(&self.db, "freelist_count")?) * self.page)
    }

    fn settle<T>(&mut self, done: rusqlite::Result<T>) -> rusqlite::Result<T> {
        let done = done.and_then(|value| self.db.execute_batch("COMMIT").map(|()| value));
        if done.is_err() && !self.db.is_autocommit() {
            // Where even this fails the connection rolls back by itself with its next statement.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        done
    }
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut select = db.prepare_cached(match name {
        "page_count" => "PRAGMA page_count",
        "freelist_count" => "PRAGMA freelist_count",
        _ => "PRAGMA page_size",
    })?;
    select.query_row([], |row| row.get::<_, i64>(0)).map(|n| n as u64)
}

/// A connection for readers.
pub fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.busy_timeout(BUSY)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512")?;
    Ok(db)
}

/// The sealed entry of this number.
pub fn read(db: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT sealed FROM bodies WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()
}

/// Whether the file itself is at fault.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves a damaged file out of the way, in place of one that was before; what SQLite had beside it goes.
pub fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = path.with_extension("db.damaged");
    std::fs::rename(path, &aside)?;
    for ending in ["db-wal", "db-shm"] {
        match std::fs::remove_file(path.with_extension(ending)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(aside)
}

fn cannot_open() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN), None)
}

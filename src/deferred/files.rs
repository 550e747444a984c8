//! Files: what batches read and write. Their content lies sealed, in chunks, and is never in memory as a whole.
//!
//! What a reader could get wrong: a file is there for others only once [`Store::end_file`] has been called; one that was begun and not
//! ended (the client went away, the gateway died) is swept away after a day. Results count their time from their end: a batch may have
//! been interrupted for longer than they are kept.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Fault;
use super::rows::{has_room, opened, readable, sealed};
use super::store::Store;
use crate::seal::{OVERHEAD, Sealer};

/// The purpose of files of results. They are put whatever room there is: they take the place of what the jobs came to, and a batch that is
/// done must come to its end.
pub const OUTPUT: &str = "batch_output";

/// A file to be put.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// `file-tg…`; see [`super::JobId::new`].
    pub id: String,
    pub tenant: String,
    /// In whose name it was put.
    pub app: Option<String>,
    /// The client's name for it.
    pub name: String,
    pub purpose: String,
    pub created_us: i64,
    /// Gone after; `None`: kept until it is deleted.
    pub expires_us: Option<i64>,
}

/// A file as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub id: String,
    pub tenant: String,
    pub app: Option<String>,
    pub name: String,
    pub purpose: String,
    /// Bytes of its content.
    pub length: u64,
    /// Pieces that it was put in.
    pub chunks: u64,
    pub created_us: i64,
    pub expires_us: Option<i64>,
}

const COLUMNS: &str = "id, tenant, name, purpose, length, chunks, created_us, expires_us";

impl Store {
    /// Begins a file.
    ///
    /// # Errors
    /// [`Fault::Full`]: the tenant's space is used up.
    pub async fn begin_file(&self, file: NewFile) -> Result<(), Fault> {
        let (sealer, limits) = (self.sealer().clone(), self.limits());
        self.write(move |db| {
            // An app's name has no control character in it, whatever a file's has.
            let label = format!("{}\0{}", file.app.as_deref().unwrap_or(""), file.name);
            let name = sealed(&sealer, &format!("name {}", file.id), label.as_bytes())?;
            if file.purpose != OUTPUT {
                has_room(db, &limits, &file.tenant, 0, name.len() as u64)?;
            }
            db.prepare_cached(
                "INSERT INTO files (id, tenant, purpose, state, created_us, expires_us, bytes, name) \
                 VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                file.id,
                file.tenant,
                file.purpose,
                file.created_us,
                file.expires_us,
                name.len() as i64,
                name
            ])?;
            Ok(())
        })
        .await
    }

    /// The next piece of a file that was begun: best 64 KiB to 1 MiB. `false`: there is no such file, or it was ended.
    ///
    /// # Errors
    /// [`Fault::Full`]: the tenant's space is used up.
    pub async fn put_chunk(&self, id: &str, tenant: &str, piece: Bytes) -> Result<bool, Fault> {
        let (id, tenant) = (id.to_owned(), tenant.to_owned());
        let (sealer, limits) = (self.sealer().clone(), self.limits());
        self.write(move |db| {
            let found = db
                .prepare_cached("SELECT n, chunks, purpose FROM files WHERE id = ?1 AND tenant = ?2 AND state = 0")?
                .query_row([&id, &tenant], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
                })
                .optional()?;
            let Some((n, chunk, purpose)) = found else { return Ok(false) };
            let bytes = piece.len() + OVERHEAD;
            if purpose != OUTPUT {
                has_room(db, &limits, &tenant, 0, bytes as u64)?;
            }
            let sealed = sealed(&sealer, &place(&id, chunk), &piece)?;
            db.prepare_cached("INSERT INTO chunks VALUES (?1, ?2, ?3)")?.execute(params![n, chunk, sealed])?;
            db.prepare_cached(
                "UPDATE files SET length = length + ?2, chunks = chunks + 1, bytes = bytes + ?3 WHERE n = ?1",
            )?
            .execute(params![n, piece.len() as i64, bytes as i64])?;
            Ok(true)
        })
        .await
    }

    /// The file is whole; on the disk when this returns.
    pub async fn end_file(&self, id: &str, tenant: &str) -> Result<Option<File>, Fault> {
        self.end(id, tenant, None).await
    }

    /// The same, and what is said of its times holds from now on, also where it was whole before. `None`: it is not there (any more).
    pub async fn end_file_at(
        &self,
        id: &str,
        tenant: &str,
        created_us: i64,
        expires_us: i64,
    ) -> Result<Option<File>, Fault> {
        self.end(id, tenant, Some((created_us, expires_us))).await
    }

    async fn end(&self, id: &str, tenant: &str, times: Option<(i64, i64)>) -> Result<Option<File>, Fault> {
        let (name, whose, sealer) = (id.to_owned(), tenant.to_owned(), self.sealer().clone());
        let ended = self
            .write(move |db| {
                db.prepare_cached(
                    "UPDATE files SET state = 1, created_us = coalesce(?3, created_us), expires_us = coalesce(?4, expires_us) \
                     WHERE id = ?1 AND tenant = ?2",
                )?
                .execute(params![name, whose, times.map(|times| times.0), times.map(|times| times.1)])?;
                find(db, &sealer, &name, &whose)
            })
            .await?;
        self.ring(id);
        Ok(ended)
    }

    /// A file that is whole; `None`: there is none of this name of this tenant.
    pub async fn file(&self, id: &str, tenant: &str) -> Result<Option<File>, Fault> {
        let (id, tenant, sealer) = (id.to_owned(), tenant.to_owned(), self.sealer().clone());
        self.read(move |db| find(db, &sealer, &id, &tenant)).await
    }

    /// A piece of a file, counted from 0; `None`: past the end, or no such file.
    pub async fn chunk(&self, id: &str, tenant: &str, chunk: u64) -> Result<Option<Bytes>, Fault> {
        let (id, tenant, sealer, chunk) = (id.to_owned(), tenant.to_owned(), self.sealer().clone(), chunk as i64);
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT sealed FROM chunks JOIN files USING (n) WHERE id = ?1 AND tenant = ?2 AND state = 1 AND chunk = ?3",
            )?;
            let found = select.query_row(params![id, tenant, chunk], |row| row.get(0)).optional()?;
            found.map(|sealed| opened(&sealer, &place(&id, chunk), sealed)).transpose()
        })
        .await
    }

    /// A tenant's files, newest first, after the one named `after`; at most `limit`.
    pub async fn files(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<File>, Fault> {
        let (tenant, after, sealer) = (tenant.to_owned(), after.map(str::to_owned), self.sealer().clone());
        self.read(move |db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM files WHERE tenant = ?1 AND state = 1 \
                 AND n < coalesce((SELECT n FROM files WHERE id = ?2 AND tenant = ?1), 9223372036854775807) ORDER BY n DESC LIMIT ?3"
            );
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query(params![tenant, after, limit as i64])?;
            let mut files = vec![];
            while let Some(row) = rows.next()? {
                files.push(file(row, &sealer)?);
            }
            Ok(files)
        })
        .await
    }

    /// Removes a file; whether there was one.
    pub async fn delete_file(&self, id: &str, tenant: &str) -> Result<bool, Fault> {
        let (name, whose) = (id.to_owned(), tenant.to_owned());
        let deleted = self
            .write(move |db| {
                // Its chunks go in small steps, with the sweep: nothing refers to them any more.
                let mut delete = db.prepare_cached("DELETE FROM files WHERE id = ?1 AND tenant = ?2")?;
                Ok(delete.execute([&name, &whose])? > 0)
            })
            .await?;
        self.ring(id);
        Ok(deleted)
    }
}

fn find(db: &Connection, sealer: &Sealer, id: &str, tenant: &str) -> Result<Option<File>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM files WHERE id = ?1 AND tenant = ?2 AND state = 1");
    let mut select = db.prepare_cached(&sql)?;
    select.query_row([id, tenant], |row| Ok(file(row, sealer))).optional()?.transpose()
}

fn file(row: &Row<'_>, sealer: &Sealer) -> Result<File, Fault> {
    let id: String = row.get(0)?;
    // The others of a list are shown all the same.
    let label = readable(opened(sealer, &format!("name {id}"), row.get(2)?))?.unwrap_or_default();
    let label = String::from_utf8_lossy(&label);
    let (app, name) = label.split_once('\0').unwrap_or(("", &*label));
    Ok(File {
        tenant: row.get(1)?,
        app: Some(app.to_owned()).filter(|app| !app.is_empty()),
        name: name.to_owned(),
        purpose: row.get(3)?,
        length: row.get::<_, i64>(4)? as u64,
        chunks: row.get::<_, i64>(5)? as u64,
        created_us: row.get(6)?,
        expires_us: row.get(7)?,
        id,
    })
}

fn place(id: &str, chunk: i64) -> String {
    format!("chunk {chunk} {id}")
}

//! What batches and files ask of the queue besides: pages in either order, how many lines are queued, a bell for new batches.
//!
//! What a reader could get wrong: `after` names a file of the same tenant; any other begins at the start, as if nothing were said.

use rusqlite::params;

use crate::deferred::store::Changes;
use crate::deferred::{Batch, BatchState, Fault, File, Store};

/// Rung when batches are made, cancelled or changed by hand; no batch has this name.
const BELL: &str = "batches";

/// Which files are asked for.
#[derive(Debug, Clone, Default)]
pub struct FilePage {
    pub after: Option<String>,
    pub ascending: bool,
    pub purpose: Option<String>,
    pub limit: usize,
}

impl Store {
    /// A tenant's files that are whole, a page of them.
    pub async fn files_page(&self, tenant: &str, page: FilePage) -> Result<Vec<File>, Fault> {
        let whose = tenant.to_owned();
        let ids = self.read(move |db| {
            let (order, than, start) = if page.ascending { ("ASC", ">", 0) } else { ("DESC", "<", i64::MAX) };
            let sql = format!(
                "SELECT id FROM files WHERE tenant = ?1 AND state = 1 AND (?3 IS NULL OR purpose = ?3) \
                 AND n {than} coalesce((SELECT n FROM files WHERE id = ?2 AND tenant = ?1), ?5) ORDER BY n {order} LIMIT ?4"
            );
            let mut select = db.prepare_cached(&sql)?;
            let rows = select.query_map(params![whose, page.after, page.purpose, page.limit as i64, start], |row| row.get(0))?;
            Ok(rows.collect::<Result<Vec<String>, _>>()?)
        });
        let mut files = vec![];
        for id in ids.await? {
            files.extend(self.file(&id, tenant).await?);
        }
        Ok(files)
    }

    /// Says when a whole file goes, which may be known only when all of it has come.
    pub async fn set_file_expiry(&self, id: &str, tenant: &str, expires_us: i64) -> Result<(), Fault> {
        let (id, tenant) = (id.to_owned(), tenant.to_owned());
        self.write(move |db| {
            let mut update = db.prepare_cached("UPDATE files SET expires_us = ?3 WHERE id = ?1 AND tenant = ?2")?;
            update.execute(params![id, tenant, expires_us])?;
            Ok(())
        })
        .await
    }

    /// Lines of a batch that are queued.
    pub async fn count_jobs(&self, batch: &str) -> Result<u64, Fault> {
        let batch = batch.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT count(*) FROM jobs WHERE batch = ?1")?;
            let count: i64 = select.query_row([batch], |row| row.get(0))?;
            Ok(count.max(0) as u64)
        })
        .await
    }

    /// How many batches of a tenant have not ended.
    pub async fn open_batches(&self, tenant: &str) -> Result<u64, Fault> {
        let tenant = tenant.to_owned();
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT count(*) FROM batches WHERE tenant = ?1 AND ended_us IS NULL")?;
            let count: i64 = select.query_row([tenant], |row| row.get(0))?;
            Ok(count.max(0) as u64)
        })
        .await
    }

    /// The batch of this tenant that is reading its input from this file now.
    pub async fn read_by(&self, file: &str, tenant: &str) -> Result<Option<Batch>, Fault> {
        let batches = self.batches_in(BatchState::Validating, 10_000).await?;
        let reads = |batch: &Batch| super::About::read(&batch.about).is_some_and(|about| about.input_file == file);
        Ok(batches.into_iter().find(|batch| batch.tenant == tenant && reads(batch)))
    }

    /// There is something to do for whoever moves batches on.
    pub fn batches_moved(&self) {
        self.ring(BELL);
    }

    pub(super) fn when_batches_move(&self) -> Changes {
        self.subscribe(BELL)
    }
}

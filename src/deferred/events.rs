//! The events of a streamed background response, kept so that a client can go on where it was.
//!
//! What a reader could get wrong: numbers are never given twice. An execution that begins anew forgets the events of the one before and
//! goes on counting, so that a client who asks for what follows his last number gets the whole of the new answer.

use bytes::Bytes;
use rusqlite::params;

use super::fault::Fault;
use super::job::{JobId, Lease};
use super::rows::{opened, sealed};
use super::store::Store;

impl Store {
    /// Keeps further events of an execution; the first has number `first`. `false`: the lease does not hold any more.
    pub async fn append_events(&self, lease: &Lease, first: i64, events: Vec<Bytes>) -> Result<bool, Fault> {
        let (held, sealer) = (lease.clone(), self.sealer().clone());
        let kept = self
            .write(move |db| {
                let mut bytes = 0;
                let mut rows = Vec::with_capacity(events.len());
                for (number, event) in (first..).zip(&events) {
                    let sealed = sealed(&sealer, &place(held.job.as_str(), number), event)?;
                    bytes += sealed.len() as i64;
                    rows.push((number, sealed));
                }
                let mut update = db.prepare_cached(
                    "UPDATE jobs SET next_event = ?3, bytes = bytes + ?4 WHERE n = ?1 AND state = 1 AND lease = ?2",
                )?;
                let next = first + events.len() as i64;
                if update.execute(params![held.n, held.lease, next, bytes])? == 0 {
                    return Ok(false);
                }
                let mut insert = db.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3)")?;
                for (number, sealed) in rows {
                    insert.execute(params![held.n, number, sealed])?;
                }
                Ok(true)
            })
            .await?;
        self.ring(lease.job.as_str());
        Ok(kept)
    }

    /// Events with numbers above `after` (-1: all), in order, at most `limit`.
    pub async fn events_after(
        &self,
        id: &JobId,
        tenant: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Bytes)>, Fault> {
        let (id, tenant, sealer) = (id.clone(), tenant.to_owned(), self.sealer().clone());
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT event, events.sealed FROM events WHERE n = (SELECT n FROM jobs WHERE id = ?1 AND tenant = ?2) AND event > ?3 \
                 ORDER BY event LIMIT ?4",
            )?;
            let mut rows = select.query(params![id.as_str(), tenant, after, limit as i64])?;
            let mut events = vec![];
            while let Some(row) = rows.next()? {
                let number = row.get(0)?;
                events.push((number, opened(&sealer, &place(id.as_str(), number), row.get(1)?)?));
            }
            Ok(events)
        })
        .await
    }
}

fn place(id: &str, number: i64) -> String {
    format!("event {number} {id}")
}

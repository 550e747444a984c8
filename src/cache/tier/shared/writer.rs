//! The task that writes entries to the shared Redis: it gathers what is queued, seals it under the marks in force, and sends it in one go.
//!
//! What a reader could get wrong: marks are read before entries are written. A purge between the two makes what is written unfindable,
//! which is the safe way round.

use std::sync::Arc;

use redis::Value;
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use super::link::Up;
use super::marks::{self, number};
use crate::cache::tier::figures::{Outcome, Write};
use crate::cache::tier::room::Taken;
use crate::cache::tier::seal::{Marks, Place};
use crate::cache::tier::{Kept, Key, Purge, now_us};

/// Entries and bytes that are sent in one go.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub enum Job {
    Put(Key, Kept, Taken),
    Purge(Purge, oneshot::Sender<Result<Option<u64>, String>>),
    /// Everything before is written; the task ends.
    Finish(oneshot::Sender<()>),
}

/// Writes until the queue is closed.
pub async fn write(inner: Arc<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let mut failing = false;
    let mut batch: Vec<(Key, Kept, Taken)> = vec![];
    while let Some(first) = jobs.recv().await {
        let mut next = Some(first);
        let mut bytes = 0;
        while let Some(Job::Put(key, kept, taken)) = next.take_if(|job| matches!(job, Job::Put(..))) {
            bytes += kept.bytes.len();
            batch.push((key, kept, taken));
            if batch.len() < BATCH && bytes < BATCH_BYTES {
                next = jobs.try_recv().ok();
            }
        }
        if !batch.is_empty() {
            let done = put(&inner, &batch).await;
            let stored = done.unwrap_or(0);
            inner.figures.wrote(Write::Stored, stored);
            inner.figures.wrote(Write::Failed, batch.len() as u64 - stored);
            batch.clear();
            tell(&mut failing, done.map(drop));
        }
        match next {
            Some(Job::Purge(by, reply)) => {
                // Whoever asked may have gone.
                let _ = reply.send(purge(&inner, by).await);
            }
            Some(Job::Finish(reply)) => {
                let _ = reply.send(());
                return;
            }
            Some(Job::Put(..)) | None => {}
        }
    }
}

/// Says once that writing fails though the server is up (read-only, no memory left), and once that it does no more.
fn tell(failing: &mut bool, done: Result<(), Outcome>) {
    match done {
        Ok(()) if std::mem::take(failing) => tracing::info!("the shared cache takes answers again"),
        // Being down is told by the link.
        Err(Outcome::Refused) if !std::mem::replace(failing, true) => {
            tracing::warn!(
                "the shared cache does not take answers (out of memory, read-only, or no permission to SET)"
            );
        }
        _ => {}
    }
}

/// The number of entries that were stored.
async fn put(inner: &Inner, batch: &[(Key, Kept, Taken)]) -> Result<u64, Outcome> {
    let mut up = inner.link.up().ok_or(Outcome::Skipped)?;
    let marks = in_force(inner, &mut up, batch).await?;
    let mut pipeline = redis::pipe();
    let (now, mut entries) = (now_us(), 0);
    for ((key, kept, _), marks) in batch.iter().zip(&marks) {
        let left_ms = (kept.until_us - now) / 1_000;
        let (Some(marks), true) = (marks, left_ms > 0) else { continue };
        let Some(sealed) = inner.seal.seal(Place::Shared, key, kept, marks) else { continue };
        pipeline.cmd("SET").arg(inner.name(key)).arg(sealed).arg("PX").arg(left_ms).ignore();
        entries += 1;
    }
    if entries > 0 {
        inner.link.order(&mut up, &pipeline).await?;
    }
    Ok(entries)
}

/// The marks of each entry as of now; those that are missing are given.
async fn in_force(inner: &Inner, up: &mut Up, batch: &[(Key, Kept, Taken)]) -> Result<Vec<Option<Marks>>, Outcome> {
    let mut subjects: Vec<_> = batch.iter().flat_map(|(_, kept, _)| marks::subjects(&kept.labels)).collect();
    subjects.sort_unstable_by_key(|(kind, label)| (*kind as u8, *label));
    subjects.dedup();
    let ask = inner.names.ask(&subjects);
    let mut answer = answered(inner.link.ask_patiently(up, &ask).await?)?;
    let missing = inner.known.learn(&subjects, &answer);
    if !missing.is_empty() {
        let given = inner.names.give(&missing, &mut marks::draw).ok_or(Outcome::Broken)?;
        inner.link.order(up, &given).await?;
        answer = answered(inner.link.ask_patiently(up, &ask).await?)?;
        let odd = inner.known.learn(&subjects, &answer);
        for subject in odd {
            // Something else has the name: a mark is set over it, here without minding others.
            let name = subject.map_or_else(|| inner.names.epoch(), |subject| inner.names.mark(subject));
            let mark = marks::draw().ok_or(Outcome::Broken)?.to_le_bytes();
            inner.link.ask_patiently(up, redis::cmd("SET").arg(name).arg(&mark)).await?;
        }
    }
    let epoch = answer.first().and_then(number);
    let of = |kept: &Kept| epoch.and_then(|epoch| inner.known.of(epoch, &kept.labels));
    Ok(batch.iter().map(|(_, kept, _)| of(kept)).collect())
}

async fn purge(inner: &Inner, by: Purge) -> Result<Option<u64>, String> {
    let failed =
        |why: Outcome| format!("the shared cache could not be purged ({}); try again when it is up", why.label());
    let mut up = inner.link.up().ok_or_else(|| failed(Outcome::Skipped))?;
    let Some(subject) = marks::subject(by) else {
        let Purge::Key(key) = by else { return Ok(Some(0)) };
        let mut delete = redis::cmd("DEL");
        delete.arg(inner.name(&key));
        return match inner.link.ask_patiently(&mut up, &delete).await.map_err(failed)? {
            Value::Int(removed) => Ok(Some(removed.unsigned_abs())),
            _ => Err(failed(Outcome::Refused)),
        };
    };
    let change = inner.names.change(subject, &mut marks::draw).ok_or_else(|| failed(Outcome::Broken))?;
    inner.link.order(&mut up, &change).await.map_err(failed)?;
    Ok(None)
}

/// The array that an answer is.
pub fn answered(value: Value) -> Result<Vec<Value>, Outcome> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Outcome::Refused),
    }
}

//! The first half of a batch: every line is checked before any is queued; then they are queued, in order and in steps.
//!
//! What a reader could get wrong: this may run again after a crash, from the start. The lines that are queued already are the first ones.

use bytes::Bytes;

use super::reading::{Next, Reading};
use super::{About, Driver};
use crate::deferred::{Asked, Batch, BatchState, Fault, JobId, Kind, NewJob};
use crate::openai::Endpoint;
use crate::openai::batch::{Line, LineFault, MOST_LINES};

/// Faults that a client is told of; whoever has a thousand has one mistake.
const MOST_FAULTS: usize = 100;
/// Lines and bytes that are queued in one transaction.
const STEP_LINES: usize = if cfg!(test) { 8 } else { 256 };
const STEP_BYTES: usize = 4 << 20;

/// How the queueing ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    All,
    /// The batch is not `Validating` any more.
    Stopped,
}

impl Driver {
    /// Checks all lines: how many there are, or what is wrong with them.
    pub(super) async fn check(&self, batch: &Batch, about: &About) -> Result<Result<u64, Vec<LineFault>>, Fault> {
        let Some(mut reading) = self.reading(batch, about).await? else { return Ok(Err(vec![gone()])) };
        let (mut count, mut faults) = (0, vec![]);
        loop {
            match reading.next().await? {
                Next::Gone => return Ok(Err(vec![gone()])),
                Next::End => break,
                Next::Lines(lines) => {
                    count += lines.len();
                    for line in lines {
                        faults.extend(line.map_or_else(Some, |line| self.refused(batch, about, &line)));
                    }
                }
            }
            faults.truncate(MOST_FAULTS);
            if count > MOST_LINES {
                let message = format!("the input file has more than {MOST_LINES} lines; split it over several batches");
                return Ok(Err(vec![LineFault::of_file("too_many_requests", message)]));
            }
        }
        if count == 0 {
            return Ok(Err(vec![LineFault::of_file("empty_file", "the input file has no lines".into())]));
        }
        Ok(if faults.is_empty() { Ok(count as u64) } else { Err(faults) })
    }

    /// Queues all lines that are not queued yet.
    pub(super) async fn put(&self, batch: &Batch, about: &About) -> Result<Put, Fault> {
        // It was there a moment ago: whoever deleted it meanwhile has a batch that fails when it is looked at next.
        let Some(mut reading) = self.reading(batch, about).await? else { return Ok(Put::Stopped) };
        let mut there = self.store.count_jobs(&batch.id).await?;
        let (mut jobs, mut bytes) = (vec![], 0);
        loop {
            let lines = match reading.next().await? {
                Next::Lines(lines) => lines,
                Next::End => break,
                Next::Gone => return Ok(Put::Stopped),
            };
            for line in lines.into_iter().flatten() {
                if there > 0 {
                    there -= 1;
                    continue;
                }
                bytes += line.body.len();
                jobs.push(job(batch, about, line));
                if jobs.len() >= STEP_LINES || bytes >= STEP_BYTES {
                    bytes = 0;
                    if !self.enqueue(batch, std::mem::take(&mut jobs)).await? {
                        return Ok(Put::Stopped);
                    }
                }
            }
        }
        Ok(if self.enqueue(batch, jobs).await? { Put::All } else { Put::Stopped })
    }

    /// `false`: the batch was cancelled.
    async fn enqueue(&self, batch: &Batch, jobs: Vec<NewJob>) -> Result<bool, Fault> {
        let found = self.store.batch(&batch.id, &batch.tenant).await?;
        if found.is_none_or(|batch| batch.state != BatchState::Validating) {
            return Ok(false);
        }
        if !jobs.is_empty() {
            self.store.enqueue(jobs).await?;
        }
        Ok(true)
    }

    async fn reading(&self, batch: &Batch, about: &About) -> Result<Option<Reading>, Fault> {
        let file = self.store.file(&about.input_file, &batch.tenant).await?;
        let endpoint = Endpoint::of_path(&about.endpoint).unwrap_or(Endpoint::Chat);
        Ok(file.map(|file| Reading::new(self.store.clone(), file, endpoint, self.longest_line)))
    }

    fn refused(&self, batch: &Batch, about: &About, line: &Line) -> Option<LineFault> {
        let (code, param, message) = (self.refuses)(batch, about, line)?;
        Some(LineFault::at(line.number, code, Some(param), message))
    }
}

fn job(batch: &Batch, about: &About, line: Line) -> NewJob {
    NewJob {
        id: JobId::named(&name(&batch.id, line.number)),
        kind: Kind::Batch,
        tenant: batch.tenant.clone(),
        batch: Some(batch.id.clone()),
        asked: Asked {
            endpoint: about.endpoint.clone(),
            app: about.app.clone(),
            user: about.user.clone(),
            headers: about.headers.clone(),
            custom_id: Some(line.custom_id),
            stream: false,
            about: vec![],
        },
        // A copy: the line shares the memory of the chunk that it came in.
        body: Bytes::copy_from_slice(&line.body),
        edge: None,
        created_us: batch.created_us,
        not_before_us: batch.created_us,
        expires_us: batch.expires_us,
    }
}

/// The name of a line's request: the same each time, so that the queue cannot take it twice, and nobody's who does not know the batch's.
fn name(batch: &str, line: usize) -> String {
    let hash = blake3::hash(format!("{batch} line {line}").as_bytes());
    format!("batch_req_tg{}", &hash.to_hex()[..32])
}

fn gone() -> LineFault {
    LineFault::of_file("file_not_found", "the input file was deleted before all of it was read".into())
}

//! The second half of a batch: what became of its lines, as two files.
//!
//! What a reader could get wrong: a line stands in exactly one of them. After a crash the work is done again; a file that is whole stays, one
//! that is not is begun anew, under the same name. Both live from the moment that they are whole.

use bytes::{Bytes, BytesMut};

use super::{About, Driver};
use crate::deferred::files::OUTPUT;
use crate::deferred::rows::{readable, unreadable};
use crate::deferred::{Batch, Fault, Job, NewFile, Part, State, Store};
use crate::openai::batch::output::{self, Ended};
use crate::openai::files;

/// Jobs that are looked up at a time.
const PAGE: usize = if cfg!(test) { 8 } else { 256 };
/// A piece of a file.
const PIECE: usize = if cfg!(test) { 1 << 10 } else { 512 << 10 };
/// How long OpenAI keeps files of batches where nothing is said.
pub const KEPT_SECONDS: u64 = 30 * 86_400;

impl Driver {
    /// Writes the files, and notes their names and what was used.
    pub(super) async fn write_results(&self, batch: &Batch, about: &mut About) -> Result<(), Fault> {
        let mut output = Writing::open(&self.store, batch, about, "output").await?;
        let mut errors = Writing::open(&self.store, batch, about, "error").await?;
        let (mut after, mut used) = (0, (0, 0));
        loop {
            let jobs = self.store.jobs_of(&batch.id, &batch.tenant, after, PAGE).await?;
            for job in &jobs {
                let body = readable(self.store.text(&job.id, &batch.tenant, Part::Result).await)?;
                let (line, succeeded) = line(job, body.map(Option::unwrap_or_default));
                if succeeded { &mut output } else { &mut errors }.push(&line).await?;
                used.0 += job.prompt_tokens;
                used.1 += job.completion_tokens;
            }
            after += jobs.len() as u64;
            if jobs.len() < PAGE {
                break;
            }
        }
        about.output_file = output.close().await?;
        about.error_file = errors.close().await?;
        about.usage = Some(used);
        Ok(())
    }
}

/// A job's line, and whether it is one of success. `body`: `None` where it cannot be read any more.
fn line(job: &Job, body: Option<Bytes>) -> (Vec<u8>, bool) {
    let id = job.id.as_str();
    let is_readable = body.is_some();
    let body = &body.unwrap_or_else(unreadable);
    let ended = match job.state {
        State::Cancelled => Ended::Cancelled,
        State::Expired => Ended::Expired,
        _ if job.status == 0 || !is_readable => Ended::Unanswered { error: body },
        _ => Ended::Answered { status: job.status, request_id: id, body },
    };
    (output::line(id, job.asked.custom_id.as_deref().unwrap_or(""), &ended), ended.is_success())
}

/// A file being written; begun with its first line, so that there is none without.
#[derive(Debug)]
pub(super) struct Writing {
    store: Store,
    new: NewFile,
    buffer: BytesMut,
    begun: bool,
    /// It was whole before.
    whole: bool,
    /// How long it is kept, in microseconds.
    kept_us: u64,
}

impl Writing {
    pub(super) async fn open(store: &Store, batch: &Batch, about: &About, what: &str) -> Result<Writing, Fault> {
        let id = name(&batch.id, what);
        let whole = store.file(&id, &batch.tenant).await?.is_some();
        if !whole {
            // What an earlier attempt left behind.
            store.delete_file(&id, &batch.tenant).await?;
        }
        let kept_us = about.output_expires_after.unwrap_or(KEPT_SECONDS).saturating_mul(1_000_000);
        let new = NewFile {
            id,
            tenant: batch.tenant.clone(),
            app: about.app.clone(),
            name: format!("{}_{what}.jsonl", batch.id),
            purpose: OUTPUT.into(),
            created_us: now_us(),
            // From its end on.
            expires_us: None,
        };
        Ok(Writing { store: store.clone(), new, buffer: BytesMut::new(), begun: false, whole, kept_us })
    }

    pub(super) async fn push(&mut self, line: &[u8]) -> Result<(), Fault> {
        if self.whole {
            return Ok(());
        }
        if !self.begun {
            self.store.begin_file(self.new.clone()).await?;
            self.begun = true;
        }
        self.buffer.extend_from_slice(line);
        while self.buffer.len() >= PIECE {
            let piece = self.buffer.split_to(PIECE).freeze();
            self.put(piece).await?;
        }
        Ok(())
    }

    async fn put(&self, piece: Bytes) -> Result<(), Fault> {
        match self.store.put_chunk(&self.new.id, &self.new.tenant, piece).await? {
            true => Ok(()),
            false => Err(taken_away()),
        }
    }

    /// The file's name; `None`: it has no line. Its time begins now, also where it was whole before: the batch ends only now.
    pub(super) async fn close(mut self) -> Result<Option<String>, Fault> {
        if self.begun {
            let rest = self.buffer.split().freeze();
            if !rest.is_empty() {
                self.put(rest).await?;
            }
        }
        if !self.begun && !self.whole {
            return Ok(None);
        }
        let created_us = now_us();
        let expires_us = created_us.saturating_add_unsigned(self.kept_us);
        let ended = self.store.end_file_at(&self.new.id, &self.new.tenant, created_us, expires_us).await?;
        // Without it the jobs must stay: it is written again.
        ended.map(|file| Some(file.id)).ok_or_else(taken_away)
    }
}

fn taken_away() -> Fault {
    Fault::Broken("a file of results was taken away while it was written".into())
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// The name of a batch's file: the same each time, and nobody's who does not know the batch's.
fn name(batch: &str, what: &str) -> String {
    let hash = blake3::hash(format!("{batch} {what}").as_bytes());
    format!("{}{}", files::PREFIX, &hash.to_hex()[..32])
}

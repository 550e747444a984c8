//! Batches, moved on from state to state: read and checked, queued line by line, and at last written into files.
//!
//! What a reader could get wrong: every step may be the last one before a `kill -9`, and is then done again from what the disk says: lines
//! are put in order under names that follow from the batch, so that what is there already is not put twice; files of results have names
//! that follow from the batch too, and one that is whole is not written again. One process drives batches, each by one task at a time.

pub mod about;
mod queue;
mod reading;
mod results;
mod run;
mod validate;

use std::fmt;
use std::sync::Arc;

use super::{Batch, BatchState, Fault, Store};
use crate::openai::batch::{Line, LineFault};
pub use about::About;
pub use queue::FilePage;
pub use run::run;

/// Jobs that are moved in one transaction: others write in between.
const STEP: usize = if cfg!(test) { 8 } else { 512 };

/// Why a tenant's line may not be run: code, field and message; `None`: it may. Asked with what the batch says of its owner.
pub type Refuses = dyn Fn(&Batch, &About, &Line) -> Option<(&'static str, &'static str, String)> + Send + Sync;

/// Moves batches on.
#[derive(Clone)]
pub struct Driver {
    store: Store,
    refuses: Arc<Refuses>,
    /// Bytes of a line, its request included.
    longest_line: usize,
}

impl Driver {
    /// `longest_line`: bytes that a line of input may have.
    pub fn new(store: Store, longest_line: usize, refuses: Arc<Refuses>) -> Driver {
        Driver { store, refuses, longest_line }
    }

    /// Moves a batch on as far as it goes now.
    ///
    /// # Errors
    /// The queue cannot be used now, or has no room for the results; the batch stays as it is, to be moved on later.
    pub async fn advance(&self, batch: &Batch, now_us: i64) -> Result<(), Fault> {
        let Some(about) = About::read(&batch.about) else {
            return self.unreadable(batch, now_us).await;
        };
        match batch.state {
            BatchState::Validating => self.begin(batch, about, now_us).await,
            BatchState::InProgress if is_done(batch, &about) => self.settle(batch, about, now_us).await,
            BatchState::InProgress => self.release(batch).await,
            BatchState::Finalizing => self.finalize(batch, about, now_us).await,
            BatchState::Cancelling => self.cancel(batch, about, now_us).await,
            BatchState::Completed | BatchState::Failed | BatchState::Cancelled | BatchState::Expired => Ok(()),
        }
    }

    /// Checks all lines, then queues them, then lets them go.
    async fn begin(&self, batch: &Batch, mut about: About, now_us: i64) -> Result<(), Fault> {
        let checked = match self.check(batch, &about).await {
            Err(Fault::Unreadable(_)) => {
                let message = "the input file cannot be read any more: it was damaged on disk".into();
                Err(vec![LineFault::of_file("file_unreadable", message)])
            }
            checked => checked?,
        };
        let total = match checked {
            Ok(total) => total,
            Err(faults) => return self.fail(batch, about, faults, now_us).await,
        };
        match self.put(batch, &about).await {
            Ok(validate::Put::All) => {}
            // Cancelled meanwhile: the next look finds it so.
            Ok(validate::Put::Stopped) => return Ok(()),
            Err(Fault::Full(message)) => {
                let fault = LineFault::of_file("queue_full", message);
                return self.fail(batch, about, vec![fault], now_us).await;
            }
            Err(broken) => return Err(broken),
        }
        about.total = Some(total);
        about.in_progress_us = Some(now_us);
        if self.moved(batch, BatchState::Validating, BatchState::InProgress, &about, now_us).await? {
            self.release(batch).await?;
        }
        Ok(())
    }

    /// By way of `Cancelling`, which takes out again what was put in.
    async fn fail(&self, batch: &Batch, mut about: About, faults: Vec<LineFault>, now_us: i64) -> Result<(), Fault> {
        about.errors = faults;
        match self.moved(batch, BatchState::Validating, BatchState::Cancelling, &about, now_us).await? {
            true => self.cancel(batch, about, now_us).await,
            false => Ok(()),
        }
    }

    async fn release(&self, batch: &Batch) -> Result<(), Fault> {
        while self.store.release(&batch.id, STEP).await? == STEP {}
        Ok(())
    }

    /// Every line is done.
    async fn settle(&self, batch: &Batch, mut about: About, now_us: i64) -> Result<(), Fault> {
        about.finalizing_us = Some(now_us);
        match self.moved(batch, BatchState::InProgress, BatchState::Finalizing, &about, now_us).await? {
            true => self.finalize(batch, about, now_us).await,
            false => Ok(()),
        }
    }

    async fn finalize(&self, batch: &Batch, mut about: About, now_us: i64) -> Result<(), Fault> {
        self.write_results(batch, &mut about).await?;
        let end = if batch.expired > 0 { BatchState::Expired } else { BatchState::Completed };
        if self.moved(batch, BatchState::Finalizing, end, &about, now_us).await? {
            self.drop_jobs(batch).await?;
        }
        Ok(())
    }

    /// Stops what is not done; what is done is given out all the same.
    async fn cancel(&self, batch: &Batch, mut about: About, now_us: i64) -> Result<(), Fault> {
        while self.store.cancel_jobs(&batch.id, STEP, now_us).await? == STEP {}
        match about.total {
            Some(_) => self.write_results(batch, &mut about).await?,
            // It never began: nobody has an answer.
            None => self.drop_jobs(batch).await?,
        }
        let end = if about.errors.is_empty() { BatchState::Cancelled } else { BatchState::Failed };
        if self.moved(batch, BatchState::Cancelling, end, &about, now_us).await? {
            self.drop_jobs(batch).await?;
        }
        Ok(())
    }

    /// Their results lie in the files; interrupted here, the queue's own sweep takes the rest.
    async fn drop_jobs(&self, batch: &Batch) -> Result<(), Fault> {
        while self.store.drop_jobs(&batch.id, STEP).await? == STEP {}
        Ok(())
    }

    async fn moved(
        &self,
        batch: &Batch,
        from: BatchState,
        to: BatchState,
        about: &About,
        now_us: i64,
    ) -> Result<bool, Fault> {
        self.store.move_batch(&batch.id, from, to, Some(about.bytes()), now_us).await
    }

    /// Written by another version, or damaged on disk: it must not be looked at again and again.
    async fn unreadable(&self, batch: &Batch, now_us: i64) -> Result<(), Fault> {
        tracing::error!(batch = batch.id, "what a batch is about cannot be read; it is given up");
        while self.store.cancel_jobs(&batch.id, STEP, now_us).await? == STEP {}
        self.store.move_batch(&batch.id, batch.state, BatchState::Failed, None, now_us).await.map(drop)
    }
}

fn is_done(batch: &Batch, about: &About) -> bool {
    about.total.is_some_and(|total| batch.done() >= total)
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

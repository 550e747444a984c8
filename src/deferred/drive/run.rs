//! Looks after all batches that have not ended.
//!
//! What a reader could get wrong: a batch is handed to one task at a time; what a task finds that it cannot do now is found again at the next
//! look.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::Driver;
use super::about::About;
use crate::deferred::{Batch, BatchState, Fault};
use crate::task;

/// Between two looks while there are batches; the end of a batch is noticed so late at most.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks otherwise; a new batch rings.
const IDLE: Duration = Duration::from_secs(5);
/// After trouble with the queue.
const PAUSE: Duration = Duration::from_secs(2);
/// Batches that are read or written at a time.
const AT_ONCE: usize = 8;
/// Batches of a state that are looked at.
const MOST: usize = 1_024;

/// States in which there is something to do.
const OPEN: [BatchState; 4] =
    [BatchState::Cancelling, BatchState::Finalizing, BatchState::InProgress, BatchState::Validating];

/// Moves batches on until it is dropped; see [`Driver::advance`].
pub async fn run(driver: Driver) {
    let work =
        Arc::new(Work { driver, busy: Mutex::default(), released: Mutex::default(), places: Semaphore::new(AT_ONCE) });
    let mut bell = work.driver.store.when_batches_move();
    loop {
        let pause = match look(&work).await {
            Ok(0) => IDLE,
            Ok(_) => LOOK,
            Err(fault) => {
                tracing::warn!("batches cannot be looked after now: {fault}");
                PAUSE
            }
        };
        // Rung or not: it looks again.
        let _ = tokio::time::timeout(pause, bell.changed()).await;
    }
}

struct Work {
    driver: Driver,
    /// Batches that a task has.
    busy: Mutex<HashSet<String>>,
    /// Batches whose lines were let go by this process: those of an earlier one may have been left half done.
    released: Mutex<HashSet<String>>,
    places: Semaphore,
}

/// How many batches have not ended.
async fn look(work: &Arc<Work>) -> Result<usize, Fault> {
    let mut open = 0;
    let mut running = HashSet::new();
    for state in OPEN {
        for batch in work.driver.store.batches_in(state, MOST).await? {
            open += 1;
            running.insert(batch.id.clone());
            if work.has_to_do(&batch) && work.busy.lock().insert(batch.id.clone()) {
                let work = Arc::clone(work);
                task::spawn("batch", async move { work.advance(batch).await });
            }
        }
    }
    work.released.lock().retain(|id| running.contains(id));
    Ok(open)
}

impl Work {
    fn has_to_do(&self, batch: &Batch) -> bool {
        let waits = || About::read(&batch.about).is_some_and(|about| !super::is_done(batch, &about));
        batch.state != BatchState::InProgress || !self.released.lock().contains(&batch.id) || !waits()
    }

    async fn advance(self: Arc<Work>, batch: Batch) {
        let _busy = Busy(&self, &batch.id);
        // It is never closed.
        let Ok(_place) = self.places.acquire().await else { return };
        // As it stands now: another task may have had it since it was looked at.
        let now = match self.driver.store.batch(&batch.id, &batch.tenant).await {
            Ok(Some(batch)) => self.driver.advance(&batch, now_us()).await.map(|()| batch.state),
            Ok(None) => return,
            Err(fault) => Err(fault),
        };
        match now {
            Ok(BatchState::InProgress) => {
                self.released.lock().insert(batch.id.clone());
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(batch = batch.id, "a batch cannot be moved on now: {fault}");
                // Its task keeps it for so long: it is not tried again at once.
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Gives the batch back, panic or not.
struct Busy<'w>(&'w Work, &'w str);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().remove(self.1);
    }
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

//! The one thread that writes: what waits is written together, and told when the disk has it.
//!
//! What a reader could get wrong: each act has a savepoint of its own, so that one which fails takes nothing else with it; but nobody
//! hears of success before the commit of all of them.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;

/// Acts that wait; above it callers do.
const WAITING: usize = 1024;

/// Acts in a transaction: a sync of the disk is shared by as many, and a reader of the log waits for no more.
const TOGETHER: usize = 256;

/// Told after the commit.
type Tell = Box<dyn FnOnce(Result<(), Fault>) + Send>;
type Act = Box<dyn FnOnce(&Connection) -> Tell + Send>;

/// The way to the thread.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Act>);

impl Writer {
    /// Starts the thread, which ends when the last copy of this is dropped.
    pub(super) fn start(db: Connection) -> std::io::Result<Writer> {
        let (sender, acts) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("deferred".into()).spawn(move || run(&db, acts))?;
        Ok(Writer(sender))
    }

    /// Does something in a transaction; returns when it is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let act: Act = Box::new(move |db| {
            let done = within_savepoint(db, act);
            Box::new(move |committed| {
                // Whoever asked may have gone.
                let _ = reply.send(committed.and(done));
            })
        });
        let gone = || Fault::Broken("its file cannot be written".into());
        self.0.send(act).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn within_savepoint<T>(db: &Connection, act: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
    db.prepare_cached("SAVEPOINT act")?.execute([])?;
    match act(db) {
        Ok(value) => {
            db.prepare_cached("RELEASE act")?.execute([])?;
            Ok(value)
        }
        Err(fault) => {
            db.execute_batch("ROLLBACK TO act; RELEASE act")?;
            Err(fault)
        }
    }
}

fn run(db: &Connection, mut acts: mpsc::Receiver<Act>) {
    while let Some(first) = acts.blocking_recv() {
        if let Err(error) = db.execute_batch("BEGIN IMMEDIATE") {
            // Whoever asked hears that nothing was done when his act is dropped.
            tracing::error!("the queue of deferred work cannot be written: {error}");
            drop(first);
            continue;
        }
        let mut tell = Vec::with_capacity(8);
        tell.push(first(db));
        // A disk that is full ends the transaction by itself: what came after would be outside of it.
        while tell.len() < TOGETHER
            && !db.is_autocommit()
            && let Ok(next) = acts.try_recv()
        {
            tell.push(next(db));
        }
        let committed = db.execute_batch("COMMIT").map_err(Fault::from);
        if committed.is_err() && !db.is_autocommit() {
            // Where even this fails the next `BEGIN` says so.
            let _ = db.execute_batch("ROLLBACK");
        }
        tell.into_iter().for_each(|tell| tell(committed.clone()));
    }
}

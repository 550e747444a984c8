//! The thread that keeps ledger and audit chain up with the journal.
//!
//! What a reader could get wrong: only one process owns the books of a data directory (the lock on `books.lock`). During an upgrade the new
//! process journals from the start and takes the books over when the old one has ended; nobody waits for that but the books.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};

use crate::audit::{self, Chain};
use crate::ledger::Position;
use crate::ledger::journal::{self, Batch, Journal, Reader};
use crate::ledger::store::{self, Store};
use crate::tenant::Reservation;

/// Entries that go into the books in one transaction.
const BATCH: usize = 4096;
/// How long entries are gathered for one: a transaction costs the same whatever its size.
const PERIOD: Duration = Duration::from_millis(500);
/// A book that cannot be written is tried again after this long.
const PAUSE: Duration = Duration::from_secs(1);
/// How often old records are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How long the end of the process waits for a database that is away: the journal keeps what is left.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The thread, and how it is told to end.
#[derive(Debug)]
pub struct Bookkeeper {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Bookkeeper {
    /// Starts it.
    ///
    /// # Errors
    /// The audit chain was tampered with, or a book's file cannot be opened: told here, so that the gateway does not start.
    pub fn start(
        journal: Arc<Journal<Reservation>>,
        data_dir: &Path,
        ledger: Option<store::Settings>,
        audit: Option<audit::Settings>,
    ) -> Result<Bookkeeper, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            journal,
            dir: data_dir.join("journal"),
            lock_path: data_dir.join("books.lock"),
            audit_dir: data_dir.join(super::books::AUDIT),
            ledger,
            audit,
            books: None,
            stop: Arc::clone(&stop),
            batch: Batch::default(),
            pruned: Instant::now(),
            failing: false,
        };
        // Here and now if nobody else has them: what is wrong with them is for whoever starts the gateway to see, and what the
        // process before has spent must be booked before a budget is asked what is left of it.
        if work.take_over().map_err(|error| error.to_string())? && work.books.as_ref().is_some_and(Owned::is_complete) {
            work.adopt().map_err(|error| error.to_string())?;
        }
        let thread = std::thread::Builder::new().name("bookkeeper".into()).spawn(move || work.run());
        let thread = thread.map_err(|error| format!("the bookkeeper's thread cannot be started: {error}"))?;
        Ok(Bookkeeper { stop, thread: Mutex::new(Some(thread)) })
    }

    /// Books what is durable, then ends. Call it when the journal is closed.
    pub fn finish(&self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.lock().take() {
            // Its panic, if any, has been reported by the hook.
            let _ = thread.join();
        }
    }
}

struct Work {
    journal: Arc<Journal<Reservation>>,
    dir: PathBuf,
    lock_path: PathBuf,
    audit_dir: PathBuf,
    ledger: Option<store::Settings>,
    audit: Option<audit::Settings>,
    /// `None`: another process has them.
    books: Option<Owned>,
    stop: Arc<AtomicBool>,
    batch: Batch,
    pruned: Instant,
    /// The last attempt failed: told once, not each second.
    failing: bool,
}

/// The books, and the lock that makes them ours.
struct Owned {
    /// `None`: the database could not be reached yet.
    store: Option<Store>,
    chain: Option<Chain>,
    reader: Option<Reader>,
    keeps_ledger: bool,
    _lock: File,
}

/// Why nothing was booked.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    Book(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Io(error) => write!(f, "the journal cannot be read: {error}"),
            Trouble::Book(message) => f.write_str(message),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl Work {
    fn run(mut self) {
        let mut seen = Position::default();
        loop {
            let stopping = self.stop.load(Ordering::SeqCst);
            match self.turn() {
                Ok(()) => self.failing = false,
                Err(trouble) if !std::mem::replace(&mut self.failing, true) => {
                    tracing::error!("the books are behind, and are tried again each second: {trouble}");
                }
                Err(_) => {}
            }
            if stopping {
                return self.end();
            }
            match self.failing {
                true => std::thread::sleep(PAUSE),
                false => self.gather(&mut seen),
            }
        }
    }

    /// Waits until there is something, and a little longer, for the transaction to be worth it.
    fn gather(&self, seen: &mut Position) {
        let durable = self.journal.wait_beyond(*seen, PERIOD);
        if durable > *seen {
            *seen = durable;
            let until = Instant::now() + PERIOD;
            while Instant::now() < until && !self.stop.load(Ordering::SeqCst) {
                std::thread::sleep(PERIOD / 20);
            }
        }
    }

    fn turn(&mut self) -> Result<(), Trouble> {
        if self.books.is_none() && !self.take_over()? {
            return Ok(());
        }
        self.open_store()?;
        self.adopt()?;
        self.follow()?;
        self.upkeep()
    }

    /// Takes the lock, unless another process has it.
    fn take_over(&mut self) -> Result<bool, Trouble> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock_path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        let chain = match &self.audit {
            Some(settings) => Some(
                Chain::open(&self.audit_dir, settings).map_err(|e| Trouble::Book(format!("the audit chain: {e}")))?,
            ),
            None => None,
        };
        self.books = Some(Owned { store: None, chain, reader: None, keeps_ledger: self.ledger.is_some(), _lock: lock });
        // A file that cannot be opened is for whoever starts the gateway to see; a database that is away is not.
        match self.open_store() {
            Err(trouble) if self.ledger.as_ref().is_some_and(|l| matches!(l.place, store::Place::Sqlite(_))) => {
                Err(trouble)
            }
            _ => Ok(true),
        }
    }

    fn open_store(&mut self) -> Result<(), Trouble> {
        let (Some(books), Some(settings)) = (&mut self.books, &self.ledger) else { return Ok(()) };
        if books.store.is_none() {
            let opened = Store::open(settings).map_err(|error| Trouble::Book(format!("the ledger: {error}")))?;
            books.store = Some(opened);
        }
        Ok(())
    }

    /// Journals of processes that have ended: booked, then deleted.
    fn adopt(&mut self) -> Result<(), Trouble> {
        for orphan in journal::orphans(&self.dir)? {
            let boot = orphan.boot();
            let recovered = orphan.recover()?;
            if recovered.interrupted > 0 || recovered.torn > 0 {
                let interrupted = recovered.interrupted;
                tracing::warn!(
                    interrupted,
                    "a gateway had ended in the middle of requests; they are recorded as interrupted"
                );
            }
            let Some(books) = &mut self.books else { return Ok(()) };
            let mut reader = Reader::new(&self.dir, boot, books.position(boot));
            while reader.next_batch(None, BATCH, &mut self.batch)? > 0 {
                books.book(&self.batch)?;
            }
            orphan.discard()?;
            if let Some(store) = &mut books.store {
                store.forget(boot).map_err(|error| Trouble::Book(format!("the ledger: {error}")))?;
            }
        }
        Ok(())
    }

    /// What this process's journal has made durable.
    fn follow(&mut self) -> Result<(), Trouble> {
        let Some(books) = &mut self.books else { return Ok(()) };
        let boot = self.journal.boot();
        let durable = self.journal.durable();
        let from = books.position(boot);
        let mut reader = books.reader.take().unwrap_or_else(|| Reader::new(&self.dir, boot, from));
        loop {
            if reader.next_batch(Some(durable), BATCH, &mut self.batch)? == 0 {
                break;
            }
            // On an error the reader is dropped: the next turn begins where the books are.
            books.book(&self.batch)?;
            self.journal.release(books.position(boot));
        }
        books.reader = Some(reader);
        Ok(())
    }

    fn upkeep(&mut self) -> Result<(), Trouble> {
        let now = jiff::Timestamp::now();
        let Some(books) = &mut self.books else { return Ok(()) };
        if let Some(chain) = &mut books.chain {
            chain.tick(now.as_microsecond()).map_err(|error| Trouble::Book(format!("the audit chain: {error}")))?;
        }
        if self.pruned.elapsed() < PRUNE_EVERY {
            return Ok(());
        }
        let more = match &mut books.store {
            Some(store) => store.prune(now.as_microsecond()),
            None => Ok(false),
        };
        if !more.map_err(|error| Trouble::Book(format!("the ledger: {error}")))? {
            self.pruned = Instant::now();
        }
        Ok(())
    }

    fn end(mut self) {
        let until = Instant::now() + LAST_TRY;
        while self.failing && Instant::now() < until {
            std::thread::sleep(PAUSE);
            self.failing = self.turn().is_err();
        }
        let Some(books) = self.books.take() else { return };
        if let Some(Err(error)) = books.chain.map(Chain::close) {
            tracing::error!("the audit chain was not closed: {error}");
        }
        if let Some(Err(error)) = books.store.map(Store::close) {
            tracing::error!("the ledger was not closed: {error}");
        }
    }
}

impl Owned {
    /// Nothing that is configured is missing.
    fn is_complete(&self) -> bool {
        self.store.is_some() || !self.keeps_ledger
    }

    /// How far both books are.
    fn position(&self, boot: u64) -> Position {
        let store = self.store.as_ref().map(|store| store.position(boot));
        let chain = self.chain.as_ref().map(|chain| chain.position(boot));
        store.into_iter().chain(chain).min().unwrap_or(Position { boot, ..Position::default() })
    }

    /// Into both books; each skips what it has.
    fn book(&mut self, batch: &Batch) -> Result<(), Trouble> {
        if let Some(chain) = &mut self.chain {
            let failed = |error: audit::AuditError| Trouble::Book(format!("the audit chain: {error}"));
            for entry in batch.iter() {
                let (position, entry) = entry?;
                chain.append(position, &entry).map_err(failed)?;
            }
            chain.commit().map_err(failed)?;
        }
        if let Some(store) = &mut self.store {
            let mut unread = None;
            let entries = batch.iter().map_while(|entry| entry.map_err(|error| unread = Some(error)).ok());
            store.append(entries).map_err(|error| Trouble::Book(format!("the ledger: {error}")))?;
            if let Some(error) = unread {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

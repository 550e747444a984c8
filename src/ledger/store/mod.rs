//! The ledger's database, fed from the journal in transactions that also store how far: each entry is in it once, whatever happens.
//!
//! What a reader could get wrong: everything here blocks, and Postgres brings a runtime of its own: call it from a thread (or
//! `spawn_blocking`), never from a future.

mod decided;
mod error;
mod kinds;
mod measure;
mod postgres;
mod read;
mod reader;
pub mod records;
mod schema;
mod settings;
mod sqlite;

#[cfg(test)]
pub(crate) mod tests;

pub use error::StoreError;
pub use measure::{
    EARLIER_ATTEMPT, FIGURES, Figure, HOUR_US, Kind, LAST_ATTEMPT, MOST, MOST_COST, Measured, NO_ATTEMPT, Sums, Word,
    earlier, hour, request, share,
};
pub use read::{Fact, Range};
pub use reader::{Reader, Source};
pub use settings::{Place, Settings};

use std::time::Duration;

use crate::ledger::entry::{Entry, Position};
use postgres::Postgres;
use sqlite::Sqlite;

/// How long one call of [`Store::prune`] may keep the writer busy; the rest is done by the next.
const PRUNE_AT_ONCE: Duration = Duration::from_millis(20);

/// The database that is written to. Only one process may own a SQLite file (the lock on `data_dir` sees to it); any number of
/// gateways may write to one Postgres database.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    settings: Settings,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Store {
    /// Opens the database, makes it or brings it to this program's schema where needed.
    pub fn open(settings: &Settings) -> Result<Store, StoreError> {
        let engine = match &settings.place {
            Place::Sqlite(path) => Engine::Sqlite(Box::new(Sqlite::open(path)?)),
            Place::Postgres(url) => Engine::Postgres(Box::new(Postgres::open(url)?)),
        };
        Ok(Store { engine, settings: settings.clone() })
    }

    /// Books a batch in one transaction and gives the number of requests that were new; entries at or before the stored position of
    /// their journal are skipped. On an error nothing of it is booked: read again from [`Store::position`] and come back later (the
    /// connection to Postgres is made anew, at growing intervals; a call in between fails at once).
    ///
    /// A transaction costs some ten microseconds whatever its size, and the journal is durable without it: a few hundred entries or
    /// a second's worth make a good batch.
    pub fn append<'e>(&mut self, batch: impl Iterator<Item = (Position, Entry<'e>)>) -> Result<u64, StoreError> {
        match &mut self.engine {
            Engine::Sqlite(store) => store.append(batch),
            Engine::Postgres(store) => store.append(batch),
        }
    }

    /// How far the journal of a process is booked; segment 0 if nothing of it is.
    pub fn position(&self, boot: u64) -> Position {
        let found = match &self.engine {
            Engine::Sqlite(store) => store.position(boot),
            Engine::Postgres(store) => store.position(boot),
        };
        found.unwrap_or(Position { boot, ..Position::default() })
    }

    /// The same for all journals that anything of is booked; in Postgres also those of other gateways.
    pub fn positions(&self) -> Vec<Position> {
        match &self.engine {
            Engine::Sqlite(store) => store.positions(),
            Engine::Postgres(store) => store.positions(),
        }
    }

    /// Drops the position of a journal that is deleted.
    pub fn forget(&mut self, boot: u64) -> Result<(), StoreError> {
        match &mut self.engine {
            Engine::Sqlite(store) => store.forget(boot),
            Engine::Postgres(store) => store.forget(boot),
        }
    }

    /// Writes what is held back (hourly sums) and deletes what is kept no longer, for about 20 ms. `now` in microseconds (Unix).
    /// True if there is more to delete: call again soon, otherwise in a minute or so.
    pub fn prune(&mut self, now: i64) -> Result<bool, StoreError> {
        let oldest = |keep: Duration| hour(now.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)));
        let keep = oldest(self.settings.keep);
        // Sums stay at least as long as what they sum up.
        let keep_hourly = self.settings.keep_hourly.map(|time| oldest(time).min(keep));
        let started = std::time::Instant::now();
        loop {
            let more = match &mut self.engine {
                Engine::Sqlite(store) => store.prune(keep, keep_hourly)?,
                Engine::Postgres(store) => store.prune(keep, keep_hourly)?,
            };
            if !more || started.elapsed() > PRUNE_AT_ONCE {
                return Ok(more);
            }
        }
    }

    /// For questions to the database as it is now.
    pub fn source(&mut self) -> Result<Source<'_>, StoreError> {
        match &mut self.engine {
            Engine::Sqlite(store) => Ok(Source::Sqlite(store.connection())),
            Engine::Postgres(store) => Ok(Source::Postgres(store.client()?)),
        }
    }

    /// Closes the database; what was held back is written.
    pub fn close(self) -> Result<(), StoreError> {
        match self.engine {
            Engine::Sqlite(mut store) => store.roll(),
            Engine::Postgres(_) => Ok(()),
        }
    }
}

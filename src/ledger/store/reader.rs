//! Questions to the database: what a query reads, from either engine.
//!
//! What a reader could get wrong: a [`Reader`] sees the database as it was when it was opened, positions included, so that entries
//! which are not booked yet can be added from the journal without counting one twice.

use rusqlite::Connection;

use super::error::StoreError;
use super::measure::Kind;
use super::read::{Fact, Plan, Range};
use super::settings::{Place, Settings};
use super::{postgres, sqlite};
use crate::ledger::entry::Position;

/// A database opened to be read, also while another process writes to it or after that was killed.
pub struct Reader {
    engine: Engine,
}

enum Engine {
    Sqlite(Connection),
    Postgres(Box<::postgres::Client>),
}

/// What can be asked.
pub enum Source<'s> {
    Sqlite(&'s Connection),
    Postgres(&'s mut ::postgres::Client),
}

impl Reader {
    /// Opens what is there; `None` if nothing was ever booked.
    pub fn open(settings: &Settings) -> Result<Option<Reader>, StoreError> {
        let engine = match &settings.place {
            Place::Sqlite(path) => sqlite::read::open(path)?.map(Engine::Sqlite),
            Place::Postgres(url) => postgres::read::open(url)?.map(|client| Engine::Postgres(Box::new(client))),
        };
        Ok(engine.map(|engine| Reader { engine }))
    }

    /// How far each journal is booked, in what this reader sees.
    pub fn positions(&mut self) -> Result<Vec<Position>, StoreError> {
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::positions(connection),
            Engine::Postgres(client) => postgres::positions(client.as_mut()),
        }
    }

    pub fn source(&mut self) -> Source<'_> {
        match &mut self.engine {
            Engine::Sqlite(connection) => Source::Sqlite(connection),
            Engine::Postgres(client) => Source::Postgres(client),
        }
    }
}

impl Source<'_> {
    /// All kinds, each with its number.
    pub fn kinds(&mut self, each: &mut dyn FnMut(i64, Kind<Box<str>>)) -> Result<(), StoreError> {
        match self {
            Source::Sqlite(connection) => sqlite::read::kinds(connection, each),
            Source::Postgres(client) => postgres::read::kinds(*client, each),
        }
    }

    /// What came in a range, summed by hour and kind, with `single` also by user and tags; a sum may come in several parts.
    pub fn facts(&mut self, range: Range, single: bool, each: &mut dyn FnMut(&Fact<'_>)) -> Result<(), StoreError> {
        match self {
            Source::Sqlite(connection) => {
                let plan = Plan::new(range, single, &sqlite::read::spans(connection, range)?);
                sqlite::read::facts(connection, &plan, single, each)
            }
            Source::Postgres(client) => {
                let plan = Plan::new(range, single, &postgres::read::spans(*client, range)?);
                postgres::read::facts(*client, &plan, single, each)
            }
        }
    }
}

//! The ledger in a Postgres database, which several gateways may share.
//!
//! What a reader could get wrong: writers take turns (the first statement of a transaction locks a row of `meta` until its end), so
//! ids are given in the order of commits, nobody waits for two locks in different orders, and a position that was read in a
//! transaction still holds when it commits.

mod connect;
mod copy;
mod prune;
pub mod read;
mod write;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postgres::{Client, GenericClient};

use super::error::StoreError;
use super::kinds::Kinds;
use super::schema::{self, Dialect};
use crate::config::scalar::Secret;
use crate::ledger::entry::{Entry, Position};
use connect::Server;
use write::Statements;

/// First and longest time between two attempts to connect: short enough not to lag after a fail-over, long enough for a server that
/// is overloaded.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));

/// A connection that was idle for so long is looked at before it is used.
const IDLE: Duration = Duration::from_secs(2);

/// How long the server may take to say that it is there.
const ALIVE: Duration = Duration::from_secs(5);

pub struct Postgres {
    server: Server,
    open: Option<Open>,
    positions: HashMap<u64, Position>,
    not_before: Option<Instant>,
    pause: Duration,
}

/// What belongs to one connection.
struct Open {
    client: Client,
    statements: Statements,
    kinds: Kinds,
    used: Instant,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("server", &self.server.place).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects, makes the tables if they are not there.
    pub fn open(url: &Secret) -> Result<Postgres, StoreError> {
        let server = Server::parse(url)?;
        let mut store = Postgres { server, open: None, positions: HashMap::new(), not_before: None, pause: BACKOFF.0 };
        store.connect()?;
        Ok(store)
    }

    /// See [`super::Store::append`].
    pub fn append<'e>(&mut self, batch: impl Iterator<Item = (Position, Entry<'e>)>) -> Result<u64, StoreError> {
        self.look_after();
        let (moved, rows) = self.transact(|open| write::batch(open, batch))?;
        self.positions.extend(moved);
        Ok(rows)
    }

    /// A connection that was closed while nobody used it is found out by using it; better before a batch than in it.
    fn look_after(&mut self) {
        if let Some(open) = self.open.as_mut().filter(|open| open.used.elapsed() > IDLE)
            && let Err(error) = open.client.is_valid(ALIVE)
        {
            tracing::info!("{}: connection lost, connecting again: {error}", self.server.place);
            self.open = None;
        }
    }

    pub fn position(&self, boot: u64) -> Option<Position> {
        self.positions.get(&boot).copied()
    }

    pub fn positions(&self) -> Vec<Position> {
        self.positions.values().copied().collect()
    }

    pub fn forget(&mut self, boot: u64) -> Result<(), StoreError> {
        self.transact(|open| {
            open.client.execute("DELETE FROM journal WHERE boot = $1", &[&(boot as i64)])?;
            Ok(())
        })?;
        self.positions.remove(&boot);
        Ok(())
    }

    pub fn prune(&mut self, keep: i64, keep_hourly: Option<i64>) -> Result<bool, StoreError> {
        self.transact(|open| prune::step(&mut open.client, keep, keep_hourly))
    }

    /// The connection, for questions.
    pub fn client(&mut self) -> Result<&mut Client, StoreError> {
        self.look_after();
        self.connected().map(|open| &mut open.client)
    }

    /// Runs what needs the connection. After an error the kinds' numbers are forgotten (those given in a transaction that was rolled
    /// back are free again), after a lost connection it is dropped.
    fn transact<T>(&mut self, what: impl FnOnce(&mut Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let place = self.server.place.clone();
        let open = self.connected()?;
        let done = what(open);
        open.used = Instant::now();
        if done.is_err() {
            open.kinds.clear();
            if open.client.is_closed() {
                self.open = None;
            }
        }
        done.map_err(|e| e.doing(place))
    }

    fn connected(&mut self) -> Result<&mut Open, StoreError> {
        if self.open.is_none() {
            self.connect()?;
        }
        self.open.as_mut().ok_or_else(|| StoreError::passing("not connected"))
    }

    fn connect(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        if let Some(wait) = self.not_before.and_then(|at| at.checked_duration_since(now)) {
            return Err(StoreError::passing(format!(
                "{}: not connected, next attempt in {wait:.1?}",
                self.server.place
            )));
        }
        match self.begin() {
            Ok((open, positions)) => {
                (self.open, self.positions) = (Some(open), positions);
                (self.not_before, self.pause) = (None, BACKOFF.0);
                Ok(())
            }
            Err(error) => {
                self.not_before = Some(now + self.pause);
                self.pause = (self.pause * 2).min(BACKOFF.1);
                Err(error.doing(&self.server.place))
            }
        }
    }

    fn begin(&self) -> Result<(Open, HashMap<u64, Position>), StoreError> {
        let mut client = self.server.connect()?;
        migrate(&mut client)?;
        let positions = positions(&mut client)?.into_iter().map(|position| (position.boot, position)).collect();
        let statements = Statements::prepare(&mut client)?;
        Ok((Open { client, statements, kinds: Kinds::default(), used: Instant::now() }, positions))
    }
}

/// Two gateways that start at once take turns.
fn migrate(client: &mut Client) -> Result<(), StoreError> {
    let mut transaction = client.transaction()?;
    // "tidegate" in ASCII, as a number that no other program on the server takes.
    transaction.batch_execute("SELECT pg_advisory_xact_lock(8388629153498985573)")?;
    let exists = "SELECT to_regnamespace('tidegate') IS NOT NULL";
    if !transaction.query_one(exists, &[])?.get::<_, bool>(0) {
        transaction.batch_execute("CREATE SCHEMA tidegate")?;
    }
    transaction.batch_execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)")?;
    let version = transaction.query_opt("SELECT value FROM meta WHERE name = 'schema'", &[])?;
    for step in schema::pending(Dialect::Postgres, version.map_or(0, |row| row.get(0)))? {
        transaction.batch_execute(&step)?;
    }
    let insert = "INSERT INTO meta VALUES ('next_id', 1), ('schema', $1) ON CONFLICT (name) DO UPDATE SET \
                  value = CASE meta.name WHEN 'schema' THEN excluded.value ELSE meta.value END";
    transaction.execute(insert, &[&schema::VERSION])?;
    Ok(transaction.commit()?)
}

/// A connection to write something small with, beside the books.
pub(super) fn connect(url: &Secret) -> Result<Client, StoreError> {
    let server = Server::parse(url)?;
    server.connect().map_err(|e| e.doing(&server.place))
}

/// How far each journal is booked.
pub(super) fn positions(client: &mut impl GenericClient) -> Result<Vec<Position>, StoreError> {
    let rows = client.query("SELECT boot, segment, byte_offset FROM journal", &[])?;
    let position = |row: &postgres::Row| Position {
        boot: row.get::<_, i64>(0) as u64,
        segment: row.get::<_, i64>(1) as u32,
        offset: row.get::<_, i64>(2) as u64,
    };
    Ok(rows.iter().map(position).collect())
}

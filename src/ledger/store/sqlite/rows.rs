//! Rows on their way into SQLite: the statements, and how values are bound to them at little cost.
//!
//! What a reader could get wrong: the order in which values are bound is the order of the columns in the statements above them.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};

use crate::ledger::entry::Entry;
use crate::ledger::store::decided;
use crate::ledger::store::error::StoreError;
use crate::ledger::store::kinds::{Hash, Kinds};
use crate::ledger::store::measure::{self, FIGURES, Figure, Kind, Measured, OF_ATTEMPT, WORDS};

pub fn number(kinds: &mut Kinds, connection: &Connection, kind: &Kind<&str>) -> Result<i64, StoreError> {
    kinds.id(kind, |hash| ask(connection, kind, hash))
}

fn ask(connection: &Connection, kind: &Kind<&str>, hash: Hash) -> Result<i64, StoreError> {
    let mut select = connection.prepare_cached("SELECT id FROM kinds WHERE hash = ?1")?;
    if let Some(id) = select.query_row([&hash[..]], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let sql = format!(
        "INSERT INTO kinds (hash, status, stream, attempt, attempt_status, estimated, {}) VALUES ({})",
        WORDS.join(", "),
        holes(6 + WORDS.len())
    );
    let mut insert = connection.prepare_cached(&sql)?;
    let flags = [
        i64::from(kind.status),
        i64::from(kind.stream),
        i64::from(kind.attempt),
        i64::from(kind.attempt_status),
        i64::from(kind.estimated),
    ];
    insert.raw_bind_parameter(1, &hash[..])?;
    for (at, flag) in flags.iter().enumerate() {
        insert.raw_bind_parameter(at + 2, flag)?;
    }
    for (at, word) in kind.words.iter().enumerate() {
        insert.raw_bind_parameter(at + 2 + flags.len(), word)?;
    }
    insert.raw_execute()?;
    Ok(connection.last_insert_rowid())
}

pub fn request_row(
    row: &mut Insert<'_>,
    id: Option<i64>,
    entry: &Entry<'_>,
    kind: i64,
    measured: &Measured<'_>,
) -> Result<(), StoreError> {
    row.optional(id)?;
    row.ints([entry.at, entry.boot as i64, entry.number as i64, kind])?;
    row.figures(&measured.figures, measured.cost_known)?;
    row.optional(measure::share(entry.difficulty))?;
    row.optional(measure::share(entry.threshold))?;
    let text_of_decision = decided::text(entry);
    for text in [entry.request_id, entry.user, entry.tags, entry.pii, &text_of_decision] {
        row.text(text)?;
    }
    row.run()
}

pub fn attempt_row(
    row: &mut Insert<'_>,
    request: i64,
    n: i64,
    at: i64,
    kind: i64,
    measured: &Measured<'_>,
) -> Result<(), StoreError> {
    row.ints([request, n, at, kind])?;
    row.figures(&measured.figures[OF_ATTEMPT..], measured.cost_known)?;
    row.run()
}

pub fn insert_request() -> String {
    let fixed = "id, at, boot, number, kind";
    let figures = FIGURES.join(", ");
    let rest = "difficulty, threshold, request_id, user_name, tags, pii, decided";
    format!("INSERT INTO requests ({fixed}, {figures}, {rest}) VALUES ({})", holes(5 + FIGURES.len() + 7))
}

pub fn insert_attempt() -> String {
    let figures = &FIGURES[OF_ATTEMPT..];
    format!("INSERT INTO attempts (request, n, at, kind, {}) VALUES ({})", figures.join(", "), holes(4 + figures.len()))
}

pub fn upsert_sums() -> String {
    let sums: Vec<String> = FIGURES.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    format!(
        "INSERT INTO hourly (hour, kind, n, unknown, {}) VALUES ({}) ON CONFLICT (hour, kind) DO UPDATE SET \
         n = n + excluded.n, unknown = unknown + excluded.unknown, {}",
        FIGURES.join(", "),
        holes(4 + FIGURES.len()),
        sums.join(", ")
    )
}

/// `?, ?, ?`
fn holes(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// A statement that is run for many rows. SQLite keeps what was bound, so a value that is the same as in the row before is not bound
/// again: zeros, mostly.
pub struct Insert<'c> {
    statement: CachedStatement<'c>,
    bound: Vec<Option<i64>>,
    next: usize,
    first: bool,
}

impl<'c> Insert<'c> {
    pub fn new(connection: &'c Connection, sql: &str) -> Result<Insert<'c>, StoreError> {
        let statement = connection.prepare_cached(sql)?;
        let bound = vec![None; statement.parameter_count()];
        Ok(Insert { statement, bound, next: 0, first: true })
    }

    pub fn ints<const N: usize>(&mut self, values: [i64; N]) -> Result<(), StoreError> {
        values.into_iter().try_for_each(|value| self.optional(Some(value)))
    }

    /// The figures, the cost among them NULL if it is not known.
    fn figures(&mut self, figures: &[i64], cost_known: bool) -> Result<(), StoreError> {
        let cost = Figure::Cost as usize - (FIGURES.len() - figures.len());
        figures
            .iter()
            .enumerate()
            .try_for_each(|(at, value)| self.optional((cost_known || at != cost).then_some(*value)))
    }

    fn optional(&mut self, value: Option<i64>) -> Result<(), StoreError> {
        let at = self.next;
        self.next += 1;
        if self.first || self.bound[at] != value {
            self.statement.raw_bind_parameter(at + 1, value)?;
            self.bound[at] = value;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), StoreError> {
        self.next += 1;
        Ok(self.statement.raw_bind_parameter(self.next, text)?)
    }

    pub fn run(&mut self) -> Result<(), StoreError> {
        self.statement.raw_execute()?;
        (self.next, self.first) = (0, false);
        Ok(())
    }
}

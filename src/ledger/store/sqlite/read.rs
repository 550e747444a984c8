//! Reading the ledger in a SQLite file.
//!
//! What a reader could get wrong: rows after `rolled` are not in the hourly sums yet and are added here, in the same snapshot.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

use super::{BUSY, meta};
use crate::ledger::store::error::StoreError;
use crate::ledger::store::measure::{FIGURES, Figure, Kind, Sums, WORDS, hour};
use crate::ledger::store::read::{Chosen, Fact, Plan, Range, Singles, Span, hours_of};
use crate::ledger::store::schema;

/// Opens the file to read it, as it was at this moment; `None` if there is none.
pub fn open(path: &Path) -> Result<Option<Connection>, StoreError> {
    let named = |e: rusqlite::Error| StoreError::from(e).doing(path.display());
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(named)?;
    connection.busy_timeout(BUSY).map_err(named)?;
    let tables: i64 = connection
        .execute_batch("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 268435456; BEGIN")
        .and_then(|()| {
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name IN ('meta', 'requests')";
            connection.query_row(sql, [], |row| row.get(0))
        })
        .map_err(named)?;
    // A process that dies right after it made the file leaves it empty.
    if tables < 2 {
        return Ok(None);
    }
    schema::readable(meta(&connection, "schema")?.unwrap_or(0)).map_err(|e| e.doing(path.display()))?;
    Ok(Some(connection))
}

/// All kinds, each with its number.
pub fn kinds(connection: &Connection, each: &mut dyn FnMut(i64, Kind<Box<str>>)) -> Result<(), StoreError> {
    let words = WORDS.join(", ");
    let sql = format!("SELECT id, status, stream, attempt, attempt_status, estimated, {words} FROM kinds");
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let mut words: [Box<str>; WORDS.len()] = Default::default();
        for (at, word) in words.iter_mut().enumerate() {
            *word = text(row, at + 6)?.into();
        }
        let kind = Kind {
            words,
            status: row.get(1)?,
            stream: row.get(2)?,
            attempt: row.get(3)?,
            attempt_status: row.get(4)?,
            estimated: row.get(5)?,
        };
        each(row.get(0)?, kind);
    }
    Ok(())
}

/// The hours of a range that anything came in.
pub fn spans(connection: &Connection, range: Range) -> Result<Vec<Span>, StoreError> {
    let sql = "SELECT hour, first_id, last_id, pruned FROM spans WHERE hour BETWEEN ?1 AND ?2 ORDER BY hour";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map(<[i64; 2]>::from(hours_of(range)), |row| {
        Ok(Span { hour: row.get(0)?, first_id: row.get(1)?, last_id: row.get(2)?, pruned: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads what the plan says.
pub fn facts(
    connection: &Connection,
    plan: &Plan,
    single: bool,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let rolled = meta(connection, "rolled")?.unwrap_or(0);
    plan.hours.iter().try_for_each(|hours| sums(connection, *hours, each))?;
    for singles in &plan.singles {
        let summed = Singles { last_id: singles.last_id.min(rolled), ..*singles };
        requests(connection, &summed, single, &chosen(connection, singles.range)?, each)?;
        let fresh = Singles { first_id: singles.first_id.max(rolled + 1), ..*singles };
        requests(connection, &fresh, single, &Chosen::all(), each)?;
    }
    if plan.hours.is_empty() {
        return Ok(());
    }
    unrolled(connection, rolled, &mut |at_hour, kind, sums| {
        if plan.sums_hold(at_hour) {
            each(&Fact { hour: at_hour, kind, user: None, tags: None, sums });
        }
    })
}

fn chosen(connection: &Connection, range: Range) -> Result<Chosen, StoreError> {
    let sums = Chosen::all().columns(|name| format!("coalesce(max({name}), 0)"));
    let sql = format!("SELECT {sums} FROM hourly WHERE hour BETWEEN ?1 AND ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_row(<[i64; 2]>::from(hours_of(range)), |row| {
        (0..FIGURES.len()).map(|at| row.get(at)).collect::<Result<Vec<i64>, _>>()
    })?;
    Ok(Chosen::not_zero(|at| found[at]))
}

fn sums(connection: &Connection, hours: (i64, i64), each: &mut dyn FnMut(&Fact<'_>)) -> Result<(), StoreError> {
    let figures = FIGURES.join(", ");
    let sql = format!("SELECT hour, kind, n, unknown, {figures} FROM hourly WHERE hour BETWEEN ?1 AND ?2");
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(<[i64; 2]>::from(hours))?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        (sums.rows, sums.unknown) = (row.get(2)?, row.get(3)?);
        for (at, sum) in sums.of.iter_mut().enumerate() {
            *sum = row.get(at + 4)?;
        }
        each(&Fact { hour: row.get(0)?, kind: row.get(1)?, user: None, tags: None, sums: &sums });
    }
    Ok(())
}

fn requests(
    connection: &Connection,
    singles: &Singles,
    single: bool,
    chosen: &Chosen,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let bounds = [singles.first_id, singles.last_id, singles.range.since, singles.range.until];
    let who = if single { ", user_name, tags" } else { "" };
    let sql = format!(
        "SELECT at, kind, {}{who} FROM requests WHERE id BETWEEN ?1 AND ?2 AND at >= ?3 AND at < ?4",
        chosen.columns(str::to_owned)
    );
    go_through(connection, &sql, &bounds, chosen, single, each)?;
    let chosen = chosen.of_attempts();
    let (who, join) = if single { (", r.user_name, r.tags", "JOIN requests r ON r.id = a.request") } else { ("", "") };
    let sql = format!(
        "SELECT a.at, a.kind, {}{who} FROM attempts a {join} \
         WHERE a.request BETWEEN ?1 AND ?2 AND a.at >= ?3 AND a.at < ?4",
        chosen.columns(|name| format!("a.{name}"))
    );
    go_through(connection, &sql, &bounds, &chosen, single, each)
}

/// Rows after `rolled`, each with its hour and kind.
pub fn unrolled(connection: &Connection, rolled: i64, each: &mut dyn FnMut(i64, i64, &Sums)) -> Result<(), StoreError> {
    let singles = Singles { first_id: rolled.saturating_add(1), last_id: i64::MAX, range: Range::ALL };
    requests(connection, &singles, false, &Chosen::all(), &mut |fact| each(fact.hour, fact.kind, fact.sums))
}

/// One fact a row: time, kind, the chosen figures, then user and tags if `single`.
fn go_through(
    connection: &Connection,
    sql: &str,
    bounds: &[i64; 4],
    chosen: &Chosen,
    single: bool,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(*bounds)?;
    let cost = Figure::Cost as usize;
    let mut sums = Sums { rows: 1, ..Sums::default() };
    while let Some(row) = rows.next()? {
        for (at, figure) in chosen.0.iter().enumerate() {
            let sum = &mut sums.of[*figure];
            if *figure == cost {
                let known: Option<i64> = row.get(at + 2)?;
                (*sum, sums.unknown) = (known.unwrap_or(0), i64::from(known.is_none()));
            } else {
                *sum = row.get(at + 2)?;
            }
        }
        let after = chosen.0.len() + 2;
        let (user, tags) = if single { (Some(text(row, after)?), Some(text(row, after + 1)?)) } else { (None, None) };
        each(&Fact { hour: hour(row.get(0)?), kind: row.get(1)?, user, tags, sums: &sums });
    }
    Ok(())
}

fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, StoreError> {
    row.get_ref(at)?.as_str().map_err(|e| StoreError::lasting(format!("a text that is none: {e}")))
}

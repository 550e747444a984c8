//! Reading the ledger in Postgres: the server sums up, so that few rows travel.
//!
//! What a reader could get wrong: the hourly sums are complete here; there is nothing to add to them as in SQLite.

use postgres::{Client, GenericClient, Row};

use super::connect::Server;
use crate::config::scalar::Secret;
use crate::ledger::store::error::StoreError;
use crate::ledger::store::measure::{FIGURES, HOUR_US, Kind, Sums, WORDS};
use crate::ledger::store::read::{Chosen, Fact, Plan, Range, Singles, Span, hours_of};
use crate::ledger::store::schema;

/// Connects to read the database as it is at this moment; `None` if it has no ledger.
pub fn open(url: &Secret) -> Result<Option<Client>, StoreError> {
    let server = Server::parse(url)?;
    let opened = server.connect().and_then(|mut client| {
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let there: bool = client.query_one("SELECT to_regclass('tidegate.requests') IS NOT NULL", &[])?.get(0);
        if !there {
            return Ok(None);
        }
        schema::readable(client.query_one("SELECT value FROM meta WHERE name = 'schema'", &[])?.get(0))?;
        Ok(Some(client))
    });
    opened.map_err(|e| e.doing(&server.place))
}

/// All kinds, each with its number.
pub fn kinds(client: &mut impl GenericClient, each: &mut dyn FnMut(i64, Kind<Box<str>>)) -> Result<(), StoreError> {
    let words = WORDS.join(", ");
    let sql = format!("SELECT id, status, stream, attempt, attempt_status, estimated, {words} FROM kinds");
    for row in client.query(&sql, &[])? {
        let mut words: [Box<str>; WORDS.len()] = Default::default();
        for (at, word) in words.iter_mut().enumerate() {
            *word = row.get::<_, &str>(at + 6).into();
        }
        let kind = Kind {
            words,
            status: row.get::<_, i32>(1) as u16,
            stream: row.get::<_, i32>(2) != 0,
            attempt: row.get::<_, i32>(3) as u8,
            attempt_status: row.get::<_, i32>(4) as u16,
            estimated: row.get::<_, i32>(5) != 0,
        };
        each(row.get(0), kind);
    }
    Ok(())
}

/// The hours of a range that anything came in.
pub fn spans(client: &mut impl GenericClient, range: Range) -> Result<Vec<Span>, StoreError> {
    let sql = "SELECT hour, first_id, last_id, pruned FROM spans WHERE hour BETWEEN $1 AND $2 ORDER BY hour";
    let (first, last) = hours_of(range);
    let rows = client.query(sql, &[&first, &last])?;
    let span = |row: &Row| Span {
        hour: row.get(0),
        first_id: row.get(1),
        last_id: row.get(2),
        pruned: row.get::<_, i32>(3) != 0,
    };
    Ok(rows.iter().map(span).collect())
}

/// Reads what the plan says.
pub fn facts(
    client: &mut impl GenericClient,
    plan: &Plan,
    single: bool,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let figures = FIGURES.join(", ");
    let sql = format!("SELECT hour, kind, n, unknown, {figures} FROM hourly WHERE hour BETWEEN $1 AND $2");
    for (first, last) in &plan.hours {
        let rows = client.query(&sql, &[first, last])?;
        rows.iter().for_each(|row| fact(row, &Chosen::all(), false, each));
    }
    for singles in &plan.singles {
        let chosen = chosen(client, singles.range)?;
        requests(client, singles, single, &chosen, each)?;
        attempts(client, singles, single, &chosen.of_attempts(), each)?;
    }
    Ok(())
}

fn chosen(client: &mut impl GenericClient, range: Range) -> Result<Chosen, StoreError> {
    let sums = Chosen::all().columns(|name| format!("coalesce(max({name}), 0)"));
    let (first, last) = hours_of(range);
    let sql = format!("SELECT {sums} FROM hourly WHERE hour BETWEEN $1 AND $2");
    let row = client.query_one(&sql, &[&first, &last])?;
    Ok(Chosen::not_zero(|at| row.get(at)))
}

fn requests(
    client: &mut impl GenericClient,
    singles: &Singles,
    single: bool,
    chosen: &Chosen,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let who = if single { ", r.user_name, r.tags" } else { "" };
    let sql = format!(
        "SELECT r.at / {HOUR_US}, r.kind, count(*), count(*) - count(r.cost), {}{who} FROM requests r \
         WHERE r.id BETWEEN $1 AND $2 AND r.at >= $3 AND r.at < $4 GROUP BY 1, 2{who}",
        chosen.columns(|name| sum("r", name))
    );
    grouped(client, &sql, singles, chosen, single, each)
}

fn attempts(
    client: &mut impl GenericClient,
    singles: &Singles,
    single: bool,
    chosen: &Chosen,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let (who, join) = if single { (", r.user_name, r.tags", "JOIN requests r ON r.id = a.request") } else { ("", "") };
    let sql = format!(
        "SELECT a.at / {HOUR_US}, a.kind, count(*), count(*) - count(a.cost), {}{who} FROM attempts a {join} \
         WHERE a.request BETWEEN $1 AND $2 AND a.at >= $3 AND a.at < $4 GROUP BY 1, 2{who}",
        chosen.columns(|name| sum("a", name))
    );
    grouped(client, &sql, singles, chosen, single, each)
}

/// A sum of whole numbers is a `numeric` to Postgres.
fn sum(table: &str, name: &str) -> String {
    format!("coalesce(sum({table}.{name}), 0)::bigint")
}

fn grouped(
    client: &mut impl GenericClient,
    sql: &str,
    singles: &Singles,
    chosen: &Chosen,
    single: bool,
    each: &mut dyn FnMut(&Fact<'_>),
) -> Result<(), StoreError> {
    let Singles { first_id, last_id, range } = singles;
    let rows = client.query(sql, &[first_id, last_id, &range.since, &range.until])?;
    rows.iter().for_each(|row| fact(row, chosen, single, each));
    Ok(())
}

/// Hour, kind, rows, unknown, the chosen figures, then user and tags if `single`.
fn fact(row: &Row, chosen: &Chosen, single: bool, each: &mut dyn FnMut(&Fact<'_>)) {
    let mut sums = Sums { rows: row.get(2), unknown: row.get(3), ..Sums::default() };
    for (at, figure) in chosen.0.iter().enumerate() {
        sums.of[*figure] = row.get(at + 4);
    }
    let after = chosen.0.len() + 4;
    let (user, tags) = if single { (Some(row.get(after)), Some(row.get(after + 1))) } else { (None, None) };
    each(&Fact { hour: row.get(0), kind: row.get(1), user, tags, sums: &sums });
}

//! Single requests out of the ledger: the latest ones, one by its id with all its attempts, and what was said of its answer.
//!
//! What a reader could get wrong: the journal's last half second is not booked yet and not found here; and rows older than the ledger's
//! `keep` are gone, only their sums remain.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use serde_json::{Map, Value, json};

use super::error::StoreError;
use super::settings::{Place, Settings};
use super::{postgres, sqlite};

/// The most that are told at once.
pub const MOST: usize = 1_000;

/// Which requests. Empty: all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Which {
    /// Columns of the log and the value that they must have.
    pub with: Vec<(&'static str, String)>,
    /// Microseconds (Unix).
    pub since: Option<i64>,
    /// Only those that were booked before the one with this number (`id` of the last one told).
    pub before: Option<i64>,
    /// 1 to [`MOST`].
    pub limit: usize,
}

/// What somebody thinks of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    pub request_id: String,
    /// -1 to 1.
    pub score: f64,
    pub comment: String,
    /// Microseconds (Unix).
    pub at: i64,
}

const SELECT: &str = "SELECT l.*, r.decided, f.score AS feedback, f.comment AS feedback_comment FROM requests_log l \
                      JOIN requests r ON r.id = l.id LEFT JOIN feedback f ON f.request_id = l.request_id";

/// The latest requests, newest first.
///
/// # Errors
/// The database cannot be read.
pub fn latest(settings: &Settings, which: &Which) -> Result<Vec<Value>, StoreError> {
    let mut conditions = vec![];
    let mut values = vec![];
    for (column, value) in &which.with {
        values.push(value.clone());
        conditions.push(format!("l.{column} = {}", hole(settings, values.len())));
    }
    // Numbers of our own making: they need no hole.
    conditions.extend(which.since.map(|since| format!("r.at >= {since}")));
    conditions.extend(which.before.map(|before| format!("l.id < {before}")));
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let limit = which.limit.clamp(1, MOST);
    let rows = select(settings, &format!("{SELECT}{filter} ORDER BY l.id DESC LIMIT {limit}"), &values)?;
    Ok(rows.into_iter().map(unfolded).collect())
}

/// One request with its attempts; `None`: it is not in the ledger.
///
/// # Errors
/// The database cannot be read.
pub fn one(settings: &Settings, request_id: &str) -> Result<Option<Value>, StoreError> {
    let by_id = format!("{SELECT} WHERE l.request_id = {} ORDER BY l.id DESC LIMIT 1", hole(settings, 1));
    let Some(row) = select(settings, &by_id, &[request_id.to_owned()])?.into_iter().next() else { return Ok(None) };
    let id = row.get("id").and_then(Value::as_i64).unwrap_or_default();
    let mut record = unfolded(row);
    let columns = "n, role, model, upstream, node, placement, region, attempt_outcome AS outcome, attempt_status AS status, estimated, \
                   prompt, cached, completion, reasoning, cost_usd, co2_g, upstream_us, compute_us, transfer_us, bytes_out";
    let attempts = select(settings, &format!("SELECT {columns} FROM attempts_log WHERE id = {id} ORDER BY n"), &[])?;
    record["attempts"] = Value::Array(attempts.into_iter().map(Value::Object).collect());
    Ok(Some(record))
}

/// Keeps feedback, in place of what was said before of the same request.
///
/// # Errors
/// The database cannot be written.
pub fn keep(settings: &Settings, feedback: &Feedback) -> Result<(), StoreError> {
    let Feedback { request_id, score, comment, at } = feedback;
    match &settings.place {
        Place::Sqlite(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(sqlite::BUSY)?;
            let sql = "INSERT INTO feedback (request_id, at, score, comment) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (request_id) \
                       DO UPDATE SET at = excluded.at, score = excluded.score, comment = excluded.comment";
            connection.execute(sql, rusqlite::params![request_id, at, score, comment])?;
        }
        Place::Postgres(url) => {
            let mut client = postgres::connect(url)?;
            let sql = "INSERT INTO feedback (request_id, at, score, comment) VALUES ($1, $2, $3, $4) ON CONFLICT (request_id) \
                       DO UPDATE SET at = excluded.at, score = excluded.score, comment = excluded.comment";
            client.execute(sql, &[request_id, at, score, comment])?;
        }
    }
    Ok(())
}

fn hole(settings: &Settings, number: usize) -> String {
    match settings.place {
        Place::Sqlite(_) => format!("?{number}"),
        Place::Postgres(_) => format!("${number}"),
    }
}

/// Rows as objects of their columns.
fn select(settings: &Settings, sql: &str, values: &[String]) -> Result<Vec<Map<String, Value>>, StoreError> {
    match &settings.place {
        Place::Sqlite(path) => match sqlite::read::open(path)? {
            Some(connection) => of_sqlite(&connection, sql, values),
            None => Ok(vec![]),
        },
        Place::Postgres(url) => {
            let Some(mut client) = postgres::read::open(url)? else { return Ok(vec![]) };
            let values: Vec<&(dyn ::postgres::types::ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            let rows = client.query(&format!("SELECT row_to_json(q)::text FROM ({sql}) q"), &values)?;
            let row = |row: &::postgres::Row| serde_json::from_str(row.get(0)).unwrap_or_default();
            Ok(rows.iter().map(row).collect())
        }
    }
}

fn of_sqlite(connection: &Connection, sql: &str, values: &[String]) -> Result<Vec<Map<String, Value>>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(params_from_iter(values))?;
    let mut all = vec![];
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (at, name) in names.iter().enumerate() {
            let value = match row.get_ref(at)? {
                ValueRef::Null | ValueRef::Blob(_) => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            };
            object.insert(name.clone(), value);
        }
        all.push(object);
    }
    Ok(all)
}

/// The row with its decision as JSON instead of text, and flags as such.
fn unfolded(mut row: Map<String, Value>) -> Value {
    let decided = row.remove("decided");
    let decided = decided.as_ref().and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
    row.insert("decision".into(), decided.unwrap_or(Value::Null));
    for flag in ["stream", "estimated"] {
        if let Some(number) = row.get(flag).and_then(Value::as_i64) {
            row.insert(flag.into(), (number != 0).into());
        }
    }
    let (score, comment) =
        (row.remove("feedback").unwrap_or_default(), row.remove("feedback_comment").unwrap_or_default());
    let feedback = if score.is_null() { Value::Null } else { json!({"score": score, "comment": comment}) };
    row.insert("feedback".into(), feedback);
    Value::Object(row)
}

//! The tables and views, in the words of both databases.
//!
//! What a reader could get wrong: `id` counts the rows in the order in which they were booked, which is nearly but not quite the
//! order of `at` (a long answer is booked after a short one that came later); `spans` says which ids the rows of an hour have.

use std::fmt::Write as _;

use super::error::StoreError;
use super::measure::{FIGURES, OF_ATTEMPT, WORDS};

/// The version of the schema that this program writes. A later one is refused, an earlier one is migrated.
pub const VERSION: i64 = 2;

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// The steps from a database's version to this program's.
pub fn pending(dialect: Dialect, version: i64) -> Result<Vec<String>, StoreError> {
    let mut steps = migrations(dialect);
    match usize::try_from(version) {
        Ok(done) if done <= steps.len() => Ok(steps.split_off(done)),
        _ => Err(StoreError::lasting(format!(
            "the ledger's schema is version {version}, this program knows up to {VERSION}: run the newer tidegate that wrote it"
        ))),
    }
}

/// Whether a database of a version can be read as it is: reading migrates nothing.
pub fn readable(version: i64) -> Result<(), StoreError> {
    match pending(Dialect::Sqlite, version)?.len() {
        0 => Ok(()),
        _ => Err(StoreError::lasting(format!(
            "the ledger's schema is version {version}, this program reads {VERSION}: start the gateway of this version once"
        ))),
    }
}

/// What brings the database from version `n` to `n + 1`, at place `n`.
fn migrations(dialect: Dialect) -> Vec<String> {
    vec![format!("{}{}", tables(dialect), views(dialect)), decisions(dialect)]
}

/// How each request was decided (JSON, see `decided.rs`), and what was said of its answer afterwards.
fn decisions(dialect: Dialect) -> String {
    let real = match dialect {
        Dialect::Sqlite => "REAL",
        Dialect::Postgres => "DOUBLE PRECISION",
    };
    format!(
        "ALTER TABLE requests ADD COLUMN decided TEXT NOT NULL DEFAULT '';\n\
         -- -1 to 1; comments are kept for requests of the tier `retained` only.\n\
         CREATE TABLE feedback (request_id TEXT PRIMARY KEY, at BIGINT NOT NULL, score {real} NOT NULL, comment TEXT NOT NULL);\n"
    )
}

fn tables(dialect: Dialect) -> String {
    let (id, bytes, tail) = match dialect {
        // Exactly these words make the key the row's number.
        Dialect::Sqlite => ("INTEGER PRIMARY KEY", "BLOB", " WITHOUT ROWID"),
        Dialect::Postgres => ("BIGINT PRIMARY KEY", "BYTEA", ""),
    };
    let words = columns(&WORDS, "TEXT NOT NULL");
    let of_request = columns(&FIGURES, "BIGINT");
    let of_attempt = columns(&FIGURES[OF_ATTEMPT..], "BIGINT");
    let sums = columns(&FIGURES, "BIGINT NOT NULL");
    format!(
        "CREATE TABLE journal (boot BIGINT PRIMARY KEY, segment BIGINT NOT NULL, byte_offset BIGINT NOT NULL){tail};\n\
         -- Who asked, where it ran, how it ended. attempt: 0 none was made, 1 the request's last, 2 an earlier one.\n\
         CREATE TABLE kinds (id {id}, hash {bytes} NOT NULL UNIQUE, {words},\n  \
           status INTEGER NOT NULL, stream INTEGER NOT NULL, attempt INTEGER NOT NULL, attempt_status INTEGER NOT NULL,\n  \
           estimated INTEGER NOT NULL);\n\
         -- A request with its last attempt. Times in microseconds, money in nanodollars (NULL: unknown), co2 in micrograms,\n\
         -- difficulty and threshold in ten-thousandths.\n\
         CREATE TABLE requests (id {id}, at BIGINT NOT NULL, boot BIGINT NOT NULL, number BIGINT NOT NULL,\n  \
           request_id TEXT NOT NULL, kind BIGINT NOT NULL, user_name TEXT NOT NULL, tags TEXT NOT NULL, pii TEXT NOT NULL,\n  \
           difficulty INTEGER, threshold INTEGER, {of_request});\n\
         -- The attempts before the last.\n\
         CREATE TABLE attempts (request BIGINT NOT NULL, n INTEGER NOT NULL, at BIGINT NOT NULL, kind BIGINT NOT NULL,\n  \
           {of_attempt}, PRIMARY KEY (request, n)){tail};\n\
         -- Sums by hour (since 1970) over requests and attempts.\n\
         CREATE TABLE hourly (hour BIGINT NOT NULL, kind BIGINT NOT NULL, n BIGINT NOT NULL, unknown BIGINT NOT NULL,\n  \
           {sums}, PRIMARY KEY (hour, kind)){tail};\n\
         -- The ids of the requests of an hour; pruned: 1, single requests of it are no longer complete.\n\
         CREATE TABLE spans (hour BIGINT PRIMARY KEY, first_id BIGINT NOT NULL, last_id BIGINT NOT NULL,\n  \
           pruned INTEGER NOT NULL){tail};\n"
    )
}

fn columns(names: &[&str], kind: &str) -> String {
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        let _ = write!(text, "{}{name} {kind}", if i == 0 { "" } else { ", " });
    }
    text
}

/// For people with `sqlite3` or `psql`: words and units resolved.
fn views(dialect: Dialect) -> String {
    let time = |at: &str| match dialect {
        Dialect::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', {at} / 1000000.0, 'unixepoch')"),
        Dialect::Postgres => format!("to_timestamp({at} / 1000000.0)"),
    };
    let of_attempt = |row: &str| {
        format!(
            "k.role, k.model, k.upstream, k.node, k.placement, k.region, k.attempt_outcome, k.attempt_status, k.estimated, \
             {row}.prompt, {row}.cached, {row}.completion, {row}.reasoning, {row}.audio_in, {row}.audio_out, \
             {row}.cost / 1e9 AS cost_usd, {row}.co2_ug / 1e6 AS co2_g, {row}.upstream_us, {row}.compute_us, \
             {row}.transfer_us, {row}.bytes_out"
        )
    };
    let who = "k.tenant, k.app, r.user_name, r.tags, k.endpoint, k.route, k.rule";
    let earlier = "SELECT CASE WHEN count(*) = count(a.cost) THEN coalesce(sum(a.cost), 0) END FROM attempts a WHERE a.request = r.id";
    format!(
        "CREATE VIEW requests_log AS SELECT r.id, {at} AS time, r.request_id, {who}, k.outcome, k.status, k.stream, k.privacy,\n  \
           k.cache, r.pii, r.difficulty / 10000.0 AS difficulty, r.threshold / 10000.0 AS threshold, k.fallback,\n  \
           CASE k.attempt WHEN 0 THEN 0 ELSE 1 + (SELECT count(*) FROM attempts a WHERE a.request = r.id) END AS attempts,\n  \
           k.model, k.upstream, k.node, k.placement, k.region, r.prompt, r.cached, r.completion, r.reasoning,\n  \
           (r.cost + ({earlier})) / 1e9 AS cost_usd, r.saving / 1e9 AS saving_usd,\n  \
           r.wait_us, r.overhead_us, r.first_token_us, r.total_us\n  \
           FROM requests r JOIN kinds k ON k.id = r.kind;\n\
         CREATE VIEW attempts_log AS SELECT r.id, {at} AS time, r.request_id,\n  \
           1 + (SELECT count(*) FROM attempts a WHERE a.request = r.id) AS n, {who}, {last}\n  \
           FROM requests r JOIN kinds k ON k.id = r.kind WHERE k.attempt = 1\n\
         UNION ALL SELECT r.id, {at} AS time, r.request_id, a.n, {who}, {before}\n  \
           FROM attempts a JOIN requests r ON r.id = a.request JOIN kinds k ON k.id = a.kind;\n",
        at = time("r.at"),
        last = of_attempt("r"),
        before = of_attempt("a"),
    )
}

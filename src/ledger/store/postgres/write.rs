//! One batch into Postgres: rows by COPY, sums by upsert, positions, in one transaction.
//!
//! What a reader could get wrong: the sums are written with each batch (unlike in SQLite), because the rows of several gateways
//! follow each other and nobody knows which of them another has summed up.

use std::collections::BTreeMap;
use std::io::Write as _;

use postgres::types::ToSql;
use postgres::{Client, Statement, Transaction};

use super::Open;
use super::copy::{Copy, storable};
use crate::ledger::entry::{Entry, Position};
use crate::ledger::store::decided;
use crate::ledger::store::error::StoreError;
use crate::ledger::store::kinds::{Hash, Kinds};
use crate::ledger::store::measure::{self, FIGURES, Figure, Kind, Measured, OF_ATTEMPT, Sums, WORDS};

/// Waits for the turn to write; gives the next id.
pub const TURN: &str = "SELECT value FROM meta WHERE name = 'next_id' FOR UPDATE";

/// What each batch runs, prepared once for a connection.
pub struct Statements {
    turn: Statement,
    next: Statement,
    find_kind: Statement,
    make_kind: Statement,
    requests: Statement,
    attempts: Statement,
    sums: Statement,
    spans: Statement,
    positions: Statement,
}

impl Statements {
    pub fn prepare(client: &mut Client) -> Result<Statements, StoreError> {
        let figures = FIGURES.join(", ");
        let of_attempt = FIGURES[OF_ATTEMPT..].join(", ");
        // Types must be told where they are not a column's.
        let values = (1..=6 + WORDS.len()).map(|n| match n {
            1 => "$1::bytea".to_owned(),
            2..=6 => format!("${n}::integer"),
            _ => format!("${n}::text"),
        });
        let kinds = format!(
            "INSERT INTO kinds (id, hash, status, stream, attempt, attempt_status, estimated, {}) \
             SELECT coalesce(max(id), 0) + 1, {} FROM kinds RETURNING id",
            WORDS.join(", "),
            values.collect::<Vec<_>>().join(", ")
        );
        let arrays = (1..=4 + FIGURES.len()).map(|n| format!("${n}::bigint[]")).collect::<Vec<_>>().join(", ");
        let added = FIGURES.iter().map(|name| format!("{name} = hourly.{name} + excluded.{name}")).collect::<Vec<_>>();
        let sums = format!(
            "INSERT INTO hourly (hour, kind, n, unknown, {figures}) SELECT * FROM unnest({arrays}) \
             ON CONFLICT (hour, kind) DO UPDATE SET n = hourly.n + excluded.n, unknown = hourly.unknown + excluded.unknown, {}",
            added.join(", ")
        );
        Ok(Statements {
            turn: client.prepare(TURN)?,
            next: client.prepare("UPDATE meta SET value = $1 WHERE name = 'next_id'")?,
            find_kind: client.prepare("SELECT id FROM kinds WHERE hash = $1")?,
            make_kind: client.prepare(&kinds)?,
            requests: client.prepare(&format!(
                "COPY requests (id, at, boot, number, kind, {figures}, difficulty, threshold, request_id, user_name, tags, pii, decided) \
                 FROM STDIN (FORMAT binary)"
            ))?,
            attempts: client
                .prepare(&format!("COPY attempts (request, n, at, kind, {of_attempt}) FROM STDIN (FORMAT binary)"))?,
            sums: client.prepare(&sums)?,
            spans: client.prepare(
                "INSERT INTO spans SELECT *, 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
                 ON CONFLICT (hour) DO UPDATE SET first_id = least(spans.first_id, excluded.first_id), \
                 last_id = greatest(spans.last_id, excluded.last_id)",
            )?,
            positions: client.prepare(
                "INSERT INTO journal SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
                 ON CONFLICT (boot) DO UPDATE SET segment = excluded.segment, byte_offset = excluded.byte_offset",
            )?,
        })
    }
}

/// What a batch comes to.
struct Batch {
    next_id: i64,
    requests: Copy,
    attempts: Copy,
    sums: BTreeMap<(i64, i64), Sums>,
    spans: BTreeMap<i64, (i64, i64)>,
    moved: BTreeMap<u64, Position>,
}

/// Writes a batch; gives the positions that it moved and the number of requests that were new.
pub fn batch<'e>(
    open: &mut Open,
    entries: impl Iterator<Item = (Position, Entry<'e>)>,
) -> Result<(BTreeMap<u64, Position>, u64), StoreError> {
    let Open { client, statements, kinds, .. } = open;
    let mut transaction = client.transaction()?;
    let first: i64 = transaction.query_one(&statements.turn, &[])?.get(0);
    let known: BTreeMap<u64, Position> =
        super::positions(&mut transaction)?.into_iter().map(|position| (position.boot, position)).collect();
    let mut batch = Batch {
        next_id: first,
        requests: Copy::new(),
        attempts: Copy::new(),
        sums: BTreeMap::new(),
        spans: BTreeMap::new(),
        moved: BTreeMap::new(),
    };
    for (position, entry) in entries {
        let unmoved = known.get(&position.boot).copied().unwrap_or_default();
        let before = batch.moved.entry(position.boot).or_insert(unmoved);
        if (position.segment, position.offset) <= (before.segment, before.offset) {
            continue;
        }
        *before = position;
        batch.entry(&mut transaction, statements, kinds, &entry)?;
    }
    let rows = (batch.next_id - first) as u64;
    if rows > 0 {
        batch.send(&mut transaction, statements)?;
    }
    transaction.commit()?;
    Ok((batch.moved, rows))
}

impl Batch {
    fn entry(
        &mut self,
        transaction: &mut Transaction<'_>,
        statements: &Statements,
        kinds: &mut Kinds,
        entry: &Entry<'_>,
    ) -> Result<(), StoreError> {
        let (id, hour) = (self.next_id, measure::hour(entry.at));
        self.next_id += 1;
        self.spans.entry(hour).or_insert((id, id)).1 = id;
        for (n, measured) in measure::earlier(entry).enumerate() {
            let kind = number(transaction, statements, kinds, &measured.kind)?;
            let row = &mut self.attempts;
            row.row(4 + FIGURES.len() - OF_ATTEMPT);
            row.bigint(id);
            row.integer(n as i32 + 1);
            row.bigint(entry.at);
            row.bigint(kind);
            figures(row, &measured, OF_ATTEMPT);
            self.add(hour, kind, &measured);
        }
        let measured = measure::request(entry);
        let kind = number(transaction, statements, kinds, &measured.kind)?;
        let row = &mut self.requests;
        row.row(5 + FIGURES.len() + 7);
        for value in [id, entry.at, entry.boot as i64, entry.number as i64, kind] {
            row.bigint(value);
        }
        figures(row, &measured, 0);
        for share in [entry.difficulty, entry.threshold] {
            match measure::share(share) {
                Some(share) => row.integer(share as i32),
                None => row.null(),
            }
        }
        let text_of_decision = decided::text(entry);
        for text in [entry.request_id, entry.user, entry.tags, entry.pii, &text_of_decision] {
            row.text(text);
        }
        self.add(hour, kind, &measured);
        Ok(())
    }

    fn add(&mut self, hour: i64, kind: i64, measured: &Measured<'_>) {
        self.sums.entry((hour, kind)).or_default().add(&Sums::one(&measured.figures, measured.cost_known));
    }

    fn send(&mut self, transaction: &mut Transaction<'_>, statements: &Statements) -> Result<(), StoreError> {
        for (statement, rows) in
            [(&statements.requests, &mut self.requests), (&statements.attempts, &mut self.attempts)]
        {
            if rows.rows == 0 {
                continue;
            }
            rows.end();
            let mut into = transaction.copy_in(statement)?;
            into.write_all(&rows.bytes).map_err(|e| StoreError::passing(e.to_string()))?;
            into.finish()?;
        }
        let mut columns = vec![Vec::with_capacity(self.sums.len()); 4 + FIGURES.len()];
        for ((hour, kind), sums) in &self.sums {
            let row = [*hour, *kind, sums.rows, sums.unknown].into_iter().chain(sums.of);
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        transaction.execute(&statements.sums, &columns)?;
        let (hours, ids): (Vec<i64>, Vec<(i64, i64)>) = self.spans.iter().unzip();
        let (first, last): (Vec<i64>, Vec<i64>) = ids.into_iter().unzip();
        transaction.execute(&statements.spans, &[&hours, &first, &last])?;
        let boots: Vec<i64> = self.moved.keys().map(|boot| *boot as i64).collect();
        let segments: Vec<i64> = self.moved.values().map(|position| i64::from(position.segment)).collect();
        let offsets: Vec<i64> = self.moved.values().map(|position| position.offset as i64).collect();
        transaction.execute(&statements.positions, &[&boots, &segments, &offsets])?;
        transaction.execute(&statements.next, &[&self.next_id])?;
        Ok(())
    }
}

/// The figures from `skipped` on, the cost among them NULL if it is not known.
fn figures(row: &mut Copy, measured: &Measured<'_>, skipped: usize) {
    for (at, value) in measured.figures.iter().enumerate().skip(skipped) {
        if at == Figure::Cost as usize && !measured.cost_known { row.null() } else { row.bigint(*value) }
    }
}

fn number(
    transaction: &mut Transaction<'_>,
    statements: &Statements,
    kinds: &mut Kinds,
    kind: &Kind<&str>,
) -> Result<i64, StoreError> {
    kinds.id(kind, |hash| ask(transaction, statements, kind, hash))
}

fn ask(
    transaction: &mut Transaction<'_>,
    statements: &Statements,
    kind: &Kind<&str>,
    hash: Hash,
) -> Result<i64, StoreError> {
    let hash = &hash[..];
    if let Some(row) = transaction.query_opt(&statements.find_kind, &[&hash])? {
        return Ok(row.get(0));
    }
    let flags = [
        i32::from(kind.status),
        i32::from(kind.stream),
        i32::from(kind.attempt),
        i32::from(kind.attempt_status),
        i32::from(kind.estimated),
    ];
    let words: Vec<_> = kind.words.iter().map(|word| storable(word)).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&hash];
    values.extend(flags.iter().map(|flag| flag as &(dyn ToSql + Sync)));
    values.extend(words.iter().map(|word| word as &(dyn ToSql + Sync)));
    Ok(transaction.query_one(&statements.make_kind, &values)?.get(0))
}

//! The ledger's database: what is booked once, kept, pruned, read from outside. The same tests for SQLite and Postgres.
//!
//! What a reader could get wrong: `once` and its siblings are plain functions of a [`Home`]; the macro at the end makes a test of each
//! for either engine.

mod found;
mod postgres_only;
mod random;
pub mod server;
mod sqlite_only;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::scalar::Secret;
use crate::ledger::entry::{Attempt, Tokens};
use crate::ledger::query::{Dimension, Query};
use found::found;

/// A database for one test.
pub struct Home {
    pub settings: Settings,
    _folder: Option<tempfile::TempDir>,
    _server: Option<Arc<server::Server>>,
}

impl Home {
    pub fn sqlite() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("ledger.db"));
        Home { settings: settings(place), _folder: Some(folder), _server: None }
    }

    pub fn postgres() -> Option<Home> {
        let server = server::shared()?;
        let place = Place::Postgres(Secret::new(server.database()));
        Some(Home { settings: settings(place), _folder: None, _server: Some(server) })
    }

    pub fn store(&self) -> Store {
        Store::open(&self.settings).unwrap()
    }

    /// Through a reader, as a command sees it.
    pub fn ask(&self, query: &Query) -> crate::ledger::query::Answer {
        let mut reader = Reader::open(&self.settings).unwrap().unwrap();
        query.run(&mut reader.source(), |_| Ok::<(), StoreError>(())).unwrap()
    }
}

fn settings(place: Place) -> Settings {
    Settings { place, keep: Duration::from_secs(7 * 86_400), keep_hourly: Some(Duration::from_secs(30 * 86_400)) }
}

/// 2026-03-01 00:00 UTC.
pub const BEGIN: i64 = 1_772_323_200_000_000;
pub const MINUTE: i64 = 60_000_000;

/// A request of `acme` that cost `cost` and came `at` microseconds after [`BEGIN`].
pub fn entry(number: u64, at: i64, cost: i64) -> Entry<'static> {
    let attempt = Attempt {
        role: "first",
        model: "small",
        upstream: "lab",
        placement: "edge",
        outcome: "ok",
        status: 200,
        tokens: Tokens { prompt: 10, completion: 5, ..Tokens::default() },
        cost: Some(cost),
        ..Attempt::default()
    };
    let mut entry = Entry {
        boot: 7,
        number,
        at: BEGIN + at,
        request_id: "r",
        tenant: "acme",
        app: "chat",
        user: "ann",
        outcome: "ok",
        status: 200,
        ..Entry::default()
    };
    entry.attempts.push(attempt);
    entry
}

/// With its place in the journal of process 7.
pub fn at(number: u64) -> Position {
    Position { boot: 7, segment: 1 + (number / 10) as u32, offset: 100 + number }
}

pub fn batch(numbers: std::ops::Range<u64>) -> impl Iterator<Item = (Position, Entry<'static>)> {
    numbers.map(|n| (at(n), entry(n, n as i64 * MINUTE, n as i64)))
}

pub fn total(home: &Home) -> (i64, i64) {
    let total = home.ask(&Query::default()).total;
    (total.requests, total.get(Figure::Cost))
}

fn once(home: &Home) {
    let mut store = home.store();
    assert_eq!(store.position(7), Position { boot: 7, ..Position::default() });
    assert_eq!(store.append(batch(0..15)).unwrap(), 15);
    assert_eq!(store.append(batch(0..15)).unwrap(), 0, "the same again");
    assert_eq!(store.append(batch(9..25)).unwrap(), 10, "half of it again");
    assert_eq!(store.append(std::iter::empty()).unwrap(), 0);
    assert_eq!(store.position(7), at(24));
    let other = |n: u64| (Position { boot: 8, ..at(n) }, Entry { boot: 8, ..entry(n, 0, 1000) });
    assert_eq!(store.append((0..3).map(other)).unwrap(), 3, "the journal of another process");
    drop(store);
    let mut store = home.store();
    assert_eq!(store.position(7), at(24));
    assert_eq!(store.position(8), Position { boot: 8, ..at(2) });
    assert_eq!(store.append(batch(20..30)).unwrap(), 5);
    assert_eq!(total(home), (33, (0..30).sum::<i64>() + 3000));
    store.forget(8).unwrap();
    assert_eq!(store.position(8).segment, 0);
    assert_eq!(store.positions(), [at(29)]);
    store.close().unwrap();
    assert_eq!(total(home), (33, (0..30).sum::<i64>() + 3000));
}

fn spent(home: &Home) {
    let mut store = home.store();
    store.append(batch(0..180)).unwrap();
    let other = Entry { tenant: "globex", ..entry(180, 5, 7) };
    let app = Entry { app: "mail", ..entry(181, 90 * MINUTE, 1_000_000) };
    let unknown = {
        let mut entry = entry(182, 90 * MINUTE, 0);
        entry.attempts[0].cost = None;
        entry
    };
    let late = Entry { at: BEGIN - 1, ..entry(183, 0, 50_000) };
    store.append([(at(180), other), (at(181), app), (at(182), unknown), (at(183), late)].into_iter()).unwrap();
    let sum = |from: i64| (from..180).sum::<i64>() + 1_000_000;
    let spent = |store: &mut Store, since| store.spent("acme", None, since).unwrap();
    assert_eq!(spent(&mut store, BEGIN), sum(0));
    assert_eq!(spent(&mut store, BEGIN - 1), sum(0) + 50_000);
    assert_eq!(spent(&mut store, BEGIN + 30 * MINUTE), sum(30), "a time zone's midnight at half past");
    assert_eq!(spent(&mut store, BEGIN + 30 * MINUTE + 1), sum(31));
    assert_eq!(store.spent("acme", Some("mail"), BEGIN).unwrap(), 1_000_000);
    assert_eq!(store.spent("globex", None, BEGIN).unwrap(), 7);
    assert_eq!(store.spent("nobody", None, BEGIN).unwrap(), 0);
    let mut apps = store.spent_by_app(BEGIN + 60 * MINUTE).unwrap();
    apps.sort();
    let expected = [("acme", "chat", sum(60) - 1_000_000), ("acme", "mail", 1_000_000)];
    assert_eq!(apps, expected.map(|(tenant, app, cost)| (tenant.to_owned(), app.to_owned(), cost)));
    // A day after they are no longer kept, the hour in which the budget began counts as a whole.
    prune(&mut store, BEGIN + 8 * 24 * HOUR_US);
    assert_eq!(spent(&mut store, BEGIN + 30 * MINUTE), sum(0));
    assert_eq!(spent(&mut store, BEGIN + 60 * MINUTE), sum(60));
}

fn prune(store: &mut Store, now: i64) {
    while store.prune(now).unwrap() {}
}

fn pruned(home: &Home) {
    let mut store = home.store();
    // Three hours, thousands each; the requests of the second and third are booked in turns.
    let hour_of = |n: u64| if n < 2500 { 0 } else { 1 + (n % 2) as i64 };
    let entries = (0..5000).map(|n| {
        let mut entry = entry(n, hour_of(n) * HOUR_US, 1);
        let failed = Attempt { outcome: "connect", cost: Some(1), ..entry.attempts[0].clone() };
        entry.attempts.insert(0, failed);
        (at(n), entry)
    });
    store.append(entries).unwrap();
    let by_user = Query { by: vec![Dimension::User], ..Query::default() };
    let users = |home: &Home| -> Vec<(String, i64, i64)> {
        let lines = home.ask(&by_user).lines;
        lines.into_iter().map(|line| (line.group[0].clone(), line.totals.requests, line.totals.attempts)).collect()
    };
    let kept = |ann: i64, unknown: i64| {
        let lines = [("ann", ann), ("(not kept)", unknown)].into_iter().filter(|(_, requests)| *requests > 0);
        let mut lines: Vec<_> = lines.map(|(user, requests)| (user.to_owned(), requests, 2 * requests)).collect();
        lines.sort_by_key(|(_, requests, _)| -requests);
        lines
    };
    let week = 7 * 24 * HOUR_US;
    prune(&mut store, BEGIN + week);
    assert_eq!(users(home), kept(5000, 0), "nothing is a week old");
    prune(&mut store, BEGIN + week + 2 * HOUR_US + 1);
    assert_eq!(users(home), kept(1250, 3750));
    assert!(home.ask(&by_user).partly_unknown);
    // A late one for an hour that is gone: in its sums, and gone itself the next time.
    store.append([(at(5000), entry(5000, 0, 5))].into_iter()).unwrap();
    assert_eq!(total(home), (5001, 10_005));
    prune(&mut store, BEGIN + week + 3 * HOUR_US);
    assert_eq!(total(home), (5001, 10_005), "the sums stay");
    assert_eq!(home.ask(&by_user).lines.len(), 1);
    prune(&mut store, BEGIN + 30 * 24 * HOUR_US + HOUR_US);
    assert_eq!(total(home).0, 2500, "until their own time is over");
    prune(&mut store, BEGIN + 40 * 24 * HOUR_US);
    assert_eq!(total(home), (0, 0));
    assert_eq!(store.append([(at(5001), entry(5001, 45 * 24 * HOUR_US, 9))].into_iter()).unwrap(), 1);
    store.close().unwrap();
    let store = home.store();
    assert_eq!((total(home), store.position(7)), ((1, 9), at(5001)));
}

/// What is not booked yet is added to what is, and nothing twice.
fn with_a_tail(home: &Home) {
    assert!(Reader::open(&home.settings).unwrap().is_none(), "nothing was ever booked");
    let mut store = home.store();
    store.append(batch(0..20)).unwrap();
    let mut reader = Reader::open(&home.settings).unwrap().unwrap();
    // Behind the reader's back.
    store.append(batch(20..30)).unwrap();
    let known = reader.positions().unwrap();
    assert_eq!(known, [at(19)]);
    let query = Query { by: vec![Dimension::App], ..Query::default() };
    let answer = query.run(&mut reader.source(), |each| {
        batch(0..40).filter(|(position, _)| *position > known[0]).for_each(|(_, entry)| each(&entry));
        Ok::<(), StoreError>(())
    });
    let answer = answer.unwrap();
    assert_eq!((answer.lines.len(), answer.total.requests), (1, 40));
    assert_eq!(answer.total.get(Figure::Cost), (0..40).sum::<i64>());
}

/// A figure that no upstream in its right mind reports neither fails a batch nor spoils the sums.
fn absurd(home: &Home) {
    let mut store = home.store();
    let mut absurd = entry(0, 0, i64::MAX);
    absurd.attempts[0].tokens.prompt = u64::MAX;
    absurd.saving = i64::MIN;
    absurd.total_us = u64::MAX;
    absurd.user = "nul\0l";
    absurd.app = "\0";
    store.append([(at(0), absurd.clone()), (at(1), Entry { number: 1, ..absurd })].into_iter()).unwrap();
    let total = home.ask(&Query { by: vec![Dimension::User, Dimension::App], ..Query::default() }).total;
    assert_eq!(total.get(Figure::Prompt), 2 * MOST as i64);
    assert_eq!((total.get(Figure::Cost), total.get(Figure::Saving)), (2 * MOST_COST, -2 * MOST_COST));
}

macro_rules! on_both {
    ($($test:ident),*) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test(&super::Home::sqlite()); })*
        }
        mod on_postgres {
            $(#[test] fn $test() { if let Some(home) = super::Home::postgres() { super::$test(&home); } })*
        }
    };
}

on_both!(once, spent, pruned, with_a_tail, absurd, found);

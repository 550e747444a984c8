//! Random entries, booked in random batches: every grouping says what a plain loop over the entries says.
//!
//! What a reader could get wrong: the model here is written from the meaning of the columns, not from the code under test: it knows
//! neither kinds nor hours nor roll-ups.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ledger::query::{Answer, Totals};

const WORDS: [&str; 3] = ["", "a", "b"];
const TAGS: [&str; 4] = ["", "team=x", "team=y,tier=1", "tier=1"];
const OUTCOMES: [&str; 3] = ["ok", "timeout", "connect"];
const PLACEMENTS: [&str; 2] = ["edge", "cloud"];
const CACHES: [&str; 3] = ["off", "hit", "miss"];

const GROUPINGS: &str = "tenant app user tags tag.team endpoint route rule model upstream node placement region outcome privacy \
                         cache role fallback day hour tenant,user,day model,hour,tag.tier tags,placement,tenant";

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&WORDS[..])
}

/// Often nothing, so that whole columns are zero: those are not read.
fn figure() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0u64), 1 => 0u64..10_000]
}

fn attempt() -> impl Strategy<Value = Attempt<'static>> {
    let words = (word(), word(), word(), proptest::sample::select(&PLACEMENTS[..]), word());
    let outcome = (proptest::sample::select(&OUTCOMES[..]), 0u16..600, any::<bool>(), word());
    let cost = proptest::option::weighted(0.8, -5i64..1_000_000);
    let figures = proptest::array::uniform11(figure());
    (words, outcome, cost, figures).prop_map(|(words, (outcome, status, estimated, role), cost, f)| Attempt {
        role,
        model: words.0,
        upstream: words.1,
        node: words.2,
        placement: words.3,
        region: words.4,
        outcome,
        status,
        tokens: Tokens {
            prompt: f[0],
            cached: f[1],
            completion: f[2],
            reasoning: f[3],
            audio_in: f[4],
            audio_out: f[5],
        },
        estimated,
        cost,
        co2_ug: f[6],
        upstream_us: f[7],
        compute_us: f[8],
        transfer_us: f[9],
        bytes_out: f[10],
    })
}

fn any_entry() -> impl Strategy<Value = Entry<'static>> {
    let who = (word(), word(), word(), proptest::sample::select(&TAGS[..]), word(), word(), word(), word());
    let how = (
        proptest::sample::select(&OUTCOMES[..]),
        0u16..600,
        any::<bool>(),
        proptest::sample::select(&CACHES[..]),
        proptest::option::of(0f32..1.0),
    );
    let time = BEGIN - 30 * HOUR_US..BEGIN + 30 * HOUR_US;
    let figures = (-1000i64..1000, proptest::array::uniform4(figure()));
    (who, how, time, figures, proptest::collection::vec(attempt(), 0..4)).prop_map(
        |(who, (outcome, status, stream, cache, difficulty), at, (saving, f), attempts)| Entry {
            boot: 7,
            at,
            request_id: "id",
            tenant: who.0,
            app: who.1,
            user: who.2,
            tags: who.3,
            endpoint: who.4,
            route: who.5,
            rule: who.6,
            privacy: who.7,
            outcome,
            status,
            stream,
            cache,
            difficulty,
            saving,
            wait_us: f[0],
            overhead_us: f[1],
            first_token_us: f[2],
            total_us: f[3],
            attempts: attempts.into(),
            ..Entry::default()
        },
    )
}

fn day(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).unwrap().strftime("%Y-%m-%d").to_string()
}

fn tag(entry: &Entry<'_>, name: &str) -> String {
    let found = entry.tags.split(',').filter_map(|tag| tag.split_once('=')).find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The value of a dimension: of the request, or of its attempt `n`.
fn value(name: &str, entry: &Entry<'_>, n: Option<usize>) -> String {
    let attempt = n.map(|n| &entry.attempts[n]);
    let hit = entry.cache == "hit";
    match name {
        "tenant" => entry.tenant.into(),
        "app" => entry.app.into(),
        "user" => entry.user.into(),
        "tags" => entry.tags.into(),
        "tag.team" => tag(entry, "team"),
        "tag.tier" => tag(entry, "tier"),
        "endpoint" => entry.endpoint.into(),
        "route" => entry.route.into(),
        "rule" => entry.rule.into(),
        "outcome" => entry.outcome.into(),
        "privacy" => entry.privacy.into(),
        "cache" => entry.cache.into(),
        "model" => attempt.map_or("", |a| a.model).into(),
        "upstream" => attempt.map_or("", |a| a.upstream).into(),
        "node" => attempt.map_or("", |a| a.node).into(),
        "region" => attempt.map_or("", |a| a.region).into(),
        "role" => attempt.map_or("", |a| a.role).into(),
        "placement" => attempt.map_or(if hit { "cache" } else { "" }, |a| a.placement).into(),
        // Told where the request is told: with its last attempt.
        "fallback" if n.is_some_and(|n| n > 0 && n + 1 == entry.attempts.len()) => {
            entry.attempts[entry.attempts.len() - 2].outcome.into()
        }
        "fallback" => String::new(),
        "day" => day(entry.at),
        "hour" => jiff::Timestamp::from_microsecond(entry.at).unwrap().strftime("%Y-%m-%dT%H:00Z").to_string(),
        other => panic!("no {other}"),
    }
}

/// What one attempt, or a request with none, adds to a line.
fn figures(entry: &Entry<'_>, n: Option<usize>) -> Totals {
    let last = n.is_none_or(|n| n + 1 == entry.attempts.len());
    let mut totals = Totals::default();
    let mut set = |figure: Figure, value: i64| totals.of[figure as usize] = value;
    if last {
        set(Figure::Saving, entry.saving);
        set(Figure::WaitUs, entry.wait_us as i64);
        set(Figure::OverheadUs, entry.overhead_us as i64);
        set(Figure::FirstTokenUs, entry.first_token_us as i64);
        set(Figure::TotalUs, entry.total_us as i64);
    }
    if let Some(attempt) = n.map(|n| &entry.attempts[n]) {
        set(Figure::Prompt, attempt.tokens.prompt as i64);
        set(Figure::Cached, attempt.tokens.cached as i64);
        set(Figure::Completion, attempt.tokens.completion as i64);
        set(Figure::Reasoning, attempt.tokens.reasoning as i64);
        set(Figure::AudioIn, attempt.tokens.audio_in as i64);
        set(Figure::AudioOut, attempt.tokens.audio_out as i64);
        set(Figure::Cost, attempt.cost.unwrap_or(0));
        set(Figure::Co2Ug, attempt.co2_ug as i64);
        set(Figure::UpstreamUs, attempt.upstream_us as i64);
        set(Figure::ComputeUs, attempt.compute_us as i64);
        set(Figure::TransferUs, attempt.transfer_us as i64);
        set(Figure::BytesOut, attempt.bytes_out as i64);
        totals.attempts = 1;
        totals.estimated = i64::from(attempt.estimated);
        totals.cost_unknown = i64::from(attempt.cost.is_none());
        totals.cloud_bytes = if attempt.placement == "cloud" { attempt.bytes_out as i64 } else { 0 };
    }
    if last {
        totals.requests = 1;
        totals.failed = i64::from(entry.outcome != "ok");
        totals.cached_hits = i64::from(entry.cache == "hit");
    }
    totals
}

fn model(query: &Query, entries: &[Entry<'_>]) -> BTreeMap<Vec<String>, Totals> {
    let mut lines: BTreeMap<Vec<String>, Totals> = BTreeMap::new();
    for entry in entries {
        if query.since.is_some_and(|since| entry.at < since) || query.until.is_some_and(|until| entry.at >= until) {
            continue;
        }
        let rows: Vec<Option<usize>> =
            if entry.attempts.is_empty() { vec![None] } else { (0..entry.attempts.len()).map(Some).collect() };
        for n in rows {
            let passes = |(dimension, _): &(Dimension, String)| {
                let value = value(&dimension.to_string(), entry, n);
                query.filters.iter().any(|(other, wanted)| other == dimension && *wanted == value)
            };
            if query.filters.iter().all(passes) {
                let group = query.by.iter().map(|dimension| value(&dimension.to_string(), entry, n)).collect();
                lines.entry(group).or_default().add(&figures(entry, n));
            }
        }
    }
    lines
}

fn check(query: &Query, answer: Answer, entries: &[Entry<'_>]) {
    let expected = model(query, entries);
    let mut sum = Totals::default();
    expected.values().for_each(|totals| sum.add(totals));
    assert_eq!(answer.total, sum, "{query:?}");
    let count = answer.lines.len();
    let lines: BTreeMap<_, _> = answer.lines.into_iter().map(|line| (line.group, line.totals)).collect();
    assert_eq!(lines, expected, "{query:?}");
    assert_eq!(lines.len(), count, "no line twice");
}

/// What a case books, and what it asks.
#[derive(Debug)]
struct Case {
    /// Batches, each a transaction; the last is not booked but read as the journal's tail.
    batches: Vec<Vec<Entry<'static>>>,
    range: (Option<i64>, Option<i64>),
    filters: Vec<(Dimension, String)>,
    /// After which batch the sums are written, the store opened again.
    roll: usize,
    reopen: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let batches = proptest::collection::vec(proptest::collection::vec(any_entry(), 0..12), 1..6);
    let moment = || proptest::option::of(BEGIN - 31 * HOUR_US..BEGIN + 31 * HOUR_US);
    let filter = (proptest::sample::select(vec!["tenant", "model", "tag.team", "user", "outcome"]), word());
    let filters = proptest::collection::vec(filter, 0..3).prop_map(|filters| {
        let parsed = filters.into_iter().map(|(name, value)| (name.parse().unwrap(), value.to_owned()));
        parsed.collect()
    });
    (batches, (moment(), moment()), filters, 0usize..6, 0usize..6)
        .prop_map(|(batches, range, filters, roll, reopen)| Case { batches, range, filters, roll, reopen })
}

fn run(home: &Home, case: &Case) {
    let mut store = home.store();
    let (tail, booked) = case.batches.split_last().unwrap();
    let mut number = 0;
    for (index, batch) in booked.iter().enumerate() {
        let before = number;
        let mut positioned = |from: u64| {
            number = from;
            let positioned = batch.iter().map(|entry| {
                number += 1;
                (at(number), Entry { number, ..entry.clone() })
            });
            positioned.collect::<Vec<_>>()
        };
        assert_eq!(store.append(positioned(before).into_iter()).unwrap(), batch.len() as u64);
        assert_eq!(store.append(positioned(before).into_iter()).unwrap(), 0, "the same again");
        if index == case.roll {
            // Long before anything is pruned.
            assert!(!store.prune(0).unwrap());
        }
        if index == case.reopen {
            drop(store);
            store = home.store();
        }
    }
    let entries: Vec<Entry<'_>> = case.batches.iter().flatten().cloned().collect();
    for by in GROUPINGS.split(' ').chain([""]) {
        for (range, filters) in [((None, None), &vec![]), (case.range, &case.filters)] {
            let query = Query::parse(by, None, None, &[] as &[&str], 0).unwrap();
            let query = Query { since: range.0, until: range.1, filters: filters.clone(), ..query };
            let mut reader = Reader::open(&home.settings).unwrap().unwrap();
            let answer = query.run(&mut reader.source(), |each| {
                tail.iter().for_each(each);
                Ok::<(), StoreError>(())
            });
            check(&query, answer.unwrap(), &entries);
        }
    }
    let spent = model(&Query { since: case.range.0, ..Query::default() }, &booked.concat());
    let spent: i64 = spent.values().map(|totals| totals.get(Figure::Cost)).sum();
    let by_app = store.spent_by_app(case.range.0.unwrap_or(i64::MIN)).unwrap();
    assert_eq!(by_app.iter().map(|(_, _, cost)| cost).sum::<i64>(), spent);
}

fn cases(count: u32, home: impl Fn() -> Option<Home>) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    });
    runner
        .run(&case(), |case| {
            if let Some(home) = home() {
                run(&home, &case);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn sqlite_adds_up() {
    cases(64, || Some(Home::sqlite()));
}

#[test]
fn postgres_adds_up() {
    // Held for the time of the test, so that one server does for all cases.
    if let Some(_server) = server::shared() {
        cases(16, Home::postgres);
    }
}

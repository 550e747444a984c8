//! What the journal costs a worker for each request: the open slot before it leaves, the final entry after it is done.
//! `cargo bench --bench journal`.
//!
//! What a reader could get wrong: the thread "journal" runs beside it and syncs a real disk; what it takes of the processor is not in
//! the figures of `begin` and `finish`, but in that of `whole`, which ends when everything is durable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use smallvec::smallvec;
use tidegate::ledger::entry::{Considered, Seen};
use tidegate::ledger::journal::{Batch, Journal, Reader, Settings};
use tidegate::ledger::{Attempt, Entry, Position, Tokens};

/// Requests between two moments (not measured) in which the disk may catch up.
const ROUND: u64 = 5_000;

fn entry(boot: u64, number: u64) -> Entry<'static> {
    Entry {
        boot,
        number,
        at: 1_780_000_000_000_000,
        request_id: "018f3b5c-7c1e-7a52-9d6b-3a1f0c9e4d21",
        tenant: "acme",
        app: "search",
        user: "svc-batch",
        tags: "team=search,tier=gold",
        endpoint: "chat",
        route: "auto",
        rule: "easy",
        outcome: "ok",
        status: 200,
        stream: true,
        privacy: "retained",
        cache: "miss",
        difficulty: Some(0.31),
        threshold: Some(0.5),
        saving: 1_200_000,
        overhead_us: 40,
        first_token_us: 90_000,
        total_us: 900_000,
        policy: "4f1e0c9e4d214f1e0c9e4d214f1e0c9e4d214f1e0c9e4d214f1e0c9e4d214f1e",
        seen: Seen {
            input_tokens: 1_200,
            max_output_tokens: Some(500),
            modalities: "text",
            turns: 2,
            ..Seen::default()
        },
        considered: smallvec![
            Considered { model: "small", dropped: "" },
            Considered { model: "frontier", dropped: "" }
        ],
        prompt_hash: Some([3; 32]),
        answer_hash: Some([4; 32]),
        attempts: smallvec![Attempt {
            role: "first",
            model: "small",
            upstream: "lab",
            node: "0",
            placement: "edge",
            outcome: "ok",
            status: 200,
            tokens: Tokens { prompt: 1_180, completion: 312, ..Tokens::default() },
            cost: Some(30_000),
            upstream_us: 890_000,
            transfer_us: 800_000,
            bytes_out: 5_100,
            ..Attempt::default()
        }],
        ..Entry::default()
    }
}

/// Times `request` over and over; between rounds everything is made durable and deleted.
fn timed(journal: &Journal<()>, times: u64, mut request: impl FnMut(u64) -> Duration) -> Duration {
    let mut spent = Duration::ZERO;
    // The rounds of the last call may not have come to their end.
    journal.flush();
    for number in 0..times {
        spent += request(journal.next_number(0));
        if number % ROUND == ROUND - 1 {
            journal.flush();
            journal.release(journal.durable());
        }
    }
    spent
}

fn costs(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::<()>::open(Settings::new(dir.path(), 1)).unwrap();
    let boot = journal.boot();
    let mut group = c.benchmark_group("journal");
    group.measurement_time(Duration::from_secs(3));
    group.bench_function("has_room", |b| b.iter(|| black_box(journal.has_room())));
    group.bench_function("begin", |b| {
        b.iter_custom(|times| {
            timed(&journal, times, |number| {
                let entry = entry(boot, number);
                let began = Instant::now();
                let slot = journal.begin(0, black_box(&entry)).unwrap();
                let spent = began.elapsed();
                journal.finish(0, Some(slot), &entry, None);
                spent
            })
        });
    });
    group.bench_function("finish", |b| {
        b.iter_custom(|times| {
            timed(&journal, times, |number| {
                let entry = entry(boot, number);
                let slot = journal.begin(0, &entry).unwrap();
                let began = Instant::now();
                journal.finish(0, Some(slot), black_box(&entry), None);
                began.elapsed()
            })
        });
    });
    group.bench_function("whole", |b| {
        b.iter_custom(|times| {
            let began = Instant::now();
            timed(&journal, times, |number| {
                let entry = entry(boot, number);
                let slot = journal.begin(0, &entry).unwrap();
                journal.finish(0, Some(slot), &entry, None);
                Duration::ZERO
            });
            journal.flush();
            journal.release(journal.durable());
            began.elapsed()
        });
    });
    group.finish();
}

fn reading(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::<()>::open(Settings::new(dir.path(), 1)).unwrap();
    for number in 0..100_000 {
        journal.finish(0, None, &entry(journal.boot(), number), None);
    }
    journal.flush();
    let mut batch = Batch::default();
    c.bench_function("journal/read 100,000", |b| {
        b.iter(|| {
            let mut reader = Reader::new(dir.path(), journal.boot(), Position::default());
            let mut tokens = 0;
            while reader.next_batch(Some(journal.durable()), 1_000, &mut batch).unwrap() > 0 {
                tokens += batch.iter().map(|item| item.unwrap().1.seen.input_tokens).sum::<u64>();
            }
            tokens
        });
    });
}

criterion_group!(benches, costs, reading);
criterion_main!(benches);

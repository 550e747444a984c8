//! What a record in the audit chain costs: written, linked, hashed, with its share of commits and signatures. `cargo bench --bench audit`.
//!
//! What a reader could get wrong: `append` counts the CPU time of its thread, the kernel's share of writing included, and not the wait
//! for the disk. The bound is 1.2 µs a record, signed and committed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::audit::verify::{Trust, verify};
use tidegate::audit::{Chain, HashKey, Settings};
use tidegate::ledger::entry::{Attempt, Considered, Entry, Position, Seen, Tokens};

const BATCH: u64 = 1000;
const LOG: u64 = 100_000;

/// A usual request: one attempt at the edge.
fn entry(request_id: &str) -> Entry<'_> {
    let attempt = Attempt {
        role: "first",
        model: "small",
        upstream: "lab",
        node: "1",
        placement: "edge",
        outcome: "ok",
        status: 200,
        tokens: Tokens { prompt: 250, completion: 120, ..Tokens::default() },
        cost: Some(7_400),
        bytes_out: 1_024,
        ..Attempt::default()
    };
    Entry {
        at: 1_772_366_400_123_456,
        request_id,
        tenant: "acme",
        app: "chat",
        endpoint: "chat",
        route: "auto",
        rule: "easy",
        outcome: "ok",
        status: 200,
        privacy: "retained",
        cache: "off",
        policy: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
        seen: Seen { input_tokens: 250, modalities: "text", turns: 2, ..Seen::default() },
        considered: ["small", "frontier"].map(|model| Considered { model, dropped: "" }).into_iter().collect(),
        prompt_hash: Some([0xab; 32]),
        answer_hash: Some([0xcd; 32]),
        attempts: [attempt].into_iter().collect(),
        ..Entry::default()
    }
}

fn fill(chain: &mut Chain, offset: &mut u64, count: u64) {
    let entry = entry("0197e2a4-7c1b-7d3e-9f00-5a6b7c8d9e0f");
    for _ in 0..count {
        *offset += 1;
        let position = Position { boot: 1_767_225_600_000_000, segment: 1, offset: *offset };
        black_box(chain.append(position, &entry).unwrap());
    }
}

/// This thread's CPU time in nanoseconds.
fn cpu() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn chain(c: &mut Criterion) {
    let mut group = c.benchmark_group("audit");
    group.throughput(Throughput::Elements(BATCH));
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_records: u32::MAX, ..Settings::default() };
    let (mut chain, mut offset) = (Chain::open(folder.path(), &settings).unwrap(), 0);
    group.bench_function("append 1000", |b| {
        b.iter_custom(|rounds| {
            let mut spent = 0;
            for _ in 0..rounds {
                let before = cpu();
                fill(&mut chain, &mut offset, BATCH);
                spent += cpu() - before;
                chain.commit().unwrap();
            }
            Duration::from_nanos(spent)
        });
    });
    group.bench_function("append 1000, commit, sign", |b| {
        b.iter_custom(|rounds| {
            let before = cpu();
            for _ in 0..rounds {
                fill(&mut chain, &mut offset, BATCH);
                chain.commit().unwrap();
            }
            Duration::from_nanos(cpu() - before)
        });
    });
    chain.close().unwrap();
    group.sample_size(10).throughput(Throughput::Elements(LOG));
    let folder = tempfile::tempdir().unwrap();
    let (mut chain, mut offset) = (Chain::open(folder.path(), &Settings::default()).unwrap(), 0);
    for _ in 0..LOG / BATCH {
        fill(&mut chain, &mut offset, BATCH);
        chain.commit().unwrap();
    }
    chain.close().unwrap();
    group.bench_function("verify a log of 100000", |b| {
        b.iter(|| {
            let report = verify(folder.path(), &Trust::default(), &mut |_| {}).unwrap();
            assert!(report.is_sound() && report.records == LOG);
        });
    });
    group.bench_function("open a log of 100000", |b| {
        b.iter(|| black_box(Chain::open(folder.path(), &Settings::default()).unwrap()));
    });
    group.finish();
}

fn texts(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let key = HashKey::open(folder.path()).unwrap();
    let text = vec![b'x'; 100 << 10];
    let mut group = c.benchmark_group("text hash");
    for size in [1 << 10, 16 << 10, 100 << 10] {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("{size} bytes"), |b| b.iter(|| key.hash(black_box(&text[..size]))));
    }
    group.throughput(Throughput::Bytes(10_000));
    group.bench_function("a stream of 100 chunks", |b| {
        b.iter(|| {
            let mut hasher = key.hasher();
            text[..10_000].chunks(100).for_each(|chunk| hasher.update(black_box(chunk)));
            hasher.finish()
        });
    });
    group.finish();
}

criterion_group!(benches, chain, texts);
criterion_main!(benches);

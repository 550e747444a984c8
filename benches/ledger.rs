//! What the ledger's database costs: booking an entry, and answering each grouping of a million of them. `cargo bench --bench ledger`.
//!
//! What a reader could get wrong: CPU is what counts when booking (a thread of its own does it), so that is printed beside the time;
//! the numbers of an unoptimised build say nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::ledger::query::Query;
use tidegate::ledger::store::{Place, Reader, Settings, Store, StoreError};
use tidegate::ledger::{Attempt, Entry, Position, Tokens};

const MILLION: u64 = 1_000_000;
const BATCH: u64 = 512;
/// 2026-03-01.
const BEGIN: i64 = 1_772_323_200_000_000;

const TENANTS: [&str; 8] = ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell"];
const APPS: [&str; 3] = ["chat", "search", "mail"];
const RULES: [&str; 4] = ["sensitive-stays-home", "fresh-knowledge", "easy", "hard"];
const MODELS: [(&str, &str, &str, &str); 3] =
    [("small", "lab", "1", "edge"), ("small", "lab", "2", "edge"), ("frontier", "openai", "", "cloud")];
const TAGS: [&str; 4] = ["team=search,tier=gold", "team=search", "team=mail,tier=silver", ""];

/// Texts that differ from entry to entry, made beforehand.
struct Words {
    ids: Vec<String>,
    users: Vec<String>,
}

impl Words {
    fn new() -> Words {
        let ids = (0..8192u64).map(|n| format!("0195f2c8-77aa-7{n:03x}-9{n:03x}-{:012x}", n * 77_777));
        Words { ids: ids.collect(), users: (0..5000).map(|n| format!("user-{n:05}@example.com")).collect() }
    }

    fn entry(&self, n: u64) -> (Position, Entry<'_>) {
        let pick = |of: usize, salt: u64| {
            (n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17 + salt as u32) % of as u64) as usize
        };
        let (model, upstream, node, placement) = MODELS[pick(3, 1)];
        let mut entry = Entry {
            boot: 7,
            number: n,
            at: BEGIN + n as i64 * 2_000 + pick(500, 2) as i64,
            request_id: &self.ids[pick(self.ids.len(), 3)],
            tenant: TENANTS[pick(8, 4)],
            app: APPS[pick(3, 5)],
            user: &self.users[pick(5000, 6)],
            tags: TAGS[pick(4, 7)],
            endpoint: "chat",
            route: "auto",
            rule: RULES[pick(4, 8)],
            outcome: if n.is_multiple_of(50) { "timeout" } else { "ok" },
            status: if n.is_multiple_of(50) { 504 } else { 200 },
            stream: n.is_multiple_of(2),
            privacy: "retained",
            cache: "off",
            difficulty: Some(pick(1000, 9) as f32 / 1000.0),
            threshold: Some(0.5),
            saving: pick(1_000_000, 10) as i64,
            overhead_us: 20 + pick(30, 11) as u64,
            first_token_us: 100_000 + pick(100_000, 12) as u64,
            total_us: 500_000 + pick(1_000_000, 13) as u64,
            ..Entry::default()
        };
        let attempt = Attempt {
            role: "first",
            model,
            upstream,
            node,
            placement,
            outcome: entry.outcome,
            status: entry.status,
            tokens: Tokens {
                prompt: 300 + pick(900, 14) as u64,
                completion: 20 + pick(400, 15) as u64,
                ..Tokens::default()
            },
            cost: Some(pick(10_000_000, 16) as i64),
            co2_ug: 900,
            upstream_us: entry.total_us - 100,
            compute_us: 300_000,
            transfer_us: 200_000,
            bytes_out: 1_100,
            ..Attempt::default()
        };
        if n.is_multiple_of(33) {
            entry.attempts.push(Attempt { outcome: "connect", cost: Some(0), status: 0, ..attempt.clone() });
        }
        entry.attempts.push(attempt);
        (Position { boot: 7, segment: 1, offset: n + 1 }, entry)
    }
}

fn settings(folder: &Path) -> Settings {
    let keep = Duration::from_secs(90 * 86_400);
    Settings { place: Place::Sqlite(folder.join("ledger.db")), keep, keep_hourly: None }
}

/// Of this process, from /proc: user and system time, in units of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn booking(c: &mut Criterion) {
    let words = Words::new();
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(folder.path())).unwrap();
    let mut next = 0;
    let mut group = c.benchmark_group("book");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("512 entries", |b| {
        b.iter(|| {
            store.append((next..next + BATCH).map(|n| words.entry(n))).unwrap();
            next += BATCH;
        });
    });
    group.bench_function("512 entries made, not booked", |b| {
        b.iter(|| (next..next + BATCH).for_each(|n| drop(black_box(words.entry(n)))));
    });
    group.finish();
}

fn asking(c: &mut Criterion) {
    let words = Words::new();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut store = Store::open(&settings).unwrap();
    for batch in [64, BATCH] {
        let (begun, used) = (Instant::now(), cpu());
        let from = store.position(7).offset;
        for first in (from..from + MILLION / 2).step_by(batch as usize) {
            store.append((first..(first + batch).min(from + MILLION / 2)).map(|n| words.entry(n))).unwrap();
        }
        let per_entry = |time: Duration| time.as_secs_f64() * 1e6 / (MILLION / 2) as f64;
        let (wall, cpu) = (per_entry(begun.elapsed()), per_entry(cpu().saturating_sub(used)));
        println!("booking in batches of {batch}: {wall:.2} µs an entry, {cpu:.2} µs of CPU (making it included)");
    }
    let bytes: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("{} bytes an entry on disk", bytes / MILLION);
    let mut group = c.benchmark_group("ask a million");
    group.sample_size(10);
    let groupings = [
        "",
        "tenant",
        "app",
        "user",
        "tags",
        "route",
        "rule",
        "model",
        "upstream",
        "node",
        "placement",
        "outcome",
        "day",
        "hour",
    ];
    for by in groupings.into_iter().chain(["tenant,user,day", "tag.team"]) {
        let query = Query::parse(by, None, None, &[] as &[&str], 0).unwrap();
        group.bench_function(if by.is_empty() { "all" } else { by }, |b| {
            b.iter(|| {
                let mut reader = Reader::open(&settings).unwrap().unwrap();
                let answer = query.run(&mut reader.source(), |_| Ok::<(), StoreError>(())).unwrap();
                assert_eq!(answer.total.requests, MILLION as i64);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, asking, booking);
criterion_main!(benches);

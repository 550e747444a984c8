//! Of a semantic lookup: reading and embedding a text, and the nearest entries of a scope of 1,000, 10,000 and 100,000.
//!
//! What a reader could get wrong: all of it runs on the thread of the request, on one core; the figures in docs/decisions/0016 are these.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidegate::cache::semantic::embedder::{DIMENSIONS, Embedder};
use tidegate::cache::semantic::index::{Index, Scope};

const QUESTION: &str =
    "How do I change the address that my monthly invoices are sent to, and does it cost anything to do that?";

fn embed(c: &mut Criterion) {
    let mut group = c.benchmark_group("semantic/embed");
    for bytes in [100, 1_024, 4_096] {
        let text: String = QUESTION.chars().cycle().take(bytes).collect();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(bytes), &text, |b, text| {
            b.iter(|| Embedder::builtin().embed(black_box(text)));
        });
    }
    group.finish();
}

/// Bell-shaped clusters: 500 subjects, entries around them.
fn entry(at: u64) -> Vec<f32> {
    let noise = |seed: u64, part: usize| {
        let mixed = (seed ^ (part as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (0..4).map(|shift| (mixed >> (16 * shift) & 0xffff) as f32 / 65_536.0 - 0.5).sum::<f32>()
    };
    (0..DIMENSIONS).map(|part| noise(at % 500, part) + 0.7 * noise(at + 1_000, part)).collect()
}

fn nearest(c: &mut Criterion) {
    let mut group = c.benchmark_group("semantic/nearest");
    for entries in [1_000, 10_000, 100_000] {
        let index = Index::new(DIMENSIONS, entries);
        for id in 0..entries as u64 {
            index.insert(Scope(1), id, &entry(id));
        }
        let questions: Vec<Vec<f32>> = (0..64).map(|at| entry(at * 31 + 7_000_000)).collect();
        let mut next = questions.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(entries), |b| {
            b.iter(|| index.nearest(Scope(1), next.next().map_or(&[], |question| question), 4));
        });
        let mut id = entries as u64;
        let vector = entry(1);
        group.bench_function(BenchmarkId::new("insert", entries), |b| {
            b.iter(|| {
                id += 1;
                index.insert(Scope(1), id, black_box(&vector))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, embed, nearest);
criterion_main!(benches);

//! How fast texts are looked through, with and without the tagger of names, on prose and on texts made to be slow; what restoring an event costs.
//!
//! What a reader could get wrong: the prose is made of a few sentences over and over, so tables are warm; that is so in a busy gateway too.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smallvec::SmallVec;
use tidegate::openai::sse::Frames;
use tidegate::pii::mapping::Labels;
use tidegate::pii::restore::stream::Stream;
use tidegate::pii::restore::text::Restorer;
use tidegate::pii::{label, scan, tagger};

const PROSE: &str = "The committee met on Tuesday to talk about the new library, which the town has wanted for years. Mrs. Keller said \
    that the money was there, but nobody knew who would run it after the summer. There were 14 proposals, most of them short. In the end \
    they asked Henry Walsh from the city office to write down what it would cost, and to call them back. It rained, and the meeting ended \
    early; some went to the bakery across the street, others simply went home and thought about it once more.\n";

const CODE: &str = "pub fn next(&mut self) -> Option<Chunk> {\n    let at = self.at.checked_add(16)?;\n    let hash = 0x9e3779b97f4a7c15u64;\n    \
    // see issue #4711, fixed in v1.22.3 (2025-03-14T12:00:00Z)\n    self.items.get(at..at + 8).map(|bytes| Chunk { bytes, id: 1048576 })\n}\n";

fn filled(with: &str, size: usize) -> String {
    let mut text = with.repeat(size / with.len() + 1);
    text.truncate(size);
    text
}

fn looking(c: &mut Criterion) {
    let texts = [
        ("prose 1 KB", filled(PROSE, 1 << 10)),
        ("prose 100 KB", filled(PROSE, 100 << 10)),
        ("code 100 KB", filled(CODE, 100 << 10)),
        ("digits 1 MB", filled("1234567890", 1 << 20)),
        ("at signs 1 MB", filled("@", 1 << 20)),
        ("key blocks 1 MB", filled("-----BEGIN ", 1 << 20)),
        ("spaced digits 1 MB", filled("1 ", 1 << 20)),
        ("passwords 1 MB", filled("password=", 1 << 20)),
        ("colons 1 MB", filled("a:", 1 << 20)),
    ];
    let mut group = c.benchmark_group("protect");
    for (name, text) in &texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut found = Vec::new();
        group.bench_function(format!("scan {name}"), |b| {
            b.iter(|| {
                found.clear();
                scan::scan(black_box(text), &mut found);
                found.len()
            });
        });
        group.bench_function(format!("names {name}"), |b| {
            b.iter(|| {
                found.clear();
                tagger::tag(black_box(text), &mut found);
                found.len()
            });
        });
    }
    group.finish();
}

fn restoring(c: &mut Criterion) {
    let key = blake3::Hasher::new_keyed(&[1; 32]);
    let mut labels = Labels::new(&key, 5, vec!["PERSON".into()]);
    let label = label::write("PERSON", labels.number("PERSON", "Alice Smith"), false);
    let restorer = Arc::new(Restorer::new(labels.finish(), false));
    let event = |text: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        ))
    };
    for (name, event) in [("event without a label", event(" word")), ("event with a label", event(&label))] {
        c.bench_function(&format!("restore {name}"), |b| {
            let (mut frames, mut stream, mut out) =
                (Frames::new(), Stream::new(Arc::clone(&restorer)), SmallVec::new());
            b.iter(|| {
                out.clear();
                frames.push_frames(event.clone(), |frame| stream.frame(frame), &mut out).unwrap();
                black_box(out.len())
            });
        });
    }
}

criterion_group!(benches, looking, restoring);
criterion_main!(benches);

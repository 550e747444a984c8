//! What a request and a stream cost on the wire's side: the scan, the splice, the frames.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smallvec::SmallVec;
use tidegate::openai::produced::Produced;
use tidegate::openai::sse::{Frames, Keep};
use tidegate::openai::view::scan;
use tidegate::openai::{Endpoint, edits, splice, usage};

fn body(text: usize) -> Bytes {
    let prose = "The tide comes in and the tide goes out, \\\"twice\\\" a day. ".repeat(text / 58 + 1);
    format!(r#"{{"model":"auto","temperature":0.2,"messages":[{{"role":"system","content":"be brief"}},{{"role":"user","content":"{prose}"}}],"stream":true}}"#).into()
}

fn view(c: &mut Criterion) {
    let mut group = c.benchmark_group("view");
    for size in [1 << 10, 100 << 10, 1 << 20] {
        let body = body(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("scan/{size}"), |b| b.iter(|| scan(Endpoint::Chat, &body).unwrap()));
        group.bench_function(format!("scan_and_splice/{size}"), |b| {
            b.iter(|| {
                let view = scan(Endpoint::Chat, &body).unwrap();
                let mut list: SmallVec<[_; 3]> =
                    edits::ask_usage(&view).into_iter().chain(edits::model(&view, "qwen3-8b")).collect();
                splice::apply(&body, &mut list)
            });
        });
    }
    group.finish();
}

fn sse(c: &mut Criterion) {
    let chunk = format!(
        "data: {}\n\n",
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"tide"}}]}"#
            .repeat(2)
    );
    let chunk = Bytes::from(chunk);
    c.bench_function("sse/100 chunks", |b| {
        b.iter(|| {
            let mut frames = Frames::new();
            let mut out: SmallVec<[Bytes; 2]> = SmallVec::new();
            for _ in 0..100 {
                frames.push(chunk.clone(), |_| Keep::Yes, &mut out).unwrap();
                out.clear();
            }
        });
    });
}

/// What is looked at of each chunk for the bill.
fn chunk(c: &mut Criterion) {
    let words = [" Hello", " the", "ever", ",", " or", "\\n", " committee", "!"];
    let llama = |(_, text): (usize, &&str)| {
        format!(
            r#"{{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":"{text}"}}}}],"created":1795209165,"id":"chatcmpl-nja6u3ocX3bUYK23mz99GuY95TMR1xGe","model":"edge-tiny","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}}"#
        )
    };
    let openai = |(at, text): (usize, &&str)| {
        format!(
            r#"{{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-2024-08-06","choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"{}"}}"#,
            "x".repeat(at)
        )
    };
    let streams: [(&str, Vec<String>); 2] = [
        ("llama-server", words.iter().enumerate().map(llama).collect()),
        ("openai", words.iter().enumerate().map(openai).collect()),
    ];
    let mut group = c.benchmark_group("chunk");
    for (name, chunks) in &streams {
        let mut at = chunks.iter().cycle();
        let mut made = Produced::default();
        group.bench_function(format!("produced/{name}"), |b| {
            b.iter(|| made.event(at.next().unwrap().as_bytes()));
        });
        group.bench_function(format!("usage/{name}"), |b| b.iter(|| usage::of_event(at.next().unwrap().as_bytes())));
    }
    group.finish();
}

criterion_group!(benches, view, sse, chunk);
criterion_main!(benches);

//! What a whole decision costs, steps 3 to 5 of a request: reading the body, looking at the prompt, deciding. `cargo bench --bench look`.
//!
//! What a reader could get wrong: the figure to hold against is 10 µs for a 1 KB prompt and 300 MB/s for 100 KB, everything read that
//! rules can read (but personal data, which is not there yet).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderMap;
use tidegate::gateway::look::{self, Asker};
use tidegate::gateway::{decide, read};
use tidegate::openai::Endpoint;
use tidegate::state::Snapshot;
use tidegate::{app, config, policy, state};

const RULES: &str = r#"
upstreams:
  lab: {placement: edge, kind: llama-server, nodes: [http://127.0.0.1:1]}
  far: {placement: cloud, kind: openai, base_url: http://127.0.0.1:1/v1, api_key: k}
models:
  small: {upstream: lab, context: 32768}
  frontier: {upstream: far, context: 400000}
routes:
  auto:
    threshold: {max_cloud_share: 0.2}
    rules:
      - {name: wish, when: 'hint.placement == "only-cloud"', try: [frontier]}
      - {name: fresh, when: needs_fresh_knowledge > 0.99, try: [frontier, small]}
      - {name: easy, when: difficulty < threshold, try: [small, frontier]}
      - {name: hard, try: [frontier, small]}
  plain:
    rules:
      - {name: long, when: input_tokens > 100000, try: [frontier]}
      - {name: home, try: [small, frontier]}
"#;

/// A user's message of about `bytes` bytes: prose, with the odd line break, quote and number.
fn body(model: &str, bytes: usize) -> Bytes {
    let prose = "The committee met on Tuesday to review 3 \\\"proposals\\\" for the new library.\\nSeveral members asked whether the old \
                 building could be extended at a cost below 2.5 million, and what that would mean for its readers. ";
    let text: String = prose.chars().cycle().take(bytes).collect();
    let text = text.trim_end_matches('\\');
    format!(
        r#"{{"model":"{model}","stream":true,"messages":[{{"role":"system","content":"You are helpful."}},{{"role":"user","content":"{text}"}}]}}"#
    )
    .into()
}

fn decided(snapshot: &Snapshot, body: &Bytes) -> policy::Decision {
    let read = read::understand(Endpoint::Chat, HeaderMap::new(), body.clone()).unwrap();
    let entry = decide::route(snapshot, &read.model).unwrap();
    let looked = look::look(&read, entry, snapshot, Asker::nobody(&read.hints), Default::default());
    policy::decide(&entry.route, &looked.signals)
}

fn looks(c: &mut Criterion) {
    let loaded = config::parse(RULES, Path::new("."), &|_| None, state::reload::judges()).unwrap();
    let snapshot = app::snapshot(&loaded).unwrap();
    for (name, model) in [("difficulty and freshness", "auto"), ("neither", "plain")] {
        let mut group = c.benchmark_group(format!("decision, {name}"));
        for (size, bytes) in
            [("60 B", 60), ("1 KB", 1_000), ("10 KB", 10_000), ("100 KB", 100_000), ("1 MB", 1_000_000)]
        {
            let body = body(model, bytes);
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(size, |b| b.iter(|| decided(black_box(&snapshot), black_box(&body))));
        }
    }
}

criterion_group!(benches, looks);
criterion_main!(benches);

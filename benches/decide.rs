//! What a decision costs: single conditions, whole routes, hints, the token estimate. `cargo bench --bench decide`.
//!
//! What a reader could get wrong: a rule must stay within about 2 µs (a decision for a 1 KB prompt within 10 µs, scan included);
//! the numbers of an unoptimised build say nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::config::file::{Placement, Privacy};
use tidegate::openai::{Endpoint, Modalities, view};
use tidegate::policy::{Candidate, Condition, Route, Rule, Split, decide};
use tidegate::signals::conversation::{self, Leader};
use tidegate::signals::{Budget, Hints, Signals, Wish, tokens};

fn hints() -> Hints {
    Hints {
        user: Some("svc-batch".into()),
        tags: vec![("team".into(), "search".into()), ("tier".into(), "gold".into())],
        ..Hints::default()
    }
}

fn signals(hints: &Hints) -> Signals<'_> {
    Signals {
        deferred: false,
        model: "auto",
        input_tokens: 1_200,
        max_output_tokens: Some(500),
        modalities: Modalities::TEXT,
        has_tools: false,
        stream: true,
        turns: 2,
        hints,
        placement: Wish::default(),
        tenant: "",
        privacy: Privacy::Retained,
        regions: None,
        budget: Budget::default(),
        private: Default::default(),
        edge_available: true,
        cloud_available: true,
        difficulty: 0.312,
        fresh: 0.04,
        threshold: 0.5,
        edge_load: 0.25,
        cloud_pressure: 0.0,
        conversation: 0,
        hour: 9,
        today: jiff::civil::date(2026, 3, 1),
    }
}

fn rule(when: Option<&str>) -> Rule {
    let candidate = |id, placement| Candidate {
        min_confidence: None,
        id,
        model: format!("model-{id}"),
        placement,
        context: Some(8_192),
        modalities: Modalities::TEXT,
        tools: true,
        region: None,
        is_priced: true,
        retires_on: None,
    };
    let candidates =
        vec![candidate(0, Placement::Edge), candidate(1, Placement::Cloud), candidate(2, Placement::Cloud)];
    Rule { name: "rule".into(), when: when.map(compile), candidates, ..Rule::default() }
}

fn compile(text: &str) -> Condition {
    Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn conditions(c: &mut Criterion) {
    let hints = hints();
    let signals = signals(&hints);
    let users: Vec<String> = (0..50).map(|i| format!("'user-{i}'")).collect();
    let many = format!("user in [{}]", users.join(","));
    let mut group = c.benchmark_group("condition");
    for (name, text) in [
        ("one signal", "stream"),
        ("comparison", "input_tokens > 4000"),
        ("three comparisons", "input_tokens > 400 && turns < 10 && hour >= 8"),
        ("mixed arithmetic", "input_tokens * 1.2 + max_output_tokens < 4000.0"),
        ("dotted", "hint.placement == 'prefer-edge' || edge.available"),
        ("tag", "tags.team == 'search'"),
        ("guarded tag", "has(tags.team) && tags.team == 'search'"),
        ("prefix", "user.startsWith('svc-')"),
        ("pattern", "user.matches('^svc-[a-z]+$')"),
        ("modality macro", "modalities.exists(m, m == 'image')"),
        ("one of three", "model in ['auto', 'gpt-4o', 'gpt-4o-mini']"),
        ("one of fifty", &many),
    ] {
        let condition = compile(text);
        group.bench_function(name, |b| b.iter(|| condition.evaluate(black_box(&signals))));
    }
}

fn routes(c: &mut Criterion) {
    let hints = hints();
    let signals = signals(&hints);
    let direct = Route { name: "small".into(), rules: vec![rule(None)] };
    let typical = [
        Some("has(tags.tier) && tags.tier == 'free'"),
        Some("modalities.exists(m, m == 'image')"),
        Some("input_tokens > 4000 || has_tools"),
        Some("hour >= 22 || hour < 6"),
        None,
    ];
    let typical = Route { name: "auto".into(), rules: typical.into_iter().map(rule).collect() };
    let mut group = c.benchmark_group("decide");
    group.bench_function("direct", |b| b.iter(|| decide(black_box(&direct), black_box(&signals))));
    group.bench_function("five rules, the last matches", |b| {
        b.iter(|| decide(black_box(&typical), black_box(&signals)));
    });
    let mut shared = rule(None);
    let weights = [("model-0", 90.0), ("model-1", 5.0), ("model-2", 5.0)];
    shared.split = Some(Split::new("auto", "rule", &shared.candidates, weights, &[]));
    let shared = Route { name: "auto".into(), rules: vec![shared] };
    group.bench_function("shared out among three", |b| b.iter(|| decide(black_box(&shared), black_box(&signals))));
}

fn conversations(c: &mut Criterion) {
    let mut group = c.benchmark_group("conversation");
    for (name, size) in [("1 KB", 1 << 10), ("100 KB", 100 << 10)] {
        let text = "The committee met on Tuesday. ".repeat(size / 30);
        let body = serde_json::json!({"model": "auto", "messages": [{"role": "user", "content": text}]}).to_string();
        let view = view::scan(Endpoint::Chat, body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
        let leader = Leader { tenant: "acme", app: "chat", user: "ann" };
        group.bench_function(name, |b| {
            b.iter(|| conversation::key(leader, black_box(&view), black_box(body.as_bytes())));
        });
    }
}

fn signals_from_requests(c: &mut Criterion) {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("host", "127.0.0.1:4141"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("authorization", "Bearer sk-none"),
        ("content-type", "application/json"),
        ("content-length", "1024"),
        ("user-agent", "OpenAI/Python 1.99.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-arch", "x64"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-read-timeout", "600"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    let mut group = c.benchmark_group("hints");
    group.bench_function("no such header", |b| b.iter(|| Hints::from_headers(black_box(&headers))));
    headers.insert("x-tidegate-placement", http::HeaderValue::from_static("prefer-edge"));
    headers.insert("x-tidegate-tags", http::HeaderValue::from_static("team=search,tier=gold"));
    group.bench_function("two headers", |b| b.iter(|| Hints::from_headers(black_box(&headers))));
    group.finish();

    let prose = r"The committee met on Tuesday to review 3 proposals.\n".repeat(2_000);
    let mut group = c.benchmark_group("tokens");
    for bytes in [1_000, 100_000] {
        group.throughput(Throughput::Bytes(bytes as u64));
        let text = &prose.as_bytes()[..bytes];
        group.bench_function(format!("{bytes} bytes"), |b| b.iter(|| tokens::estimate_pieces([black_box(text)], 1)));
    }
}

criterion_group!(benches, conditions, routes, conversations, signals_from_requests);
criterion_main!(benches);

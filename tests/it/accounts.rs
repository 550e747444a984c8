//! Money: budgets hold whatever happens at once, and what was used is in the ledger whatever happens after.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::gateway::run;
use crate::support::upstream::answers::usual;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, at_rest, eventually};

/// A cent for each request, at the edge as in the cloud.
const CENT: &str = "price: {per_request: 0.01}";

fn priced(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud_with("acme", cloud, "passthrough_prices: {/v1/images: 0.25}")
        .model("small", "lab", CENT)
        .model("frontier", "acme", CENT)
        .route("auto", "", &["small"])
        .route("cloud", "", &["frontier", "small"])
}

/// The ledger's totals, as the command tells them.
async fn usage(gateway: &Gateway, more: &[&str]) -> Vec<Value> {
    let config = gateway.dir().join("tidegate.yaml");
    let arguments = [&["usage", "--format", "json", "-c", config.to_str().unwrap()], more].concat();
    let told = run(gateway.dir(), &arguments).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    serde_json::from_str::<Value>(&told.stdout).unwrap().as_array().unwrap().clone()
}

fn sum(lines: &[Value], figure: &str) -> f64 {
    lines.iter().map(|line| line[figure].as_f64().unwrap_or(0.0)).sum()
}

/// 64 clients, every second one streaming, until nobody gets anything any more; the number of good answers.
async fn hammer(gateway: &Gateway, tenant: &'static str) -> usize {
    let good = Arc::new(AtomicUsize::new(0));
    let addr = gateway.addr();
    let clients = (0..64).map(|client| {
        let good = Arc::clone(&good);
        tokio::spawn(async move {
            // A refusal may be for what others have only reserved: the end is a row of them.
            let mut refused = 0;
            while refused < 5 {
                let body = if client % 2 == 0 { chat("auto", "hi") } else { chat_stream("auto", "hi") };
                let call =
                    crate::support::Call::new(addr, http::Method::POST, "/v1/chat/completions").json(&body).by(tenant);
                match call.try_send().await {
                    Ok(answer) if answer.status == 200 => {
                        good.fetch_add(1, Ordering::SeqCst);
                        refused = 0;
                    }
                    Ok(answer) => {
                        assert_eq!(answer.expect_error(429)["code"], "insufficient_quota");
                        refused += 1;
                    }
                    // The gateway was killed.
                    Err(_) => return,
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no client panics");
    }
    good.load(Ordering::SeqCst)
}

#[tokio::test]
async fn sixty_four_clients_spend_a_dollar_and_not_more() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&priced(&edge, &cloud).tenant("acme", "budget: {usd: 1, per: day}")).await;
    let good = hammer(&gateway, "acme").await;
    assert!((98..=101).contains(&good), "{good} answers of a cent each");
    assert_eq!(edge.requests().len(), good, "what was refused has not been sent");
    let booked =
        async || (sum(&usage(&gateway, &["--by", "tenant"]).await, "cost_usd") - good as f64 / 100.0).abs() < 1e-9;
    eventually("the ledger says the same", async || booked().await.then_some(())).await;
    gateway.eventually_metric("tidegate_budget_used_ratio", &[("tenant", "acme")], good as f64 / 100.0).await;
    let log = gateway.log().text();
    for percent in ["50", "80", "100"] {
        assert!(log.contains(&format!("\"percent\":{percent}")), "the alert at {percent} %:\n{log}");
    }
}

#[tokio::test]
async fn a_killed_gateway_has_lost_nothing_and_doubled_nothing() {
    let gate = Gate::new();
    let held = gate.clone();
    let count = AtomicUsize::new(0);
    // The first 150 are answered, the others are at the provider, unanswered, when the gateway is killed.
    let edge = Upstream::named("edge").await.answering(move |request| {
        let answer = usual("edge", request);
        if count.fetch_add(1, Ordering::SeqCst) < 150 { answer } else { answer.gated(Point::BeforeHead, &held) }
    });
    let cloud = Upstream::named("cloud").await;
    let config = priced(&edge, &cloud).tenant("acme", "budget: {usd: 5, per: day}");
    let mut gateway = Gateway::with(&config).await;
    {
        let working = hammer(&gateway, "acme");
        let killing = async {
            eventually("64 wait for an answer", async || (edge.requests().len() == 150 + 64).then_some(())).await;
            gateway.signal("KILL");
        };
        tokio::join!(working, killing);
    }
    gateway.wait_exit().await;
    let counted = edge.requests().len();
    // What the provider has counted, the books have too: also those that nobody has looked at since.
    let lines = usage(&gateway, &["--by", "outcome"]).await;
    assert_eq!(sum(&lines, "requests") as usize, counted, "{lines:?}");
    assert!((sum(&lines, "cost_usd") - counted as f64 / 100.0).abs() < 1e-9, "{lines:?}");

    gate.open();
    let again = Gateway::start(gateway.shared_dir(), &[]).await;
    let used = again.metrics().await.sum("tidegate_budget_used_ratio", &[("tenant", "acme")]);
    assert!((used - counted as f64 / 500.0).abs() < 1e-9, "the restart remembers: {used}");
    let good = hammer(&again, "acme").await;
    let all = counted + good;
    assert!((499..=501).contains(&all), "{all} answers of a cent each from five dollars");
    let settled = async || {
        let lines = usage(&again, &["--by", "outcome"]).await;
        (sum(&lines, "cost_usd") > all as f64 / 100.0 - 0.005).then_some(lines)
    };
    let lines = eventually("all are booked", settled).await;
    assert_eq!(edge.requests().len(), all);
    assert!((sum(&lines, "cost_usd") - all as f64 / 100.0).abs() < 1e-9, "{lines:?}");
}

#[tokio::test]
async fn whenever_a_gateway_is_killed_the_books_have_all_that_was_sent() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = priced(&edge, &cloud).tenant("acme", "budget: {usd: 50, per: day}");
    let mut gateway = Gateway::with(&config).await;
    {
        let working = hammer(&gateway, "acme");
        let killing = async {
            eventually("some are done", async || (edge.requests().len() > 200).then_some(())).await;
            gateway.signal("KILL");
        };
        tokio::join!(working, killing);
    }
    gateway.wait_exit().await;
    let counted = at_rest("the provider has read what was under way", || edge.requests().len() as u64).await as usize;
    let lines = usage(&gateway, &["--by", "outcome"]).await;
    let of = |outcome: &str| {
        lines.iter().filter(|l| l["outcome"] == outcome).map(|l| l["requests"].as_u64().unwrap()).sum::<u64>()
    };
    let (ok, interrupted) = (of("ok") as usize, of("interrupted") as usize);
    // Nobody can know whether what was written down last had left the machine: it counts, for a provider may have billed it.
    assert!(
        ok <= counted && counted <= ok + interrupted,
        "{ok} ok, {interrupted} interrupted, {counted} at the provider"
    );
    assert!(interrupted <= 64, "{interrupted}");
}

#[tokio::test]
async fn a_client_who_leaves_pays_for_what_was_produced() {
    let words: Vec<String> = (0..100).map(|i| format!(" word{i}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // One chunk each 20 ms: the client leaves long before the end.
    let answer = Answer::chat_stream(&words, true).spaced(std::time::Duration::from_millis(20));
    let edge = Upstream::named("edge").await.always(answer);
    let cloud = Upstream::named("cloud").await;
    let config = Config::hybrid(&edge, &cloud)
        .model("paid", "lab", "price: {input: 0, output: 1000}")
        .tenant("acme", "budget: {usd: 100}");
    let gateway = Gateway::with(&config).await;
    let mut stream = gateway.chat(&chat_stream("paid", "count")).by("acme").stream().await;
    // The role, then three words.
    for _ in 0..4 {
        assert!(stream.event().await.is_some());
    }
    let left = stream.disconnect();
    let cancel = eventually("the upstream sees the cancel", async || edge.cancels().first().copied()).await;
    let after = cancel.at.duration_since(left);
    assert!(after < std::time::Duration::from_secs(2), "{after:?}");
    let booked = async || {
        let lines = usage(&gateway, &["--by", "outcome"]).await;
        lines.into_iter().find(|line| line["outcome"] == "client-gone")
    };
    let line = eventually("the request is booked", booked).await;
    let tokens = line["completion_tokens"].as_f64().unwrap();
    assert!((3.0..=30.0).contains(&tokens), "three words, and what was on its way: {line}");
    assert!((line["cost_usd"].as_f64().unwrap() - tokens / 1000.0).abs() < 1e-9, "{line}");
    assert_eq!(line["estimated_attempts"], 1, "{line}");
}

#[tokio::test]
async fn an_empty_purse_keeps_to_the_edge_or_refuses() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = priced(&edge, &cloud)
        .tenant("thrifty", "budget: {usd: 0.03, per: month, then: edge-only}")
        .tenant("strict", "budget: {usd: 0.03, per: month}\napps: {chat: {budget: {usd: 0.01}}}")
        .route("only-cloud", "", &["frontier"]);
    let gateway = Gateway::with(&config).await;
    let ask = async |tenant: &str, model: &str| gateway.chat(&chat(model, "x")).by(tenant).send().await;
    for _ in 0..3 {
        assert_eq!(ask("thrifty", "cloud").await.header("x-tidegate-model"), "frontier");
    }
    let settled = async || (ask("thrifty", "cloud").await.header("x-tidegate-model") == "small").then_some(());
    eventually("the edge goes on", settled).await;
    assert_eq!(ask("thrifty", "only-cloud").await.expect_error(429)["code"], "insufficient_quota");

    let chat_app = gateway.chat(&chat("cloud", "x")).by("strict").header("x-tidegate-app", "chat");
    assert_eq!(chat_app.send().await.status, 200);
    let refused = async || {
        let answer = gateway.chat(&chat("cloud", "x")).by("strict").header("x-tidegate-app", "chat").send().await;
        (answer.status == 429).then_some(answer)
    };
    let answer = eventually("the app's own budget is used up", refused).await;
    assert!(answer.expect_error(429)["message"].as_str().unwrap().contains("app `chat`"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(ask("strict", "cloud").await.status, 200, "the tenant has two cents left");
}

#[tokio::test]
async fn passed_through_endpoints_are_no_way_around_a_budget() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&priced(&edge, &cloud).tenant("acme", "budget: {usd: 0.5}").tenant("free", "")).await;
    let post =
        async |tenant: &str, path: &str| gateway.post(path).by(tenant).json(&json!({"prompt": "a cat"})).send().await;
    for _ in 0..2 {
        assert_eq!(post("acme", "/v1/images/generations").await.status, 200);
    }
    let refused = async || {
        let answer = post("acme", "/v1/images/generations").await;
        (answer.status == 429).then_some(answer)
    };
    assert_eq!(eventually("a quarter each", refused).await.expect_error(429)["code"], "insufficient_quota");
    let error = post("acme", "/v1/audio/speech").await.expect_error(503);
    assert!(error["message"].as_str().unwrap().contains("passthrough_prices"), "{error}");
    // Almost the path of a chat: what a provider may take for one is no way around either.
    assert_eq!(post("acme", "/v1/chat//completions").await.status, 404);
    assert_eq!(post("free", "/v1/audio/speech").await.status, 200);
    assert_eq!(gateway.get("/v1/files").by("acme").send().await.status, 200, "reading is free");
}

#[tokio::test]
async fn every_attempt_is_told_apart() {
    let edge = Upstream::named("edge").await;
    let cloud = Upstream::named("cloud").await;
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "price: {input: 1, output: 2}")
        .model("frontier", "acme", "price: {input: 10, output: 100, cached_input: 1}")
        .route("auto", "", &["small", "frontier"])
        .tenant("acme", "");
    let gateway = Gateway::with(&config).await;
    edge.next([Answer::error(500, "server_error", "broken")]);
    let call = || gateway.chat(&chat("auto", "hi")).by("acme").header("x-tidegate-tags", "team=red");
    assert_eq!(call().send().await.header("x-tidegate-attempts"), "small:upstream-failed,frontier:ok");
    assert_eq!(call().send().await.header("x-tidegate-attempts"), "small:ok");
    let booked = async || {
        let lines = usage(&gateway, &["--by", "model,placement"]).await;
        (sum(&lines, "requests") >= 2.0).then_some(lines)
    };
    let lines = eventually("both are booked", booked).await;
    let by_model: HashMap<&str, &Value> = lines.iter().map(|line| (line["model"].as_str().unwrap(), line)).collect();
    // The mock says 11 prompt tokens, 3 of them cached, and 7 of the answer.
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-12, "{value} {expected}");
    };
    near(&by_model["frontier"]["cost_usd"], (8.0 * 10.0 + 3.0 * 1.0 + 7.0 * 100.0) / 1e6);
    near(&by_model["small"]["cost_usd"], (11.0 + 14.0) / 1e6);
    near(&by_model["small"]["saving_usd"], (80.0 + 3.0 + 700.0 - 25.0) / 1e6);
    assert_eq!(sum(&lines, "attempts"), 3.0, "{lines:?}");
    let api = gateway.admin("/api/usage?by=tenant").send().await;
    assert_eq!((api.status, api.json()[0]["tenant"].as_str().unwrap()), (200, "acme"));
}

#[tokio::test]
async fn without_room_for_records_nothing_is_let_in() {
    // A data directory that cannot be written is found out at the start, not when the first record is lost.
    let cloud = Upstream::named("cloud").await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data"), "a file").unwrap();
    std::fs::write(
        dir.path().join("tidegate.yaml"),
        crate::support::gateway::with_listeners(dir.path(), &Config::cloud_only(&cloud).yaml()),
    )
    .unwrap();
    let told = run(dir.path(), &["serve", "-c", "tidegate.yaml"]).await;
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stderr.contains("data_dir"), "{told:?}");
}

//! Where easy ends and hard begins: difficulty on the wire and in metrics, and the ways in which a threshold is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::{Answer, Config, Gateway, Upstream};

const EASY: &str = "set a timer for ten minutes please";
const HARD: &str = "Prove that for every prime p > 3 the number p^2 - 1 is divisible by 24, then generalise the argument to \
                    products of primes and give a counterexample where the generalisation fails.";

/// `difficulty < threshold` goes to `small`, the rest to `frontier`.
fn by_difficulty(edge: &Upstream, cloud: &Upstream, threshold: &str) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "price: {input: 1, output: 10}")
        .rules(
            "auto",
            threshold,
            &[
                "{name: easy, when: difficulty < threshold, try: [small, frontier]}",
                "{name: hard, try: [frontier, small]}",
            ],
        )
}

async fn pair() -> (Upstream, Upstream) {
    (Upstream::named("edge").await, Upstream::named("cloud").await)
}

async fn difficulty(gateway: &Gateway, text: &str) -> f64 {
    let answer = gateway.chat(&chat("auto", text)).send().await;
    answer.header("x-tidegate-difficulty").parse().unwrap_or_else(|_| panic!("{}", answer.text()))
}

#[tokio::test]
async fn easy_prompts_stay_and_hard_ones_go_up() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&by_difficulty(&edge, &cloud, "threshold: 0.5")).await;
    let (easy, hard) = (difficulty(&gateway, EASY).await, difficulty(&gateway, HARD).await);
    assert!(easy + 0.05 < hard, "easy {easy}, hard {hard}");
    let between = format!("threshold: {}", (easy + hard) / 2.0);
    gateway.reload_now(&by_difficulty(&edge, &cloud, &between)).await;
    for (text, rule, placement) in [(EASY, "easy", "edge"), (HARD, "hard", "cloud")] {
        let answer = gateway.chat(&chat("auto", text)).send().await;
        assert_eq!((answer.header("x-tidegate-rule"), answer.header("x-tidegate-placement")), (rule, placement));
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("tidegate_difficulty_count", &[]), 4.0);
    let threshold = metrics.sum("tidegate_threshold", &[("route", "auto")]);
    assert!((threshold - (easy + hard) / 2.0).abs() < 1e-9, "{threshold}");
}

#[tokio::test]
async fn a_route_that_reads_no_difficulty_does_not_compute_it() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let answer = gateway.chat(&chat("auto", HARD)).send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-difficulty")), (200, ""));
    assert_eq!(gateway.metrics().await.sum("tidegate_difficulty_count", &[]), 0.0);
}

/// The same prompt is as hard, however the client escapes it and whatever stands around it that is not the user's.
#[tokio::test]
async fn difficulty_is_the_prompts_and_not_its_wrappings() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&by_difficulty(&edge, &cloud, "")).await;
    let plain = difficulty(&gateway, "Erkläre mir \"Größe\" & <Maß>").await;
    let escaped = r#"{"model":"auto","messages":[{"role":"user","content":"Erkl\u00e4re mir \"Gr\u00f6\u00dfe\" \u0026 \u003cMa\u00df\u003e"}]}"#;
    let answer = gateway.post("/v1/chat/completions").body("application/json", escaped).send().await;
    assert_eq!(answer.header("x-tidegate-difficulty").parse::<f64>().unwrap(), plain);
    let many = json!({"model": "auto", "temperature": 0.1, "messages": [{"role": "user", "content": [{"type": "text", "text": EASY}]}]});
    let answer = gateway.chat(&many).send().await;
    assert_eq!(answer.header("x-tidegate-difficulty").parse::<f64>().unwrap(), difficulty(&gateway, EASY).await);
}

/// One of the prompts of a day whose mood changes: everyday commands first, then harder and harder questions.
fn prompt(i: usize) -> String {
    let easy =
        ["turn on the light in room", "remind me to call", "what is a synonym of word", "translate to german: item"];
    let hard = [
        "Derive the asymptotic complexity of merging the heaps of size",
        "Prove by induction the inequality for all integers above",
        "Find the race condition in this lock-free queue of capacity",
        "Compare three consistency models for a ledger with replicas:",
    ];
    let tail =
        ["", ", please", " and explain each step", " with constraints 1) 2) 3)", " using O(n log n) time"][i / 7 % 5];
    let is_hard = (i * 7_919) % 10_000 < i;
    let body = if is_hard { hard[i % 4] } else { easy[i % 4] };
    format!("{body} {}{tail}", i * 31 % 997)
}

#[tokio::test]
async fn a_cloud_share_holds_over_ten_thousand_requests() {
    let (edge, cloud) = pair().await;
    let config = by_difficulty(&edge, &cloud, "threshold: {max_cloud_share: 0.2}").top("ledger: off");
    let gateway = Arc::new(Gateway::with(&config).await);
    let (next, in_cloud) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Few clients: other tests run beside this one, some with deadlines.
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (gateway, next, in_cloud) = (Arc::clone(&gateway), Arc::clone(&next), Arc::clone(&in_cloud));
            tokio::spawn(async move {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= 10_000 {
                        return;
                    }
                    let answer = gateway.chat(&chat("auto", &prompt(i))).send().await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    in_cloud
                        .fetch_add(usize::from(answer.header("x-tidegate-placement") == "cloud"), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let share = in_cloud.load(Ordering::Relaxed) as f64 / 10_000.0;
    assert!((0.18..=0.22).contains(&share), "{share}");
    let lately = gateway.metrics().await.sum("tidegate_cloud_share", &[("route", "auto")]);
    assert!((0.1..=0.3).contains(&lately), "{lately}");
}

#[tokio::test]
async fn a_reload_keeps_what_a_threshold_has_learnt() {
    let (edge, cloud) = pair().await;
    let config = by_difficulty(&edge, &cloud, "threshold: {max_cloud_share: 0.3}");
    let gateway = Gateway::with(&config).await;
    for i in 0..200 {
        gateway.chat(&chat("auto", &prompt(i * 50))).send().await;
    }
    let before = gateway.metrics().await.sum("tidegate_threshold", &[("route", "auto")]);
    gateway.reload_now(&config.top("retries: {max_attempts: 2}")).await;
    let after = gateway.metrics().await.sum("tidegate_threshold", &[("route", "auto")]);
    assert_eq!(before, after);
    assert_ne!(after, 0.5, "where it began");
}

/// Refusals raise the threshold: what can stay, stays.
#[tokio::test]
async fn pressure_keeps_more_at_the_edge() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&by_difficulty(&edge, &cloud, "threshold: {fixed: 0.0, max: 0.9, pressure: 1}")).await;
    let first = gateway.chat(&chat("auto", HARD)).send().await;
    assert_eq!(first.header("x-tidegate-rule"), "hard");
    cloud.now_always(Answer::rate_limited("0"));
    let mut last = String::new();
    for _ in 0..60 {
        last = gateway.chat(&chat("auto", HARD)).send().await.header("x-tidegate-rule").to_owned();
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.sum("tidegate_cloud_pressure", &[("upstream", "acme")]) > 0.05);
    let raised = metrics.sum("tidegate_threshold", &[("route", "auto")]);
    assert!((0.05..=0.9).contains(&raised), "{raised}");
    assert_eq!(last, "easy", "what was hard a moment ago now counts as easy enough");
    let asked = cloud.requests().len();
    assert!(asked < 61, "the cloud was asked each time");
}

/// A tenth of a dollar for the day, a cent for a cloud answer: the cloud is asked some ten times and then no more.
#[tokio::test]
async fn a_budget_steers_the_threshold_and_survives_a_restart() {
    let (edge, cloud) = pair().await;
    let config = by_difficulty(&edge, &cloud, "threshold: {budget: {usd: 0.1, per: day}}");
    let dear: Value = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1000, "total_tokens": 1010}});
    cloud.now_always(Answer::json(200, &dear));
    let mut gateway = Gateway::with(&config).await;
    let ask = async |gateway: &Gateway, times: usize| {
        for i in 0..times {
            let answer = gateway.chat(&chat("auto", &prompt(i * 37))).send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    };
    ask(&gateway, 300).await;
    let asked = cloud.requests().len();
    assert!((1..60).contains(&asked), "{asked} cloud answers at a cent each");
    gateway.signal("TERM");
    gateway.wait_exit().await;
    let again = Gateway::start(gateway.shared_dir(), &[]).await;
    ask(&again, 300).await;
    let after = cloud.requests().len() - asked;
    assert!(after < 30, "{asked} before the restart, {after} after it");
}

/// A question about a year that no model of the route can know needs fresh knowledge.
#[tokio::test]
async fn a_later_year_than_a_models_knowledge_goes_to_where_it_is_fresh() {
    let (edge, cloud) = pair().await;
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "knowledge_until: 2024-06-01")
        .model("frontier", "acme", "")
        .rules(
            "auto",
            "",
            &["{name: fresh, when: needs_fresh_knowledge > 0.7, try: [frontier]}", "{name: rest, try: [small]}"],
        );
    let gateway = Gateway::with(&config).await;
    for (text, rule) in [
        ("summarise the changes in the tax law of 2031", "fresh"),
        ("what is 2031 * 17", "rest"),
        ("describe the treaty of 1648", "rest"),
    ] {
        let answer = gateway.chat(&chat("auto", text)).send().await;
        assert_eq!(answer.header("x-tidegate-rule"), rule, "{text}");
    }
}

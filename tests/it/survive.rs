//! Breakers, the retry budget, providers' limits, hedges, deadlines passed on, and routes that do without the cloud.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{chat, chat_stream};
use crate::support::{Answer, Config, Gateway, Point, Upstream, eventually};

const SLOW: Duration = Duration::from_millis(400);

/// A provider that fails, an edge to fall back on.
async fn cloud_first(breaker: &str) -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud_with("acme", &cloud, breaker)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .route("auto", "", &["frontier", "small"])
        .route("cloud-alone", "", &["frontier"]);
    let gateway = Gateway::with(&config).await;
    (edge, cloud, gateway)
}

async fn ask(gateway: &Gateway, model: &str) -> crate::support::Response {
    gateway.chat(&chat(model, "hi")).send().await
}

#[tokio::test]
async fn a_storm_of_refusals_opens_the_breaker_and_it_closes_by_itself() {
    let (_edge, cloud, gateway) = cloud_first("breaker: {open_for: 300ms}").await;
    cloud.now_always(Answer::error(429, "rate_limit_error", "slow down"));
    for n in 0..60 {
        let answer = ask(&gateway, "auto").await;
        assert_eq!((answer.status, answer.content().as_str()), (200, "hello from edge"), "{n}");
    }
    let labels = [("upstream", "acme"), ("node", "0")];
    assert!(cloud.requests().len() < 30, "{} of 60 went to a provider that refuses", cloud.requests().len());
    assert!(gateway.log().text().contains("its breaker is open"));
    cloud.now_well();
    // Single requests find out; nobody has to do anything.
    let until = Instant::now() + Duration::from_secs(20);
    while gateway.metrics().await.sum("tidegate_breaker_state", &labels) != 0.0 {
        assert!(Instant::now() < until, "the breaker stays open");
        assert_eq!(ask(&gateway, "auto").await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&gateway, "auto").await.content(), "hello from cloud");
}

#[tokio::test]
async fn with_nowhere_else_to_go_an_open_breaker_says_so_at_once() {
    let (_edge, cloud, gateway) = cloud_first("breaker: {open_for: 1m, failures: 3}").await;
    cloud.now_always(Answer::garbage());
    for _ in 0..3 {
        ask(&gateway, "cloud-alone").await.expect_error(502);
    }
    let asked = cloud.requests().len();
    let refused = ask(&gateway, "cloud-alone").await;
    let error = refused.expect_error(502);
    assert!(error["message"].as_str().unwrap().contains("`acme` is not asked for a moment"), "{error}");
    assert_eq!(refused.header("x-tidegate-attempts"), "frontier:broken");
    assert_eq!(cloud.requests().len(), asked);
}

/// A request may be to blame for a 500: as long as nobody else can be asked, others are not refused for it.
#[tokio::test]
async fn who_fails_is_asked_all_the_same_when_nobody_else_is_left() {
    let (_edge, cloud, gateway) = cloud_first("breaker: {open_for: 1m, failures: 3}").await;
    cloud.now_always(Answer::error(500, "server_error", "roles must alternate"));
    for _ in 0..3 {
        ask(&gateway, "cloud-alone").await.expect_error(500);
    }
    cloud.now_well();
    assert_eq!(ask(&gateway, "auto").await.content(), "hello from edge", "the next target is there for that");
    assert_eq!(ask(&gateway, "cloud-alone").await.content(), "hello from cloud");
}

#[tokio::test]
async fn an_impatient_client_says_nothing_about_a_node() {
    let (_edge, cloud, gateway) = cloud_first("breaker: {open_for: 1m, failures: 2}").await;
    cloud.now_always(Answer::chat("in its own time").delayed(SLOW));
    for _ in 0..4 {
        let hasty = gateway.chat(&chat("cloud-alone", "hi")).header("x-tidegate-deadline-ms", "50").send().await;
        assert_eq!(hasty.status, 504, "{}", hasty.text());
    }
    assert_eq!(ask(&gateway, "cloud-alone").await.content(), "in its own time");
}

#[tokio::test]
async fn a_hedged_target_is_not_asked_again_and_leaves_the_others_their_attempt() {
    let (one, two, edge) = (Upstream::named("one").await, Upstream::named("two").await, Upstream::named("edge").await);
    for provider in [&one, &two] {
        provider.now_always(Answer::error(500, "server_error", "oops").delayed(SLOW));
    }
    let config = Config::new()
        .top("retries: {max_attempts: 4, hedge_after: 50ms, budget: 1}")
        .edge("lab", &[&edge])
        .cloud("first", &one)
        .cloud("second", &two)
        .model("a", "first", "")
        .model("b", "second", "")
        .model("small", "lab", "")
        .route("auto", "", &["a", "b", "small"]);
    let gateway = Gateway::with(&config).await;
    let answer = ask(&gateway, "auto").await;
    assert_eq!(answer.content(), "hello from edge", "{}", answer.header("x-tidegate-attempts"));
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

/// What failed attempts may have cost is set aside too.
#[tokio::test]
async fn failed_attempts_count_against_a_budget_before_the_next_is_made() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    for provider in [&one, &two] {
        provider.now_always(Answer::chat("").delayed(Duration::from_millis(100)).reset(Point::BeforeHead));
    }
    let price = "price: {input: 100, output: 100}";
    let config = Config::new()
        .cloud("first", &one)
        .cloud("second", &two)
        .model("a", "first", price)
        .model("b", "second", price)
        .route("auto", "", &["a", "b"])
        .tenant("acme", "budget: {usd: 0.05, per: month, then: reject}");
    let gateway = Gateway::with(&config).await;
    let mut body = chat("auto", &"word ".repeat(400));
    body["max_tokens"] = json!(1);
    let asks: Vec<_> = (0..8).map(|_| gateway.chat(&body).by("acme").send()).collect();
    for answer in futures_util::future::join_all(asks).await {
        assert!(answer.status >= 400, "{}", answer.text());
    }
    let used = gateway.metrics().await.sum("tidegate_cost_usd_total", &[("tenant", "acme")]);
    assert!(used <= 0.05 + 2.0 * 0.045, "{used} of a budget of 0.05 was spent on failures");
}

#[tokio::test]
async fn retries_stay_within_the_budget() {
    let nodes = [Upstream::named("a").await, Upstream::named("b").await];
    nodes.iter().for_each(|node| node.now_always(Answer::error(500, "server_error", "oops")));
    let config = Config::new()
        .top("retries: {max_attempts: 3, budget: 0.2}")
        .edge_with("lab", &[&nodes[0], &nodes[1]], "breaker: {enabled: false}")
        .model("small", "lab", "")
        .route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    let began = Instant::now();
    for _ in 0..100 {
        assert!(ask(&gateway, "auto").await.status >= 500);
    }
    let attempts = nodes.iter().map(|node| node.requests().len()).sum::<usize>();
    // A fifth, what the bucket held, and one a second.
    let most = 100 + 20 + 10 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!((110..=most).contains(&attempts), "{attempts} attempts, {most} allowed");
    let metrics = gateway.metrics().await;
    assert!(metrics.sum("tidegate_retries_denied_total", &[("upstream", "lab")]) > 50.0);
    let retried = metrics.sum("tidegate_retries_total", &[("upstream", "lab"), ("reason", "upstream-failed")]);
    assert_eq!(retried as usize, attempts - 100);
}

#[tokio::test]
async fn a_provider_that_says_its_limit_is_used_up_is_not_asked_before_the_reset() {
    let (_edge, cloud, gateway) = cloud_first("").await;
    let last = Answer::chat("the last one")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "1s");
    cloud.next([last]);
    assert_eq!(ask(&gateway, "auto").await.content(), "the last one");
    let kept_back = ask(&gateway, "auto").await;
    assert_eq!(kept_back.content(), "hello from edge");
    assert_eq!(kept_back.header("x-tidegate-attempts"), "frontier:rate-limited,small:ok");
    assert_eq!(kept_back.header("x-tidegate-degraded"), "", "the cloud is there, it only has no room");
    assert_eq!(cloud.requests().len(), 1);
    // Alone it is waited for, because that is short.
    assert_eq!(ask(&gateway, "cloud-alone").await.content(), "hello from cloud");
    assert!(gateway.metrics().await.sum("tidegate_held_back_total", &[("upstream", "acme")]) >= 2.0);
}

#[tokio::test]
async fn while_no_cloud_can_be_reached_the_edge_answers_and_says_so() {
    let (edge, cloud, gateway) = cloud_first("breaker: {failures: 2, open_for: 1s}").await;
    cloud.kill().await;
    for model in ["auto", "auto", "auto"] {
        let answer = ask(&gateway, model).await;
        assert_eq!(answer.content(), "hello from edge");
        assert_eq!(answer.header("x-tidegate-degraded"), "cloud-unreachable");
    }
    // A model that is asked for by its own name is that model or none.
    assert!(ask(&gateway, "frontier").await.status >= 500);
    assert_eq!(gateway.admin("/readyz").send().await.status, 200);
    assert_eq!(gateway.metrics().await.sum("tidegate_degraded_total", &[("route", "auto")]), 3.0);
    cloud.restart_on_same_port().await;
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask(&gateway, "auto").await;
        if answer.content() == "hello from cloud" {
            assert_eq!(answer.header("x-tidegate-degraded"), "");
            break;
        }
        assert!(Instant::now() < until, "the cloud never returned");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!edge.requests().is_empty());
}

#[tokio::test]
async fn in_need_targets_of_other_rules_answer_if_no_constraint_forbids_it() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::down("cloud"));
    let rules = ["{name: hard, when: difficulty >= 0, try: [frontier]}", "{name: easy, try: [small]}"];
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .rules("auto", "", &rules)
        .rules("strict", "degrade: false", &rules);
    let gateway = Gateway::with(&config).await;
    let answer = ask(&gateway, "auto").await;
    assert_eq!((answer.content().as_str(), answer.header("x-tidegate-rule")), ("hello from edge", "hard"));
    assert_eq!(answer.header("x-tidegate-degraded"), "cloud-unreachable");
    assert_eq!(answer.header("x-tidegate-attempts"), "frontier:connect,small:ok");
    let only_cloud = gateway.chat(&chat("auto", "hi")).header("x-tidegate-placement", "only-cloud").send().await;
    assert!(only_cloud.status >= 500, "{}", only_cloud.text());
    assert!(ask(&gateway, "strict").await.status >= 500);
    assert_eq!(edge.requests().len(), 1);
}

/// Two nodes, hedged after a fixed time.
async fn hedged(more: &str) -> (Upstream, Upstream, Gateway) {
    let (a, b) = (Upstream::named("a").await, Upstream::named("b").await);
    let config = Config::new()
        .top("retries: {hedge_after: 50ms, budget: 1}")
        .edge_with("lab", &[&a, &b], &format!("balance: round-robin\n{more}"))
        .model("small", "lab", "")
        .route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    (a, b, gateway)
}

#[tokio::test]
async fn a_slow_attempt_gets_company_and_the_slower_one_is_given_up() {
    for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
        let (a, b, gateway) = hedged("").await;
        a.now_always(Answer::chat("late").delayed(Duration::from_secs(30)));
        for _ in 0..4 {
            let answer = gateway.chat(&body).send().await;
            assert_eq!(answer.status, 200);
            assert!(
                answer.header("x-tidegate-attempts").ends_with("small:ok"),
                "{:?}",
                answer.header("x-tidegate-attempts")
            );
        }
        let hedges = gateway.metrics().await.sum("tidegate_hedges_total", &[("upstream", "lab"), ("result", "won")]);
        assert!(hedges >= 1.0, "{hedges}");
        let cancelled = async || (a.cancels().len() == a.requests().len()).then_some(());
        eventually("the slow ones are cancelled", cancelled).await;
        assert_eq!(b.requests().len(), 4);
    }
}

#[tokio::test]
async fn what_leaves_something_behind_is_never_sent_twice() {
    let (a, b, gateway) = hedged("").await;
    for node in [&a, &b] {
        node.now_always(Answer::chat("kept").delayed(SLOW));
    }
    let mut body = chat("auto", "hi");
    body["store"] = json!(true);
    assert_eq!(gateway.chat(&body).send().await.content(), "kept");
    assert_eq!(gateway.post("/v1/responses").json(&json!({"model": "auto", "input": "hi"})).send().await.status, 200);
    assert_eq!(a.requests().len() + b.requests().len(), 2);
}

#[tokio::test]
async fn when_the_first_fails_the_other_one_is_still_waited_for() {
    let (a, b, gateway) = hedged("").await;
    a.now_always(Answer::chat("").delayed(Duration::from_millis(120)).reset(Point::BeforeHead));
    b.now_always(Answer::chat("late but there").delayed(SLOW));
    for _ in 0..4 {
        assert_eq!(ask(&gateway, "auto").await.content(), "late but there");
    }
}

#[tokio::test]
async fn the_time_that_is_left_is_passed_on_to_the_edge_and_not_to_a_provider() {
    let (edge, cloud, gateway) = cloud_first("").await;
    cloud.next([Answer::error(500, "server_error", "oops")]);
    let answer = gateway.chat(&chat("auto", "hi")).header("x-tidegate-deadline-ms", "20000").send().await;
    assert_eq!(answer.content(), "hello from edge");
    let left: u64 = edge.only_request().header("x-tidegate-deadline-ms").unwrap().parse().unwrap();
    assert!((1..20_000).contains(&left), "{left}");
    assert_eq!(cloud.only_request().header("x-tidegate-deadline-ms"), None);
}

#[tokio::test]
async fn a_node_that_is_silent_or_slow_comes_last() {
    let nodes = [Upstream::named("a").await, Upstream::named("b").await, Upstream::named("c").await];
    let config = Config::new()
        .edge_with(
            "lab",
            &[&nodes[0], &nodes[1], &nodes[2]],
            "balance: round-robin\nhealth: {enabled: false}\nbreaker: {slower: 3, open_for: 5s}",
        )
        .model("small", "lab", "")
        .route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    let usual = |name: &'static str| Answer::chat(name).delayed(Duration::from_millis(20));
    nodes.iter().for_each(|node| node.now_always(usual("well")));
    nodes[0].now_always(Answer::chat("slow").delayed(SLOW));
    // Each eight answers of a node it is compared with the others; fifteen rounds are enough.
    for _ in 0..45 {
        assert_eq!(ask(&gateway, "auto").await.status, 200);
    }
    let before = nodes[0].requests().len();
    for _ in 0..12 {
        ask(&gateway, "auto").await;
    }
    assert!(gateway.log().text().contains("much slower than the others"));
    assert!(nodes[0].requests().len() <= before + 1, "{before} {}", nodes[0].requests().len());
}

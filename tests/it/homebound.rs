//! What must stay at home stays at home, whatever breaks: no byte of a `local-only` request reaches a cloud listener, none of a `no-retention` request unredacted.
//!
//! What a reader could get wrong: the cloud counts bytes and connections, not requests: half a request would be one too many.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::{Answer, Config, Gateway, Point, Upstream};

const MARK: &str = "the quick brown zebra of E-123456";

/// Everything that could tempt a request away: fallbacks, retries, a shadow of every request, a split, a rule that prefers the cloud, sticky
/// conversations, a threshold that sends all to the cloud.
fn tempting(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "modalities: [text, image, file]")
        .model("frontier", "acme", "modalities: [text, image, file]")
        .rules(
            "auto",
            "threshold: 0.0\nsticky: conversation",
            &[
                "{name: hard, when: difficulty >= threshold, try: [frontier, small], shadow: {model: frontier, sample: 1.0}}",
                "{name: rest, try: [frontier, small]}",
            ],
        )
        .rules("split", "", &["{name: shares, split: {frontier: 99, small: 1}, shadow: {model: frontier, sample: 1.0}}"])
        .route("edge-first", "", &["small", "frontier"])
        .route("cloud-alone", "", &["frontier"])
        .top("retries: {max_attempts: 5}")
        .top("pii: {modes: {EMPLOYEE_ID: allow}, custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}")
        .tenant("home", "privacy: local-only")
        .tenant("away", "privacy: retained")
}

fn bodies(model: &str) -> Vec<(&'static str, Value)> {
    let tools =
        json!([{"type": "function", "function": {"name": "f", "description": MARK, "parameters": {"type": "object"}}}]);
    let with_tools = json!({"model": model, "tools": tools, "messages": [{"role": "user", "content": MARK}]});
    vec![
        ("/v1/chat/completions", chat(model, MARK)),
        ("/v1/chat/completions", chat_stream(model, MARK)),
        ("/v1/chat/completions", with_tools),
        ("/v1/completions", json!({"model": model, "prompt": MARK})),
        ("/v1/embeddings", json!({"model": model, "input": [MARK, MARK]})),
        ("/v1/responses", json!({"model": model, "input": MARK})),
        ("/v1/responses", json!({"model": model, "input": MARK, "stream": true})),
    ]
}

fn assert_untouched(cloud: &Upstream, what: &str) {
    assert_eq!((cloud.received_bytes(), cloud.connections()), (0, 0), "{what}");
}

#[tokio::test]
async fn no_byte_of_a_local_request_reaches_the_cloud_whatever_is_asked() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&tempting(&edge, &cloud)).await;
    for model in ["auto", "split", "edge-first", "cloud-alone", "frontier", "small"] {
        for (path, body) in bodies(model) {
            for wish in ["prefer-cloud", "only-cloud", "prefer-edge"] {
                let call = gateway.post(path).by("home").json(&body).header("x-tidegate-placement", wish);
                let answer = call.header("x-tidegate-privacy", "retained").send().await;
                assert_ne!(answer.header("x-tidegate-placement"), "cloud", "{path} {model} {wish}");
                assert!(
                    !answer.text().contains("zebra") || answer.status == 200,
                    "{path} {model} {wish}: {}",
                    answer.text()
                );
            }
        }
    }
    for path in ["/v1/files", "/v1/images/generations", "/v1/audio/speech", "/v1/batches", "/v1/moderations"] {
        gateway.post(path).by("home").json(&json!({"input": MARK})).send().await.expect_error(503);
    }
    let explained = json!({"request": chat("auto", MARK), "tenant": "home"});
    gateway.admin_post("/api/explain", &explained).send().await;
    assert_untouched(&cloud, "of everything that was asked");
    assert_eq!(gateway.metrics().await.sum("tidegate_locality_violations_total", &[]), 0.0);
    assert!(!edge.requests().is_empty());
}

#[tokio::test]
async fn nor_when_the_edge_fails_in_every_way() {
    type Failure = (&'static str, fn() -> Answer);
    let failures: [Failure; 8] = [
        ("overloaded", || Answer::error(503, "overloaded", "later")),
        ("rate limited", || Answer::rate_limited("1")),
        ("broken", || Answer::error(500, "server_error", "boom")),
        ("unauthorized", || Answer::error(401, "invalid_api_key", "no")),
        ("unknown there", || Answer::error(404, "model_not_found", "no")),
        ("reset", || Answer::chat("x").reset(Point::BeforeHead)),
        ("closed", || Answer::chat("x").closed(Point::BeforeHead)),
        ("garbage", Answer::garbage),
    ];
    for (what, failure) in failures {
        let (edge, cloud) = (Upstream::named("edge").await.always(failure()), Upstream::named("cloud").await);
        let gateway = Gateway::with(&tempting(&edge, &cloud)).await;
        for model in ["auto", "edge-first", "split"] {
            let answer = gateway.chat(&chat(model, MARK)).by("home").send().await;
            assert!(answer.status >= 400, "{what} {model}: {}", answer.status);
            assert!(!answer.text().contains("zebra"), "{what}: {}", answer.text());
        }
        assert_untouched(&cloud, what);
        assert!(!gateway.log().text().contains("zebra"), "{what}");
    }
    let (edge, cloud) = (Upstream::down("edge"), Upstream::named("cloud").await);
    let gateway = Gateway::with(&tempting(&edge, &cloud)).await;
    gateway.chat(&chat("auto", MARK)).by("home").send().await;
    assert_untouched(&cloud, "nobody at home");
    // The same route does go there for others.
    assert_eq!(gateway.chat(&chat("auto", MARK)).by("away").send().await.header("x-tidegate-placement"), "cloud");
}

#[tokio::test]
async fn what_stays_home_by_its_type_stays_in_shadows_too() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = tempting(&edge, &cloud).yaml().replace("EMPLOYEE_ID: allow", "EMPLOYEE_ID: stay-home");
    let gateway = Gateway::with_yaml(&config).await;
    for model in ["auto", "edge-first", "split"] {
        let answer = gateway.chat(&chat(model, MARK)).by("away").send().await;
        assert_eq!(answer.header("x-tidegate-pii"), "EMPLOYEE_ID=1", "{model}");
        assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "edge"), "{model}");
    }
    let refused = gateway.chat(&chat("cloud-alone", MARK)).by("away").send().await.expect_error(503);
    assert!(refused["message"].as_str().unwrap().contains("stays at the edge"), "{refused}");
    assert_untouched(&cloud, "stay-home");
}

#[tokio::test]
async fn a_redacted_request_is_not_copied_to_a_cloud_shadow() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .rules("auto", "", &["{name: all, try: [small], shadow: {model: frontier, sample: 1.0}}"])
        .top("pii: {custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}");
    let gateway = Gateway::with(&config).await;
    gateway.chat(&chat("auto", MARK)).send().await;
    gateway.eventually_metric("tidegate_shadow_total", &[("result", "skipped")], 1.0).await;
    assert_untouched(&cloud, "a shadow");
}

#[tokio::test]
async fn a_failing_cloud_gets_the_same_labels_again_and_the_edge_the_values() {
    let (edge, cloud) = (
        Upstream::named("edge").await,
        Upstream::named("cloud").await.always(Answer::error(503, "overloaded", "later")),
    );
    let config = Config::hybrid(&edge, &cloud).top("pii: {custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}");
    let gateway = Gateway::with(&config).await;
    let answer = gateway.chat(&chat("cloud-first", MARK)).send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "edge"));
    assert!(cloud.requests().iter().all(|request| !String::from_utf8_lossy(&request.body).contains("E-123456")));
    assert!(!cloud.requests().is_empty());
    assert_eq!(edge.only_request().json()["messages"][0]["content"], MARK);
}

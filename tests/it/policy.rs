//! Rules prefer, constraints forbid: where requests run, and where they must never run.

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::{Answer, Call, Config, Gateway, Response, Upstream};

async fn hybrid() -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    (edge, cloud, gateway)
}

/// As `Config::hybrid`, with more said about the models.
fn models(edge: &Upstream, cloud: &Upstream, small: &str, frontier: &str) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", small)
        .model("frontier", "acme", frontier)
        .route("auto", "", &["small", "frontier"])
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn image() -> Value {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, picture]}]})
}

fn tools() -> Value {
    json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]})
}

#[tokio::test]
async fn the_first_rule_whose_condition_holds_decides() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "modalities: [text, image]")
        .model("frontier", "acme", "modalities: [text, image]")
        .rules(
            "auto",
            "aliases: [gpt-4o]",
            &[
                "{name: with-tools, when: has_tools, try: [frontier]}",
                "{name: pictures, when: '\"image\" in modalities', try: [frontier]}",
                "{name: by-alias, when: 'model == \"gpt-4o\"', try: [frontier]}",
                "{name: long, when: input_tokens > 500, try: [frontier]}",
                "{name: long-answer, when: 'max_output_tokens >= 4000', try: [frontier]}",
                "{name: conversation, when: turns >= 3 && !stream, try: [small]}",
                "{name: streamed, when: stream, try: [small]}",
                "{name: rest, try: [small, frontier]}",
            ],
        );
    let gateway = Gateway::with(&config).await;
    let user = json!({"role": "user", "content": "hi"});
    let cases = [
        ("with-tools", with(chat("auto", "hi"), &tools())),
        ("pictures", with(chat("auto", "hi"), &image())),
        ("by-alias", chat("gpt-4o", "hi")),
        ("long", chat("auto", &"long words ".repeat(400))),
        ("long-answer", with(chat("auto", "hi"), &json!({"max_tokens": 5000}))),
        ("conversation", with(chat("auto", ""), &json!({"messages": [user, user, user]}))),
        ("streamed", with(chat("auto", "hi"), &json!({"stream": true}))),
        ("rest", chat("auto", "hi")),
    ];
    for (rule, body) in cases {
        let answer = gateway.chat(&body).send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-rule")), (200, rule), "{}", answer.text());
        let placement = if ["with-tools", "pictures", "by-alias", "long", "long-answer"].contains(&rule) {
            "cloud"
        } else {
            "edge"
        };
        assert_eq!(answer.header("x-tidegate-placement"), placement, "{rule}");
    }
}

#[tokio::test]
async fn hints_can_be_read_by_rules() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let rules = [
        "{name: hurry, when: 'hint.deadline_ms > 0 && hint.deadline_ms < 5000', try: [small]}",
        "{name: careful, when: 'hint.placement == \"prefer-cloud\"', try: [frontier]}",
        "{name: rest, try: [small]}",
    ];
    let config = models(&edge, &cloud, "", "").rules("hinted", "", &rules);
    let gateway = Gateway::with(&config).await;
    let call = || gateway.chat(&chat("hinted", "hi"));
    let rule = async |call: Call| call.send().await.header("x-tidegate-rule").to_owned();
    assert_eq!(rule(call().header("x-tidegate-deadline-ms", "4999")).await, "hurry");
    assert_eq!(rule(call().header("x-tidegate-placement", "prefer-cloud")).await, "careful");
    assert_eq!(rule(call()).await, "rest");
}

#[tokio::test]
async fn constraints_drop_targets_that_cannot_serve() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let cases = [
        ("context: 200", chat("auto", &"many words ".repeat(200))),
        ("context: 200", with(chat("auto", "hi"), &json!({"max_completion_tokens": 500}))),
        ("modalities: [text]", with(chat("auto", "hi"), &image())),
        ("tools: false", with(chat("auto", "hi"), &tools())),
        ("retires_on: 2020-01-01", chat("auto", "hi")),
    ];
    for (small, body) in cases {
        let gateway = Gateway::with(&models(&edge, &cloud, small, "modalities: [text, image]")).await;
        let answer = gateway.chat(&body).send().await;
        assert_eq!(answer.status, 200, "{small}: {}", answer.text());
        assert_eq!(answer.header("x-tidegate-attempts"), "frontier:ok", "{small}");
    }
    assert_eq!(edge.requests().len(), 0);
}

#[tokio::test]
async fn when_nothing_is_left_the_error_names_the_constraint() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let cases = [
        ("context: 100", chat("auto", &"many words ".repeat(200)), "context"),
        ("modalities: [text]", with(chat("auto", "hi"), &image()), "image"),
        ("tools: false", with(chat("auto", "hi"), &tools()), "tools"),
        ("retires_on: 2020-01-01", chat("auto", "hi"), "retired"),
    ];
    for (both, body, word) in cases {
        let gateway = Gateway::with(&models(&edge, &cloud, both, both)).await;
        let answer = gateway.chat(&body).send().await;
        let error = answer.expect_error(503);
        assert_eq!(error["code"], "no_eligible_target");
        assert!(error["message"].as_str().unwrap().contains(word), "{both}: {error}");
        assert_eq!(answer.header("x-should-retry"), "false", "the same request would be refused again");
    }
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 0));
}

/// The ways to say that a request must stay at home: header, body, by placement, by privacy.
fn kept_home(gateway: &Gateway, path: &str, body: &Value) -> Vec<Call> {
    let plain = || gateway.post(path).json(body);
    let inside = |hints: Value| gateway.post(path).json(&with(body.clone(), &json!({"tidegate": hints})));
    vec![
        plain().header("x-tidegate-placement", "only-edge"),
        plain().header("x-tidegate-privacy", "local-only"),
        inside(json!({"placement": "only-edge"})),
        inside(json!({"privacy": "local-only"})),
        // A preference cannot loosen what another hint tightened.
        plain().header("x-tidegate-privacy", "local-only").header("x-tidegate-placement", "prefer-cloud"),
    ]
}

#[tokio::test]
async fn what_must_stay_home_runs_at_the_edge() {
    let (edge, cloud, gateway) = hybrid().await;
    for call in kept_home(&gateway, "/v1/chat/completions", &chat("cloud-first", "hi")) {
        let answer = call.send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "edge"), "{}", answer.text());
    }
    assert_eq!((edge.requests().len(), cloud.requests().len()), (5, 0));
}

#[tokio::test]
async fn what_must_stay_home_never_reaches_the_cloud_even_when_the_edge_fails() {
    let (edge, cloud, gateway) = hybrid().await;
    let body = chat("cloud-first", "hi");
    let mut answers: Vec<Response> = vec![];
    edge.now_always(Answer::error(500, "server_error", "oops"));
    for call in kept_home(&gateway, "/v1/chat/completions", &body) {
        answers.push(call.send().await);
    }
    edge.kill().await;
    for call in kept_home(&gateway, "/v1/chat/completions", &body) {
        answers.push(call.send().await);
    }
    gateway.eventually_metric("tidegate_upstream_up", &[("upstream", "lab")], 0.0).await;
    for (path, body) in [
        ("/v1/chat/completions", body),
        ("/v1/chat/completions", chat("frontier", "hi")),
        ("/v1/embeddings", json!({"model": "auto", "input": "hi"})),
        ("/v1/responses", json!({"model": "auto", "input": "hi", "stream": true})),
    ] {
        for call in kept_home(&gateway, path, &body) {
            answers.push(call.send().await);
        }
    }
    for answer in answers {
        assert!([500, 502, 503, 504].contains(&answer.status), "{}", answer.text());
        answer.expect_error(answer.status);
    }
    assert_eq!(cloud.requests().len(), 0, "a request that must stay home reached the cloud");
}

#[tokio::test]
async fn a_model_of_the_cloud_is_not_eligible_for_what_must_stay_home() {
    let (_edge, cloud, gateway) = hybrid().await;
    for call in kept_home(&gateway, "/v1/chat/completions", &chat("frontier", "hi")) {
        assert_eq!(call.send().await.expect_error(503)["code"], "no_eligible_target");
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn passed_through_paths_obey_too() {
    let (_edge, cloud, gateway) = hybrid().await;
    for (header, value) in [("x-tidegate-placement", "only-edge"), ("x-tidegate-privacy", "local-only")] {
        for path in ["/v1/files", "/v1/audio/transcriptions", "/v1/moderations"] {
            let call = gateway.post(path).body("multipart/form-data; boundary=x", "--x--");
            call.header(header, value).send().await.expect_error(503);
        }
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn only_cloud_never_runs_at_the_edge() {
    let (edge, cloud, gateway) = hybrid().await;
    let call = || gateway.chat(&chat("auto", "hi")).header("x-tidegate-placement", "only-cloud");
    assert_eq!(call().send().await.header("x-tidegate-placement"), "cloud");
    cloud.kill().await;
    assert!(call().send().await.status >= 500);
    assert_eq!(edge.requests().len(), 0);
}

#[tokio::test]
async fn preferences_reorder_and_still_fall_back() {
    let (edge, cloud, gateway) = hybrid().await;
    let call = |model: &str, hint: &str| gateway.chat(&chat(model, "hi")).header("x-tidegate-placement", hint).send();
    assert_eq!(call("auto", "prefer-cloud").await.header("x-tidegate-attempts"), "frontier:ok");
    assert_eq!(call("cloud-first", "prefer-edge").await.header("x-tidegate-attempts"), "small:ok");
    cloud.now_always(Answer::loading());
    assert_eq!(call("auto", "prefer-cloud").await.header("x-tidegate-attempts"), "frontier:upstream-failed,small:ok");
    cloud.now_well();
    edge.now_always(Answer::loading());
    assert_eq!(
        call("cloud-first", "prefer-edge").await.header("x-tidegate-attempts"),
        "small:upstream-failed,frontier:ok"
    );
}

#[tokio::test]
async fn hints_in_the_body_are_cut_out() {
    let (_edge, cloud, gateway) = hybrid().await;
    let bodies = [
        r#"{"tidegate":{"placement":"only-cloud"},"model":"auto","messages":[]}"#,
        r#"{"model":"auto" , "tidegate" : {"placement":"only-cloud", "tags":{"a":"}"}} ,"messages":[]}"#,
        "{\"model\":\"auto\",\"messages\":[]\n,\"tidegate\":{\"placement\":\"only-cloud\"}\t}",
        r#"{"model":"auto","tidegate":{"placement":"only-cloud"}}"#,
    ];
    for body in bodies {
        let answer = gateway.post("/v1/chat/completions").body("application/json", body).send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "cloud"), "{body}: {}", answer.text());
        let mut expected: Value = serde_json::from_str(body).unwrap();
        expected.as_object_mut().unwrap().remove("tidegate");
        expected["model"] = json!("gpt-5");
        let sent = cloud.requests().pop().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&sent.body).expect("still JSON"), expected);
    }
}

#[tokio::test]
async fn the_header_wins_over_the_body_but_loosens_nothing() {
    let (edge, cloud, gateway) = hybrid().await;
    let ask = async |header: &str, body: &str| {
        let body = with(chat("auto", "hi"), &json!({"tidegate": {"placement": body}}));
        gateway.chat(&body).header("x-tidegate-placement", header).send().await
    };
    for (header, body, placement) in [
        ("prefer-edge", "prefer-cloud", "edge"),
        ("prefer-cloud", "prefer-edge", "cloud"),
        ("only-edge", "prefer-cloud", "edge"),
        ("prefer-cloud", "only-edge", "edge"),
    ] {
        assert_eq!(ask(header, body).await.header("x-tidegate-placement"), placement, "{header} over {body}");
    }
    let before = (edge.requests().len(), cloud.requests().len());
    ask("only-edge", "only-cloud").await.expect_error(400);
    assert_eq!((edge.requests().len(), cloud.requests().len()), before, "nothing can serve both");
}

#[tokio::test]
async fn a_hint_that_cannot_be_understood_is_refused() {
    let (edge, cloud, gateway) = hybrid().await;
    for (header, value) in [
        ("x-tidegate-placement", "only-egde"),
        ("x-tidegate-privacy", "secret"),
        ("x-tidegate-deadline-ms", "soon"),
        ("x-tidegate-cache", "on"),
    ] {
        let error = gateway.chat(&chat("auto", "hi")).header(header, value).send().await.expect_error(400);
        assert!(error["message"].as_str().unwrap().contains(header), "{error}");
    }
    let body = with(chat("auto", "hi"), &json!({"tidegate": {"placement": "only-egde"}}));
    gateway.chat(&body).send().await.expect_error(400);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 0));
}

#[tokio::test]
async fn no_rule_matching_is_an_error_that_says_so() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = models(&edge, &cloud, "", "").rules("picky", "", &["{name: never, when: 'false', try: [small]}"]);
    let gateway = Gateway::with(&config).await;
    let error = gateway.chat(&chat("picky", "hi")).send().await.expect_error(503);
    assert_eq!(error["code"], "no_eligible_target");
    assert!(error["message"].as_str().unwrap().contains("rule"), "{error}");
}

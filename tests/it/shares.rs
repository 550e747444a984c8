//! Shares, conversations that keep their model, copies to shadows, and what tenants and apps wish.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::gateway::run;
use crate::support::upstream::answers::usual;
use crate::support::{Answer, Call, Config, Gate, Gateway, Point, Upstream, eventually};

async fn both() -> (Upstream, Upstream) {
    (Upstream::named("edge").await, Upstream::named("cloud").await)
}

/// `small` at the edge and `frontier` in the cloud, a cent a request each.
fn priced(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new().edge("lab", &[edge]).cloud("acme", cloud).model("small", "lab", "price: {per_request: 0.01}").model(
        "frontier",
        "acme",
        "price: {per_request: 0.01}",
    )
}

/// A conversation at its N-th turn.
fn turn(model: &str, opener: &str, turns: usize) -> Value {
    let mut messages = vec![json!({"role": "user", "content": opener})];
    for n in 1..turns {
        messages.push(json!({"role": "assistant", "content": format!("answer {n}")}));
        messages.push(json!({"role": "user", "content": format!("question {n}")}));
    }
    json!({"model": model, "messages": messages})
}

async fn model(call: Call) -> String {
    let answer = call.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-tidegate-model").to_owned()
}

#[tokio::test]
async fn conversations_are_shared_out_and_stay_where_they_are() {
    let (edge, cloud) = both().await;
    let config = priced(&edge, &cloud).rules("shared", "", &["{name: all, split: {small: 80, frontier: 20}}"]);
    let gateway = Gateway::with(&config).await;
    let mut at_edge = 0;
    for n in 0..400 {
        let opener = format!("opener {n}");
        let first = model(gateway.chat(&turn("shared", &opener, 1))).await;
        if n % 4 == 0 {
            assert_eq!(model(gateway.chat(&turn("shared", &opener, 3))).await, first, "{opener}");
        }
        at_edge += usize::from(first == "small");
    }
    // Four standard deviations of 2 points.
    assert!((288..=352).contains(&at_edge), "{at_edge} of 400");

    let strict =
        |n: usize| gateway.chat(&chat("shared", &format!("opener {n}"))).header("x-tidegate-placement", "only-edge");
    for n in 0..30 {
        assert_eq!(model(strict(n)).await, "small", "who is forbidden is followed by the next");
    }
}

#[tokio::test]
async fn a_conversation_stays_with_the_model_that_answered() {
    let (edge, cloud) = both().await;
    let rules = ["{name: tools, when: has_tools, try: [small]}", "{name: all, try: [small, frontier]}"];
    let config = priced(&edge, &cloud).rules("sticky", "sticky: conversation", &rules);
    let gateway = Gateway::with(&config).await;
    let ask = async |opener: &str, turns| model(gateway.chat(&turn("sticky", opener, turns))).await;

    edge.next([Answer::loading()]);
    assert_eq!(ask("one", 1).await, "frontier", "a fallback");
    assert_eq!(ask("one", 2).await, "frontier", "the edge is well again, and the conversation stays");
    assert_eq!(ask("two", 1).await, "small", "others are decided for themselves");
    assert_eq!(ask("one", 1).await, "small", "a first turn begins anew");
    assert_eq!(ask("one", 2).await, "small");

    // What fails is left for good.
    edge.next([Answer::loading()]);
    assert_eq!(ask("two", 2).await, "frontier");
    assert_eq!(ask("two", 3).await, "frontier");
    gateway.reload(&config.clone().rules("other", "", &["{name: all, try: [small]}"])).await;
    assert_eq!(ask("two", 4).await, "frontier", "a reload forgets nothing");

    // The request's own preference wins, and so does a constraint.
    let preferring = gateway.chat(&turn("sticky", "two", 5)).header("x-tidegate-placement", "prefer-edge");
    assert_eq!(model(preferring).await, "small");
    edge.next([Answer::loading()]);
    assert_eq!(ask("two", 5).await, "frontier");
    let private = gateway.chat(&turn("sticky", "two", 6)).header("x-tidegate-privacy", "local-only");
    assert_eq!(model(private).await, "small");

    // Another rule matches by another signal.
    edge.next([Answer::loading()]);
    assert_eq!(ask("three", 1).await, "frontier");
    let mut tools = turn("sticky", "three", 2);
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(model(gateway.chat(&tools)).await, "small");
    assert_eq!(ask("three", 3).await, "small", "that is what is remembered");
}

#[tokio::test]
async fn without_sticky_every_turn_is_decided_for_itself() {
    let (edge, cloud) = both().await;
    let gateway = Gateway::with(&priced(&edge, &cloud).route("auto", "", &["small", "frontier"])).await;
    edge.next([Answer::loading()]);
    assert_eq!(model(gateway.chat(&turn("auto", "one", 1))).await, "frontier");
    assert_eq!(model(gateway.chat(&turn("auto", "one", 2))).await, "small");
}

const SHADOWED: &str = "{name: all, try: [small], shadow: {model: frontier, sample: 1}}";

async fn results(gateway: &Gateway, result: &str, expected: f64) {
    let labels = [("route", "auto"), ("rule", "all"), ("model", "frontier"), ("result", result)];
    gateway.eventually_metric("tidegate_shadow_total", &labels, expected).await;
}

#[tokio::test]
async fn a_copy_goes_to_the_shadow_and_both_answers_are_compared() {
    let (edge, cloud) = both().await;
    let gateway = Gateway::with(&priced(&edge, &cloud).rules("auto", "", &[SHADOWED])).await;
    let answer = gateway.chat(&chat("auto", "hi")).header("idempotency-key", "k").send().await;
    assert_eq!((answer.header("x-tidegate-attempts"), answer.content().ends_with("edge")), ("small:ok", true));
    results(&gateway, "different", 1.0).await;
    let (sent, copied) = (edge.only_request(), cloud.only_request());
    let body: Value = serde_json::from_slice(&copied.body).unwrap();
    assert_eq!((&body["model"], &body["messages"]), (&json!("frontier"), &chat("", "hi")["messages"]));
    assert!(sent.header("idempotency-key").is_some() && copied.header("idempotency-key").is_none());
    assert!(sent.header("authorization").is_none() && copied.header("authorization").is_some());
    assert!(copied.headers.iter().all(|(name, _)| !name.starts_with("x-tidegate")), "{:?}", copied.headers);
    let agreed = gateway.metrics().await.sum("tidegate_shadow_agreement_sum", &[]);
    assert!(agreed > 0.0 && agreed < 1.0, "{agreed}");

    let events = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert!(events.text().contains("[DONE]"), "{}", events.text());
    results(&gateway, "different", 2.0).await;

    // The same in other words of the wire: whole against whole, then stream against stream.
    edge.now_always(Answer::chat("It is Paris."));
    cloud.now_always(Answer::chat("it is paris"));
    gateway.chat(&chat("auto", "capital?")).send().await;
    results(&gateway, "same", 1.0).await;
    edge.now_always(Answer::chat_stream(&["It is", " Paris", "."], true));
    cloud.now_always(Answer::chat_stream(&["it", " is par", "is"], false));
    gateway.chat(&chat_stream("auto", "capital?")).send().await;
    results(&gateway, "same", 2.0).await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("tidegate_shadow_agreement_count", &[]), 4.0);
    assert_eq!(metrics.sum("tidegate_requests_total", &[]), 4.0, "a copy is no request");
}

#[tokio::test]
async fn what_may_not_leave_its_placement_is_never_copied() {
    let (edge, cloud) = both().await;
    let config = priced(&edge, &cloud)
        .model("other", "lab", "")
        .rules("auto", "", &[SHADOWED])
        .rules("edges", "", &["{name: all, try: [small], shadow: {model: other, sample: 1}}"])
        .rules("clouds", "", &["{name: all, try: [frontier], shadow: {model: small, sample: 1}}"]);
    let gateway = Gateway::with(&config).await;
    let ask = async |route: &str, header: &str, value: &str| {
        let answer = gateway.chat(&chat(route, "hi")).header(header, value).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    ask("auto", "x-tidegate-privacy", "local-only").await;
    ask("auto", "x-tidegate-privacy", "no-retention").await;
    ask("auto", "x-tidegate-placement", "only-edge").await;
    ask("edges", "x-tidegate-privacy", "local-only").await;
    ask("edges", "x-tidegate-placement", "only-edge").await;
    ask("clouds", "x-tidegate-placement", "only-cloud").await;
    gateway.eventually_metric("tidegate_shadow_total", &[("result", "skipped")], 6.0).await;
    assert_eq!((edge.requests().len(), cloud.requests().len()), (5, 1), "the requests themselves and nothing else");
    // A preference is none of these.
    ask("auto", "x-tidegate-placement", "prefer-edge").await;
    results(&gateway, "different", 1.0).await;
    assert_eq!(gateway.metrics().await.sum("tidegate_locality_violations_total", &[]), 0.0);
}

#[tokio::test]
async fn a_shadow_delays_and_fails_nothing() {
    let gate = Gate::new();
    let held = gate.clone();
    let edge = Upstream::named("edge").await;
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&priced(&edge, &cloud).rules("auto", "", &[SHADOWED])).await;
    cloud.next([Answer::loading(), Answer::garbage()]);
    for failed in [1.0, 2.0] {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
        results(&gateway, "failed", failed).await;
    }
    let large = chat("auto", &"many words ".repeat(100_000));
    assert_eq!(gateway.chat(&large).send().await.status, 200);
    results(&gateway, "skipped", 1.0).await;

    // The shadow holds all its answers: the requests are answered all the same, and no more than 64 copies are under way.
    let cloud = cloud.answering(move |request| usual("cloud", request).gated(Point::BeforeHead, &held));
    let before = cloud.requests().len();
    for _ in 0..70 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    }
    results(&gateway, "skipped", 7.0).await;
    eventually("64 copies are at the shadow", async || (cloud.requests().len() == before + 64).then_some(())).await;
    gate.open();
    results(&gateway, "different", 64.0).await;

    // Nobody can answer: nothing is copied.
    edge.now_always(Answer::error(400, "invalid_request_error", "no"));
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 400);
    results(&gateway, "skipped", 8.0).await;
    assert_eq!(cloud.requests().len(), before + 64);
}

/// The ledger's totals, as the command tells them.
async fn usage(gateway: &Gateway, more: &[&str]) -> Vec<Value> {
    let config = gateway.dir().join("tidegate.yaml");
    let arguments = [&["usage", "--format", "json", "-c", config.to_str().unwrap()], more].concat();
    let told = run(gateway.dir(), &arguments).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    serde_json::from_str::<Value>(&told.stdout).unwrap().as_array().unwrap().clone()
}

#[tokio::test]
async fn copies_cost_apart_and_charge_nobody() {
    let (edge, cloud) = both().await;
    let config = priced(&edge, &cloud)
        .rules("auto", "", &[SHADOWED])
        .tenant("acme", "budget: {usd: 0.05, per: day}\nlimits: {requests_per_minute: 100}")
        .tenant("listed", "models: [auto]");
    let mut gateway = Gateway::with(&config).await;
    for n in 1..=4 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).by("acme").send().await.status, 200);
        results(&gateway, "different", f64::from(n)).await;
    }
    let spent = gateway.metrics().await;
    assert!((spent.sum("tidegate_shadow_cost_usd_total", &[("model", "frontier")]) - 0.04).abs() < 1e-9);
    assert!((spent.sum("tidegate_cost_usd_total", &[]) - 0.04).abs() < 1e-9, "the requests' own");
    gateway.eventually_metric("tidegate_budget_used_ratio", &[("tenant", "acme")], 0.8).await;
    let by_role = async || {
        let lines = usage(&gateway, &["--by", "role,outcome,model"]).await;
        (lines.iter().map(|line| line["attempts"].as_u64().unwrap()).sum::<u64>() == 8).then_some(lines)
    };
    let lines = eventually("all are booked", by_role).await;
    let shadow = lines.iter().find(|line| line["role"] == "shadow").expect("a line for the copies");
    assert_eq!((&shadow["outcome"], &shadow["model"]), (&json!("shadow"), &json!("frontier")));
    assert_eq!((&shadow["requests"], &shadow["failed"], &shadow["cost_usd"]), (&json!(0), &json!(0), &json!(0.04)));
    let invoice = usage(&gateway, &["--invoice"]).await;
    assert_eq!(invoice[0]["total_usd"], json!(0.04), "{invoice:?}");

    // A list of models is one of shadows too.
    assert_eq!(gateway.chat(&chat("auto", "hi")).by("listed").send().await.status, 200);
    results(&gateway, "skipped", 1.0).await;

    // The fifth cent is the last; a restart counts the same.
    gateway.signal("TERM");
    gateway.wait_exit().await;
    let again = Gateway::start(gateway.shared_dir(), &[]).await;
    let used = again.metrics().await.sum("tidegate_budget_used_ratio", &[("tenant", "acme")]);
    assert!((used - 0.8).abs() < 1e-9, "{used}");
    assert_eq!(again.chat(&chat("auto", "hi")).by("acme").send().await.status, 200);
    let refused = async || (again.chat(&chat("auto", "hi")).by("acme").send().await.status == 429).then_some(());
    eventually("the budget is used up", refused).await;
}

#[tokio::test]
async fn what_the_client_did_not_get_to_its_end_is_not_compared() {
    let gate = Gate::new();
    let stream = Answer::chat_stream(&["never", " ending"], true).gated(Point::AfterPiece(2), &gate);
    let edge = Upstream::named("edge").await.always(stream);
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&priced(&edge, &cloud).rules("auto", "", &[SHADOWED])).await;
    let mut client = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    assert!(client.event().await.is_some());
    client.disconnect();
    results(&gateway, "skipped", 1.0).await;
    assert_eq!(cloud.requests().len(), 1);
    gate.open();

    // Numbers are not compared, only that they are there.
    let body = json!({"model": "auto", "input": "hi"});
    edge.now_well();
    assert_eq!(gateway.post("/v1/embeddings").json(&body).send().await.status, 200);
    results(&gateway, "same", 1.0).await;
    assert_eq!(gateway.metrics().await.sum("tidegate_shadow_agreement_count", &[]), 0.0);
}

#[tokio::test]
async fn a_passed_through_path_goes_where_the_wish_leaves_it() {
    let (edge, cloud) = both().await;
    let config =
        priced(&edge, &cloud).top("passthrough: lab").tenant("cloudy", "placement: only-cloud").tenant("free", "");
    let gateway = Gateway::with(&config).await;
    let ask = |tenant: &str| gateway.post("/v1/files").body("text/plain", "x").by(tenant);
    assert_eq!(ask("free").send().await.header("x-tidegate-placement"), "edge");
    ask("cloudy").send().await.expect_error(503);
    ask("free").header("x-tidegate-placement", "only-cloud").send().await.expect_error(503);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 0));
}

/// As the process ends, by itself or not: what has left is in the books, and is nobody's request.
#[tokio::test]
async fn a_copy_that_is_cut_off_is_booked() {
    for signal in ["TERM", "KILL"] {
        let gate = Gate::new();
        let held = gate.clone();
        let edge = Upstream::named("edge").await;
        let cloud = Upstream::named("cloud").await;
        let cloud = cloud.answering(move |request| usual("cloud", request).gated(Point::BeforeHead, &held));
        let config = priced(&edge, &cloud).top("audit: {}").rules("auto", "", &[SHADOWED]);
        let mut gateway = Gateway::with(&config).await;
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!(answer.status, 200);
        eventually("the copy is at the shadow", async || (cloud.requests().len() == 1).then_some(())).await;
        gateway.signal(signal);
        gateway.wait_exit().await;
        // The next process books what this one could not.
        let mut again = Gateway::start(gateway.shared_dir(), &[]).await;
        let lines = usage(&again, &["--by", "role,model"]).await;
        let count = |role: &str, what: &str| {
            lines.iter().filter(|line| line["role"] == role).map(|line| line[what].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((count("shadow", "requests"), count("shadow", "attempts")), (0, 1), "{signal}: {lines:?}");
        assert_eq!(count("first", "requests"), 1, "{signal}: {lines:?}");
        again.signal("TERM");
        again.wait_exit().await;
        let id = format!("{}-shadow", answer.header("x-request-id"));
        let arguments = ["audit", "show", &id, "-c", "tidegate.yaml"];
        let shown = run(again.dir(), &arguments).await;
        assert_eq!(shown.code, Some(0), "{signal}: {shown:?}");
        assert!(shown.stdout.contains("frontier") && shown.stdout.contains("cloud"), "{}", shown.stdout);
    }
}

#[tokio::test]
async fn tenants_and_apps_wish_and_a_request_only_tightens() {
    let (edge, cloud) = both().await;
    let config = priced(&edge, &cloud)
        .route("auto", "", &["small", "frontier"])
        .tenant("homely", "placement: only-edge")
        .tenant("cloudy", "placement: prefer-cloud\napps: {near: {placement: prefer-edge}, kept: {privacy: local-only}, far: {placement: only-cloud}}");
    let gateway = Gateway::with(&config).await;
    let ask = |tenant: &str, headers: &[(&str, &str)]| {
        headers
            .iter()
            .fold(gateway.chat(&chat("auto", "hi")).by(tenant), |call, (name, value)| call.header(name, value))
    };
    let (app, placement) = ("x-tidegate-app", "x-tidegate-placement");
    assert_eq!(model(ask("cloudy", &[])).await, "frontier");
    assert_eq!(model(ask("cloudy", &[(placement, "prefer-edge")])).await, "small");
    assert_eq!(model(ask("cloudy", &[(app, "near")])).await, "small");
    assert_eq!(model(ask("cloudy", &[(app, "near"), (placement, "prefer-cloud")])).await, "frontier");
    assert_eq!(model(ask("cloudy", &[(app, "kept")])).await, "small");
    assert_eq!(model(ask("cloudy", &[(app, "kept"), ("x-tidegate-privacy", "retained")])).await, "small");
    assert_eq!(model(ask("homely", &[(placement, "prefer-cloud")])).await, "small");
    let before = (edge.requests().len(), cloud.requests().len());
    let refused = async |tenant: &str, headers: &[(&str, &str)]| {
        let error = ask(tenant, headers).send().await.expect_error(503);
        error["message"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(refused("homely", &[(placement, "only-cloud")]).await, @"no eligible target: small (placement: only-cloud was asked for), frontier (placement: only-edge is set for the tenant)");
    insta::assert_snapshot!(refused("cloudy", &[(app, "far"), (placement, "only-edge")]).await, @"no eligible target: frontier (placement: only-edge was asked for), small (placement: only-cloud is set for the app)");
    let passed = gateway.post("/v1/files").body("text/plain", "x").by("homely").send().await;
    passed.expect_error(503);
    assert_eq!((edge.requests().len(), cloud.requests().len()), before);
}

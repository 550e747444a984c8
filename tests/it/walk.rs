//! What one client's requests must not do to others', and ways through a plan that are taken seldom.
//!
//! What a reader could get wrong: that a breaker opens is no fault here; that nobody is asked any more is.

use serde_json::{Value, json};

use super::progressive;
use crate::support::client::{chat, chat_stream};
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gate, Gateway, Point, Response, Upstream, eventually, sse};

async fn ask(gateway: &Gateway, model: &str, text: &str) -> Response {
    gateway.chat(&chat(model, text)).send().await
}

/// Fails for whoever says so.
fn poisoned(request: &Request, otherwise: &str) -> Answer {
    match request.json().to_string().contains("poison") {
        true => Answer::error(500, "server_error", "cannot render the template"),
        false => Answer::chat(otherwise),
    }
}

#[tokio::test]
async fn requests_that_fail_everywhere_leave_the_others_their_answers() {
    let one = Upstream::named("one").await.answering(|request| poisoned(request, "hello from one"));
    let two = Upstream::named("two").await.answering(|request| poisoned(request, "hello from two"));
    let nodes = [Upstream::named("a").await, Upstream::named("b").await];
    let nodes = nodes.map(|node| node.answering(|request| poisoned(request, "hello from the edge")));
    let breaker = "breaker: {open_for: 1m, failures: 2}";
    let config = Config::new()
        .cloud_with("first", &one, breaker)
        .cloud_with("second", &two, breaker)
        .edge_with("lab", &[&nodes[0], &nodes[1]], breaker)
        .model("a", "first", "")
        .model("b", "second", "")
        .model("small", "lab", "")
        .route("clouds", "", &["a", "b"])
        .route("both", "", &["small", "b"])
        .route("edge", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    for route in ["clouds", "both", "edge"] {
        for n in 0..8 {
            assert!(ask(&gateway, route, &format!("poison {n}")).await.status >= 500);
        }
        for n in 0..3 {
            let answer = ask(&gateway, route, &format!("fine {n}")).await;
            assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        }
    }
}

/// The first target really fails; of the second one client's requests were to blame.
#[tokio::test]
async fn who_was_passed_over_is_asked_when_the_others_have_failed() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let breaker = "breaker: {open_for: 1m, failures: 2}";
    let config = Config::new()
        .cloud_with("first", &one, "breaker: {enabled: false}")
        .cloud_with("second", &two, breaker)
        .model("a", "first", "")
        .model("b", "second", "")
        .route("second", "", &["b"])
        .route("auto", "", &["a", "b"]);
    let gateway = Gateway::with(&config).await;
    two.now_always(Answer::error(500, "server_error", "oops"));
    for n in 0..4 {
        ask(&gateway, "second", &n.to_string()).await.expect_error(500);
    }
    two.now_well();
    one.now_always(Answer::error(500, "server_error", "oops"));
    let answer = ask(&gateway, "auto", "hi").await;
    assert_eq!(answer.content(), "hello from two", "{}", answer.header("x-tidegate-attempts"));
}

/// One node is broken, of the other one client's requests were to blame.
#[tokio::test]
async fn in_need_every_node_of_a_pool_is_asked() {
    let nodes = [Upstream::named("a").await, Upstream::named("b").await];
    nodes.iter().for_each(|node| node.now_always(Answer::error(500, "server_error", "oops")));
    let config = Config::new()
        .edge_with("lab", &[&nodes[0], &nodes[1]], "breaker: {open_for: 1m, failures: 2}")
        .model("small", "lab", "")
        .route("edge", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    for n in 0..8 {
        ask(&gateway, "edge", &n.to_string()).await.expect_error(500);
    }
    nodes[1].now_well();
    for n in 0..4 {
        let answer = ask(&gateway, "edge", &format!("well {n}")).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
}

#[tokio::test]
async fn long_plain_answers_say_nothing_about_a_node_that_answers_others() {
    let held = Gate::new();
    let gate = held.clone();
    let cloud = Upstream::named("cloud").await.answering(move |request: &Request| {
        let answer = Answer::chat("at last");
        if request.json().to_string().contains("novel") { answer.gated(Point::BeforeHead, &gate) } else { answer }
    });
    let config = Config::new()
        .cloud_with("acme", &cloud, "timeouts: {first_token: 400ms}\nbreaker: {open_for: 1m, failures: 2}")
        .model("frontier", "acme", "")
        .route("auto", "", &["frontier"]);
    let gateway = Gateway::with(&config).await;
    let novels: Vec<_> = (0..6).map(|n| gateway.chat(&chat("auto", &format!("a novel {n}"))).send()).collect();
    let novels = futures_util::future::join_all(novels);
    let quick = async {
        let mut n = 0;
        // Somebody is answered all the time.
        eventually("the novels are under way", async || (cloud.in_flight() == 6).then_some(())).await;
        while cloud.in_flight() > 0 {
            n += 1;
            assert_eq!(ask(&gateway, "auto", &format!("a word {n}")).await.status, 200);
        }
    };
    let (novels, ()) = tokio::join!(novels, quick);
    novels.iter().for_each(|answer| assert_eq!(answer.status, 504, "{}", answer.text()));
    assert_eq!(ask(&gateway, "auto", "one more").await.content(), "at last");
    held.open();
}

#[tokio::test]
async fn an_absurd_pause_is_no_ones_trouble() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    for pause in ["1e19", "10000000000000000000", "18446744073709551615", "-1", "nan"] {
        for status in [429, 503] {
            cloud.next([Answer::error(status, "server_error", "later").header("retry-after", pause)]);
            let answer = gateway.chat(&chat("auto", pause)).header("x-tidegate-deadline-ms", "5000").send().await;
            assert!([200, status].contains(&answer.status), "{pause}: {}", answer.text());
        }
    }
    assert!(!gateway.log().text().contains("panic"), "{}", gateway.log().text());
}

/// `then: edge-only` holds for what failed attempts have cost, too.
#[tokio::test]
async fn when_failures_have_used_up_the_money_the_edge_goes_on() {
    let (edge, cloud, second) =
        (Upstream::named("edge").await, Upstream::named("cloud").await, Upstream::named("second").await);
    cloud.now_always(Answer::chat("").reset(Point::BeforeHead));
    let price = "price: {input: 100, output: 100}";
    let config = Config::new()
        .cloud("acme", &cloud)
        .cloud("other", &second)
        .edge("lab", &[&edge])
        .model("frontier", "acme", price)
        .model("dear", "other", price)
        .model("small", "lab", "")
        .route("auto", "", &["frontier", "dear", "small"])
        .tenant("acme", "budget: {usd: 0.05, per: month, then: edge-only}");
    let gateway = Gateway::with(&config).await;
    let mut body = chat("auto", &"word ".repeat(700));
    body["max_tokens"] = json!(1);
    let answer = gateway.chat(&body).by("acme").send().await;
    assert_eq!(answer.content(), "hello from edge", "{} {}", answer.header("x-tidegate-attempts"), answer.text());
    assert!(second.requests().is_empty(), "there was no money for another cloud");
}

#[tokio::test]
async fn a_hedge_does_not_go_where_the_limit_is_used_up_and_is_counted_if_the_client_leaves() {
    let (slow, other, third) =
        (Upstream::named("slow").await, Upstream::named("other").await, Upstream::named("third").await);
    slow.now_always(Answer::chat("late").stalled(Point::BeforeHead));
    third.now_always(Answer::chat("late").stalled(Point::BeforeHead));
    let used_up = Answer::chat("the last one")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "1m");
    other.next([used_up]);
    let config = Config::new()
        .top("retries: {hedge_after: 30ms, budget: 1, max_attempts: 4}")
        .cloud("first", &slow)
        .cloud("second", &other)
        .cloud("third", &third)
        .model("a", "first", "")
        .model("b", "second", "")
        .model("c", "third", "")
        .route("auto", "", &["a", "b", "c"])
        .route("other", "", &["b"]);
    let gateway = Gateway::with(&config).await;
    assert_eq!(ask(&gateway, "other", "hi").await.content(), "the last one");
    let leaving = gateway.chat(&chat("auto", "hi"));
    let hedged = async || (third.in_flight() == 1).then_some(());
    tokio::select! {
        answer = leaving.send() => panic!("nobody answers: {}", answer.text()),
        () = eventually("the hedge is under way", hedged) => {}
    }
    assert_eq!(other.requests().len(), 1, "it has said that its limit is used up");
    gateway.eventually_metric("tidegate_hedges_total", &[("upstream", "third"), ("result", "left")], 1.0).await;
}

/// A draft that comes to nothing has tried one node; when the cloud fails as well, the others are there.
#[tokio::test]
async fn a_progressive_request_is_answered_where_an_ordinary_one_is() {
    let nodes = [Upstream::named("a").await, Upstream::named("b").await];
    let cloud = Upstream::named("cloud").await;
    cloud.now_always(Answer::error(500, "server_error", "oops"));
    let config = Config::new()
        .edge_with("lab", &[&nodes[0], &nodes[1]], "balance: round-robin\nbreaker: {enabled: false}")
        .cloud_with("acme", &cloud, "breaker: {enabled: false}")
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .route("auto", "", &["small", "frontier"]);
    let gateway = Gateway::with(&config).await;
    nodes[0].now_always(Answer::error(500, "server_error", "oops"));
    for n in 0..4 {
        let answer = progressive::ask(&gateway, &n.to_string()).send().await;
        assert_eq!(sse::text(&answer.events()), "hello from b", "{}", answer.text());
    }
}

/// Servers quote what they do not like: the word need not be the gateway's.
#[tokio::test]
async fn nobody_talks_a_model_out_of_its_log_probabilities() {
    let edge = Upstream::named("edge").await.answering(|request: &Request| match request.json().get("temperature") {
        Some(Value::String(_)) => {
            let message = "1 validation error: temperature: should be a number [input_value='logprobs']";
            Answer::error(400, "invalid_request_error", message)
        }
        _ => Answer::chat("hello from edge"),
    });
    let cloud = Upstream::named("cloud").await;
    let config = Config::hybrid(&edge, &cloud).rules(
        "judged",
        "",
        &["{name: easy, try: [{model: small, min_confidence: 0.5}, frontier]}"],
    );
    let gateway = Gateway::with(&config).await;
    for n in 0..4 {
        let mut body = chat_stream("judged", &format!("evil {n}"));
        body["temperature"] = json!("logprobs");
        assert_eq!(gateway.chat(&body).send().await.status, 400);
    }
    ask(&gateway, "judged", "hi").await;
    assert!(edge.requests().last().unwrap().json().get("logprobs").is_some(), "they are asked for as before");
}

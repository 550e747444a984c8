//! Progressive answers: the edge's draft at once, the cloud's answer when it comes, in one stream.
//!
//! What a reader could get wrong: `sse::text` reads the first choice of each chunk, as naive clients do; whatever they are told must be the
//! answer alone.

use serde_json::{Value, json};

use crate::support::client::{Call, chat, chat_stream};
use crate::support::sse::{self, Event};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

pub const HEADER: &str = "x-tidegate-mode";

pub async fn pair() -> (Upstream, Upstream) {
    (Upstream::named("edge").await, Upstream::named("cloud").await)
}

pub fn priced(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "price: {input: 1, output: 2}")
        .model("frontier", "acme", "price: {input: 10, output: 20}")
        .route("auto", "", &["frontier", "small"])
        .route("homely", "", &["small"])
}

pub fn draft(words: &[&str]) -> Answer {
    Answer::chat_stream(words, true)
}

pub fn ask(gateway: &Gateway, text: &str) -> Call {
    gateway.chat(&chat_stream("auto", text)).header(HEADER, "progressive")
}

/// What the draft said.
pub fn drafted(events: &[Event]) -> String {
    let choices = events.iter().map(|event| event.json()["choices"][1].clone()).filter(|choice| !choice.is_null());
    let texts = choices.map(|choice| {
        assert_eq!((&choice["index"], &choice["tidegate"]["draft"]), (&json!(1), &json!(true)), "{choice}");
        choice["delta"]["content"].as_str().unwrap_or_default().to_owned()
    });
    texts.collect()
}

/// The reasons why a choice ended.
pub fn ends(events: &[Event], choice: usize) -> Vec<Value> {
    let reasons = events.iter().map(|event| event.json()["choices"][choice]["finish_reason"].clone());
    reasons.filter(|reason| !reason.is_null()).collect()
}

pub async fn record(gateway: &Gateway, id: &str) -> Value {
    let path = format!("/api/requests/{id}");
    eventually("the request is booked", async || {
        let answer = gateway.admin(&path).send().await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

/// `role:model:outcome` of each attempt.
pub fn attempts(record: &Value) -> Vec<String> {
    let attempts = record["attempts"].as_array().unwrap().iter();
    let word = |attempt: &Value, name: &str| attempt[name].as_str().unwrap().to_owned();
    attempts.map(|a| format!("{}:{}:{}", word(a, "role"), word(a, "model"), word(a, "outcome"))).collect()
}

/// Reads up to the event that says `text` in the draft.
pub async fn until_drafted(stream: &mut crate::support::client::Streaming, text: &str) -> Vec<Event> {
    let mut events = vec![];
    while !drafted(&events).contains(text) {
        events.push(stream.event().await.expect("more of the draft"));
    }
    events
}

#[tokio::test]
async fn the_draft_comes_first_and_the_answer_takes_its_place() {
    let (edge, cloud) = pair().await;
    let (held, rest) = (Gate::new(), Gate::new());
    cloud.next([Answer::chat_stream(&["The ", "answer"], true).gated(Point::BeforeHead, &held)]);
    edge.next([draft(&["A ", "draft", " that goes on"]).gated(Point::AfterPiece(3), &rest)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let mut stream = ask(&gateway, "hi").stream().await;
    assert_eq!((stream.status, stream.header(HEADER)), (200, "progressive"));
    assert_eq!(stream.header("x-tidegate-placement"), "edge");
    assert_eq!(stream.header("x-tidegate-attempts"), "frontier:pending,small:ok");
    let id = stream.header("x-request-id").to_owned();
    let mut events = until_drafted(&mut stream, "A draft").await;
    assert_eq!(cloud.requests().len(), 1, "the cloud was asked at once");
    held.open();
    events.extend(stream.events().await);
    assert_eq!(drafted(&events), "A draft");
    assert_eq!(sse::text(&events), "The answer", "what a client sees that knows nothing");
    assert_eq!((ends(&events, 0), ends(&events, 1)), (vec![json!("stop")], vec![json!("length")]));
    assert!(events.last().unwrap().is_done());
    assert_eq!(events.iter().filter(|event| event.is_done()).count(), 1);
    let names: Vec<_> = events.iter().filter(|event| !event.is_done()).map(|e| e.json()["id"].clone()).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert_eq!(events.iter().filter(|event| event.json()["usage"].is_object()).count(), 0, "nobody asked for it");
    eventually("the draft's upstream sees that it is not wanted", async || (!edge.cancels().is_empty()).then_some(()))
        .await;
    let told = record(&gateway, &id).await;
    assert_eq!(attempts(&told), ["draft:small:cancelled", "first:frontier:ok"]);
    assert_eq!(told["outcome"], "ok");
    let tokens = |index: usize| told["attempts"][index]["completion"].as_u64().unwrap();
    assert_eq!(tokens(0), 2, "two words were computed for the draft");
    assert!(told["attempts"][0]["cost_usd"].as_f64().unwrap() > 0.0, "{told}");
    gateway.eventually_metric("tidegate_progressive_total", &[("route", "auto"), ("result", "cloud")], 1.0).await;
    let metrics = gateway.metrics().await;
    for model in ["small", "frontier"] {
        assert_eq!(metrics.sum("tidegate_first_token_seconds_count", &[("model", model)]), 1.0, "{model}");
    }
}

#[tokio::test]
async fn usage_is_that_of_both() {
    let (edge, cloud) = pair().await;
    let held = Gate::new();
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let single = gateway.chat(&chat("homely", "hi")).send().await.json()["usage"]["total_tokens"].as_u64().unwrap();
    cloud.next([Answer::chat_stream(&["answer"], true).gated(Point::BeforeHead, &held)]);
    let mut body = chat_stream("auto", "hi");
    body["stream_options"] = json!({"include_usage": true});
    let mut stream = gateway.chat(&body).header(HEADER, "progressive").stream().await;
    let mut events = until_drafted(&mut stream, "hello from edge").await;
    // The edge's own figures come behind its last word.
    eventually("the draft is complete", async || (edge.in_flight() == 0).then_some(())).await;
    while ends(&events, 1).is_empty() {
        events.push(stream.event().await.unwrap());
    }
    held.open();
    events.extend(stream.events().await);
    let usages: Vec<_> = events.iter().map(|e| e.json()["usage"].clone()).filter(Value::is_object).collect();
    assert_eq!(usages.len(), 1);
    assert_eq!(usages[0]["total_tokens"], 2 * single);
    assert_eq!(usages[0]["prompt_tokens_details"]["cached_tokens"], 3, "what else is told stays");
}

#[tokio::test]
async fn an_answer_that_is_there_first_needs_no_draft() {
    let (edge, cloud) = pair().await;
    let never = Gate::new();
    edge.next([draft(&["late"]).gated(Point::BeforeHead, &never)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let answer = ask(&gateway, "hi").send().await;
    assert_eq!((answer.header(HEADER), answer.header("x-tidegate-placement")), ("off", "cloud"));
    assert_eq!(answer.header("x-tidegate-attempts"), "small:cancelled,frontier:ok");
    assert_eq!(sse::text(&answer.events()), "hello from cloud");
    let told = record(&gateway, answer.header("x-request-id")).await;
    assert_eq!(attempts(&told), ["draft:small:cancelled", "first:frontier:ok"]);
    eventually("the draft is given up", async || (edge.in_flight() == 0).then_some(())).await;
}

#[tokio::test]
async fn when_the_cloud_fails_the_draft_becomes_the_answer_and_says_so() {
    let (edge, cloud) = pair().await;
    let (held, rest) = (Gate::new(), Gate::new());
    cloud.next([Answer::error(500, "server_error", "oops").gated(Point::BeforeHead, &held)]);
    edge.next([draft(&["A ", "draft", " to", " the end"]).gated(Point::AfterPiece(3), &rest)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let mut stream = ask(&gateway, "hi").stream().await;
    let id = stream.header("x-request-id").to_owned();
    let mut events = until_drafted(&mut stream, "A draft").await;
    held.open();
    let promoted = stream.event().await.unwrap();
    assert_eq!(promoted.content(), "A draft", "what was said so far is said again");
    let marker = &promoted.json()["choices"][0]["tidegate"];
    assert_eq!(*marker, json!({"final": "draft", "reason": "cloud-failed"}));
    events.push(promoted);
    rest.open();
    events.extend(stream.events().await);
    assert_eq!(sse::text(&events), "A draft to the end");
    assert_eq!((ends(&events, 0), ends(&events, 1)), (vec![json!("stop")], vec![json!("length")]));
    assert!(events.last().unwrap().is_done());
    let told = record(&gateway, &id).await;
    assert_eq!(attempts(&told), ["first:frontier:upstream-failed", "draft:small:ok"]);
    assert_eq!(told["outcome"], "ok");
    let labels = [("route", "auto"), ("result", "draft-cloud-failed")];
    gateway.eventually_metric("tidegate_progressive_total", &labels, 1.0).await;
}

#[tokio::test]
async fn a_cloud_that_fails_before_the_draft_leaves_an_ordinary_answer_of_the_edges() {
    let (edge, cloud) = pair().await;
    let held = Gate::new();
    cloud.next([Answer::error(500, "server_error", "oops")]);
    edge.next([draft(&["alone"]).gated(Point::BeforeHead, &held)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let asked = ask(&gateway, "hi").send();
    let failed = async {
        let labels = [("model", "frontier"), ("placement", "cloud")];
        eventually("the cloud was asked", async || {
            (cloud.requests().len() == 1 && cloud.in_flight() == 0).then_some(labels)
        })
        .await;
        held.open();
    };
    let (answer, ()) = tokio::join!(asked, failed);
    assert_eq!(sse::text(&answer.events()), "alone");
    assert!(["draft", "progressive"].contains(&answer.header(HEADER)), "{}", answer.header(HEADER));
    let told = record(&gateway, answer.header("x-request-id")).await;
    assert_eq!(attempts(&told), ["first:frontier:upstream-failed", "draft:small:ok"]);
}

#[tokio::test]
async fn a_draft_that_fails_is_no_ones_trouble() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    // Before it begins, and in the middle of it.
    let held = Gate::new();
    edge.next([Answer::error(500, "server_error", "oops"), draft(&["A ", "draft"]).reset(Point::AfterPiece(2))]);
    cloud.next([
        Answer::chat_stream(&["first"], true),
        Answer::chat_stream(&["second"], true).gated(Point::BeforeHead, &held),
    ]);
    let answer = ask(&gateway, "one").send().await;
    assert_eq!((sse::text(&answer.events()).as_str(), answer.header(HEADER)), ("first", "off"));
    let mut stream = ask(&gateway, "two").stream().await;
    let id = stream.header("x-request-id").to_owned();
    let mut events = until_drafted(&mut stream, "A ").await;
    while ends(&events, 1).is_empty() {
        events.push(stream.event().await.unwrap());
    }
    held.open();
    events.extend(stream.events().await);
    assert_eq!((drafted(&events).as_str(), sse::text(&events).as_str()), ("A ", "second"));
    assert!(events.last().unwrap().is_done());
    let told = record(&gateway, &id).await;
    assert_eq!(attempts(&told), ["draft:small:broken", "first:frontier:ok"]);
}

#[tokio::test]
async fn when_both_fail_the_error_says_so() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let failed = Answer::error(500, "server_error", "oops");
    edge.next([failed.clone()]);
    cloud.next([failed.clone()]);
    let answer = ask(&gateway, "before anything was told").send().await;
    answer.expect_error(500);
    let held = Gate::new();
    edge.next([draft(&["A ", "draft"]).reset(Point::AfterPiece(2))]);
    cloud.next([failed.gated(Point::BeforeHead, &held)]);
    let mut stream = ask(&gateway, "after").stream().await;
    let mut events = until_drafted(&mut stream, "A ").await;
    held.open();
    events.extend(stream.events().await);
    assert!(events.last().unwrap().is_error(), "{events:?}");
    assert!(!events.iter().any(Event::is_done));
    gateway.eventually_metric("tidegate_progressive_total", &[("result", "failed")], 1.0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_is_told_as_any_other() {
    let (edge, cloud) = pair().await;
    let held = Gate::new();
    let broken =
        Answer::chat_stream(&["The ", "answer"], true).gated(Point::BeforeHead, &held).reset(Point::AfterPiece(2));
    cloud.next([broken]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let mut stream = ask(&gateway, "hi").stream().await;
    let id = stream.header("x-request-id").to_owned();
    let mut events = until_drafted(&mut stream, "hello").await;
    held.open();
    events.extend(stream.events().await);
    assert_eq!(sse::text(&events), "The ");
    assert!(events.last().unwrap().is_error());
    assert_eq!(record(&gateway, &id).await["outcome"], "broken");
}

#[tokio::test]
async fn a_client_that_leaves_takes_both_with_it_and_pays_for_both() {
    let (edge, cloud) = pair().await;
    let (never, neither) = (Gate::new(), Gate::new());
    cloud.next([Answer::chat_stream(&["The"], true).gated(Point::BeforeHead, &never)]);
    edge.next([draft(&["A ", "draft"]).gated(Point::AfterPiece(3), &neither)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let mut stream = ask(&gateway, "hi").stream().await;
    let id = stream.header("x-request-id").to_owned();
    until_drafted(&mut stream, "A draft").await;
    stream.disconnect();
    for upstream in [&edge, &cloud] {
        eventually("it is cancelled", async || (upstream.cancels().len() == 1).then_some(())).await;
    }
    let told = record(&gateway, &id).await;
    assert_eq!(attempts(&told), ["first:frontier:client-gone", "draft:small:client-gone"]);
    for attempt in told["attempts"].as_array().unwrap() {
        assert!(attempt["prompt"].as_u64().unwrap() > 0, "{attempt}");
    }
    assert_eq!(told["attempts"][1]["completion"], 2);
    gateway.eventually_metric("tidegate_progressive_total", &[("result", "left")], 1.0).await;
}

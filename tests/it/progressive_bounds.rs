//! Where progressive answers end: privacy, money, deadlines, memory, and what cannot have a draft.
//!
//! What a reader could get wrong: a request that can have no draft is no error; it is asked as usual, and `x-tidegate-mode: off` says so.

use serde_json::json;

use super::escalate::certain_stream;
use super::progressive::{HEADER, ask, attempts, draft, drafted, ends, pair, priced, record, until_drafted};
use crate::support::client::{chat, chat_stream};
use crate::support::sse::{self, Event};
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

#[tokio::test]
async fn the_edge_sees_values_and_the_cloud_labels() {
    const PII: &str = "pii: {redact: [EMPLOYEE_ID], custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}', severity: 1}]}";
    let held = Gate::new();
    let answering = held.clone();
    let last = |request: &Request| request.json()["messages"][0]["content"].as_str().unwrap().to_owned();
    let cloud = Upstream::named("cloud").await.answering(move |request| {
        let said = last(request);
        Answer::chat_stream(&[&format!("cloud: {said}")], true).gated(Point::BeforeHead, &answering)
    });
    let edge = Upstream::named("edge")
        .await
        .answering(move |request| Answer::chat_stream(&[&format!("edge: {}", last(request))], true));
    let gateway = Gateway::with(&priced(&edge, &cloud).top(PII)).await;
    let mut stream = ask(&gateway, "badge E-123456").stream().await;
    let mut events = until_drafted(&mut stream, "edge: badge E-123456").await;
    held.open();
    events.extend(stream.events().await);
    assert_eq!(sse::text(&events), "cloud: badge E-123456", "put back");
    assert!(!String::from_utf8_lossy(&cloud.only_request().body).contains("E-123456"));
    assert!(String::from_utf8_lossy(&edge.only_request().body).contains("E-123456"));
    // What must stay at home has nobody to wait for.
    let home = ask(&gateway, "badge E-123456").header("x-tidegate-privacy", "local-only").send().await;
    assert_eq!((home.header(HEADER), sse::text(&home.events()).as_str()), ("off", "edge: badge E-123456"));
    assert_eq!(cloud.requests().len(), 1);
    assert_eq!(gateway.metrics().await.sum("tidegate_locality_violations_total", &[]), 0.0);
}

#[tokio::test]
async fn a_deadline_holds_for_both() {
    let (edge, cloud) = pair().await;
    cloud.next([Answer::chat_stream(&["never"], true).stalled(Point::BeforeHead)]);
    edge.next([draft(&["A ", "draft"]).stalled(Point::AfterPiece(2))]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let mut stream = ask(&gateway, "hi").header("x-tidegate-deadline-ms", "1000").stream().await;
    let events = stream.events().await;
    assert_eq!(drafted(&events), "A ");
    let last = events.last().unwrap();
    assert!(last.is_error() && !events.iter().any(Event::is_done), "{events:?}");
    gateway.eventually_metric("tidegate_requests_total", &[("outcome", "timeout")], 1.0).await;
}

#[tokio::test]
async fn responses_hold_the_draft_as_reasoning() {
    let (edge, cloud) = pair().await;
    let held = Gate::new();
    cloud.next([Answer::response_stream(&["The ", "answer"]).gated(Point::BeforeHead, &held)]);
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let body = json!({"model": "auto", "input": "hi", "stream": true, "tidegate": {"mode": "progressive"}});
    let mut stream = gateway.post("/v1/responses").json(&body).stream().await;
    assert_eq!(stream.header(HEADER), "progressive");
    let mut events = vec![];
    while events.last().is_none_or(|event: &Event| event.name != "response.output_item.done") {
        events.push(stream.event().await.expect("the draft"));
    }
    held.open();
    events.extend(stream.events().await);
    let deltas = |kind: &str| {
        let of_kind = events.iter().filter(|event| event.name == kind);
        of_kind.map(|event| event.json()["delta"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(deltas("response.reasoning_text.delta"), "hello from edge");
    assert_eq!(deltas("response.output_text.delta"), "The answer");
    let numbers: Vec<u64> = events.iter().map(|event| event.json()["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..events.len() as u64), "{numbers:?}");
    let last = events.last().unwrap().json();
    assert_eq!(last["type"], "response.completed");
    let output = &last["response"]["output"];
    assert_eq!((&output[0]["type"], &output[0]["tidegate"]), (&json!("reasoning"), &json!({"draft": true})));
    assert_eq!((&output[1]["type"], &output[1]["content"][0]["text"]), (&json!("message"), &json!("The answer")));
    assert!(!String::from_utf8_lossy(&edge.only_request().body).contains("tidegate"));
}

#[tokio::test]
async fn what_can_have_no_draft_is_asked_as_usual() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    for (more, upstreams) in [
        (json!({"tools": tool}), [0, 1]),
        (json!({"n": 2}), [0, 1]),
        (json!({"response_format": {"type": "json_object"}}), [0, 1]),
        (json!({"model": "homely"}), [1, 0]),
    ] {
        let mut body = chat_stream("auto", "hi");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let before = [edge.requests().len(), cloud.requests().len()];
        let answer = gateway.chat(&body).header(HEADER, "progressive").send().await;
        assert_eq!((answer.status, answer.header(HEADER)), (200, "off"), "{more}");
        let asked = [edge.requests().len() - before[0], cloud.requests().len() - before[1]];
        assert_eq!(asked, upstreams, "{more}");
    }
    let stored = json!({"model": "auto", "input": "hi", "stream": true, "previous_response_id": "resp_1"});
    let answer = gateway.post("/v1/responses").json(&stored).header(HEADER, "progressive").send().await;
    assert_eq!(answer.header(HEADER), "off");
    let usual = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(usual.header(HEADER), "", "nobody asked");
    gateway.eventually_metric("tidegate_progressive_total", &[("route", "homely"), ("result", "off")], 1.0).await;
}

#[tokio::test]
async fn a_draft_needs_a_stream() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let error = gateway.chat(&chat("auto", "hi")).header(HEADER, "progressive").send().await.expect_error(400);
    assert!(error["message"].as_str().unwrap().contains("set `stream` to true"), "{error}");
    let body = json!({"model": "auto", "prompt": "hi", "stream": true});
    let error =
        gateway.post("/v1/completions").json(&body).header(HEADER, "progressive").send().await.expect_error(400);
    assert!(error["message"].as_str().unwrap().contains("chat completions and responses"), "{error}");
    assert_eq!(edge.requests().len() + cloud.requests().len(), 0);
}

#[tokio::test]
async fn what_is_remembered_is_told_at_once_and_nothing_is_kept_of_a_draft() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud).top("cache: {exact: {ttl: 1h}}")).await;
    let mut body = chat_stream("auto", "hi");
    body["temperature"] = json!(0);
    for _ in 0..2 {
        let asked = gateway.chat(&body).header(HEADER, "progressive").send().await;
        assert_eq!(asked.header("x-tidegate-cache"), "miss");
    }
    let usual = gateway.chat(&body).send().await;
    assert_eq!(usual.header("x-tidegate-cache"), "miss");
    let known = eventually("it is kept", async || {
        let known = gateway.chat(&body).header(HEADER, "progressive").send().await;
        (known.header("x-tidegate-cache") == "hit").then_some(known)
    })
    .await;
    assert_eq!((known.header(HEADER), sse::text(&known.events()).as_str()), ("off", "hello from cloud"));
}

#[tokio::test]
async fn money_for_both_is_set_aside() {
    let (edge, cloud) = pair().await;
    // One answer of the cloud's fits into the budget, a draft beside it does not.
    let config = priced(&edge, &cloud).tenant("acme", "budget: {usd: 0.002, per: month, then: reject}");
    let gateway = Gateway::with(&config).await;
    let mut body = chat_stream("auto", "hi");
    body["max_tokens"] = json!(100);
    let asked = gateway.chat(&body).by("acme").header(HEADER, "progressive").send().await;
    assert_eq!((asked.status, asked.header(HEADER)), (200, "off"), "{}", asked.text());
    assert_eq!(edge.requests().len(), 0);
}

/// The draft's target is held to half a certainty.
async fn judged(edge: &Upstream, cloud: &Upstream) -> Gateway {
    let config = Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "price: {input: 1, output: 2}")
        .model("frontier", "acme", "price: {input: 10, output: 20}")
        .rules("auto", "", &["{name: all, try: [{model: small, min_confidence: 0.5}, frontier]}"]);
    Gateway::with(&config).await
}

#[tokio::test]
async fn a_draft_that_is_certain_enough_needs_no_answer() {
    let (edge, cloud) = pair().await;
    cloud.next([Answer::chat_stream(&["never"], true).stalled(Point::BeforeHead)]);
    edge.next([Answer::sse(certain_stream(&["It", " is", " Ulm", "."], -0.05, true))]);
    let gateway = judged(&edge, &cloud).await;
    let answer = ask(&gateway, "hi").send().await;
    let events = answer.events();
    assert_eq!((drafted(&events), sse::text(&events)), ("It is Ulm.".into(), "It is Ulm.".into()));
    assert_eq!((ends(&events, 0), ends(&events, 1)), (vec![json!("stop")], vec![json!("stop")]));
    assert!(events.last().unwrap().is_done());
    assert!(!answer.text().contains("logprob"), "what was asked for the judge is not the client's: {}", answer.text());
    let marked = events.iter().find(|event| event.json()["choices"][0]["tidegate"]["final"] == "draft").unwrap();
    assert_eq!(marked.json()["choices"][0]["tidegate"]["reason"], "confident");
    eventually("the cloud is cancelled", async || (cloud.cancels().len() == 1).then_some(())).await;
    let told = record(&gateway, answer.header("x-request-id")).await;
    assert_eq!(attempts(&told), ["first:frontier:cancelled", "draft:small:ok"]);
    assert!(told["decision"]["notes"].to_string().contains("confidence=0.9"), "{told}");
    gateway.eventually_metric("tidegate_progressive_total", &[("result", "draft-confident")], 1.0).await;
}

#[tokio::test]
async fn a_draft_that_is_not_waits_for_the_answer() {
    let (edge, cloud) = pair().await;
    let held = Gate::new();
    cloud.next([Answer::chat_stream(&["It is Bern."], true).gated(Point::BeforeHead, &held)]);
    edge.next([Answer::sse(certain_stream(&["It", " is", " Ulm", "."], -3.0, true))]);
    let gateway = judged(&edge, &cloud).await;
    let mut stream = ask(&gateway, "hi").stream().await;
    let mut events = until_drafted(&mut stream, "It is Ulm.").await;
    while ends(&events, 1).is_empty() {
        events.push(stream.event().await.unwrap());
    }
    held.open();
    events.extend(stream.events().await);
    assert_eq!((sse::text(&events).as_str(), ends(&events, 1)), ("It is Bern.", vec![json!("stop")]));
    let told = record(&gateway, stream.header("x-request-id")).await;
    // The draft came to its end before the answer began.
    assert_eq!(attempts(&told), ["draft:small:ok", "first:frontier:ok"]);
    gateway.eventually_metric("tidegate_progressive_total", &[("result", "cloud")], 1.0).await;
    let labels = [("route", "auto"), ("reason", "logprobs")];
    assert_eq!(gateway.metrics().await.sum("tidegate_escalations_total", &labels), 1.0);
}

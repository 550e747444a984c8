//! When a stream has begun, and when it has come to its end: what says nothing yet commits nobody, and what merely stops is no answer.
//!
//! What a reader could get wrong: `created` and a chunk with a role alone are held with the first word, so a test that wants to see anything of
//! a stream must let a word out.

use serde_json::{Value, json};

use super::progressive::{HEADER, ask, attempts, pair, priced, record, until_drafted};
use crate::support::client::{Call, chat, chat_stream};
use crate::support::sse::{self, Event};
use crate::support::upstream::Request;
use crate::support::upstream::answers::{chat_chunk, frame};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

const JUDGED: &str = "{name: easy, try: [{model: small, min_confidence: 0.5}, frontier]}";
const SECRET: &str = "backend http://10.1.2.3:8080 refused key sk-secret-provider-a";

fn created() -> Value {
    json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "status": "in_progress", "output": []}})
}

fn failed() -> Value {
    json!({"type": "response.failed", "sequence_number": 1,
           "response": {"id": "resp_1", "status": "failed", "output": [], "error": {"code": "server_error", "message": SECRET}}})
}

fn role() -> Value {
    chat_chunk(&json!({"role": "assistant", "content": ""}), Value::Null)
}

fn word(text: &str) -> Value {
    chat_chunk(&json!({"content": text}), Value::Null)
}

fn sse(events: &[Value]) -> Answer {
    Answer::sse(events.iter().map(frame))
}

fn ask_response(gateway: &Gateway) -> Call {
    gateway.post("/v1/responses").json(&json!({"model": "auto", "input": "hi", "stream": true}))
}

/// The edge first, without any judge; then the cloud.
fn homely(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge_with("lab", &[edge], "timeouts: {first_token: 300ms}")
        .cloud("acme", cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .route("auto", "", &["small", "frontier"])
}

fn judged(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge_with("lab", &[edge], "timeouts: {first_token: 300ms}")
        .cloud("acme", cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .rules("auto", "", &[JUDGED])
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// Nothing of the kind may come down.
fn check_scrubbed(events: &[Event]) {
    let all = format!("{events:?}");
    assert!(all.contains("backend *** refused key ***"), "{all}");
    assert!(!all.contains("10.1.2.3") && !all.contains("sk-secret"), "{all}");
    assert!(!events.iter().any(Event::is_done), "{all}");
}

#[tokio::test]
async fn an_upstream_that_only_announced_an_answer_is_passed_over() {
    let (edge, cloud) = pair().await;
    for (case, answer) in [
        ("fails", sse(&[created(), failed()])),
        ("breaks", sse(&[created(), created()]).reset(Point::AfterPiece(1))),
        ("stalls", sse(&[created(), created()]).stalled(Point::AfterPiece(1))),
    ] {
        // A gateway of its own each time: a node that has just failed is not asked at once.
        let gateway = Gateway::with(&homely(&edge, &cloud)).await;
        edge.next([answer]);
        let answer = ask_response(&gateway).send().await;
        assert_eq!(answer.header("x-tidegate-placement"), "cloud", "{case}");
        let events = answer.events();
        assert_eq!(*names(&events).last().unwrap(), "response.completed", "{case}");
    }
    let gateway = Gateway::with(&homely(&edge, &cloud)).await;
    edge.next([sse(&[role(), word("never")]).stalled(Point::AfterPiece(1))]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "small:timeout,frontier:ok");
    assert_eq!(sse::text(&answer.events()), "hello from cloud");
}

#[tokio::test]
async fn what_was_held_goes_out_with_the_first_word_and_in_order() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&homely(&edge, &cloud)).await;
    let gate = Gate::new();
    let said = [
        created(),
        json!({"type": "response.in_progress"}),
        json!({"type": "response.output_text.delta", "delta": "a"}),
        json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}),
    ];
    edge.next([sse(&said).gated(Point::AfterPiece(3), &gate)]);
    let mut stream = ask_response(&gateway).stream().await;
    for expected in &said[..3] {
        assert_eq!(stream.event().await.unwrap().json(), *expected);
    }
    gate.open();
    assert_eq!(stream.events().await.len(), 1);
    // An end of its own without a word is all there is to tell; merely to stop is none.
    let end = chat_chunk(&json!({}), json!("stop"));
    edge.next([sse(&[role(), role(), end])]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-attempts")), (200, "small:ok"));
    assert_eq!(answer.events().len(), 3);
    edge.next([sse(&[role(), role()])]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "small:broken,frontier:ok");
}

#[tokio::test]
async fn a_trial_begins_with_the_first_word() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&judged(&edge, &cloud)).await;
    edge.next([sse(&[created(), created()]).stalled(Point::AfterPiece(1))]);
    let answer = ask_response(&gateway).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "small:timeout,frontier:ok");
}

#[tokio::test]
async fn a_trial_that_merely_stops_has_broken_off() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&judged(&edge, &cloud)).await;
    let sure = |text: &str| json!({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": {"content": [{"token": text, "logprob": -0.01}]}}]});
    // Its own end, without the line that usually follows.
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    edge.next([sse(&[sure("all "), sure("there"), end])]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "small:ok");
    edge.next([sse(&[sure("four "), sure("words "), sure("of "), sure("ten")])]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "small:broken,frontier:ok");
    assert_eq!(sse::text(&answer.events()), "hello from cloud");
}

#[tokio::test]
async fn an_error_within_a_stream_ends_it_without_address_or_key() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&homely(&edge, &cloud)).await;
    let error = json!({"error": {"message": SECRET, "type": "server_error"}});
    let beside = json!({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}], "error": {"code": 502, "message": SECRET}});
    for error in [error.clone(), beside] {
        let gate = Gate::new();
        edge.next([sse(&[role(), word("one"), error, word("two")]).gated(Point::AfterPiece(2), &gate)]);
        let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
        let id = stream.header("x-request-id").to_owned();
        let mut events = vec![stream.event().await.unwrap(), stream.event().await.unwrap()];
        gate.open();
        events.extend(stream.events().await);
        check_scrubbed(&events);
        assert_eq!(sse::text(&events), "one");
        assert!(events.last().unwrap().is_error(), "{events:?}");
        let told = record(&gateway, &id).await;
        assert_eq!(told["outcome"], "upstream-failed", "{told}");
        assert_eq!(attempts(&told), ["first:small:upstream-failed"]);
        assert!(!told.to_string().contains("10.1.2.3"), "{told}");
    }
    // As the last frame, whose blank line never comes.
    let gate = Gate::new();
    let cut = format!("data: {error}");
    let frames = [String::from_utf8(frame(&word("one")).to_vec()).unwrap(), cut];
    edge.next([Answer::sse(frames).gated(Point::AfterPiece(1), &gate)]);
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    let mut events = vec![stream.event().await.unwrap()];
    gate.open();
    events.extend(stream.events().await);
    check_scrubbed(&events);
}

#[tokio::test]
async fn a_response_that_fails_keeps_its_shape() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&homely(&edge, &cloud)).await;
    let delta = json!({"type": "response.output_text.delta", "delta": "a"});
    for (error, kind) in
        [(failed(), "response.failed"), (json!({"type": "error", "code": "x", "message": SECRET}), "error")]
    {
        let gate = Gate::new();
        edge.next([sse(&[created(), delta.clone(), error]).gated(Point::AfterPiece(2), &gate)]);
        let mut stream = ask_response(&gateway).stream().await;
        let id = stream.header("x-request-id").to_owned();
        let mut events = vec![stream.event().await.unwrap(), stream.event().await.unwrap()];
        gate.open();
        events.extend(stream.events().await);
        check_scrubbed(&events);
        assert_eq!((events.len(), &events[2].json()["type"]), (3, &json!(kind)));
        assert_eq!(record(&gateway, &id).await["outcome"], "upstream-failed");
    }
}

#[tokio::test]
async fn a_draft_goes_on_until_the_answer_says_something() {
    let (edge, cloud) = pair().await;
    let (held, rest) = (Gate::new(), Gate::new());
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    cloud.next([sse(&[created(), failed()]).gated(Point::AfterPiece(1), &held)]);
    edge.next([Answer::response_stream(&["A ", "draft", " goes on"]).gated(Point::AfterPiece(3), &rest)]);
    let mut stream = ask_response(&gateway).header(HEADER, "progressive").stream().await;
    let id = stream.header("x-request-id").to_owned();
    let mut events = vec![];
    while !events.iter().any(|event: &Event| event.json()["delta"] == "draft") {
        events.push(stream.event().await.expect("more of the draft"));
    }
    rest.open();
    while !events.iter().any(|event: &Event| event.json()["delta"] == " goes on") {
        events.push(stream.event().await.expect("the cloud has only announced its answer"));
    }
    held.open();
    events.extend(stream.events().await);
    let last = events.last().unwrap().json();
    assert_eq!(last["type"], "response.completed", "{events:?}");
    assert_eq!(last["response"]["output"][1]["content"][0]["text"], "A draft goes on");
    assert_eq!(attempts(&record(&gateway, &id).await), ["first:frontier:upstream-failed", "draft:small:ok"]);
}

#[tokio::test]
async fn an_error_within_a_progressive_answer_is_scrubbed_as_well() {
    let (edge, cloud) = pair().await;
    let (held, then) = (Gate::new(), Gate::new());
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let error = json!({"error": {"message": SECRET}});
    let answer = sse(&[word("The "), error, word("answer")]);
    cloud.next([answer.gated(Point::BeforeHead, &held).gated(Point::AfterPiece(1), &then)]);
    let mut stream = ask(&gateway, "hi").stream().await;
    let id = stream.header("x-request-id").to_owned();
    let mut events = until_drafted(&mut stream, "hello").await;
    held.open();
    while sse::text(&events).is_empty() {
        events.push(stream.event().await.unwrap());
    }
    then.open();
    events.extend(stream.events().await);
    check_scrubbed(&events);
    assert_eq!(sse::text(&events), "The ");
    assert!(events.last().unwrap().is_error());
    assert_eq!(record(&gateway, &id).await["outcome"], "upstream-failed");
}

/// Nothing was said, or it stopped in the middle: neither can be the answer when the cloud has none.
#[tokio::test]
async fn a_draft_that_stops_or_says_nothing_is_no_answer() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let tool =
        chat_chunk(&json!({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}), Value::Null);
    let silent = chat_chunk(&json!({}), json!("stop"));
    for (case, said) in [
        ("stops", vec![role(), word("four "), word("words")]),
        ("calls a tool", vec![role(), tool, chat_chunk(&json!({}), json!("tool_calls"))]),
        ("says nothing", vec![role(), silent]),
    ] {
        let held = Gate::new();
        cloud.next([Answer::error(500, "server_error", "oops").gated(Point::BeforeHead, &held)]);
        edge.next([sse(&said)]);
        let mut stream = ask(&gateway, "hi").stream().await;
        assert_eq!(stream.header(HEADER), "progressive", "{case}");
        held.open();
        let events = stream.events().await;
        assert!(events.last().is_some_and(Event::is_error), "{case}: {events:?}");
        assert!(!events.iter().any(Event::is_done) && sse::text(&events).is_empty(), "{case}: {events:?}");
    }
    // A response as well.
    let held = Gate::new();
    cloud.next([Answer::error(500, "server_error", "oops").gated(Point::BeforeHead, &held)]);
    edge.next([sse(&[created(), json!({"type": "response.output_text.delta", "delta": "four words"})])]);
    let mut stream = ask_response(&gateway).header(HEADER, "progressive").stream().await;
    held.open();
    let events = stream.events().await;
    assert!(!names(&events).contains(&"response.completed"), "{events:?}");
    assert!(events.last().is_some_and(Event::is_error), "{events:?}");
}

#[tokio::test]
async fn a_failed_draft_is_not_told_of_and_reaches_the_breaker() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    edge.now_always(Answer::chat("not a stream"));
    cloud.now_always(Answer::error(500, "server_error", "oops"));
    let answer = ask(&gateway, "hi").send().await;
    answer.expect_error(500);
    assert_eq!(answer.header("x-tidegate-placement"), "");
    assert_eq!(answer.header("x-tidegate-confidence"), "");
    // Only drafts are asked of the edge, and only they can have told the breaker. The cloud is held back until the edge was asked; an
    // answer that is there before the draft has failed costs one more round.
    edge.now_always(Answer::error(500, "server_error", "oops"));
    eventually("the breaker opens", async || {
        let (held, before) = (Gate::new(), edge.requests().len());
        cloud.next([Answer::chat_stream(&["hello"], true).gated(Point::BeforeHead, &held)]);
        let asked = ask(&gateway, "again").send();
        let open = async {
            let of_node = [("upstream", "lab")];
            let state = eventually("the edge is asked or left alone", async || {
                let state = gateway.metrics().await.sum("tidegate_breaker_state", &of_node);
                (state > 0.0 || edge.requests().len() > before).then_some(state)
            });
            let state = state.await;
            held.open();
            state
        };
        let (answer, state) = tokio::join!(asked, open);
        assert_eq!(sse::text(&answer.events()), "hello");
        (state > 0.0).then_some(())
    })
    .await;
}

/// A field of the client's own that happens to hold the word is his own trouble.
#[tokio::test]
async fn a_clients_own_bad_field_is_not_blamed_on_what_was_added() {
    let (edge, cloud) = pair().await;
    let edge = edge.answering(|request: &Request| match request.json().get("logprobs_extra") {
        Some(_) => Answer::error(400, "invalid_request_error", "Unknown parameter: 'logprobs_extra'"),
        None => Answer::chat("hello from edge"),
    });
    let gateway = Gateway::with(&judged(&edge, &cloud)).await;
    let mut body = chat("auto", "hi");
    body["logprobs_extra"] = json!(1);
    let error = gateway.chat(&body).send().await.expect_error(400);
    assert_eq!(error["message"], "Unknown parameter: 'logprobs_extra'");
    gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!(edge.requests()[1].json()["logprobs"], true, "they are still asked for");
    assert!(cloud.requests().is_empty());
}

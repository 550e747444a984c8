//! How streams end, well and otherwise, and what upstreams say of themselves when they fail.
//!
//! What a reader could get wrong: an answer is over when it says so. What its connection does afterwards is nobody's concern, and a connection
//! that merely ends is no end of an answer.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use super::progressive::{ask, attempts, draft, drafted, pair, priced, record};
use crate::support::client::{chat, chat_stream};
use crate::support::config::PROVIDER_KEY;
use crate::support::sse::{self, Event};
use crate::support::upstream::answers::{chat_chunk, frame, usage_chunk};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

const SECRET: &str =
    "backend 10.1.2.3:8080, tried 10.1.2.4:8080->10.1.2.5:80 with key Zx81PlainTokenAlpha77 (Bearer abcdef)";

/// The cloud, with a key that looks like nothing, and the edge behind it.
async fn started(cloud: &Upstream, edge: &Upstream) -> Gateway {
    let config = Config::new()
        .cloud_with("acme", cloud, "timeouts: {first_token: 500ms}")
        .edge("lab", &[edge])
        .model("frontier", "acme", "")
        .model("small", "lab", "")
        .route("auto", "", &["frontier", "small"])
        .route("only", "", &["frontier"]);
    Gateway::with_yaml(&config.yaml().replace(PROVIDER_KEY, "Zx81PlainTokenAlpha77")).await
}

fn word(text: &str) -> Value {
    chat_chunk(&json!({"content": text}), Value::Null)
}

fn role() -> Value {
    chat_chunk(&json!({"role": "assistant", "content": ""}), Value::Null)
}

fn finish() -> Value {
    chat_chunk(&json!({}), json!("stop"))
}

fn frames(events: &[Value]) -> Vec<Bytes> {
    events.iter().map(frame).collect()
}

/// Nothing of it may come down.
fn check_clean(text: &str) {
    for private in ["10.1.2", "Zx81", "abcdef"] {
        assert!(!text.contains(private), "{text}");
    }
}

/// What upstreams write in place of a piece.
fn errors() -> Vec<(&'static str, String)> {
    let data = |value: Value| format!("data: {value}\n\n");
    vec![
        (
            "flat",
            data(
                json!({"object": "error", "message": SECRET, "type": "InternalServerError", "param": null, "code": 500}),
            ),
        ),
        ("no space", format!("event:error\ndata:{}\n\n", json!({"message": SECRET, "code": "x"}))),
        ("id first", format!("id: 1\nevent: error\ndata: {}\n\n", json!({"said": SECRET}))),
        (
            "dashscope",
            format!(
                "id:1\nevent:error\n:HTTP_STATUS/400 {SECRET}\ndata:{}\n\n",
                json!({"code": "InternalError", "message": SECRET})
            ),
        ),
        ("detail", data(json!({"detail": SECRET}))),
        ("errors", data(json!({"errors": [{"message": SECRET}]}))),
        ("no json", format!("data: {SECRET}\n\n")),
        (
            "of a choice",
            data(
                json!({"id": "x", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"message": SECRET, "code": 502}}]}),
            ),
        ),
        ("names", data(json!({"error": {SECRET: "x", "message": "m"}}))),
    ]
}

#[tokio::test]
async fn an_error_in_any_shape_ends_a_stream_or_is_passed_over() {
    let (edge, cloud) = pair().await;
    for (case, error) in errors() {
        let gateway = started(&cloud, &edge).await;
        cloud.next([Answer::sse([error.clone()])]);
        let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
        assert_eq!(answer.header("x-tidegate-attempts"), "frontier:upstream-failed,small:ok", "{case}");
        let gate = Gate::new();
        let said = [frame(&word("one")), error.into(), frame(&word("two"))];
        cloud.next([Answer::sse(said).gated(Point::AfterPiece(1), &gate)]);
        let mut stream = gateway.chat(&chat_stream("only", "hi")).stream().await;
        let id = stream.header("x-request-id").to_owned();
        let mut events = vec![stream.event().await.unwrap()];
        gate.open();
        events.extend(stream.events().await);
        assert_eq!((events.len(), sse::text(&events)), (2, "one".into()), "{case}: {events:?}");
        assert!(events[1].is_error(), "{case}: {events:?}");
        check_clean(&format!("{events:?}"));
        let told = record(&gateway, &id).await;
        assert_eq!(told["outcome"], "upstream-failed", "{case}");
        check_clean(&told.to_string());
    }
}

#[tokio::test]
async fn a_plain_answer_that_is_none_is_passed_over() {
    let (edge, cloud) = pair().await;
    for (case, answer) in [
        ("an error", Answer::json(200, &json!({"error": {"message": SECRET, "code": 502}}))),
        ("flat", Answer::json(200, &json!({"object": "error", "message": SECRET, "code": 500}))),
        ("beside choices", Answer::json(200, &json!({"choices": [], "error": {"message": SECRET}}))),
        ("a page", Answer::json(200, &json!(format!("<html>{SECRET}</html>")))),
        ("nothing", Answer::json(200, &json!({})).claiming(0)),
    ] {
        let gateway = started(&cloud, &edge).await;
        cloud.next([answer.clone(), answer]);
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!(answer.header("x-tidegate-attempts"), "frontier:upstream-failed,small:ok", "{case}");
        let alone = gateway.chat(&chat("only", "hi")).send().await;
        assert!(alone.status >= 500, "{case}: {}", alone.status);
        check_clean(&alone.text());
    }
    let gateway = started(&cloud, &edge).await;
    for status in [400, 500] {
        cloud.next([Answer::error(status, "server_error", SECRET)]);
        let answer = gateway.chat(&chat("only", "hi")).send().await;
        assert!(answer.text().contains("***"), "{}", answer.text());
        check_clean(&answer.text());
    }
}

#[tokio::test]
async fn remarks_beside_an_answer_are_kept_from_the_client() {
    let (edge, cloud) = pair().await;
    let gateway = started(&cloud, &edge).await;
    let mut said: Vec<Bytes> = vec![format!(": {SECRET}\n\n").into(), format!("error: {SECRET}\n\n").into()];
    said.push(format!(": {SECRET}\nid: 7\ndata: {}\n\n", word("one")).into());
    said.extend([frame(&finish()), "data: [DONE]\n\n".into()]);
    cloud.next([Answer::sse(said)]);
    let answer = gateway.chat(&chat_stream("only", "hi")).send().await;
    let text = answer.text();
    check_clean(&text);
    assert!(text.starts_with(":\n\n:\n\nid: 7\ndata: {"), "{text}");
    assert_eq!(sse::text(&answer.events()), "one");
}

#[tokio::test]
async fn a_stream_that_merely_stops_has_broken_off() {
    let (edge, cloud) = pair().await;
    let completion = json!({"choices": [{"index": 0, "text": "one", "finish_reason": null}]});
    let delta = json!({"type": "response.output_text.delta", "delta": "one"});
    for (path, body, said) in [
        ("/v1/chat/completions", chat_stream("only", "hi"), vec![role(), word("one")]),
        ("/v1/completions", json!({"model": "only", "prompt": "hi", "stream": true}), vec![completion]),
        (
            "/v1/responses",
            json!({"model": "only", "input": "hi", "stream": true}),
            vec![json!({"type": "response.created"}), delta],
        ),
    ] {
        let gateway = started(&cloud, &edge).await;
        cloud.next([Answer::sse(frames(&said))]);
        let answer = gateway.post(path).json(&body).send().await;
        let events = answer.events();
        assert_eq!(events.len(), said.len() + 1, "{path}: {events:?}");
        assert!(events.last().unwrap().is_error(), "{path}: {events:?}");
        assert_eq!(record(&gateway, answer.header("x-request-id")).await["outcome"], "broken", "{path}");
    }
    // Torn in the middle of a frame, which nobody could read.
    let gateway = started(&cloud, &edge).await;
    let torn = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"tw";
    cloud.next([Answer::sse([frame(&word("one")), torn.into()])]);
    let answer = gateway.chat(&chat_stream("only", "hi")).send().await;
    let events = answer.events();
    assert_eq!((events.len(), events[1].is_error()), (2, true), "{events:?}");
    assert!(!answer.text().contains("tw"), "{}", answer.text());
    // Before a word, the next one answers.
    for said in [frames(&[role()]), vec!["data: [DONE]\n\n".into()], vec![]] {
        let gateway = started(&cloud, &edge).await;
        cloud.next([Answer::sse(said)]);
        let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
        assert_eq!(answer.header("x-tidegate-attempts"), "frontier:broken,small:ok");
    }
}

#[tokio::test]
async fn an_answer_that_says_it_is_over_is_whole() {
    let (edge, cloud) = pair().await;
    let gateway = started(&cloud, &edge).await;
    let done: Bytes = "data: [DONE]\n\n".into();
    let other = json!({"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}]});
    for (case, said) in [
        ("no [DONE]", frames(&[word("one"), finish()])),
        ("no [DONE], figures", frames(&[word("one"), finish(), usage_chunk()])),
        ("no finish_reason", vec![frame(&word("one")), done.clone()]),
        ("no last line", vec![frame(&word("one")), "data: [DONE]".into()]),
        ("one of two choices", frames(&[word("one"), other])),
    ] {
        cloud.next([Answer::sse(said)]);
        let answer = gateway.chat(&chat_stream("only", "hi")).send().await;
        let events = answer.events();
        assert!(!events.iter().any(Event::is_error), "{case}: {events:?}");
        assert_eq!(sse::text(&events).chars().take(3).collect::<String>(), "one", "{case}");
        assert_eq!(record(&gateway, answer.header("x-request-id")).await["outcome"], "ok", "{case}");
    }
}

#[tokio::test]
async fn what_a_connection_does_behind_the_end_is_nobodys_concern() {
    let (edge, cloud) = pair().await;
    let whole = frames(&[word("one"), finish()]);
    let whole: Vec<Bytes> = whole.into_iter().chain(["data: [DONE]\n\n".into()]).collect();
    let behind: Vec<Bytes> = whole.iter().cloned().chain(errors().into_iter().map(|(_, error)| error.into())).collect();
    let end = Point::AfterPiece(whole.len());
    for (case, answer) in [
        ("stays open", Answer::sse(whole.clone()).stalled(end)),
        ("is reset", Answer::sse(whole.clone()).reset(end)),
        ("is closed", Answer::sse(whole.clone()).closed(end)),
        ("goes on", Answer::sse(behind).stalled(end)),
    ] {
        let gateway = started(&cloud, &edge).await;
        cloud.next([answer]);
        let answer = gateway.chat(&chat_stream("only", "hi")).send().await;
        let events = answer.events();
        assert!(events.last().is_some_and(Event::is_done), "{case}: {events:?}");
        assert_eq!((events.len(), sse::text(&events)), (3, "one".into()), "{case}: {events:?}");
        assert_eq!(record(&gateway, answer.header("x-request-id")).await["outcome"], "ok", "{case}");
    }
    let gateway = started(&cloud, &edge).await;
    let whole = Answer::response_stream(&["one"]);
    let end = Point::AfterPiece(whole.pieces.len());
    cloud.next([whole.stalled(end)]);
    let asked = json!({"model": "only", "input": "hi", "stream": true});
    let answer = gateway.post("/v1/responses").json(&asked).send().await;
    assert_eq!(answer.events().last().unwrap().name, "response.completed");
    assert_eq!(record(&gateway, answer.header("x-request-id")).await["outcome"], "ok");
}

#[tokio::test]
async fn a_draft_that_is_whole_is_not_lost_with_its_connection() {
    let (edge, cloud) = pair().await;
    for is_reset in [false, true] {
        let gateway = Gateway::with(&priced(&edge, &cloud)).await;
        let held = Gate::new();
        cloud.next([Answer::error(500, "server_error", "oops").gated(Point::BeforeHead, &held)]);
        let whole = draft(&["A ", "draft"]);
        let end = Point::AfterPiece(whole.pieces.len());
        edge.next([if is_reset { whole.reset(end) } else { whole.stalled(end) }]);
        let mut stream = ask(&gateway, "hi").stream().await;
        let id = stream.header("x-request-id").to_owned();
        let mut events = vec![];
        while !drafted(&events).contains("A draft") {
            events.push(stream.event().await.expect("more of the draft"));
        }
        held.open();
        events.extend(stream.events().await);
        assert!(events.last().is_some_and(Event::is_done), "{events:?}");
        assert_eq!(sse::text(&events), "A draft");
        assert_eq!(attempts(&record(&gateway, &id).await), ["first:frontier:upstream-failed", "draft:small:ok"]);
    }
}

#[tokio::test]
async fn an_item_without_content_is_no_beginning_and_a_thought_is_one() {
    let (edge, cloud) = pair().await;
    let message = json!({"type": "message", "id": "m", "role": "assistant", "status": "in_progress", "content": []});
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let said = [
        json!({"type": "response.created", "response": {}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": message}),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": part}),
        json!({"type": "response.output_text.delta", "delta": "never"}),
    ];
    let gateway = started(&cloud, &edge).await;
    cloud.next([Answer::sse(frames(&said)).stalled(Point::AfterPiece(3))]);
    let asked = json!({"model": "auto", "input": "hi", "stream": true});
    let answer = gateway.post("/v1/responses").json(&asked).send().await;
    assert_eq!(answer.header("x-tidegate-attempts"), "frontier:timeout,small:ok");
    let thought = json!({"type": "response.output_item.added", "item": {"type": "reasoning", "summary": []}});
    let gate = Gate::new();
    let end = json!({"type": "response.completed", "response": {}});
    cloud.next([Answer::sse(frames(&[said[0].clone(), thought, end])).gated(Point::AfterPiece(2), &gate)]);
    let mut stream = gateway.post("/v1/responses").json(&asked).stream().await;
    assert_eq!(stream.event().await.unwrap().json(), said[0], "nobody waits for a word that has come");
    gate.open();
    assert_eq!(stream.events().await.len(), 2);
}

#[tokio::test]
async fn a_cloud_that_answers_a_draft_without_a_stream_is_booked_with_its_figures() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&priced(&edge, &cloud)).await;
    let held = Gate::new();
    cloud.next([Answer::chat("no stream").gated(Point::BeforeHead, &held)]);
    let mut stream = ask(&gateway, "hi").stream().await;
    let id = stream.header("x-request-id").to_owned();
    held.open();
    assert!(stream.events().await.last().is_some_and(Event::is_done));
    let told = record(&gateway, &id).await;
    let first = &told["attempts"][0];
    assert_eq!((&first["model"], &first["outcome"]), (&json!("frontier"), &json!("broken")));
    assert_eq!((&first["prompt"], &first["completion"]), (&json!(11), &json!(7)), "{told}");
}

/// Nobody polls an answer whose client does not read.
#[tokio::test]
async fn a_place_is_let_go_in_time_although_nobody_reads() {
    let edge = Upstream::named("edge").await;
    let config = Config::new()
        .edge_with("lab", &[&edge], "max_in_flight_per_node: 1\ntimeouts: {total: 1s}")
        .model("small", "lab", "")
        .route("only", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    // More than all sockets between them hold.
    let long = frame(&word(&"x".repeat(256 << 10)));
    edge.next([Answer::sse(vec![long; 128])]);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(gateway.addr()).await.unwrap();
    let body = chat_stream("only", "hi").to_string();
    let request = crate::support::raw::post("/v1/chat/completions", &body);
    client.write_all(request.as_bytes()).await.unwrap();
    eventually("its upstream is let go", async || (!edge.cancels().is_empty()).then_some(())).await;
    let answer = gateway.chat(&chat("only", "other")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

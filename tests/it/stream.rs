//! Server-sent events on their way through: at once, complete, in order, and honest when they break.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::sse::{self, Event};
use crate::support::upstream::answers::{chat_chunk, frame, usage_chunk};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, at_rest, eventually};

/// How soon a client's leaving must reach the upstream.
const CANCEL_WITHIN: Duration = Duration::from_millis(100);

async fn gateway_to(cloud: &Upstream) -> Gateway {
    Gateway::with(&Config::cloud_only(cloud)).await
}

fn usage_of(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| event.json()["usage"].clone()).filter(|usage| !usage.is_null()).collect()
}

#[tokio::test]
async fn the_first_event_goes_out_when_it_comes_in() {
    let gate = Gate::new();
    let held = Answer::chat_stream(&["first", " second"], false).gated(Point::AfterPiece(2), &gate);
    let cloud = Upstream::named("cloud").await.always(held);
    let gateway = gateway_to(&cloud).await;
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    stream.event().await.expect("the role");
    assert_eq!(stream.event().await.expect("the first word").content(), "first");
    gate.open();
    let rest = stream.events().await;
    assert_eq!(sse::text(&rest), " second");
    assert!(rest.last().unwrap().is_done());
}

#[tokio::test]
async fn usage_is_asked_for_and_removed_unless_the_client_wants_it() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let cases = [
        (json!({}), false),
        (json!({"stream_options": null}), false),
        (json!({"stream_options": {}}), false),
        (json!({"stream_options": {"include_usage": false}}), false),
        (json!({"stream_options": {"include_obfuscation": false, "include_usage": true}}), true),
    ];
    for (more, wanted) in cases {
        for (model, upstream) in [("small", &edge), ("frontier", &cloud)] {
            let mut body = chat_stream(model, "hi");
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let events = gateway.chat(&body).send().await.events();
            assert_eq!(sse::text(&events), format!("hello from {}", if model == "small" { "edge" } else { "cloud" }));
            assert_eq!(usage_of(&events).len(), usize::from(wanted), "{model} {more}");
            assert!(events.last().unwrap().is_done());
            let sent = upstream.requests().pop().unwrap().json();
            assert_eq!(sent["stream_options"]["include_usage"], true, "{model} {more}");
            let kept = &more["stream_options"]["include_obfuscation"];
            assert_eq!(&sent["stream_options"]["include_obfuscation"], kept);
        }
    }
}

/// Chat chunks may carry `usage: null` on the way, and the last one may carry content and usage at once: only the frame that exists
/// for usage alone may be taken away.
#[tokio::test]
async fn only_a_frame_without_choices_is_taken_for_the_usage_frame() {
    let cloud = Upstream::named("cloud").await;
    let mut plain = chat_chunk(&json!({"content": "a"}), Value::Null);
    plain["usage"] = Value::Null;
    let mut last = chat_chunk(&json!({"content": "b"}), json!("stop"));
    last["usage"] = usage_chunk()["usage"].clone();
    let filter = json!({"id": "x", "object": "chat.completion.chunk", "choices": [], "prompt_filter_results": [1]});
    let frames = [frame(&filter), frame(&plain), frame(&last), frame(&usage_chunk()), "data: [DONE]\n\n".into()];
    cloud.next([Answer::sse(frames)]);
    let events = gateway_to(&cloud).await.chat(&chat_stream("auto", "hi")).send().await.events();
    assert_eq!(sse::text(&events), "ab");
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(events[0].json(), filter);
}

#[tokio::test]
async fn crlf_comments_and_several_data_lines_pass() {
    let body = ": keep-alive\r\n\r\ndata: {\"choices\":[{\"delta\":\r\ndata: {\"content\":\"a\"}}]}\r\n\r\nid: 7\r\nretry: 5\r\n\
                data:{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n:\n\nevent: odd\ndata: {\"choices\":[]}\n\ndata: [DONE]\r\n\r\n";
    let cloud = Upstream::named("cloud").await.always(Answer::sse([body]));
    let events = gateway_to(&cloud).await.chat(&chat_stream("auto", "hi")).send().await.events();
    assert_eq!(events, sse::events(body.as_bytes()));
    assert_eq!(sse::text(&events), "ab");
}

#[tokio::test]
async fn a_stream_split_at_any_byte_is_the_same_stream() {
    let frames = [
        Bytes::from_static(b": c\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"\xc3\xa9\"}}]}\r\n\r\n"),
        Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\" \\u00e9\"}}]}\n\n"),
        Bytes::from_static(
            b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
        ),
        Bytes::from_static(b"data: [DONE]\n\n"),
    ];
    let whole = Answer::sse(frames);
    let cloud = Upstream::named("cloud").await.always(whole.clone());
    let gateway = gateway_to(&cloud).await;
    let expected = gateway.chat(&chat_stream("auto", "hi")).send().await.events();
    assert_eq!((sse::text(&expected).as_str(), expected.len()), ("é é", 3));
    for at in 1..whole.body().len() {
        cloud.next([whole.clone().split_at(at).spaced(Duration::from_millis(1))]);
        let events = gateway.chat(&chat_stream("auto", "hi")).send().await.events();
        assert_eq!(events, expected, "split at byte {at}");
    }
    cloud.next([whole.dripped(Duration::ZERO)]);
    assert_eq!(gateway.chat(&chat_stream("auto", "hi")).send().await.events(), expected, "dripped");
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_event() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    let stream = Answer::chat_stream(&["one", "two", "three"], true);
    let cases = [
        ("reset", stream.clone().reset(Point::AfterPiece(3))),
        ("closed", stream.clone().closed(Point::AfterPiece(3))),
        ("reset inside a frame", stream.clone().reset(Point::InsidePiece(4))),
        ("closed inside a frame", stream.closed(Point::InsidePiece(4))),
    ];
    for (case, answer) in cases {
        cloud.next([answer]);
        let events = gateway.chat(&chat_stream("auto", "hi")).send().await.events();
        let (last, before) = events.split_last().expect("events");
        assert_eq!(sse::text(before), "onetwo", "{case}: {events:?}");
        assert!(last.is_error() && last.json()["error"]["message"].is_string(), "{case}: {last:?}");
        assert!(events.iter().all(|event| !event.is_done()), "{case}");
        assert_eq!(events.iter().filter(|event| event.is_error()).count(), 1, "{case}");
    }
}

#[tokio::test]
async fn a_stall_between_tokens_ends_with_an_error_event() {
    let cloud =
        Upstream::named("cloud").await.always(Answer::chat_stream(&["one"], true).stalled(Point::AfterPiece(2)));
    let config = Config::new()
        .cloud_with("acme", &cloud, "timeouts: {between_tokens: 300ms}")
        .model("frontier", "acme", "")
        .route("auto", "", &["frontier"]);
    let gateway = Gateway::with(&config).await;
    let events = gateway.chat(&chat_stream("auto", "hi")).send().await.events();
    assert_eq!(sse::text(&events), "one");
    assert!(events.last().unwrap().is_error() && events.iter().all(|event| !event.is_done()), "{events:?}");
    eventually("the stalled upstream is let go", async || (cloud.cancels().len() == 1).then_some(())).await;
}

/// Five tries, because a busy CI machine may hold up the mock itself for longer than the limit.
#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_at_once() {
    let stalled = Answer::chat_stream(&["one"], false).stalled(Point::AfterPiece(2));
    let cloud = Upstream::named("cloud").await.always(stalled);
    let gateway = gateway_to(&cloud).await;
    let mut quickest = Duration::MAX;
    for attempt in 0..5 {
        let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
        stream.event().await.expect("the first event");
        let left = stream.disconnect();
        let cancel = eventually("the upstream is cancelled", async || cloud.cancels().get(attempt).copied()).await;
        quickest = quickest.min(cancel.at - left);
        if quickest <= CANCEL_WITHIN {
            return;
        }
    }
    panic!("the quickest of five cancels took {quickest:?}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_too() {
    let cloud = Upstream::named("cloud").await.always(Answer::chat("never").stalled(Point::BeforeHead));
    let gateway = gateway_to(&cloud).await;
    for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
        let before = cloud.cancels().len();
        let waiting = tokio::spawn(gateway.chat(&body).try_send());
        eventually("the upstream has the request", async || (cloud.in_flight() == 1).then_some(())).await;
        waiting.abort();
        eventually("the upstream is cancelled", async || (cloud.cancels().len() > before).then_some(())).await;
    }
    assert_eq!(cloud.requests().len(), 2, "a request that nobody waits for was sent again");
}

#[tokio::test]
async fn a_slow_reader_bounds_what_is_read_from_the_upstream() {
    const PIECES: usize = 768;
    let chunk = frame(&chat_chunk(&json!({"content": "x".repeat(64 << 10)}), Value::Null));
    let mut frames = vec![chunk.clone(); PIECES];
    frames.push("data: [DONE]\n\n".into());
    let cloud = Upstream::named("cloud").await.always(Answer::sse(frames));
    let gateway = gateway_to(&cloud).await;
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    let sent = at_rest("the upstream is held", || cloud.sent_bytes()).await;
    // What the kernel buffers on the two connections (some megabytes each), and little more.
    assert!(sent < 24 << 20, "{sent} bytes were read from the upstream for a client that reads none");
    let mut read = 0;
    while let Some(bytes) = stream.chunk().await {
        read += bytes.expect("an unbroken stream").len();
    }
    assert_eq!(read, chunk.len() * PIECES + "data: [DONE]\n\n".len());
}

#[tokio::test]
async fn tool_calls_come_in_order() {
    let pieces = ["{\"ci", "ty\":", "\"Z\\u00fc", "rich\"", "}"];
    let cloud = Upstream::named("cloud").await.always(Answer::tool_stream("weather", &pieces, true));
    let gateway = gateway_to(&cloud).await;
    let mut body = chat_stream("auto", "hi");
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {}}}]);
    let events = gateway.chat(&body).send().await.events();
    let calls: Vec<Value> =
        events.iter().map(|event| event.json()["choices"][0]["delta"]["tool_calls"][0].clone()).collect();
    assert_eq!((&calls[0]["id"], &calls[0]["function"]["name"]), (&json!("call_1"), &json!("weather")));
    let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, pieces.concat());
    assert_eq!(cloud.only_request().json()["tools"], body["tools"]);
}

#[tokio::test]
async fn responses_events_pass_as_they_are() {
    let upstream_says = Answer::response_stream(&["a", "b"]);
    let cloud = Upstream::named("cloud").await.always(upstream_says.clone());
    let gateway = gateway_to(&cloud).await;
    let body = json!({"model": "auto", "input": "hi", "stream": true});
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    assert_eq!(answer.events(), sse::events(&upstream_says.body()));
    let sent = cloud.only_request().json();
    assert_eq!(sent, json!({"model": "gpt-5", "input": "hi", "stream": true}), "responses have no stream_options");
}

#[tokio::test]
async fn a_refused_stream_is_a_plain_error() {
    let cloud = Upstream::named("cloud").await.always(Answer::error(400, "invalid_request_error", "too long"));
    let answer = gateway_to(&cloud).await.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(answer.expect_error(400)["message"], "too long");
}

#[tokio::test]
async fn a_frame_of_a_megabyte_and_a_stream_closed_by_its_end_pass() {
    let text = "é".repeat(1 << 19);
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    for answer in [Answer::chat_stream(&[&text], true), Answer::chat_stream(&[&text], true).until_close()] {
        cloud.next([answer]);
        let events = gateway.chat(&chat_stream("auto", "hi")).send().await.events();
        assert!(sse::text(&events) == text, "another text of {} bytes", sse::text(&events).len());
        assert!(events.last().unwrap().is_done());
    }
}

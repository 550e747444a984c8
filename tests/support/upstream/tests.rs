//! The mock upstream against a bare client: each way to misbehave does what it says, or the tests that stand on it mean nothing.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use tokio::net::TcpStream;

use super::answers::frame;
use super::{Act, Answer, Gate, Point, Upstream};
use crate::support::client::{chat, chat_stream};
use crate::support::raw::Raw;
use crate::support::{Call, at_rest, eventually, sse, within};

fn post(upstream: &Upstream) -> Call {
    Call::new(upstream.addr(), Method::POST, "/v1/chat/completions")
}

#[tokio::test]
async fn answers_as_usual_and_keeps_the_request() {
    let upstream = Upstream::named("edge").await;
    let answer = post(&upstream).header("X-Custom", "kept").json(&chat("m", "hi")).send().await;
    assert_eq!(answer.content(), "hello from edge");
    let request = upstream.only_request();
    assert_eq!((request.method.as_str(), request.path()), ("POST", "/v1/chat/completions"));
    assert_eq!(request.header("x-custom"), Some("kept"));
    assert_eq!(request.json(), chat("m", "hi"));
    assert!(request.raw_head.starts_with(b"POST /v1/chat/completions HTTP/1.1\r\n"));
    assert_eq!((upstream.in_flight(), upstream.connections(), request.connection), (0, 1, 0));
}

#[tokio::test]
async fn streams_with_usage_only_when_asked() {
    let upstream = Upstream::named("edge").await;
    let plain = post(&upstream).json(&chat_stream("m", "hi")).send().await.events();
    assert_eq!(sse::text(&plain), "hello from edge");
    assert!(plain.iter().all(|event| event.json().get("usage").is_none()) && plain.last().unwrap().is_done());
    let mut body = chat_stream("m", "hi");
    body["stream_options"] = json!({"include_usage": true});
    let counted = post(&upstream).json(&body).send().await.events();
    assert_eq!(counted.len(), plain.len() + 1);
    assert_eq!(counted[counted.len() - 2].json()["usage"]["total_tokens"], 18);
}

#[tokio::test]
async fn queued_answers_come_first() {
    let upstream = Upstream::named("edge").await.always(Answer::chat("standing"));
    upstream.next([Answer::rate_limited("1"), Answer::loading()]);
    let statuses = [post(&upstream).send().await.status, post(&upstream).send().await.status];
    assert_eq!(statuses, [429, 503]);
    assert_eq!(post(&upstream).send().await.content(), "standing");
    upstream.now_always(Answer::error(500, "server_error", "no"));
    assert_eq!(post(&upstream).send().await.expect_error(500)["message"], "no");
    upstream.now_well();
    assert_eq!(post(&upstream).json(&chat("m", "hi")).send().await.content(), "hello from edge");
}

#[tokio::test]
async fn health_is_told_and_counted_apart() {
    let upstream = Upstream::named("edge").await;
    let health = || Call::new(upstream.addr(), Method::GET, "/health").send();
    assert_eq!(health().await.status, 200);
    upstream.set_sick(true);
    assert_eq!(health().await.status, 503);
    assert_eq!((upstream.health_checks(), upstream.requests().len()), (2, 0));
}

#[tokio::test]
async fn resets_at_each_point() {
    for point in [Point::BeforeHead, Point::AfterHead, Point::AfterPiece(2), Point::InsidePiece(2)] {
        let upstream = Upstream::named("edge").await.always(Answer::chat_stream(&["a", "b"], false).reset(point));
        let error = post(&upstream).try_send().await.expect_err("the connection is reset");
        assert!(!error.is_empty());
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn lies_about_its_length() {
    let upstream = Upstream::named("edge").await.always(Answer::chat("short").claiming(10_000));
    assert!(post(&upstream).try_send().await.is_err(), "too few bytes");
    upstream.now_always(Answer::chat("a long one").claiming(5));
    assert_eq!(post(&upstream).send().await.body.len(), 5);
    upstream.now_always(Answer::garbage());
    assert!(post(&upstream).try_send().await.is_err(), "no HTTP");
    upstream.now_always(Answer::chat("old").until_close());
    assert_eq!(post(&upstream).send().await.content(), "old");
}

#[tokio::test]
async fn drips_and_splits_without_changing_a_byte() {
    let whole = Answer::chat_stream(&["a", "b"], true);
    let upstream = Upstream::named("edge").await;
    for cut in [1, 17, whole.body().len() - 1] {
        upstream.now_always(whole.clone().split_at(cut));
        assert_eq!(post(&upstream).send().await.body, whole.body());
    }
    upstream.now_always(Answer::sse([frame(&json!(1))]).dripped(Duration::ZERO));
    assert_eq!(post(&upstream).send().await.text(), "data: 1\n\n");
}

#[tokio::test]
async fn a_gate_holds_an_answer_until_it_is_opened() {
    let gate = Gate::new();
    let held = Answer::chat_stream(&["a", "b"], false).gated(Point::AfterPiece(1), &gate);
    let upstream = Upstream::named("edge").await.always(held);
    let mut stream = post(&upstream).stream().await;
    assert_eq!(stream.event().await.unwrap().json()["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(upstream.in_flight(), 1);
    gate.open();
    assert_eq!(sse::text(&stream.events().await), "ab");
}

#[tokio::test]
async fn waits_before_the_head_and_between_pieces() {
    let wait = Duration::from_millis(20);
    let upstream =
        Upstream::named("edge").await.always(Answer::sse(["data: 1\n\n", "data: 2\n\n"]).delayed(wait).spaced(wait));
    let started = Instant::now();
    assert_eq!(post(&upstream).send().await.events().len(), 2);
    assert!(started.elapsed() >= wait * 2);
}

#[tokio::test]
async fn a_cancel_is_recorded_with_its_time() {
    let upstream =
        Upstream::named("edge").await.always(Answer::chat_stream(&["a"], false).stalled(Point::AfterPiece(1)));
    let mut stream = post(&upstream).stream().await;
    stream.event().await.expect("the first event");
    let left = stream.disconnect();
    let cancel = eventually("the cancel is recorded", async || upstream.cancels().first().copied()).await;
    assert!(cancel.request == 0 && cancel.at >= left);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_the_writer() {
    let chunk = bytes::Bytes::from(vec![b'x'; 64 << 10]);
    let upstream = Upstream::named("edge").await.always(Answer::sse(vec![chunk; 1024]));
    let mut stream = post(&upstream).stream().await;
    let sent = at_rest("the writer is held", || upstream.sent_bytes()).await;
    assert!(sent < 32 << 20, "{sent} bytes were taken by buffers");
    let mut read = 0;
    while let Some(chunk) = stream.chunk().await {
        read += chunk.expect("bytes").len();
    }
    assert_eq!(read, 64 << 20);
}

#[tokio::test]
async fn killed_it_refuses_and_resets_and_returns_on_its_port() {
    let upstream =
        Upstream::named("edge").await.always(Answer::chat_stream(&["a"], false).stalled(Point::AfterPiece(1)));
    let mut stream = post(&upstream).stream().await;
    stream.event().await.expect("the first event");
    upstream.kill().await;
    assert!(stream.chunk().await.expect("not a regular end").is_err());
    assert!(TcpStream::connect(upstream.addr()).await.is_err());
    upstream.restart_on_same_port().await;
    upstream.now_well();
    assert_eq!(post(&upstream).json(&chat("m", "hi")).send().await.content(), "hello from edge");
    let down = Upstream::down("nobody");
    assert!(TcpStream::connect(down.addr()).await.is_err());
}

#[tokio::test]
async fn reads_chunked_bodies_as_they_come_and_echoes() {
    let upstream = Upstream::named("edge").await;
    let (call, body) =
        Call::new(upstream.addr(), Method::POST, "/v1/files").streamed_body("multipart/form-data; boundary=x");
    let answer = tokio::spawn(call.send());
    body.send("first".into()).await.expect("the body is read");
    eventually("the first bytes arrive", async || (upstream.received_bytes() == 5).then_some(())).await;
    body.send("second".into()).await.expect("the body is read");
    drop(body);
    let answer = within("the echo", answer).await.expect("no panic");
    assert_eq!(
        (answer.text().as_str(), answer.header("content-type")),
        ("firstsecond", "multipart/form-data; boundary=x")
    );
}

#[tokio::test]
async fn upgrades_and_echoes() {
    let upstream = Upstream::named("edge").await.always(Answer::websocket_echo());
    let mut raw = Raw::connect(upstream.addr()).await;
    raw.send("GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nearly").await;
    assert_eq!(raw.head().await.status, 101);
    assert_eq!(raw.take(5).await, "early");
    raw.send(b"\x81\x85late!").await;
    assert_eq!(raw.take(7).await, &b"\x81\x85late!"[..]);
}

#[tokio::test]
async fn closes_before_the_head() {
    let upstream = Upstream::named("edge").await.always(Answer::chat("x").at(Point::BeforeHead, Act::Close));
    let mut raw = Raw::connect(upstream.addr()).await;
    raw.send(crate::support::raw::post("/v1/chat/completions", "{}")).await;
    assert!(raw.closed_within(crate::support::DEADLINE).await);
}

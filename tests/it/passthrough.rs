//! Paths that the gateway adds nothing to: bodies as they are, streamed both ways, to the upstream that is configured for them.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::support::config::PROVIDER_KEY;
use crate::support::raw::Raw;
use crate::support::upstream::Framing;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually, sse, within};

const MULTIPART: &str = "multipart/form-data; boundary=----formdata-undici-069670771140";

/// A form with a file of every byte there is.
fn multipart() -> Bytes {
    let mut body = b"------formdata-undici-069670771140\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
        ------formdata-undici-069670771140\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.bin\"\r\n\r\n"
        .to_vec();
    body.extend((0..=255).cycle().take(100_000));
    body.extend(b"\r\n------formdata-undici-069670771140--\r\n");
    body.into()
}

async fn gateway_to(cloud: &Upstream) -> Gateway {
    Gateway::with(&Config::cloud_only(cloud)).await
}

#[tokio::test]
async fn an_upload_arrives_as_it_was_sent() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    for path in ["/v1/files", "/v1/audio/transcriptions", "/v1/images/edits"] {
        let call = gateway.post(path).body(MULTIPART, multipart()).header("authorization", "Bearer sk-client-secret");
        let answer = call.send().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, MULTIPART));
        assert!(answer.body == multipart(), "{path}: another answer than was given");
        let request = cloud.requests().pop().unwrap();
        assert_eq!((request.target.as_str(), request.header("content-type")), (path, Some(MULTIPART)));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
        assert!(request.body == multipart(), "{path}: another body than was sent");
        assert_eq!(answer.header("x-tidegate-placement"), "cloud");
    }
    assert_eq!(edge.requests().len(), 0);
}

#[tokio::test]
async fn an_upload_goes_on_while_it_comes_in() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    let (call, body) = gateway.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.send());
    body.send("first".into()).await.expect("the body is read");
    eventually("its beginning arrives", async || (cloud.received_bytes() == 5).then_some(())).await;
    body.send("second".into()).await.expect("the body is read");
    drop(body);
    assert_eq!(within("the answer", answer).await.expect("no panic").text(), "firstsecond");
}

#[tokio::test]
async fn an_upload_that_its_client_breaks_off_is_broken_off_upstream() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    let (call, body) = gateway.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.try_send());
    body.send("first".into()).await.expect("the body is read");
    eventually("its beginning arrives", async || (cloud.received_bytes() == 5).then_some(())).await;
    answer.abort();
    drop(body);
    assert_eq!(gateway.get("/v1/files").send().await.status, 200);
    assert_eq!(cloud.only_request().method, "GET", "half an upload passed for a whole one");
}

#[tokio::test]
async fn a_binary_answer_passes() {
    let audio: Bytes = (0..=255).cycle().take(50_000).collect::<Vec<u8>>().into();
    let pieces = audio.chunks(7_001).map(Bytes::copy_from_slice).collect();
    let cloud = Upstream::named("cloud").await.always(Answer::new(200, "audio/mpeg", Framing::Chunked, pieces));
    let gateway = gateway_to(&cloud).await;
    let answer = gateway.post("/v1/audio/speech").body("application/json", r#"{"model":"tts-1"}"#).send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/mpeg"));
    assert!(answer.body == audio, "another answer of {} bytes", answer.body.len());
    assert_eq!(cloud.only_request().body, r#"{"model":"tts-1"}"#, "a passed-through body is not touched");
}

#[tokio::test]
async fn events_of_an_unknown_path_pass_as_they_come() {
    let gate = Gate::new();
    let says = Answer::sse(["event: thread.created\ndata: {\"id\":1}\n\n", "event: done\ndata: [DONE]\n\n"]);
    let cloud = Upstream::named("cloud").await.always(says.clone().gated(Point::AfterPiece(1), &gate));
    let gateway = gateway_to(&cloud).await;
    let mut stream = gateway.post("/v1/threads/runs").body("application/json", "{}").stream().await;
    let first = stream.event().await.expect("the first event");
    assert_eq!(first.name, "thread.created");
    gate.open();
    assert_eq!([vec![first], stream.events().await].concat(), sse::events(&says.body()));
}

#[tokio::test]
async fn methods_queries_and_statuses_pass() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    for (method, target) in [
        (Method::DELETE, "/v1/files/file-1"),
        (Method::GET, "/v1/files?after=x&limit=2&q=%20%2F+&empty="),
        (Method::GET, "/v1/fine_tuning/jobs/ft%2F1/events"),
        (Method::PATCH, "/v1/vector_stores/vs_1"),
    ] {
        cloud.next([Answer::error(418, "teapot", "short and stout").header("x-provider", "acme")]);
        let answer = gateway.call(method.clone(), target).send().await;
        assert_eq!((answer.status, answer.header("x-provider")), (418, "acme"));
        let request = cloud.requests().pop().unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), (method.as_str(), target));
        assert!(request.body.is_empty());
    }
    cloud.next([Answer::new(204, "", Framing::None, vec![])]);
    assert_eq!(gateway.call(Method::DELETE, "/v1/files/file-1").send().await.status, 204);
}

/// The provider's key must not open paths beside `/v1`.
#[tokio::test]
async fn dots_do_not_climb_out() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    for target in ["/v1/../admin", "/v1/files/../../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin"] {
        let mut raw = Raw::connect(gateway.addr()).await;
        raw.send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let status = raw.head().await.status;
        assert!((400..500).contains(&status), "{target}: {status}");
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn a_websocket_passes_both_ways() {
    let cloud = Upstream::named("cloud").await.always(Answer::websocket_echo());
    let gateway = gateway_to(&cloud).await;
    let mut raw = Raw::connect(gateway.addr()).await;
    raw.send(
        "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         authorization: Bearer sk-client-secret\r\nsec-websocket-version: 13\r\n\
         sec-websocket-protocol: realtime\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("sec-websocket-accept")), (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for message in [&b"\x81\x85\x00\x00\x00\x00hello"[..], &[7; 100_000], b"\x88\x80\x00\x00\x00\x00"] {
        raw.send(message).await;
        assert!(raw.take(message.len()).await == message);
    }
    let request = cloud.only_request();
    assert_eq!(request.target, "/v1/realtime?model=gpt-realtime");
    assert_eq!(request.header("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    drop(raw);
    eventually("the upstream's side is closed", async || (cloud.in_flight() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_refused_websocket_is_a_plain_answer() {
    let cloud = Upstream::named("cloud").await.always(Answer::error(403, "forbidden", "no realtime for you"));
    let gateway = gateway_to(&cloud).await;
    let mut raw = Raw::connect(gateway.addr()).await;
    raw.send("GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n").await;
    let (head, body) = raw.answer().await;
    assert_eq!(head.status, 403);
    assert!(String::from_utf8_lossy(&body).contains("no realtime for you"));
}

#[tokio::test]
async fn a_big_upload_is_not_held_in_memory() {
    const SIZE: usize = 32 << 20;
    let cloud = Upstream::named("cloud").await.always(Answer::chat("taken"));
    let gateway = gateway_to(&cloud).await;
    assert_eq!(gateway.get("/v1/files").send().await.status, 200);
    let before = gateway.memory();
    let (call, body) = gateway.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.send());
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    let mut most = before;
    for _ in 0..SIZE / piece.len() {
        body.send(piece.clone()).await.expect("the body is read");
        most = most.max(gateway.memory());
    }
    drop(body);
    assert_eq!(answer.await.expect("no panic").status, 200);
    assert_eq!(cloud.requests()[1].body.len(), SIZE);
    assert!(most - before < 12 << 20, "memory grew by {} KiB", (most - before) >> 10);
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("server: {max_upload: 128KiB}")).await;
    let big = Bytes::from(vec![b'x'; 256 << 10]);
    let answer = gateway.post("/v1/files").body(MULTIPART, big.clone()).send().await;
    assert_eq!(answer.expect_error(413)["code"], "request_too_large");
    assert_eq!(cloud.received_bytes(), 0, "its length was known beforehand");
    let (call, body) = gateway.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.try_send());
    for piece in [big.slice(..100 << 10), big.slice(100 << 10..)] {
        let _ = body.send(piece).await;
    }
    drop(body);
    // The gateway may have to cut the connection, but must not pretend that all went well.
    if let Ok(answer) = within("the refusal", answer).await.expect("no panic") {
        answer.expect_error(413);
    }
    assert_eq!(cloud.requests().len(), 0);
    assert_eq!(gateway.post("/v1/files").body(MULTIPART, big.slice(..1000)).send().await.status, 200);
}

#[tokio::test]
async fn an_upload_that_pauses_too_long_is_ended() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("server: {body_timeout: 300ms}")).await;
    let (call, body) = gateway.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.try_send());
    body.send("first".into()).await.expect("the body is read");
    if let Ok(answer) = within("the end", answer).await.expect("no panic") {
        answer.expect_error(408);
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn where_it_goes_is_configured() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::hybrid(&edge, &cloud);
    let gateway = Gateway::with(&config.clone().top("passthrough: lab")).await;
    assert_eq!(gateway.get("/v1/files").send().await.header("x-tidegate-placement"), "edge");
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 0));
    let gateway = Gateway::with(&config.top("passthrough: off")).await;
    gateway.get("/v1/files").send().await.expect_error(404);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 0));
}

#[tokio::test]
async fn an_upstream_that_fails_is_an_error_in_openais_shape() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud).await;
    for broken in [Answer::garbage(), Answer::chat("").reset(Point::BeforeHead)] {
        cloud.next([broken]);
        gateway.post("/v1/files").body(MULTIPART, multipart()).send().await.expect_error(502);
    }
    cloud.kill().await;
    gateway.get("/v1/files").send().await.expect_error(502);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_be_broken() {
    let half = Answer::new(200, "audio/mpeg", Framing::Length, vec![Bytes::from(vec![1; 1000])]).claiming(2000);
    let cloud = Upstream::named("cloud").await.always(half);
    let gateway = gateway_to(&cloud).await;
    assert!(gateway.get("/v1/files/file-1/content").try_send().await.is_err());
}

#[tokio::test]
async fn a_client_that_leaves_cancels_here_too() {
    let slow = Answer::sse(vec!["data: 1\n\n"; 1000]).spaced(Duration::from_millis(5));
    let cloud = Upstream::named("cloud").await.always(slow);
    let gateway = gateway_to(&cloud).await;
    let mut stream = gateway.get("/v1/events").stream().await;
    stream.event().await.expect("the first event");
    stream.disconnect();
    eventually("the upstream is cancelled", async || (cloud.cancels().len() == 1).then_some(())).await;
}

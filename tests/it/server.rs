//! The listeners: limits, slow clients, protocols, and how the process starts, drains, ends and hands over.

use serde_json::json;

use crate::support::client::{chat, chat_stream};
use crate::support::gateway::{config_path, run, with_listeners};
use crate::support::load::Load;
use crate::support::raw::{Raw, post};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

const CHAT: &str = "/v1/chat/completions";

async fn gateway_to(cloud: &Upstream, server: &str) -> Gateway {
    Gateway::with(&Config::cloud_only(cloud).top(&format!("server: {{{server}}}"))).await
}

fn body() -> String {
    chat("auto", "hi").to_string()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "max_body: 1KiB").await;
    let big = chat("auto", &"x".repeat(2048));
    let answer = gateway.chat(&big).send().await;
    assert_eq!(answer.expect_error(413)["code"], "request_too_large");
    // Of unknown length, so that the limit is only met on the way.
    let (call, sender) = gateway.post(CHAT).streamed_body("application/json");
    let answer = tokio::spawn(call.try_send());
    let _ = sender.send(big.to_string().into()).await;
    drop(sender);
    answer.await.expect("no panic").expect("an answer").expect_error(413);
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "max_header: 8KiB").await;
    let mut raw = Raw::connect(gateway.addr()).await;
    let head = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n", "v".repeat(20 << 10));
    let _ = raw.try_send(head).await;
    assert_eq!(raw.head().await.status, 431);
    assert_eq!(gateway.get("/v1/models").header("x-small", &"v".repeat(4 << 10)).send().await.status, 200);
}

#[tokio::test]
async fn a_slow_head_cannot_hold_a_connection() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "header_timeout: 300ms").await;
    for start in ["", "POST /v1/chat", "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"] {
        let mut raw = Raw::connect(gateway.addr()).await;
        raw.send(start).await;
        let rest = raw.rest().await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_timed_out() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "body_timeout: 300ms").await;
    let mut raw = Raw::connect(gateway.addr()).await;
    raw.send(&post(CHAT, &body())[..110]).await;
    let (head, body) = raw.answer().await;
    assert_eq!(head.status, 408, "{body:?}");
    assert!(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")["error"]["message"].is_string());
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_inside_its_body_leaves_nothing_behind() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "max_in_flight: 1").await;
    for _ in 0..3 {
        let mut raw = Raw::connect(gateway.addr()).await;
        raw.send(&post(CHAT, &body())[..110]).await;
    }
    eventually("its slot is free again", async || {
        (gateway.chat(&chat("auto", "hi")).send().await.status == 200).then_some(())
    })
    .await;
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "max_body: 1KiB").await;
    let request = |body: &str| post(CHAT, body).replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let mut raw = Raw::connect(gateway.addr()).await;
    let whole = request(&body());
    let (head, rest) = whole.split_once("\r\n\r\n").unwrap();
    raw.send(format!("{head}\r\n\r\n")).await;
    assert_eq!(raw.head().await.status, 100);
    raw.send(rest).await;
    assert_eq!(raw.answer().await.0.status, 200);
    let mut raw = Raw::connect(gateway.addr()).await;
    let whole = request(&"x".repeat(4096));
    raw.send(&whole[..whole.len() - 4096]).await;
    assert_eq!(raw.head().await.status, 413, "the body was asked for although its length is over the limit");
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "workers: 1").await;
    let mut raw = Raw::connect(gateway.addr()).await;
    for _ in 0..5 {
        raw.send(post(CHAT, &body())).await;
        assert_eq!(raw.answer().await.0.status, 200);
    }
    // Two at once, answered in order.
    raw.send(post(CHAT, &body()) + "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(String::from_utf8_lossy(&raw.answer().await.1).contains("hello from cloud"));
    assert!(String::from_utf8_lossy(&raw.answer().await.1).contains("\"list\""));
    assert_eq!((cloud.requests().len(), cloud.connections()), (6, 1));
}

#[tokio::test]
async fn a_kept_upstream_connection_that_has_died_is_not_an_error() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "workers: 1").await;
    for _ in 0..5 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
        cloud.kill().await;
        cloud.restart_on_same_port().await;
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_and_http_1_0_are_spoken() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "").await;
    let answer = gateway.chat(&chat("auto", "hi")).h2().send().await;
    assert_eq!(answer.content(), "hello from cloud");
    let events = gateway.chat(&chat_stream("auto", "hi")).h2().send().await.events();
    assert!(events.last().unwrap().is_done());
    let mut raw = Raw::connect(gateway.addr()).await;
    raw.send(post(CHAT, &body()).replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let mut raw = Raw::connect(gateway.addr()).await;
    raw.send(post(CHAT, &chat_stream("auto", "hi").to_string()).replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
    assert!(raw.rest().await.ends_with(b"data: [DONE]\n\n"), "chunks are no HTTP/1.0");
}

#[tokio::test]
async fn what_is_no_http_gets_no_further() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "header_timeout: 1s").await;
    let smuggled =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 40\r\n\r\n{}{}";
    let cases: [&[u8]; 4] =
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n", smuggled.as_bytes()];
    for bytes in cases {
        let mut raw = Raw::connect(gateway.addr()).await;
        raw.send(bytes).await;
        let answer = raw.rest().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    assert_eq!(cloud.requests().len(), 0);
    assert_eq!(gateway.admin("/livez").send().await.status, 200);
}

#[tokio::test]
async fn above_the_limit_of_requests_in_flight_it_is_overloaded() {
    let gate = Gate::new();
    let cloud = Upstream::named("cloud").await;
    cloud.next([Answer::chat("held").gated(Point::BeforeHead, &gate)]);
    let gateway = gateway_to(&cloud, "max_in_flight: 1").await;
    let held = tokio::spawn(gateway.chat(&chat("auto", "hi")).send());
    eventually("the first is in flight", async || (cloud.in_flight() == 1).then_some(())).await;
    let refused = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!(refused.expect_error(503)["code"], "overloaded");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds <= 5), "{:?}", refused.headers);
    assert_eq!(gateway.admin("/livez").send().await.status, 200, "the admin listener has no part in the limit");
    gate.open();
    assert_eq!(held.await.expect("no panic").content(), "held");
}

#[tokio::test]
async fn connections_above_the_cap_wait_for_their_turn() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "max_connections: 1, workers: 1").await;
    let mut first = Raw::connect(gateway.addr()).await;
    first.send(post(CHAT, &body())).await;
    assert_eq!(first.answer().await.0.status, 200);
    let mut second = Raw::connect(gateway.addr()).await;
    second.send(post(CHAT, &body())).await;
    first.send(post(CHAT, &body())).await;
    assert_eq!(first.answer().await.0.status, 200);
    assert_eq!(cloud.requests().len(), 2, "the second connection was served beside the first");
    drop(first);
    assert_eq!(second.answer().await.0.status, 200);
}

#[tokio::test]
async fn health_and_metrics_are_on_the_admin_listener_only() {
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "").await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(gateway.admin(path).send().await.status, 200, "{path}");
        assert_eq!(gateway.get(path).send().await.status, 404, "{path}");
    }
    let metrics = gateway.admin("/metrics").send().await;
    assert!(metrics.header("content-type").starts_with("text/plain"), "{:?}", metrics.headers);
    assert_eq!(gateway.admin("/v1/models").send().await.status, 404);
}

#[tokio::test]
async fn sigterm_drains_a_stream_and_then_ends() {
    let gate = Gate::new();
    let held = Answer::chat_stream(&["one", "two"], false).gated(Point::AfterPiece(2), &gate);
    let cloud = Upstream::named("cloud").await.always(held);
    let mut gateway = gateway_to(&cloud, "").await;
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    stream.event().await.expect("the first event");
    let idle = Raw::connect(gateway.addr()).await;
    gateway.signal("TERM");
    eventually("no new connection is taken", async || {
        tokio::net::TcpStream::connect(gateway.addr()).await.is_err().then_some(())
    })
    .await;
    assert!(gateway.is_running());
    idle.rest().await;
    gate.open();
    assert!(stream.events().await.last().unwrap().is_done());
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
}

#[tokio::test]
async fn the_drain_has_an_end_and_a_second_sigterm_ends_at_once() {
    let cloud =
        Upstream::named("cloud").await.always(Answer::chat_stream(&["one"], false).stalled(Point::AfterPiece(2)));
    for (drain, terms) in [("300ms", 1), ("1h", 2)] {
        let mut gateway = gateway_to(&cloud, &format!("drain_timeout: {drain}")).await;
        let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
        stream.event().await.expect("the first event");
        gateway.signal("TERM");
        eventually("the listener is closed", async || {
            tokio::net::TcpStream::connect(gateway.addr()).await.is_err().then_some(())
        })
        .await;
        for _ in 1..terms {
            gateway.signal("TERM");
        }
        gateway.wait_exit().await;
        assert!(stream.events().await.iter().all(|event| !event.is_done()), "an unfinished stream looks finished");
    }
}

#[tokio::test]
async fn an_upgrade_under_load_refuses_no_connection() {
    let gate = Gate::new();
    let cloud = Upstream::named("cloud").await;
    cloud.next([Answer::chat_stream(&["one", "two"], false).gated(Point::AfterPiece(2), &gate)]);
    let mut old = Gateway::with(&Config::cloud_only(&cloud)).await;
    let mut stream = old.chat(&chat_stream("auto", "hi")).stream().await;
    stream.event().await.expect("the first event");
    let load = Load::start(old.addr(), 4);
    load.more(20).await;
    let new = old.upgrade().await;
    assert_eq!(new.addr(), old.addr());
    load.more(20).await;
    gate.open();
    assert!(stream.events().await.last().unwrap().is_done(), "a stream of the old process was cut");
    assert_eq!(old.wait_exit().await.code(), Some(0));
    load.more(20).await;
    assert_eq!(load.stop().await, Vec::<String>::new());
    assert_eq!(new.admin("/readyz").send().await.status, 200);
}

async fn serve_fails(yaml: &str, code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(config_path(dir.path()), with_listeners(dir.path(), yaml)).unwrap();
    let output = run(dir.path(), &["serve", "-c", "tidegate.yaml"]).await;
    assert_eq!(output.code, Some(code), "{}", output.text());
    for word in words {
        assert!(output.stderr.contains(word), "no `{word}` in {}", output.stderr);
    }
}

#[tokio::test]
async fn a_taken_port_is_told_with_status_3() {
    let cloud = Upstream::named("cloud").await;
    let taken = cloud.addr().to_string();
    for key in ["listen", "admin"] {
        let config = Config::cloud_only(&cloud).top(&format!("{key}: {taken}"));
        serve_fails(&config.yaml(), 3, &[&taken, key]).await;
    }
}

#[tokio::test]
async fn without_tenants_only_loopback_is_listened_on() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud).top("listen: 0.0.0.0:0");
    serve_fails(&config.yaml(), 1, &["0.0.0.0", "127.0.0.1"]).await;
}

#[tokio::test]
async fn usage_errors_have_status_2_and_the_version_is_told() {
    let nowhere = std::env::temp_dir();
    assert_eq!(run(&nowhere, &["serv"]).await.code, Some(2));
    assert_eq!(run(&nowhere, &["serve", "--no-such-flag"]).await.code, Some(2));
    let version = run(&nowhere, &["--version"]).await;
    assert_eq!((version.code, version.stdout.contains(env!("CARGO_PKG_VERSION"))), (Some(0), true), "{version:?}");
    assert_eq!(run(&nowhere, &["--help"]).await.code, Some(0));
}

#[tokio::test]
async fn explain_decides_without_sending() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(config_path(dir.path()), with_listeners(dir.path(), &Config::hybrid(&edge, &cloud).yaml())).unwrap();
    let request = json!({"model": "auto", "messages": [], "tidegate": {"placement": "only-cloud"}});
    std::fs::write(dir.path().join("request.json"), request.to_string()).unwrap();
    let output = run(dir.path(), &["explain", "-c", "tidegate.yaml", "request.json"]).await;
    assert_eq!(output.code, Some(0), "{}", output.text());
    for word in ["auto", "all", "small", "frontier", "placement"] {
        assert!(output.stdout.contains(word), "no `{word}` in {}", output.stdout);
    }
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 0));
}

#[tokio::test]
async fn the_demo_runs_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["demo", "--once", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.code, Some(0), "{}", output.text());
    for word in ["simulated", "edge", "cloud"] {
        assert!(output.text().contains(word), "no `{word}` in {}", output.text());
    }
}

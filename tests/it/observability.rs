//! What operators see: metrics by the names and labels of the contract, one log line a request, nothing private in either.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::config::PROVIDER_KEY;
use crate::support::gateway::field;
use crate::support::upstream::answers::{COMPLETION_TOKENS, PROMPT_TOKENS};
use crate::support::{Answer, Config, Gateway, Point, Response, Upstream, eventually};

async fn hybrid() -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    (edge, cloud, gateway)
}

/// The log lines that carry this request's id.
fn lines_of(gateway: &Gateway, answer: &Response) -> Vec<Value> {
    let id = answer.header("x-request-id");
    assert!(!id.is_empty());
    gateway.log().records().into_iter().filter(|record| record.to_string().contains(id)).collect()
}

#[tokio::test]
async fn requests_and_tokens_are_counted() {
    let (_edge, _cloud, gateway) = hybrid().await;
    for body in [chat("auto", "hi"), chat_stream("gpt-4o", "hi"), chat("cloud-first", "hi")] {
        assert_eq!(gateway.chat(&body).send().await.status, 200);
    }
    let small = [("model", "small"), ("placement", "edge")];
    let frontier = [("model", "frontier"), ("placement", "cloud")];
    let total = "tidegate_requests_total";
    gateway
        .eventually_metric(total, &[small[0], small[1], ("route", "auto"), ("rule", "all"), ("outcome", "ok")], 2.0)
        .await;
    gateway
        .eventually_metric(total, &[frontier[0], frontier[1], ("route", "cloud-first"), ("outcome", "ok")], 1.0)
        .await;
    // The streamed one counts although its client did not ask for usage.
    let counted = |model, kind| [("model", model), ("kind", kind)];
    let (prompt, completion) = (PROMPT_TOKENS as f64, COMPLETION_TOKENS as f64);
    gateway.eventually_metric("tidegate_tokens_total", &counted("small", "completion"), 2.0 * completion).await;
    gateway.eventually_metric("tidegate_tokens_total", &counted("frontier", "prompt"), prompt).await;
    gateway.eventually_metric("tidegate_request_seconds_count", &small, 2.0).await;
    gateway.eventually_metric("tidegate_first_token_seconds_count", &frontier, 1.0).await;
    gateway.eventually_metric("tidegate_upstream_in_flight", &[], 0.0).await;
}

#[tokio::test]
async fn failures_and_fallbacks_are_counted() {
    let (edge, cloud, gateway) = hybrid().await;
    edge.next([Answer::error(500, "server_error", "oops")]);
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    gateway.eventually_metric("tidegate_fallbacks_total", &[("from", "small"), ("to", "frontier")], 1.0).await;
    cloud.next([Answer::error(400, "invalid_request_error", "your fault")]);
    gateway.chat(&chat("frontier", "hi")).send().await.expect_error(400);
    gateway.chat(&chat("no-such-model", "hi")).send().await.expect_error(404);
    let total = "tidegate_requests_total";
    gateway.eventually_metric(total, &[("outcome", "upstream-refused")], 1.0).await;
    gateway.eventually_metric(total, &[("outcome", "model-not-found")], 1.0).await;
    cloud.next([Answer::chat_stream(&["one"], false).reset(Point::AfterPiece(2))]);
    gateway.chat(&chat_stream("frontier", "hi")).send().await;
    gateway.eventually_metric(total, &[("outcome", "broken")], 1.0).await;
    let stalled = Answer::chat_stream(&["one"], false).stalled(Point::AfterPiece(2));
    cloud.next([stalled]);
    let mut stream = gateway.chat(&chat_stream("frontier", "hi")).stream().await;
    stream.event().await.expect("the first event");
    stream.disconnect();
    gateway.eventually_metric(total, &[("outcome", "client-gone")], 1.0).await;
}

#[tokio::test]
async fn metrics_have_the_contracts_names_and_labels() {
    let (edge, _cloud, gateway) = hybrid().await;
    edge.next([Answer::loading()]);
    for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
        assert_eq!(gateway.chat(&body).send().await.status, 200);
    }
    let contract: [(&str, &str, &[&str]); 12] = [
        ("tidegate_requests_total", "counter", &["route", "tenant", "placement", "model", "rule", "outcome"]),
        ("tidegate_request_seconds", "histogram", &["placement", "model", "stream"]),
        ("tidegate_first_token_seconds", "histogram", &["placement", "model"]),
        ("tidegate_overhead_seconds", "histogram", &["phase"]),
        ("tidegate_tokens_total", "counter", &["tenant", "placement", "model", "kind"]),
        ("tidegate_fallbacks_total", "counter", &["from", "to", "reason"]),
        ("tidegate_upstream_up", "gauge", &["upstream", "node"]),
        ("tidegate_upstream_in_flight", "gauge", &["upstream", "node"]),
        ("tidegate_config_reloads_total", "counter", &["result"]),
        ("tidegate_config_generation", "gauge", &[]),
        ("tidegate_locality_violations_total", "counter", &[]),
        ("process_resident_memory_bytes", "gauge", &[]),
    ];
    gateway.eventually_metric("tidegate_request_seconds_count", &[], 2.0).await;
    let metrics = gateway.metrics().await;
    for (name, kind, labels) in contract {
        assert_eq!(metrics.types.get(name).map(String::as_str), Some(kind), "{name}");
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        if metrics.names().contains(sample.as_str()) {
            assert_eq!(metrics.label_names(&sample), BTreeSet::from_iter(labels.iter().copied()), "{name}");
        }
    }
    assert_eq!(metrics.sum("tidegate_locality_violations_total", &[]), 0.0);
    assert!(metrics.sum("tidegate_overhead_seconds_count", &[]) > 0.0);
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(metrics.sum("process_open_fds", &[]) > 3.0);
}

#[tokio::test]
async fn a_client_cannot_make_label_values() {
    let (_edge, _cloud, gateway) = hybrid().await;
    let mut body = chat("evil-model", "hi");
    body["tidegate"] = json!({"app": "evil-app", "user": "evil-user", "tags": {"evil-key": "evil-tag"}});
    gateway.chat(&body).send().await.expect_error(404);
    body["model"] = json!("auto");
    let call = gateway.chat(&body).header("x-tidegate-app", "evil-app").header("x-tidegate-tags", "evil-key=evil-tag");
    assert_eq!(call.send().await.status, 200);
    gateway.get("/v1/evil-path").send().await;
    gateway.call(http::Method::from_bytes(b"EVIL").unwrap(), "/v1/chat/completions").send().await;
    gateway.eventually_metric("tidegate_requests_total", &[("outcome", "model-not-found")], 1.0).await;
    let metrics = gateway.metrics().await;
    let evil: Vec<&str> = metrics.label_values().into_iter().filter(|value| value.contains("evil")).collect();
    assert_eq!(evil, Vec::<&str>::new());
}

#[tokio::test]
async fn one_line_is_logged_per_request() {
    let (_edge, _cloud, gateway) = hybrid().await;
    for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
        let answer = gateway.chat(&body).send().await;
        let lines = eventually("the request is logged", async || {
            Some(lines_of(&gateway, &answer)).filter(|lines| !lines.is_empty())
        })
        .await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines[0].to_string();
        for word in ["auto", "small", "edge", "200"] {
            assert!(line.contains(word), "no `{word}` in {line}");
        }
        assert!(field(&lines[0], "message").is_some());
    }
}

#[tokio::test]
async fn nothing_private_is_logged() {
    let (edge, cloud, gateway) = hybrid().await;
    let prompt = "my password is hunter2";
    let failing = [
        Answer::chat("the answer is hunter3"),
        Answer::error(500, "server_error", "hunter4"),
        Answer::error(400, "invalid_request_error", "you said hunter2"),
        Answer::chat_stream(&["hunter3"], true).reset(Point::AfterPiece(2)),
        Answer::garbage(),
    ];
    for answer in failing {
        for upstream in [&edge, &cloud] {
            upstream.now_always(answer.clone());
        }
        for body in [chat("auto", prompt), chat_stream("cloud-first", prompt)] {
            let call = gateway.chat(&body).header("authorization", "Bearer sk-client-secret");
            let answer = call.header("x-api-key", "sk-client-secret").send().await;
            let logged = async || Some(lines_of(&gateway, &answer)).filter(|lines| !lines.is_empty());
            eventually("the request is logged", logged).await;
        }
    }
    let broken = format!(r#"{{"model":"auto","messages":[{{"content":"{prompt}"}}"#);
    let answer = gateway.post("/v1/chat/completions").body("application/json", broken).send().await;
    assert!(!answer.expect_error(400).to_string().contains("hunter2"));
    edge.kill().await;
    cloud.kill().await;
    let unreached = gateway.chat(&chat("auto", prompt)).send().await;
    eventually("it is logged", async || Some(lines_of(&gateway, &unreached)).filter(|l| !l.is_empty())).await;
    let log = gateway.log().text();
    let nodes = [edge.addr().to_string(), cloud.addr().to_string()];
    for private in ["hunter", "sk-client-secret", PROVIDER_KEY, &nodes[0], &nodes[1]] {
        let line = log.lines().find(|line| line.contains(private));
        assert_eq!(line, None, "{private} is in the log");
    }
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let (edge, _cloud, gateway) = hybrid().await;
    let answer = gateway.chat(&chat("auto", "hi")).header("x-request-id", "req-from-the-client-1").send().await;
    assert_eq!(answer.header("x-request-id"), "req-from-the-client-1");
    let made = [gateway.chat(&chat("auto", "hi")).send().await, gateway.chat(&chat("auto", "hi")).send().await];
    assert!(made.iter().all(|answer| !answer.header("x-request-id").is_empty()));
    assert_ne!(made[0].header("x-request-id"), made[1].header("x-request-id"));
    edge.next([Answer::chat("hi").header("x-request-id", "req-of-the-upstream")]);
    let one = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!(one.headers.get_all("x-request-id").iter().count(), 1, "{:?}", one.headers);
    let failed = gateway.chat(&chat("nope", "hi")).send().await;
    assert!(!failed.header("x-request-id").is_empty(), "an error is what one asks support about");
}

#[tokio::test]
async fn a_model_that_retires_is_warned_about() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let soon = jiff::Zoned::now().date().checked_add(jiff::Span::new().days(30)).expect("a date");
    let config = Config::hybrid(&edge, &cloud).model("old", "acme", &format!("retires_on: {soon}"));
    let gateway = Gateway::with(&config).await;
    let metrics = gateway.metrics().await;
    let days = metrics.sum("tidegate_model_retires_in_days", &[("model", "old")]);
    assert!((29.0..=31.0).contains(&days), "{days}");
    assert!(gateway.log().text().contains("old"), "no warning in {}", gateway.log().text());
    assert_eq!(gateway.chat(&chat("old", "hi")).send().await.status, 200);
}

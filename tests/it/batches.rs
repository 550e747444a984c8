//! Batches on the gateway's own queue: checked, run line by line, and given out once, through whatever happens meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::{Value, json};

use crate::support::batches::{Client, MULTIPART, assert_nothing_readable, deferring, form, line, lines};
use crate::support::gateway::run;
use crate::support::upstream::answers::usual;
use crate::support::{Config, Gate, Gateway, Point, Upstream, eventually};

#[tokio::test]
async fn a_batch_goes_there_and_back() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud).top("audit: {}")).await;
    let client = Client::of(&gateway);
    let content = lines(20, "auto");
    let uploaded = client.post("/v1/files").body(MULTIPART, form("batch", &content, true)).send().await.json();
    let expected = json!({"object": "file", "bytes": content.len(), "filename": "x.jsonl", "purpose": "batch", "status": "processed"});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&uploaded[field], value, "{uploaded}");
    }
    let file = uploaded["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/v1/files/{file}")).await.json(), uploaded);
    assert!(client.get(&format!("/v1/files/{file}/content")).await.text() == content, "another file than was sent");

    let id = client.make(file, "24h").await.json()["id"].as_str().unwrap().to_owned();
    let batch = client.when(&id, "completed").await;
    assert_eq!(batch["request_counts"], json!({"total": 20, "completed": 20, "failed": 0}));
    assert_eq!((&batch["metadata"], &batch["completion_window"]), (&json!({"for": "tests"}), &json!("24h")));
    assert_eq!(
        (&batch["input_file_id"], &batch["error_file_id"], &batch["errors"]),
        (&json!(file), &json!(null), &json!(null))
    );
    let created = batch["created_at"].as_i64().unwrap();
    assert_eq!(batch["expires_at"].as_i64(), Some(created + 86_400));
    let output = client.results(&batch["output_file_id"]).await;
    assert_eq!(output.len(), 20);
    for (name, line) in &output {
        assert_eq!((&line["error"], &line["response"]["status_code"]), (&json!(null), &json!(200)), "{name}");
        assert_eq!(line["response"]["body"]["object"], "chat.completion");
        assert_eq!(line["response"]["request_id"], line["id"]);
    }
    assert_eq!(edge.requests().len(), 20, "each line was asked once");
    assert_eq!(cloud.requests().len(), 0, "no file went to the provider");

    // What was used is in the books, line by line, and every line is tagged with its batch.
    let config = gateway.dir().join("tidegate.yaml");
    let line = output["line-7"]["id"].as_str().unwrap();
    let show = ["audit", "show", line, "-c", config.to_str().unwrap()];
    let shown = async || (run(gateway.dir(), &show).await.code == Some(0)).then_some(());
    eventually("the audit chain has the line", shown).await;
    let by_tags = ["usage", "--by", "tags", "--format", "json", "-c", config.to_str().unwrap()];
    let tagged = async || {
        let told: Value = serde_json::from_str(&run(gateway.dir(), &by_tags).await.stdout).unwrap();
        let rows = told.as_array().unwrap().iter().filter(|row| row.to_string().contains(&id));
        (rows.filter_map(|row| row["requests"].as_u64()).sum::<u64>() == 20).then_some(())
    };
    eventually("the ledger has all lines", tagged).await;
    assert_nothing_readable(&gateway);

    let gone = client.gateway.call(Method::DELETE, &format!("/v1/files/{file}")).send().await.json();
    assert_eq!(gone, json!({"id": file, "object": "file", "deleted": true}));
    client.get(&format!("/v1/files/{file}")).await.expect_error(404);
    assert_eq!(client.results(&batch["output_file_id"]).await.len(), 20, "the results are files of their own");
}

#[tokio::test]
async fn wrong_lines_fail_the_batch_before_anything_runs() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let content = line("a", "auto") + "{\n" + &line("b", "unheard-of") + &line("a", "auto");
    let id = client.made(&content).await;
    let batch = client.when(&id, "failed").await;
    let errors = batch["errors"]["data"].as_array().unwrap();
    let found: Vec<_> = errors.iter().map(|error| (error["line"].as_u64(), error["code"].as_str().unwrap())).collect();
    assert_eq!(found, [(Some(2), "invalid_json_line"), (Some(3), "model_not_found"), (Some(4), "duplicate_custom_id")]);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 0));
}

#[tokio::test]
async fn a_cancelled_batch_gives_out_what_is_done() {
    let gate = Gate::new();
    let (held, count) = (gate.clone(), AtomicUsize::new(0));
    let edge = Upstream::named("edge").await.answering(move |request| {
        let answer = usual("edge", request);
        if count.fetch_add(1, Ordering::SeqCst) < 5 { answer } else { answer.gated(Point::BeforeHead, &held) }
    });
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let id = client.made(&lines(40, "auto")).await;
    let counted = async || (client.batch(&id).await["request_counts"]["completed"] == 5).then_some(());
    eventually("five are done", counted).await;
    let answer = client.post(&format!("/v1/batches/{id}/cancel")).send().await;
    let status = answer.json()["status"].as_str().unwrap().to_owned();
    assert!(["cancelling", "cancelled"].contains(&status.as_str()), "{status}");
    let batch = client.when(&id, "cancelled").await;
    assert_eq!(batch["request_counts"], json!({"total": 40, "completed": 5, "failed": 0}));
    assert!(batch["cancelling_at"].is_i64() && batch["cancelled_at"].is_i64());
    let output = client.results(&batch["output_file_id"]).await;
    let errors = client.results(&batch["error_file_id"]).await;
    assert_eq!((output.len(), errors.len()), (5, 35));
    assert!(
        errors.values().all(|line| line["error"]["code"] == "batch_cancelled"
            && !output.contains_key(line["custom_id"].as_str().unwrap()))
    );
    // Once more is no harm.
    assert_eq!(client.post(&format!("/v1/batches/{id}/cancel")).send().await.json()["status"], "cancelled");
    gate.open();
}

#[tokio::test]
async fn a_window_that_closes_leaves_what_was_done() {
    let gate = Gate::new();
    let (held, count) = (gate.clone(), AtomicUsize::new(0));
    let edge = Upstream::named("edge").await.answering(move |request| {
        let answer = usual("edge", request);
        if count.fetch_add(1, Ordering::SeqCst) < 3 { answer } else { answer.gated(Point::BeforeHead, &held) }
    });
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud).top("deferred: {concurrency: 1}")).await;
    let client = Client::of(&gateway);
    let file = client.upload(&lines(10, "auto")).await;
    let id = client.make(&file, "2s").await.json()["id"].as_str().unwrap().to_owned();
    // What runs when the window closes may finish.
    eventually("one runs", async || (edge.requests().len() == 4).then_some(())).await;
    gateway.eventually_metric("tidegate_deferred_jobs", &[("state", "expired")], 6.0).await;
    gate.open();
    let batch = client.when(&id, "expired").await;
    assert!(batch["expired_at"].is_i64());
    let errors = client.results(&batch["error_file_id"]).await;
    assert_eq!((client.results(&batch["output_file_id"]).await.len(), errors.len()), (4, 6));
    assert!(errors.values().all(|line| line["error"]["code"] == "batch_expired" && line["response"].is_null()));
}

#[tokio::test]
async fn what_waits_for_the_cloud_is_done_when_it_returns() {
    let cloud = Upstream::named("cloud").await;
    cloud.kill().await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    let client = Client::of(&gateway);
    let id = client.made(&lines(12, "auto")).await;
    client.when(&id, "in_progress").await;
    gateway.eventually_metric("tidegate_deferred_jobs", &[("state", "queued")], 12.0).await;
    cloud.restart_on_same_port().await;
    let batch = client.when(&id, "completed").await;
    assert_eq!(client.results(&batch["output_file_id"]).await.len(), 12);
}

/// The one that counts: killed in the middle, started again, every line's answer is there, once.
#[tokio::test]
async fn a_killed_gateway_loses_no_line_and_doubles_none() {
    const LINES: usize = 200;
    let gate = Gate::new();
    let (held, count) = (gate.clone(), AtomicUsize::new(0));
    // The first 60 are answered, seven more are under way when the gateway is killed: one place of the edge's eight stays free.
    let edge = Upstream::named("edge").await.answering(move |request| {
        let answer = usual("edge", request);
        if count.fetch_add(1, Ordering::SeqCst) < 60 { answer } else { answer.gated(Point::BeforeHead, &held) }
    });
    let cloud = Upstream::named("cloud").await;
    let mut gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let id = Client::of(&gateway).made(&lines(LINES, "auto")).await;
    eventually("it is in the middle", async || (edge.requests().len() == 67).then_some(())).await;
    gateway.signal("KILL");
    gateway.wait_exit().await;
    gate.open();

    // Twice more, at once: whatever it was about to do.
    for _ in 0..2 {
        let mut again = Gateway::start(gateway.shared_dir(), &[]).await;
        let before = edge.requests().len();
        eventually("it goes on", async || (edge.requests().len() > before + 10).then_some(())).await;
        again.signal("KILL");
        again.wait_exit().await;
    }
    let last = Gateway::start(gateway.shared_dir(), &[]).await;
    let client = Client::of(&last);
    let batch = client.when(&id, "completed").await;
    assert_eq!(batch["request_counts"], json!({"total": LINES, "completed": LINES, "failed": 0}));
    let output = client.results(&batch["output_file_id"]).await;
    let expected: Vec<String> = (0..LINES).map(|n| format!("line-{n}")).collect();
    assert!(expected.iter().all(|name| output.contains_key(name)) && output.len() == LINES, "{} lines", output.len());
    assert_eq!(batch["error_file_id"], json!(null));
    let asked = edge.requests().len();
    assert!((LINES..=LINES + 3 * 8).contains(&asked), "{asked} requests: only what was under way is asked again");
    assert_nothing_readable(&last);
}

#[tokio::test]
async fn a_reading_file_is_not_deleted_and_a_read_one_is_not_missed() {
    let gate = Gate::new();
    let held = gate.clone();
    let edge =
        Upstream::named("edge").await.answering(move |request| usual("edge", request).gated(Point::BeforeHead, &held));
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let file = client.upload(&lines(30, "auto")).await;
    let id = client.make(&file, "24h").await.json()["id"].as_str().unwrap().to_owned();
    client.when(&id, "in_progress").await;
    assert_eq!(gateway.call(Method::DELETE, &format!("/v1/files/{file}")).send().await.status, 200);
    gate.open();
    let batch = client.when(&id, "completed").await;
    assert_eq!(client.results(&batch["output_file_id"]).await.len(), 30);
}

#[tokio::test]
async fn hints_of_the_batch_hold_for_its_lines() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let file = client.upload(&lines(3, "auto")).await;
    let body = json!({
        "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "tidegate": {"placement": "only-cloud", "tags": {"team": "search"}},
    });
    let id = client.post("/v1/batches").json(&body).send().await.json()["id"].as_str().unwrap().to_owned();
    client.when(&id, "completed").await;
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 3));
}

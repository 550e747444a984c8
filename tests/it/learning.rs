//! Learning: `score`, `train routing`, `eval routing`, and a new model picked up by a running gateway. `eval models` has a file of its own.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::gateway::{run, run_with};
use crate::support::{Config, Gateway, Upstream};

/// Labelled prompts of an invented world, in which questions about gaskets need the cloud.
fn labelled(rows: usize) -> String {
    let mut text = String::new();
    for i in 0..rows {
        let hard = i % 3 == 0;
        let about = if hard { "the torque of a gasket" } else { "the colour of a ribbon" };
        let prompt = format!("In case {i} of the workshop book, what is said about {about} numbered {}?", i * 37 % 101);
        let _ = writeln!(text, "{}", json!({"prompt": prompt, "edge_ok": !hard, "cloud_ok": true, "source": "book"}));
    }
    text
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[tokio::test]
async fn prompts_are_scored_in_order_with_everything_else_kept() {
    let dir = tempfile::tempdir().unwrap();
    let lines = "{\"n\":1,\"prompt\":\"set a timer for ten minutes\"}\n{\"n\":2,\"prompt\":\"Prove that the group is abelian.\"}\n";
    let output = run_with(dir.path(), &["score"], lines).await;
    assert_eq!(output.code, Some(0), "{}", output.text());
    let scored: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(scored.iter().map(|row| row["n"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert!(scored[0]["difficulty"].as_f64() < scored[1]["difficulty"].as_f64(), "{scored:?}");
}

#[tokio::test]
async fn what_is_trained_measures_better_and_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data.jsonl", &labelled(300));
    for name in ["one.bin", "two.bin"] {
        let output = run(dir.path(), &["train", "routing", "data.jsonl", "-o", name, "--calibration", "c.json"]).await;
        assert_eq!(output.code, Some(0), "{}", output.text());
        for word in ["APGR", "CPT50", "length alone", "oracle", "reliability"] {
            assert!(output.text().contains(word), "{word} in {}", output.text());
        }
    }
    assert_eq!(std::fs::read(dir.path().join("one.bin")).unwrap(), std::fs::read(dir.path().join("two.bin")).unwrap());
    let apgr = async |arguments: &[&str]| {
        let output =
            run(dir.path(), &[&["eval", "routing", "data.jsonl", "--format", "json"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&output.text()).unwrap_or_else(|_| panic!("{}", output.text()));
        assert_eq!(report["sources"]["book"]["rows"], 300);
        report["model"]["apgr"].as_f64().unwrap()
    };
    let (shipped, own) = (apgr(&[]).await, apgr(&["--model", "one.bin"]).await);
    assert!(own > shipped + 0.05, "{shipped} {own}");
    let calibration: Value = serde_json::from_slice(&std::fs::read(dir.path().join("c.json")).unwrap()).unwrap();
    assert_eq!(calibration["cloud_quality"], 1.0);
    write(dir.path(), "bad.jsonl", "{\"prompt\":\"a\",\"edge_ok\":true,\"cloud_ok\":true}\n{\"prompt\":1}\n");
    let output = run(dir.path(), &["train", "routing", "bad.jsonl", "-o", "x.bin"]).await;
    assert_eq!(output.code, Some(1));
    assert!(output.text().contains("bad.jsonl:2:"), "{}", output.text());
    assert!(!dir.path().join("x.bin").exists());
}

#[tokio::test]
async fn a_new_model_file_is_picked_up_and_a_broken_one_is_not() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data.jsonl", &labelled(300));
    let trained = run(dir.path(), &["train", "routing", "data.jsonl", "-o", "ours.bin"]).await;
    assert_eq!(trained.code, Some(0), "{}", trained.text());
    let model = std::fs::read(dir.path().join("ours.bin")).unwrap();
    let config = |top: &str| {
        Config::hybrid(&edge, &cloud).top(top).rules(
            "by-difficulty",
            "threshold: 0.5",
            &["{name: easy, when: difficulty < threshold, try: [small]}", "{name: hard, try: [frontier]}"],
        )
    };
    let gateway = Gateway::with(&config("")).await;
    let prompt = "In case 9 of the workshop book, what is said about the torque of a gasket numbered 4?";
    let rule = async || gateway.chat(&chat("by-difficulty", prompt)).send().await.header("x-tidegate-rule").to_owned();
    assert_eq!(rule().await, "easy");
    std::fs::write(gateway.dir().join("ours.bin"), &model).unwrap();
    gateway.reload(&config("difficulty_model: ours.bin")).await;
    assert_eq!(rule().await, "hard");

    // The file alone changes, for the worse: what is in force stays.
    let rejected = gateway.rejected_reloads().await;
    std::fs::write(gateway.dir().join("ours.bin"), &model[..model.len() / 2]).unwrap();
    crate::support::eventually("the broken file is refused", async || {
        (gateway.rejected_reloads().await > rejected).then_some(())
    })
    .await;
    assert_eq!(rule().await, "hard");

    // On trial it decides its share of conversations.
    std::fs::write(gateway.dir().join("ours.bin"), &model).unwrap();
    gateway.reload(&config("difficulty_model: {candidate: ours.bin, share: 0.5}")).await;
    let mut hard = 0;
    for i in 0..60 {
        let text = format!("In case {i} of the workshop book, what is said about the torque of a gasket?");
        let one = gateway.chat(&chat("by-difficulty", &text)).send().await.header("x-tidegate-rule").to_owned();
        let again = gateway.chat(&chat("by-difficulty", &text)).send().await.header("x-tidegate-rule").to_owned();
        assert_eq!(one, again, "a conversation is decided by one model");
        hard += usize::from(one == "hard");
    }
    assert!((15..=45).contains(&hard), "{hard} of 60 by the candidate");
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("tidegate_scored_total", &[("model", "candidate")]), 2.0 * hard as f64);
}

//! Measuring and learning: `score`, `train routing`, `eval routing`, `eval models`, and a new model picked up by a running gateway.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::gateway::{run, run_with, with_listeners, write_config};
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gateway, Upstream};

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

/// The edge knows even sums, the cloud all of them.
fn sums(knows: fn(i64) -> bool) -> impl Fn(&Request) -> Answer {
    move |request| {
        let text = request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let asked: i64 = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<i64>().ok()).sum();
        Answer::chat(&format!("That makes {}.", if knows(asked) { asked } else { -1 }))
    }
}

#[tokio::test]
async fn models_are_compared_and_a_run_goes_on_where_it_was() {
    let edge = Upstream::named("edge").await.answering(sums(|sum| sum % 2 == 0));
    let cloud = Upstream::named("cloud").await.answering(sums(|_| true));
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "price: {input: 0, output: 0}")
        .model("frontier", "acme", "price: {input: 1, output: 10}")
        .route("auto", "", &["small", "frontier"]);
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &with_listeners(dir.path(), &config.yaml()));
    let set: String = (0..40)
        .map(|i| format!("{}\n", json!({"id": i, "prompt": format!("What is {i} plus 7?"), "expected": i + 7})))
        .collect();
    write(dir.path(), "set.jsonl", &set);
    let arguments = [
        "eval",
        "models",
        "set.jsonl",
        "-c",
        "tidegate.yaml",
        "--format",
        "json",
        "--target-quality",
        "1",
        "--calibration",
        "c.json",
        "--rows",
        "rows.jsonl",
    ];
    let output = run(dir.path(), &arguments).await;
    let told: Value = serde_json::from_str(&output.text()).unwrap_or_else(|_| panic!("{}", output.text()));
    let quality =
        |at: usize| (told["models"][at]["model"].as_str().unwrap(), told["models"][at]["quality"].as_f64().unwrap());
    assert_eq!((quality(0), quality(1)), (("small", 0.5), ("frontier", 1.0)));
    assert!(told["models"][1]["cost_usd"].as_f64().unwrap() > 0.0);
    assert_eq!(
        (&told["boundary"]["edge"]["quality"], &told["boundary"]["cloud"]["quality"]),
        (&json!(0.5), &json!(1.0))
    );
    assert!(told["boundary"]["at"]["quality"].as_f64().unwrap() >= 1.0);
    assert_eq!(std::fs::read_to_string(dir.path().join("rows.jsonl")).unwrap().lines().count(), 40);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (40, 40));

    // A third is lost, and asked again; nothing else is.
    let results = dir.path().join("set.results.jsonl");
    let kept: String =
        std::fs::read_to_string(&results).unwrap().lines().take(54).map(|line| format!("{line}\n")).collect();
    std::fs::write(&results, kept).unwrap();
    let output = run(dir.path(), &arguments[..5]).await;
    assert_eq!(output.code, Some(0), "{}", output.text());
    assert_eq!(edge.requests().len() + cloud.requests().len(), 80 + 26);
    assert!(output.text().contains("95 % interval"), "{}", output.text());

    let unknown = run(dir.path(), &[&arguments[..5], &["--models", "smal"]].concat()).await;
    assert_eq!(unknown.code, Some(1));
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

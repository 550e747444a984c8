//! `tidegate eval models` through the real binary, between a mock edge and a mock cloud.
//!
//! What a reader could get wrong: the mocks count requests, which is how a test knows what was asked again and what was not.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gateway::{BINARY, Output, run, with_listeners, write_config};
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gate, Point, Upstream, eventually, within};

/// A folder with a configuration of both and a set of sums.
fn home(edge: &Upstream, cloud: &Upstream, rows: i64) -> TempDir {
    let config = Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "price: {input: 0, output: 0}")
        .model("frontier", "acme", "price: {input: 1, output: 10}")
        .route("auto", "", &["small", "frontier"]);
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &with_listeners(dir.path(), &config.yaml()));
    set(dir.path(), 0..rows, 7);
    dir
}

/// `What is I plus PLUS?` for each.
fn set(dir: &Path, rows: std::ops::Range<i64>, plus: i64) {
    let row = |i| json!({"id": i, "prompt": format!("What is {i} plus {plus}?"), "expected": i + 7});
    let lines: String = rows.map(|i| format!("{}\n", row(i))).collect();
    std::fs::write(dir.join("set.jsonl"), lines).unwrap();
}

const COMMAND: [&str; 5] = ["eval", "models", "set.jsonl", "-c", "tidegate.yaml"];

async fn eval(dir: &TempDir, more: &[&str]) -> Output {
    run(dir.path(), &[&COMMAND, more].concat()).await
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
    let dir = home(&edge, &cloud, 40);
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
async fn an_answer_counts_for_its_question_and_is_graded_anew() {
    let edge = Upstream::named("edge").await.answering(sums(|_| true));
    let cloud = Upstream::named("cloud").await.answering(sums(|_| true));
    let dir = home(&edge, &cloud, 10);
    let asked = || (edge.requests().len(), cloud.requests().len());
    let quality = async |more: &[&str]| {
        let output = eval(&dir, &[&["--format", "json"], more].concat()).await;
        let told: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.text()));
        assert_eq!(output.code, Some(0), "{}", output.text());
        told["models"][0]["quality"].as_f64().unwrap()
    };
    assert_eq!((quality(&[]).await, asked()), (1.0, (10, 10)));
    let request = edge.requests()[0].json();
    assert_eq!((&request["stream"], &request["messages"][0]["role"]), (&json!(true), &json!("user")));

    // What is expected was wrong: nobody needs to be asked for that.
    let text = std::fs::read_to_string(dir.path().join("set.jsonl")).unwrap();
    std::fs::write(dir.path().join("set.jsonl"), text.replace("\"expected\":16", "\"expected\":17")).unwrap();
    assert_eq!((quality(&[]).await, asked()), (0.9, (10, 10)));

    // Other prompts under the same ids, and another temperature, are other questions.
    set(dir.path(), 0..5, 8);
    assert_eq!((quality(&[]).await, asked()), (0.0, (15, 15)));
    assert_eq!((quality(&["--temperature", "0"]).await, asked()), (0.0, (20, 20)));
    assert_eq!((quality(&["--afresh"]).await, asked()), (0.0, (25, 25)));
    assert!(dir.path().join("set.results.jsonl.old").exists());
}

#[tokio::test]
async fn a_model_that_cannot_be_asked_is_given_up_and_the_rest_is_told() {
    let edge = Upstream::named("edge").await.answering(sums(|_| true));
    let cloud = Upstream::named("cloud").await.always(Answer::error(401, "invalid_request_error", "no such key"));
    let dir = home(&edge, &cloud, 60);
    let output = eval(&dir, &[]).await;
    assert_eq!(output.code, Some(3), "{}", output.text());
    assert!(cloud.requests().len() <= 4, "asked {} times with a key that is refused", cloud.requests().len());
    assert_eq!(edge.requests().len(), 60);
    for words in ["frontier: ", "401", "not asked, because those before failed", "set.results.jsonl", "no boundary"] {
        assert!(output.text().contains(words), "{words} in {}", output.text());
    }
    let unknown = eval(&dir, &["--route", "other"]).await;
    assert_eq!((unknown.code, unknown.stderr.trim()), (Some(1), "--route: there is no route `other`; there are auto"));
    let elsewhere = eval(&dir, &["--edge", "frontier"]).await;
    assert_eq!(elsewhere.code, Some(1), "{}", elsewhere.text());
    assert!(cloud.requests().len() <= 4 && edge.requests().len() == 60, "nothing is asked for a mistyped option");

    cloud.now_always(Answer::chat("7"));
    let again = eval(&dir, &["--route", "auto"]).await;
    assert_eq!(again.code, Some(0), "{}", again.text());
    assert!(again.text().contains("small alone") && again.text().contains("frontier alone"), "{}", again.text());
}

#[tokio::test]
async fn an_interrupted_run_keeps_what_was_answered() {
    let (gate, edge) = (Gate::new(), Upstream::named("edge").await);
    let cloud = Upstream::named("cloud").await.answering(sums(|_| true));
    edge.now_always(Answer::chat("7").gated(Point::BeforeHead, &gate));
    let dir = home(&edge, &cloud, 20);
    let mut command = tokio::process::Command::new(BINARY);
    command.args(COMMAND).current_dir(dir.path()).kill_on_drop(true).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let results = dir.path().join("set.results.jsonl");
    let lines = || std::fs::read_to_string(&results).map_or(0, |text| text.lines().count());
    eventually("the cloud's answers are kept and the edge is asked", async || {
        (lines() == 20 && !edge.requests().is_empty()).then_some(())
    })
    .await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let output = within("the command ends", child.wait_with_output()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("interrupted: 20 of 40 questions") && stderr.contains("run the command again"), "{stderr}");

    gate.open();
    edge.now_always(Answer::chat("7"));
    let output = eval(&dir, &[]).await;
    assert_eq!((output.code, lines(), cloud.requests().len()), (Some(0), 40, 20), "{}", output.text());
}

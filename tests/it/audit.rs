//! The audit chain of a real gateway: it tells where each request ran, and what was done to it afterwards.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::client::chat;
use crate::support::gateway::{Output, run};
use crate::support::{Config, Gateway, Upstream, eventually};

async fn command(gateway: &Gateway, arguments: &[&str]) -> Output {
    let config = gateway.dir().join("tidegate.yaml");
    run(gateway.dir(), &[&["audit"], arguments, &["-c", config.to_str().unwrap()]].concat()).await
}

fn folder(gateway: &Gateway) -> PathBuf {
    gateway.dir().join("data/audit")
}

fn segment(gateway: &Gateway) -> PathBuf {
    folder(gateway).join("segment-00000001.jsonl")
}

/// A gateway that has answered `requests` and has ended, so that its chain is closed.
async fn after(requests: usize) -> (Gateway, Vec<String>) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config =
        Config::hybrid(&edge, &cloud).top("audit: {checkpoint_every: 4}").tenant("acme", "privacy: local-only");
    let mut gateway = Gateway::with(&config).await;
    let mut ids = vec![];
    for number in 0..requests {
        let answer = gateway.chat(&chat("cloud-first", &format!("my secret number {number}"))).by("acme").send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-model")), (200, "small"));
        ids.push(answer.header("x-request-id").to_owned());
    }
    gateway.signal("TERM");
    assert!(gateway.wait_exit().await.success());
    (gateway, ids)
}

fn change(path: &Path, with: impl FnOnce(&mut Vec<String>)) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    with(&mut lines);
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn the_chain_tells_where_a_request_ran_and_holds_no_text() {
    let (gateway, ids) = after(10).await;
    let verified = command(&gateway, &["verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let chain = std::fs::read_to_string(segment(&gateway)).unwrap();
    assert!(!chain.contains("secret number") && !chain.contains("127.0.0.1") && !chain.contains("sk-tg-"), "{chain}");
    let shown = command(&gateway, &["show", &ids[3]]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for word in [ids[3].as_str(), "acme", "local-only", "small", "lab", "edge", "privacy"] {
        assert!(shown.stdout.contains(word), "`{word}` in {}", shown.stdout);
    }
    let exported = command(&gateway, &["export", "--tenant", "acme"]).await;
    assert_eq!(exported.stdout.lines().count(), 10, "{exported:?}");
    assert!(exported.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[tokio::test]
async fn what_was_done_to_the_chain_is_named() {
    let (gateway, _) = after(10).await;
    let path = segment(&gateway);
    let sound = std::fs::read(&path).unwrap();
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    let broken = async |what: &str| {
        let told = command(&gateway, &["verify"]).await;
        assert_eq!(told.code, Some(1), "{what}: {told:?}");
        std::fs::write(&path, &sound).unwrap();
        told.text()
    };
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    broken("one bit").await;
    change(&path, |lines| {
        lines.remove(5);
    });
    broken("one record removed").await;
    change(&path, |lines| lines.swap(4, 5));
    broken("two swapped").await;
    change(&path, |all| all.truncate(lines - 3));
    broken("the tail cut off").await;
    assert_eq!(command(&gateway, &["verify"]).await.code, Some(0), "as it was");
}

#[tokio::test]
async fn a_proof_stands_without_the_log() {
    let (gateway, ids) = after(10).await;
    let proof = command(&gateway, &["show", &ids[2], "--proof"]).await;
    assert_eq!(proof.code, Some(0), "{proof:?}");
    let key = std::fs::read_to_string(folder(&gateway).join("public-key")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = async |proof: &str, key: &str| {
        std::fs::write(elsewhere.path().join("proof.json"), proof).unwrap();
        run(elsewhere.path(), &["audit", "verify", "--proof", "proof.json", "--public-key", key.trim()]).await
    };
    let sound = verify(&proof.stdout, &key).await;
    assert_eq!(sound.code, Some(0), "{sound:?}");
    assert!(sound.text().contains(&ids[2]), "{sound:?}");
    let forged =
        verify(&proof.stdout.replace("\"edge\"", "\"cloud\"").replace("\\\"edge\\\"", "\\\"cloud\\\""), &key).await;
    assert_eq!(forged.code, Some(1), "{forged:?}");
    let stranger = verify(&proof.stdout, &"ab".repeat(32)).await;
    assert_eq!(stranger.code, Some(1), "{stranger:?}");
}

#[tokio::test]
async fn the_chain_goes_on_after_a_kill() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::hybrid(&edge, &cloud).top("audit: {checkpoint_every: 4}");
    let mut gateway = Gateway::with(&config).await;
    for _ in 0..6 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    }
    gateway.signal("KILL");
    gateway.wait_exit().await;
    let mut again = Gateway::start(gateway.shared_dir(), &[]).await;
    assert_eq!(again.chat(&chat("auto", "hi")).send().await.status, 200);
    let booked = async || {
        let exported = command(&again, &["export"]).await;
        (exported.stdout.lines().count() == 7).then_some(())
    };
    eventually("all seven are in the chain, each once", booked).await;
    again.signal("TERM");
    assert!(again.wait_exit().await.success());
    let verified = command(&again, &["verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

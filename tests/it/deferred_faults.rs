//! Work that is done later while something is wrong, with the real binary: a provider that fails for a while, a drain, reloads that take tenants
//! away or tighten their tiers, a queue that is damaged.

use serde_json::{Value, json};

use super::deferred::{SECRET, accepted, background, on_disk, text, until};
use crate::support::gateway::{config_path, run};
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

async fn jobs(gateway: &Gateway) -> Value {
    gateway.admin("/api/deferred").send().await.json()["jobs"].clone()
}

#[tokio::test]
async fn a_provider_that_fails_for_a_while_uses_up_no_job() {
    const JOBS: usize = 12;
    let cloud = Upstream::named("cloud").await;
    let error = json!({"error": {"message": "overloaded", "type": "server_error"}});
    cloud.next((0..8).map(|_| Answer::json(503, &error)));
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {max_attempts: 8}")).await;
    let mut ids = vec![];
    for n in 0..JOBS {
        ids.push(accepted(gateway.post("/v1/responses"), &background(&format!("question {n}"))).await);
    }
    for id in &ids {
        until(&gateway, id, "completed").await;
    }
    assert_eq!(jobs(&gateway).await["failed"], 0);
    assert!(cloud.requests().len() <= JOBS + 8 + 4, "{} requests: one is sent ahead", cloud.requests().len());
}

#[tokio::test]
async fn what_runs_is_finished_in_a_drain_and_not_done_twice() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response("paid once").gated(Point::BeforeHead, &gate)]);
    let mut gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    eventually("it runs", async || (cloud.in_flight() == 1).then_some(())).await;
    gateway.signal("TERM");
    eventually("it drains", async || tokio::net::TcpStream::connect(gateway.addr()).await.is_err().then_some(())).await;
    gate.open();
    assert!(gateway.wait_exit().await.success());
    let dir = gateway.shared_dir();
    drop(gateway);
    let gateway = Gateway::start(dir, &[]).await;
    assert_eq!(text(&until(&gateway, &id, "completed").await), "paid once");
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn a_tier_that_was_tightened_ends_what_was_queued_and_a_tenant_who_is_away_keeps_it() {
    let cloud = Upstream::named("cloud").await;
    let config = |tenants: &[(&str, &str)]| {
        let config = Config::cloud_only(&cloud).top("deferred: {}");
        tenants.iter().fold(config, |config, (name, tier)| config.tenant(name, &format!("privacy: {tier}")))
    };
    let gateway = Gateway::with(&config(&[("a", "retained"), ("b", "retained")])).await;
    cloud.kill().await;
    let ofa = accepted(gateway.post("/v1/responses").by("a"), &background(SECRET)).await;
    let ofb = accepted(gateway.post("/v1/responses").by("b"), &background("x")).await;
    gateway.reload(&config(&[("a", "no-retention")])).await;
    cloud.restart_on_same_port().await;
    eventually("the one that may not be kept has failed", async || (jobs(&gateway).await["failed"] == 1).then_some(()))
        .await;
    assert!(cloud.requests().is_empty(), "neither was sent");
    assert_eq!(jobs(&gateway).await["queued"], 1, "the other waits for its tenant");
    gateway.reload(&config(&[("a", "retained"), ("b", "retained")])).await;
    let shown = gateway.get(&format!("/v1/responses/{ofa}")).by("a").send().await.json();
    assert_eq!(shown["status"], "failed");
    assert!(shown["error"]["message"].as_str().unwrap().contains("no-retention"), "{shown}");
    let items = gateway.get(&format!("/v1/responses/{ofa}/input_items")).by("a").send().await;
    assert!(!items.text().contains("Ann Lee"), "{}", items.text());
    eventually("the tenant who is back has his answer", async || {
        let shown = gateway.get(&format!("/v1/responses/{ofb}")).by("b").send().await.json();
        (shown["status"] == "completed").then_some(())
    })
    .await;
    assert!(!on_disk(&gateway).is_empty());
}

#[tokio::test]
async fn one_request_that_is_damaged_fails_alone() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response("first").gated(Point::BeforeHead, &gate)]);
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {concurrency: 1}")).await;
    let first = accepted(gateway.post("/v1/responses"), &background("1")).await;
    eventually("it runs", async || (cloud.in_flight() == 1).then_some(())).await;
    let damaged = accepted(gateway.post("/v1/responses"), &background("2")).await;
    let last = accepted(gateway.post("/v1/responses"), &background("3")).await;
    let db = rusqlite::Connection::open(gateway.dir().join("data/deferred/queue.sqlite")).unwrap();
    let sql = "UPDATE texts SET sealed = zeroblob(80) WHERE part = 0 AND n = (SELECT n FROM jobs WHERE id = ?1)";
    assert_eq!(db.execute(sql, [&damaged]).unwrap(), 1);
    gate.open();
    for id in [&first, &last] {
        until(&gateway, id, "completed").await;
    }
    assert_eq!(jobs(&gateway).await["failed"], 1);
}

#[tokio::test]
async fn a_queue_under_another_key_is_no_fault_of_the_configuration() {
    let cloud = Upstream::named("cloud").await;
    let mut gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    gateway.signal("TERM");
    gateway.wait_exit().await;
    std::fs::remove_file(gateway.dir().join("data/deferred/key")).unwrap();
    let config = config_path(gateway.dir()).display().to_string();
    let refused = run(gateway.dir(), &["serve", "-c", &config]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
}

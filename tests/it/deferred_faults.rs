//! Work that is done later while something is wrong, with the real binary: a provider that fails for a while, a drain, reloads that take tenants
//! away or tighten their tiers, a queue that is damaged.

use serde_json::{Value, json};

use super::deferred::{SECRET, accepted, background, on_disk, text, until};
use crate::support::gateway::{config_path, run};
use crate::support::upstream::answers::usual;
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
    for sql in [
        "UPDATE jobs SET asked = zeroblob(80) WHERE id = ?1",
        "UPDATE texts SET sealed = zeroblob(80) WHERE n = (SELECT n FROM jobs WHERE id = ?1)",
    ] {
        let shown = gateway.get(&format!("/v1/responses/{damaged}")).send().await;
        assert_eq!(shown.status, 200, "{}", shown.text());
        let shown = shown.json();
        assert_eq!(
            (&shown["id"], &shown["status"], &shown["object"]),
            (&json!(damaged), &json!("failed"), &json!("response"))
        );
        assert_eq!(shown["error"]["code"], "unreadable", "{shown}");
        db.execute(sql, [&damaged]).unwrap();
    }
    db.execute("UPDATE texts SET sealed = zeroblob(80) WHERE n = (SELECT n FROM jobs WHERE id = ?1)", [&first])
        .unwrap();
    assert_eq!(gateway.get(&format!("/v1/responses/{first}")).send().await.json()["status"], "failed");
}

/// Three that may go to the cloud only, which is not there, and one that the edge could do.
#[tokio::test]
async fn what_waits_for_the_cloud_alone_keeps_nobody_from_the_edge() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud).top("deferred: {}")).await;
    cloud.kill().await;
    for n in 0..3 {
        let call = gateway.post("/v1/responses").header("x-tidegate-placement", "only-cloud");
        accepted(call, &background(&format!("cloud {n}"))).await;
    }
    eventually("they were tried", async || {
        (gateway.metrics().await.sum("tidegate_deferred_postponed_total", &[]) > 0.0).then_some(())
    })
    .await;
    let id = accepted(gateway.post("/v1/responses"), &background("edge")).await;
    until(&gateway, &id, "completed").await;
    assert_eq!(jobs(&gateway).await["completed"], 1);
}

#[tokio::test]
async fn a_full_edge_keeps_only_what_is_for_the_edge() {
    let (edge, cloud, gate) = (Upstream::named("edge").await, Upstream::named("cloud").await, Gate::new());
    let config = Config::new()
        .edge_with("lab", &[&edge], "max_in_flight_per_node: 1")
        .cloud("acme", &cloud)
        .model("small", "lab", "id: qwen3-8b")
        .model("frontier", "acme", "id: gpt-5")
        .route("auto", "", &["small", "frontier"])
        .route("home", "", &["small"])
        .rules("later", "", &["{name: later, when: deferred, try: [frontier]}", "{name: all, try: [small]}"])
        .rules("long", "", &["{name: long, when: turns > 5, try: [frontier]}", "{name: all, try: [small]}"])
        .top("deferred: {}");
    let gateway = Gateway::with(&config).await;
    edge.next([Answer::chat("waited for").gated(Point::BeforeHead, &gate)]);
    let chat = json!({"model": "home", "messages": [{"role": "user", "content": "x"}]});
    let live = tokio::spawn(gateway.chat(&chat).send());
    eventually("the edge is full", async || (edge.in_flight() == 1).then_some(())).await;
    let asks = |model: &str| json!({"model": model, "input": "x", "background": true});
    let mut kept = vec![];
    for model in ["home", "long"] {
        kept.push(accepted(gateway.post("/v1/responses"), &asks(model)).await);
    }
    let hinted = gateway.post("/v1/responses").header("x-tidegate-placement", "only-cloud");
    let mut done = vec![accepted(hinted, &asks("auto")).await];
    for model in ["later", "auto"] {
        done.push(accepted(gateway.post("/v1/responses"), &asks(model)).await);
    }
    for id in &done {
        until(&gateway, id, "completed").await;
    }
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 3), "nobody came between");
    gate.open();
    assert_eq!(live.await.unwrap().status, 200);
    for id in &kept {
        until(&gateway, id, "completed").await;
    }
}

#[tokio::test]
async fn what_is_cancelled_is_counted() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    cloud.kill().await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    for _ in 0..2 {
        let cancelled = gateway.post(&format!("/v1/responses/{id}/cancel")).send().await.json();
        assert_eq!(cancelled["status"], "cancelled");
    }
    let labels = [("kind", "background"), ("outcome", "cancelled")];
    gateway.eventually_metric("tidegate_deferred_finished_total", &labels, 1.0).await;
}

#[tokio::test]
async fn who_looks_after_his_own_work_takes_nothing_of_his_limits() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response("done").gated(Point::BeforeHead, &gate)]);
    let config = Config::cloud_only(&cloud).top("deferred: {}");
    let gateway = Gateway::with(&config.tenant("a", "privacy: retained\nlimits: {in_flight: 1}")).await;
    let id = accepted(gateway.post("/v1/responses").by("a"), &background("x")).await;
    eventually("it runs", async || (cloud.in_flight() == 1).then_some(())).await;
    let path = format!("/v1/responses/{id}");
    let polled = gateway.get(&path).by("a").send().await;
    assert_eq!((polled.status, &polled.json()["status"]), (200, &json!("in_progress")));
    gateway.get(&path).send().await.expect_error(401);
    let live = json!({"model": "auto", "messages": [{"role": "user", "content": "x"}]});
    gateway.chat(&live).by("a").send().await.expect_error(429);
    let cancelled = gateway.post(&format!("{path}/cancel")).by("a").send().await.json();
    assert_eq!(cancelled["status"], "cancelled");
    gate.open();
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

/// It may be too large for what the provider gives in a minute: it must not be asked for ever, nor keep the others.
#[tokio::test]
async fn what_is_pushed_back_while_others_pass_fails_at_last() {
    let cloud = Upstream::named("cloud").await.answering(|request| {
        let error = json!({"error": {"message": "too many tokens", "type": "tokens"}});
        let is_poison = String::from_utf8_lossy(&request.body).contains("poison");
        if is_poison { Answer::json(429, &error) } else { usual("cloud", request) }
    });
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {max_attempts: 1}")).await;
    let poison = accepted(gateway.post("/v1/responses"), &background("poison")).await;
    eventually("it was tried", async || (!cloud.requests().is_empty()).then_some(())).await;
    for n in 0..3 {
        let sound = accepted(gateway.post("/v1/responses"), &background(&format!("sound {n}"))).await;
        until(&gateway, &sound, "completed").await;
    }
    let failed = until(&gateway, &poison, "failed").await;
    assert!(failed["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{failed}");
    // Each execution has a name of its own in the books.
    for name in [poison.clone(), format!("{poison}-2")] {
        let booked =
            async || (gateway.admin(&format!("/api/requests/{name}")).send().await.status == 200).then_some(());
        eventually(&format!("{name} is booked"), booked).await;
    }
}

//! Work that is done later, with the real binary: background responses fetched, followed, cancelled, kept apart by tenant, done when the
//! cloud is back, and done once through a `kill -9`.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::support::gateway::{config_path, write_config};
use crate::support::upstream::Request;
use crate::support::{Answer, Call, Config, Gate, Gateway, Point, Upstream, eventually};

/// What must not be readable on disk.
pub const SECRET: &str = "the patient is called Ann Lee";

pub fn background(input: &str) -> Value {
    json!({"model": "auto", "input": input, "background": true, "metadata": {"case": "7"}})
}

pub async fn accepted(call: Call, body: &Value) -> String {
    let answer = call.json(body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let response = answer.json();
    assert_eq!((&response["status"], &response["background"]), (&json!("queued"), &json!(true)));
    assert_eq!((&response["object"], &response["output"]), (&json!("response"), &json!([])));
    let id = response["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("resp_tg"), "{id}");
    id
}

/// Polls until the response has that status.
pub async fn until(gateway: &Gateway, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    eventually(&format!("{id} is {status}"), async || {
        last = gateway.get(&format!("/v1/responses/{id}")).send().await.json();
        (last["status"] == status).then(|| last.clone())
    })
    .await
}

pub fn text(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap_or_default()
}

/// Every file of the queue.
pub fn on_disk(gateway: &Gateway) -> Vec<u8> {
    let mut all = vec![];
    for entry in std::fs::read_dir(gateway.dir().join("data/deferred")).unwrap().flatten() {
        all.extend(std::fs::read(entry.path()).unwrap());
    }
    all
}

#[tokio::test]
async fn a_background_response_is_accepted_done_fetched_and_deleted() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    let id = accepted(gateway.post("/v1/responses"), &background(SECRET)).await;
    let done = until(&gateway, &id, "completed").await;
    assert_eq!((&done["id"], &done["background"]), (&json!(id), &json!(true)));
    assert!(text(&done).contains("cloud"), "{done}");
    let asked = cloud.only_request();
    assert_eq!(asked.header("idempotency-key"), Some(id.as_str()));
    assert_eq!(asked.json(), json!({"model": "gpt-5", "input": SECRET, "metadata": {"case": "7"}}));
    let items = gateway.get(&format!("/v1/responses/{id}/input_items")).send().await.json();
    assert_eq!(items["data"][0]["content"][0]["text"], SECRET);
    let disk = on_disk(&gateway);
    assert!(disk.len() > 10_000 && !disk.windows(7).any(|part| part == b"Ann Lee"), "a text can be read on disk");
    let shown = gateway.admin("/api/deferred").send().await.json();
    assert_eq!((&shown["jobs"]["completed"], &shown["jobs"]["queued"]), (&json!(1), &json!(0)));
    let finished = [("kind", "background"), ("outcome", "completed")];
    gateway.eventually_metric("tidegate_deferred_finished_total", &finished, 1.0).await;
    gateway.eventually_metric("tidegate_deferred_jobs", &[("state", "completed")], 1.0).await;
    let booked = eventually("the execution is booked", async || {
        let rows = gateway.admin("/api/requests").send().await.json();
        let rows = rows["requests"].as_array()?.clone();
        rows.into_iter().find(|row| row.to_string().contains(&format!("job={id}")))
    })
    .await;
    assert_eq!(booked["model"], "frontier", "{booked}");
    let path = format!("/v1/responses/{id}");
    assert_eq!(gateway.call(Method::DELETE, &path).send().await.json()["deleted"], true);
    assert_eq!(gateway.get(&path).send().await.status, 404);
    assert_eq!(gateway.call(Method::DELETE, &path).send().await.status, 404);
    assert_eq!(gateway.call(Method::PUT, &path).send().await.status, 405);
}

#[tokio::test]
async fn a_streamed_one_is_followed_from_any_event() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response_stream(&["one ", "two ", "three"]).gated(Point::AfterPiece(3), &gate)]);
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    let mut body = background("count");
    body["stream"] = json!(true);
    let mut first = gateway.post("/v1/responses").json(&body).stream().await;
    assert_eq!(first.status, 200);
    let created = first.event().await.unwrap();
    assert_eq!((created.name.as_str(), &created.json()["sequence_number"]), ("response.created", &json!(0)));
    let id = created.json()["response"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first.event().await.unwrap().name, "response.queued");
    let third = first.event().await.unwrap();
    assert_eq!(third.json()["sequence_number"], 2, "{third:?}");
    // The client goes away, and comes back for the rest.
    drop(first);
    gate.open();
    let mut rest = gateway.get(&format!("/v1/responses/{id}?stream=true&starting_after=2")).stream().await;
    let mut events = vec![];
    while let Some(event) = rest.event().await {
        events.push(event);
    }
    let numbers: Vec<i64> = events.iter().map(|event| event.json()["sequence_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (3..3 + numbers.len() as i64).collect::<Vec<_>>());
    let last = events.last().unwrap();
    assert_eq!(last.name, "response.completed");
    assert_eq!((&last.json()["response"]["id"], text(&last.json()["response"])), (&json!(id), "one two three"));
    let whole = gateway.get(&format!("/v1/responses/{id}?stream=true")).send().await;
    assert_eq!(whole.events().len(), events.len() + 3);
    assert_eq!(text(&until(&gateway, &id, "completed").await), "one two three");
    assert!(cloud.only_request().json().get("background").is_none());
    let plain = accepted(gateway.post("/v1/responses"), &background("plain")).await;
    let refused = gateway.get(&format!("/v1/responses/{plain}?stream=true")).send().await;
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[tokio::test]
async fn one_that_runs_is_cancelled_at_the_upstream_too() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response("too late").gated(Point::BeforeHead, &gate)]);
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    eventually("it runs", async || (cloud.in_flight() == 1).then_some(())).await;
    assert_eq!(until(&gateway, &id, "in_progress").await["id"], json!(id));
    let cancelled = gateway.post(&format!("/v1/responses/{id}/cancel")).send().await.json();
    assert_eq!((&cancelled["status"], &cancelled["id"]), (&json!("cancelled"), &json!(id)));
    eventually("the upstream sees it", async || (!cloud.cancels().is_empty()).then_some(())).await;
    gate.open();
    let again = gateway.post(&format!("/v1/responses/{id}/cancel")).send().await.json();
    assert_eq!(again["status"], "cancelled");
    let followed = gateway.get(&format!("/v1/responses/{id}")).send().await.json();
    assert_eq!(followed["status"], "cancelled");
}

#[tokio::test]
async fn what_is_another_tenants_is_not_there_and_tiers_forbid_keeping() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud)
        .tenant("a", "privacy: retained")
        .tenant("b", "privacy: retained")
        .tenant("quiet", "privacy: no-retention")
        .top("deferred: {}");
    let gateway = Gateway::with(&config).await;
    let id = accepted(gateway.post("/v1/responses").by("a"), &background("x")).await;
    let path = format!("/v1/responses/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}?stream=true")),
        (Method::GET, format!("{path}/input_items")),
        (Method::POST, format!("{path}/cancel")),
        (Method::DELETE, path.clone()),
    ] {
        assert_eq!(gateway.call(method.clone(), &path).by("b").send().await.status, 404, "{method} {path}");
        assert_eq!(gateway.call(method.clone(), &path).send().await.status, 401, "{method} {path}");
    }
    assert_eq!(gateway.get(&path).by("a").send().await.status, 200);
    for (tenant, hint, body) in [
        ("quiet", "retained", background("x")),
        ("a", "no-retention", background("x")),
        ("a", "local-only", background("x")),
        ("a", "retained", json!({"model": "auto", "input": "x", "background": true, "store": false})),
    ] {
        let call = gateway.post("/v1/responses").by(tenant).header("x-tidegate-privacy", hint);
        let refused = call.json(&body).send().await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("background")), "{tenant} {hint}");
    }
    let unknown = json!({"model": "nobody", "input": "x", "background": true});
    assert_eq!(gateway.post("/v1/responses").by("a").json(&unknown).send().await.status, 404);
}

#[tokio::test]
async fn it_waits_for_the_cloud_and_rules_may_let_the_edge_do_it_meanwhile() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::hybrid(&edge, &cloud)
        .rules("patient", "", &["{name: later, when: deferred, try: [frontier]}", "{name: now, try: [small]}"])
        .top("deferred: {}");
    let gateway = Gateway::with(&config).await;
    cloud.kill().await;
    let ask = |model: &str| json!({"model": model, "input": "x", "background": true});
    let waiting = accepted(gateway.post("/v1/responses"), &ask("patient")).await;
    let meanwhile = accepted(gateway.post("/v1/responses"), &ask("cloud-first")).await;
    assert!(text(&until(&gateway, &meanwhile, "completed").await).contains("edge"));
    let reason = [("kind", "background")];
    eventually("it was tried", async || {
        (gateway.metrics().await.sum("tidegate_deferred_postponed_total", &reason) >= 1.0).then_some(())
    })
    .await;
    assert_eq!(until(&gateway, &waiting, "queued").await["id"], json!(waiting));
    cloud.restart_on_same_port().await;
    let done = until(&gateway, &waiting, "completed").await;
    assert!(text(&done).contains("cloud"), "{done}");
    let now = gateway.post("/v1/responses").json(&json!({"model": "patient", "input": "x"})).send().await;
    assert!(text(&now.json()).contains("edge"), "`deferred` is false for whoever waits");
}

#[tokio::test]
async fn a_refusal_is_the_result_and_a_broken_answer_is_tried_again() {
    let cloud = Upstream::named("cloud").await;
    let error = json!({"error": {"message": "that is too long", "type": "invalid_request_error", "code": "context_length_exceeded"}});
    cloud.next([Answer::json(400, &error)]);
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {max_attempts: 2}")).await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    let failed = until(&gateway, &id, "failed").await;
    assert_eq!(failed["error"], json!({"code": "context_length_exceeded", "message": "that is too long"}));
    assert_eq!((&failed["id"], &failed["metadata"]), (&json!(id), &json!({"case": "7"})));
    let half = || Answer::response_stream(&["one ", "two"]).closed(Point::AfterPiece(3));
    cloud.next([half(), Answer::response_stream(&["three"])]);
    let mut body = background("x");
    body["stream"] = json!(true);
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    let events = answer.events();
    let last = events.last().unwrap().json();
    assert_eq!((&last["type"], text(&last["response"])), (&json!("response.completed"), "three"));
    let mut numbers: Vec<i64> = events.iter().map(|event| event.json()["sequence_number"].as_i64().unwrap()).collect();
    let told = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), told, "no number is told twice");
    cloud.next([half(), half()]);
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    assert_eq!(answer.events().last().unwrap().name, "response.failed");
}

/// Each job's own text, so that a result can be told from every other.
fn own(request: &Request) -> Answer {
    Answer::response(&format!("answer to {}", request.json()["input"].as_str().unwrap_or_default()))
}

#[tokio::test]
async fn each_is_done_once_through_a_kill() {
    const JOBS: usize = 60;
    const AT_ONCE: usize = 4;
    let cloud = Upstream::named("cloud").await.answering(own);
    let gates: Vec<Gate> = (0..AT_ONCE).map(|_| Gate::new()).collect();
    let config = Config::cloud_only(&cloud).top(&format!("deferred: {{concurrency: {AT_ONCE}}}"));
    let mut gateway = Gateway::with(&config).await;
    let mut ids = HashMap::new();
    for n in 0..JOBS / 2 {
        let input = format!("question {n}");
        ids.insert(accepted(gateway.post("/v1/responses"), &background(&input)).await, input);
    }
    let is_done = async |count: f64| {
        let done = gateway.metrics().await.sum("tidegate_deferred_finished_total", &[("outcome", "completed")]);
        (done >= count).then_some(())
    };
    eventually("some are done", async || is_done((JOBS / 4) as f64).await).await;
    // From here on executions stand still in the middle.
    cloud.next(gates.iter().map(|gate| Answer::response("never told").gated(Point::BeforeHead, gate)));
    for n in JOBS / 2..JOBS {
        let input = format!("question {n}");
        ids.insert(accepted(gateway.post("/v1/responses"), &background(&input)).await, input);
    }
    eventually("some are under way", async || (cloud.in_flight() == AT_ONCE).then_some(())).await;
    gateway.signal("KILL");
    gateway.wait_exit().await;
    let dir = gateway.shared_dir();
    drop(gateway);
    let gateway = Gateway::start(Arc::clone(&dir), &[]).await;
    for (id, input) in &ids {
        let done = until(&gateway, id, "completed").await;
        assert_eq!(text(&done), format!("answer to {input}"), "each has its own answer");
    }
    let counts = gateway.admin("/api/deferred").send().await.json();
    assert_eq!((&counts["jobs"]["completed"], &counts["jobs"]["failed"]), (&json!(JOBS), &json!(0)));
    let mut asked: HashMap<String, usize> = HashMap::new();
    for request in cloud.requests() {
        *asked.entry(request.header("idempotency-key").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(asked.len(), JOBS);
    let twice = asked.values().filter(|times| **times > 1).count();
    // What was under way; and what had been answered, but not stored, in the moment of the kill.
    assert!((AT_ONCE..=2 * AT_ONCE).contains(&twice), "{twice} were asked twice");
    assert!(asked.values().all(|times| *times <= 2), "{asked:?}");
    gates.iter().for_each(Gate::open);
}

#[tokio::test]
async fn a_drain_that_is_over_gives_back_what_runs_and_the_next_start_does_it() {
    let (cloud, gate) = (Upstream::named("cloud").await, Gate::new());
    cloud.next([Answer::response("cut").gated(Point::BeforeHead, &gate)]);
    let config = Config::cloud_only(&cloud).top("deferred: {max_attempts: 1}").top("server: {drain_timeout: 100ms}");
    let mut gateway = Gateway::with(&config).await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    eventually("it runs", async || (cloud.in_flight() == 1).then_some(())).await;
    gateway.signal("TERM");
    assert!(gateway.wait_exit().await.success());
    let dir = gateway.shared_dir();
    drop(gateway);
    let gateway = Gateway::start(dir, &[]).await;
    assert!(text(&until(&gateway, &id, "completed").await).contains("cloud"), "it did not count as an attempt");
    gate.open();
}

#[tokio::test]
async fn without_the_section_background_is_the_upstreams_and_a_reload_turns_it_on() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud);
    let gateway = Gateway::with(&config).await;
    let answer = gateway.post("/v1/responses").json(&background("x")).send().await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("resp_mock")));
    assert_eq!(cloud.only_request().json()["background"], true);
    assert_eq!(gateway.admin("/api/deferred").send().await.status, 404);
    assert!(config_path(gateway.dir()).exists());
    gateway.reload(&config.clone().top("deferred: {max_queued: 1}")).await;
    let id = accepted(gateway.post("/v1/responses"), &background("x")).await;
    until(&gateway, &id, "completed").await;
    cloud.kill().await;
    accepted(gateway.post("/v1/responses"), &background("x")).await;
    let full = gateway.post("/v1/responses").json(&background("x")).send().await;
    assert_eq!((full.status, &full.json()["error"]["code"]), (429, &json!("insufficient_quota")));
    assert!(full.text().contains("more than 1 deferred requests"), "{}", full.text());
    write_config(gateway.dir(), &config.yaml());
}

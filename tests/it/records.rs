//! What is told of a request: beforehand (`explain`), afterwards (the decision record), and what was said of its answer (feedback).

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::gateway::run;
use crate::support::{Answer, Config, Gateway, Upstream, eventually};

const HARD: &str = "Prove that there are infinitely many primes congruent to 3 modulo 4 without the big theorem.";

async fn pair() -> (Upstream, Upstream) {
    (Upstream::named("edge").await, Upstream::named("cloud").await)
}

fn routed(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "context: 100")
        .model("frontier", "acme", "price: {input: 1, output: 10}")
        .rules(
            "auto",
            "threshold: 0.02",
            &[
                "{name: fresh, when: needs_fresh_knowledge > 0.99, try: [frontier]}",
                "{name: easy, when: difficulty < threshold, try: [small, frontier]}",
                "{name: hard, try: [small, frontier]}",
            ],
        )
}

async fn record(gateway: &Gateway, id: &str) -> Value {
    let path = format!("/api/requests/{id}");
    eventually("the request is booked", async || {
        let answer = gateway.admin(&path).send().await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

#[tokio::test]
async fn the_record_of_a_request_tells_its_decision_also_after_a_restart() {
    let (edge, cloud) = pair().await;
    let mut gateway = Gateway::with(&routed(&edge, &cloud)).await;
    edge.next([Answer::rate_limited("0")]);
    let answer = gateway.chat(&chat("auto", HARD)).send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "cloud"), "{}", answer.text());
    let id = answer.header("x-request-id").to_owned();
    let told = record(&gateway, &id).await;
    assert_eq!((&told["route"], &told["rule"], &told["outcome"]), (&json!("auto"), &json!("hard"), &json!("ok")));
    let decision = &told["decision"];
    let rules: Vec<(&str, &str)> = decision["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["name"].as_str().unwrap(), rule["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(rules, [("fresh", "not-matched"), ("easy", "not-matched"), ("hard", "matched")]);
    let targets = decision["targets"].as_array().unwrap();
    assert_eq!(targets[0], json!({"model": "small", "kept": true, "constraint": null}));
    let said: f64 = answer.header("x-tidegate-difficulty").parse().unwrap();
    assert!((decision["signals"]["difficulty"].as_f64().unwrap() - said).abs() < 0.001);
    assert_eq!((decision["signals"]["threshold"].as_f64(), &decision["threshold_from"]), (Some(0.02), &json!("fixed")));
    assert_eq!(decision["scored_by"].as_str().unwrap().len(), 12);
    let attempts: Vec<&str> =
        told["attempts"].as_array().unwrap().iter().map(|a| a["outcome"].as_str().unwrap()).collect();
    assert_eq!(attempts, ["rate-limited", "ok"]);
    assert_eq!(told["same_configuration"], true);
    gateway.signal("TERM");
    gateway.wait_exit().await;
    let again = Gateway::start(gateway.shared_dir(), &[]).await;
    assert_eq!(record(&again, &id).await["decision"], *decision);
}

#[tokio::test]
async fn a_refused_request_has_its_record_and_unknown_ones_are_told() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&routed(&edge, &cloud)).await;
    let long = "word ".repeat(400);
    let answer = gateway.chat(&chat("auto", &long)).header("x-tidegate-placement", "only-edge").send().await;
    assert_eq!(answer.status, 503);
    let told = record(&gateway, answer.header("x-request-id")).await;
    let dropped: Vec<&str> =
        told["decision"]["targets"].as_array().unwrap().iter().map(|t| t["constraint"].as_str().unwrap()).collect();
    assert_eq!(dropped, ["context", "placement"]);
    assert_eq!(told["outcome"], "no-eligible-target");
    let unknown = gateway.admin("/api/requests/nobody").send().await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("not in the ledger"), "{}", unknown.text());
}

#[tokio::test]
async fn lists_are_narrowed_and_go_on() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&routed(&edge, &cloud)).await;
    for _ in 0..5 {
        gateway.chat(&chat("auto", "hi")).send().await;
    }
    let last = gateway.chat(&chat("frontier", "hi")).send().await;
    record(&gateway, last.header("x-request-id")).await;
    let list = async |query: &str| gateway.admin(&format!("/api/requests?{query}")).send().await.json();
    assert_eq!(list("").await["requests"].as_array().unwrap().len(), 6);
    let first = list("route=auto&limit=3").await;
    assert_eq!(first["requests"].as_array().unwrap().len(), 3);
    let rest = list(&format!("route=auto&limit=3&before={}", first["before"])).await;
    assert_eq!(rest["requests"].as_array().unwrap().len(), 2);
    assert_eq!(rest["before"], Value::Null);
    assert_eq!(list("model=frontier&since=1h").await["requests"][0]["request_id"], last.header("x-request-id"));
    assert_eq!(gateway.admin("/api/requests?colour=red").send().await.status, 400);
    assert_eq!(list("tenant=%27%3B%20DROP%20TABLE%20requests%3B%20--").await["requests"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn feedback_is_kept_counted_and_shown() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&routed(&edge, &cloud)).await;
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    let id = answer.header("x-request-id").to_owned();
    record(&gateway, &id).await;
    let say = async |body: Value| gateway.admin_post("/api/feedback", &body).send().await;
    assert_eq!(say(json!({"request_id": id, "score": 1, "comment": "just right"})).await.status, 200);
    assert_eq!(say(json!({"request_id": id, "score": -0.5})).await.status, 200, "a second thought replaces the first");
    assert_eq!(record(&gateway, &id).await["feedback"], json!({"score": -0.5, "comment": ""}));
    assert_eq!(say(json!({"request_id": "nobody", "score": 1})).await.status, 404);
    assert_eq!(say(json!({"request_id": id, "score": 7})).await.status, 400);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("tidegate_feedback_total", &[("model", "small"), ("verdict", "bad")]), 1.0);
    let private = gateway.chat(&chat("auto", "hi")).header("x-tidegate-privacy", "local-only").send().await;
    let id = private.header("x-request-id").to_owned();
    record(&gateway, &id).await;
    assert_eq!(say(json!({"request_id": id, "score": 1, "comment": "names a person"})).await.status, 400);
    assert_eq!(say(json!({"request_id": id, "score": 1})).await.status, 200);
}

/// Timings apart, the command and the API tell the same.
#[tokio::test]
async fn the_command_and_the_api_explain_alike() {
    let (edge, cloud) = pair().await;
    let config = routed(&edge, &cloud).tenant("acme", "privacy: local-only\nthreshold: 0.9");
    let gateway = Gateway::with(&config).await;
    let body = chat("auto", HARD);
    std::fs::write(gateway.dir().join("request.json"), body.to_string()).unwrap();
    for tenant in [None, Some("acme")] {
        let asked = json!({"request": body, "tenant": tenant});
        let mut api = gateway.admin_post("/api/explain", &asked).send().await.json();
        let mut arguments = vec!["explain", "-c", "tidegate.yaml", "--json", "request.json"];
        arguments.extend(tenant.into_iter().flat_map(|name| ["--tenant", name]));
        let output = run(gateway.dir(), &arguments).await;
        let mut command: Value = serde_json::from_str(&output.text()).unwrap_or_else(|_| panic!("{}", output.text()));
        for told in [&mut api, &mut command] {
            for signal in told["signals"].as_array_mut().unwrap() {
                signal.as_object_mut().unwrap().remove("us");
            }
        }
        assert_eq!(api, command);
        assert!(api["difficulty"]["moved"].as_array().unwrap().iter().any(|moved| moved["is_text"] == true));
        let (rule, source) =
            if tenant.is_some() { ("easy", "set for the tenant") } else { ("hard", "set on the route") };
        assert_eq!((&api["rule"], &api["threshold"]["source"]), (&json!(rule), &json!(source)));
        assert_eq!(api["plan"].as_array().unwrap().len(), if tenant.is_some() { 1 } else { 2 });
        assert!(api["summary"].as_str().unwrap().starts_with("goes to `small` (edge)"), "{}", api["summary"]);
    }
    let nobody = gateway.admin_post("/api/explain", &json!({"request": body, "tenant": "nobody"})).send().await;
    assert_eq!(nobody.status, 400);
}

/// Nowhere on disk, in no answer of the admin API, in no log.
#[tokio::test]
async fn no_word_of_a_prompt_is_kept() {
    let (edge, cloud) = pair().await;
    let gateway = Gateway::with(&routed(&edge, &cloud).top("audit: {}")).await;
    let word = "quetzalcoatlus";
    let answer = gateway.chat(&chat("auto", &format!("tell me about the {word} and prove it"))).send().await;
    let told = record(&gateway, answer.header("x-request-id")).await.to_string();
    let metrics = gateway.admin("/metrics").send().await.text();
    for (what, text) in [("record", told), ("metrics", metrics), ("log", gateway.log().text())] {
        assert!(!text.contains(word), "the {what} has a word of the prompt");
    }
    let mut folders = vec![gateway.dir().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    assert!(memchr::memmem::find(&bytes, word.as_bytes()).is_none(), "{}", path.display());
                }
            }
        }
    }
}

#[tokio::test]
async fn types_and_counts_of_what_was_found_are_recorded_and_no_value() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&routed(&edge, &cloud).top("pii: {}")).await;
    let said = "my card is 4111 1111 1111 1111, mail me at ann.miller@example.org";
    let answer = gateway.chat(&chat("frontier", said)).send().await;
    let told = record(&gateway, answer.header("x-request-id")).await;
    assert_eq!(told["pii"], "CREDIT_CARD=1,EMAIL_ADDRESS=1", "{told}");
    assert!(!told.to_string().contains("4111") && !told.to_string().contains("miller"), "{told}");
}

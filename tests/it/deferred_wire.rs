//! What of deferred work goes over the wire and what must not: ids of the gateway's own, lines that may not be kept, words told twice.

use http::Method;
use serde_json::{Value, json};

use super::deferred::SECRET;
use crate::support::batches::{Client, MULTIPART, deferring, form, line};
use crate::support::config::{hash, key};
use crate::support::upstream::Framing;
use crate::support::{Answer, Config, Gateway, Point, Upstream, eventually};

const FILE: &str = "file-tg0123456789abcdef0123456789abcdef";

async fn background(gateway: &Gateway, tenant: &str) -> String {
    let body = json!({"model": "auto", "input": SECRET, "background": true});
    let answer = gateway.post("/v1/responses").by(tenant).json(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ids_of_ours_reach_no_provider() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud).tenant("a", "").tenant("b", "").top("deferred: {}");
    let gateway = Gateway::with(&config).await;
    let id = background(&gateway, "a").await;
    eventually("it is done", async || {
        let now = gateway.get(&format!("/v1/responses/{id}")).by("a").send().await.json();
        (now["status"] == "completed").then_some(())
    })
    .await;
    let asked = cloud.requests().len();
    let unknown = "resp_tg00000000000000000000000000000000";
    for (tenant, named, status) in [("a", &*id, 400), ("b", &id, 404), ("a", unknown, 404)] {
        for background in [false, true] {
            let next = json!({"model": "auto", "input": "y", "previous_response_id": named, "background": background});
            let refused = gateway.post("/v1/responses").by(tenant).json(&next).send().await;
            assert_eq!(refused.expect_error(status)["param"], "previous_response_id", "{tenant} {named}");
        }
    }
    let part = json!([{"role": "user", "content": [{"type": "input_file", "file_id": FILE}]}]);
    let chat_part = json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": FILE}}]}]);
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [FILE]}}]);
    for (path, body) in [
        ("/v1/responses", json!({"model": "auto", "input": part})),
        ("/v1/responses", json!({"model": "auto", "input": part, "background": true})),
        ("/v1/responses", json!({"model": "auto", "input": "x", "tools": tools})),
        ("/v1/chat/completions", json!({"model": "auto", "messages": chat_part})),
    ] {
        let refused = gateway.post(path).by("a").json(&body).send().await;
        assert_eq!(refused.expect_error(400)["param"], "file_id", "{body}");
    }
    assert_eq!(cloud.requests().len(), asked, "nothing of it went on");
    let theirs = json!({"model": "auto", "input": format!("what is {FILE}?"), "previous_response_id": "resp_abc"});
    assert_eq!(gateway.post("/v1/responses").by("a").json(&theirs).send().await.status, 200);
    assert_eq!(cloud.requests().last().unwrap().json()["previous_response_id"], "resp_abc");
}

/// A line whose body has more members.
fn with(name: &str, more: &Value) -> String {
    let mut line: Value = serde_json::from_str(&line(name, "auto")).unwrap();
    for (key, value) in more.as_object().unwrap() {
        line["body"][key] = value.clone();
    }
    line.to_string() + "\n"
}

#[tokio::test]
async fn lines_that_may_not_be_kept_fail_the_batch() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = deferring(&edge, &cloud).tenant("a", "apps: {quiet: {privacy: no-retention}, desk: {}}");
    let gateway = Gateway::with(&config).await;
    let client = Client::by(&gateway, "a");
    let hint = |hints: Value| json!({"tidegate": hints});
    let content = line("1", "auto")
        + &with("2", &hint(json!({"privacy": "local-only"})))
        + &with("3", &hint(json!({"privacy": "no-retention"})))
        + &with("4", &hint(json!({"app": "quiet"})))
        + &with("5", &hint(json!({"app": "desk", "privacy": "retained"})))
        + &with("6", &hint(json!({"privcy": "retained"})));
    let batch = client.when(&client.made(&content).await, "failed").await;
    let errors = batch["errors"]["data"].as_array().unwrap();
    let found: Vec<_> = errors.iter().map(|error| (error["line"].as_u64().unwrap(), error["param"].as_str())).collect();
    assert_eq!(found, [2, 3, 4, 6].map(|line| (line, Some("body.tidegate"))), "{batch}");
    assert_eq!((edge.requests().len(), cloud.requests().len()), (0, 0));
    // A batch of one app has no lines of another.
    let file = client.upload(&with("1", &hint(json!({"app": "other"})))).await;
    let body = json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let made = client.post("/v1/batches").header("x-tidegate-app", "desk").json(&body).send().await.json();
    let batch = client.when(made["id"].as_str().unwrap(), "failed").await;
    assert!(batch["errors"]["data"][0]["message"].as_str().unwrap().contains("`desk`"), "{batch}");
}

#[tokio::test]
async fn a_page_is_no_answer_to_a_line() {
    let page = || Answer::new(200, "text/html", Framing::Length, vec!["<html>welcome to the proxy</html>".into()]);
    let edge = Upstream::named("edge").await.always(page());
    let cloud = Upstream::named("cloud").await.always(page());
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud).top("deferred: {max_attempts: 1}")).await;
    let client = Client::of(&gateway);
    let batch = client.when(&client.made(&line("a", "auto")).await, "completed").await;
    assert_eq!(batch["request_counts"], json!({"total": 1, "completed": 0, "failed": 1}));
    assert!(batch["output_file_id"].is_null());
    let errors = client.results(&batch["error_file_id"]).await;
    assert_ne!(errors["a"]["response"]["status_code"], 200, "{errors:?}");
}

#[tokio::test]
async fn no_word_is_told_twice_where_a_stream_is_done_again() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {max_attempts: 2}")).await;
    let half = Answer::response_stream(&["one ", "two "]).closed(Point::AfterPiece(3));
    cloud.next([half, Answer::response_stream(&["one ", "two ", "three"])]);
    let body = json!({"model": "auto", "input": "count", "background": true, "stream": true});
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    let events = answer.events();
    assert!(events.iter().all(|event| event.name.starts_with("response.") && event.json()["type"] == *event.name));
    let deltas: Vec<String> = events
        .iter()
        .filter(|event| event.name == "response.output_text.delta")
        .map(|event| event.json()["delta"].as_str().unwrap().to_owned())
        .collect();
    assert!(deltas.len() <= 2 && !deltas.is_empty(), "{deltas:?}");
    assert_eq!(deltas.iter().filter(|delta| *delta == "one ").count(), 1, "{deltas:?}");
    let last = events.last().unwrap();
    assert_eq!(last.name, "response.completed");
    assert_eq!(last.json()["response"]["output"][0]["content"][0]["text"], "one two three");
    let numbers: Vec<i64> = events.iter().map(|event| event.json()["sequence_number"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let id = last.json()["response"]["id"].as_str().unwrap().to_owned();
    let after = gateway.get(&format!("/v1/responses/{id}?stream=true&starting_after={}", i64::MAX)).send().await;
    assert_eq!((after.status, after.events().len()), (200, 0), "nothing follows that");
    let now = gateway.get(&format!("/v1/responses/{id}")).send().await.json();
    assert_eq!(now["status"], "completed");
}

#[tokio::test]
async fn hints_about_waiting_are_not_kept() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top("deferred: {}")).await;
    for (hints, input) in [(json!({"deadline_ms": 1, "tags": "a=b"}), "x"), (json!({"deadline_ms": 1}), "y")] {
        let body = json!({"model": "auto", "tidegate": hints, "background": true, "input": input});
        let answer = gateway.post("/v1/responses").json(&body).send().await;
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        eventually("it is done", async || {
            let now = gateway.get(&format!("/v1/responses/{id}")).send().await.json();
            (now["status"] == "completed").then_some(())
        })
        .await;
        assert_eq!(cloud.requests().last().unwrap().json(), json!({"model": "gpt-5", "input": input}));
    }
}

#[tokio::test]
async fn a_form_says_everything_once() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let text = |purpose: &str, file_first: bool| {
        String::from_utf8(form(purpose, &line("a", "auto"), file_first).to_vec()).unwrap()
    };
    let both = |first: &str, second: &str| {
        let open = first.strip_suffix("------formdata-undici-069670771140--\r\n").unwrap();
        open.to_owned() + second
    };
    let theirs = text("vision", true);
    let file_alone = &theirs[..theirs.rfind("------formdata-undici-069670771140\r\n").unwrap()];
    for twice in [
        both(&text("batch", false), &text("batch", false)),
        both(&text("batch", true), &text("vision", true)),
        file_alone.to_owned() + &theirs,
    ] {
        client.post("/v1/files").body(MULTIPART, twice).send().await.expect_error(400);
    }
    assert_eq!(cloud.requests().len(), 0, "no half of it went to the provider");
    assert_eq!(client.get("/v1/files?purpose=batch").await.json()["data"], json!([]));
    assert_eq!(client.call(Method::PUT, "/v1/batches/batch_tg1").send().await.status, 405);
}

/// Keys that stand for an app see nothing of the others of their tenant; a key of the whole tenant sees everything.
#[tokio::test]
async fn keys_of_an_app_see_its_own_only() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let keys = ["a", "one", "two"].map(key);
    let config = deferring(&edge, &cloud)
        .tenant_with("a", &[&keys[0], &keys[1], &keys[2]], "apps: {one: {}, two: {}}")
        .top("passthrough: off");
    let mut yaml = config.yaml();
    for app in ["one", "two"] {
        let hash = format!("\"{}\"", hash(&key(app)));
        yaml = yaml.replace(&hash, &format!("{{hash: {hash}, app: {app}}}"));
    }
    let gateway = Gateway::with_yaml(&yaml).await;
    let (all, one, two) = (Client::by(&gateway, "a"), Client::by(&gateway, "one"), Client::by(&gateway, "two"));
    let response = format!("/v1/responses/{}", background(&gateway, "one").await);
    let file = one.upload(&line("x", "auto")).await;
    let others = two.upload(&line("x", "auto")).await;
    let batch = one.make(&file, "24h").await.json()["id"].as_str().unwrap().to_owned();
    let output = one.when(&batch, "completed").await["output_file_id"].as_str().unwrap().to_owned();
    let (file_path, batch_path) = (format!("/v1/files/{file}"), format!("/v1/batches/{batch}"));
    for (method, path) in [
        (Method::GET, response.clone()),
        (Method::GET, format!("{response}?stream=true")),
        (Method::GET, format!("{response}/input_items")),
        (Method::POST, format!("{response}/cancel")),
        (Method::DELETE, response.clone()),
        (Method::GET, file_path.clone()),
        (Method::GET, format!("{file_path}/content")),
        (Method::DELETE, file_path.clone()),
        (Method::GET, format!("/v1/files/{output}/content")),
        (Method::GET, batch_path.clone()),
        (Method::POST, format!("{batch_path}/cancel")),
    ] {
        assert_eq!(two.call(method.clone(), &path).send().await.status, 404, "{method} {path}");
    }
    assert_eq!(two.make(&file, "24h").await.expect_error(400)["param"], "input_file_id");
    let ids = async |client: &Client<'_>, path: &str| -> Vec<String> {
        let page = client.get(path).await.json();
        page["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&two, "/v1/batches").await, [""; 0]);
    assert_eq!(ids(&two, "/v1/files").await, std::slice::from_ref(&others));
    assert_eq!(
        ids(&two, "/v1/files?limit=1&order=asc").await,
        std::slice::from_ref(&others),
        "others' do not take its places"
    );
    assert_eq!(ids(&one, "/v1/files").await, [output.clone(), file.clone()]);
    assert_eq!(ids(&all, "/v1/files").await, [output, others, file]);
    assert_eq!(ids(&all, "/v1/batches").await, [batch]);
    for client in [&one, &all] {
        for path in [&response, &file_path, &batch_path] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
    }
    let next = json!({"model": "auto", "input": "y", "previous_response_id": response.rsplit('/').next()});
    for (tenant, status) in [("two", 404), ("one", 400)] {
        gateway.post("/v1/responses").by(tenant).json(&next).send().await.expect_error(status);
    }
}

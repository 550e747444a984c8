//! Files of batches beside those of providers: whose is whose, who may see what, who may keep any.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::batches::{Client, MULTIPART, assert_nothing_readable, deferring, form, line, lines};
use crate::support::{Answer, Config, Gateway, Upstream, within};

#[tokio::test]
async fn what_makes_no_batch_is_refused_at_once() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud).top("passthrough: off")).await;
    let client = Client::of(&gateway);
    let file = client.upload(&line("a", "auto")).await;
    assert_eq!(client.make("file-tgnone", "24h").await.expect_error(400)["param"], "input_file_id");
    assert_eq!(client.make(&file, "soon").await.expect_error(400)["param"], "completion_window");
    let answer = client.post("/v1/files").body(MULTIPART, form("assistants", "x", false)).send().await;
    answer.expect_error(404);
    client.get("/v1/batches/batch_tgnone").await.expect_error(404);
    client.get("/v1/files/file-tgnone/content").await.expect_error(404);
    client.post("/v1/batches/batch_tgnone/cancel").send().await.expect_error(404);
    client.post(&format!("/v1/files/{file}")).send().await.expect_error(405);
    let half = form("batch", &lines(5, "auto"), false);
    let answer = client.post("/v1/files").body(MULTIPART, half.slice(..half.len() - 10)).send().await;
    answer.expect_error(400);
    let listed = client.get("/v1/files").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "half an upload is no file: {listed}");
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn lists_come_in_pages_ours_before_the_providers() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let mut files = vec![];
    for _ in 0..3 {
        files.push(client.upload(&line("a", "auto")).await);
    }
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = client.get("/v1/files?purpose=batch&limit=2").await.json();
    assert_eq!(ids(&page), [files[2].clone(), files[1].clone()]);
    assert_eq!((&page["has_more"], &page["last_id"]), (&json!(true), &json!(files[1])));
    let page = client.get(&format!("/v1/files?purpose=batch&limit=2&after={}", files[1])).await.json();
    assert_eq!((ids(&page), &page["has_more"]), (vec![files[0].clone()], &json!(false)));
    let page = client.get("/v1/files?purpose=batch&order=asc").await.json();
    assert_eq!(ids(&page), files);
    client.get("/v1/files?purpose=batch&limit=0").await;
    assert_eq!(cloud.requests().pop().unwrap().target, "/v1/files?purpose=batch&limit=0", "for the provider to refuse");

    // Without a purpose the provider's follow ours, from their start.
    let page = client.get("/v1/files?limit=3").await.json();
    assert_eq!((ids(&page).len(), &page["has_more"]), (3, &json!(true)));
    client.get(&format!("/v1/files?limit=3&after={}", files[0])).await;
    assert_eq!(cloud.requests().pop().unwrap().target, "/v1/files?limit=3");
    client.get("/v1/files?after=file-abc").await;
    assert_eq!(cloud.requests().pop().unwrap().target, "/v1/files?after=file-abc");
    client.get("/v1/files?purpose=vision").await;
    assert_eq!(cloud.requests().pop().unwrap().target, "/v1/files?purpose=vision");

    let mut batches = vec![];
    for file in &files {
        batches.push(client.make(file, "24h").await.json()["id"].as_str().unwrap().to_owned());
    }
    let page = client.get("/v1/batches?limit=2").await.json();
    assert_eq!((ids(&page), &page["has_more"]), (vec![batches[2].clone(), batches[1].clone()], &json!(true)));
    let page = client.get(&format!("/v1/batches?limit=2&after={}", batches[1])).await.json();
    assert_eq!(ids(&page), [batches[0].clone()]);
    client.get(&format!("/v1/batches?limit=2&after={}", batches[0])).await;
    assert_eq!(cloud.requests().pop().unwrap().target, "/v1/batches?limit=2");
}

#[tokio::test]
async fn a_list_ends_where_the_provider_has_none() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let file = client.upload(&lines(1, "auto")).await;
    let id = client.make(&file, "24h").await.json()["id"].as_str().unwrap().to_owned();
    let error =
        json!({"error": {"message": "no such path", "type": "invalid_request_error", "param": null, "code": null}});
    for status in [404, 405, 501] {
        cloud.now_always(Answer::json(status, &error));
        for target in [format!("/v1/batches?after={id}"), format!("/v1/files?after={file}")] {
            let page = client.get(&target).await;
            assert_eq!((page.status, &page.json()["data"]), (200, &json!([])), "{target}");
            assert_eq!(page.json()["has_more"], false);
        }
        client.get("/v1/batches?after=batch_1").await.expect_error(status);
    }
    cloud.now_always(Answer::json(403, &error));
    client.get(&format!("/v1/batches?after={id}")).await.expect_error(403);
}

#[tokio::test]
async fn what_is_the_providers_passes_byte_for_byte() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    // Longer than what is held back, with the purpose behind it, in pieces.
    let long = "no batch at all \u{0}\u{1}".repeat(40_000);
    for (purpose, file_first) in [("assistants", false), ("assistants", true), ("fine-tune", true)] {
        let body = form(purpose, &long, file_first);
        let (call, sender) = client.post("/v1/files").streamed_body(MULTIPART);
        let answer = tokio::spawn(call.send());
        for piece in body.chunks(50_000) {
            sender.send(Bytes::copy_from_slice(piece)).await.expect("the body is read");
        }
        drop(sender);
        let answer = within("the answer", answer).await.expect("no panic");
        assert_eq!(answer.status, 200);
        let request = cloud.requests().pop().unwrap();
        assert!(request.body == body, "{purpose}: another body than was sent");
        assert!(answer.body == body);
        let answer = client.post("/v1/files").body(MULTIPART, body.clone()).send().await;
        assert!(answer.body == body);
        let request = cloud.requests().pop().unwrap();
        assert_eq!(request.header("content-length"), Some(body.len().to_string().as_str()));
    }
    let body = r#"{ "input_file_id":"file-abc", "endpoint":"/v1/embeddings","completion_window":"24h" }"#;
    let answer = client.post("/v1/batches").body("application/json", body).send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    for (method, target) in [
        (Method::GET, "/v1/batches/batch_abc"),
        (Method::POST, "/v1/batches/batch_abc/cancel"),
        (Method::DELETE, "/v1/files/file-abc"),
        (Method::GET, "/v1/files/file-abc/content"),
    ] {
        client.gateway.call(method.clone(), target).send().await;
        let request = cloud.requests().pop().unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), (method.as_str(), target));
    }
}

#[tokio::test]
async fn tenants_see_their_own_only() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = deferring(&edge, &cloud)
        .top("passthrough: off")
        .tenant("acme", "privacy: retained\nmodels: [auto]")
        .tenant("rival", "privacy: retained");
    let gateway = Gateway::with(&config).await;
    let (acme, rival) = (Client::by(&gateway, "acme"), Client::by(&gateway, "rival"));
    let file = acme.upload(&lines(3, "auto")).await;
    let id = acme.make(&file, "24h").await.json()["id"].as_str().unwrap().to_owned();
    let batch = acme.when(&id, "completed").await;
    let output = batch["output_file_id"].as_str().unwrap();
    for target in [format!("/v1/files/{file}"), format!("/v1/files/{output}/content"), format!("/v1/batches/{id}")] {
        assert_eq!(acme.get(&target).await.status, 200, "{target}");
        let (foreign, unknown) = (rival.get(&target).await, rival.get(&target.replace("tg", "tg0")).await);
        assert_eq!(foreign.expect_error(404)["code"], unknown.expect_error(404)["code"]);
    }
    rival.make(&file, "24h").await.expect_error(400);
    rival.post(&format!("/v1/batches/{id}/cancel")).send().await.expect_error(404);
    rival.call(Method::DELETE, &format!("/v1/files/{file}")).send().await.expect_error(404);
    for target in ["/v1/files", "/v1/batches", &format!("/v1/files?after={file}")] {
        assert_eq!(rival.get(target).await.json()["data"], json!([]), "{target}");
    }
    gateway.get(&format!("/v1/batches/{id}")).send().await.expect_error(401);
    // What a tenant may not ask for, its batches may not either.
    let id = acme.made(&line("a", "cloud-first")).await;
    assert_eq!(acme.when(&id, "failed").await["errors"]["data"][0]["code"], "model_not_allowed");
}

#[tokio::test]
async fn tiers_that_forbid_keeping_are_refused() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = deferring(&edge, &cloud)
        .tenant("home", "privacy: local-only")
        .tenant("quiet", "privacy: no-retention")
        .tenant("open", "privacy: retained");
    let gateway = Gateway::with(&config).await;
    for tenant in ["home", "quiet"] {
        let client = Client::by(&gateway, tenant);
        for file_first in [false, true] {
            // The long one has its purpose beyond what is held back.
            for content in [lines(3, "auto"), lines(3_000, "auto")] {
                let answer = client.post("/v1/files").body(MULTIPART, form("batch", &content, file_first)).send().await;
                let error = answer.expect_error(400);
                assert!(error["message"].as_str().unwrap().contains("forbids"), "{error}");
            }
        }
    }
    let client = Client::by(&gateway, "open");
    let file = client.upload(&lines(3, "auto")).await;
    let body = json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let answer = client.post("/v1/batches").json(&body).header("x-tidegate-privacy", "no-retention").send().await;
    assert!(answer.expect_error(400)["message"].as_str().unwrap().contains("no-retention"));
    for (hints, said) in [(json!({"privacy": "no-retention"}), "no-retention"), (json!({"privcy": "x"}), "privcy")] {
        let mut hinted = body.clone();
        hinted["tidegate"] = hints;
        let answer = client.post("/v1/batches").json(&hinted).send().await;
        assert!(answer.expect_error(400)["message"].as_str().unwrap().contains(said));
    }
    assert_eq!(cloud.requests().len(), 0);
    assert_nothing_readable(&gateway);
}

#[tokio::test]
async fn an_upload_is_bounded_and_not_held_in_memory() {
    const SIZE: usize = 32 << 20;
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&deferring(&edge, &cloud).top("server: {max_upload: 33MiB}")).await;
    let client = Client::of(&gateway);
    client.upload(&lines(1, "auto")).await;
    let content = "x".repeat(SIZE);
    let before = gateway.memory();
    let (call, body) = client.post("/v1/files").streamed_body(MULTIPART);
    let answer = tokio::spawn(call.send());
    let mut most = before;
    for piece in form("batch", &content, false).chunks(64 << 10) {
        body.send(Bytes::copy_from_slice(piece)).await.expect("the body is read");
        most = most.max(gateway.memory());
    }
    drop(body);
    let kept = answer.await.expect("no panic").json();
    assert_eq!(kept["bytes"], SIZE);
    assert!(most - before < 16 << 20, "memory grew by {} KiB", (most - before) >> 10);
    let again = client.get(&format!("/v1/files/{}/content", kept["id"].as_str().unwrap())).await;
    assert!(again.body.len() == SIZE && again.header("content-length") == SIZE.to_string());

    let big = form("batch", &"x".repeat(34 << 20), false);
    let answer = client.post("/v1/files").body(MULTIPART, big).try_send().await;
    // The gateway may have to cut the connection, but must not pretend that all went well.
    if let Ok(answer) = answer {
        assert_eq!(answer.expect_error(413)["code"], "request_too_large");
    }
    let listed = client.get("/v1/files?purpose=batch").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_the_section_all_of_it_is_the_providers() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let client = Client::of(&gateway);
    let body = form("batch", &lines(3, "auto"), false);
    let answer = client.post("/v1/files").body(MULTIPART, body.clone()).send().await;
    assert!(answer.body == body && cloud.only_request().body == body);
    client.get("/v1/files/file-tg1").await.expect_error(404);
}

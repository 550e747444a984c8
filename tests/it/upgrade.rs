//! `then: upgrade`, with the real binary: the edge's answer at once, the cloud's under the same id when it can be had.

use http::Method;
use serde_json::{Value, json};

use super::deferred::{SECRET, on_disk};
use crate::support::{Answer, Call, Config, Gateway, Upstream, eventually};

/// Whatever the edge answers on the routes `upgraded` and `cloud-preferred` is followed by the cloud's answer.
fn upgrading(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::hybrid(edge, cloud)
        .rules("upgraded", "", &["{name: all, try: [small, frontier], then: upgrade}"])
        .rules("cloud-preferred", "", &["{name: all, try: [frontier, small], then: upgrade}"])
        .top("deferred: {}")
}

#[tokio::test]
async fn the_clouds_answer_follows_the_edges_under_the_same_id() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud)).await;
    cloud.kill().await;
    let chat = json!({"model": "upgraded", "messages": [{"role": "user", "content": SECRET}]});
    let answer = gateway.chat(&chat).send().await;
    assert_eq!((answer.header("x-tidegate-upgrade"), answer.header("x-tidegate-placement")), ("queued", "edge"));
    let edges = answer.json();
    let id = edges["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("chatcmpl-tg"), "{id}");
    let path = format!("/v1/chat/completions/{id}");
    let now = gateway.get(&path).send().await.json();
    assert_eq!(now["choices"], edges["choices"]);
    let status = now["tidegate"]["upgrade"]["status"].as_str().unwrap();
    assert!(matches!(status, "queued" | "in_progress"), "{status}: it waits, or is just being tried");
    assert_eq!((&now["tidegate"]["upgrade"]["edge"], &now["tidegate"]["upgrade"]["cloud"]), (&edges, &Value::Null));
    cloud.restart_on_same_port().await;
    let upgraded = eventually("the cloud's answer is there", async || {
        let now = gateway.get(&path).send().await.json();
        (now["tidegate"]["upgrade"]["status"] == "completed").then_some(now)
    })
    .await;
    let upgrade = &upgraded["tidegate"]["upgrade"];
    assert_eq!((&upgraded["id"], &upgraded["choices"]), (&json!(id), &upgrade["cloud"]["choices"]));
    assert_eq!(upgraded["choices"][0]["message"]["content"], "hello from cloud");
    assert_eq!((&upgrade["edge"], &upgrade["same"], &upgrade["model"]), (&edges, &json!(false), &json!("frontier")));
    assert!(!on_disk(&gateway).windows(7).any(|part| part == b"Ann Lee"));
    assert_eq!(gateway.call(Method::DELETE, &path).send().await.json()["object"], "chat.completion.deleted");
    assert_eq!(gateway.get(&path).send().await.status, 404);
}

#[tokio::test]
async fn streams_are_upgraded_too() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud)).await;
    let (path, pointer) = ("/v1/chat/completions", "/choices/0/message/content");
    let chat = json!({"model": "upgraded", "messages": [{"role": "user", "content": "x"}], "stream": true});
    let answer = gateway.post(path).json(&chat).send().await;
    assert_eq!(answer.header("x-tidegate-upgrade"), "queued");
    let ids: Vec<Value> =
        answer.events().iter().filter(|event| !event.is_done()).map(|event| event.json()["id"].clone()).collect();
    let id = ids[0].as_str().unwrap();
    assert!(id.starts_with("chatcmpl-tg") && ids.iter().all(|other| *other == id), "{ids:?}");
    let upgraded = eventually("both answers are there", async || {
        let now = gateway.get(&format!("{path}/{id}")).send().await.json();
        let upgrade = &now["tidegate"]["upgrade"];
        (upgrade["status"] == "completed" && !upgrade["edge"].is_null()).then_some(now)
    })
    .await;
    let upgrade = &upgraded["tidegate"]["upgrade"];
    assert_eq!(upgraded.pointer(pointer).unwrap(), "hello from cloud");
    assert_eq!(upgrade["edge"].pointer(pointer).unwrap(), "hello from edge");
    assert_eq!(
        (&upgrade["edge"]["id"], &upgrade["cloud"]["id"], &upgrade["same"]),
        (&json!(id), &json!(id), &json!(false))
    );
    let sent = cloud.requests().last().unwrap().json();
    assert_eq!((&sent["stream"], sent.get("stream_options")), (&json!(false), None));
}

#[tokio::test]
async fn no_text_is_changed_with_the_id() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud)).await;
    let chat = json!({"model": "upgraded", "messages": [{"role": "user", "content": "x"}], "stream": true});
    for id in ["", "1"] {
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"delta": delta, "finish_reason": finish, "index": 0, "logprobs": null});
            format!(
                "data: {}\n\n",
                json!({"choices": [choice], "id": id, "object": "chat.completion.chunk", "created": 1, "model": "m"})
            )
        };
        let call =
            json!([{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "\"1\""}}]);
        let mut pieces = vec![
            chunk(json!({"role": "assistant", "content": "1"}), json!(null)),
            chunk(json!({"content": ""}), json!(null)),
            chunk(json!({"tool_calls": call}), json!(null)),
            chunk(json!({}), json!("stop")),
        ];
        pieces.push("data: [DONE]\n\n".into());
        edge.next([Answer::sse(pieces.clone())]);
        let answer = gateway.chat(&chat).send().await;
        assert_eq!(answer.header("x-tidegate-upgrade"), "queued");
        let told = answer.events();
        assert_eq!(told.len(), pieces.len(), "{}", answer.text());
        for (told, piece) in told.iter().zip(&pieces).filter(|(told, _)| !told.is_done()) {
            let mut told = told.json();
            assert!(told["id"].as_str().unwrap().starts_with("chatcmpl-tg"), "{told}");
            told["id"] = json!(id);
            let came: Value = serde_json::from_str(piece.trim_start_matches("data: ")).unwrap();
            assert_eq!(told, came);
        }
    }
}

#[tokio::test]
async fn responses_keep_their_ids_and_what_goes_on_from_them_finds_them() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud)).await;
    let first = gateway.post("/v1/responses").json(&json!({"model": "upgraded", "input": "x"})).send().await;
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((first.header("x-tidegate-upgrade"), id.starts_with("resp_tg")), ("", false), "{id}");
    let next = json!({"model": "upgraded", "input": "y", "previous_response_id": id});
    assert_eq!(gateway.post("/v1/responses").json(&next).send().await.status, 200);
    assert_eq!(edge.requests().last().unwrap().json()["previous_response_id"], id);
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn an_upgraded_answer_is_nobody_elses() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud).top("cache: {}")).await;
    for stream in [false, true] {
        let chat = json!({"model": "upgraded", "messages": [{"role": "user", "content": "x"}], "temperature": 0, "stream": stream});
        let mut ids = std::collections::HashSet::new();
        for _ in 0..3 {
            let answer = gateway.chat(&chat).send().await;
            assert_eq!((answer.status, answer.header("x-tidegate-upgrade")), (200, "queued"), "{}", answer.text());
            assert_eq!(answer.header("x-tidegate-cache"), "miss");
            let first = if stream { answer.events()[0].json() } else { answer.json() };
            ids.insert(first["id"].as_str().unwrap().to_owned());
            assert!(!stream || !answer.text().contains("prompt_tokens"), "nobody asked for usage: {}", answer.text());
        }
        assert_eq!(ids.len(), 3, "{ids:?}");
    }
}

#[tokio::test]
async fn only_what_the_edge_answered_and_may_be_kept_is_upgraded() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&upgrading(&edge, &cloud)).await;
    let ask = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
    let header = async |call: Call| {
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        (
            answer.header("x-tidegate-upgrade").to_owned(),
            answer.json()["id"].as_str().unwrap().starts_with("chatcmpl-tg"),
        )
    };
    assert_eq!(header(gateway.chat(&ask("cloud-preferred"))).await, (String::new(), false), "the cloud has answered");
    for (name, value) in [("x-tidegate-privacy", "no-retention"), ("x-tidegate-placement", "only-edge")] {
        assert_eq!(header(gateway.chat(&ask("upgraded")).header(name, value)).await, (String::new(), false), "{value}");
    }
    let mut unstored = ask("upgraded");
    unstored["store"] = json!(false);
    assert_eq!(header(gateway.chat(&unstored)).await, (String::new(), false), "the client forbids it");
    assert_eq!(header(gateway.chat(&ask("auto"))).await, (String::new(), false), "the rule does not ask for it");
    cloud.kill().await;
    assert_eq!(header(gateway.chat(&ask("cloud-preferred"))).await, ("queued".into(), true), "degraded to the edge");
}

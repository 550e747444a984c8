//! Protection at its edges: an analyzer beside it, texts in unusual shapes, what nobody can read.
//!
//! What a reader could get wrong: helpers are those of `protect.rs`; the cloud echoes what it was sent.

use serde_json::{Value, json};

use super::protect::{PII, assert_hidden, cloud_with, echo, seen};
use crate::support::client::{chat, chat_stream};
use crate::support::{Answer, Config, Gateway, Upstream, sse};

/// A Presidio analyzer that takes the word `zebra` for a person.
async fn analyzer() -> Upstream {
    Upstream::named("analyzer").await.answering(|request| {
        assert_eq!(request.path(), "/analyze");
        let text: Vec<char> = request.json()["text"].as_str().unwrap().chars().collect();
        let word: Vec<char> = "zebra".chars().collect();
        let places = (0..text.len()).filter(|at| text[*at..].starts_with(&word));
        let told: Vec<Value> =
            places.map(|at| json!({"entity_type": "PERSON", "start": at, "end": at + 5, "score": 0.85})).collect();
        Answer::json(200, &Value::Array(told))
    })
}

#[tokio::test]
async fn an_analyzer_is_asked_as_well() {
    let (analyzer, cloud) = (analyzer().await, Upstream::named("cloud").await.answering(echo(2)));
    let top = format!("pii: {{analyzer: {}}}", analyzer.url());
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top(&top)).await;
    let said = "it is so cold, \"brr\" 😀\nand then the zebra ate";
    let answer = gateway.chat(&chat_stream("auto", said)).send().await;
    assert_eq!(answer.header("x-tidegate-pii"), "PERSON=1");
    assert_eq!(sse::text(&answer.events()), said);
    assert!(!seen(&cloud.only_request()).contains("zebra"));
    assert_eq!(gateway.metrics().await.sum("tidegate_pii_analyzer_total", &[("result", "ok")]), 1.0);
}

#[tokio::test]
async fn without_the_analyzer_private_requests_wait_at_the_door_and_others_go_on() {
    let (gone, edge, cloud) =
        (Upstream::down("analyzer"), Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = |more: &str| {
        let top = format!("pii: {{analyzer: {{url: {}, timeout: 5s{more}}}}}", gone.url());
        Config::hybrid(&edge, &cloud).top(&top)
    };
    let gateway = Gateway::with(&config("")).await;
    let private = gateway.chat(&chat("frontier", "hi")).header("x-tidegate-privacy", "no-retention").send().await;
    let error = private.expect_error(503);
    assert!(error["message"].as_str().unwrap().contains("pii.analyzer"), "{error}");
    assert_eq!(gateway.chat(&chat("frontier", "hi")).send().await.status, 200);
    let strict = Gateway::with(&config(", on_error: block")).await;
    strict.chat(&chat("frontier", "hi")).send().await.expect_error(503);
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn unusual_shapes_and_json_within_texts_are_looked_at_too() {
    let (cloud, gateway) = cloud_with(PII, 3).await;
    let result = json!({"note": "badge:\nE-123456", "card": 4_111_111_111_111_111_u64}).to_string();
    let file = "data:text/csv;charset=latin1;BASE64,4jsgRS02NTQzMjE7IHg=";
    let bodies = [
        json!({"messages": [{"role": "tool", "tool_call_id": "c", "content": result}]}),
        json!({"messages": [{"role": "user", "content": {"type": "text", "text": "E-123456"}}]}),
        json!({"messages": [{"role": "user", "content": [["badge E-123456"]]}]}),
        json!({"messages": ["badge E-123456"]}),
        json!({"messages": [{"role": "user", "content": "hi"}], "metadata": {"user_id": "E-123456", "data": "E-654321"}}),
        json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"to": "E-123456"}}}]}]}),
        json!({"messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "json_schema",
            "json_schema": {"schema": {"properties": {"type": {"description": "as in E-123456"}}}}}}),
        json!({"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "f",
            "parameters": {"properties": {"format": {"enum": ["E-123456"]}}}}}]}),
        json!({"messages": [{"role": "user", "content": "hi"}], "prediction": {"type": "content", "content": "E-123456"}}),
        json!({"messages": [{"role": "user", "content": "hi"}], "metadata": {"all": "E-123456,E-654321;".repeat(40)}}),
        json!({"messages": [{"role": "user", "content": r#"{"from": "\u0045-123456", "to": "x\nE-654321"}"#}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "mine is E-654321"},
            {"type": "text", "x": file}]}]}),
    ];
    for mut body in bodies {
        body["model"] = json!("auto");
        let answer = gateway.chat(&body).send().await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        serde_json::from_slice::<Value>(&cloud.requests().last().unwrap().body).expect("JSON");
    }
    assert_hidden(&cloud);
    let result = cloud.requests()[0].json()["messages"][0]["content"].as_str().unwrap().to_owned();
    let result: Value = serde_json::from_str(&result).expect("a tool's JSON stays JSON");
    assert!(result["note"].as_str().unwrap().starts_with("badge:\n<EMPLOYEE_ID_"), "{result}");
}

#[tokio::test]
async fn json_that_somebody_pasted_comes_back_as_it_was() {
    let (cloud, gateway) = cloud_with(PII, 3).await;
    let said = r#"{"from": "\u0045-123456", "to": "x\nE-654321", "n": 4111111111111111}"#;
    let events = gateway.chat(&chat_stream("auto", said)).send().await.events();
    assert_eq!(sse::text(&events), said);
    assert!(!String::from_utf8_lossy(&cloud.only_request().body).contains("-123456"));
    assert_hidden(&cloud);
}

#[tokio::test]
async fn names_of_tools_and_what_nobody_can_read_are_left_as_they_are() {
    let (cloud, gateway) = cloud_with(PII, 3).await;
    let opaque = "ghp_16C7e42F292c6912E7710c838347Ae178B4a4111111111111111".repeat(20);
    let body = json!({"model": "auto",
        "messages": [
            {"role": "assistant", "content": null, "x_thought": opaque, "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "ask_E-123456", "arguments": "[INFO] to E-654321.5"}}]},
            {"role": "user", "content": "so?"}],
        "tool_choice": {"type": "function", "function": {"name": "ask_E-123456"}},
        "tools": [{"type": "function", "function": {"name": "ask_E-123456", "parameters": {"type": "object", "required": ["Grep"]}}}]});
    assert_eq!(gateway.chat(&body).send().await.status, 200);
    let sent = cloud.only_request().json();
    assert_eq!((&sent["tools"], &sent["tool_choice"]), (&body["tools"], &body["tool_choice"]));
    assert_eq!(sent["messages"][0]["x_thought"], body["messages"][0]["x_thought"]);
    let call = &sent["messages"][0]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "ask_E-123456");
    let arguments = call["arguments"].as_str().unwrap();
    assert!(arguments.starts_with("[INFO] to <EMPLOYEE_ID_") && arguments.ends_with(">.5"), "{arguments}");
}

#[tokio::test]
async fn no_retention_keeps_what_cannot_be_read_at_home() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let all = "modalities: [text, image, audio, file]";
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", all)
        .model("frontier", "acme", all)
        .route("auto", "", &["frontier", "small"]);
    let gateway = Gateway::with(&config).await;
    let text = "data:text/plain;base64,aGVsbG8=";
    let file = |data: Value| json!({"type": "file", "file": data});
    let parts = [
        json!([{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}]),
        json!([file(json!({"file_data": text})), file(json!({"file_id": "file-1"}))]),
        json!([file(json!({"file_data": "data:application/pdf;base64,AAAA"}))]),
        json!([{"type": "document", "source": {"type": "base64", "data": "aGVsbG8="}}]),
    ];
    for content in parts {
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": content}]});
        let answer = gateway.chat(&body).header("x-tidegate-privacy", "no-retention").send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "edge"), "{body}");
    }
    let ids = json!({"model": "auto", "input": [[1234, 567, 89]]});
    let answer = gateway.post("/v1/embeddings").json(&ids).header("x-tidegate-privacy", "no-retention").send().await;
    assert_eq!(answer.header("x-tidegate-placement"), "edge");
    let readable = json!([{"type": "text", "text": "hi"}, file(json!({"file_data": text}))]);
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": readable}]});
    let answer = gateway.chat(&body).header("x-tidegate-privacy", "no-retention").send().await;
    assert_eq!(answer.header("x-tidegate-placement"), "cloud");
}

#[tokio::test]
async fn a_find_across_the_quotes_of_json_leaves_it_json() {
    let (cloud, gateway) = cloud_with("pii: {}", 3).await;
    // The scanner's fuzzer wrote this: in the arguments the second quote seems to begin the local part of an address.
    let arguments = json!({"text": "s\"@E.zB+-n3/\"\"@"}).to_string();
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
    let body = json!({"model": "auto", "messages": [{"role": "assistant", "content": null, "tool_calls": [call]}]});
    assert_eq!(gateway.chat(&body).send().await.status, 200);
    let sent = cloud.only_request().json();
    let arguments = sent["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap().to_owned();
    serde_json::from_str::<Value>(&arguments).expect("arguments are JSON still");
}

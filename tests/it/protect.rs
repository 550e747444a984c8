//! Personal data: hidden from the cloud, put back into answers, kept at home where it must.
//!
//! What a reader could get wrong: the cloud here echoes what it was sent, so what a client reads back has been out and home again.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::sse;
use crate::support::upstream::Request;
use crate::support::upstream::answers::{chat_chunk, frame};
use crate::support::{Answer, Config, Gateway, Upstream};

const CARD: &str = "4111 1111 1111 1111";
const TEXT: &str =
    "Badge E-123456 paid with card 4111 1111 1111 1111, badge E-654321 did not. Badge E-123456 again, \"quoted\".";
pub const PII: &str = "pii: {custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}";

/// The last user message as the upstream saw it.
pub fn seen(request: &Request) -> String {
    let body = request.json();
    let text = |message: &Value| match &message["content"] {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_owned(),
    };
    match body["messages"].as_array() {
        Some(messages) => messages.last().map(text).unwrap_or_default(),
        None => body["input"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Says what it was asked, in pieces of `size` characters where a stream is asked for.
pub fn echo(size: usize) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| {
        let said = seen(request);
        let is_stream = request.json()["stream"] == true;
        let signs: Vec<char> = said.chars().collect();
        let pieces: Vec<String> = signs.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let is_chat = request.json().get("messages").is_some();
        match (is_chat, is_stream, request.json().get("tools").is_some()) {
            (true, true, true) => {
                let arguments = json!({ "note": said }).to_string();
                let signs: Vec<char> = arguments.chars().collect();
                let pieces: Vec<String> = signs.chunks(size).map(|piece| piece.iter().collect()).collect();
                Answer::tool_stream("note", &pieces.iter().map(String::as_str).collect::<Vec<_>>(), false)
            }
            (true, true, false) => Answer::chat_stream(&pieces, true),
            (true, false, _) => Answer::chat(&said),
            (false, true, _) => Answer::response_stream(&pieces),
            (false, false, _) => Answer::response(&said),
        }
    }
}

pub async fn cloud_with(top: &str, size: usize) -> (Upstream, Gateway) {
    let cloud = Upstream::named("cloud").await.answering(echo(size));
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top(top)).await;
    (cloud, gateway)
}

/// Nothing of the values reached the upstream, in any spelling of JSON.
pub fn assert_hidden(upstream: &Upstream) {
    for request in upstream.requests() {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        for value in ["E-123456", "E-654321", CARD, "4111"] {
            assert!(!body.contains(value), "{value} reached the upstream: {body}");
        }
    }
}

#[tokio::test]
async fn the_cloud_sees_labels_and_the_client_the_values() {
    let (cloud, gateway) = cloud_with(PII, 3).await;
    let answer = gateway.chat(&chat("auto", TEXT)).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-tidegate-pii"), "CREDIT_CARD=1,EMPLOYEE_ID=2");
    assert_eq!(answer.content(), TEXT);
    assert_hidden(&cloud);
    let sent = seen(&cloud.only_request());
    let labels: Vec<&str> = sent.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
    assert_eq!(labels.len(), 4, "{sent}");
    assert_eq!(labels[0], labels[3], "a value has one label: {sent}");
    assert_ne!(labels[0], labels[2]);
    assert!(labels[1].starts_with("CREDIT_CARD_"), "{sent}");
}

#[tokio::test]
async fn streams_are_restored_whatever_the_pieces() {
    for size in [1, 2, 3, 5, 7, 11, 1_000] {
        let (cloud, gateway) = cloud_with(PII, size).await;
        let events = gateway.chat(&chat_stream("auto", TEXT)).send().await.events();
        assert_eq!(sse::text(&events), TEXT, "pieces of {size}");
        assert!(events.last().unwrap().is_done());
        assert_hidden(&cloud);
    }
}

#[tokio::test]
async fn arguments_of_tools_parse_and_hold_the_values() {
    for size in [1, 4, 9, 1_000] {
        let (cloud, gateway) = cloud_with(PII, size).await;
        let mut body = chat_stream("auto", TEXT);
        body["tools"] = json!([{"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}]);
        let events = gateway.chat(&body).send().await.events();
        let pieces = events.iter().filter(|event| !event.is_done()).map(|event| {
            event.json()["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        });
        let arguments: Value = serde_json::from_str(&pieces.collect::<String>()).expect("arguments are JSON");
        assert_eq!(arguments["note"], TEXT, "pieces of {size}");
        assert_hidden(&cloud);
    }
}

#[tokio::test]
async fn events_of_responses_are_restored() {
    for size in [1, 6, 1_000] {
        let (cloud, gateway) = cloud_with(PII, size).await;
        let body = json!({"model": "auto", "input": TEXT, "stream": true});
        let events = gateway.post("/v1/responses").json(&body).send().await.events();
        let deltas: String = events.iter().filter_map(|e| e.json()["delta"].as_str().map(str::to_owned)).collect();
        assert_eq!(deltas, TEXT, "pieces of {size}");
        let last = events.last().unwrap().json();
        assert!(last["response"].to_string().contains("E-654321"), "{last}");
        assert_hidden(&cloud);
    }
}

#[tokio::test]
async fn every_place_that_the_upstream_would_read_is_looked_at() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::new().cloud("acme", &cloud).model("frontier", "acme", "modalities: [text, file]");
    let gateway = Gateway::with(&config.route("auto", "", &["frontier"]).top(PII)).await;
    let file = "data:text/plain;base64,YmFkZ2UgRS0xMjM0NTYgaXMgbWluZQ==";
    let body = json!({
        "model": "auto", "user": "E-123456", "metadata": {"who": "E-654321"},
        "messages": [
            {"role": "system", "content": "you serve E-123456"},
            {"role": "user", "name": "E-123456", "content": [
                {"type": "text", "text": "card 4111\u{a0}1111 1111 1111"},
                {"type": "file", "file": {"filename": "E-123456.txt", "file_data": file}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {
                "name": "find", "arguments": "{\"badge\":\"\\u0045-123456\",\"card\":4111111111111111}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "{\"owner\":\"E-654321\"}"},
            {"role": "user", "content": "thanks"}],
        "tools": [{"type": "function", "function": {"name": "find", "description": "such as E-123456",
            "parameters": {"type": "object", "properties": {"badge": {"type": "string", "enum": ["E-654321"]}}}}}]
    });
    let text = body.to_string().replace("you serve E-123456", "you serve \\u0045\\u002d123456");
    let answer = gateway.post("/v1/chat/completions").body("application/json", text).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_hidden(&cloud);
    let sent = cloud.only_request().json();
    assert!(!sent.to_string().contains("YmFkZ2UgRS0xMjM0NTYg"), "the file is encoded anew: {sent}");
    let arguments = sent["messages"][2]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    let arguments: Value = serde_json::from_str(arguments).expect("arguments stay JSON");
    let badge = arguments["badge"].as_str().unwrap();
    assert_eq!(sent["messages"][0]["content"], format!("you serve {badge}"), "one value, one label");
    assert_eq!(sent["user"], badge.trim_matches(['<', '>']), "a name has a name's characters");
}

#[tokio::test]
async fn labels_stay_what_they_are_over_the_turns_of_a_conversation() {
    let (cloud, gateway) = cloud_with(PII, 3).await;
    let first = json!({"role": "user", "content": "I have badge E-123456"});
    gateway.chat(&json!({"model": "auto", "messages": [first]})).send().await;
    let answer = json!({"role": "assistant", "content": "Badge E-123456, noted"});
    let second = json!({"role": "user", "content": "and E-654321 is my brother's"});
    gateway.chat(&json!({"model": "auto", "messages": [first, answer, second]})).send().await;
    let other = json!({"role": "user", "content": "Hello, I have badge E-123456"});
    gateway.chat(&json!({"model": "auto", "messages": [other]})).send().await;
    let label = |turn: usize, message: usize| {
        let sent = cloud.requests()[turn].json()["messages"][message]["content"].as_str().unwrap().to_owned();
        sent.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap().to_owned()
    };
    assert_eq!(label(0, 0), label(1, 0));
    assert_eq!(label(1, 0), label(1, 1));
    assert_ne!(label(1, 0), label(1, 2));
    assert_ne!(label(0, 0), label(2, 0), "another conversation has other labels (but for one in a thousand)");
}

#[tokio::test]
async fn a_label_that_the_client_wrote_is_nobodys() {
    let (cloud, gateway) = cloud_with(PII, 2).await;
    let said = "What is <EMPLOYEE_ID_7>? And EMPLOYEE_ID_8, <employee_id_9>, <PERSON_1>? Mine is E-123456.";
    let events = gateway.chat(&chat_stream("auto", said)).send().await.events();
    assert_eq!(sse::text(&events), said);
    assert_hidden(&cloud);
}

#[tokio::test]
async fn modes_say_what_becomes_of_a_type() {
    let top =
        "pii: {modes: {CREDIT_CARD: mask, EMPLOYEE_ID: hash}, custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}";
    let (cloud, gateway) = cloud_with(top, 3).await;
    let answer = gateway.chat(&chat("auto", TEXT)).send().await;
    assert_hidden(&cloud);
    let sent = seen(&cloud.only_request());
    assert!(sent.contains("card ********, badge <EMPLOYEE_ID_"), "{sent}");
    assert_eq!(answer.content(), sent, "neither is put back");
    let metrics = gateway.metrics().await;
    for (kind, action, count) in [("CREDIT_CARD", "mask", 1.0), ("EMPLOYEE_ID", "hash", 2.0)] {
        assert_eq!(metrics.sum("tidegate_pii_found_total", &[("type", kind), ("action", action)]), count);
    }
}

#[tokio::test]
async fn restoring_can_be_left_out() {
    let (cloud, gateway) =
        cloud_with("pii: {restore: false, custom: [{type: EMPLOYEE_ID, pattern: 'E-\\d{6}'}]}", 3).await;
    let answer = gateway.chat(&chat("auto", TEXT)).send().await;
    assert_eq!(answer.content(), seen(&cloud.only_request()));
    assert_hidden(&cloud);
}

#[tokio::test]
async fn what_is_blocked_goes_to_the_edge_or_is_refused_by_name() {
    let top = "pii: {modes: {CREDIT_CARD: block}}";
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud).top(top)).await;
    let answer = gateway.chat(&chat("cloud-first", &format!("my card {CARD}"))).send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "edge"));
    let refused = gateway.chat(&chat("frontier", &format!("my card {CARD}"))).send().await;
    let error = refused.expect_error(400);
    assert_eq!(error["type"], "invalid_request_error");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("CREDIT_CARD") && !message.contains("4111"), "{message}");
    assert!(cloud.requests().is_empty());
    assert_eq!(gateway.chat(&chat("frontier", "no card here")).send().await.status, 200);
}

#[tokio::test]
async fn rules_read_what_was_found() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .rules(
            "auto",
            "",
            &[
                "{name: sensitive-stays-home, when: pii.severity >= 2, try: [small]}",
                "{name: cards, when: '\"CREDIT_CARD\" in pii.types', try: [small]}",
                "{name: rest, try: [frontier]}",
            ],
        );
    let gateway = Gateway::with(&config).await;
    let at = async |text: &str| {
        let answer = gateway.chat(&chat("auto", text)).send().await;
        (answer.header("x-tidegate-rule").to_owned(), answer.header("x-tidegate-pii").to_owned())
    };
    assert_eq!(at(&format!("card {CARD}")).await, ("sensitive-stays-home".into(), "CREDIT_CARD=1".into()));
    assert_eq!(at("nothing here").await, ("rest".into(), String::new()));
}

#[tokio::test]
async fn no_retention_goes_to_the_cloud_redacted_and_what_cannot_be_read_stays() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await.answering(echo(3)));
    let config = Config::hybrid(&edge, &cloud).tenant("acme", "privacy: no-retention");
    let gateway = Gateway::with(&config).await;
    let text = format!("my card is {CARD}");
    let answer = gateway.chat(&chat("frontier", &text)).by("acme").send().await;
    assert_eq!((answer.status, answer.header("x-tidegate-placement")), (200, "cloud"));
    assert_eq!(answer.content(), text);
    assert_hidden(&cloud);
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let body = json!({"model": "frontier", "messages": [{"role": "user", "content": [picture]}]});
    let refused = gateway.chat(&body).by("acme").send().await.expect_error(503);
    assert!(refused["message"].as_str().unwrap().contains("cannot be redacted"), "{refused}");
    let passed = gateway.post("/v1/files").by("acme").body("text/plain", text).send().await;
    passed.expect_error(503);
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn nothing_that_was_found_is_written_anywhere() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await.answering(echo(3)));
    let config = Config::hybrid(&edge, &cloud).top(PII).top("audit: {}");
    let gateway = Gateway::with(&config).await;
    let answer = gateway.chat(&chat("frontier", TEXT)).send().await;
    assert_eq!(answer.content(), TEXT);
    let told = gateway.admin("/metrics").send().await.text();
    let mut everything = told + &gateway.log().text();
    let mut folders = vec![gateway.dir().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => everything += &String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()),
            }
        }
    }
    assert!(everything.contains("CREDIT_CARD"), "types and counts are told");
    for value in ["E-123456", "E-654321", "4111 1111"] {
        assert!(!everything.contains(value), "{value} was written somewhere");
    }
}

#[tokio::test]
async fn a_held_beginning_goes_out_in_front_of_the_end() {
    let said = ["see <EMPLOYEE", "_ID"];
    let frames = said.iter().map(|piece| frame(&chat_chunk(&json!({"content": piece}), Value::Null)));
    let end = [frame(&chat_chunk(&json!({}), json!("stop"))), "data: [DONE]\n\n".into()];
    let answer = Answer::sse(frames.chain(end).collect::<Vec<_>>());
    let cloud = Upstream::named("cloud").await.always(answer);
    let gateway = Gateway::with(&Config::cloud_only(&cloud).top(PII)).await;
    let events = gateway.chat(&chat_stream("auto", TEXT)).send().await.events();
    assert_eq!(sse::text(&events), "see <EMPLOYEE_ID");
    let finish =
        events.iter().position(|event| !event.is_done() && event.json()["choices"][0]["finish_reason"] == "stop");
    assert_eq!(finish, Some(events.len() - 2), "nothing comes behind the end of the choice");
}

//! Log-probabilities: asked for once, and taken out without a trace.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::openai::{edits, splice, view};

fn asked(endpoint: Endpoint, body: &str) -> Option<Value> {
    asked_of(endpoint, Manner::LlamaServer, body)
}

fn asked_of(endpoint: Endpoint, manner: Manner, body: &str) -> Option<Value> {
    let view = view::scan(endpoint, body.as_bytes()).unwrap();
    let mut list: SmallVec<[Edit; 3]> = ask(endpoint, manner, &view, body.as_bytes())?.into_iter().collect();
    list.extend(edits::cut_hints(&view));
    list.extend(edits::ask_usage(&view));
    let body = splice::apply(&Bytes::copy_from_slice(body.as_bytes()), &mut list).concat();
    let text = String::from_utf8(body).unwrap();
    // A name that is given twice would be lost in a map.
    assert_eq!(text.matches("\"logprobs\":").count() + text.matches("\"include\":").count(), 1, "{text}");
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn they_are_asked_for_where_the_client_did_not() {
    let chat = |body: &str| asked(Endpoint::Chat, body);
    let wanted = json!({"logprobs": true, "top_logprobs": 1, "model": "m", "messages": []});
    for body in [
        r#"{"model":"m","messages":[]}"#,
        r#"{ "model": "m", "logprobs": false, "messages": [], "top_logprobs": null }"#,
        r#"{"tidegate":{},"model":"m","messages":[]}"#,
        r#"{"model":"m","messages":[],"logprobs":null,"tidegate":{"app":"a"}}"#,
    ] {
        assert_eq!(chat(body), Some(wanted.clone()), "{body}");
    }
    for body in [
        r#"{"model":"m","messages":[],"logprobs":true}"#,
        r#"{"model":"m","messages":[],"logprobs":true,"top_logprobs":3}"#,
        r#"{"model":"m","messages":[],"top_logprobs":3}"#,
    ] {
        assert_eq!(chat(body), None, "{body}");
    }
    let lean = asked_of(Endpoint::Chat, Manner::OpenAi, r#"{"model":"m","messages":[]}"#).unwrap();
    assert_eq!(lean, json!({"logprobs": true, "model": "m", "messages": []}));
    let streamed = chat(r#"{"model":"m","stream":true,"messages":[]}"#).unwrap();
    assert_eq!(streamed["stream_options"]["include_usage"], true);
    let completions = |body: &str| asked(Endpoint::Completions, body);
    assert_eq!(completions(r#"{"model":"m","prompt":"a"}"#).unwrap()["logprobs"], 1);
    assert_eq!(completions(r#"{"model":"m","prompt":"a","logprobs":null}"#).unwrap()["logprobs"], 1);
    assert_eq!(completions(r#"{"model":"m","prompt":"a","logprobs":0}"#), None);
    assert_eq!(completions(r#"{"model":"m","prompt":"a","echo":true}"#), None);
    assert_eq!(asked(Endpoint::Embeddings, r#"{"model":"m","input":"a"}"#), None);
}

#[test]
fn responses_include_them_beside_what_else_is_included() {
    let ask = |body: &str| asked(Endpoint::Responses, body).map(|body| body["include"].clone());
    let own = "message.output_text.logprobs";
    assert_eq!(ask(r#"{"model":"m","input":"a"}"#), Some(json!([own])));
    assert_eq!(ask(r#"{"model":"m","input":"a","include":null}"#), Some(json!([own])));
    assert_eq!(ask(r#"{"model":"m","input":"a","include":[ ]}"#), Some(json!([own])));
    assert_eq!(ask(r#"{"model":"m","input":"a","include":["x"]}"#), Some(json!([own, "x"])));
    assert_eq!(ask(r#"{"model":"m","input":"a","include":["message.output_text.logprobs"]}"#), None);
    assert_eq!(ask(r#"{"model":"m","input":"a","include":"x"}"#), None);
}

fn removed(endpoint: Endpoint, manner: Manner, data: &str) -> Option<String> {
    let mut out = Vec::new();
    remove(endpoint, manner, data.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
}

#[test]
fn they_leave_no_trace() {
    let without = r#"{"id":"a", "choices":[{"index":0,"message":{"content":"\"logprobs\":[1]"}, "finish_reason":"stop"},{"index":1}],"logprobs":"mine"}"#;
    let with = r#"{"id":"a", "choices":[{"index":0,"message":{"content":"\"logprobs\":[1]"}, "logprobs":{"content":[{"token":"}","logprob":-1}]}, "finish_reason":"stop"},{"index":1}],"logprobs":"mine"}"#;
    assert_eq!(removed(Endpoint::Chat, Manner::LlamaServer, with).as_deref(), Some(without));
    assert_eq!(removed(Endpoint::Chat, Manner::LlamaServer, without), None);
    let null = r#"{"choices":[{"logprobs":null,"index":0}]}"#;
    let some = r#"{"choices":[{"logprobs":{"tokens":["a"]},"index":0}]}"#;
    assert_eq!(removed(Endpoint::Completions, Manner::OpenAi, some).as_deref(), Some(null));
    assert_eq!(removed(Endpoint::Completions, Manner::OpenAi, null), None);
    let first = removed(Endpoint::Completions, Manner::LlamaServer, some);
    assert_eq!(first.as_deref(), Some(r#"{"choices":[{"index":0}]}"#));
    let only = removed(Endpoint::Chat, Manner::LlamaServer, r#"{"choices":[{"logprobs":{}}]}"#);
    assert_eq!(only.as_deref(), Some(r#"{"choices":[{}]}"#));
    assert_eq!(removed(Endpoint::Chat, Manner::LlamaServer, r#"{"choices":[{"logprobs":{}}]"#), None);
}

#[test]
fn responses_get_empty_lists() {
    let event = r#"{"type":"response.output_text.delta","delta":"x","logprobs":[{"token":"x","logprob":-1}]}"#;
    let bare = r#"{"type":"response.output_text.delta","delta":"x","logprobs":[]}"#;
    assert_eq!(removed(Endpoint::Responses, Manner::OpenAi, event).as_deref(), Some(bare));
    assert_eq!(removed(Endpoint::Responses, Manner::OpenAi, bare), None);
    let whole = r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"\"logprobs\":[2]","logprobs":[{"token":"x"}]}]}],"metadata":{"logprobs":[3]}}}"#;
    let bare = r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"\"logprobs\":[2]","logprobs":[]}]}],"metadata":{"logprobs":[3]}}}"#;
    assert_eq!(removed(Endpoint::Responses, Manner::OpenAi, whole).as_deref(), Some(bare));
}

proptest! {
    /// Wherever the member stands, what is left is, byte for byte, what would have been there without it.
    #[test]
    fn what_is_left_is_what_was_there_before(
        before in prop::collection::vec("[a-z]{1,4}", 0..3),
        after in prop::collection::vec("[a-z]{1,4}", 0..3),
        space in "[ \n]{0,2}",
        text in any::<String>(),
    ) {
        let text = serde_json::to_string(&text).unwrap();
        let member = |name: &String| format!("{space}\"x{name}\"{space}:{space}{text}");
        let mut members: Vec<String> = before.iter().chain(&after).map(member).collect();
        let bare = format!("{{\"choices\":[{{{}}}]}}", members.join(","));
        let own = format!("\"logprobs\":{space}{{\"content\":[{{\"token\":{text},\"logprob\":-0.5}}]}}");
        members.insert(before.len(), own);
        let with = format!("{{\"choices\":[{{{}}}]}}", members.join(","));
        let left = removed(Endpoint::Chat, Manner::LlamaServer, &with).unwrap();
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(parsed(&left), parsed(&bare));
        if !before.is_empty() || space.is_empty() {
            prop_assert_eq!(left, bare);
        }
        let nulled = removed(Endpoint::Chat, Manner::OpenAi, &with).unwrap();
        prop_assert!(parsed(&nulled)["choices"][0]["logprobs"].is_null());
    }
}

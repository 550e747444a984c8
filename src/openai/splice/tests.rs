//! That splicing changes what was asked and nothing else, for single edits and all of them together.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::openai::view::scan;
use crate::openai::{Endpoint, edits};

fn apply_all(text: &str, model: Option<&str>) -> String {
    let body = Bytes::copy_from_slice(text.as_bytes());
    let view = scan(Endpoint::Chat, &body).unwrap();
    let mut list: Vec<Edit> = Vec::new();
    list.extend(model.and_then(|name| edits::model(&view, name)));
    list.extend(edits::cut_hints(&view));
    list.extend(edits::ask_usage(&view));
    String::from_utf8(apply(&body, &mut list).concat()).unwrap()
}

#[test]
fn nothing_to_change_is_the_same_bytes() {
    let body = Bytes::from_static(b"{ \"model\" : \"a\" }");
    let out = apply(&body, &mut []);
    assert_eq!(out[0].as_ptr(), body.as_ptr());
}

#[test]
fn only_the_models_name_changes() {
    let text = "{\n \"x\" : [1e999, \"\\ud800\"],\t\"model\":\"auto\" , \"y\":{}}";
    assert_eq!(apply_all(text, Some("qwen \"3\"")), text.replace("\"auto\"", "\"qwen \\\"3\\\"\""));
}

#[test]
fn usage_is_asked_for_wherever_the_options_stand() {
    for (before, after) in [
        (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        (r#"{"stream":true,"stream_options":null}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (r#"{"stream":true,"stream_options":{ }}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (
            r#"{"stream":true,"stream_options":{"a":1}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"a":1}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (r#"{"stream":false}"#, r#"{"stream":false}"#),
    ] {
        assert_eq!(apply_all(before, None), after);
    }
}

#[test]
fn hints_leave_without_a_trace() {
    for (before, after) in [
        (r#"{"tidegate":{"app":"x"}}"#, r#"{}"#),
        (r#"{ "tidegate" : {} , "model":"a"}"#, r#"{ "model":"a"}"#),
        (r#"{"model":"a" , "tidegate":{"a":[1,2]} }"#, r#"{"model":"a" }"#),
        (r#"{"model":"a","tidegate":{},"n":1}"#, r#"{"model":"a","n":1}"#),
    ] {
        assert_eq!(apply_all(before, None), after);
    }
}

#[test]
fn a_long_body_is_not_copied() {
    let text = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(1 << 20));
    let body = Bytes::from(text);
    let view = scan(Endpoint::Chat, &body).unwrap();
    let mut list: Vec<Edit> = edits::model(&view, "m").into_iter().collect();
    let out = apply(&body, &mut list);
    assert_eq!(out.len(), 3);
    assert_eq!(out[2].as_ptr(), body.slice(view.model.unwrap().end..).as_ptr());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\\\\" ü]{0,6}", inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

fn members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let unknown = ("x_[a-z\"\\\\é]{0,6}", any_json());
    let known = prop_oneof![
        ".{0,8}".prop_map(|m| ("model".to_string(), json!(m))),
        any::<bool>().prop_map(|b| ("stream".to_string(), json!(b))),
        any_json().prop_map(|v| ("tidegate".to_string(), json!({"v": v}))),
        prop_oneof![
            Just(json!(null)),
            Just(json!({})),
            Just(json!({"include_usage": false, "k": 1})),
            Just(json!({"include_usage": true}))
        ]
        .prop_map(|v| ("stream_options".to_string(), v)),
        any_json().prop_map(|v| ("messages".to_string(), json!([{"role": "user", "content": v}]))),
    ];
    prop::collection::vec(prop_oneof![unknown, known], 0..8).prop_map(|list| {
        let mut seen = std::collections::HashSet::new();
        list.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect()
    })
}

fn written(members: &[(String, Value)], space: &str) -> String {
    let each = |(key, value): &(String, Value)| format!("{space}{}{space}:{space}{value}{space}", json!(key));
    format!("{space}{{{}}}{space}", members.iter().map(each).collect::<Vec<_>>().join(","))
}

proptest! {
    #[test]
    fn splicing_changes_only_what_was_asked(list in members(), space in "[ \n\t]{0,2}", name in ".{0,8}") {
        let text = if list.is_empty() { format!("{{{space}}}") } else { written(&list, &space) };
        let mut expected: Value = serde_json::from_str(&text).unwrap();
        let object = expected.as_object_mut().unwrap();
        object.remove("tidegate");
        if object.contains_key("model") {
            object.insert("model".into(), json!(name));
        }
        if object.get("stream") == Some(&json!(true)) {
            let mut options = object.get("stream_options").filter(|o| o.is_object()).cloned().unwrap_or(json!({}));
            options["include_usage"] = json!(true);
            object.insert("stream_options".into(), options);
        }
        let out = apply_all(&text, Some(&name));
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected, "{}", out);
    }
}

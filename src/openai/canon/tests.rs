//! The one spelling: what must be the same, what must differ.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn of(body: &str) -> String {
    String::from_utf8(canon(Endpoint::Chat, body.as_bytes(), None).unwrap().bytes).unwrap()
}

#[test]
fn the_same_request_has_one_spelling() {
    let first =
        of(r#"{"model":"a","messages":[{"role":"user","content":"caf\u00e9 \"x\"\n"}],"temperature":0,"seed":1}"#);
    for same in [
        r#"{"seed":1,"messages":[{"content":"café \"x\"\u000a","role":"user"}],"temperature":0.0,"model":"a"}"#,
        r#" { "temperature" : 0e0 , "seed":1.0, "messages" : [ { "role" : "user" , "content" : "café \u0022x\"\n" } ] } "#,
        r#"{"stream":true,"stream_options":{"include_usage":true},"user":"u","metadata":{"a":"b"},"store":true,"tidegate":{"app":"x"},
            "messages":[{"role":"user","content":"café \"x\"\n"}],"temperature":-0,"seed":1,"top_p":null}"#,
    ] {
        assert_eq!(of(same), first, "{same}");
    }
}

#[test]
fn whatever_can_change_the_answer_changes_the_spelling() {
    let first = of(r#"{"messages":[{"role":"user","content":"1"}],"temperature":0.5}"#);
    for other in [
        r#"{"messages":[{"role":"user","content":1}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user","content":"1 "}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"system","content":"1"}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user","content":"1"}],"temperature":0.50001}"#,
        r#"{"messages":[{"role":"user","content":"1"}],"temperature":0.5,"seed":9007199254740993}"#,
        r#"{"messages":[{"role":"user","content":"1"}],"temperature":0.5,"seed":9007199254740992}"#,
        r#"{"messages":[{"role":"user","content":"1","user":"a"}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user","content":"1"},{"role":"user","content":"1"}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user","content":null}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user"}],"temperature":0.5}"#,
        r#"{"messages":[{"role":"user","content":"1"}],"temperature":0.5,"unknown_field":0}"#,
    ] {
        assert_ne!(of(other), first, "{other}");
    }
    assert_ne!(of(r#"{"a":["x","y"]}"#), of(r#"{"a":["x,y"]}"#));
    assert_ne!(of(r#"{"a":"\\u0041"}"#), of(r#"{"a":"\u0041"}"#));
    assert_ne!(of(r#"{"s":9007199254740993}"#), of(r#"{"s":9007199254740992}"#));
    assert_ne!(of(r#"{"s":9007199254740993.0}"#), of(r#"{"s":9007199254740992.0}"#));
    let stored = |body: &[u8]| canon(Endpoint::Responses, body, None).unwrap().bytes;
    assert_ne!(stored(br#"{"store":false}"#), stored(b"{}"));
}

#[test]
fn what_surrounds_a_question_leaves_it_open() {
    let (a, b) = (r#"{"messages":[{"content":"one"}]}"#, r#"{"messages":[{"content":"two 2"}]}"#);
    let blank = |body: &str, text: &str| {
        let at = body.find(text).unwrap();
        canon(Endpoint::Chat, body.as_bytes(), Some(at - 1..at + text.len() + 1)).unwrap().bytes
    };
    assert_eq!(blank(a, "one"), blank(b, "two 2"));
    assert_ne!(blank(a, "one"), canon(Endpoint::Chat, br#"{"messages":[{"content":"\u0000"}]}"#, None).unwrap().bytes);
}

#[test]
fn what_is_live_is_told() {
    let live = |body: &str| canon(Endpoint::Chat, body.as_bytes(), None).unwrap().is_live;
    assert!(!live(
        r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"background":false}"#
    ));
    assert!(live(r#"{"tools":[{"type":"function"},{"type":"web_search"}]}"#));
    assert!(live(r#"{"background":true}"#));
    // What was asked depends on who reads it.
    assert!(live(r#"{"temperature":0,"temperature":2}"#) && live(r#"{"temperature":0,"temperature":null}"#));
    assert!(live(r#"{"x":{"\ud800":1}}"#) && !live(r#"{"x":{"\\ud800":1}}"#));
    assert!(live(r#"{"conversation":"c"}"#));
    assert!(live(r#"{"modalities":["text","audio"]}"#));
    assert_eq!(canon(Endpoint::Chat, br#"{"temperature":0.70}"#, None).unwrap().temperature, Some(0.7));
    assert_eq!(canon(Endpoint::Chat, br#"{"temperature":null}"#, None).unwrap().temperature, None);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The same value, its keys in another order, with white space and needless escapes.
fn respelled(value: &Value, out: &mut String, turn: usize) {
    let escaped = |text: &str| -> String {
        let units = text.encode_utf16().enumerate();
        units
            .map(|(i, unit)| {
                if (i + turn).is_multiple_of(2) || !(0x23..0x5b).contains(&unit) {
                    format!("\\u{unit:04X}")
                } else {
                    char::from(unit as u8).to_string()
                }
            })
            .collect()
    };
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            let by = turn % members.len().max(1);
            members.rotate_left(by);
            members.reverse();
            out.push_str("{ ");
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { " ,\n" });
                out.push_str(&format!("\"{}\" :\t", escaped(key)));
                respelled(value, out, turn);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                out.push_str(if index == 0 { " " } else { " , " });
                respelled(value, out, turn);
            }
            out.push(']');
        }
        Value::String(text) => out.push_str(&format!("\"{}\"", escaped(text))),
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #[test]
    fn spelling_does_not_matter_and_nothing_else_is_lost(value in any_value(), other in any_value(), turn in 0usize..7) {
        let body = json!({ "x": value });
        let mut text = String::new();
        respelled(&body, &mut text, turn);
        prop_assert_eq!(of(&body.to_string()), of(&text));
        // Members that are null count as absent at the top only.
        if value != other && !(value.is_null() || other.is_null()) {
            let differs = json!({ "x": other });
            let zeros = |v: &Value| v.to_string().replace("-0.0", "0").replace(".0", "");
            if zeros(&body) != zeros(&differs) {
                prop_assert_ne!(of(&body.to_string()), of(&differs.to_string()));
            }
        }
    }
}

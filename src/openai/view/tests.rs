//! What a view finds, what it refuses, and that it agrees with serde_json on what is JSON.

use proptest::prelude::*;

use super::*;

fn view(text: &str) -> View {
    scan(Endpoint::Chat, text.as_bytes()).unwrap()
}

fn wrong(text: &str) -> Malformed {
    scan(Endpoint::Chat, text.as_bytes()).unwrap_err()
}

fn texts(endpoint: Endpoint, body: &str) -> Vec<(Source, String)> {
    let view = scan(endpoint, body.as_bytes()).unwrap();
    view.pieces
        .iter()
        .map(|p| (p.source, decode_string(body[p.range.clone()].as_bytes()).unwrap().into_owned()))
        .collect()
}

#[test]
fn the_fields_of_a_chat_are_found() {
    let body = r#"{"messages":[{"role":"system","content":"be brief"},{"content":[{"type":"text","text":"what is this"},
        {"type":"image_url","image_url":{"url":"data:x"}}],"role":"user"},
        {"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},
        {"role":"tool","content":"42","tool_call_id":"c"}],
        "tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"properties":{"a":{"description":"the a","enum":["x"]}}}}}],
        "max_tokens":9,"max_completion_tokens":7,"model":"auto","stream":true,"n":2,"user":"u1"}"#;
    let view = view(body);
    assert_eq!(view.model_name(body.as_bytes()).unwrap().unwrap(), "auto");
    assert!(view.stream && view.has_tools);
    assert_eq!((view.max_output_tokens, view.choices, view.turns), (Some(9), 2, 1));
    assert!(view.modalities.contains(Modalities::TEXT) && view.modalities.contains(Modalities::IMAGE));
    assert!(!view.modalities.contains(Modalities::AUDIO));
    let expected = [
        (Source::System, "be brief"),
        (Source::User, "what is this"),
        (Source::ToolName, "f"),
        (Source::ToolArguments, "{\"a\":1}"),
        (Source::Tool, "42"),
        (Source::ToolName, "f"),
        (Source::ToolDefinition, "does f"),
        (Source::ToolDefinition, "the a"),
        (Source::ToolDefinition, "x"),
        (Source::Name, "u1"),
    ];
    let found = texts(Endpoint::Chat, body);
    assert_eq!(found, expected.map(|(source, text)| (source, text.to_string())));
}

#[test]
fn the_other_endpoints_have_their_own_fields() {
    assert_eq!(texts(Endpoint::Embeddings, r#"{"input":["a","b"],"model":"e"}"#).len(), 2);
    let ids = scan(Endpoint::Embeddings, br#"{"input":[[1,2,3]]}"#).unwrap();
    assert_eq!((ids.pieces.len(), ids.text_bytes), (0, 12));
    let body = r#"{"instructions":"be","input":[{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_file","filename":"cv.pdf"}]},
        {"type":"function_call_output","call_id":"c","output":"done"}]}"#;
    let view = scan(Endpoint::Responses, body.as_bytes()).unwrap();
    assert!(view.modalities.contains(Modalities::FILE));
    let found = texts(Endpoint::Responses, body);
    let expected = [(Source::System, "be"), (Source::User, "hi"), (Source::Name, "cv.pdf"), (Source::Tool, "done")];
    assert_eq!(found, expected.map(|(source, text)| (source, text.to_string())));
    assert_eq!(scan(Endpoint::Responses, br#"{"input":"hi"}"#).unwrap().turns, 1);
    assert_eq!(texts(Endpoint::Completions, r#"{"prompt":"once"}"#), [(Source::Input, "once".to_string())]);
}

#[test]
fn an_escaped_key_is_the_key_it_means() {
    assert!(view(r#"{"mod\u0065l":"a"}"#).model.is_some());
    assert_eq!(wrong(r#"{"model":"a","mod\u0065l":"b"}"#).param, Some("model"));
}

#[test]
fn what_the_gateway_reads_must_be_unambiguous() {
    assert_eq!(wrong(r#"{"model":"a","model":"b"}"#).what, "the field is given twice");
    assert_eq!(wrong(r#"{"model":7}"#).param, Some("model"));
    assert_eq!(wrong(r#"{"stream":"yes"}"#).param, Some("stream"));
    assert_eq!(wrong(r#"{"messages":{}}"#).param, Some("messages"));
    assert_eq!(wrong(r#"{"tidegate":1}"#).param, Some("tidegate"));
    assert!(view(r#"{"stream":null,"model":null,"x":1,"x":2}"#).model.is_none());
}

#[test]
fn strange_but_valid_json_passes() {
    for text in [
        r#"{"x":"\ud800","y":1e99999,"z":-0.0E+7}"#,
        r#"{"max_tokens":-1,"n":1.5,"messages":[1,"a",null,{"role":3,"content":{"a":[]}}]}"#,
        "{}",
        " \t\r\n{ } ",
        r#"{"max_tokens":99999999999999999999999}"#,
    ] {
        assert!(scan(Endpoint::Chat, text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn broken_json_is_refused_with_its_place() {
    for (text, at) in [
        ("", 0),
        ("[]", 0),
        ("{", 1),
        (r#"{"a":1,}"#, 7),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":01}"#, 6),
        (r#"{"a":1} x"#, 8),
        (r#"{"a":"b"#, 7),
        ("{\"a\":\"\n\"}", 6),
        (r#"{"a":"\x"}"#, 6),
        (r#"{"a":"\u12"}"#, 6),
        (r#"{"a":[1}"#, 7),
        (r#"{"a":tru}"#, 5),
        ("\u{feff}{}", 0),
    ] {
        assert_eq!(wrong(text).at, at, "{text}");
    }
    assert_eq!(scan(Endpoint::Chat, b"{\"a\":\"\xff\"}").unwrap_err().at, 6);
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(wrong(&deep).what.contains("deeper"));
    let tools = format!("{{\"tools\":[{}", "{\"a\":".repeat(100_000));
    assert!(wrong(&tools).what.contains("deeper"));
}

#[test]
fn the_model_may_be_escaped_but_must_be_text() {
    let body = r#"{"model":"gpt\u002d4o"}"#;
    assert_eq!(view(body).model_name(body.as_bytes()).unwrap().unwrap(), "gpt-4o");
    let body = r#"{"model":"\ud800"}"#;
    assert!(view(body).model_name(body.as_bytes()).unwrap().is_err());
}

fn fragments() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"model\"",
        "\"stream\"",
        "true",
        "null",
        "1",
        "-2.5e3",
        "\"a\"",
        "\"messages\"",
        " ",
        "\\u00e9",
        "\"content\"",
        "\"role\"",
        "\"tidegate\"",
        "\u{1}",
        "é",
        "0",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|list| list.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_scanned_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses] {
            let _ = scan(endpoint, &bytes);
        }
    }

    /// serde_json agrees on what is JSON; what it takes and we refuse is a field's type or a field given twice.
    #[test]
    fn what_is_accepted_is_json(text in fragments()) {
        let serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() && text.trim_start().starts_with('{');
        match scan(Endpoint::Chat, text.as_bytes()) {
            Ok(_) => prop_assert!(serde, "{}", text),
            Err(m) => prop_assert!(!serde || m.param.is_some(), "{}: {:?}", text, m),
        }
    }
}

#[test]
fn ids_of_ours_are_found_where_they_are_ids() {
    const FILE: &str = "file-tg0123456789abcdef0123456789abcdef";
    let own_file = |endpoint: Endpoint, body: String| scan(endpoint, body.as_bytes()).unwrap().own_file;
    for body in [
        format!(r#"{{"input":[{{"role":"user","content":[{{"type":"input_file","file_id":"{FILE}"}}]}}]}}"#),
        format!(r#"{{"input":[{{"role":"user","content":[{{"type":"input_image","file_id":"{FILE}"}}]}}]}}"#),
        format!(
            r#"{{"input":[{{"type":"function_call_output","output":[{{"type":"input_file","file_id":"{FILE}"}}]}}]}}"#
        ),
        format!(r#"{{"tools":[{{"type":"code_interpreter","container":{{"file_ids":["{FILE}"]}}}}]}}"#),
    ] {
        assert!(own_file(Endpoint::Responses, body.clone()), "{body}");
    }
    assert!(own_file(
        Endpoint::Chat,
        format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"file","file":{{"file_id":"{FILE}"}}}}]}}]}}"#)
    ));
    for body in [
        format!(r#"{{"input":"{FILE}","metadata":{{"file_id":"{FILE}"}}}}"#),
        r#"{"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-tg12"}]}]}"#.to_owned(),
    ] {
        assert!(!own_file(Endpoint::Responses, body.clone()), "{body}");
    }
    let body = r#"{"input":"x", "previous_response_id": "resp_tg1"}"#;
    let previous = scan(Endpoint::Responses, body.as_bytes()).unwrap().previous.unwrap();
    assert_eq!(&body[previous], r#""resp_tg1""#);
    let null = scan(Endpoint::Responses, br#"{"previous_response_id":null}"#).unwrap();
    assert_eq!(null.previous, None);
    let twice = br#"{"previous_response_id":"a","previous_response_id":"resp_tg1"}"#;
    assert_eq!(scan(Endpoint::Responses, twice).unwrap_err().param, Some("previous_response_id"));
}

//! What is a beginning, and what is an error.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ALL: [Dialect; 3] = [Dialect::Chunks, Dialect::Responses, Dialect::Other];

fn read(dialect: Dialect, data: &str) -> (Meaning, Course) {
    framed(dialect, &format!("data: {data}\n\n"), data)
}

fn framed(dialect: Dialect, bytes: &str, data: &str) -> (Meaning, Course) {
    let mut reader = Reader::new(dialect);
    let meaning = reader.event(Frame { bytes: bytes.as_bytes(), data: data.as_bytes() });
    (meaning, reader.course())
}

fn is_error(data: &str) -> bool {
    read(Dialect::Other, data).0 == Meaning::Error
}

#[test]
fn a_beginning_says_nothing_yet() {
    for silent in [
        r#"{"type":"response.created","response":{"output":[],"error":null}}"#,
        r#"{"sequence_number":1,"type":"response.in_progress","response":{}}"#,
        r#"{"type":"response.queued"}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#,
        r#"{"choices":[{"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":[ ]},"logprobs":null}],"usage":null}"#,
        r#"{"choices":[{"delta":{"role":"assistant","content":null}}],"usage":null}"#,
        r#"{"choices":[{"index":0,"text":"","finish_reason":null}]}"#,
        r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","role":"assistant","content":[]}}"#,
        r#"{"item":{"id":"m","content":[{"type":"output_text","text":""}],"type":"message"},"type":"response.output_item.added"}"#,
        r#"{"type":"response.content_part.added","part":{"type":"output_text","annotations":[],"text":""}}"#,
        r#"{"type":"response.content_part.added","part":{"type":"refusal","refusal":""}}"#,
    ] {
        assert!(says_nothing_yet(silent.as_bytes()), "{silent}");
    }
}

#[test]
fn content_an_end_an_error_and_the_unknown_are_something() {
    for said in [
        r#"{"choices":[{"delta":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"delta":{}},{"index":1,"delta":{"content":"b"}}]}"#,
        r#"{"choices":[{"text":"a"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[],"error":{"message":"x"}}"#,
        r#"{"choices":[null]}"#,
        r#"{"type":"response.output_item.added","item":{}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f","arguments":""}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message","content":[{"type":"output_text","text":"a"}]}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message","content":["a"]}}"#,
        r#"{"type":"response.content_part.added","part":{"type":"output_text","text":"a"}}"#,
        r#"{"type":"response.content_part.added","part":{"type":"novel"}}"#,
        r#"{"type":"response.failed","response":{}}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"message_start","choices":[]}"#,
        r#"{"content":"a"}"#,
        "[DONE]",
        "{",
        "",
    ] {
        assert!(!says_nothing_yet(said.as_bytes()), "{said}");
    }
}

#[test]
fn an_error_is_told_from_text_about_errors() {
    assert!(is_error(r#"{"error":{"message":"x"}}"#));
    assert!(is_error(r#"{"error":"x"}"#));
    assert!(is_error(r#"{"type":"error","code":"x","message":"y"}"#));
    assert!(is_error(r#"{"type":"response.failed","response":{"error":{"message":"x"}}}"#));
    assert!(is_error(
        r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"x"}}"#
    ));
    assert!(is_error(r#"{"error":{"message":"x"},"broken":"#));
    assert!(!is_error(r#"{"choices":[{"delta":{"content":"\"error\""}}]}"#));
    assert!(!is_error(r#"{"choices":[{"delta":{"content":"a"}}],"error":null}"#));
    assert!(!is_error(r#"{"choices":[{"delta":{"content":"a"}}],"error":{}}"#));
    assert!(!is_error(r#"{"choices":[{"logprobs":{"content":[{"token":"error","logprob":-1}]}}]}"#));
    assert!(!is_error(r#"{"type":"response.created","response":{"error":null}}"#));
    assert!(!is_error(r#"{"type":"response.completed","response":{"error":null,"metadata":{"error":"x"}}}"#));
}

#[test]
fn an_error_is_known_by_its_name_on_whichever_line() {
    for bytes in [
        "event: error\ndata: down\n\n",
        "event:error\ndata:down\n\n",
        "id: 1\nevent: error\ndata: down\n\n",
        "id:1\r\nevent:error\r\n:HTTP_STATUS/400\r\ndata:down\r\n\r\n",
        "data: down\nevent: error\n\n",
    ] {
        for dialect in ALL {
            assert_eq!(framed(dialect, bytes, "down").0, Meaning::Error, "{bytes}");
        }
    }
    let piece = r#"{"choices":[]}"#;
    for bytes in ["event: errors\ndata: X\n\n", ": event: error\ndata: X\n\n", "id: event: error\ndata: X\n\n"] {
        assert_eq!(framed(Dialect::Chunks, bytes, piece).0, Meaning::Piece, "{bytes}");
    }
}

#[test]
fn an_error_in_any_shape_is_one_and_the_unknown_is_not() {
    for data in [
        r#"{"object":"error","message":"x","type":"InternalServerError","param":null,"code":500}"#,
        r#"{"message":"x","code":500}"#,
        r#"{"detail":"x"}"#,
        r#"{"errors":[{"message":"x"}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"message":"x"}}]}"#,
    ] {
        assert_eq!(read(Dialect::Chunks, data).0, Meaning::Error, "{data}");
    }
    for data in ["backend down", "{\"choices", "[1]", "\"x\"", "<html>"] {
        assert_eq!(read(Dialect::Chunks, data).0, Meaning::Unreadable, "{data}");
        assert_eq!(read(Dialect::Responses, data).0, Meaning::Unreadable, "{data}");
        assert_eq!(read(Dialect::Other, data).0, Meaning::Piece, "{data}");
    }
    for data in [r#"{"detail":"x"}"#, r#"{"object":"error","message":"x"}"#, r#"{"message":"x"}"#] {
        assert_eq!(read(Dialect::Responses, data).0, Meaning::Error, "{data}");
    }
    for data in [r#"{"type":"keepalive"}"#, r#"{"type":"response.novel","message":"x"}"#, r#"{"novel":1}"#, "null", ""]
    {
        assert_eq!(read(Dialect::Responses, data), (Meaning::Piece, Course::On), "{data}");
    }
    for data in [
        r#"{"type":"ping"}"#,
        r#"{"novel":1}"#,
        r#"{"usage":{"total_tokens":1},"message":"x"}"#,
        r#"{"choices" : [ ]}"#,
    ] {
        assert_eq!(read(Dialect::Chunks, data), (Meaning::Piece, Course::On), "{data}");
    }
}

#[test]
fn an_end_is_told_from_text_about_ends() {
    for (dialect, data, course) in [
        (Dialect::Chunks, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Course::Whole),
        (Dialect::Chunks, r#"{"choices":[{"index":1,"text":"","finish_reason" : "length"}]}"#, Course::Whole),
        (
            Dialect::Chunks,
            r#"{"choices":[{"index":0,"finish_reason":null},{"index":1,"finish_reason":"stop"}]}"#,
            Course::Whole,
        ),
        (Dialect::Chunks, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#, Course::On),
        (Dialect::Chunks, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#, Course::On),
        (Dialect::Chunks, r#"{"choices":[{"delta":{"finish_reason":"stop"}}]}"#, Course::On),
        (Dialect::Chunks, r#"{"choices":[{"delta":{"content":"\"finish_reason\":\"stop\""}}]}"#, Course::On),
        (Dialect::Chunks, "[DONE]", Course::Over),
        (Dialect::Chunks, " [DONE] ", Course::Over),
        (Dialect::Responses, r#"{"type":"response.completed","response":{"error":null}}"#, Course::Over),
        (Dialect::Responses, r#"{"response":{},"sequence_number":9,"type":"response.incomplete"}"#, Course::Over),
        (Dialect::Responses, r#"{"type":"response.output_text.delta","delta":"response.completed"}"#, Course::On),
        (Dialect::Responses, r#"{"type":"response.novel","x":{"type":"response.completed"}}"#, Course::On),
        (Dialect::Responses, "[DONE]", Course::Over),
        (Dialect::Other, "[DONE]", Course::On),
    ] {
        assert_eq!(read(dialect, data), (Meaning::Piece, course), "{data}");
    }
    let mut reader = Reader::new(Dialect::Chunks);
    assert!(reader.is_cut_off() && !Reader::default().is_cut_off());
    for data in [r#"{"choices":[{"finish_reason":"stop"}]}"#, r#"{"choices":[],"usage":{}}"#] {
        reader.event(Frame { bytes: b"", data: data.as_bytes() });
        assert!(!reader.is_cut_off());
    }
}

#[test]
fn remarks_are_taken_out_and_nothing_else() {
    let of = |bytes: &str| {
        let frame = Frame { bytes: bytes.as_bytes(), data: b"x" };
        (has_remarks(frame), String::from_utf8(without_remarks(frame)).unwrap())
    };
    let clean = "id: 1\nevent: a\ndata: x\nretry: 5\n\n";
    assert_eq!(of(clean), (false, clean.into()));
    assert_eq!(of(": at 10.0.0.1\r\ndata: x\r\nerror: y\r\n\r\n"), (true, "data: x\r\n\r\n".into()));
    assert!(!of("data: x\n\n").0);
}

proptest! {
    /// A word is never taken for silence, whatever stands around it.
    #[test]
    fn a_word_is_a_word(word in "[a-z\"\\\\é]{1,6}", role in any::<bool>(), at in 0usize..3) {
        let mut delta = json!({"content": word});
        if role {
            delta["role"] = json!("assistant");
        }
        let mut choices = vec![json!({"delta": {}}); at];
        choices.push(json!({"index": at, "delta": delta}));
        let data = json!({"id": "c", "choices": choices}).to_string();
        prop_assert!(!says_nothing_yet(data.as_bytes()));
        prop_assert!(!is_error(&data));
        prop_assert_eq!(read(Dialect::Chunks, &data), (Meaning::Piece, Course::On));
    }

    #[test]
    fn nothing_makes_it_fail(data in prop::collection::vec(any::<u8>(), 0..100)) {
        let _either = says_nothing_yet(&data);
        for dialect in ALL {
            let _any = Reader::new(dialect).event(Frame { bytes: &data, data: &data });
        }
    }
}

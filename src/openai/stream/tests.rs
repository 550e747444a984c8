//! What is a beginning, and what is an error.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn is_error(data: &str) -> bool {
    super::is_error(Frame { bytes: b"", data: data.as_bytes() })
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
    assert!(super::is_error(Frame { bytes: b"event: error\ndata: down\n\n", data: b"down" }));
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
    }

    #[test]
    fn nothing_makes_it_fail(data in prop::collection::vec(any::<u8>(), 0..100)) {
        let _either = says_nothing_yet(&data) | super::is_error(Frame { bytes: &data, data: &data });
    }
}

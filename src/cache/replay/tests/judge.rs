//! Every way in which an answer can end.

use serde_json::{Value, json};

use crate::cache::replay::{Finish, judge};
use crate::openai::Endpoint::{self, Chat, Completions, Embeddings, Responses};

fn finish(endpoint: Endpoint, answer: Value) -> Finish {
    let judged = judge(endpoint, answer.to_string().as_bytes()).unwrap();
    assert_eq!(judged.is_whole(), matches!(judged.finish, Finish::Stop | Finish::ToolCalls));
    judged.finish
}

fn chat(reasons: &[Value]) -> Finish {
    let choices: Vec<Value> =
        reasons.iter().map(|reason| json!({"finish_reason": reason, "message": {"content": "a"}})).collect();
    let answer = json!({"choices": choices, "error": null});
    assert_eq!(finish(Completions, answer.clone()), finish(Chat, answer.clone()));
    finish(Chat, answer)
}

#[test]
fn the_worst_choice_counts() {
    assert_eq!(chat(&[json!("stop")]), Finish::Stop);
    assert_eq!(chat(&[json!("tool_calls")]), Finish::ToolCalls);
    assert_eq!(chat(&[json!("function_call")]), Finish::ToolCalls);
    assert_eq!(chat(&[json!("length")]), Finish::Length);
    for other in [json!("content_filter"), Value::Null, json!("eos"), json!(1)] {
        assert_eq!(chat(&[other]), Finish::Other);
    }
    assert_eq!(chat(&[json!("stop"), json!("length"), json!("stop")]), Finish::Length);
    assert_eq!(chat(&[json!("length"), json!("content_filter")]), Finish::Other);
    assert_eq!(chat(&[]), Finish::Other);
    assert_eq!(finish(Chat, json!({})), Finish::Other);
    assert_eq!(finish(Chat, json!({"choices": "none"})), Finish::Other);
    assert_eq!(finish(Chat, json!({"choices": [{"message": {}}]})), Finish::Other);
}

#[test]
fn tool_calls_are_seen_behind_stop() {
    let with = |message: Value| finish(Chat, json!({"choices": [{"finish_reason": "stop", "message": message}]}));
    assert_eq!(with(json!({"tool_calls": [{"id": "a"}]})), Finish::ToolCalls);
    assert_eq!(with(json!({"function_call": {"name": "f"}})), Finish::ToolCalls);
    assert_eq!(with(json!({"tool_calls": [], "function_call": null})), Finish::Stop);
}

#[test]
fn responses_end_by_status() {
    let with = |status: &str, output: Value| finish(Responses, json!({"status": status, "output": output}));
    assert_eq!(with("completed", json!([{"type": "message"}])), Finish::Stop);
    assert_eq!(with("completed", json!([{"type": "reasoning"}, {"type": "function_call"}])), Finish::ToolCalls);
    assert_eq!(with("failed", json!([])), Finish::Other);
    assert_eq!(with("incomplete", json!([])), Finish::Other);
    let incomplete =
        |reason: &str| json!({"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []});
    assert_eq!(finish(Responses, incomplete("max_output_tokens")), Finish::Length);
    assert_eq!(finish(Responses, incomplete("content_filter")), Finish::Other);
    assert_eq!(finish(Responses, json!({"status": "completed", "error": {"code": "x"}, "output": []})), Finish::Other);
}

#[test]
fn embeddings_need_a_vector() {
    assert_eq!(finish(Embeddings, json!({"data": [{"embedding": [0.5]}]})), Finish::Stop);
    assert_eq!(finish(Embeddings, json!({"data": []})), Finish::Other);
    assert_eq!(finish(Embeddings, json!({"object": "list"})), Finish::Other);
}

#[test]
fn an_error_is_one_whatever_else_is_said() {
    let answer = json!({"error": "Unauthorized", "choices": [{"finish_reason": "stop"}]}).to_string();
    let judged = judge(Chat, answer.as_bytes()).unwrap();
    assert!(judged.has_error && judged.finish == Finish::Other && judged.parts == 1);
}

#[test]
fn what_is_no_object_is_not_judged() {
    for body in ["", "[]", "null", "[null,[{\"finish_reason\":\"stop\"}]]", "{\"choices\":", "{} {}"] {
        assert_eq!(judge(Chat, body.as_bytes()), None, "{body}");
    }
    assert_eq!(judge(Chat, b"{\"a\":\"\xff\"}"), None);
}

//! Whole answers and streams are judged alike, and what is wrong is named.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use smallvec::SmallVec;

use super::*;
use crate::openai::sse::{Frames, Keep};

fn expect(endpoint: Endpoint, request: &Value) -> Expect {
    Expect::of(endpoint, request.to_string().as_bytes(), false, false)
}

fn judged(request: &Value, message: &Value, finish: &str) -> (Reason, f64) {
    let mut judge = Judge::new(Endpoint::Chat, expect(Endpoint::Chat, request));
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]});
    judge.answer(body.to_string().as_bytes());
    let verdict = judge.verdict();
    (verdict.reason, verdict.confidence)
}

fn text(request: &Value, content: &str) -> (Reason, f64) {
    judged(request, &json!({"content": content}), "stop")
}

const FINE: (Reason, f64) = (Reason::Logprobs, 0.75);

fn is_fine(verdict: (Reason, f64)) -> bool {
    verdict.0 == FINE.0 && (verdict.1 - FINE.1).abs() < 0.01
}

#[test]
fn what_anybody_can_see_is_named() {
    let plain = json!({});
    assert!(is_fine(text(&plain, "Paris.")));
    assert_eq!(text(&plain, "I'm sorry, but I can't help with that."), (Reason::Refusal, 0.1));
    assert_eq!(judged(&plain, &json!({"content": null, "refusal": "no"}), "stop"), (Reason::Refusal, 0.1));
    assert_eq!(judged(&plain, &json!({"content": "Par"}), "content_filter"), (Reason::Refusal, 0.1));
    assert_eq!(text(&plain, &"and then ".repeat(30)), (Reason::Repetition, 0.05));
    assert_eq!(text(&plain, " \n"), (Reason::Empty, 0.02));
    assert_eq!(judged(&plain, &json!({"content": "Par"}), "length"), (Reason::Truncated, 0.2));
    let thought = json!({"content": "", "reasoning_content": "Let me see."});
    assert_eq!(judged(&plain, &thought, "stop"), (Reason::Empty, 0.02));
}

/// Upstreams write answers in more shapes than one.
#[test]
fn an_answer_of_another_shape_is_not_empty() {
    let plain = json!({});
    let part = |text: &str| json!({"type": "text", "text": text});
    assert!(is_fine(judged(&plain, &json!({"content": [part("Par"), part("is.")]}), "stop")));
    assert_eq!(
        judged(&plain, &json!({"content": [part("I'm sorry, but I can't help with that.")]}), "stop").0,
        Reason::Refusal
    );
    assert_eq!(judged(&plain, &json!({"content": [part(" ")]}), "stop").0, Reason::Empty);
    assert_eq!(judged(&plain, &json!({"content": []}), "stop").0, Reason::Empty);
    for given in [
        json!({"content": null, "audio": {"id": "a", "data": "AAAA", "transcript": "Paris."}}),
        json!({"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}),
        json!({"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}),
    ] {
        assert!(is_fine(judged(&plain, &given, "stop")), "{given}");
    }
    assert_eq!(judged(&plain, &json!({"content": "", "audio": null, "images": []}), "stop").0, Reason::Empty);
    for body in [
        r#"{"choices":[{"index":null,"message":{"content":"Paris."},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":"0","message":{"content":"Paris."},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"message":"Paris.","finish_reason":"stop"}]}"#,
        r#"{"choices":[{"delta":[],"message":{"content":"Paris."},"logprobs":{"content":{}},"finish_reason":"stop"}]}"#,
    ] {
        let mut judge = Judge::new(Endpoint::Chat, expect(Endpoint::Chat, &plain));
        judge.answer(body.as_bytes());
        assert_ne!(judge.verdict().reason, Reason::Empty, "{body}");
    }
}

/// Who asks for three tokens gets three tokens.
#[test]
fn the_clients_own_limit_is_no_fault_of_the_model() {
    let expect = Expect::of(Endpoint::Chat, br#"{"response_format":{"type":"json_object"}}"#, true, false);
    let mut judge = Judge::new(Endpoint::Chat, expect);
    judge.answer(br#"{"choices":[{"message":{"content":"{\"a\": "},"finish_reason":"length"}]}"#);
    assert_eq!(judge.verdict().reason, Reason::Logprobs);
}

#[test]
fn json_is_held_to_what_was_asked_for() {
    let object = json!({"response_format": {"type": "json_object"}});
    assert!(is_fine(text(&object, "{\"a\": 1}")));
    for wrong in ["Sure! {\"a\": 1}", "```json\n{}\n```", "{\"a\": 1", "[1]", "{\"a\": 1}}"] {
        assert_eq!(text(&object, wrong), (Reason::InvalidJson, 0.05), "{wrong}");
    }
    let schema = json!({"type": "object", "required": ["a"]});
    let asked = json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}});
    assert!(is_fine(text(&asked, "{\"a\": 1}")));
    assert_eq!(text(&asked, "{\"b\": 1}"), (Reason::Schema, 0.1));
    assert_eq!(text(&asked, "b"), (Reason::InvalidJson, 0.05));
}

#[test]
fn tool_calls_must_be_such_as_can_be_carried_out() {
    let tools = json!([{"type": "function", "function": {"name": "weather"}}]);
    let free = json!({"tools": tools});
    let call = |name: &str, arguments: &str| json!({"content": null, "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}]});
    assert!(is_fine(judged(&free, &call("weather", "{\"city\": \"Ulm\"}"), "tool_calls")));
    assert!(is_fine(judged(&free, &call("weather", ""), "tool_calls")));
    assert!(is_fine(judged(&free, &json!({"content": "Where?"}), "stop")));
    for (name, arguments) in [("time", "{}"), ("weather", "{city: Ulm}"), ("weather", "{\"city\": ")] {
        assert_eq!(judged(&free, &call(name, arguments), "tool_calls"), (Reason::ToolCall, 0.05), "{name}{arguments}");
    }
    let required = json!({"tools": tools, "tool_choice": "required"});
    assert_eq!(judged(&required, &json!({"content": "Sunny."}), "stop"), (Reason::ToolCall, 0.05));
    let named = json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "weather"}}});
    assert!(is_fine(judged(&named, &call("weather", "{}"), "stop")));
}

#[test]
fn responses_are_judged_as_well() {
    let judge = |request: Value, body: Value| {
        let mut judge = Judge::new(Endpoint::Responses, expect(Endpoint::Responses, &request));
        judge.answer(body.to_string().as_bytes());
        judge.verdict().reason
    };
    let said =
        |part: Value| json!({"output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": [part]}]});
    assert_eq!(judge(json!({}), said(json!({"type": "output_text", "text": "Paris."}))), Reason::Logprobs);
    assert_eq!(judge(json!({}), said(json!({"type": "refusal", "refusal": "No."}))), Reason::Refusal);
    let sad = json!({"output": [], "incomplete_details": {"reason": "max_output_tokens"}});
    assert_eq!(judge(json!({}), sad), Reason::Empty);
    let tools = json!({"tools": [{"type": "function", "name": "weather"}], "tool_choice": "required"});
    let call = |name: &str| json!({"output": [{"type": "function_call", "name": name, "arguments": "{}"}]});
    assert_eq!(judge(tools.clone(), call("weather")), Reason::Logprobs);
    assert_eq!(judge(tools, call("wether")), Reason::ToolCall);
    let unsure = json!({"type": "output_text", "text": "Hm", "logprobs": [{"token": "Hm", "logprob": -5.0}]});
    assert_eq!(judge(json!({}), said(unsure)), Reason::Logprobs);
}

/// The shapes that llama-server and OpenAI have, as recorded.
#[test]
fn log_probabilities_are_read_in_every_shape() {
    let of = |body: &str| {
        let mut judge = Judge::new(Endpoint::Completions, Expect::default());
        judge.answer(body.as_bytes());
        (judge.tokens.all, judge.tokens.figures().unwrap().mean)
    };
    let chat = r#"{"choices":[{"text":"s,","index":0,"logprobs":{"content":[{"id":85,"token":"s","bytes":[115],"logprob":-1.5,"top_logprobs":[{"id":85,"token":"s","logprob":-1.5}]},{"id":2,"token":"","bytes":[],"logprob":-9.0,"top_logprobs":[]}]},"finish_reason":"stop"}]}"#;
    assert_eq!(of(chat), (2, -1.5));
    let classic = r#"{"choices":[{"text":"a b","index":0,"logprobs":{"tokens":["a"," b"],"token_logprobs":[null,-0.5],"top_logprobs":null,"text_offset":[0,1]}}]}"#;
    assert_eq!(of(classic), (2, -0.5));
}

/// vLLM has sent both names of what was thought; a proxy both names of a message.
#[test]
fn two_names_for_one_thing_hide_nothing() {
    let thinking =
        json!({"content": "I'm sorry, but I can't help with that.", "reasoning": null, "reasoning_content": null});
    assert_eq!(judged(&json!({}), &thinking, "stop").0, Reason::Refusal);
    let twice = json!({"choices": [{"index": 0, "message": null, "finish_reason": "stop",
        "delta": {"content": "", "refusal": "No.", "reasoning": "a", "reasoning_content": "a"}}]});
    for whole in [true, false] {
        let mut judge = Judge::new(Endpoint::Chat, Expect::default());
        let data = twice.to_string();
        if whole {
            judge.answer(data.as_bytes());
        } else {
            judge.event(data.as_bytes());
        }
        assert_eq!(judge.verdict().reason, Reason::Refusal, "whole: {whole}");
    }
}

/// What is wrong with the figures must not hide the text beside them.
#[test]
fn malformed_log_probabilities_are_as_good_as_none() {
    let refusal = "I'm sorry, but I can't help with that.";
    for logprobs in [
        json!("x"),
        json!({"content": [null]}),
        json!({"content": [{"token": null, "logprob": -0.1}]}),
        json!({"content": [{"token": "I", "logprob": "NaN"}]}),
        json!({"content": [{"logprob": -0.1}]}),
        json!({"content": {"token": "I"}}),
        json!({"tokens": [null], "token_logprobs": ["-inf"]}),
        json!([1]),
    ] {
        let data = json!({"choices": [{"index": 0, "message": {"content": refusal}, "logprobs": logprobs, "finish_reason": "stop"}]});
        let mut judge = Judge::new(Endpoint::Chat, Expect::default());
        judge.answer(data.to_string().as_bytes());
        assert_eq!(judge.verdict().reason, Reason::Refusal, "{logprobs}");
        let data = json!({"choices": [{"index": 0, "delta": {"content": refusal}, "logprobs": logprobs}]});
        let mut judge = Judge::new(Endpoint::Chat, Expect::default());
        judge.event(data.to_string().as_bytes());
        assert_eq!(judge.verdict().reason, Reason::Refusal, "{logprobs}");
        let data = json!({"type": "response.output_text.delta", "delta": refusal, "logprobs": logprobs});
        let mut judge = Judge::new(Endpoint::Responses, Expect::default());
        judge.event(data.to_string().as_bytes());
        assert_eq!(judge.verdict().reason, Reason::Refusal, "{logprobs}");
    }
    // One bad figure costs no more than itself.
    let mut judge = Judge::new(Endpoint::Chat, Expect::default());
    judge.event(
        br#"{"choices":[{"delta":{"content":"a b"},"logprobs":{"content":[null,{"token":"b","logprob":-0.5}]}}]}"#,
    );
    assert_eq!(judge.tokens.figures().unwrap().mean, -0.5);
}

#[test]
fn an_answer_that_cannot_be_read_says_nothing_and_is_over() {
    for endpoint in [Endpoint::Chat, Endpoint::Responses] {
        for body in ["<html>", r#"{"choices":{},"output":7}"#, "{}"] {
            let mut judge = Judge::new(endpoint, Expect::default());
            judge.answer(body.as_bytes());
            assert!(judge.is_over() && judge.verdict().reason == Reason::Empty, "{body}");
        }
    }
}

#[test]
fn a_stream_is_over_when_it_says_so() {
    let mut judge = Judge::new(Endpoint::Chat, Expect::default());
    judge.event(br#"{"choices":[{"delta":{"content":"four words of ten"}}]}"#);
    assert!(!judge.is_over());
    judge.event(b"[DONE]");
    assert!(judge.is_over());
}

fn events(pieces: &[(&str, f64)], finish: Option<&str>) -> Vec<String> {
    let data = |choice: Value| format!("data: {}\n\n", json!({"choices": [choice]}));
    let mut events = vec![data(json!({"index": 0, "delta": {"role": "assistant", "content": null}}))];
    events.extend(pieces.iter().map(|(piece, logprob)| {
        data(json!({"index": 0, "delta": {"content": piece}, "logprobs": {"content": [{"token": piece, "logprob": logprob}]}}))
    }));
    events.extend(finish.map(|word| data(json!({"index": 0, "delta": {}, "finish_reason": word}))));
    events
}

/// How many tokens it takes, and what is decided.
fn stream(pieces: &[(&str, f64)], bound: f64) -> (usize, Step) {
    let mut judge = Judge::new(Endpoint::Chat, Expect::default());
    let mut step = Step::More;
    for (count, event) in events(pieces, Some("stop")).iter().enumerate() {
        judge.event(event["data: ".len()..].trim().as_bytes());
        step = judge.step(bound);
        if step != Step::More {
            return (count, step);
        }
    }
    (pieces.len(), step)
}

#[test]
fn as_few_tokens_as_suffice() {
    let escalates = |step| matches!(step, Step::Escalate(_));
    let words: Vec<String> = (0..100).map(|i| format!(" w{i}")).collect();
    let all = |logprob: f64| words.iter().map(|word| (word.as_str(), logprob)).collect::<Vec<_>>();
    let sure = all(-0.05);
    let (tokens, step) = stream(&sure, 0.5);
    assert!(tokens == 16 && matches!(step, Step::Commit(_)), "{tokens} {step:?}");
    let lost = all(-3.0);
    let (tokens, step) = stream(&lost, 0.5);
    assert!(tokens == 8 && escalates(step), "{tokens} {step:?}");
    let refusal = ["I", "'m", " sorry", ",", " but", " I", " can't", " help", " you", " with", " that", "."];
    let refusal: Vec<_> = refusal.iter().map(|word| (*word, -0.01)).collect();
    let (tokens, step) = stream(&refusal, 0.5);
    assert!(tokens == 8 && escalates(step), "{tokens} {step:?}");
    // What seems to go round in circles is watched until it does.
    let (_, step) = stream(&vec![(" again", -0.01); 100], 0.5);
    assert!(matches!(step, Step::Escalate(verdict) if verdict.reason == Reason::Repetition), "{step:?}");
    // Near the bound, it takes longer, but never for ever.
    let near: Vec<_> =
        words.iter().enumerate().map(|(i, word)| (word.as_str(), if i % 4 == 0 { -1.9 } else { -0.2 })).collect();
    let mean = {
        let mut judge = Judge::new(Endpoint::Chat, Expect::default());
        events(&near[..48], None).iter().for_each(|e| judge.event(e[6..].trim().as_bytes()));
        judge.verdict().confidence
    };
    let (tokens, step) = stream(&near, mean - 0.001);
    assert!(tokens == 48 && matches!(step, Step::Commit(_)), "{tokens} {step:?}");
    // A short answer is judged whole.
    let (tokens, step) = stream(&[("Yes", -0.1)], 0.5);
    assert!(tokens == 2 && matches!(step, Step::Commit(_)), "{tokens} {step:?}");
}

#[test]
fn a_stream_that_is_no_json_is_given_up_at_once() {
    let object = json!({"response_format": {"type": "json_object"}});
    let mut judge = Judge::new(Endpoint::Chat, expect(Endpoint::Chat, &object));
    for event in events(&[("Here", -0.1), (" is the JSON that you", -0.1), (" asked for: {}", -0.1)], None) {
        judge.event(event["data: ".len()..].trim().as_bytes());
    }
    assert_eq!(judge.verdict().reason, Reason::InvalidJson);
    assert!(matches!(judge.step(0.5), Step::Escalate(verdict) if verdict.reason == Reason::InvalidJson));
}

#[test]
fn responses_streams_are_read_event_by_event() {
    let request = json!({"tools": [{"type": "function", "name": "weather"}]});
    let mut judge = Judge::new(Endpoint::Responses, expect(Endpoint::Responses, &request));
    for event in [
        json!({"type": "response.created", "response": {"output": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call", "name": "weather", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"ci"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "ty\": }"}),
    ] {
        judge.event(event.to_string().as_bytes());
    }
    assert_eq!(judge.verdict().reason, Reason::ToolCall);
    let mut judge = Judge::new(Endpoint::Responses, Expect::default());
    let delta =
        json!({"type": "response.output_text.delta", "delta": "Hm", "logprobs": [{"token": "Hm", "logprob": -0.5}]});
    judge.event(delta.to_string().as_bytes());
    judge.event(
        json!({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}})
            .to_string()
            .as_bytes(),
    );
    assert_eq!((judge.tokens.all, judge.verdict().reason), (1, Reason::Truncated));
}

proptest! {
    /// The verdict on a stream is that on the whole answer, wherever the bytes of the stream are cut.
    #[test]
    fn streams_are_judged_as_the_whole_is(
        words in prop::collection::vec(("[a-zé ]{1,6}|I'm sorry, |I can't |\\{|\"|很", -6.0f64..0.0), 0..60),
        finish in prop::sample::select(vec!["stop", "length", "content_filter"]),
        json_wanted in any::<bool>(),
        cuts in prop::collection::vec(1usize..90, 1..30),
    ) {
        let request = if json_wanted { json!({"response_format": {"type": "json_object"}}) } else { json!({}) };
        let pieces: Vec<_> = words.iter().map(|(word, logprob)| (word.as_str(), *logprob)).collect();
        let content: String = pieces.iter().map(|(word, _)| *word).collect();
        let tokens: Vec<_> = pieces.iter().map(|(word, logprob)| json!({"token": word, "logprob": logprob})).collect();
        let mut whole = Judge::new(Endpoint::Chat, expect(Endpoint::Chat, &request));
        let body = json!({"choices": [{"index": 0, "message": {"content": content}, "logprobs": {"content": tokens}, "finish_reason": finish}]});
        whole.answer(body.to_string().as_bytes());
        let bytes = events(&pieces, Some(finish)).concat().into_bytes();
        let mut cut = Judge::new(Endpoint::Chat, expect(Endpoint::Chat, &request));
        let (mut frames, mut out, mut at) = (Frames::new(), SmallVec::new(), 0);
        for length in cuts.iter().cycle() {
            let end = (at + length).min(bytes.len());
            let chunk = Bytes::copy_from_slice(&bytes[at..end]);
            frames.push(chunk, |data| { cut.event(data); Keep::Yes }, &mut out).unwrap();
            at = end;
            if at == bytes.len() { break }
        }
        prop_assert_eq!(cut.verdict(), whole.verdict());
    }

    /// No bytes make it fail.
    #[test]
    fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200), endpoint in 0usize..3) {
        let endpoint = [Endpoint::Chat, Endpoint::Completions, Endpoint::Responses][endpoint];
        let mut judge = Judge::new(endpoint, Expect::of(endpoint, &bytes, false, false));
        judge.event(&bytes);
        judge.answer(&bytes);
        prop_assert!((0.0..=1.0).contains(&judge.verdict().confidence));
    }
}

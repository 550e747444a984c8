//! Chat: round trips, and what servers really send.

use async_openai::types::chat::{CreateChatCompletionResponse, CreateChatCompletionStreamResponse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_no_beginning_is_whole, parsed, said, stream, text, there_and_back};
use crate::cache::replay::{to_plain, to_stream};
use crate::openai::Endpoint::Chat;

fn entry(token: &str, logprob: f64) -> Value {
    json!({"token": token, "logprob": logprob, "bytes": null, "top_logprobs": []})
}

/// Tokens of a text, two characters each; sometimes they do not make it up.
fn logprobs(text: &str, scale: f64, fits: bool) -> Value {
    let units: Vec<char> = text.chars().collect();
    let mut list: Vec<Value> = units.chunks(2).map(|pair| entry(&String::from_iter(pair), -scale / 4.0)).collect();
    list.push(entry(if fits { "" } else { "<end>" }, -scale));
    json!({"content": list, "refusal": null})
}

prop_compose! {
    fn message()(
        content in prop::option::of(text()),
        refusal in prop::option::weighted(0.1, text()),
        reasoning in prop::option::weighted(0.2, text()),
        calls in prop::collection::vec(("[a-z_]{1,12}", text()), 0..3),
        function in prop::option::weighted(0.1, text()),
        others in any::<bool>(),
    ) -> Value {
        let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
        if let Some(reasoning) = reasoning {
            message["reasoning_content"] = json!(reasoning);
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.iter().enumerate().map(|(at, (name, arguments))| {
                json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments}})
            }).collect();
        }
        if let Some(arguments) = function {
            message["function_call"] = json!({"name": "f", "arguments": arguments});
        }
        if others {
            message["annotations"] = json!([{"type": "url_citation", "url_citation": {
                "start_index": 0, "end_index": 1, "url": "https://example.org", "title": "t"}}]);
            message["of_another"] = json!({"a": [1, 2.5, "b"]});
        }
        message
    }
}

prop_compose! {
    fn answer()(
        messages in prop::collection::vec((message(), prop::option::of((any::<bool>(), 0u32..99))), 1..4),
        reason in prop_oneof![Just("stop"), Just("length"), Just("tool_calls")],
        others in any::<bool>(),
    ) -> Value {
        let choices: Vec<Value> = messages.into_iter().enumerate().map(|(index, (message, scored))| {
            let mut choice = json!({"index": index, "finish_reason": reason, "logprobs": null});
            if let (Some((fits, scale)), Some(content)) = (scored, message["content"].as_str()) {
                choice["logprobs"] = logprobs(content, f64::from(scale), fits);
            }
            choice["message"] = message;
            choice
        }).collect();
        let mut answer = json!({
            "id": "chatcmpl-7", "object": "chat.completion", "created": 1_795_000_000, "model": "m\"x", "choices": choices,
            "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
        });
        if others {
            answer["system_fingerprint"] = json!("fp_1");
            answer["service_tier"] = json!("default");
            answer["timings"] = json!({"prompt_ms": 0.1, "predicted_ms": 12.75});
            answer["choices"][0]["content_filter_results"] = json!({"hate": {"filtered": false}});
        }
        answer
    }
}

proptest! {
    #[test]
    fn what_is_told_can_be_put_together(mut answer in answer(), usage in any::<bool>()) {
        let again = there_and_back(Chat, &answer, usage);
        if !usage {
            answer.as_object_mut().unwrap().remove("usage");
        }
        prop_assert_eq!(&again, &answer);
        serde_json::from_value::<CreateChatCompletionResponse>(again).unwrap();
    }

    #[test]
    fn clients_understand_each_chunk(answer in answer(), usage in any::<bool>()) {
        let events = to_stream(Chat, answer.to_string().as_bytes(), usage).unwrap();
        let mut said = said(&events);
        prop_assert_eq!(said.pop().unwrap(), "[DONE]");
        let (last, before) = said.split_last().unwrap();
        for chunk in &said {
            let chunk: CreateChatCompletionStreamResponse = serde_json::from_str(chunk).unwrap();
            prop_assert_eq!((chunk.object.as_str(), chunk.id.as_str()), ("chat.completion.chunk", "chatcmpl-7"));
        }
        for chunk in before {
            let usage_said = parsed(chunk.as_bytes()).get("usage").cloned();
            prop_assert_eq!(usage_said, usage.then_some(Value::Null));
        }
        let last = parsed(last.as_bytes());
        prop_assert_eq!(last.get("usage"), usage.then_some(&answer["usage"]));
        prop_assert_eq!(last["choices"].as_array().unwrap().is_empty(), usage);
    }
}

/// A chunk as llama-server words it.
fn chunk(choice: &Value) -> Value {
    json!({"choices": [choice], "created": 17, "id": "c1", "model": "tiny", "system_fingerprint": "b1", "object": "chat.completion.chunk"})
}

fn delta(delta: &Value) -> Value {
    chunk(&json!({"finish_reason": null, "index": 0, "delta": delta}))
}

fn plain(events: &[Value]) -> Option<Value> {
    to_plain(Chat, &stream(events)).map(|plain| parsed(&plain))
}

fn end(reason: &str) -> Value {
    chunk(&json!({"finish_reason": reason, "index": 0, "delta": {}}))
}

#[test]
fn a_llama_server_stream_with_usage_and_timings_apart() {
    let scored = |token: &str| {
        let entry = json!({"id": 4, "token": token, "bytes": [1], "logprob": -0.28755125403404236, "top_logprobs": []});
        chunk(
            &json!({"finish_reason": null, "index": 0, "delta": {"content": token}, "logprobs": {"content": [entry]}}),
        )
    };
    let mut last = chunk(&json!({}));
    last["choices"] = json!([]);
    last["usage"] = json!({"completion_tokens": 2, "prompt_tokens": 30, "total_tokens": 32});
    last["timings"] = json!({"prompt_ms": 29.557});
    let begin = delta(&json!({"role": "assistant", "content": null}));
    let answer = plain(&[begin.clone(), begin, scored("Good"), scored(" day"), end("stop"), last]).unwrap();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"], json!({"role": "assistant", "content": "Good day"}));
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["choices"][0]["logprobs"]["content"].as_array().unwrap().len(), 2);
    assert_eq!(answer["usage"]["prompt_tokens"], 30);
    assert_eq!(answer["timings"]["prompt_ms"], 29.557);
}

#[test]
fn comments_line_ends_lines_of_data_and_repeated_roles_do_not_matter() {
    let events = "\u{feff}: ping\r\n\r\nid: 1\r\ndata: {\"id\":\"a\",\"created\":1,\"model\":\"m\",\r\ndata: \"choices\":[{\"index\":0,\"delta\":\
                  {\"role\":\"assistant\",\"content\":\"a\"}}]}\r\n\r\ndata:{\"id\":\"a\",\"created\":2,\"choices\":[{\"index\":0,\"delta\":{\"role\":\
                  \"assistant\",\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3}}\r\n\r\ndata: [DONE]\r\n";
    let answer = parsed(&to_plain(Chat, events.as_bytes()).unwrap());
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop"});
    let expected = json!({"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}});
    assert_eq!(answer, expected);
}

#[test]
fn azure_begins_without_an_id() {
    let first = json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"prompt_index": 0}]});
    let answer = plain(&[first, delta(&json!({"role": "assistant", "content": "x"})), end("stop")]).unwrap();
    assert_eq!((&answer["id"], &answer["created"], &answer["model"]), (&json!("c1"), &json!(17), &json!("tiny")));
    assert_eq!(answer["prompt_filter_results"][0]["prompt_index"], 0);
}

fn calls(deltas: &[Value]) -> Option<Value> {
    let deltas = deltas.iter().map(|list| delta(&json!({"tool_calls": list})));
    let events: Vec<Value> = deltas.chain([end("tool_calls")]).collect();
    plain(&events).map(|mut answer| answer["choices"][0]["message"]["tool_calls"].take())
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

#[test]
fn tool_calls_are_told_apart_however_servers_count() {
    let both = json!([call("a", "f", "{\"x\":1}"), call("b", "g", "{}")]);
    let counted = |index: u32, mut call: Value| {
        call["index"] = json!(index);
        json!([call])
    };
    let more = |index: u32, arguments: &str| json!([{"index": index, "function": {"arguments": arguments}}]);
    let openai = [
        counted(0, call("a", "f", "")),
        more(0, "{\"x\""),
        more(0, ":1}"),
        counted(1, call("b", "g", "")),
        more(1, "{}"),
    ];
    assert_eq!(calls(&openai).unwrap(), both);
    let mixed = [
        counted(0, call("a", "f", "")),
        counted(1, call("b", "g", "")),
        more(0, "{\"x\":1"),
        more(1, "{}"),
        more(0, "}"),
    ];
    assert_eq!(calls(&mixed).unwrap(), both);
    let uncounted =
        [json!([call("a", "f", "{\"x\"")]), json!([{"function": {"arguments": ":1}"}}]), json!([call("b", "g", "{}")])];
    assert_eq!(calls(&uncounted).unwrap(), both);
    let all_zero = [counted(0, call("a", "f", "{\"x\":1}")), counted(0, call("b", "g", "{}"))];
    assert_eq!(calls(&all_zero).unwrap(), both);
    let at_once = [json!([call("a", "f", "{\"x\":1}"), call("b", "g", "{}")])];
    assert_eq!(calls(&at_once).unwrap(), both);
    let named_again =
        [counted(0, call("a", "f", "{\"x\"")), counted(0, call("a", "f", ":1}")), counted(1, call("b", "g", "{}"))];
    assert_eq!(calls(&named_again).unwrap(), both);
}

#[test]
fn calls_that_cannot_be_answered_are_not_kept() {
    assert_eq!(calls(&[json!([{"index": 0, "function": {"name": "f", "arguments": "{}"}}])]), None, "no id");
    assert_eq!(calls(&[json!([{"index": 0, "id": "a", "function": {"arguments": "{}"}}])]), None, "no name");
    let custom = json!([{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]);
    assert_eq!(calls(&[custom]), None, "another kind");
    let object = json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]);
    assert_eq!(calls(&[object]), None, "arguments that are no text");
}

#[test]
fn a_stream_that_is_not_whole_is_not_kept() {
    let begin = delta(&json!({"role": "assistant", "content": "a"}));
    assert!(plain(&[begin.clone(), end("stop")]).is_some());
    assert_eq!(plain(&[begin.clone(), json!({"error": {"message": "overloaded"}})]), None);
    assert_eq!(plain(&[]), None);
    assert_eq!(plain(&[json!({"type": "ping"}), begin.clone()]), None);
    let unknown = |text: &str| delta(&json!({"of_another": text}));
    assert_eq!(plain(&[begin.clone(), unknown("a"), unknown("a"), end("stop")]), None, "pieces or the same again");
    assert!(plain(&[begin.clone(), unknown("a"), unknown(""), end("stop")]).is_some());
    let mut named = b"event: error\ndata: {\"choices\":[]}\n\n".to_vec();
    named.extend(stream(&[begin.clone(), end("stop")]));
    assert_eq!(to_plain(Chat, &named), None);
    let mut behind = stream(&[begin.clone(), end("stop")]);
    behind.extend(stream(&[begin]));
    assert_eq!(to_plain(Chat, &behind), None, "something behind the end");
    assert_eq!(to_plain(Chat, b"data: {\"choices\":[\n\ndata: [DONE]\n\n"), None);
    assert_eq!(to_plain(Chat, b"data: {\"id\":\"\xff\",\"choices\":[]}\n\ndata: [DONE]\n\n"), None);
}

#[test]
fn lists_and_texts_that_come_twice_are_not_guessed_at() {
    let with = |member: &Value| {
        let mut choice = json!({"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"});
        choice["of_another"] = member.clone();
        chunk(&choice)
    };
    assert!(plain(&[with(&json!([5]))]).is_some());
    assert_eq!(plain(&[with(&json!([5])), with(&json!([5]))]), None);
    assert_eq!(plain(&[with(&json!("a")), with(&json!("a"))]), None);
    let answer = plain(&[with(&json!({"a": 1})), with(&json!({"a": 2})), with(&Value::Null)]).unwrap();
    assert_eq!(answer["choices"][0]["of_another"], json!({"a": 2}), "the newest of what only one chunk can say whole");
    let whole = chunk(&json!({"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}));
    assert_eq!(plain(&[whole]), None, "a message is no delta");
}

#[test]
fn what_no_server_sends_is_not_put_together_at_any_price() {
    let calls_of =
        |count: usize| -> Vec<Value> { (0..count).map(|at| json!([call(&format!("c{at}"), "f", "{}")])).collect() };
    assert!(calls(&calls_of(256)).is_some());
    assert_eq!(calls(&calls_of(257)), None);
    let members_of = |count: usize| {
        let events: Vec<Value> =
            (0..count).map(|at| delta(&json!({format!("k{at}"): 1}))).chain([end("stop")]).collect();
        plain(&events)
    };
    assert!(members_of(256).is_some());
    assert_eq!(members_of(257), None);
    assert_eq!(
        to_plain(Chat, b"data: {\"id\":1,\"id\":2,\"choices\":[{\"index\":0}]}\n\ndata: [DONE]\n\n"),
        None,
        "a key twice"
    );
}

#[test]
fn halves_of_a_character_are_joined_and_a_lone_one_is_refused() {
    let pieces = |pieces: &[&str]| {
        let chunk =
            |piece: &&str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}}}}]}}\n\n");
        let events = pieces.iter().map(chunk).collect::<String>() + "data: [DONE]\n\n";
        to_plain(Chat, events.as_bytes()).map(|plain| parsed(&plain)["choices"][0]["message"]["content"].take())
    };
    assert_eq!(pieces(&["\\ud83d", "\\ude00"]).unwrap(), "😀");
    assert_eq!(pieces(&["\\ud83d", "a"]), None);
}

#[test]
fn no_beginning_is_whole() {
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1}, "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "one two three four five"}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [call("a", "f", "{\"x\":1}")]}, "finish_reason": "tool_calls"},
    ]});
    let events = to_stream(Chat, answer.to_string().as_bytes(), true).unwrap();
    assert!(said(&events).len() > 9);
    assert_no_beginning_is_whole(Chat, &events);
}

#[test]
fn an_answer_is_told_as_openai_does() {
    let plain = "{\n \"id\": \"c\", \"object\": \"chat.completion\", \"created\": 1, \"model\": \"m\", \"choices\": [{\"index\": 0, \"message\":\n \
                 {\"role\": \"assistant\", \"content\": null, \"refusal\": null, \"annotations\": [], \"tool_calls\": [{\"id\": \"a\", \"type\": \"function\", \
                 \"function\": {\"name\": \"f\", \"arguments\": \"{}\"}}]}, \"logprobs\": null, \"finish_reason\": \"tool_calls\"}]\n}";
    let events = to_stream(Chat, plain.as_bytes(), false).unwrap();
    let choices: Vec<Value> =
        said(&events)[..4].iter().map(|chunk| parsed(chunk.as_bytes())["choices"][0].take()).collect();
    let choice =
        |delta: Value, reason: Value| json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
    let named = json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let arguments = json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]});
    let expected = [
        choice(json!({"role": "assistant", "content": null, "refusal": null}), Value::Null),
        choice(named, Value::Null),
        choice(arguments, Value::Null),
        choice(json!({}), json!("tool_calls")),
    ];
    assert_eq!(choices, expected);
}

#[test]
fn numbers_keep_every_digit() {
    let plain = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ab","big":123456789012345678901234567890},"logprobs":{"content":[{"token":"a","logprob":-0.10000000000000000555},{"token":"b","logprob":-1e-7}]},"finish_reason":"stop"}]}"#;
    let events = to_stream(Chat, plain.as_bytes(), false).unwrap();
    let again = String::from_utf8(to_plain(Chat, &events).unwrap()).unwrap();
    for number in ["123456789012345678901234567890", "-0.10000000000000000555", "-1e-7"] {
        assert!(again.contains(number), "{number} in {again}");
    }
}

#[test]
fn what_cannot_be_told_in_chunks_is_not() {
    let with = |edit: fn(&mut Value)| {
        let message = json!({"role": "assistant", "content": "a"});
        let mut answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "message": message, "finish_reason": "stop"}]});
        edit(&mut answer);
        to_stream(Chat, answer.to_string().as_bytes(), false)
    };
    assert!(with(|_| {}).is_some());
    assert_eq!(with(|answer| answer["choices"] = json!([])), None);
    assert_eq!(with(|answer| answer["error"] = json!({"message": "no"})), None);
    assert_eq!(with(|answer| answer["object"] = json!("chat.completion.chunk")), None);
    assert_eq!(with(|answer| answer["choices"][0]["finish_reason"] = Value::Null), None);
    assert_eq!(with(|answer| answer["choices"][0]["message"]["audio"] = json!({"id": "a"})), None);
    assert_eq!(with(|answer| answer["choices"][0]["message"]["content"] = json!([{"type": "text"}])), None);
    assert_eq!(with(|answer| answer["choices"][0]["message"]["tool_calls"] = json!([{"type": "custom"}])), None);
    assert_eq!(to_stream(Chat, b"[1]", false), None);
}

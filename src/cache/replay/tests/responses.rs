//! Responses: round trips, and what a reader of the events alone gets.

use async_openai::types::responses::{Response, ResponseStreamEvent};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_no_beginning_is_whole, parsed, said, text, there_and_back};
use crate::cache::replay::{frames, to_plain, to_stream};
use crate::openai::Endpoint::Responses;

fn part() -> impl Strategy<Value = Value> {
    let annotation =
        json!({"type": "url_citation", "start_index": 0, "end_index": 1, "url": "https://example.org", "title": "t"});
    prop_oneof![
        4 => text().prop_map(|text| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})),
        1 => text().prop_map(move |text| {
            let entry = |token: char| json!({"token": token.to_string(), "logprob": -0.25, "bytes": [1], "top_logprobs": []});
            let entries: Vec<Value> = text.chars().map(entry).collect();
            json!({"type": "output_text", "text": text, "annotations": [annotation], "logprobs": entries})
        }),
        1 => text().prop_map(|text| json!({"type": "refusal", "refusal": text})),
    ]
}

fn item() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => prop::collection::vec(part(), 0..3)
            .prop_map(|parts| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts})),
        1 => text().prop_map(|arguments| {
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": arguments, "status": "completed"})
        }),
        1 => text().prop_map(|input| json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "g", "input": input})),
        1 => prop::collection::vec(text(), 0..3).prop_map(|texts| {
            let summary: Vec<Value> = texts.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
            let content: Vec<Value> = texts.iter().map(|text| json!({"type": "reasoning_text", "text": text})).collect();
            json!({"type": "reasoning", "id": "rs_1", "summary": summary, "content": content, "encrypted_content": "gAAA"})
        }),
        1 => Just(json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}})),
    ]
}

prop_compose! {
    fn answer()(output in prop::collection::vec(item(), 0..4)) -> Value {
        json!({
            "id": "resp_1", "object": "response", "created_at": 1_795_000_000, "status": "completed", "completed_at": 1_795_000_002, "error": null,
            "incomplete_details": null, "instructions": null, "model": "m", "output": output, "parallel_tool_calls": true, "temperature": 0.7,
            "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "metadata": {}, "of_another": {"x": 1.5},
            "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 4,
                      "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 13},
        })
    }
}

proptest! {
    #[test]
    fn what_is_told_can_be_put_together(answer in answer()) {
        let again = there_and_back(Responses, &answer, false);
        prop_assert_eq!(&again, &answer);
        serde_json::from_value::<Response>(again).unwrap();
    }

    #[test]
    fn clients_understand_each_event(answer in answer()) {
        let events = to_stream(Responses, answer.to_string().as_bytes(), true).unwrap();
        for (at, range) in frames(&events).enumerate() {
            let frame = std::str::from_utf8(&events[range]).unwrap();
            let (name, data) = frame.trim_end().split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            let value = parsed(data.as_bytes());
            prop_assert_eq!(name.strip_prefix("event: "), value["type"].as_str());
            prop_assert_eq!(&value["sequence_number"], at);
            serde_json::from_str::<ResponseStreamEvent>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        }
    }

    #[test]
    fn those_who_read_events_only_know_the_same(answer in answer()) {
        let events = to_stream(Responses, answer.to_string().as_bytes(), true).unwrap();
        let items = answer["output"].as_array().unwrap();
        let mut heard = vec![String::new(); items.len()];
        let mut done = vec![Value::Null; items.len()];
        for event in said(&events) {
            let event = parsed(event.as_bytes());
            let Some(at) = event["output_index"].as_u64() else { continue };
            let kind = event["type"].as_str().unwrap();
            if kind.ends_with(".delta") {
                heard[at as usize] += event["delta"].as_str().unwrap();
            } else if kind == "response.output_item.done" {
                done[at as usize] = event["item"].clone();
            }
        }
        prop_assert_eq!(&done, items);
        for (item, heard) in items.iter().zip(heard) {
            let texts = |list: &Value, key: &str| -> String {
                let parts = list.as_array().into_iter().flatten();
                parts.filter_map(|part| part[key].as_str().or(part["refusal"].as_str())).collect()
            };
            let whole = match item["type"].as_str().unwrap() {
                "function_call" => item["arguments"].as_str().unwrap().to_owned(),
                "custom_tool_call" => item["input"].as_str().unwrap().to_owned(),
                _ => texts(&item["summary"], "text") + &texts(&item["content"], "text"),
            };
            prop_assert_eq!(heard, whole);
        }
    }
}

fn short() -> Value {
    let part = json!({"type": "output_text", "text": "Good day to you", "annotations": []});
    let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]});
    json!({"id": "resp_1", "object": "response", "status": "completed", "output": [item]})
}

#[test]
fn the_events_come_in_their_order() {
    let events = to_stream(Responses, short().to_string().as_bytes(), false).unwrap();
    let said: Vec<Value> = said(&events).iter().map(|event| parsed(event.as_bytes())).collect();
    let kinds: Vec<&str> =
        said.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        said[0]["response"],
        json!({"id": "resp_1", "object": "response", "status": "in_progress", "output": []})
    );
    assert_eq!(
        said[2]["item"],
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []})
    );
    assert_eq!(said[3]["part"], json!({"type": "output_text", "text": "", "annotations": []}));
    let (first, place) = (&said[4], json!(0));
    assert_eq!((&first["item_id"], &first["output_index"], &first["content_index"]), (&json!("msg_1"), &place, &place));
    assert_eq!(first["logprobs"], json!([]));
    assert_no_beginning_is_whole(Responses, &events);
}

#[test]
fn a_llama_server_stream_without_numbers() {
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let begin = event(
        json!({"type": "response.created", "response": {"id": "resp_1", "object": "response", "status": "in_progress"}}),
    );
    let delta = event(json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Good day to you"}));
    let done = event(json!({"type": "response.output_item.done", "item": short()["output"][0]}));
    let end = event(json!({"type": "response.completed", "response": short(), "timings": {"prompt_ms": 15.9}}));
    let whole = [&*begin, &*delta, &*done, &*end].concat();
    assert_eq!(parsed(&to_plain(Responses, whole.as_bytes()).unwrap()), short());
    assert_eq!(parsed(&to_plain(Responses, (whole.clone() + "data: [DONE]\n\n").as_bytes()).unwrap()), short());
    assert_eq!(to_plain(Responses, (whole.clone() + &delta).as_bytes()), None, "something behind the end");
    assert_eq!(
        to_plain(Responses, [&*begin, &*done, &*done, &*end].concat().as_bytes()),
        None,
        "an item is missing at the end"
    );
    for kind in ["response.failed", "response.incomplete", "error"] {
        let other = event(json!({"type": kind, "response": {"status": "failed"}}));
        assert_eq!(to_plain(Responses, [&*begin, &*other, &*end].concat().as_bytes()), None, "{kind}");
    }
    let unfinished = end.replace("\"status\":\"completed\"", "\"status\":\"incomplete\"");
    assert_eq!(to_plain(Responses, unfinished.as_bytes()), None);
}

#[test]
fn what_did_not_complete_is_not_told() {
    let with = |edit: fn(&mut Value)| {
        let mut answer = short();
        edit(&mut answer);
        to_stream(Responses, answer.to_string().as_bytes(), false)
    };
    assert!(with(|_| {}).is_some());
    assert_eq!(with(|answer| answer["status"] = json!("incomplete")), None);
    assert_eq!(with(|answer| answer["error"] = json!({"code": "x"})), None);
    assert_eq!(with(|answer| answer["output"] = json!("none")), None);
    assert_eq!(with(|answer| answer["output"][0]["id"] = Value::Null), None, "deltas name their item");
    assert_eq!(with(|answer| answer["output"][0]["type"] = json!(1)), None);
    assert_eq!(with(|answer| answer["output"][0]["content"][0]["text"] = json!(1)), None);
}

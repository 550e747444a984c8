//! Two streams in any order, cut anywhere, give one that a client understands.

use serde_json::{Value, json};

use super::*;

mod any;
mod ends;

const SPENT: Spent = Spent { prompt: 10, completion: 5 };

fn names(usage: bool) -> Names {
    Names { id: "req-1".into(), created: 1_700_000_000, model: "auto \"x\"".into(), usage }
}

fn duet(endpoint: Endpoint, usage: bool) -> Duet {
    Duet::new(endpoint, &names(usage)).unwrap()
}

fn frames(events: &[Value], done: bool) -> Vec<u8> {
    let mut all: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    if done {
        all.push_str("data: [DONE]\n\n");
    }
    all.into_bytes()
}

/// A chat's stream, a word in each chunk.
fn chat(name: &str, words: &[&str], usage: bool) -> Vec<Value> {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": format!("chatcmpl-{name}"), "object": "chat.completion.chunk", "created": 5, "model": name,
               "x_unknown": name, "choices": [{"delta": delta, "index": 0, "logprobs": null, "finish_reason": finish}]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(words.iter().map(|word| chunk(json!({"content": word}), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    if usage {
        let figures = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 3}});
        events.push(json!({"id": "chatcmpl-1", "model": name, "choices": [], "usage": figures}));
    }
    events
}

/// A response's stream; `bare`: as llama-server sends it.
fn response(name: &str, words: &[&str], bare: bool) -> Vec<Value> {
    let text = words.concat();
    let id = format!("msg_{name}");
    let part = json!({"type": "output_text", "text": text, "annotations": []});
    let item = json!({"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [part]});
    let at = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": 0, "content_index": 0});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let started = json!({"id": format!("resp_{name}"), "object": "response", "status": "in_progress", "output": []});
    let usage = json!({"input_tokens": 100, "output_tokens": 20, "total_tokens": 120});
    let finished = json!({"id": format!("resp_{name}"), "object": "response", "status": "completed", "model": name, "output": [item], "usage": usage});
    let mut events = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.in_progress", "response": started}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": id, "content": []}}),
        at("response.content_part.added", json!({"part": {"type": "output_text", "text": ""}})),
    ];
    events.extend(words.iter().map(|word| at("response.output_text.delta", json!({"delta": word}))));
    events.push(at("response.output_text.done", json!({"text": text})));
    events.push(at("response.content_part.done", json!({"part": part})));
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    events.push(json!({"type": "response.completed", "response": finished}));
    for (number, event) in events.iter_mut().enumerate() {
        let event = event.as_object_mut().unwrap();
        if bare {
            event.remove("output_index");
            event.remove("content_index");
        } else {
            event.insert("sequence_number".into(), json!(number));
        }
    }
    events
}

/// What a client reads.
fn read(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"), "half a frame: {text}");
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty());
    let data = frames.map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap());
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

/// The text of a choice, and its reason to end.
fn choice(events: &[Value], index: u64) -> (String, Vec<Value>) {
    let mut text = String::new();
    let mut ends = vec![];
    for choice in events.iter().filter_map(|event| event["choices"].as_array()).flatten() {
        if choice["index"] == index {
            assert!(
                ends.is_empty() || choice["delta"] == json!({}) && choice["finish_reason"].is_null(),
                "behind its end: {choice}"
            );
            text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            ends.extend(Some(&choice["finish_reason"]).filter(|reason| !reason.is_null()).cloned());
        }
    }
    (text, ends)
}

/// What holds of every chat.
fn check_chat(events: &[Value]) {
    assert_eq!(events.last().unwrap(), "[DONE]");
    for event in &events[..events.len() - 1] {
        assert_eq!((&event["id"], &event["model"]), (&json!("chatcmpl-req-1"), &json!("auto \"x\"")), "{event}");
        // By position, too, there is nothing of the draft in the first choice.
        for (at, choice) in event["choices"].as_array().unwrap().iter().enumerate() {
            assert_eq!(choice["index"], at, "{event}");
            assert_eq!(choice["tidegate"]["draft"] == json!(true), at == 1, "{event}");
        }
    }
}

/// What holds of every response; its last event.
fn check_response(events: &[Value]) -> Value {
    let mut items: Vec<String> = vec![];
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let kind = event["type"].as_str().unwrap();
        assert_eq!(kind == "response.created", number == 0);
        if kind == "response.output_item.added" {
            assert_eq!(event["output_index"], items.len(), "{event}");
            items.push(event["item"]["id"].as_str().unwrap().to_owned());
        } else if let Some(item) = event["item_id"].as_str().or(event["item"]["id"].as_str()) {
            assert_eq!(event["output_index"], items.iter().position(|known| known == item).unwrap(), "{event}");
        }
    }
    let last = events.last().unwrap();
    let listed: Vec<_> =
        last["response"]["output"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(listed, items);
    last.clone()
}

/// As the SDKs join it.
fn output_text(response: &Value) -> String {
    let items = response["output"].as_array().unwrap().iter().filter(|item| item["type"] == "message");
    let parts = items.flat_map(|item| item["content"].as_array().unwrap());
    parts.filter(|part| part["type"] == "output_text").map(|part| part["text"].as_str().unwrap()).collect()
}

/// The deltas of an event's kind.
fn deltas(events: &[Value], kind: &str) -> String {
    events.iter().filter(|event| event["type"] == kind).map(|event| event["delta"].as_str().unwrap()).collect()
}

#[test]
fn a_chat_reads_like_this() {
    let mut duet = duet(Endpoint::Chat, true);
    let mut out = vec![];
    let draft = frames(&chat("edge", &["Maybe ", "4"], true), true);
    duet.draft(draft[..draft.len() / 2].to_vec().into(), &mut out).unwrap();
    duet.draft_over(SPENT, &mut out);
    duet.answer(frames(&chat("cloud", &["It is 4"], true), true).into(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    insta::assert_snapshot!(text, @r#"
    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","x_unknown":"edge","choices":[{"index":0,"delta":{},"finish_reason":null},{"tidegate":{"draft":true},"delta":{"role":"assistant","content":""},"index":1,"logprobs":null,"finish_reason":null}]}

    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","x_unknown":"edge","choices":[{"index":0,"delta":{},"finish_reason":null},{"tidegate":{"draft":true},"delta":{"content":"Maybe "},"index":1,"logprobs":null,"finish_reason":null}]}

    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","choices":[{"index":0,"delta":{},"finish_reason":null},{"index":1,"delta":{},"finish_reason":"length","tidegate":{"draft":true,"cut":true}}]}

    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","x_unknown":"cloud","choices":[{"delta":{"role":"assistant","content":""},"index":0,"logprobs":null,"finish_reason":null}]}

    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","x_unknown":"cloud","choices":[{"delta":{"content":"It is 4"},"index":0,"logprobs":null,"finish_reason":null}]}

    data: {"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1700000000,"model":"auto \"x\"","x_unknown":"cloud","choices":[{"delta":{},"index":0,"logprobs":null,"finish_reason":"stop"}]}

    data: {"id":"chatcmpl-req-1","model":"auto \"x\"","choices":[],"usage":{"prompt_tokens":110,"completion_tokens":25,"total_tokens":135,"prompt_tokens_details":{"cached_tokens":3}}}

    data: [DONE]
    "#);
}

#[test]
fn a_response_reads_like_this() {
    let mut duet = duet(Endpoint::Responses, false);
    let mut out = vec![];
    let draft = response("edge", &["Maybe 4"], true);
    duet.draft(frames(&draft[..5], false).into(), &mut out).unwrap();
    duet.draft_over(SPENT, &mut out);
    duet.answer(frames(&response("cloud", &["It is 4"], false), false).into(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    insta::assert_snapshot!(text, @r#"
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_req-1","object":"response","created_at":1700000000,"status":"in_progress","error":null,"incomplete_details":null,"instructions":null,"metadata":{},"model":"auto \"x\"","output":[],"parallel_tool_calls":true,"store":false,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":null}}

    event: response.in_progress
    data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_req-1","object":"response","created_at":1700000000,"status":"in_progress","error":null,"incomplete_details":null,"instructions":null,"metadata":{},"model":"auto \"x\"","output":[],"parallel_tool_calls":true,"store":false,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":null}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_draft_req-1","type":"reasoning","status":"in_progress","tidegate":{"draft":true},"summary":[],"content":[]}}

    event: response.content_part.added
    data: {"type":"response.content_part.added","sequence_number":3,"item_id":"rs_draft_req-1","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":""}}

    event: response.reasoning_text.delta
    data: {"type":"response.reasoning_text.delta","sequence_number":4,"item_id":"rs_draft_req-1","output_index":0,"content_index":0,"delta":"Maybe 4"}

    event: response.reasoning_text.done
    data: {"type":"response.reasoning_text.done","sequence_number":5,"item_id":"rs_draft_req-1","output_index":0,"content_index":0,"text":"Maybe 4"}

    event: response.content_part.done
    data: {"type":"response.content_part.done","sequence_number":6,"item_id":"rs_draft_req-1","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":"Maybe 4"}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_draft_req-1","type":"reasoning","status":"incomplete","tidegate":{"draft":true},"summary":[],"content":[{"type":"reasoning_text","text":"Maybe 4"}]}}

    data: {"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"msg_cloud","content":[]},"sequence_number":8}

    data: {"type":"response.content_part.added","item_id":"msg_cloud","output_index":1,"content_index":0,"part":{"type":"output_text","text":""},"sequence_number":9}

    data: {"type":"response.output_text.delta","item_id":"msg_cloud","output_index":1,"content_index":0,"delta":"It is 4","sequence_number":10}

    data: {"type":"response.output_text.done","item_id":"msg_cloud","output_index":1,"content_index":0,"text":"It is 4","sequence_number":11}

    data: {"type":"response.content_part.done","item_id":"msg_cloud","output_index":1,"content_index":0,"part":{"type":"output_text","text":"It is 4","annotations":[]},"sequence_number":12}

    data: {"type":"response.output_item.done","output_index":1,"item":{"type":"message","id":"msg_cloud","status":"completed","role":"assistant","content":[{"type":"output_text","text":"It is 4","annotations":[]}]},"sequence_number":13}

    data: {"type":"response.completed","response":{"id":"resp_cloud","object":"response","status":"completed","model":"cloud","output":[{"id":"rs_draft_req-1","type":"reasoning","status":"incomplete","tidegate":{"draft":true},"summary":[],"content":[{"type":"reasoning_text","text":"Maybe 4"}]},{"type":"message","id":"msg_cloud","status":"completed","role":"assistant","content":[{"type":"output_text","text":"It is 4","annotations":[]}]}],"usage":{"input_tokens":110,"output_tokens":25,"total_tokens":135}},"sequence_number":14}
    "#);
}

#[test]
fn a_confident_chat_draft_becomes_the_answer() {
    let mut duet = duet(Endpoint::Chat, true);
    let mut out = vec![];
    let standing = duet.draft(frames(&chat("edge", &["It's \"4\"\n", "\u{1f600}"], true), true).into(), &mut out);
    assert_eq!((standing, duet.is_complete()), (Ok(Standing::Complete), true));
    assert_eq!(duet.text(), "It's \"4\"\n\u{1f600}");
    duet.draft_over(SPENT, &mut out);
    duet.promote(Why::Confident, &mut out);
    duet.finish(Spent { prompt: 90, completion: 0 }, &mut out);
    let events = read(&out);
    check_chat(&events);
    assert_eq!(choice(&events, 0), choice(&events, 1));
    assert_eq!(choice(&events, 0), ("It's \"4\"\n\u{1f600}".into(), vec![json!("stop")]));
    let told = events.iter().find(|event| event["choices"][0]["tidegate"]["final"] == "draft").unwrap();
    assert_eq!(told["choices"][0]["tidegate"]["reason"], "confident");
    assert_eq!(told["choices"][0]["delta"]["role"], "assistant");
    let usage = &events[events.len() - 2]["usage"];
    assert_eq!(*usage, json!({"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}));
}

#[test]
fn when_the_cloud_fails_the_draft_goes_on_as_the_answer() {
    for endpoint in [Endpoint::Chat, Endpoint::Responses] {
        let (mut duet, mut out) = (duet(endpoint, false), vec![]);
        let events = match endpoint {
            Endpoint::Chat => chat("edge", &["It ", "is ", "4"], false),
            _ => response("edge", &["It ", "is ", "4"], true),
        };
        let at = if endpoint == Endpoint::Chat { 3 } else { 6 };
        duet.draft(frames(&events[..at], false).into(), &mut out).unwrap();
        duet.promote(Why::CloudFailed, &mut out);
        duet.promote(Why::CloudFailed, &mut out);
        duet.draft(frames(&events[at..], false).into(), &mut out).unwrap();
        duet.draft_over(SPENT, &mut out);
        duet.finish(Spent::default(), &mut out);
        let events = read(&out);
        if endpoint == Endpoint::Chat {
            check_chat(&events);
            assert_eq!(choice(&events, 0), ("It is 4".into(), vec![json!("stop")]));
            assert_eq!(choice(&events, 1), ("It is ".into(), vec![json!("length")]));
        } else {
            let last = check_response(&events);
            assert_eq!(last["type"], "response.completed");
            assert_eq!(output_text(&last["response"]), "It is 4");
            assert_eq!(deltas(&events, "response.output_text.delta"), "It is 4");
            assert_eq!(last["response"]["output"][0]["status"], "incomplete");
            assert_eq!(last["response"]["output"][1]["tidegate"], json!({"final": "draft", "reason": "cloud-failed"}));
            assert_eq!(last["response"]["usage"]["total_tokens"], 15);
        }
    }
}

#[test]
fn a_draft_that_was_cut_short_is_not_complete() {
    let mut events = chat("edge", &["It"], false);
    events.last_mut().unwrap()["choices"][0]["finish_reason"] = json!("length");
    let mut duet = duet(Endpoint::Chat, false);
    duet.draft(frames(&events, true).into(), &mut vec![]).unwrap();
    assert!(!duet.is_complete());
    let mut events = response("edge", &["It"], true);
    events.last_mut().unwrap()["type"] = json!("response.incomplete");
    let (mut duet, mut out) = (self::duet(Endpoint::Responses, false), vec![]);
    duet.draft(frames(&events, false).into(), &mut out).unwrap();
    assert!(!duet.is_complete());
    duet.draft_over(SPENT, &mut out);
    duet.promote(Why::CloudFailed, &mut out);
    duet.finish(Spent::default(), &mut out);
    let last = check_response(&read(&out));
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.incomplete"), &json!("incomplete")));
}

#[test]
fn a_refusal_is_no_good_draft() {
    let mut events = response("edge", &["I cannot"], true);
    events[4]["type"] = json!("response.refusal.delta");
    let (mut duet, mut out) = (duet(Endpoint::Responses, false), vec![]);
    assert_eq!(duet.draft(frames(&events, false).into(), &mut out), Ok(Standing::Complete));
    assert!(!duet.is_complete());
    assert_eq!(duet.text(), "I cannot");
}

#[test]
fn a_draft_that_fails_is_told_as_far_as_it_came() {
    let error = json!({"error": {"message": "no more memory", "type": "server_error"}});
    let (mut duet, mut out) = (duet(Endpoint::Chat, false), vec![]);
    let mut events = chat("edge", &["It"], false);
    events.truncate(2);
    events.push(error);
    assert_eq!(duet.draft(frames(&events, true).into(), &mut out), Ok(Standing::Failed));
    duet.draft_over(SPENT, &mut out);
    duet.answer(frames(&chat("cloud", &["4"], false), true).into(), &mut out).unwrap();
    let events = read(&out);
    check_chat(&events);
    assert_eq!(choice(&events, 1), ("It".into(), vec![json!("length")]));
    assert_eq!(choice(&events, 0), ("4".into(), vec![json!("stop")]));
    assert!(!String::from_utf8(out).unwrap().contains("memory"));
}

#[test]
fn a_draft_that_says_nothing_leaves_no_item() {
    let (mut duet, mut out) = (duet(Endpoint::Responses, false), vec![]);
    duet.draft(frames(&response("edge", &["x"], true)[..4], false).into(), &mut out).unwrap();
    duet.draft_over(SPENT, &mut out);
    duet.answer(frames(&response("cloud", &["4"], true), false).into(), &mut out).unwrap();
    let last = check_response(&read(&out));
    assert_eq!(last["response"]["output"].as_array().unwrap().len(), 1);
}

#[test]
fn a_draft_has_an_end() {
    let long = "x".repeat(LONGEST_DRAFT / 2 + 1);
    for endpoint in [Endpoint::Chat, Endpoint::Responses] {
        let (mut duet, mut out) = (duet(endpoint, false), vec![]);
        let events = match endpoint {
            Endpoint::Chat => chat("edge", &[&long, &long], false),
            _ => response("edge", &[&long, &long], true),
        };
        assert_eq!(duet.draft(frames(&events, false).into(), &mut out), Ok(Standing::TooLong));
        assert_eq!(duet.text().len(), long.len());
    }
}

#[test]
fn the_answers_own_id_is_in_the_last_event() {
    let (mut duet, mut out) = (duet(Endpoint::Responses, false), vec![]);
    duet.draft(frames(&response("edge", &["x"], true), false).into(), &mut out).unwrap();
    duet.draft_over(SPENT, &mut out);
    duet.answer(frames(&response("cloud", &["4"], false), false).into(), &mut out).unwrap();
    let events = read(&out);
    assert_eq!(events[0]["response"]["id"], "resp_req-1");
    assert_eq!(check_response(&events)["response"]["id"], "resp_cloud");
}

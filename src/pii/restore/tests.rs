//! A model that echoes: whatever was hidden, however the echo is cut into events and the events into chunks, the client reads what was said.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use smallvec::SmallVec;

use super::stream::Stream;
use super::text::Restorer;
use super::whole;
use crate::openai::sse::{Frame, Frames};
use crate::pii::label;
use crate::pii::mapping::Labels;

const VALUES: [&str; 3] = ["Alice Smith", "a\"b\\c\n\u{1}", "<PERSON_4>"];

/// Hides [`VALUES`] in `text` as a request would.
fn hidden(text: &str) -> (String, Arc<Restorer>) {
    let key = blake3::Hasher::new_keyed(&[1; 32]);
    let mut labels = Labels::new(&key, 5, vec!["PERSON".into(), "EMPLOYEE_ID".into()]);
    labels.avoid(text);
    let mut hidden = text.to_owned();
    for (name, value) in [("PERSON", VALUES[0]), ("EMPLOYEE_ID", VALUES[1])] {
        let number = labels.number(name, value);
        hidden = hidden.replace(value, &label::write(name, number, false));
    }
    (hidden, Arc::new(Restorer::new(labels.finish(), false)))
}

fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn chunk(delta: &Value, finish: &Value) -> String {
    frame(&json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
}

/// A stream's bytes in chunks through the restorer: the frames that come out.
fn through(restorer: &Arc<Restorer>, stream: &str, size: usize) -> Vec<Value> {
    let (mut frames, mut restoring) = (Frames::new(), Stream::new(Arc::clone(restorer)));
    let mut out = SmallVec::new();
    for piece in stream.as_bytes().chunks(size) {
        frames.push_frames(Bytes::copy_from_slice(piece), |frame: Frame<'_>| restoring.frame(frame), &mut out).unwrap();
    }
    out.extend(restoring.finish());
    let all = String::from_utf8(out.concat()).unwrap();
    let data = all.split("\n\n").filter_map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("a frame is JSON")).collect()
}

/// The text in pieces of the given lengths, the rest last.
fn pieces<'t>(text: &'t str, lengths: &[usize]) -> Vec<&'t str> {
    let (mut rest, mut pieces) = (text, Vec::new());
    for length in lengths {
        let end = rest.char_indices().nth(*length).map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(VALUES[0].to_owned()),
        Just(VALUES[1].to_owned()),
        Just(VALUES[2].to_owned()),
        Just("<PERSON_".to_owned()),
        Just("EMPLOYEE_ID_12".to_owned()),
        "[<>_&;lgtPERSON0-9 \\\\*`'\"]{0,6}",
        any::<String>(),
    ];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn an_echo_in_any_events_and_chunks_is_what_was_said(
        text in texts(), lengths in prop::collection::vec(0usize..9, 0..20), size in 1usize..200, ends_with_text in any::<bool>(),
    ) {
        let (echo, restorer) = hidden(&text);
        let pieces = pieces(&echo, &lengths);
        let last = pieces.len() - 1;
        let mut stream: String = pieces[..last].iter().map(|piece| chunk(&json!({"content": piece}), &Value::Null)).collect();
        // Some servers end a choice in the event of its last text, others in one of its own.
        let finish = json!("stop");
        match ends_with_text {
            true => stream += &chunk(&json!({"content": pieces[last]}), &finish),
            false => {
                stream += &chunk(&json!({"content": pieces[last]}), &Value::Null);
                stream += &chunk(&json!({}), &finish);
            }
        }
        stream += "data: [DONE]\n\n";
        let events = through(&restorer, &stream, size);
        let said: String = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
        prop_assert_eq!(said, text);
        prop_assert_eq!(&events.last().unwrap()["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn arguments_in_any_events_and_chunks_parse_to_what_was_said(
        text in texts(), lengths in prop::collection::vec(0usize..9, 0..20), size in 1usize..200,
    ) {
        let (echo, restorer) = hidden(&text);
        let arguments = json!({"note": echo, "n": [1, true]}).to_string();
        let call = |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
        let mut stream: String = pieces(&arguments, &lengths).iter().map(|piece| chunk(&call(piece), &Value::Null)).collect();
        stream += &chunk(&json!({}), &json!("tool_calls"));
        let events = through(&restorer, &stream, size);
        let piece = |e: &Value| e["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned);
        let said: String = events.iter().filter_map(piece).collect();
        let said: Value = serde_json::from_str(&said).expect("arguments are JSON");
        prop_assert_eq!(said["note"].as_str().unwrap(), text);
    }

    #[test]
    fn events_of_responses_in_any_pieces_are_what_was_said(
        text in texts(), lengths in prop::collection::vec(0usize..9, 0..20), size in 1usize..200,
    ) {
        let (echo, restorer) = hidden(&text);
        let delta = |piece: &&str| {
            let data = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece});
            format!("event: response.output_text.delta\n{}", frame(&data))
        };
        let mut stream: String = pieces(&echo, &lengths).iter().map(delta).collect();
        stream += &frame(&json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": echo}));
        let events = through(&restorer, &stream, size);
        let said: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
        prop_assert_eq!(said, text.clone());
        prop_assert_eq!(events.last().unwrap()["text"].as_str().unwrap(), text);
    }

    #[test]
    fn an_answer_in_one_piece_is_what_was_said(text in texts()) {
        let (echo, restorer) = hidden(&text);
        let arguments = json!({ "note": echo }).to_string();
        let message = json!({"role": "assistant", "content": echo, "refusal": echo, "tool_calls": [{"function": {"arguments": arguments}}]});
        let body = Bytes::from(json!({"choices": [{"index": 0, "message": message}]}).to_string());
        let back: Value = serde_json::from_slice(&whole::restore(&restorer, &body)).unwrap();
        let message = &back["choices"][0]["message"];
        prop_assert_eq!(message["content"].as_str().unwrap(), text.as_str());
        prop_assert_eq!(message["refusal"].as_str().unwrap(), text.as_str());
        let arguments: Value = serde_json::from_str(message["tool_calls"][0]["function"]["arguments"].as_str().unwrap()).unwrap();
        prop_assert_eq!(arguments["note"].as_str().unwrap(), text);
    }
}

#[test]
fn choices_and_calls_do_not_mix() {
    let (echo, restorer) = hidden("Alice Smith");
    let (head, tail) = echo.split_at(5);
    let at = |index: u32, piece: &str| {
        frame(&json!({"choices": [{"index": index, "delta": {"content": piece}, "finish_reason": null}]}))
    };
    let stream = [at(0, head), at(1, head), at(1, tail), at(0, " and more"), at(0, "!")].concat();
    let events = through(&restorer, &stream, 1_000);
    let of = |index: u32| -> String {
        let choice = events.iter().map(|event| &event["choices"][0]).filter(|choice| choice["index"] == index);
        choice.filter_map(|choice| choice["delta"]["content"].as_str()).collect()
    };
    assert_eq!((of(0), of(1)), (format!("{head} and more!"), "Alice Smith".to_owned()));
}

#[test]
fn what_is_held_of_one_text_goes_out_before_another_of_its_choice_begins() {
    let (echo, restorer) = hidden("Alice Smith");
    let stream = [
        chunk(&json!({"reasoning_content": "so <PERS"}), &Value::Null),
        chunk(&json!({"content": echo}), &Value::Null),
        chunk(&json!({}), &json!("stop")),
    ];
    let events = through(&restorer, &stream.concat(), 1_000);
    let deltas: Vec<String> = events.iter().map(|event| event["choices"][0]["delta"].to_string()).collect();
    assert_eq!(
        deltas,
        [r#"{"reasoning_content":"so "}"#, r#"{"reasoning_content":"<PERS"}"#, r#"{"content":"Alice Smith"}"#, "{}"]
    );
}

#[test]
fn an_event_without_a_label_goes_on_byte_for_byte() {
    let (_, restorer) = hidden("Alice Smith");
    let mut restoring = Stream::new(restorer);
    let odd = "id: 7\ndata:  {\"choices\" : [{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9, 1 < 2\"}}]}\n\n";
    let (mut frames, mut out) = (Frames::new(), SmallVec::new());
    frames.push_frames(Bytes::from(odd), |frame| restoring.frame(frame), &mut out).unwrap();
    assert_eq!(out.concat(), odd.as_bytes());
}

/// The deltas of a channel, joined.
fn joined(events: &[Value], pick: impl Fn(&Value) -> Option<&str>) -> String {
    events.iter().filter_map(pick).collect()
}

#[test]
fn calls_of_different_choices_and_side_by_side_do_not_mix() {
    let (echo, restorer) = hidden("Alice Smith");
    let (head, tail) = echo.split_at(6);
    let call = |choice: u32, call: u32, piece: &str| {
        let calls = json!([{"index": call, "function": {"arguments": piece}}]);
        frame(&json!({"choices": [{"index": choice, "delta": {"tool_calls": calls}, "finish_reason": null}]}))
    };
    let stream = [call(0, 0, head), call(1, 1, "{}"), call(0, 1, head), call(0, 0, tail), call(0, 1, tail)].concat();
    let events = through(&restorer, &stream, 1_000);
    let of = |choice: u32, call: u32| {
        joined(&events, |event| {
            let choices = &event["choices"][0];
            let found = &choices["delta"]["tool_calls"][0];
            (choices["index"] == choice && found["index"] == call)
                .then(|| found["function"]["arguments"].as_str())
                .flatten()
        })
    };
    assert_eq!((of(0, 0), of(0, 1), of(1, 1)), ("Alice Smith".into(), "Alice Smith".into(), "{}".into()));
}

#[test]
fn a_copy_repeats_nothing_that_clients_add_up() {
    let (_, restorer) = hidden("Alice Smith");
    let first = chunk(&json!({"role": "assistant", "content": "P"}), &Value::Null);
    let events = through(&restorer, &(first + &chunk(&json!({}), &json!("stop"))), 1_000);
    let roles: Vec<&Value> = events.iter().map(|event| &event["choices"][0]["delta"]["role"]).collect();
    assert_eq!(roles, [&json!("assistant"), &Value::Null, &Value::Null]);
    assert_eq!(joined(&events, |event| event["choices"][0]["delta"]["content"].as_str()), "P");
}

#[test]
fn events_in_the_middle_of_a_text_do_not_cut_a_label() {
    let (echo, restorer) = hidden("Alice Smith");
    let (head, tail) = echo.split_at(6);
    let delta = |piece: &str| {
        frame(&json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}))
    };
    let aside = frame(
        &json!({"type": "response.output_text.annotation.added", "output_index": 0, "annotation": {"title": "x"}}),
    );
    let other = frame(&json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}}));
    let events = through(&restorer, &[delta(head), aside, other, delta(tail)].concat(), 1_000);
    assert_eq!(joined(&events, |event| event["delta"].as_str()), "Alice Smith");
}

#[test]
fn half_a_surrogate_pair_overtakes_nothing() {
    let (_, restorer) = hidden("Alice Smith");
    let piece =
        |escaped: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{escaped}\"}}}}]}}\n\n");
    let stream = [piece("say <"), piece("\\ud83d"), piece("\\ude00"), piece(" b")].concat();
    let (mut frames, mut restoring, mut out) = (Frames::new(), Stream::new(restorer), SmallVec::new());
    frames.push_frames(Bytes::from(stream), |frame| restoring.frame(frame), &mut out).unwrap();
    let all = String::from_utf8(out.concat()).unwrap();
    let place = |what: &str| all.find(what).unwrap();
    assert!(place("say ") < place("<\\ud83d") && place("\\ude00") < place(" b"), "{all}");
}

#[test]
fn an_answer_that_is_json_stays_json() {
    let key = blake3::Hasher::new_keyed(&[1; 32]);
    let mut labels = Labels::new(&key, 5, vec!["STREET_ADDRESS".into()]);
    let label = label::write("STREET_ADDRESS", labels.number("STREET_ADDRESS", "12 \"Baker\" St\nLondon"), false);
    let restorer = Restorer::new(labels.finish(), true);
    let body =
        Bytes::from(json!({"choices": [{"message": {"content": json!({"to": label}).to_string()}}]}).to_string());
    let back: Value = serde_json::from_slice(&whole::restore(&restorer, &body)).unwrap();
    let content: Value = serde_json::from_str(back["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content["to"], "12 \"Baker\" St\nLondon");
}

#[test]
fn an_answer_that_begins_texts_for_ever_fills_no_memory() {
    let (echo, restorer) = hidden("Alice Smith");
    let mut restoring = Stream::new(restorer);
    let (mut frames, mut out) = (Frames::new(), SmallVec::new());
    for index in 0..3_000 {
        let choice = json!({"index": index, "delta": {"content": echo}, "finish_reason": null});
        let event = frame(&json!({"choices": [choice]}));
        frames.push_frames(Bytes::from(event), |frame| restoring.frame(frame), &mut out).unwrap();
    }
    assert!(format!("{restoring:?}").matches("Open(").count() <= 1_024);
    assert_eq!(String::from_utf8(out.concat()).unwrap().matches("Alice Smith").count(), 3_000);
}

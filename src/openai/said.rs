//! The text that a model wrote, out of a whole answer or the events of a stream: for comparing two answers, off any request's path.
//!
//! What a reader could get wrong: it is no translation. Calls of tools count as text (name and arguments), reasoning does not, and
//! several choices come one after the other.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use smallvec::SmallVec;

use super::sse::{Frames, Keep};

/// What was said, by choice or output item.
type Said = BTreeMap<u64, String>;

/// The text of a JSON answer. `None`: it is none.
pub fn of_answer(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let mut said = Said::new();
    for (at, choice) in list(&answer["choices"]).iter().enumerate() {
        let said = said.entry(at as u64).or_default();
        message(said, &choice["message"]);
        push(said, &choice["text"]);
    }
    for (at, item) in list(&answer["output"]).iter().enumerate() {
        let said = said.entry(at as u64).or_default();
        list(&item["content"]).iter().for_each(|part| push(said, &part["text"]));
        call(said, item);
    }
    Some(joined(&said))
}

/// The text of a stream's events, the bytes in pieces as they came. An event that is no JSON, or not there to its end, counts nothing.
pub fn of_stream<'p>(pieces: impl IntoIterator<Item = &'p Bytes>) -> String {
    let mut said = Said::new();
    let mut frames = Frames::new();
    let mut out = SmallVec::new();
    for piece in pieces {
        let visit = |data: &[u8]| {
            if let Ok(value) = serde_json::from_slice(data) {
                event(&mut said, &value);
            }
            Keep::No
        };
        // A frame too long to be held has nothing more to say.
        if frames.push(piece.clone(), visit, &mut out).is_err() {
            break;
        }
        out.clear();
    }
    joined(&said)
}

fn event(said: &mut Said, value: &Value) {
    for choice in list(&value["choices"]) {
        let said = said.entry(choice["index"].as_u64().unwrap_or(0)).or_default();
        message(said, &choice["delta"]);
        push(said, &choice["text"]);
    }
    // Of Responses, what is new: the events at an item's end repeat its text.
    let kind = value["type"].as_str().unwrap_or_default();
    let item = value["output_index"].as_u64().unwrap_or(0);
    match kind {
        "response.output_text.delta" | "response.function_call_arguments.delta" | "response.refusal.delta" => {
            push(said.entry(item).or_default(), &value["delta"]);
        }
        "response.output_item.added" => named(said.entry(item).or_default(), &value["item"]["name"]),
        _ => {}
    }
}

/// A chat message, or a piece of one.
fn message(said: &mut String, message: &Value) {
    push(said, &message["content"]);
    push(said, &message["refusal"]);
    list(&message["tool_calls"]).iter().for_each(|tool| call(said, &tool["function"]));
}

fn call(said: &mut String, function: &Value) {
    named(said, &function["name"]);
    push(said, &function["arguments"]);
}

/// A name is a word of its own.
fn named(said: &mut String, name: &Value) {
    if let Some(name) = name.as_str() {
        said.extend([" ", name, " "]);
    }
}

fn push(said: &mut String, text: &Value) {
    said.push_str(text.as_str().unwrap_or_default());
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn joined(said: &Said) -> String {
    said.values().map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> String {
        let whole = of_stream([&Bytes::copy_from_slice(text.as_bytes())]);
        for at in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            let pieces = [Bytes::copy_from_slice(head), Bytes::copy_from_slice(tail)];
            assert_eq!(of_stream(&pieces), whole, "split at {at}");
        }
        whole
    }

    #[test]
    fn the_same_is_said_whole_and_in_events() {
        let call = r#"{"function":{"name":"find","arguments":"{\"a\":1}"}}"#;
        let whole = format!(
            r#"{{"choices":[{{"message":{{"content":"Hello there","tool_calls":[{call}]}}}},{{"text":"two"}}]}}"#
        );
        assert_eq!(of_answer(whole.as_bytes()).unwrap(), "Hello there find {\"a\":1}\ntwo");
        let events = [
            r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}"#,
            r#"data: {"choices":[{"index":1,"text":"tw"}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{"content":"lo there"}},{"index":1,"text":"o"}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"find","arguments":"{\"a\""}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]}"#,
            "data: [DONE]",
        ];
        assert_eq!(stream(&(events.join("\n\n") + "\n\n")), "Hello there find {\"a\":1}\ntwo");
    }

    #[test]
    fn responses_say_each_thing_once() {
        let whole = r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","name":"f","arguments":"{}"}]}"#;
        assert_eq!(of_answer(whole.as_bytes()).unwrap(), "Hello\n f {}");
        let events = [
            r#"data: {"type":"response.output_text.delta","output_index":0,"delta":"Hel"}"#,
            r#"data: {"type":"response.output_text.delta","output_index":0,"delta":"lo"}"#,
            r#"data: {"type":"response.output_text.done","output_index":0,"text":"Hello"}"#,
            r#"data: {"type":"response.output_item.added","output_index":1,"item":{"name":"f","arguments":""}}"#,
            r#"data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}"#,
            r#"data: {"type":"response.completed","response":{"output":[{"content":[{"text":"Hello"}]}]}}"#,
        ];
        assert_eq!(stream(&(events.join("\n\n") + "\n\n")), "Hello\n f {}");
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        assert_eq!(of_answer(b"{\"choices\":["), None);
        assert_eq!(of_answer(b"{\"data\":[{\"embedding\":[1]}]}").as_deref(), Some(""));
        assert_eq!(stream("data: {\"choices\":[{\"delta\":{\"content\":\"cut"), "");
    }
}

//! Round trips of generated answers, streams as servers send them, and what must not be kept.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{frames, to_plain, to_stream};
use crate::openai::Endpoint;

mod chat;
mod completions;
mod judge;
mod mark;
mod pieces;
mod responses;

/// Texts with what is hard to cut: accents, joined emoji, flags, escapes, scripts without spaces.
pub(super) fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        5 => "[a-z]{1,9} ",
        1 => "[A-Za-z0-9+/]{40,60}",
        1 => Just("naïve cafe\u{301} ".to_owned()),
        1 => Just("👩‍👩‍👧‍👦🇩🇪🇫🇷👍🏽".to_owned()),
        1 => Just("\n\t\"quoted\\\" \u{1}\u{7f}".to_owned()),
        1 => Just("日本語の文章には空白がありません。".to_owned()),
        1 => any::<String>(),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

/// What the events of a stream say, `[DONE]` too.
pub(super) fn said(events: &[u8]) -> Vec<String> {
    let text = |range| std::str::from_utf8(&events[range]).unwrap();
    let data = |frame: &str| frame.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    frames(events).map(|range| data(text(range)).expect("each frame has data")).collect()
}

pub(super) fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Tells an answer as a stream and puts it together again.
pub(super) fn there_and_back(endpoint: Endpoint, answer: &Value, usage: bool) -> Value {
    let plain = serde_json::to_vec(answer).unwrap();
    let events = to_stream(endpoint, &plain, usage).expect("it can be told");
    let whole: Vec<u8> = frames(&events).flat_map(|range| events[range].to_vec()).collect();
    assert_eq!(whole, events, "all of it is frames");
    parsed(&to_plain(endpoint, &events).expect("it can be put together"))
}

/// No beginning of a stream that ends where a frame does is an answer.
pub(super) fn assert_no_beginning_is_whole(endpoint: Endpoint, events: &[u8]) {
    assert!(to_plain(endpoint, events).is_some());
    for range in frames(events) {
        assert_eq!(to_plain(endpoint, &events[..range.start]), None, "cut at {}", range.start);
    }
}

/// Each piece as a `data:` frame, `[DONE]` at the end.
pub(super) fn stream(events: &[Value]) -> Vec<u8> {
    let mut text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    text.into_bytes()
}

#[test]
fn embeddings_have_no_stream() {
    let plain = json!({"object": "list", "data": [{"embedding": [0.5], "index": 0}]}).to_string();
    assert_eq!(to_stream(Endpoint::Embeddings, plain.as_bytes(), false), None);
    assert_eq!(to_plain(Endpoint::Embeddings, &stream(&[json!({})])), None);
}

#[test]
fn frames_are_whole() {
    let list = |events: &[u8]| frames(events).collect::<Vec<_>>();
    assert_eq!(list(b"data: a\n\ndata: b\n\n"), [0..9, 9..18]);
    assert_eq!(list(b"data: a\r\n\r\n: ping\n\ndata: b\n"), [0..11, 11..19]);
    assert!(list(b"").is_empty());
}

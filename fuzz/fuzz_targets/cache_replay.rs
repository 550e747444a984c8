//! Any body as an answer and as a stream: nothing panics, what is told as a stream is the same answer when it is put together again, no
//! beginning of it is one, and marking changes no more than the usage.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidegate::cache::replay::{frames, judge, mark_cached, to_plain, to_stream};
use tidegate::openai::Endpoint;

const ENDPOINTS: [Endpoint; 4] = [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses];

fuzz_target!(|data: &[u8]| {
    let Some((pick, body)) = data.split_first() else { return };
    let endpoint = ENDPOINTS[usize::from(*pick) % ENDPOINTS.len()];
    let usage = pick & 4 != 0;
    judge(endpoint, body);
    if let Some(plain) = to_plain(endpoint, body) {
        judge(endpoint, &plain).expect("an object");
        to_stream(endpoint, &plain, usage);
    }
    let marked = mark_cached(endpoint, body);
    let told = to_stream(endpoint, body, usage);
    // serde_json gives up on what is nested deeper, and on halves of characters; such values go through as they are.
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else { return };
    let mut marked: Value = serde_json::from_slice(&marked).expect("marking leaves JSON");
    if let Some(events) = told {
        let again = to_plain(endpoint, &events).expect("what is told is whole");
        let again: Value = serde_json::from_slice(&again).expect("what is put together is JSON");
        assert_eq!(normal(endpoint, again, usage), normal(endpoint, answer.clone(), usage));
        for range in frames(&events) {
            assert!(to_plain(endpoint, &events[..range.start]).is_none());
        }
    }
    for value in [&mut answer, &mut marked] {
        if let Some(object) = value.as_object_mut() {
            object.remove("usage");
        }
    }
    assert_eq!(answer, marked);
});

/// What a stream says differently, or need not say.
fn normal(endpoint: Endpoint, mut answer: Value, usage: bool) -> Value {
    if endpoint == Endpoint::Responses {
        return answer;
    }
    let Some(object) = answer.as_object_mut() else { return answer };
    object.retain(|key, value| match key.as_str() {
        "usage" => usage && !value.is_null(),
        "obfuscation" | "prompt_progress" => false,
        _ => true,
    });
    for choice in object.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(message) = choice.get_mut("message").and_then(Value::as_object_mut) else { continue };
        message.retain(|_, value| {
            !value.is_null() && *value != "" && value.as_array().is_none_or(|list| !list.is_empty())
        });
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            call.as_object_mut().and_then(|call| call.remove("index"));
        }
    }
    answer
}

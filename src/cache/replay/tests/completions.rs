//! Completions: round trips, and what servers really send.

use async_openai::types::completions::CreateCompletionResponse;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_no_beginning_is_whole, parsed, said, stream, text, there_and_back};
use crate::cache::replay::{to_plain, to_stream};
use crate::openai::Endpoint::Completions;

/// Lists side by side, as OpenAI has them.
fn logprobs(text: &str, fits: bool) -> Value {
    let units: Vec<char> = text.chars().collect();
    let mut tokens: Vec<String> = units.chunks(3).map(String::from_iter).collect();
    if !fits {
        tokens.push("<end>".to_owned());
    }
    let scores: Vec<f64> = (0..tokens.len()).map(|at| -0.125 * at as f64).collect();
    let offsets: Vec<usize> = (0..tokens.len()).map(|at| at * 3).collect();
    let top: Vec<Value> = tokens.iter().map(|token| json!({token: -0.5})).collect();
    json!({"tokens": tokens, "token_logprobs": scores, "top_logprobs": top, "text_offset": offsets})
}

prop_compose! {
    fn answer()(texts in prop::collection::vec((text(), prop::option::of(any::<bool>())), 1..4)) -> Value {
        let choices: Vec<Value> = texts.into_iter().enumerate().map(|(index, (text, scored))| {
            let logprobs = scored.map_or(Value::Null, |fits| logprobs(&text, fits));
            json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": "stop", "stop_reason": null})
        }).collect();
        json!({
            "id": "cmpl-7", "object": "text_completion", "created": 1_795_000_000, "model": "m", "choices": choices,
            "system_fingerprint": "b1", "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, "timings": {"prompt_ms": 0.1},
        })
    }
}

proptest! {
    #[test]
    fn what_is_told_can_be_put_together(mut answer in answer(), usage in any::<bool>()) {
        let again = there_and_back(Completions, &answer, usage);
        if !usage {
            answer.as_object_mut().unwrap().remove("usage");
        }
        prop_assert_eq!(&again, &answer);
        serde_json::from_value::<CreateCompletionResponse>(again).unwrap();
    }

    #[test]
    fn clients_understand_each_chunk(answer in answer(), usage in any::<bool>()) {
        let events = to_stream(Completions, answer.to_string().as_bytes(), usage).unwrap();
        let mut said = said(&events);
        prop_assert_eq!(said.pop().unwrap(), "[DONE]");
        for chunk in &said {
            serde_json::from_str::<CreateCompletionResponse>(chunk).unwrap();
        }
        let last = parsed(said.last().unwrap().as_bytes());
        prop_assert_eq!(last.get("usage"), usage.then_some(&answer["usage"]));
    }
}

#[test]
fn a_llama_server_stream_with_usage_in_its_last_chunk() {
    let chunk = |text: &str, reason: Value| {
        let entry = json!({"token": text, "logprob": -0.5, "id": 3});
        let choice = json!({"text": text, "index": 0, "logprobs": {"content": [entry]}, "finish_reason": reason});
        json!({"choices": [choice], "created": 17, "model": "tiny", "object": "text_completion", "id": "c1"})
    };
    let mut last = chunk("", json!("length"));
    last["usage"] = json!({"prompt_tokens": 2});
    last["choices"][0]["logprobs"] = Value::Null;
    let events = stream(&[chunk("one", Value::Null), chunk(" two", Value::Null), last]);
    let answer = parsed(&to_plain(Completions, &events).unwrap());
    assert_eq!(answer["choices"][0]["text"], "one two");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["choices"][0]["logprobs"]["content"][1]["token"], " two");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 2}));
    assert_eq!(there_and_back(Completions, &answer, true), answer);
    assert_no_beginning_is_whole(Completions, &events);
}

#[test]
fn tokens_side_by_side_go_with_their_text() {
    let answer = json!({"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "text": "Hello there", "logprobs": {"tokens": ["Hello", " there"], "token_logprobs": [null, -0.5]}, "finish_reason": "stop"}]});
    let events = to_stream(Completions, answer.to_string().as_bytes(), false).unwrap();
    let choice = |at: usize| parsed(said(&events)[at].as_bytes())["choices"][0].take();
    assert_eq!(choice(1)["text"], " there");
    assert_eq!(choice(1)["logprobs"], json!({"tokens": [" there"], "token_logprobs": [-0.5]}));
    assert_eq!((&choice(2)["text"], &choice(2)["logprobs"]), (&json!(""), &Value::Null));
}

#[test]
fn an_error_or_a_broken_chunk_is_no_answer() {
    let chunk = json!({"choices": [{"text": "a", "index": 0, "finish_reason": "stop"}], "id": "c"});
    assert!(to_plain(Completions, &stream(std::slice::from_ref(&chunk))).is_some());
    assert_eq!(to_plain(Completions, &stream(&[chunk.clone(), json!({"error": "Unauthorized"})])), None);
    assert_eq!(to_plain(Completions, &stream(&[chunk, json!({"choices": [{"text": 1, "index": 0}]})])), None);
    assert_eq!(to_plain(Completions, &stream(&[json!({"choices": [], "usage": {}})])), None);
}

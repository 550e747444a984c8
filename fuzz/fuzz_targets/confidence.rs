//! Any request and any answer: the judge never fails, gives a number from 0 to 1, and log-probabilities are taken out without a trace.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidegate::confidence::{Expect, Judge};
use tidegate::openai::Endpoint;
use tidegate::openai::logprobs::{self, Manner};

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let endpoint = [Endpoint::Chat, Endpoint::Completions, Endpoint::Responses][usize::from(choice % 3)];
    let manner = if choice & 4 == 0 { Manner::LlamaServer } else { Manner::OpenAi };
    let half = text.iter().position(|byte| *byte == 0).unwrap_or(text.len() / 2);
    let (request, answer) = text.split_at(half);
    let mut judge = Judge::new(endpoint, Expect::of(endpoint, request, choice & 8 != 0, choice & 16 != 0));
    for event in answer.split(|byte| *byte == b'\n') {
        judge.event(event);
        judge.step(0.5);
    }
    judge.answer(answer);
    assert!(judge.is_over(), "a whole answer is over");
    assert!((0.0..=1.0).contains(&judge.verdict().confidence));
    let mut bare = Vec::new();
    if logprobs::remove(endpoint, manner, answer, &mut bare) {
        assert!(serde_json::from_slice::<Value>(&bare).is_ok() || serde_json::from_slice::<Value>(answer).is_err());
        let mut again = Vec::new();
        assert!(!logprobs::remove(endpoint, manner, &bare, &mut again) || again.len() < bare.len());
    }
});

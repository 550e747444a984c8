//! The cached tokens are spliced in, and nothing else changes.

use crate::cache::replay::mark_cached;
use crate::openai::Endpoint::{self, Chat, Completions, Embeddings, Responses};

fn mark(endpoint: Endpoint, plain: &str) -> String {
    String::from_utf8(mark_cached(endpoint, plain.as_bytes())).unwrap()
}

#[test]
fn only_the_figure_changes() {
    let with = |details: &str| {
        format!("{{ \"a\" : 1.50,\n\"usage\": {{{details}\"prompt_tokens\" : 12, \"total_tokens\":15}},\"z\":\"ü\"}}")
    };
    let marked = |cached: &str| with(cached);
    assert_eq!(mark(Chat, &with("")), marked("\"prompt_tokens_details\":{\"cached_tokens\":12},"));
    let told = "\"prompt_tokens_details\": {\"audio_tokens\":0, \"cached_tokens\": 3},";
    assert_eq!(mark(Chat, &with(told)), marked(&told.replace(": 3", ": 12")));
    let untold = "\"prompt_tokens_details\": { \"audio_tokens\":0},";
    assert_eq!(mark(Completions, &with(untold)), marked(&untold.replace("{ ", "{\"cached_tokens\":12, ")));
    assert_eq!(
        mark(Chat, &with("\"prompt_tokens_details\":{},")),
        marked("\"prompt_tokens_details\":{\"cached_tokens\":12},")
    );
    assert_eq!(
        mark(Chat, &with("\"prompt_tokens_details\":null,")),
        marked("\"prompt_tokens_details\":{\"cached_tokens\":12},")
    );
    let responses = r#"{"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":0}}}"#;
    assert_eq!(mark(Responses, responses), responses.replace(":0", ":7"));
}

#[test]
fn what_has_no_such_usage_stays() {
    let same = |endpoint, plain| assert_eq!(mark(endpoint, plain), plain);
    same(Chat, r#"{"choices":[]}"#);
    same(Chat, r#"{"usage":null}"#);
    same(Chat, r#"{"usage":{"prompt_tokens":-1}}"#);
    same(Chat, r#"{"usage":{"prompt_tokens":3,"prompt_tokens_details":[]}}"#);
    same(Chat, r#"{"usage":{"prompt_tokens":3},"usage":{"prompt_tokens":4}}"#);
    same(Chat, r#"{"message":{"usage":{"prompt_tokens":3}}}"#);
    same(Responses, r#"{"usage":{"prompt_tokens":3}}"#);
    same(Embeddings, r#"{"usage":{"prompt_tokens":3,"total_tokens":3}}"#);
    same(Chat, "not JSON");
}

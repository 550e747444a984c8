//! Usage in every form met, and in forms that nobody should send.

use proptest::prelude::*;

use super::*;

fn read(data: &str) -> Usage {
    of_event(data.as_bytes()).unwrap_or_else(|| panic!("no usage in {data}")).usage
}

#[test]
fn figures_of_every_dialect_are_read() {
    let chat = r#"{"id":"x","choices":[{"index":0}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":1}}}"#;
    let expected =
        Usage { prompt: 9, completion: 12, cached: 4, reasoning: 3, audio_in: 2, audio_out: 1, ..Usage::default() };
    assert_eq!(read(chat), expected);
    assert_eq!(of_answer(chat.as_bytes()), Some(expected));
    let response = r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}}}"#;
    assert_eq!(read(response), Usage { prompt: 5, completion: 2, cached: 1, ..Usage::default() });
    assert_eq!(
        read(r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#),
        Usage { prompt: 5, ..Usage::default() }
    );
    assert_eq!(read(r#"{"data":[],"usage":{"total_tokens":5}}"#), Usage { prompt: 5, ..Usage::default() });
    let transcription = r#"{"text":"hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":2,"audio_tokens":12},"output_tokens":45,"total_tokens":59}}"#;
    assert_eq!(read(transcription), Usage { prompt: 14, completion: 45, audio_in: 12, ..Usage::default() });
    let image = r#"{"created":1,"data":[{"b64_json":""}],"usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#;
    assert_eq!(read(image), Usage { prompt: 50, completion: 50, ..Usage::default() });
    // Paid by the second: no tokens.
    assert_eq!(of_answer(br#"{"text":"hi","usage":{"type":"duration","seconds":9}}"#), None);
}

#[test]
fn what_stands_beside_the_prompt_is_added_and_what_stands_in_it_is_not() {
    let anthropic = r#"{"type":"message","usage":{"cache_read_input_tokens":7,"cache_creation_input_tokens":5,"input_tokens":12,"output_tokens":3}}"#;
    assert_eq!(read(anthropic), Usage { prompt: 24, completion: 3, cached: 7, cache_write: 5, ..Usage::default() });
    let litellm = r#"{"usage":{"prompt_tokens":24,"completion_tokens":3,"total_tokens":27,"cache_read_input_tokens":7,"cache_creation_input_tokens":5,"prompt_tokens_details":{"cached_tokens":7}}}"#;
    assert_eq!(read(litellm), Usage { prompt: 24, completion: 3, cached: 7, cache_write: 5, ..Usage::default() });
    let deepseek = r#"{"usage":{"prompt_tokens":24,"completion_tokens":3,"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":4}}"#;
    assert_eq!(read(deepseek), Usage { prompt: 24, completion: 3, cached: 20, ..Usage::default() });
    let vllm = r#"{"usage":{"prompt_tokens":24,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8,"created_cache_tokens":16}}}"#;
    assert_eq!(read(vllm), Usage { prompt: 24, completion: 3, cached: 8, cache_write: 16, ..Usage::default() });
    let both_names =
        r#"{"usage":{"prompt_tokens":24,"input_tokens":24,"completion_tokens":3,"output_tokens":3,"total_tokens":27}}"#;
    assert_eq!(read(both_names), Usage { prompt: 24, completion: 3, ..Usage::default() });
}

#[test]
fn reasoning_that_only_the_sum_holds_is_counted() {
    let gemini = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45}}"#;
    assert_eq!(read(gemini), Usage { prompt: 10, completion: 35, reasoning: 30, ..Usage::default() });
    let grok = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,"completion_tokens_details":{"reasoning_tokens":30}}}"#;
    assert_eq!(read(grok), Usage { prompt: 10, completion: 35, reasoning: 30, ..Usage::default() });
}

#[test]
fn a_stream_tells_its_figures_in_pieces() {
    let mut usage = read(
        r#"{"type":"message_start","message":{"id":"x","usage":{"cache_read_input_tokens":18,"input_tokens":1,"output_tokens":0}}}"#,
    );
    usage.absorb(&read(r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":8}}"#));
    assert_eq!(usage, Usage { prompt: 19, completion: 8, cached: 18, ..Usage::default() });
}

#[test]
fn what_llama_server_computed_is_read() {
    let plain = r#"{"choices":[{"index":0}],"usage":{"completion_tokens":32,"prompt_tokens":30,"total_tokens":62,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":30,"prompt_ms":263.606,"predicted_n":32,"predicted_ms":612.045,"predicted_per_second":50.6}}"#;
    assert_eq!(read(plain).compute_us, 875_651);
    let responses = r#"{"type":"response.completed","response":{"usage":{"input_tokens":13,"output_tokens":6}},"timings":{"prompt_ms":15.883,"predicted_ms":39.985}}"#;
    assert_eq!(read(responses).compute_us, 55_868);
    assert_eq!(
        read(r#"{"usage":{"prompt_tokens":1},"timings":{"prompt_ms":-5,"predicted_ms":1e308}}"#).compute_us,
        32_000_000_000_000
    );
    assert_eq!(read(r#"{"usage":{"prompt_tokens":1},"timings":"fast"}"#).compute_us, 0);
}

#[test]
fn nonsense_is_held_to_its_bounds() {
    let prompt =
        |figure: &str| read(&format!(r#"{{"usage":{{"prompt_tokens":{figure},"completion_tokens":1}}}}"#)).prompt;
    assert_eq!(prompt("-5"), 0);
    assert_eq!(prompt("18446744073709551616"), MOST);
    assert_eq!(prompt("99999999999"), MOST);
    assert_eq!(prompt("12.9"), 12);
    assert_eq!(prompt("\"12\""), 12);
    assert_eq!(prompt("\"NaN\""), 0);
    for nothing in ["null", "true", "{}", "[1,{}]", "\"many\"", "{\"prompt_tokens\":3}"] {
        assert_eq!(prompt(nothing), 0, "{nothing}");
    }
    assert_eq!(read(r#"{"usage":{"prompt_tokens":3,"prompt_tokens":4,"prompt_tokens_details":7}}"#).prompt, 4);
    assert_eq!(read(r#"{"usage":{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":[]}}}"#).prompt, 3);
    assert_eq!(read(r#"{"usage":["x"]}"#), Usage::default());
    let huge = format!(
        r#"{{"usage":{{"input_tokens":{0},"cache_read_input_tokens":{0},"cache_creation_input_tokens":{0},"total_tokens":{0}}}}}"#,
        u64::MAX
    );
    assert_eq!(read(&huge).prompt, MOST);
    assert_eq!(of_event(br#"{"usage":{"prompt_tokens":3"#), None);
}

#[test]
fn only_the_chunk_that_was_asked_for_counts_as_alone() {
    let alone = |data: &str| of_event(data.as_bytes()).is_some_and(|seen| seen.alone);
    assert!(alone(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1},"timings":{"x":1}}"#));
    assert!(!alone(r#"{"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1}}"#));
    // Azure's first chunk has no choices either, but content filter results.
    assert!(!alone(r#"{"choices":[],"prompt_filter_results":[{}],"usage":null}"#));
    assert!(!alone(r#"{"choices":[{"delta":{"content":"say \"usage\""}}]}"#));
}

#[test]
fn an_answer_names_its_model() {
    let named = |data: &str| model_of_answer(data.as_bytes()).map(Cow::into_owned);
    assert_eq!(named(r#"{"id":"x","model":"gpt-5-2025-08-07","choices":[]}"#).as_deref(), Some("gpt-5-2025-08-07"));
    assert_eq!(named(r#"{"type":"response.completed","response":{"model":"gpt-5"}}"#).as_deref(), Some("gpt-5"));
    assert_eq!(
        named(r#"{"type":"message_start","message":{"model":"claude-opus-5"}}"#).as_deref(),
        Some("claude-opus-5")
    );
    assert_eq!(named(r#"{"model":"a\u0062c"}"#).as_deref(), Some("abc"));
    assert!(
        matches!(model_of_answer(br#"{"model":"gpt-5"}"#), Some(Cow::Borrowed("gpt-5"))),
        "the usual id is not copied"
    );
    for none in [r#"{"model":7}"#, r#"{"choices":["\"model\""]}"#, r#"{"model":null}"#, "model"] {
        assert_eq!(named(none), None, "{none}");
    }
}

#[test]
fn two_places_for_one_thing_hide_nothing() {
    let both = r#"{"message":null,"response":{"model":"m","usage":{"input_tokens":5,"output_tokens":2}}}"#;
    assert_eq!(read(both), Usage { prompt: 5, completion: 2, ..Usage::default() });
    assert_eq!(model_of_answer(both.as_bytes()).as_deref(), Some("m"));
}

/// Any JSON, not too deep.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9eE+. -]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = prop_oneof![
            Just("prompt_tokens"),
            Just("output_tokens"),
            Just("total_tokens"),
            Just("cache_read_input_tokens"),
            Just("prompt_tokens_details"),
            Just("cached_tokens"),
            Just("reasoning_tokens"),
            Just("x"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|list| Value::Object(list.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_usage_is_read_within_bounds(usage in json(), timings in json()) {
        let text = serde_json::json!({"usage": usage, "timings": timings}).to_string();
        let seen = of_event(text.as_bytes());
        prop_assert!(seen.is_some() || usage.is_null(), "{}", text);
        let Usage { prompt, completion, cached, cache_write, reasoning, .. } = seen.map_or(Usage::default(), |s| s.usage);
        for figure in [prompt, completion, cached, cache_write, reasoning] {
            prop_assert!(figure <= MOST);
        }
    }
}

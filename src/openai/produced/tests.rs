//! What is counted of streams as they come, and how near that is to what they were made of.

use proptest::prelude::*;

use super::*;

/// The texts that a server sends for tokens: bytes are held until they are whole characters, then `at_once` pieces make a text.
fn texts(bpe: &bpe_openai::Tokenizer, tokens: &[u32], at_once: usize) -> Vec<String> {
    let mut pieces = vec![];
    let mut held = vec![];
    for token in tokens {
        held.extend_from_slice(bpe.bpe.token_bytes(*token));
        if let Ok(piece) = std::str::from_utf8(&held) {
            pieces.push(piece.to_owned());
            held.clear();
        }
    }
    pieces.chunks(at_once).map(<[String]>::concat).collect()
}

fn chat(text: &str) -> String {
    let data = serde_json::json!({"id":"x","choices":[{"index":0,"delta":{"content":text},"finish_reason":null}]});
    data.to_string()
}

#[test]
fn streams_of_any_tokenizer_and_language_are_counted_closely() {
    for (name, text) in TEXTS {
        for (bpe, newer) in [(bpe_openai::cl100k_base(), false), (bpe_openai::o200k_base(), true)] {
            let tokens = bpe.encode(text);
            for at_once in [1, 2, 4] {
                let mut made = Produced::default();
                texts(bpe, &tokens, at_once).iter().for_each(|text| made.event(chat(text).as_bytes()));
                let ratio = made.tokens() as f64 / tokens.len() as f64;
                let bounds = match (at_once, newer, name) {
                    (1, ..) => 0.8..1.05,
                    (_, true, "Arabic" | "Russian") => 2.3..3.3,
                    // Without spaces and light: two at a time look like one.
                    (2, _, "figures") => 0.5..0.9,
                    _ => 0.8..1.75,
                };
                assert!(bounds.contains(&ratio), "{ratio:.2} of {name} ({newer}), {at_once} at once: {made:?}");
            }
        }
    }
}

#[test]
fn whole_answers_are_weighed() {
    for (name, text) in TEXTS {
        let tokens = bpe_openai::cl100k_base().count(text) as f64;
        let chat = serde_json::json!({"choices":[{"message":{"role":"assistant","content":text,"tool_calls":[]}}]});
        let response = serde_json::json!({"output":[{"type":"message","content":[{"type":"output_text","text":text}]}],"instructions":text});
        for answer in [chat, response] {
            let mut made = Produced::default();
            made.answer(answer.to_string().as_bytes());
            let ratio = made.tokens() as f64 / tokens;
            assert!((0.8..1.75).contains(&ratio), "{ratio:.2}: {name}");
        }
    }
    let mut made = Produced::default();
    made.answer(br#"{"choices":[{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": 1}"}}]}},{"message":{"content":"four more words here"}}]}"#);
    assert_eq!(made.texts, 2);
    let mut short = Produced::default();
    short.answer(br#"{"choices":[{"message":{"content":"Yes."}}]}"#);
    assert_eq!(short.tokens(), 2, "one text is not one token");
}

fn counted(events: &[&str]) -> (u64, u64) {
    let mut made = Produced::default();
    let mut slow = Produced::default();
    for event in events {
        made.event(event.as_bytes());
        slow.usual = Usual::default();
        slow.event(event.as_bytes());
    }
    assert_eq!((made.texts, made.parts), (slow.texts, slow.parts), "remembering where a text was changes nothing");
    (made.texts, made.parts)
}

fn weighed(texts: &[&str]) -> (u64, u64) {
    (texts.len() as u64, texts.iter().map(|text| weigh(text.as_bytes())).sum())
}

#[test]
fn text_is_found_in_every_dialect() {
    let chat = [
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"model":"content"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}],"model":"content"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"lo \"you\", \\"}}],"model":"content"}"#,
        r#"{"choices": [{"index": 0, "delta": {"content": " there"}}], "model": "content"}"#,
        r#"{"choices": [{"index": 0, "delta": {"content": "!"}}], "model": "content"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"","tool_calls":[{"index":0,"function":{"arguments":"{\"content\":\"x\"}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let expected = ["Hel", r#"lo \"you\", \\"#, " there", "!", "hm", r#"{\"content\":\"x\"}"#];
    assert_eq!(counted(&chat), weighed(&expected));
    let completions = [
        r#"{"choices":[{"text":"s","index":0,"logprobs":null}],"object":"text_completion"}"#,
        r#"{"choices":[{"text":", or","index":0,"logprobs":{"content":[{"token":", or","bytes":[44]}]}}],"object":"text_completion"}"#,
        r#"{"choices":[{"text":"a","index":0},{"text":"b","index":1}]}"#,
        r#"{"choices":[{"text":"a","index":0},{"text":"","index":1}]}"#,
    ];
    assert_eq!(counted(&completions), weighed(&["s", ", or", "a", "b", "a"]));
    let anthropic = [
        r#"{"type":"message_start","message":{"content":[],"model":"m","usage":{"input_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"so"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCg"}}"#,
    ];
    assert_eq!(counted(&anthropic), weighed(&["Hello", "so", r#"{\"a\""#]));
    // OpenAI pads.
    let padded = [
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null,"obfuscation":"abc"}"#,
        r#"{"choices":[{"delta":{"content":"bc"},"finish_reason":null}],"usage":null,"obfuscation":"ab"}"#,
        r#"{"choices":[{"delta":{"content":"d"},"finish_reason":null}],"usage":null,"obfuscation":""}"#,
        r#"{"choices":[{"delta":{"content":"d"},"x":{"text":"e"}}],"usage":null,"obfuscation":"a"}"#,
    ];
    assert_eq!(counted(&padded), weighed(&["a", "bc", "d", "d"]));
    // OpenRouter says its reasoning twice.
    let twice = r#"{"choices":[{"delta":{"content":"","reasoning":"abc","reasoning_details":[{"type":"reasoning.text","text":"abc"}]}}]}"#;
    assert_eq!(counted(&[twice, twice]), weighed(&["abc", "abc"]));
}

#[test]
fn what_responses_repeat_is_counted_once() {
    let events = [
        r#"{"type":"response.output_item.added","item":{"content":[],"role":"assistant"}}"#,
        r#"{"type":"response.output_text.delta","sequence_number":9,"item_id":"m","delta":"Hello"}"#,
        r#"{"type":"response.output_text.delta","sequence_number":10,"item_id":"m","delta":"!"}"#,
        // vLLM's order.
        r#"{"content_index":0,"delta":" You","item_id":"m","type":"response.output_text.delta"}"#,
        r#"{"type": "response.function_call_arguments.delta", "item_id": "m", "delta": "{\"a\""}"#,
        r#"{"type":"response.output_audio.delta","item_id":"m","delta":"UklGRg=="}"#,
        r#"{"type":"response.output_text.done","item_id":"m","text":"Hello!"}"#,
        r#"{"type":"response.function_call_arguments.done","item_id":"m","arguments":"{\"a\":1}"}"#,
        r#"{"type":"response.output_item.done","item":{"content":[{"type":"output_text","text":"Hello!"}]}}"#,
        r#"{"type":"response.completed","response":{"output":[{"content":[{"type":"output_text","text":"Hello!"}]}]}}"#,
    ];
    assert_eq!(counted(&events), weighed(&["Hello", "!", " You", r#"{\"a\""#]));
    // A text about events is no event.
    let about = r#"{"choices":[{"delta":{"content":"\"type\":\"response.completed\""}}]}"#;
    assert_eq!(counted(&[about]).0, 1);
}

/// As llama-server sent them (recorded from a real one), with its own count.
#[test]
fn recorded_streams_are_counted_as_their_server_did() {
    let chunk = |text: &str| {
        format!(
            r#"{{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":{text}}}}}],"created":1795209165,"id":"chatcmpl-nja6u3ocX3bUYK23mz99GuY95TMR1xGe","model":"edge-tiny","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}}"#
        )
    };
    let mut made = Produced::default();
    made.event(br#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795209165,"object":"chat.completion.chunk"}"#);
    assert!(made.is_empty());
    for _ in 0..8 {
        for text in [r#""Hello""#, r#""!""#, r#"" How""#, r#""ever""#, r#"",""#, r#"" or""#, r#""\n""#] {
            made.event(chunk(text).as_bytes());
        }
    }
    made.event(br#"{"choices":[],"created":1795209166,"usage":{"completion_tokens":56,"prompt_tokens":30},"timings":{"cache_n":29}}"#);
    assert_eq!(made.tokens(), 56);
}

#[test]
fn a_long_text_is_weighed_in_part() {
    let mut made = Produced::default();
    made.answer(format!(r#"{{"content":"{}"}}"#, "word ".repeat(1_000_000)).as_bytes());
    let ratio = made.tokens() as f64 / 1_000_000.0;
    assert!((1.0..1.2).contains(&ratio), "{ratio}");
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(parts in prop::collection::vec(prop::sample::select(PIECES), 0..12), cut in 0..200usize) {
        let mut made = Produced::default();
        made.event(chat("usual").as_bytes());
        let data = parts.concat();
        for data in [data.as_bytes(), data.as_bytes().get(..cut).unwrap_or_default()] {
            made.event(data);
            made.answer(data);
            made.event(chat("usual").as_bytes());
        }
        made.tokens();
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "\"",
    "\\",
    ":",
    " ",
    ",",
    "\"content\":\"",
    "\"delta\":\"",
    "\"text\": \"",
    "\"type\":\"response.",
    "x.delta\"",
    "é",
    "\\u00",
    "\"usual\"",
    "\"arguments",
];

const TEXTS: [(&str, &str); 9] = [
    (
        "English",
        "The committee met on Tuesday to review the proposal, which had been circulated among the members two weeks earlier. Several of them raised concerns about the cost of the new building and asked whether the existing one could be extended instead. After a long discussion it was agreed that an architect should be asked for an estimate before the next meeting.",
    ),
    (
        "German",
        "Der Ausschuss traf sich am Dienstag, um den Vorschlag zu prüfen, der zwei Wochen zuvor unter den Mitgliedern verteilt worden war. Mehrere von ihnen äußerten Bedenken wegen der Kosten des neuen Gebäudes und fragten, ob das bestehende nicht erweitert werden könne.",
    ),
    (
        "Chinese",
        "委员会星期二开会审议了两周前在成员中散发的提案。其中几位对新大楼的费用表示关切,并询问是否可以扩建现有的大楼。经过长时间的讨论,大家同意在下次会议之前请一位建筑师进行估算。",
    ),
    (
        "Japanese",
        "委員会は火曜日に会合を開き、二週間前に委員に配布された提案を検討した。何人かは新しい建物の費用について懸念を示し、代わりに既存の建物を拡張できないかと尋ねた。",
    ),
    (
        "Arabic",
        "اجتمعت اللجنة يوم الثلاثاء لمراجعة الاقتراح الذي تم توزيعه على الأعضاء قبل أسبوعين. وأعرب العديد منهم عن قلقهم بشأن تكلفة المبنى الجديد وتساءلوا عما إذا كان من الممكن توسيع المبنى القائم بدلاً من ذلك.",
    ),
    (
        "Russian",
        "Комитет собрался во вторник, чтобы рассмотреть предложение, которое было разослано членам двумя неделями ранее. Несколько из них выразили обеспокоенность стоимостью нового здания и спросили, нельзя ли расширить существующее.",
    ),
    (
        "code",
        "fn main() {\n    let args: Vec<String> = std::env::args().collect();\n    for (index, arg) in args.iter().enumerate() {\n        println!(\"{index}: {arg}\");\n    }\n}\n\nimpl Iterator for Counter {\n    type Item = u64;\n    fn next(&mut self) -> Option<u64> {\n        self.count += 1;\n        (self.count < 6).then_some(self.count)\n    }\n}\n",
    ),
    (
        "json",
        "{\"location\": \"Paris\", \"unit\": \"celsius\", \"days\": [1, 2, 3], \"detail\": {\"hourly\": true, \"wind\": false, \"id\": 48213}}",
    ),
    (
        "figures",
        "1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169, 196, 225, 256, 289, 324, 361, 400, 3.14159265, 2.71828, 1.41421356",
    ),
];

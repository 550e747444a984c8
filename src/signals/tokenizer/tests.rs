//! Counts against known ones, in pieces, escaped and sampled.

use proptest::prelude::*;

use super::*;

fn count(model: &str, pieces: &[&str]) -> Option<u64> {
    if let Some(encoding) = Encoding::of(model) {
        encoding.load();
    }
    exact(model, pieces.iter().map(|piece| piece.as_bytes()))
}

/// As a client writes it that escapes all that is not ASCII.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|u| if u < 128 { char::from(u as u8).to_string() } else { format!("\\u{u:04x}") }).collect()
}

/// With tiktoken's counts: cl100k_base, o200k_base.
const COUNTED: [(&str, u64, u64); 5] = [
    ("hello world", 2, 2),
    ("tiktoken is great!", 6, 6),
    ("お誕生日おめでとう", 9, 8),
    ("antidisestablishmentarianism", 6, 6),
    ("2 + 2 = 4", 7, 7),
];

#[test]
fn counts_are_tiktokens() {
    for (text, cl100k, o200k) in COUNTED {
        assert_eq!(count("gpt-4", &[text]), Some(cl100k), "{text}");
        assert_eq!(count("gpt-4o-mini", &[text]), Some(o200k), "{text}");
        assert_eq!(count("gpt-4", &[&escaped(text)]), Some(cl100k), "{text} escaped");
        assert_eq!(count("gpt-4", &[&format!("\"{text}\"")]), Some(cl100k), "{text} quoted");
        assert_eq!(count("gpt-4", &[text, text]), Some(2 * cl100k), "{text} twice");
    }
    assert_eq!(count("gpt-4", &[]), Some(0));
}

#[test]
fn only_what_is_known_is_counted() {
    use Encoding::{Cl100k, O200k};
    let known = [
        ("gpt-5", O200k),
        ("gpt-5-mini-2025-08-07", O200k),
        ("gpt-4o-2024-08-06", O200k),
        ("openai/o3-mini", O200k),
        ("ft:gpt-4o-mini:acme::x", O200k),
        ("gpt-4", Cl100k),
        ("gpt-4-turbo", Cl100k),
        ("ft:gpt-3.5-turbo:acme", Cl100k),
        ("text-embedding-3-small", Cl100k),
    ];
    for (id, encoding) in known {
        assert_eq!(Encoding::of(id), Some(encoding), "{id}");
    }
    for id in ["", "gpt-55", "gpt-5.9", "gpt-6", "o", "o12", "qwen3-8b", "claude-opus-5", "my-gpt-4", "ft:"] {
        assert_eq!(Encoding::of(id), None, "{id}");
        assert_eq!(count(id, &["text"]), None, "{id}");
    }
}

#[test]
fn escapes_are_undone_first() {
    let cases = [
        (r"a\nb\tc\\d\/e", "a\nb\tc\\d/e"),
        (r#"say \"hi\""#, "say \"hi\""),
        (r"\u00e9\ud83d\ude00\u4e2d", "é😀中"),
        (r"\ud83d \ude00 \ud83d\u0041", "\u{fffd} \u{fffd} \u{fffd}A"),
        (r"\u00", "\u{fffd}00"),
        (r"a\", "a\\"),
    ];
    for (raw, plain) in cases {
        let mut text = vec![];
        unescape(raw.as_bytes(), &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), plain, "{raw}");
    }
}

#[test]
fn long_prompts_are_sampled() {
    let prose = "The committee met on Tuesday to review the proposal, which had been circulated two weeks earlier. ";
    let code = "fn main() {\\n    let args: Vec<String> = std::env::args().collect();\\n}\\n";
    let figures: String = (0..40).map(|i| format!("{}, ", i * 7919 % 10_007)).collect();
    let chinese = "委员会星期二开会审议了两周前在成员中散发的提案。其中几位对新大楼的费用表示关切。";
    // In blocks, so that samples see one kind each.
    let mixed: Vec<String> = (0..12)
        .flat_map(|_| [(prose, 60), (code, 90), (figures.as_str(), 30), (chinese, 40)])
        .map(|(text, n)| text.repeat(n))
        .collect();
    let pieces: Vec<&str> = mixed.iter().map(String::as_str).collect();
    for pieces in [
        pieces.as_slice(),
        &[mixed.concat().as_str()],
        &[prose.repeat(2_000).as_str()],
        &["a".repeat(1 << 20).as_str()],
    ] {
        let whole: u64 = pieces
            .iter()
            .flat_map(|piece| piece.as_bytes().chunks(WHOLE))
            .map(|part| Counter { tokenizer: Encoding::O200k.tokenizer(), text: vec![] }.count(part))
            .sum();
        let ratio = count("gpt-4o", pieces).unwrap() as f64 / whole as f64;
        assert!((0.95..1.05).contains(&ratio), "{ratio:.3}");
    }
}

#[test]
fn the_first_question_waits_for_nothing() {
    // Whether another test has loaded it or not: it is loaded at some time, and nothing panics on the way.
    let asked = || exact("gpt-4", [b"hello world".as_slice()].into_iter());
    while asked().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(asked(), Some(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn anything_is_counted(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        Encoding::O200k.load();
        let json = serde_json::to_string(&text).unwrap();
        let expected = bpe_openai::o200k_base().count(text.as_str()) as u64;
        prop_assert_eq!(count("gpt-4o", &[&json]), Some(expected));
        prop_assert!(exact("gpt-4o", [bytes.as_slice()].into_iter()).is_some());
    }
}

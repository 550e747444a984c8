//! The file, the tokens, what likeness is kept. What a reader could get wrong: sentences here were written for the tests; figures of quality are
//! in the card.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn spelled(text: &str) -> Vec<(String, bool)> {
    let mut tokens = Vec::new();
    Embedder::builtin().tokens(text, &mut tokens);
    tokens.into_iter().map(|token| (text[token.range].to_owned(), token.is_continuation)).collect()
}

fn ids(text: &str) -> Vec<u32> {
    let mut tokens = Vec::new();
    Embedder::builtin().tokens(text, &mut tokens);
    tokens.into_iter().map(|token| token.id).collect()
}

fn likeness(a: &str, b: &str) -> f32 {
    let embedder = Embedder::builtin();
    embedder.embed(a).iter().zip(embedder.embed(b)).map(|(a, b)| a * b).sum()
}

#[test]
fn the_file_that_is_built_in_is_whole() {
    let bytes = include_bytes!("vectors.bin");
    assert_eq!(hex::encode(&Sha256::digest(&bytes[16..])[..8]), Embedder::builtin().identity());
    assert!(Embedder::builtin().vocabulary_len() > 29_000);
    for cut in [0, 7, 27, 28, 1_000, bytes.len() / 2, bytes.len() - 1] {
        assert!(Vectors::parse(&bytes[..cut]).is_none(), "{cut}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(Vectors::parse(&longer).is_none());
    let mut other = bytes.to_vec();
    other[20] ^= 1;
    assert!(Vectors::parse(&other).is_none(), "another number of dimensions");
}

#[test]
fn pieces_keep_their_place_in_the_text() {
    let expected = [("Tide", false), ("gate", true), ("'", false), ("s", false), ("café", false), ("?", false)];
    let found = spelled("Tidegate's  café?");
    assert_eq!(found, expected.map(|(piece, continues)| (piece.to_owned(), continues)));
}

#[test]
fn case_accents_and_their_encoding_do_not_matter() {
    assert_eq!(ids("Zürich CAFÉ"), ids("zurich cafe"));
    assert_eq!(ids("cafe\u{301}"), ids("café"));
    assert_eq!(spelled("cafe\u{301} noir")[0].0, "cafe\u{301}", "a mark belongs to its letter");
    assert_eq!(ids("a\u{200b}b\0c"), ids("abc"), "what is not shown is dropped");
}

#[test]
fn signs_and_ideographs_stand_alone() {
    assert_eq!(spelled("3.5%").len(), 4);
    assert_eq!(spelled("東京").len(), 2);
    assert_eq!(ids("a\u{a0}b"), ids("a b"));
}

#[test]
fn what_no_pieces_spell_is_one_unknown_word() {
    let unknown = ids("\u{1f9ff}");
    assert_eq!(unknown.len(), 1);
    assert_eq!(ids(&"x".repeat(101)), unknown);
    assert_ne!(ids(&"x".repeat(100)), unknown);
}

#[test]
fn no_more_than_the_limit_is_read() {
    let mut tokens = Vec::new();
    assert!(Embedder::builtin().tokens(&"word ".repeat(MAX_TOKENS), &mut tokens));
    assert_eq!(tokens.len(), MAX_TOKENS);
    tokens.clear();
    assert!(!Embedder::builtin().tokens(&"word ".repeat(MAX_TOKENS + 1), &mut tokens));
    assert_eq!(tokens.len(), MAX_TOKENS);
}

#[test]
fn words_that_take_long_to_be_unknown_end_the_reading_early() {
    let word = format!("{}\u{1f9ff} ", "qz".repeat(49));
    let mut tokens = Vec::new();
    assert!(!Embedder::builtin().tokens(&word.repeat(MAX_TOKENS), &mut tokens));
    assert!((5..20).contains(&tokens.len()), "{}", tokens.len());
}

#[test]
fn other_words_for_the_same_are_closer_than_the_same_words_for_another() {
    for (question, same, other) in [
        (
            "how do I reset my password",
            "I forgot my login credentials, how can I recover them",
            "how do I bake my potatoes",
        ),
        ("what is the capital of France", "which city is France's capital", "what is the price of butter"),
        ("how tall is Mount Everest", "what is the height of Everest", "how old is my neighbour"),
        ("my card was stolen", "somebody took my credit card", "my car was repaired"),
    ] {
        let (near, far) = (likeness(question, same), likeness(question, other));
        assert!(near > far + 0.1, "{question}: {near} against {far}");
    }
}

#[test]
fn cosines_of_tokens_tell_kin_from_strangers() {
    let embedder = Embedder::builtin();
    let id = |word: &str| ids(word)[0];
    assert!((embedder.cosine(id("car"), id("car")) - 1.0).abs() < 1e-5);
    assert!(embedder.cosine(id("car"), id("automobile")) > embedder.cosine(id("car"), id("cheese")) + 0.2);
    assert!(embedder.weight(id("photosynthesis")) > 2.0 * embedder.weight(id("the")));
    assert_eq!(embedder.cosine(id("car"), u32::MAX), 0.0);
    assert_eq!(embedder.vector(u32::MAX), &[] as &[i8]);
}

#[test]
fn a_text_without_tokens_is_all_zero() {
    for empty in ["", " \t\n", "\u{200b}", "\u{301}"] {
        assert!(Embedder::builtin().embed(empty).iter().all(|part| *part == 0.0), "{empty:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_in_order_and_embedded(text in "\\PC{0,300}|[a-zé\u{301}가-힣 .]{0,200}") {
        let embedder = Embedder::builtin();
        let mut tokens = Vec::new();
        embedder.tokens(&text, &mut tokens);
        let mut from = 0;
        for token in &tokens {
            prop_assert!((token.id as usize) < embedder.vocabulary_len());
            prop_assert!(token.range.start >= from || token.is_continuation, "{:?} in {:?}", token, text);
            prop_assert!(text.get(token.range.clone()).is_some_and(|piece| !piece.is_empty()), "{:?} in {:?}", token, text);
            from = token.range.start;
        }
        let length: f32 = embedder.embed(&text).iter().map(|part| part * part).sum();
        let expected = if tokens.is_empty() { 0.0 } else { 1.0 };
        prop_assert!((length - expected).abs() < 1e-4, "{length}");
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut file = include_bytes!("vectors.bin")[..28].to_vec();
        file.extend(bytes);
        prop_assert!(Vectors::parse(&file).is_none());
    }
}

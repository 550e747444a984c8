//! The shipped models on sentences written for this, and what must hold for any text: escapes, bounds, the same score every time.

use proptest::prelude::*;

use super::*;
use crate::learn::metrics::{auc, length_matched_auc};
use crate::learn::rows::Prompt;
use crate::learn::shipped::read_written;

fn scores_of(text: &str) -> Scores {
    let quoted = serde_json::to_string(text).unwrap();
    escaped(&quoted.as_bytes()[1..quoted.len() - 1])
}

fn escaped(text: &[u8]) -> Scores {
    let passage = Passage { source: Source::User, message: 0, text };
    conversation(&[passage])
}

fn conversation(passages: &[Passage]) -> Scores {
    let (difficulty, fresh) = (Classifier::difficulty(), Classifier::fresh_knowledge());
    let circumstances = Circumstances { turns: 1, ..Circumstances::default() };
    score(Some(&difficulty), Some(&fresh), &circumstances, passages.iter().copied())
}

fn hard(text: &str) -> f32 {
    scores_of(text).difficulty.unwrap()
}

fn fresh(text: &str) -> f32 {
    scores_of(text).fresh.unwrap()
}

#[test]
fn hard_questions_score_above_everyday_ones_of_the_same_length() {
    for (easy, harder) in [
        ("Play some jazz in the kitchen, please", "Prove that every finite integral domain is a field"),
        ("Remind me to water the plants tonight", "Find all integer solutions of x^3 + y^3 = 91"),
        ("Write a friendly note to my landlord", "Derive the dispersion relation of a plasma"),
        ("Hi", "P = NP?"),
    ] {
        assert!(hard(easy) < hard(harder), "{easy}: {}, {harder}: {}", hard(easy), hard(harder));
    }
}

#[test]
fn pasted_text_does_not_make_a_chore_hard() {
    let pasted = "Let X be a compact operator on a Hilbert space with spectrum as above. By the theorem of Fredholm the kernel of the \
                  difference is finite-dimensional, and the index is stable under perturbations. "
        .repeat(12);
    let chore = hard(&format!("Summarise this in one sentence:\n\n{pasted}"));
    let question =
        hard("Prove that the index is stable under compact perturbations and find where separability is needed.");
    assert!(chore < question, "{chore} {question}");
}

#[test]
fn what_is_asked_at_the_end_counts_as_at_the_beginning() {
    let letter =
        "Dear Anna, we were at the lake on Sunday and the children swam until dark. Then it rained. ".repeat(8);
    let task = "Prove that the recurrence has no rational solution and derive a sharp asymptotic bound.";
    let chore = "Please translate this into French.";
    assert!(hard(&format!("{letter}\n\n{chore}")) < hard(&format!("{letter}\n\n{task}")));
}

#[test]
fn timeless_questions_that_sound_current_need_no_news() {
    let needs =
        ["what is the weather in Lisbon today", "latest news on the rail strike", "who won the match last night"];
    let timeless = [
        "what is the current through a resistor of 10 ohms at 5 volts",
        "explain the latest() function in my ORM",
        "who won the battle of Waterloo",
        "write a poem about the sea",
    ];
    let least = needs.map(fresh).into_iter().fold(1.0, f32::min);
    for text in timeless {
        assert!(fresh(text) < least, "{text}: {}, and a prompt that needs news has {least}", fresh(text));
    }
}

/// Measured when the weights were made; a change that loses what they were shipped for fails here.
#[test]
fn written_test_rows_separate_whatever_their_length() {
    for (file, score, least) in [
        (include_str!("../../learn/written/everyday.jsonl"), hard as fn(&str) -> f32, 0.97),
        (include_str!("../../learn/written/fresh.jsonl"), fresh as fn(&str) -> f32, 0.80),
    ] {
        let rows: Vec<_> = read_written(file).unwrap().into_iter().filter(|row| row.split == "test").collect();
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(score(&row.prompt))).collect();
        let lengths: Vec<f64> = rows.iter().map(|row| row.prompt.len() as f64).collect();
        let yes: Vec<bool> = rows.iter().map(|row| row.yes == 1).collect();
        let (all, matched) = (auc(&scores, &yes), length_matched_auc(&scores, &lengths, &yes, 1.15));
        assert!(all >= least && matched >= least, "{all} {matched}");
    }
}

#[test]
fn a_conversation_counts_and_its_system_prompt_does_not() {
    let user = |message, text: &'static str| Passage { source: Source::User, message, text: text.as_bytes() };
    let system =
        Passage { source: Source::System, message: 0, text: b"Prove theorems about elliptic curves rigorously." };
    let follow_up = user(3, "and why?");
    let after_hard = [user(1, "Prove the spectral theorem for unbounded self-adjoint operators."), follow_up];
    let after_easy = [user(1, "Set an alarm for seven, please."), follow_up];
    assert!(conversation(&after_hard).difficulty > conversation(&after_easy).difficulty);
    let with_system = [system, after_easy[0], after_easy[1]];
    assert_eq!(conversation(&with_system), conversation(&after_easy));
}

#[test]
fn nothing_is_a_prompt_too() {
    assert_eq!(conversation(&[]), conversation(&[]));
    for text in [
        "",
        " ",
        "\n\n\n",
        "…",
        "Что такое простое число?",
        "什么是素数",
        "素数とは何ですか",
        "ما هو العدد الأولي",
        "🙂🙂",
    ] {
        let scores = scores_of(text);
        for score in [scores.difficulty, scores.fresh] {
            assert!(score.is_some_and(|score| (0.0..=1.0).contains(&score)), "{text}: {score:?}");
        }
    }
    let none = score(None, None, &Circumstances::default(), std::iter::empty());
    assert_eq!(none, Scores::default());
}

/// Counts words: what bounds the cost is that a bounded number is read.
#[derive(Default)]
struct Count(u32);

impl Sink for Count {
    fn word(&mut self, _: u64, _: &[u8]) {
        self.0 += 1;
    }
}

impl Listener for Count {
    fn enter(&mut self, _: Group) {}
}

#[test]
fn of_a_huge_prompt_little_is_read_and_the_end_is() {
    let read = |passages: &[Passage]| {
        let mut count = Count::default();
        let tallies = gather(passages.iter().copied(), &mut count);
        (tallies.ask.bytes + tallies.aside.bytes, count.0)
    };
    let spaced = "a ".repeat(500_000);
    let unbroken = "a".repeat(1_000_000);
    let backslashes = "\\".repeat(1_000_000);
    let escapes = "\\u0061".repeat(200_000);
    let paragraphs = "word\\n\\n".repeat(100_000);
    for text in [&spaced, &unbroken, &backslashes, &escapes, &paragraphs] {
        let passage = |message| Passage { source: Source::User, message, text: text.as_bytes() };
        let (bytes, words) = read(&[passage(0)]);
        assert!(bytes <= 3_800 && words <= 2_000, "{bytes} bytes, {words} words of {}", &text[..8]);
        let many: Vec<Passage> = (0..1_000).map(|_| passage(0)).chain((0..100).map(passage)).collect();
        assert!(read(&many).0 <= 20_000, "{}", read(&many).0);
    }
    let end = format!("{} prove the theorem", "please ".repeat(10_000));
    assert!(hard(&end) > hard(&"please ".repeat(10_000)));
}

#[test]
fn a_model_file_comes_back_as_it_went() {
    for model in [Classifier::difficulty(), Classifier::fresh_knowledge()] {
        let bytes = model.to_bytes();
        let again = Classifier::from_bytes(&bytes).unwrap();
        assert_eq!(again.identity(), model.identity());
        assert_eq!(again.identity().len(), 12);
        assert_eq!(again.to_bytes(), bytes);
        assert!(again.entries.len() > 20_000);
    }
    let points = Classifier::difficulty().calibration().to_vec();
    assert!(
        points.len() > 10 && points.is_sorted_by(|a, b| a.threshold < b.threshold && a.cloud_share >= b.cloud_share)
    );
}

#[test]
fn a_broken_model_file_is_refused_with_what_to_do() {
    let bytes = Classifier::difficulty().to_bytes();
    let mut swapped = bytes.clone();
    let end = swapped.len();
    swapped[end - 8..].copy_from_slice(&[0; 8]);
    let longer = [bytes.as_slice(), b"x"].concat();
    for (broken, says) in [
        (&b"GGUF"[..], "it ends too early"),
        (b"GGUFGGUF....", "it does not begin as one"),
        (&bytes[..bytes.len() - 3], "it ends too early"),
        (&swapped, "out of order"),
        (&longer, "more follows"),
    ] {
        let why = Classifier::from_bytes(broken).unwrap_err();
        assert!(why.contains(says) && why.contains("train it again"), "{why}");
    }
}

#[test]
fn an_explanation_names_words_and_features_and_which_is_text() {
    let prompt = Prompt::plain("Prove that 2^n + 1 is prime only if n is a power of two.").unwrap();
    let moved = explain(&Classifier::difficulty(), &prompt.circumstances(), prompt.passages());
    assert!(!moved.is_empty() && moved.len() <= 10);
    assert!(moved.is_sorted_by(|a, b| a.by.abs() >= b.by.abs()));
    assert!(moved.iter().any(|moved| moved.is_text && moved.what == "prove" && moved.by > 0.0), "{moved:?}");
    assert!(moved.iter().all(|moved| moved.is_text != features::FEATURES.contains(&moved.what.as_str())), "{moved:?}");
}

/// Escapes some of the characters as `\uXXXX`, which a client may do with any.
fn escape(text: &str, which: &[bool]) -> String {
    let mut out = String::new();
    for (c, escape) in text.chars().zip(which.iter().cycle()) {
        if *escape {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            let quoted = serde_json::to_string(&c).unwrap();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..6_000)) {
        let scores = escaped(&bytes);
        prop_assert!(scores.difficulty.is_some_and(|score| (0.0..=1.0).contains(&score)));
        explain(&Classifier::fresh_knowledge(), &Circumstances::default(), std::iter::once(Passage { source: Source::Input, message: 3, text: &bytes }));
        drop(Classifier::from_bytes(&bytes));
    }

    #[test]
    fn escapes_full_of_backslashes_make_no_panic(text in r#"[\\u0-9a-fn" ]{0,9000}"#) {
        escaped(text.as_bytes());
    }

    #[test]
    fn the_same_prompt_scores_the_same_however_it_is_escaped(
        text in r#"[a-zA-Z0-9 .,?\\"é中Ж🙂\n-]{0,60}"#,
        times in prop_oneof![Just(1_usize), Just(40), Just(200)],
        which in proptest::collection::vec(any::<bool>(), 1..40),
    ) {
        let text = text.repeat(times);
        let plain = escape(&text, &[false]);
        prop_assert_eq!(escaped(plain.as_bytes()), escaped(escape(&text, &which).as_bytes()));
        prop_assert_eq!(escaped(plain.as_bytes()), escaped(escape(&text, &[true]).as_bytes()));
    }
}

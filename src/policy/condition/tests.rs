//! Conditions that work, that fail at run time, and that are too much; what is refused and how it is said is in `messages`.

mod messages;

use super::*;
use crate::openai::Modalities;
use crate::policy::fixtures::signals;
use crate::signals::hints::PlacementHint;
use crate::signals::{Hints, SignalId};

fn hints() -> Hints {
    Hints {
        placement: Some(PlacementHint::PreferEdge),
        user: Some("svc-batch".into()),
        tags: vec![("team".into(), "search".into()), ("level".into(), "3".into())],
        ..Hints::default()
    }
}

fn verdict(text: &str) -> Verdict {
    let condition = Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error} at {}", error.at));
    let hints = hints();
    let signals = Signals { modalities: Modalities::TEXT.with(Modalities::IMAGE), ..signals(&hints) };
    condition.evaluate(&signals)
}

#[test]
fn what_people_write_works() {
    let holds = [
        "model == 'auto'",
        "input_tokens > 1000 && input_tokens <= 1200",
        "max_output_tokens == 500",
        "!has_tools && stream",
        "turns >= 2 || false",
        "app == ''",
        "user.startsWith('svc-') && user.endsWith('batch') && user.contains('-')",
        "user.matches('^svc-[a-z]+$') && matches(user, 'batch')",
        "tags.team == 'search' && tags['team'] == 'search'",
        "has(tags.team) && !has(tags.owner)",
        "'team' in tags && !('owner' in tags)",
        "has(tags.owner) ? tags.owner == 'x' : true",
        "int(tags.level) > 2",
        "hint.placement == 'prefer-edge' && hint.deadline_ms == 0",
        "edge.available && cloud.available",
        "hour >= 8 && hour < 18",
        "model in ['auto', 'gpt-4o']",
        "!(hour in [1, 2, 3])",
        "'image' in modalities && size(modalities) == 2",
        "modalities.exists(m, m == 'image')",
        "modalities.all(m, m in ['text', 'image'])",
        "modalities.filter(m, m != 'text') == ['image']",
        "modalities.map(m, m + '!')[0] == 'text!'",
        "modalities.exists_one(m, m == 'text')",
        "tags.exists(k, tags[k] == 'search')",
        "tags.map(k, tags[k]).exists(v, v == '3')",
        "['a', 'b'].map(x, 1)[1] == 1",
        "size(user) == 9 && user.size() == 9",
        "(stream ? 'a' : 'b') == 'a'",
        "{'auto': 1000, 'other': 5}[model] < input_tokens",
        "hint.deadline_ms == 0 || hint.deadline_ms > 200",
        "// night only\nhour < 24",
        ".model == 'auto'",
        "modalities.exists(model, model == 'image')",
        "string(turns) == '2' && bool('true') && double(turns) == 2.0",
        "[[1, 2], [3]].exists(l, 3 in l)",
        "user != 'é😀' && model == 'auto'",
        "true",
    ];
    for text in holds {
        assert_eq!(verdict(text), Verdict::Matched, "{text}");
        assert_eq!(verdict(&format!("!({text}\n)")), Verdict::NotMatched, "not {text}");
    }
}

#[test]
fn numbers_of_two_types_meet() {
    for text in [
        "input_tokens > 1199.5",
        "1200.0 == input_tokens",
        "input_tokens * 0.5 < 600.5",
        "0.25 * input_tokens + turns == 302.0",
        "turns / 4.0 == 0.5",
        "turns / 4 == 0",
        "input_tokens in [1200.0]",
        "(stream ? 1 : 2.5) == 1.0",
        "input_tokens > 5u",
        "-turns == -2 && -(turns * 1.5) == -3.0",
        "input_tokens % 7 == 3",
    ] {
        assert_eq!(verdict(text), Verdict::Matched, "{text}");
    }
}

#[test]
fn what_fails_at_run_time_is_failed_and_not_an_error() {
    for text in [
        "tags.owner == 'x'",
        "tags['owner'] == 'x'",
        "input_tokens / (turns - 2) > 1",
        "int(tags.team) > 1",
        "modalities[7] == 'text'",
        "input_tokens * 9223372036854775807 > 1",
        "{'other': 1}[model] == 1",
    ] {
        assert_eq!(verdict(text), Verdict::Failed, "{text}");
    }
    // CEL's logic absorbs an error beside a deciding operand.
    assert_eq!(verdict("tags.owner == 'x' || stream"), Verdict::Matched);
    assert_eq!(verdict("tags.owner == 'x' && !stream"), Verdict::NotMatched);
}

#[test]
fn what_could_take_long_is_refused() {
    let list = "[1,2,3,4,5,6,7,8,9,10]";
    let nested = (0..6).rev().fold("a0 == 1".to_owned(), |inner, i| format!("{list}.all(a{i}, {inner})"));
    let doubling = (0..12).fold("['aaaa']".to_owned(), |chain, _| format!("{chain}.map(x, x + x + x + x)"));
    for text in [nested, format!("{doubling} == ['']")] {
        let error = Condition::compile(&text).expect_err(&text);
        assert!(error.message.starts_with("one evaluation could take "), "{}", error.message);
    }
    assert!(Condition::compile(&format!("{list}.all(a, {list}.all(b, a + b > 1))")).is_ok());
    let users: Vec<String> = (0..250).map(|i| format!("'user-{i}'")).collect();
    assert!(Condition::compile(&format!("user in [{}]", users.join(","))).is_ok());
    assert!(Condition::compile("tags.all(k, k.startsWith('x-') || tags[k] in ['a', 'b'])").is_ok());
}

#[test]
fn long_and_deep_texts_are_refused_without_harm() {
    let message = |text: &str| Condition::compile(text).expect_err("refused").message;
    insta::assert_snapshot!(message(&"a".repeat(4097)), @r#"the condition has 4097 bytes, at most 4096 are allowed"#);
    insta::assert_snapshot!(message(&format!("{}1", "1+".repeat(2047))), @r#"the expression is nested more than 24 levels deep: split it into several rules"#);
    for text in
        ["(".repeat(4000), "[".repeat(4000), "a(".repeat(2000), "a.".repeat(2047), "!".repeat(4096), "{1:".repeat(1300)]
    {
        message(&text);
    }
    message(&format!("{}a", "-".repeat(4000)));
    message(&format!("a{}", "[0]".repeat(1300)));
    // Chains of one logical operator are balanced by the parser: long lists of alternatives stay flat.
    let many: Vec<String> = (0..150).map(|i| format!("user == 'user-{i}'")).collect();
    assert!(Condition::compile(&many.join(" || ")).is_ok());
}

/// The deepest tree that is accepted is evaluated on half of the stack that a worker has.
#[test]
fn the_deepest_expression_fits_a_workers_stack() {
    let deepest = (1..)
        .map(|terms| format!("turns{} > 0", " + turns".repeat(terms)))
        .take_while(|text| Condition::compile(text).is_ok())
        .last()
        .unwrap();
    assert!(deepest.matches('+').count() > 18, "{deepest}");
    let run = move || verdict(&deepest);
    let worker = std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap();
    assert_eq!(worker.join().unwrap(), Verdict::Matched);
}

/// A snapshot is shared by all cores.
#[test]
fn routes_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<crate::policy::Route>();
}

#[test]
fn it_knows_what_it_reads() {
    let reads = Condition::compile("hint.deadline_ms > 5 && has(tags.team) && modalities.exists(m, m == user)")
        .unwrap()
        .reads();
    let expected = [SignalId::HintDeadlineMs, SignalId::Tags, SignalId::Modalities, SignalId::User];
    assert_eq!(reads, expected.into_iter().fold(SignalSet::EMPTY, SignalSet::with));
    assert_eq!(Condition::compile("true").unwrap().reads(), SignalSet::EMPTY);
}

#[test]
fn every_signal_can_be_read() {
    for signal in crate::signals::table::all() {
        let text = format!("{0} == {0}", signal.name);
        assert!(Condition::compile(&text).unwrap().reads().contains(signal.id), "{}", signal.name);
        assert_eq!(verdict(&text), Verdict::Matched, "{}", signal.name);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 400, ..Default::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = Condition::compile(&text);
    }

    /// Made of what expressions are made of, so that more of it gets past the parser; what compiles is also evaluated, and the
    /// place of an error lies in the text.
    #[test]
    fn no_expression_makes_it_panic(parts in proptest::collection::vec(proptest::sample::select(PARTS.to_vec()), 1..14)) {
        let text = parts.join(" ");
        match Condition::compile(&text) {
            Ok(condition) => {
                let hints = hints();
                condition.evaluate(&signals(&hints));
            }
            Err(error) => {
                proptest::prop_assert!(error.at <= text.chars().count());
                proptest::prop_assert!(!error.message.is_empty());
            }
        }
    }
}

const PARTS: [&str; 44] = [
    "model",
    "turns",
    "stream",
    "tags",
    "modalities",
    "hint",
    ".placement",
    ".team",
    "difficulty",
    "1",
    "2.5",
    "3u",
    "'é'",
    "\"x\"",
    "b'y'",
    "true",
    "null",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "/",
    "%",
    "?",
    "in",
    ".exists(x,",
    ".map(x,",
    "x",
    "size(",
    ".matches(",
    "has(",
];

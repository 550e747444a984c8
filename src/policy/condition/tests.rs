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

/// The expression, a caret under the place, the message.
fn refusal(text: &str) -> String {
    let error = Condition::compile(text).expect_err(text);
    format!("{text}\n{}^ {}", " ".repeat(error.at), error.message)
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
fn unknown_signals_name_the_nearest() {
    insta::assert_snapshot!(
        [
            "dificulty < 0.5",
            "stream && input_token > 5",
            "tokens > 5",
            "hint.placment == 'x'",
            "hint == 'x'",
            "request.model == 'x'",
            "budget.left < 0.1",
            "pii.severity >= 2",
            "model == 'x' && tenant == 'acme'",
            "zebra",
            "user && size",
        ]
        .map(refusal)
        .join("\n"),
        @r#"
        dificulty < 0.5
        ^ unknown signal `dificulty`; did you mean `difficulty`?
        stream && input_token > 5
                  ^ unknown signal `input_token`; did you mean `input_tokens`?
        tokens > 5
        ^ unknown signal `tokens`; did you mean `input_tokens`?
        hint.placment == 'x'
        ^ unknown signal `hint.placment`; did you mean `hint.placement`?
        hint == 'x'
        ^ `hint` is no signal of its own: there is hint.placement, hint.deadline_ms
        request.model == 'x'
        ^ unknown signal `request.model`; did you mean `model`?
        budget.left < 0.1
        ^ `budget.left` is not available yet: this version does not compute it; take it out of the rule, or the rule out
        pii.severity >= 2
        ^ `pii.severity` is not available yet: this version does not compute it; take it out of the rule, or the rule out
        model == 'x' && tenant == 'acme'
                        ^ `tenant` is not available yet: this version does not compute it; take it out of the rule, or the rule out
        zebra
        ^ unknown signal `zebra`: there are model, input_tokens, max_output_tokens, modalities, has_tools, stream, turns, app, user, tags, hint.placement, hint.deadline_ms, edge.available, cloud.available, hour
        user && size
                ^ `size` is a function: call it with ()
        "#
    );
}

#[test]
fn types_that_do_not_go_together_are_named_with_their_place() {
    insta::assert_snapshot!(
        [
            "input_tokens > 'x'",
            "has_tools + 1",
            "input_tokens + 1",
            "model",
            "stream && model",
            "!turns",
            "model == 5",
            "model == null",
            "'é' == user && turns",
            "hour in ['a', 'b']",
            "'x' in user",
            "stream ? 1 : 'x'",
            "turns ? true : false",
            "turns + 1u == 3u",
            "turns % 2.0 == 0.0",
            "modalities > ['a']",
            "tags.team.name == 'x'",
            "model . name == 'x'",
            "modalities['a'] == 'x'",
            "turns[0] == 1",
            "has(hint.placement)",
            "modalities.exists(m, m)",
            "modalities.filter(m, size(m)) == []",
            "model.exists(c, c == 'a')",
            "-model == 'x'",
            "Foo{a: 1} == 1",
        ]
        .map(refusal)
        .join("\n"),
        @r#"
        input_tokens > 'x'
                     ^ `>` is not defined between int and string
        has_tools + 1
                  ^ `+` is not defined between bool and int
        input_tokens + 1
        ^ a condition must be bool (true or false), this is int
        model
        ^ a condition must be bool (true or false), this is string
        stream && model
               ^ `&&` is not defined between bool and string
        !turns
        ^ `!` is not defined for int
        model == 5
              ^ `==` compares string with int: they are never equal
        model == null
              ^ `==` compares string with null: they are never equal
        'é' == user && turns
                     ^ `&&` is not defined between bool and int
        hour in ['a', 'b']
             ^ `in` looks for int in list(string): that can never be found
        'x' in user
            ^ `in` needs a list or a map: for a part of a string write user.contains('x')
        stream ? 1 : 'x'
               ^ the two sides of `:` must be of one type, these are int and string
        turns ? true : false
              ^ what stands before `?` must be bool, this is int
        turns + 1u == 3u
              ^ `+` does not mix int and uint: write int(…)
        turns % 2.0 == 0.0
              ^ `%` is defined for int and uint only: write int(…)
        modalities > ['a']
                   ^ `>` is not defined between list(string) and list(string)
        tags.team.name == 'x'
                  ^ string has no field `name`: only maps such as `tags` have
        model . name == 'x'
                ^ string has no field `name`: only maps such as `tags` have
        modalities['a'] == 'x'
                  ^ list(string) cannot be indexed with string
        turns[0] == 1
             ^ int has no parts: only lists and maps can be indexed
        has(hint.placement)
            ^ `hint.placement` is always there (only-edge, prefer-edge, prefer-cloud, only-cloud; '' when not given): compare it instead of has()
        modalities.exists(m, m)
                             ^ the condition inside exists(), all() and filter() must be bool, this is string
        modalities.filter(m, size(m)) == []
                                 ^ the condition inside exists(), all() and filter() must be bool, this is int
        model.exists(c, c == 'a')
                    ^ this goes through a list or a map, not through string
        -model == 'x'
        ^ `-` is not defined for string
        Foo{a: 1} == 1
           ^ there is no type `Foo`: conditions know no messages
        "#
    );
}

#[test]
fn functions_are_known_and_used_as_they_should() {
    insta::assert_snapshot!(
        [
            "model.startswith('gpt')",
            "len(modalities) > 1",
            "startsWith(model, 'gpt')",
            "model.startsWith('a', 'b')",
            "model.startsWith(5)",
            "size(turns) > 1",
            "modalities.exists(m)",
            "has(tags)",
            "frobnicate(model)",
            "duration('1s') > duration('2s')",
            "optional.of(model) == 'x'",
            "user.matches('(')",
            "user.matches(tags.pattern)",
            "user.matches('(\\\\w{900}){900}')",
        ]
        .map(refusal)
        .join("\n"),
        @r#"
        model.startswith('gpt')
              ^ unknown function `startswith`; did you mean `startsWith`?
        len(modalities) > 1
        ^ unknown function `len`; did you mean `size`?
        startsWith(model, 'gpt')
        ^ `startsWith` is written like this: model.startsWith('gpt-')
        model.startsWith('a', 'b')
              ^ `startsWith` is written like this: model.startsWith('gpt-')
        model.startsWith(5)
              ^ `startsWith` does not take string and int: write for example model.startsWith('gpt-')
        size(turns) > 1
        ^ `size` does not take int: write for example size(modalities)
        modalities.exists(m)
                   ^ `exists` is written like this: modalities.exists(m, m == 'image')
        has(tags)
            ^ has() takes a field, such as has(tags.team)
        frobnicate(model)
        ^ unknown function `frobnicate`: there are size, startsWith, endsWith, contains, matches, int, uint, double, string, bool, has, exists, exists_one, existsOne, all, map, filter
        duration('1s') > duration('2s')
        ^ unknown function `duration`: there are size, startsWith, endsWith, contains, matches, int, uint, double, string, bool, has, exists, exists_one, existsOne, all, map, filter
        optional.of(model) == 'x'
                 ^ unknown function `of`: there are size, startsWith, endsWith, contains, matches, int, uint, double, string, bool, has, exists, exists_one, existsOne, all, map, filter
        user.matches('(')
                     ^ the pattern of matches() cannot be used: unclosed group
        user.matches(tags.pattern)
                         ^ the pattern of matches() must be a string literal, so that it is compiled once and checked at load
        user.matches('(\\w{900}){900}')
                     ^ the pattern of matches() cannot be used: it is too large once compiled
        "#
    );
}

#[test]
fn syntax_errors_are_told_in_an_operators_words() {
    insta::assert_snapshot!(
        [
            "model = 'x'",
            "",
            "stream and has_tools",
            "stream or has_tools",
            "not stream",
            "stream &&",
            "stream & has_tools",
            "(stream",
            "stream)",
            "model == 'abc",
            "modalities[0",
            "stream ? true",
            "tags.?team == 'x'",
            "for == 1",
            "turns > 99999999999999999999",
            "modalities.exists(1, true)",
            "user == 'ü' && $x",
            "😀 == 'x'",
            "model == 'a' ;",
        ]
        .map(refusal)
        .join("\n"),
        @r#"
        model = 'x'
              ^ `=` is no operator: write `==` to compare

        ^ the condition is empty: leave `when` out to match every request
        stream and has_tools
               ^ `and` is no operator: write `&&`
        stream or has_tools
               ^ `or` is no operator: write `||`
        not stream
            ^ `not` is no operator: write `!`
        stream &&
                 ^ the expression ends too early
        stream & has_tools
               ^ `&` is no operator: write `&&`
        (stream
               ^ a `)` is missing here
        stream)
              ^ unexpected `)`
        model == 'abc
                 ^ this string is not closed, or has an unknown escape
        modalities[0
                    ^ a `]` is missing here
        stream ? true
                     ^ the expression ends too early
        tags.?team == 'x'
            ^ unsupported syntax '.?'
        for == 1
        ^ `for` is a reserved word of CEL
        turns > 99999999999999999999
                ^ this is no int of 64 bits
        modalities.exists(1, true)
                          ^ the first argument must be a name for the element, such as x
        user == 'ü' && $x
                       ^ unexpected `$`
        😀 == 'x'
        ^ unexpected `😀`
        model == 'a' ;
                     ^ unexpected `;`
        "#
    );
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
    insta::assert_snapshot!(message(&format!("{}1", "1+".repeat(2047))), @r#"the expression is nested more than 48 levels deep: split it into several rules"#);
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
fn every_available_signal_can_be_read() {
    for signal in crate::signals::table::all() {
        let compiled = Condition::compile(&format!("{0} == {0}", signal.name));
        match signal.id {
            Some(id) => assert!(compiled.unwrap().reads().contains(id), "{}", signal.name),
            None => assert!(compiled.unwrap_err().message.contains("not available yet"), "{}", signal.name),
        }
        if signal.id.is_some() {
            assert_eq!(verdict(&format!("{0} == {0}", signal.name)), Verdict::Matched, "{}", signal.name);
        }
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

//! What an operator is told of a condition that is wrong: the expression, a caret under the place, the message.

use super::*;

/// The expression, a caret under the place, the message.
fn refusal(text: &str) -> String {
    let error = Condition::compile(text).expect_err(text);
    format!("{text}\n{}^ {}", " ".repeat(error.at), error.message)
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
            "pii.severty >= 2",
            "model == 'x' && pii.types == 0.5",
            "zebra",
            "user && size",
        ]
        .map(refusal)
        .join("\n"),
        @"
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
    pii.severty >= 2
    ^ unknown signal `pii.severty`; did you mean `pii.severity`?
    model == 'x' && pii.types == 0.5
                              ^ `==` compares list(string) with double: they are never equal
    zebra
    ^ unknown signal `zebra`: there are model, input_tokens, max_output_tokens, modalities, has_tools, stream, turns, app, user, tags, hint.placement, hint.deadline_ms, edge.available, cloud.available, hour, tenant, budget.left, difficulty, needs_fresh_knowledge, threshold, pii.severity, pii.types, edge.load, cloud.pressure, deferred
    user && size
            ^ `size` is a function: call it with ()
    "
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
            "{2.5: 1}[2] == 1",
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
        {2.5: 1}[2] == 1
        ^ double cannot be the key of a map
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

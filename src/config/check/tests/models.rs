//! What an operator is told of models and what they cost.

use super::*;

#[test]
fn models_run_somewhere() {
    insta::assert_snapshot!(found(
        "models:\n\
        \x20 near: {upstream: opnai}\n\
        \x20 far: {upstream: elsewhere}\n\
        \x20 hidden: {upstream: '${BAD}'}\n\
        \x20 incomplete: {id: x}\n\
        \x20 odd: {upstream: openai, context: 0, modalities: [], id: '', price: {input: -1, output: 2}}\n\
        \x20 wrong: {upstream: openai, modalities: [txt], retires_on: 1 May, context: -1}\n\
        passthrough: openay\n\
        upstreams: {openai: {placement: cloud, kind: openai, base_url: https://h/v1}}"
    ), @"
    f:2:20: no upstream is named `opnai`
        hint: did you mean `openai`?
    f:3:19: no upstream is named `elsewhere`
        hint: add it under `upstreams`, or use one of `openai`
    f:4:22: no upstream is named the value of `${BAD}`
        hint: known are `openai`
    f:5:3: key `upstream` is missing in `models.incomplete`
        hint: add `upstream: …`
    f:6:36: `context` must be at least 1
        hint: remove `context` for its default
    f:6:51: `modalities` lists none: the model would take nothing in
        hint: write [text], or remove it
    f:6:59: `` is no model's name
        hint: remove `id` if the upstream knows it by this entry's key
    f:6:78: price `-1` is below zero
        hint: write US dollars per million tokens
    f:7:42: expected `text`, `image`, `audio` or `file`, found `txt`
        hint: did you mean `text`?
    f:7:60: expected a day as YYYY-MM-DD, found `1 May`
    f:7:76: expected a whole number from 0 to 18446744073709551615, found `-1`
    f:8:14: no upstream is named `openay`
        hint: did you mean `openai`?
    ");
}

#[test]
fn prices_are_figures_that_can_be_meant() {
    insta::assert_snapshot!(found(&format!(
        "{UPSTREAMS}models:\n\
        \x20 odd: {{upstream: a, price: {{input: 20000, output: -2, image: 101, per_request: 1001, watts: 100001, usd_per_kwh: .nan}}}}\n\
        \x20 unknown: {{upstream: a, price: {{inputs: 1, per_hour: 2}}}}\n\
        \x20 energy: {{upstream: a, price: {{usd_per_kwh: 0.3, g_co2_per_kwh: 400}}}}\n\
        \x20 alone: {{upstream: a, price: {{watts: 300}}}}\n\
        \x20 none: {{upstream: a, price: []}}\n\
        \x20 word: {{upstream: a, price: lists}}\n\
        \x20 bare: {{upstream: a, price: 1.25}}\n\
        \x20 listed: {{upstream: a, price: list, id: gpt-5}}\n\
        \x20 dated:\n\
        \x20   upstream: a\n\
        \x20   context: 1000\n\
        \x20   max_output: 1001\n\
        \x20   price:\n\
        \x20   - {{from: 2026-01-01, input: 1}}\n\
        \x20   - {{from: July, input: 1}}\n\
        \x20   - {{from: 2026-01-01, input: -1}}\n\
        \x20   - {{input: 2}}\n\
        \x20   -\n"
    )), @r"
    f:3:37: `20000` is no likely `input`: more than 10000
        hint: write US dollars per million tokens
    f:3:52: price `-2` is below zero
        hint: write US dollars per million tokens
    f:3:63: `101` is no likely `image`: more than 100
        hint: write US dollars per image
    f:3:81: `1001` is no likely `per_request`: more than 1000
        hint: write US dollars per answer
    f:3:94: `100001` is no likely `watts`: more than 100000
        hint: write what one node draws, in watts
    f:3:115: expected a number, found `.nan`
    f:4:34: unknown key `inputs`
        hint: did you mean `input`?
    f:4:45: unknown key `per_hour`
        hint: known here: `input`, `output`, `cached_input`, `cache_write`, `reasoning`, `audio_input`, `audio_output`, `image`, `per_request`, `per_node_hour`, `watts`, `usd_per_kwh`, `g_co2_per_kwh`, `from`
    f:5:33: `usd_per_kwh` has no effect without `watts`
        hint: add what one node draws, in watts
    f:5:51: `g_co2_per_kwh` has no effect without `watts`
        hint: add what one node draws, in watts
    f:6:32: `watts` has no effect alone
        hint: add `usd_per_kwh`, `g_co2_per_kwh`, or both
    f:7:30: `price` lists none
        hint: write `{input: …, output: …}`, or remove it
    f:8:30: expected `list`, a price such as `{input: 1.25, output: 10}`, or a list of prices with `from`, found `lists`
    f:9:30: expected `list`, a price such as `{input: 1.25, output: 10}`, or a list of prices with `from`, found `1.25`
    f:10:32: no list price is known of `gpt-5` at this upstream
        hint: write `price: {input: …, output: …}` in US dollars per million tokens
    f:14:17: `1001` tokens of answer do not fit into the context
        hint: write at most 1000, or correct `context`: it holds prompt and answer
    f:17:14: expected a day as YYYY-MM-DD, found `July`
    f:18:7: two prices hold from 2026-01-01
        hint: the other is on line 16
    f:18:33: price `-1` is below zero
        hint: write US dollars per million tokens
    f:20:6: a price is empty
        hint: write `{input: …, output: …}`, or remove it
    ");
}

#[test]
fn tiny_prices_are_warned_about() {
    insta::assert_snapshot!(found(&format!(
        "{UPSTREAMS}models: {{m: {{upstream: a, price: {{input: 0.00000125, output: 0.00001, cached_input: 0}}}}}}"
    )), @r"
    f:2:42: warning: `0.00000125` is next to nothing for a million tokens
        hint: write US dollars per million tokens
    f:2:62: warning: `0.00001` is next to nothing for a million tokens
        hint: write US dollars per million tokens
    ");
}

#[test]
fn what_a_cost_is_worked_out_from_is_said() {
    let text = "upstreams:\n\
        \x20 lab: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}\n\
        \x20 openai: {placement: cloud, kind: openai, base_url: https://api.openai.com/v1}\n\
        \x20 proxy: {placement: cloud, kind: openai, base_url: https://proxy.example/v1}\n\
        models:\n\
        \x20 own: {upstream: lab, price: {input: 1}}\n\
        \x20 free: {upstream: lab, price: {}}\n\
        \x20 small: {upstream: lab, price: }\n\
        \x20 gpt-5: {upstream: openai}\n\
        \x20 frontier: {upstream: openai, id: gpt-5-mini-2025-08-07, price: list}\n\
        \x20 newer: {upstream: openai, id: gpt-6-sol}\n\
        \x20 proxied: {upstream: proxy, id: gpt-5}\n\
        \x20 later: {upstream: proxy, price: [{from: 2026-04-01, input: 1}, {from: 2026-03-02, input: 2}]}\n";
    let today = jiff::civil::date(2026, 3, 1);
    let loaded = parse_on(text, Path::new("/nonexistent"), &|_| None, Judges::of_rules(&|_| Ok(())), today).unwrap();
    let notes: Vec<String> = loaded.notes.into_iter().filter(|note| note.starts_with("models.")).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    models.small: the cost is unknown; write `price: {per_node_hour: …, watts: …, usd_per_kwh: …}`, or `{input: …, output: …}` in US dollars per million tokens
    models.gpt-5: list price of gpt-5 as of 2026-10-16
    models.frontier: list price of gpt-5-mini as of 2026-10-16
    models.newer: the cost is unknown; write `price: {input: …, output: …}` in US dollars per million tokens
    models.proxied: the cost is unknown; write `price: {input: …, output: …}` in US dollars per million tokens
    models.later: the cost is unknown until 2026-03-02, when its price begins
    ");
}

#[test]
fn models_that_retire_are_warned_about() {
    insta::assert_snapshot!(found(&format!(
        "{UPSTREAMS}models:\n\
        \x20 past: {{upstream: a, retires_on: 2026-02-28}}\n\
        \x20 today: {{upstream: a, retires_on: 2026-03-01}}\n\
        \x20 soon: {{upstream: a, retires_on: 2026-05-30}}\n\
        \x20 later: {{upstream: a, retires_on: 2026-05-31}}\n"
    )), @r"
    f:3:35: warning: model `past` retired on 2026-02-28: requests are no longer sent to it
        hint: replace it
    f:4:36: warning: model `today` retires in 0 days, on 2026-03-01
        hint: replace it in time
    f:5:35: warning: model `soon` retires in 90 days, on 2026-05-30
        hint: replace it in time
    ");
}

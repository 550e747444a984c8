//! What is wrong with `deferred`, and with rules that need it.

use super::found;

/// With upstreams at the edge and in the cloud, from line 5 on.
fn deferred(text: &str) -> String {
    found(&format!(
        "upstreams:\n\
        \x20 a: {{placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}}\n\
        \x20 b: {{placement: cloud, kind: openai, base_url: https://h}}\n\
         models: {{small: {{upstream: a}}, remote: {{upstream: b}}}}\n\
         {text}"
    ))
}

#[test]
fn what_fits_has_no_problem() {
    for fine in [
        "deferred: {}",
        "deferred: {concurrency: 16, max_attempts: 1, expires: 2h, keep: 400d, hours: 22-6, max_queued: 10, max_bytes: 1MiB}",
        "deferred: {}\nroutes: {r: {rules: [{name: all, try: [small, remote], then: upgrade}]}}",
        "deferred: {}\nroutes: {r: {rules: [{name: all, split: {small: 1, remote: 1}, then: upgrade}]}}",
    ] {
        assert_eq!(deferred(fine), "", "{fine}");
    }
}

#[test]
fn figures_hours_and_rules_are_checked() {
    insta::assert_snapshot!(deferred(
        "deferred: {concurrency: 0, max_attempts: 0, max_queued: 0, max_bytes: 1KiB, expires: 0s, hours: 22-22}\n\
         routes:\n\
        \x20 r:\n\
        \x20   rules:\n\
        \x20     - {name: one, when: 'true', try: [small], then: upgrade}\n\
        \x20     - {name: two, when: 'true', try: [remote], then: upgrade}\n\
        \x20     - {name: three, try: [small, remote], then: later}\n"
    ), @"
    f:5:25: `concurrency` must be at least 1
        hint: remove `concurrency` for its default
    f:5:42: `max_attempts` must be at least 1
        hint: remove `max_attempts` for its default
    f:5:57: `max_queued` must be at least 1
        hint: remove `max_queued` for its default
    f:5:71: this space holds next to nothing
        hint: write at least 1MiB, or remove it for 10GiB
    f:5:86: `expires` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:5:97: expected hours from 0 to 24 such as 22-6, found `22-22`
    f:9:55: rule `one` has no model in the cloud to follow
        hint: add one to `try`, or remove `then`
    f:10:56: rule `two` has no model at the edge to answer
        hint: add one to `try`, or remove `then`
    f:11:51: expected `upgrade`, found `later`
    ");
    insta::assert_snapshot!(
        deferred("routes: {r: {rules: [{name: all, try: [small, remote], then: upgrade}]}}"), @"
    f:5:62: `then: upgrade` needs a queue for the cloud's answer
        hint: add `deferred: {}` at the top of the file
    ");
}

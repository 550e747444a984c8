//! What is wrong with `cache`, at the top and of a route.

use super::{MODELS, UPSTREAMS, found};

/// With upstreams at the edge and in the cloud, from line 5 on.
fn cache(text: &str) -> String {
    found(&format!(
        "upstreams:\n\
        \x20 a: {{placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}}\n\
        \x20 b: {{placement: cloud, kind: openai, base_url: https://h}}\n\
         models: {{small: {{upstream: a}}, vectors: {{upstream: a}}, remote: {{upstream: b}}}}\n\
         {text}"
    ))
}

#[test]
fn what_fits_has_no_problem() {
    for fine in [
        "cache: {}",
        "cache: {exact: {ttl: 10m, max_temperature: 2}, semantic: {max_error: 0.2, embedder: vectors, verify_sample: 1}, disk: {}}",
        "cache: {shared: {url: rediss://h:1, secret: sixteen-and-more-of-it}}",
        "cache: {shared: {url: redis+unix:///run/redis.sock, secret: sixteen-and-more-of-it, timeout: 2ms}}",
        "cache: {semantic: {}}\nroutes: {r: {cache: {semantic: true, pace: 10ms}, rules: [{name: all, try: [small]}]}}",
        "cache: {}\nroutes: {r: {cache: off, rules: [{name: all, try: [small]}]}}",
    ] {
        assert_eq!(cache(fine), "", "{fine}");
    }
}

#[test]
fn sizes_shares_and_names_are_checked() {
    insta::assert_snapshot!(cache(
        "cache:\n\
        \x20 exact: {capacity: 1KiB, max_entry: 2MiB, max_temperature: 3, ttl: 0s}\n\
        \x20 semantic: {max_error: 0.3, verify_sample: 1.5, entries: 0, embedder: vector}\n\
        \x20 disk: {capacity: 10}\n\
        \x20 shared: http://h\n"
    ), @"
    f:6:21: a capacity of `1KiB` holds next to nothing
        hint: write at least 1MiB
    f:6:38: `max_entry` of `2MiB` is nothing, or more than the whole capacity
        hint: remove it for 1MiB
    f:6:61: temperature `3` is not between 0 and 2
        hint: remove it for 0
    f:6:69: `ttl` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:7:25: a `max_error` of `0.3` is not between 0 and 0.2
        hint: 0.01 means that one of a hundred such answers may be wrong
    f:7:45: `verify_sample` of `1.5` is no share
        hint: write a number from 0 to 1
    f:7:59: `entries` must be at least 1
        hint: remove it for 100000, or remove `semantic`
    f:7:72: there is no model `vector`
        hint: did you mean `vectors`?
    f:8:20: a capacity of `10` holds next to nothing
        hint: write at least 1MiB
    f:9:11: the URL of `shared` is none of a Redis
        hint: write redis://HOST:6379, rediss:// for TLS
    ");
    for (wrong, told) in [
        ("cache: {shared: {url: redis://h:1, secret: short}}", "shorter than 16 characters"),
        ("cache: {shared: {url: \"redis://h:99999/x\", secret: sixteen-and-more-of-it}}", "none of a Redis"),
        ("cache: {shared: {url: redis://h, secret: sixteen-and-more-of-it, timeout: 1h}}", "keeps clients waiting"),
        ("cache: {}\nroutes: {r: {cache: {pace: 10d}, rules: [{name: all, try: [small]}]}}", "keeps clients waiting"),
    ] {
        assert!(cache(wrong).contains(told), "{wrong}: {}", cache(wrong));
    }
    insta::assert_snapshot!(cache("cache: {semantic: {embedder: remote}}"), @"
    f:5:30: `remote` runs in the cloud, which would see every question
        hint: name an embedding model at the edge, or `builtin`
    ");
}

#[test]
fn a_shared_tier_without_a_secret_is_warned_about() {
    insta::assert_snapshot!(cache("cache: {shared: redis://h:6379}"), @"
    f:5:17: warning: entries of `shared` are encrypted with the key in `data_dir`, which other replicas do not have
        hint: give all replicas the same `secret: file:PATH` (`{url: …, secret: …}`); one gateway alone needs none
    ");
}

#[test]
fn a_route_needs_the_section() {
    let route = |top: &str, own: &str| {
        found(&format!(
            "{top}\n{UPSTREAMS}{MODELS}routes: {{r: {{cache: {own}, rules: [{{name: all, try: [small]}}]}}}}"
        ))
    };
    insta::assert_snapshot!(route("", "{ttl: 1m}"), @"
    f:4:21: warning: `cache` has no effect: there is no `cache` section, so nothing is kept
        hint: add `cache: {}` at the top of the file, or remove it here
    ");
    insta::assert_snapshot!(route("cache: {}", "{semantic: true, max_error: 1, max_temperature: -1}"), @"
    f:4:32: `semantic: true` needs the section `cache.semantic`
        hint: add `semantic: {max_error: 0.01}` below `cache`
    f:4:49: a `max_error` of `1` is not between 0 and 0.2
        hint: 0.01 means that one of a hundred such answers may be wrong
    f:4:69: temperature `-1` is not between 0 and 2
        hint: remove it for 0
    ");
    insta::assert_snapshot!(route("cache: {}", "never"), @"f:4:21: expected `off`, or keys such as `{ttl: 10m, semantic: false}`, found `never`");
    insta::assert_snapshot!(route("cache: {}", "{tll: 1m}"), @"
    f:4:22: unknown key `tll`
        hint: did you mean `ttl`?
    ");
}

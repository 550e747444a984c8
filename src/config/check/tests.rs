//! Everything that is wrong with a configuration, as the operator reads it. A snapshot shows the whole text: place, message, hint.

use std::path::Path;

use crate::config::load::{Judges, parse_on};
use crate::config::problem::Problems;

/// Problems, or else warnings, of a text. A condition is bad from its first `?` on.
fn found(text: &str) -> String {
    let conditions = |when: &str| match when.chars().position(|c| c == '?') {
        Some(at) => Err((at, "unexpected `?`".to_owned())),
        None => Ok(()),
    };
    let env = |name: &str| match name {
        "BAD" => Some("hunter2?".to_owned()),
        "KEY" => Some("sk-1".to_owned()),
        _ => None,
    };
    let today = jiff::civil::date(2026, 3, 1);
    match parse_on(text, Path::new("/nonexistent"), &env, Judges::of_rules(&conditions), today) {
        Ok(loaded) => Problems::new("f", loaded.warnings).to_string(),
        Err(problems) => Problems { file: "f".into(), ..problems }.to_string(),
    }
}

mod accounts;
mod cache;
mod deferred;
mod listeners;
mod models;
mod routing;
mod shares;

const UPSTREAMS: &str = "upstreams: {a: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}}\n";
const MODELS: &str = "models: {small: {upstream: a}, large: {upstream: a}}\n";

/// With an upstream.
fn with_upstream(text: &str) -> String {
    found(&format!("{text}\n{UPSTREAMS}"))
}

/// Rules of a route, each on a line of its own from line 5 on.
fn rules(rules: &str) -> String {
    found(&format!("{UPSTREAMS}{MODELS}routes:\n  auto: {{rules: [\n{rules}\n  ]}}\n"))
}

fn upstream(text: &str) -> String {
    found(&format!("upstreams:\n  a:\n{text}"))
}

#[test]
fn what_fits_has_no_problem() {
    assert_eq!(found(UPSTREAMS), "");
    assert_eq!(rules("    {name: one, when: has_tools, try: [small, {model: large}]}, {name: two, try: [large]}"), "");
    // Port 0 is a free port, twice; loopback also as IPv6 and mapped.
    assert_eq!(with_upstream("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0"), "");
    assert_eq!(with_upstream("listen: '[::1]:1'\nadmin: '[::ffff:127.0.0.1]:2'"), "");
}

#[test]
fn an_upstream_is_a_pool_or_a_provider() {
    insta::assert_snapshot!(found(
        "upstreams:\n\
        \x20 neither: {placement: cloud, kind: openai}\n\
        \x20 both: {placement: edge, kind: vllm, nodes: [http://h:1], base_url: http://h:1}\n\
        \x20 empty: {placement: edge, kind: vllm, nodes: []}\n\
        \x20 azure: {placement: cloud, kind: azure, nodes: [http://h:1], api_key: k}\n\
        \x20 keyless: {placement: cloud, kind: azure, base_url: https://h}\n\
        \x20 unset: {placement: cloud, kind: azure, base_url: https://h, api_key: '${NONE:-}'}\n\
        \x20 off: {placement: edge, kind: vllm, nodes: [http://h:1]}\n\
        \x20 a b: {placement: edge, kind: vllm, nodes: [http://h:1]}\n\
        \x20 null:\n"
    ), @r"
    f:2:3: an upstream needs `nodes` or `base_url`
        hint: add `base_url: https://api.openai.com/v1` or that of another provider
    f:3:3: an upstream has `nodes` or `base_url`, not both
        hint: `nodes` is a pool of your own, `base_url` a provider
    f:4:47: `nodes` lists none
        hint: add `http://HOST:PORT`
    f:5:3: azure needs `base_url`
        hint: write `base_url: https://NAME.openai.azure.com`
    f:6:3: azure needs `api_key`
        hint: write `api_key: ${AZURE_OPENAI_API_KEY}` and set the variable
    f:7:63: azure needs `api_key`
        hint: write `api_key: ${AZURE_OPENAI_API_KEY}` and set the variable
    f:8:3: an upstream cannot be named `off`
        hint: `passthrough: off` means nowhere: rename it
    f:9:3: upstream name `a b` has characters that cannot stand in a header
        hint: use ASCII letters, digits and punctuation, no spaces or commas: it goes into headers and metrics
    f:10:3: key `kind` is missing in `upstreams.null`
        hint: add `kind: …`
    f:10:3: key `placement` is missing in `upstreams.null`
        hint: add `placement: …`
    ");
}

#[test]
fn addresses_are_urls_without_secrets() {
    let problems = upstream(
        "    placement: edge\n\
        \x20   kind: vllm\n\
        \x20   nodes:\n\
        \x20   - 127.0.0.1:8080\n\
        \x20   - localhost\n\
        \x20   - ftp://h\n\
        \x20   - http://user:hunter2@h\n\
        \x20   - http://h?x=1\n\
        \x20   - http://h:99999\n\
        \x20   - http://\n\
        \x20   - http://h:1\n\
        \x20   - http://h:1/\n\
        \x20   - 'http://${BAD}'\n\
        \x20   - [http://h]\n",
    );
    assert!(!problems.contains("hunter2"), "{problems}");
    insta::assert_snapshot!(problems, @r"
    f:6:7: `127.0.0.1:8080` is no URL
        hint: write the scheme as well: http://HOST:PORT
    f:7:7: `localhost` is no URL
        hint: write the scheme as well: http://HOST:PORT
    f:8:7: `ftp://h` is not http or https
        hint: write http://HOST:PORT or https://HOST/PATH
    f:9:7: a user or password in a URL is not accepted
        hint: put the key into `api_key`: a URL is shown in logs and in the console
    f:10:7: `http://h?x=1` has a query or fragment
        hint: end it with the path; azure's version goes into `api_version`
    f:11:7: `http://h:99999` has no usable port
        hint: write a port from 1 to 65535
    f:12:7: `http://` is no URL
        hint: write http://HOST:PORT or https://HOST/PATH
    f:14:7: node `http://h:1/` is given twice
        hint: the first is on line 13
    f:15:7: the value of `${BAD}` has a query or fragment
        hint: end it with the path; azure's version goes into `api_version`
    f:16:7: expected keys (`url`, `weight`, `drain`), found a list
    ");
}

#[test]
fn an_upstreams_details_make_sense() {
    insta::assert_snapshot!(upstream(
        "    placement: cloud\n\
        \x20   kind: azure\n\
        \x20   base_url: http://h\n\
        \x20   api_key: \"two\\nlines\"\n\
        \x20   api_version: 2024?\n\
        \x20   max_in_flight_per_node: 0\n\
        \x20   health: {path: health, interval: 0ms, timeout: 0s, unhealthy_after: 0, healthy_after: 0}\n\
        \x20   timeouts: {connect: 0s, first_token: 0s, between_tokens: 0s, total: 0s}\n\
        \x20   tls: {ca: nonsense, cert: nonsense, server_name: 'a b'}\n"
    ), @r"
    f:6:14: `api_key` has characters that cannot be sent in a header
        hint: it must be visible ASCII on one line; look for spaces, quotes and line breaks
    f:7:18: `2024?` is no version
        hint: write a day, such as 2024-10-21, or `preview`
    f:8:29: `max_in_flight_per_node` must be at least 1
        hint: remove `max_in_flight_per_node` for its default
    f:9:20: `health` is no path
        hint: begin it with `/`, such as /health
    f:9:38: `interval` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:9:52: `timeout` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:9:73: `unhealthy_after` must be at least 1
        hint: remove `unhealthy_after` for its default
    f:9:91: `healthy_after` must be at least 1
        hint: remove `healthy_after` for its default
    f:10:25: `connect` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:10:42: `first_token` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:10:62: `between_tokens` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:10:73: `total` must be longer than 0
        hint: write a length of time such as 300ms or 10s
    f:11:5: `cert` and `key` go together
        hint: give both, or neither
    f:11:15: `ca` holds no usable PEM certificate
        hint: give a file with `-----BEGIN CERTIFICATE-----` as `file:PATH`
    f:11:31: `cert` holds no usable PEM certificate
        hint: give a file with `-----BEGIN CERTIFICATE-----` as `file:PATH`
    f:11:54: `a b` is no host name
        hint: write the name that is in its certificate
    ");
    insta::assert_snapshot!(upstream("    {placement: cloud, kind: openai, base_url: http://far.example/v1, api_key: '${KEY}'}"), @r"
    f:3:48: warning: prompts and the `api_key` go to this provider unencrypted
        hint: use https
    ");
    assert_eq!(
        upstream("    {placement: cloud, kind: openai, base_url: http://localhost:1/v1, api_key: '${KEY}'}"),
        ""
    );
}

#[test]
fn certificates_and_keys_are_some() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let indented = |pem: String| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let (cert, key) = (indented(made.cert.pem()), indented(made.signing_key.serialize_pem()));
    assert_eq!(with_upstream(&format!("tls:\n  cert: |\n{cert}  key: |\n{key}  client_ca: |\n{cert}")), "");
    let problems = with_upstream(&format!("tls:\n  key: |\n{cert}  cert: |\n{key}"));
    assert!(problems.contains("`key` holds no usable PEM private key"), "{problems}");
    assert!(problems.contains("`cert` holds no usable PEM certificate"), "{problems}");
    insta::assert_snapshot!(with_upstream("tls: {cert: file:none.pem}"), @r"
    f:1:1: key `key` is missing in `tls`
        hint: add `key: …`
    f:1:13: cannot read `file:none.pem`: no such file or directory
        hint: a path is relative to the folder of the configuration file
    ");
}

#[test]
fn a_name_leads_to_one_place() {
    insta::assert_snapshot!(found(&format!(
        "{UPSTREAMS}{MODELS}routes:\n\
        \x20 auto: {{aliases: [gpt, small, other, gpt, ''], rules: [{{name: r, try: [small]}}]}}\n\
        \x20 other: {{aliases: [gpt], rules: [{{name: r, try: [small]}}]}}\n\
        \x20 large: {{rules: [{{name: r, try: [small]}}]}}\n\
        \x20 bare: {{aliases: [x]}}\n"
    )), @r"
    f:4:25: alias `small` is the name of a model
        hint: a name leads to one place: rename or remove it
    f:4:32: alias `other` is the name of a route
        hint: a name leads to one place: rename or remove it
    f:4:39: alias `gpt` is given twice, first on line 4
        hint: a name leads to one place: rename or remove it
    f:4:44: alias `` is no name: it must have 1 to 256 characters
        hint: a name leads to one place: rename or remove it
    f:5:21: alias `gpt` is given twice, first on line 4
        hint: a name leads to one place: rename or remove it
    f:6:3: route `large` has the name of a model
        hint: clients ask for both by name: rename one
    f:7:3: a route needs rules
        hint: add `rules: [{name: all, try: [MODEL]}]`
    ");
}

#[test]
fn rules_can_be_reached_and_lead_to_models() {
    insta::assert_snapshot!(rules(
        "    {name: one, when: has_tools, try: [smal, lrge, {model: nothing-like-it}]},\n\
        \x20   {name: one, when: stream, try: [small, small]},\n\
        \x20   {name: no targets, when: stream},\n\
        \x20   {name: empty, when: stream, try: []},\n\
        \x20   {name: all, try: [large]},\n\
        \x20   {name: late, when: stream, try: [large]},\n\
        \x20   {name: later, try: [{modl: small}]},\n\
        \x20   {try: [[small]]}"
    ), @r"
    f:5:40: no model is named `smal`
        hint: did you mean `small`?
    f:5:46: no model is named `lrge`
        hint: did you mean `large`?
    f:5:60: no model is named `nothing-like-it`
        hint: add it under `models`, or use one of `small`, `large`
    f:6:12: rule name `one` is given twice
        hint: the first is on line 5; headers and metrics tell rules apart by name
    f:6:44: target `small` is given twice
        hint: remove one: a target is tried once
    f:7:5: rule `no targets` has no targets
        hint: add `try: [MODEL]`
    f:7:12: rule name `no targets` has characters that cannot stand in a header
        hint: use ASCII letters, digits and punctuation, no spaces or commas: it goes into headers and metrics
    f:8:5: rule `empty` has no targets
        hint: add `try: [MODEL]`
    f:10:5: this rule is never reached: `all` before it matches all
        hint: move it up, or give `all` a `when`
    f:11:5: this rule is never reached: `all` before it matches all
        hint: move it up, or give `all` a `when`
    f:11:26: unknown key `modl`
        hint: did you mean `model`?
    f:12:5: key `name` is missing in `routes.auto.rules[7]`
        hint: add `name: …`
    f:12:5: this rule is never reached: `all` before it matches all
        hint: move it up, or give `all` a `when`
    f:12:12: expected keys (`model`, `min_confidence`), found a list
    ");
}

#[test]
fn conditions_are_told_where_they_are_wrong() {
    let problems = rules(
        "    {name: plain, when: 1 < ?, try: [small]},\n\
        \x20   {name: quoted, when: 'x == ''y'' ?', try: [small]},\n\
        \x20   {name: empty, when: '', try: [small]},\n\
        \x20   {name: nothing, when: , try: [small]},\n\
        \x20   {name: variable, when: '${NONE:-}', try: [small]},\n\
        \x20   {name: hidden, when: 'x ${BAD}', try: [small]}",
    );
    assert!(!problems.contains("hunter2"), "{problems}");
    insta::assert_snapshot!(problems, @r"
    f:5:29: unexpected `?`
    f:6:38: unexpected `?`
    f:7:19: `when` is empty
        hint: remove it if the rule shall match all requests
    f:8:21: `when` is empty
        hint: remove it if the rule shall match all requests
    f:9:22: `when` is empty
        hint: remove it if the rule shall match all requests
    f:10:26: the value of `${BAD}` is no valid condition
    ");
}

#[test]
fn what_this_version_does_not_do_is_refused() {
    insta::assert_snapshot!(found(
        "pii: {}\n\
         telemetry: {otlp: http://h}\n\
         retries: {budget: 0.2, hedge_after: p95}\n\
         upstreams:\n\
        \x20 a: {placement: edge, kind: vllm, discover: dns://lab.svc:1}\n\
        \x20 b: {placement: cloud, kind: anthropic, base_url: https://h}\n\
        \x20 c: {placement: cloud, kind: gemini, base_url: https://h}\n\
        \x20 d: {placement: cloud, kind: bedrock, base_url: https://h}\n\
         models: {m: {upstream: a}}\n\
         routes:\n\
        \x20 auto:\n\
        \x20   threshold: 0.5\n\
        \x20   rules:\n\
        \x20   - name: r\n\
        \x20     try: [m]\n"
    ), @"
    f:2:13: `otlp` is not available yet: it would send traces to a collector
        hint: remove it
    f:6:25: `kind: anthropic` is not available yet: it would speak Anthropic's protocol to the provider
        hint: choose another
    f:7:25: `kind: gemini` is not available yet: it would speak Gemini's protocol to the provider
        hint: choose another
    f:8:25: `kind: bedrock` is not available yet: it would speak Bedrock's protocol to the provider
        hint: choose another
    ");
}

#[test]
fn what_this_version_does_not_do_may_stand_there_empty() {
    assert_eq!(
        with_upstream(
            "tenants:\npii: ~\ncache: null\ntelemetry: {otlp: ${NONE:-}}\nretries: {budget: }\naudit:\nledger: "
        ),
        ""
    );
}

#[test]
fn pools_are_checked() {
    insta::assert_snapshot!(found(
        "upstreams:\n\
        \x20 a: {placement: edge, kind: vllm, discover: lab.svc, resolver: ns1}\n\
        \x20 b: {placement: edge, kind: vllm, discover: srv://llama, nodes: [{url: http://h:1, weight: 0}, http://h:1]}\n\
        \x20 c: {placement: cloud, kind: openai, base_url: https://h, discover: dns://lab.svc:1, slow_start: 3s}\n\
        \x20 d: {placement: edge, kind: vllm, nodes: [{url: http://h:2, heavy: 1}], resolver: 127.0.0.1:53}\n\
         models: {m: {upstream: a}}\n\
         routes:\n\
        \x20 auto: {rules: [{name: r, try: [m]}]}\n"
    ), @"
    f:2:46: `lab.svc` has no scheme
        hint: write dns://HOST:PORT, srv://_service._tcp.NAME or file:///PATH (with TLS: dns+https://, srv+https://)
    f:2:65: `ns1` is no address
        hint: write ADDRESS:PORT, such as 127.0.0.1:8600
    f:3:46: `srv://llama` is no name of a service
        hint: write srv://_service._tcp.NAME
    f:3:93: `0` is no weight
        hint: write a number from 0.01 to 1000; `drain: true` takes a node out
    f:3:97: node `http://h:1` is given twice
        hint: the first is on line 3
    f:4:3: an upstream has `discover` or `base_url`, not both
        hint: `discover` finds the nodes of a pool of your own, `base_url` is a provider
    f:5:62: unknown key `heavy`
        hint: known here: `url`, `weight`, `drain`
    ");
}

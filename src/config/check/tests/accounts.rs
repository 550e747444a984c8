//! What an operator is told of tenants, ledger, audit and billing that cannot be used.

use super::*;

const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn accounts(text: &str) -> String {
    found(&format!(
        "{UPSTREAMS}{MODELS}routes: {{auto: {{aliases: [gpt], rules: [{{name: r, try: [small]}}]}}}}\n{text}"
    ))
}

#[test]
fn keys_that_cannot_match_are_refused_and_never_shown() {
    insta::assert_snapshot!(accounts(&format!(
        "tenants:\n  a: {{}}\n  b: {{keys: []}}\n  c:\n    keys: [sk-tg-secret, 'sha256:12', {{hash: '{HASH}', until: 2020-01-01, app: x}}, '{HASH}']\n    apps: {{chat: {{}}}}\n"
    )), @"
    f:5:3: tenant `a` has no keys: nobody could ask in its name
        hint: make one with `tidegate keys new --tenant a`, and put its `sha256:…` under `keys`
    f:6:3: tenant `b` has no keys: nobody could ask in its name
        hint: make one with `tidegate keys new --tenant b`, and put its `sha256:…` under `keys`
    f:8:12: this is no hash of a key
        hint: this is a key itself: take it out of the file, and write its hash, as `tidegate keys new` prints it
    f:8:26: this is no hash of a key
        hint: write `sha256:` and 64 hex digits, as `tidegate keys new` prints them
    f:8:145: the tenant has no app named `x`
        hint: add it under `apps`
    f:8:149: this key is listed twice, first on line 8
        hint: a key belongs to one tenant: remove it here or there
    ");
}

#[test]
fn names_limits_and_budgets_are_checked() {
    insta::assert_snapshot!(accounts(&format!(
        "tenants:\n  'a b':\n    keys: ['{HASH}']\n    models: [auto, gpt, nothing]\n    regions: [mars]\n    limits: {{requests_per_minute: 0, in_flight: 0}}\n    budget: {{usd: -1, time_zone: Mars/Olympus}}\n    apps: {{chat: {{budget: {{usd: 5, per: week}}}}}}\n    privacy: secret\n"
    )), @"
    f:5:3: tenant name `a b` has characters that cannot stand in a header
        hint: use ASCII letters, digits and punctuation, no spaces or commas: it goes into headers and metrics
    f:7:25: no route, alias or model is named `nothing`
        hint: name routes, their aliases or models, or a passed-through path (/v1/images): what a client may ask for
    f:9:35: `requests_per_minute` must be at least 1
        hint: remove `requests_per_minute` for its default
    f:9:49: `in_flight` must be at least 1
        hint: remove `in_flight` for its default
    f:10:19: `-1` is no budget
        hint: write US dollars between 0 and 1000000000
    f:10:34: `Mars/Olympus` is no time zone
        hint: write one as Europe/Berlin or UTC
    f:11:41: expected `day` or `month`, found `week`
    f:12:14: expected `retained`, `no-retention` or `local-only`, found `secret`
    ");
}

#[test]
fn a_model_without_a_price_is_no_problem_and_books_are_checked() {
    insta::assert_snapshot!(accounts(
        "ledger: mysql://user:hunter2@db/x\naudit: {checkpoint_every: 0, key: abc}\nbilling: {per_request: -1, tenants: {nobody: {execution_fee: -0.1}}}\n"
    ), @"
    f:4:9: this is no place for a ledger
        hint: write `sqlite`, `off`, or postgres://USER@HOST/DATABASE
    f:5:27: `checkpoint_every` must be at least 1
        hint: remove `checkpoint_every` for its default
    f:5:35: this is no Ed25519 key
        hint: write 64 hex digits (`openssl rand -hex 32`), or remove it and one is made in data_dir
    f:6:24: `per_request` is below zero
        hint: write US dollars, or a share such as 0.05
    f:6:38: no tenant is named `nobody`
        hint: add it under `tenants`
    f:6:62: `execution_fee` is below zero
        hint: write US dollars, or a share such as 0.05
    ");
    for good in [
        "ledger: off",
        "ledger: sqlite",
        "ledger: {keep: 30d}",
        "ledger: postgres://u:p@h/d",
        "ledger:",
        "audit: {}",
        "billing: {}",
    ] {
        assert_eq!(accounts(&format!("{good}\n")), "", "{good}");
    }
}

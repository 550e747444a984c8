//! Borders that an answer never crosses: whose it is, what was asked, how, and under which configuration.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::client::{Call, chat, chat_stream};
use crate::support::config::{hash, key};
use crate::support::{Config, Gateway, Upstream, eventually};

use super::remember::{PRICE, ask, cache, config, numbered};

/// Everything that an answer depends on, one thing at a time.
#[tokio::test]
async fn an_answer_never_crosses_a_border() {
    let (edge, cloud) = (Upstream::named("edge").await, numbered().await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", PRICE)
        .model("gpt-5", "acme", PRICE)
        .route("auto", "", &["gpt-5", "small"])
        .route("second", "", &["gpt-5", "small"])
        .tenant("a", "")
        .tenant("b", "")
        .tenant("quiet", "privacy: no-retention")
        .tenant("home", "privacy: local-only")
        .top("cache: {}");
    let gateway = Gateway::with(&config).await;
    let base = json!({"model": "auto", "messages": [
        {"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "What is a tide?"}], "temperature": 0});
    let with = |more: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let call = |tenant: &str, body: &Value| gateway.chat(body).by(tenant);
    let messages = |system: &str, user: &str| json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]});
    let asks: Vec<(&str, Call)> = vec![
        ("base", call("a", &base)),
        ("tenant", call("b", &base)),
        ("tier", call("quiet", &base)),
        ("tier by hint", call("a", &base).header("x-tidegate-privacy", "no-retention")),
        ("placement", call("a", &base).header("x-tidegate-placement", "only-cloud")),
        ("route", call("a", &with(json!({"model": "second"})))),
        ("model", call("a", &with(json!({"model": "gpt-5"})))),
        ("system prompt", call("a", &with(messages("Answer at length.", "What is a tide?")))),
        ("question", call("a", &with(messages("Answer briefly.", "What is a tide")))),
        ("tools", call("a", &with(json!({"tools": [{"type": "function", "function": {"name": "f"}}]})))),
        ("other tools", call("a", &with(json!({"tools": [{"type": "function", "function": {"name": "g"}}]})))),
        ("parameter", call("a", &with(json!({"top_p": 0.5})))),
        ("length", call("a", &with(json!({"max_tokens": 5})))),
        ("format", call("a", &with(json!({"response_format": {"type": "json_object"}})))),
        ("seed", call("a", &with(json!({"seed": 1})))),
        ("unknown field", call("a", &with(json!({"x_field": 1})))),
        ("beta", call("a", &base).header("openai-beta", "x=1")),
    ];
    let mut answers = HashSet::new();
    for (what, call) in asks {
        let answer = call.send().await;
        assert_eq!((answer.status, cache(&answer)), (200, "miss"), "{what}: {}", answer.text());
        assert!(answers.insert(answer.content()), "{what}: an answer came twice");
    }
    for _ in 0..2 {
        let home = call("home", &base).send().await;
        assert_eq!((cache(&home), home.header("x-tidegate-placement")), ("off", "edge"));
        let hinted = call("a", &base).header("x-tidegate-privacy", "local-only").send().await;
        assert_eq!((cache(&hinted), hinted.header("x-tidegate-placement")), ("off", "edge"));
    }
    // And what makes no difference.
    for body in [base.clone(), with(json!({"user": "u", "metadata": {"k": "v"}, "store": false}))] {
        assert_eq!(cache(&call("a", &body).header("x-tidegate-user", "someone").send().await), "hit");
    }
}

#[tokio::test]
async fn rules_that_read_who_asks_keep_answers_apart() {
    let cloud = numbered().await;
    let config = Config::new()
        .cloud("acme", &cloud)
        .model("gpt-5", "acme", PRICE)
        .rules("auto", "", &["{name: vip, when: \"user == 'ann'\", try: [gpt-5]}", "{name: rest, try: [gpt-5]}"])
        .top("cache: {}");
    let gateway = Gateway::with(&config).await;
    let call = |user: &str| gateway.chat(&chat("auto", "x")).header("x-tidegate-user", user);
    assert_eq!(call("ann").send().await.header("x-tidegate-cache"), "miss");
    assert_eq!(call("bob").send().await.header("x-tidegate-cache"), "miss");
    let again = call("ann").send().await;
    assert_eq!((cache(&again), again.header("x-tidegate-rule")), ("hit", "vip"));
    let again = call("bob").send().await;
    assert_eq!((cache(&again), again.header("x-tidegate-rule")), ("hit", "rest"));
}

/// An alias, a stream, a deadline: no model is told of them, but a rule may send them elsewhere.
#[tokio::test]
async fn rules_that_read_how_is_asked_keep_answers_apart() {
    let cloud = numbered().await;
    let config = Config::new()
        .cloud("acme", &cloud)
        .model("gpt-5", "acme", PRICE)
        .rules(
            "auto",
            "aliases: [mini]",
            &[
                "{name: mini, when: \"model == 'mini'\", try: [gpt-5]}",
                "{name: streamed, when: stream, try: [gpt-5]}",
                "{name: hurried, when: hint.deadline_ms > 0, try: [gpt-5]}",
                "{name: rest, try: [gpt-5]}",
            ],
        )
        .top("cache: {}");
    let gateway = Gateway::with(&config).await;
    let (mini, streamed, plain) = (chat("mini", "x"), chat_stream("auto", "x"), chat("auto", "x"));
    let asks = [("mini", &mini, ""), ("streamed", &streamed, ""), ("hurried", &plain, "20000"), ("rest", &plain, "")];
    for (rule, body, deadline) in asks {
        let call = || match deadline {
            "" => gateway.chat(body),
            ms => gateway.chat(body).header("x-tidegate-deadline-ms", ms),
        };
        let first = call().send().await;
        assert_eq!((cache(&first), first.header("x-tidegate-rule")), ("miss", rule), "{}", first.text());
        let again = eventually("a hit", async || Some(call().send().await).filter(|again| cache(again) == "hit")).await;
        assert_eq!(again.header("x-tidegate-rule"), rule);
    }
}

#[tokio::test]
async fn a_reload_that_changes_a_route_forgets_its_answers() {
    let cloud = numbered().await;
    let first = config(&cloud, "cache: {}");
    let gateway = Gateway::with(&first).await;
    ask(&gateway, &chat("auto", "x")).await;
    // Limits and deadlines change no answer.
    gateway.reload(&config(&cloud, "cache: {exact: {ttl: 2h}}")).await;
    assert_eq!(cache(&ask(&gateway, &chat("auto", "x")).await), "hit");
    let other = Config::new()
        .cloud("acme", &cloud)
        .model("gpt-5", "acme", &format!("id: gpt-5-mini\n{PRICE}"))
        .route("auto", "aliases: [other]", &["gpt-5"])
        .top("cache: {exact: {ttl: 2h}}");
    gateway.reload(&other).await;
    assert_eq!(cache(&ask(&gateway, &chat("auto", "x")).await), "miss");
}

/// A key may stand for an app, without any header: the shortest way from memory must see that, too.
#[tokio::test]
async fn the_key_of_an_app_gets_nothing_of_its_tenants() {
    let (edge, cloud) = (Upstream::named("edge").await, numbered().await);
    let of_app = key("home");
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", PRICE)
        .model("gpt-5", "acme", PRICE)
        .route("auto", "", &["gpt-5", "small"])
        .tenant_with("a", &[&key("a"), &of_app], "apps: {home: {privacy: local-only}, other: {}}")
        .top("cache: {}");
    let plain = format!("\"{}\"", hash(&of_app));
    let yaml = config.yaml().replace(&plain, &format!("{{hash: {plain}, app: home}}"));
    let gateway = Gateway::with_yaml(&yaml).await;
    let body = chat("auto", "x");
    for expected in ["miss", "hit", "hit", "hit"] {
        assert_eq!(cache(&gateway.chat(&body).by("a").send().await), expected);
    }
    for _ in 0..2 {
        let answer = gateway.chat(&body).header("authorization", &format!("Bearer {of_app}")).send().await;
        assert_eq!((answer.status, cache(&answer), answer.header("x-tidegate-placement")), (200, "off", "edge"));
    }
    let rows = eventually("six requests in the books", async || {
        let rows = gateway.admin("/api/usage?by=privacy,cache&format=json").send().await.json();
        let rows = rows.as_array().cloned().unwrap_or_default();
        (rows.iter().filter_map(|row| row["requests"].as_u64()).sum::<u64>() == 6).then_some(rows)
    })
    .await;
    let tier = |cache: &str| {
        rows.iter().filter(|row| row["cache"] == cache).map(|row| row["privacy"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((tier("hit"), tier("off")), (vec![json!("retained")], vec![json!("local-only")]));
}

//! Questions in other words: answered from memory where they mean the same, asked where anything that matters differs, and checked by samples.

use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gateway, Response, Upstream};

const PRICE: &str = "price: {input: 1, output: 2}";

fn config(cloud: &Upstream, semantic: &str) -> Config {
    let config = Config::new().cloud("acme", cloud).model("gpt-5", "acme", PRICE).route("auto", "", &["gpt-5"]);
    config.route("literal", "cache: {semantic: false}", &["gpt-5"]).top(&format!("cache: {{semantic: {semantic}}}"))
}

async fn ask(gateway: &Gateway, model: &str, text: &str) -> Response {
    let answer = gateway.chat(&chat(model, text)).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn cache(answer: &Response) -> &str {
    answer.header("x-tidegate-cache")
}

/// Different in writing, the same in words: no verifier takes these apart.
const ASKED: &str = "How do I reset my password for the harbour portal?";
const AGAIN: &str = "how do I reset my password for the harbour portal";

#[tokio::test]
async fn a_question_in_other_words_is_answered_from_memory() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&config(&cloud, "{max_error: 0.05}")).await;
    let first = ask(&gateway, "auto", ASKED).await;
    assert_eq!(cache(&first), "miss");
    let again = ask(&gateway, "auto", AGAIN).await;
    assert_eq!((cache(&again), again.header("x-tidegate-placement")), ("semantic", "cache"));
    assert_eq!(again.content(), first.content());
    for header in ["x-tidegate-cache-similarity", "x-tidegate-cache-probability"] {
        assert!(again.header(header).parse::<f64>().unwrap() > 0.9, "{header}: {}", again.header(header));
    }
    // As a stream, too; and a route may want no such thing.
    let mut streamed = chat("auto", AGAIN);
    streamed["stream"] = true.into();
    let streamed = gateway.chat(&streamed).send().await;
    assert_eq!(cache(&streamed), "semantic");
    assert!(streamed.events().last().unwrap().is_done());
    ask(&gateway, "literal", ASKED).await;
    assert_eq!(cache(&ask(&gateway, "literal", AGAIN).await), "miss");
    gateway.eventually_metric("tidegate_cache_requests_total", &[("tier", "semantic"), ("result", "hit")], 2.0).await;
    gateway.eventually_metric("tidegate_cache_tenant_requests_total", &[("result", "semantic")], 2.0).await;
}

#[tokio::test]
async fn what_differs_in_a_number_a_name_or_a_negation_is_asked() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&config(&cloud, "{max_error: 0.01}")).await;
    for (one, other) in [
        (
            "A train has 12 coaches with 40 seats each, how many seats is that?",
            "A train has 12 coaches with 45 seats each, how many seats is that?",
        ),
        ("Who was the mother of King Harald?", "Who was the mother of King Magnus?"),
        ("Which mushrooms are safe to eat raw?", "Which mushrooms are not safe to eat raw?"),
        ("Is there a ferry from Bergen to Stavanger tonight?", "Is there a ferry from Stavanger to Bergen tonight?"),
        ("Turn the lights on in the kitchen.", "Turn the lights off in the kitchen."),
        ("How do I enable two-factor login?", "How do I disable two-factor login?"),
    ] {
        ask(&gateway, "auto", one).await;
        assert_eq!(cache(&ask(&gateway, "auto", other).await), "miss", "{other}");
    }
}

#[tokio::test]
async fn only_the_last_question_may_differ() {
    let cloud = Upstream::named("cloud").await;
    let config =
        config(&cloud, "{max_error: 0.05}").tenant("a", "").tenant("b", "").tenant("home", "privacy: no-retention");
    let gateway = Gateway::with(&config).await;
    let body = |system: &str, before: &str, question: &str, more: Value| {
        let mut body = json!({"model": "auto", "messages": [
            {"role": "system", "content": system}, {"role": "user", "content": before},
            {"role": "assistant", "content": "Good day."}, {"role": "user", "content": question}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let call = async |tenant: &str, body: &Value| {
        let answer = gateway.chat(body).by(tenant).send().await;
        cache(&answer).to_owned()
    };
    assert_eq!(call("a", &body("Be brief.", "Hello.", ASKED, json!({}))).await, "miss");
    for (what, tenant, other) in [
        ("tenant", "b", body("Be brief.", "Hello.", AGAIN, json!({}))),
        ("tier", "home", body("Be brief.", "Hello.", AGAIN, json!({}))),
        ("system prompt", "a", body("Be long.", "Hello.", AGAIN, json!({}))),
        ("earlier turn", "a", body("Be brief.", "Hello!", AGAIN, json!({}))),
        (
            "tools",
            "a",
            body("Be brief.", "Hello.", AGAIN, json!({"tools": [{"type": "function", "function": {"name": "f"}}]})),
        ),
        ("parameter", "a", body("Be brief.", "Hello.", AGAIN, json!({"max_tokens": 7}))),
        ("name", "a", {
            let mut named = body("Be brief.", "Hello.", AGAIN, json!({}));
            named["messages"][3]["name"] = "ann".into();
            named
        }),
        ("image", "a", {
            let mut image = body("Be brief.", "Hello.", "", json!({}));
            image["messages"][3]["content"] = json!([{"type": "text", "text": AGAIN},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]);
            image
        }),
    ] {
        assert_ne!(call(tenant, &other).await, "semantic", "{what}");
    }
    assert_eq!(call("a", &body("Be brief.", "Hello.", AGAIN, json!({}))).await, "semantic");
}

#[tokio::test]
async fn an_answer_about_somebody_is_for_exactly_his_question() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&config(&cloud, "{max_error: 0.05}").top("pii: {}")).await;
    let (one, other) =
        ("Please look up the berth of jo@harbour.example!", "please look up the berth of jo@harbour.example");
    for (text, expected) in [(one, "miss"), (other, "miss"), (one, "hit")] {
        assert_eq!(cache(&ask(&gateway, "auto", text).await), expected, "{text}");
    }
}

/// It is one more upstream that would see the question.
#[tokio::test]
async fn an_embedder_gets_nothing_that_it_must_not_have() {
    for (top, tenant, hint) in [
        ("pii: {for: [cloud, edge]}", "", ""),
        ("", "placement: only-cloud", ""),
        ("", "", "only-cloud"),
        ("", "regions: [us]", ""),
        ("", "privacy: local-only", ""),
    ] {
        let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
        let config = Config::new()
            .edge_with("lab", &[&edge], "region: eu")
            .cloud_with("acme", &cloud, "region: us")
            .model("vectors", "lab", "")
            .model("gpt-5", "acme", PRICE)
            .route("auto", "", &["gpt-5"])
            .tenant("a", tenant)
            .top("cache: {semantic: {embedder: vectors}}")
            .top(top);
        let gateway = Gateway::with(&config).await;
        let mut call = gateway.chat(&chat("auto", ASKED)).by("a");
        if !hint.is_empty() {
            call = call.header("x-tidegate-placement", hint);
        }
        call.send().await;
        assert_eq!(edge.requests().len(), 0, "{top} {tenant} {hint}");
    }
}

#[tokio::test]
async fn samples_are_asked_all_the_same_and_mistakes_make_stricter() {
    // What comes back the second time is something else: the answer that would have been given was wrong.
    for (second, result) in
        [("Nobody knows; ask the harbour master at pier 7.", "wrong"), ("hello from cloud", "right")]
    {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let cloud = Upstream::named("cloud").await.answering(move |_: &Request| {
            match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Answer::chat("hello from cloud"),
                _ => Answer::chat(second),
            }
        });
        let gateway = Gateway::with(&config(&cloud, "{max_error: 0.05, verify_sample: 1}")).await;
        let threshold = async || gateway.metrics().await.sum("tidegate_cache_semantic_threshold", &[("route", "auto")]);
        let before = threshold().await;
        ask(&gateway, "auto", ASKED).await;
        let checked = ask(&gateway, "auto", AGAIN).await;
        assert_eq!(
            (cache(&checked), checked.content().as_str()),
            ("miss", second),
            "the client gets what was asked for"
        );
        gateway.eventually_metric("tidegate_cache_verified_total", &[("route", "auto"), ("result", result)], 1.0).await;
        let after = threshold().await;
        assert!(if result == "wrong" { after > before } else { (after - before).abs() < 1e-9 }, "{before} {after}");
    }
}

#[tokio::test]
async fn a_model_at_the_edge_may_be_the_embedder() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let with = |embedder: &str| {
        Config::new()
            .edge("lab", &[&edge])
            .cloud("acme", &cloud)
            .model("vectors", "lab", "")
            .model("far", "acme", "")
            .model("gpt-5", "acme", PRICE)
            .route("auto", "", &["gpt-5"])
            .top(&format!("cache: {{semantic: {{max_error: 0.05, embedder: {embedder}}}}}"))
    };
    let gateway = Gateway::with(&with("vectors")).await;
    ask(&gateway, "auto", ASKED).await;
    assert_eq!(cache(&ask(&gateway, "auto", AGAIN).await), "semantic");
    let asked = edge.requests();
    assert_eq!((asked.len(), asked[0].path(), &asked[0].json()["input"]), (2, "/v1/embeddings", &json!(ASKED)));
    // It fails: the question is asked, nothing else.
    edge.now_always(Answer::error(500, "server_error", "no vectors today"));
    assert_eq!(cache(&ask(&gateway, "auto", "how do I reset my password for the harbour portal!").await), "miss");
    // None in the cloud: it would see what may not leave.
    let before = gateway.rejected_reloads().await;
    gateway.reload_broken(&with("far").yaml()).await;
    assert!(gateway.rejected_reloads().await > before);
}

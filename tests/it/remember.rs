//! The exact cache: what is answered from memory, for whom, in which form, and what never is.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::config::PROVIDER_KEY;
use crate::support::sse;
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gateway, Response, Upstream, eventually};

pub const PRICE: &str = "price: {input: 1, output: 2}";

pub fn config(cloud: &Upstream, cache: &str) -> Config {
    let config =
        Config::new().cloud("acme", cloud).model("gpt-5", "acme", PRICE).route("auto", "aliases: [other]", &["gpt-5"]);
    config.top(cache)
}

/// Each answer of its own, so that a repeated one is known for it.
pub async fn numbered() -> Upstream {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Upstream::named("cloud").await.answering(move |request: &Request| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let words = format!("answer {number} of {}", request.path());
        let stream = request.json()["stream"] == true;
        match (request.path(), stream) {
            ("/v1/embeddings", _) => Answer::embeddings(1),
            ("/v1/responses", true) => Answer::response_stream(&["answer ", &number.to_string()]),
            ("/v1/responses", false) => Answer::response(&words),
            (_, true) => Answer::chat_stream(&["answer ", &number.to_string(), " streamed"], true),
            (_, false) => Answer::chat(&words),
        }
    })
}

pub async fn ask(gateway: &Gateway, body: &Value) -> Response {
    let answer = gateway.chat(body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

pub fn cache(answer: &Response) -> &str {
    answer.header("x-tidegate-cache")
}

/// Streams are kept behind the client's back: the next one asks until it is there.
async fn until_hit(gateway: &Gateway, body: &Value) -> Response {
    eventually("a hit", async || Some(ask(gateway, body).await).filter(|answer| cache(answer) == "hit")).await
}

#[tokio::test]
async fn the_same_question_is_answered_from_memory() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    let first = ask(&gateway, &chat("auto", "what is a tide?")).await;
    assert_eq!((cache(&first), first.header("x-tidegate-placement")), ("miss", "cloud"));
    let bodies = [
        json!({"model": "auto", "messages": [{"role": "user", "content": "what is a tide?"}]}).to_string(),
        r#" { "messages":[{"content":"what is \u0061 tide?","role":"user"}], "user":"u", "metadata":{"a":"b"},"model" : "other" } "#.into(),
    ];
    for _ in 0..3 {
        for body in &bodies {
            let again = gateway.post("/v1/chat/completions").body("application/json", body.clone()).send().await;
            assert_eq!((again.status, cache(&again)), (200, "hit"), "{}", again.text());
            assert_eq!(again.content(), first.content());
            assert_eq!(again.header("x-tidegate-placement"), "cache");
            assert_eq!(again.header("x-tidegate-model"), "gpt-5");
            assert_eq!(again.header("x-tidegate-route"), "auto");
            assert_eq!(again.header("x-tidegate-rule"), first.header("x-tidegate-rule"));
            assert!(again.header("age").parse::<u64>().unwrap() < 30);
            let usage = &again.json()["usage"];
            assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]);
        }
    }
    assert_eq!(cloud.requests().len(), 1);
    gateway.eventually_metric("tidegate_cache_requests_total", &[("tier", "memory"), ("result", "hit")], 6.0).await;
    gateway.eventually_metric("tidegate_cache_tenant_requests_total", &[("result", "hit")], 6.0).await;
    gateway.eventually_metric("tidegate_requests_total", &[("placement", "cache"), ("model", "gpt-5")], 6.0).await;
    let metrics = gateway.metrics().await;
    assert!(metrics.sum("tidegate_saved_usd_total", &[("by", "cache")]) > 0.0);
    let cost = metrics.sum("tidegate_cost_usd_total", &[]);
    assert!((metrics.sum("tidegate_saved_usd_total", &[("by", "cache")]) - 6.0 * cost).abs() < 1e-9);
}

#[tokio::test]
async fn an_answer_is_told_in_whatever_form_it_is_asked_for() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    // Plain first, then as a stream.
    let plain = ask(&gateway, &chat("auto", "plain first")).await;
    let streamed = ask(&gateway, &chat_stream("auto", "plain first")).await;
    assert_eq!((cache(&streamed), streamed.header("content-type")), ("hit", "text/event-stream; charset=utf-8"));
    let events = streamed.events();
    assert_eq!(sse::text(&events), plain.content());
    assert!(events.last().unwrap().is_done());
    assert!(events.iter().all(|event| event.is_done() || event.json()["usage"].is_null()));
    let mut with_usage = chat_stream("auto", "plain first");
    with_usage["stream_options"] = json!({"include_usage": true});
    let events = ask(&gateway, &with_usage).await.events();
    let usage = events[events.len() - 2].json();
    assert_eq!((&usage["choices"], usage["usage"]["prompt_tokens"].is_u64()), (&json!([]), true));
    // A stream first, then plain.
    let first = ask(&gateway, &chat_stream("auto", "stream first")).await;
    assert_eq!(cache(&first), "miss");
    assert!(first.events().iter().all(|event| event.is_done() || event.json()["usage"].is_null()));
    let again = until_hit(&gateway, &chat("auto", "stream first")).await;
    assert_eq!(again.content(), sse::text(&first.events()));
    assert_eq!(again.json()["object"], "chat.completion");
    assert_eq!(cloud.requests().len(), 2);
}

#[tokio::test]
async fn every_endpoint_remembers() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    let asks = [
        ("/v1/embeddings", json!({"model": "auto", "input": "a"})),
        ("/v1/completions", json!({"model": "auto", "prompt": "a"})),
        ("/v1/responses", json!({"model": "auto", "input": "a"})),
    ];
    for (path, body) in asks {
        let first = gateway.post(path).json(&body).send().await;
        let again = gateway.post(path).json(&body).send().await;
        assert_eq!((cache(&first), cache(&again)), ("miss", "hit"), "{path} {}", first.text());
        if path != "/v1/responses" {
            continue;
        }
        let mut streamed = body.clone();
        streamed["stream"] = true.into();
        let streamed = gateway.post(path).json(&streamed).send().await;
        assert_eq!(cache(&streamed), "hit");
        let last = streamed.events().pop().unwrap();
        assert_eq!(last.json()["type"], "response.completed");
        assert_eq!(last.json()["response"], again.json());
    }
}

#[tokio::test]
async fn what_has_more_than_one_answer_is_asked_again() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {exact: {max_temperature: 0.3}}")).await;
    let with = |more: Value| {
        let mut body = chat("auto", "again?");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, kept) in [
        (json!({"temperature": 0}), true),
        (json!({"temperature": 0.3}), true),
        (json!({"temperature": 0.31}), false),
        (json!({"seed": 7}), true),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), true),
        (json!({"tools": [{"type": "web_search"}]}), false),
        (json!({"web_search_options": {}}), false),
    ] {
        let body = with(more);
        let (first, second) = (ask(&gateway, &body).await, ask(&gateway, &body).await);
        let expected = if kept { ("miss", "hit") } else { ("off", "off") };
        assert_eq!((cache(&first), cache(&second)), expected, "{body}");
    }
}

#[tokio::test]
async fn a_client_may_want_a_fresh_answer_or_none_from_memory() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    let body = chat("auto", "fresh?");
    let call = |name: &'static str, value: &'static str| gateway.chat(&body).header(name, value);
    let missing = call("cache-control", "only-if-cached").send().await;
    missing.expect_error(504);
    let first = ask(&gateway, &body).await;
    for (name, value, expected) in [
        ("x-tidegate-cache", "off", "off"),
        ("cache-control", "no-store", "off"),
        ("cache-control", "max-age=1000, only-if-cached", "hit"),
        ("x-tidegate-cache", "refresh", "miss"),
    ] {
        let answer = call(name, value).send().await;
        assert_eq!(cache(&answer), expected, "{name}: {value}");
    }
    let now = ask(&gateway, &body).await;
    assert_eq!(cache(&now), "hit");
    assert_ne!(now.content(), first.content(), "refresh did not replace what was kept");
    assert_eq!(call("cache-control", "no-cache").send().await.header("x-tidegate-cache"), "miss");
    assert_eq!(call("cache-control", "max-age=0").send().await.header("x-tidegate-cache"), "miss");
    let mut hinted = body.clone();
    hinted["tidegate"] = json!({"cache": "off"});
    assert_eq!(cache(&ask(&gateway, &hinted).await), "off");
    // What is never remembered is not asked for either, by one who wants nothing else.
    let asked = cloud.requests().len();
    let mut warm = body.clone();
    warm["temperature"] = json!(1.0);
    for call in [gateway.chat(&warm), gateway.chat(&body).header("x-tidegate-cache", "off")] {
        call.header("cache-control", "only-if-cached").send().await.expect_error(504);
    }
    assert_eq!(cloud.requests().len(), asked);
}

/// Wherever it is found: in memory, again on disk, or once more as the nearest question of all.
#[tokio::test]
async fn no_answer_is_older_than_the_client_allows() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {disk: {}, semantic: {}}")).await;
    let body = chat("auto", "How do I reset my password?");
    let first = ask(&gateway, &body).await;
    gateway.eventually_metric("tidegate_cache_requests_total", &[("tier", "disk"), ("result", "stored")], 1.0).await;
    eventually("an answer of two seconds' age", async || {
        (ask(&gateway, &body).await.header("age").parse::<u64>().unwrap() >= 2).then_some(())
    })
    .await;
    let young = gateway.chat(&body).header("cache-control", "max-age=1").send().await;
    assert_eq!(cache(&young), "miss");
    assert_ne!(young.content(), first.content());
    let again = gateway.chat(&body).header("cache-control", "max-age=1000").send().await;
    assert_eq!((cache(&again), again.content()), ("hit", young.content()));
}

#[tokio::test]
async fn only_complete_answers_are_kept() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    let cut = |finish: &str| {
        let body = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": finish}]});
        Answer::json(200, &body)
    };
    for (number, answer) in [cut("length"), cut("content_filter"), Answer::garbage()].into_iter().enumerate() {
        let body = chat("auto", &format!("number {number}"));
        cloud.next([answer]);
        gateway.chat(&body).send().await;
        assert_eq!(cache(&ask(&gateway, &body).await), "miss", "{number}");
    }
    // An error, and a stream that breaks off.
    let body = chat("auto", "error");
    cloud.next([Answer::error(400, "invalid_request_error", "no")]);
    gateway.chat(&body).send().await.expect_error(400);
    assert_eq!(cache(&ask(&gateway, &body).await), "miss");
    let body = chat_stream("auto", "broken");
    let broken = Answer::chat_stream(&["one", "two", "three"], true).reset(crate::support::Point::AfterPiece(3));
    cloud.next([broken]);
    let answer = gateway.chat(&body).send().await;
    assert!(answer.events().iter().any(sse::Event::is_error));
    assert_eq!(cache(&ask(&gateway, &body).await), "miss");
}

#[tokio::test]
async fn truncated_answers_are_kept_where_that_is_asked_for() {
    let cloud = Upstream::named("cloud").await;
    let body = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": "length"}]});
    cloud.now_always(Answer::json(200, &body));
    let gateway = Gateway::with(&config(&cloud, "cache: {exact: {truncated: true}}")).await;
    ask(&gateway, &chat("auto", "x")).await;
    assert_eq!(cache(&ask(&gateway, &chat("auto", "x")).await), "hit");
}

#[tokio::test]
async fn routes_have_terms_of_their_own() {
    let cloud = numbered().await;
    let config = Config::new()
        .cloud("acme", &cloud)
        .model("gpt-5", "acme", PRICE)
        .route("never", "cache: off", &["gpt-5"])
        .route("brief", "cache: {ttl: 1ms}", &["gpt-5"])
        .route("cool", "cache: {without_temperature: false}", &["gpt-5"])
        .route("slow", "cache: {pace: 1ms}", &["gpt-5"])
        .top("cache: {}");
    let gateway = Gateway::with(&config).await;
    for (route, second) in [("never", "off"), ("cool", "off"), ("gpt-5", "hit")] {
        ask(&gateway, &chat(route, "x")).await;
        assert_eq!(cache(&ask(&gateway, &chat(route, "x")).await), second, "{route}");
    }
    ask(&gateway, &chat("brief", "x")).await;
    eventually("the end of a millisecond", async || {
        (cache(&ask(&gateway, &chat("brief", "x")).await) == "miss").then_some(())
    })
    .await;
    let first = ask(&gateway, &chat("slow", "x")).await;
    let paced = ask(&gateway, &chat_stream("slow", "x")).await;
    assert_eq!((cache(&paced), sse::text(&paced.events())), ("hit", first.content()));
}

#[tokio::test]
async fn what_is_purged_is_asked_again() {
    let cloud = numbered().await;
    let config = Config::new()
        .cloud("acme", &cloud)
        .model("gpt-5", "acme", PRICE)
        .route("auto", "", &["gpt-5"])
        .route("second", "", &["gpt-5"])
        .tenant("a", "")
        .tenant("b", "")
        .top("cache: {}");
    let gateway = Gateway::with(&config).await;
    let fill = async || {
        for (tenant, route) in [("a", "auto"), ("a", "second"), ("b", "auto")] {
            for _ in 0..2 {
                gateway.chat(&chat(route, "x")).by(tenant).send().await;
            }
        }
    };
    let purge = async |what: Value| gateway.admin_post("/api/cache/purge", &what).send().await;
    for (what, count) in [
        (json!({"tenant": "a"}), 2),
        (json!({"route": "auto"}), 2),
        (json!({"model": "gpt-5"}), 3),
        (json!({"all": true}), 3),
        (json!({"tenant": "nobody-has-this"}), 0),
    ] {
        fill().await;
        let answer = purge(what.clone()).await;
        assert_eq!((answer.status, &answer.json()["purged"]), (200, &json!(count)), "{what} {}", answer.text());
    }
    fill().await;
    for _ in 0..2 {
        let hit = gateway.chat(&chat("auto", "x")).by("a").send().await;
        assert_eq!(cache(&hit), "hit");
    }
    purge(json!({"tenant": "a"})).await;
    assert_eq!(cache(&gateway.chat(&chat("auto", "x")).by("a").send().await), "miss");
    assert_eq!(cache(&gateway.chat(&chat("auto", "x")).by("b").send().await), "hit");
    let kept = gateway.chat(&chat("auto", "x")).by("b").send().await;
    let by_key = purge(json!({"key": kept.header("x-tidegate-cache-key")})).await;
    assert_eq!(by_key.json()["purged"], 1, "{}", by_key.text());
    let again = gateway.chat(&chat("auto", "x")).by("b").send().await;
    assert_eq!((cache(&again), again.header("x-tidegate-cache-key")), ("miss", kept.header("x-tidegate-cache-key")));
    for wrong in [json!({}), json!({"tenat": "a"}), json!({"tenant": "a", "route": "b"}), json!({"key": "x"})] {
        assert_eq!(purge(wrong.clone()).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_books_know_what_was_answered_from_memory() {
    let cloud = numbered().await;
    let gateway = Gateway::with(&config(&cloud, "cache: {}").tenant("a", "budget: {usd: 1, per: day}")).await;
    for _ in 0..3 {
        gateway.chat(&chat("auto", "x")).by("a").header("x-request-id", "the-one").send().await;
    }
    let usage = eventually("three requests in the books", async || {
        let usage = gateway.admin("/api/usage?by=cache,placement&format=json").send().await.json();
        let rows = usage.as_array().cloned().unwrap_or_default();
        let total: u64 = rows.iter().filter_map(|row| row["requests"].as_u64()).sum();
        (total == 3).then_some(rows)
    })
    .await;
    let hits = usage.iter().find(|row| row["cache"] == "hit").expect("a row of hits");
    assert_eq!(
        (&hits["placement"], &hits["requests"], hits["cost_usd"].as_f64()),
        (&json!("cache"), &json!(2), Some(0.0))
    );
    assert!(hits["saving_usd"].as_f64().unwrap() > 0.0, "{hits}");
}

/// What is kept is what the client was told, not what the cloud has seen.
#[tokio::test]
async fn values_that_were_put_back_are_told_again() {
    let cloud = Upstream::named("cloud").await.answering(|request: &Request| {
        let body = request.json();
        let said = body["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let (one, other) = said.split_at(said.find('_').unwrap_or(1));
        if body["stream"] == true { Answer::chat_stream(&[one, other], true) } else { Answer::chat(&said) }
    });
    let gateway = Gateway::with(&config(&cloud, "pii: {}").top("cache: {}")).await;
    let (first, second) = ("Write to ann.lee@example.org, please.", "Write to bob.ray@example.org, please.");
    for body in [chat("auto", first), chat("auto", first), chat_stream("auto", first)] {
        let answer = ask(&gateway, &body).await;
        let text = if body["stream"] == true { sse::text(&answer.events()) } else { answer.content() };
        assert_eq!((text.as_str(), answer.header("x-tidegate-pii")), (first, "EMAIL_ADDRESS=1"));
    }
    assert_eq!(sse::text(&ask(&gateway, &chat_stream("auto", second)).await.events()), second);
    assert_eq!(until_hit(&gateway, &chat("auto", second)).await.content(), second);
    let seen: Vec<String> = cloud.requests().iter().map(|request| request.json().to_string()).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|text| text.contains("EMAIL_ADDRESS") && !text.contains("example.org")), "{seen:?}");
}

#[tokio::test]
async fn nothing_of_an_answer_is_in_a_log_or_metric() {
    let cloud = Upstream::named("cloud").await.always(Answer::chat("the secret harbour"));
    let gateway = Gateway::with(&config(&cloud, "cache: {}")).await;
    for _ in 0..3 {
        ask(&gateway, &chat("auto", "where is the hidden quay?")).await;
    }
    let text = gateway.admin("/metrics").send().await.text() + &gateway.log().text();
    for secret in ["secret harbour", "hidden quay", PROVIDER_KEY] {
        assert!(!text.contains(secret), "{secret}");
    }
}

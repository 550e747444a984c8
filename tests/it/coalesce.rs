//! Identical requests in flight: one call upstream, an answer for each, whoever leaves.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::sse;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually, within};

const PRICE: &str = "price: {input: 1, output: 2}";

async fn gateway_to(cloud: &Upstream, more: &str) -> Gateway {
    let config = Config::new().cloud("acme", cloud).model("gpt-5", "acme", PRICE).route("auto", more, &["gpt-5"]);
    Gateway::with(&config.top("cache: {}").top("server: {workers: 2}")).await
}

/// Until so many are waiting for an answer that is under way.
async fn until_joined(gateway: &Gateway, count: f64) {
    gateway
        .eventually_metric("tidegate_cache_requests_total", &[("tier", "flight"), ("result", "coalesced")], count)
        .await;
}

const WORDS: [&str; 5] = ["the ", "tide ", "comes ", "and ", "goes"];

#[tokio::test]
async fn two_hundred_identical_streams_make_one_call() {
    let gate = Gate::new();
    let held = Answer::chat_stream(&WORDS, true).gated(Point::AfterPiece(3), &gate);
    let cloud = Upstream::named("cloud").await.always(held);
    let gateway = gateway_to(&cloud, "").await;
    let asks = (0..200).map(|number| {
        let mut body = chat_stream("auto", "the same?");
        if number % 2 == 1 {
            body["stream_options"] = json!({"include_usage": true});
        }
        let call = gateway.chat(&body);
        async move { (number, call.stream().await) }
    });
    let mut streams = within("200 streams", futures_util::future::join_all(asks)).await;
    gate.open();
    let mut by = std::collections::BTreeMap::new();
    for (number, stream) in &mut streams {
        assert_eq!(stream.status, 200);
        *by.entry(stream.header("x-tidegate-cache").to_owned()).or_insert(0) += 1;
        let events = stream.events().await;
        assert_eq!(sse::text(&events), WORDS.concat(), "{number}");
        assert!(events.last().unwrap().is_done(), "{number}");
        let usages = events.iter().filter(|event| !event.is_done() && !event.json()["usage"].is_null()).count();
        assert_eq!(usages, usize::from(*number % 2 == 1), "{number}");
    }
    assert_eq!(cloud.requests().len(), 1);
    assert_eq!(by.into_iter().collect::<Vec<_>>(), [("coalesced".to_owned(), 199), ("miss".to_owned(), 1)]);
    let metrics = gateway.metrics().await;
    let (cost, saved) =
        (metrics.sum("tidegate_cost_usd_total", &[]), metrics.sum("tidegate_saved_usd_total", &[("by", "cache")]));
    assert!(cost > 0.0 && (saved - 199.0 * cost).abs() < 1e-9, "{cost} {saved}");
}

#[tokio::test]
async fn the_one_who_asked_first_may_leave() {
    // Before the answer has begun, and in the middle of it.
    for point in [Point::BeforeHead, Point::AfterPiece(3)] {
        let gate = Gate::new();
        let cloud = Upstream::named("cloud").await.always(Answer::chat_stream(&WORDS, true).gated(point, &gate));
        let gateway = gateway_to(&cloud, "").await;
        let body = chat_stream("auto", "who leaves?");
        let begun = matches!(point, Point::AfterPiece(_));
        let first = tokio::spawn(gateway.chat(&body).stream());
        eventually("the call", async || (cloud.requests().len() == 1).then_some(())).await;
        let follower = tokio::spawn(gateway.chat(&body).stream());
        if begun {
            let first = first.await.unwrap();
            until_joined(&gateway, 1.0).await;
            first.disconnect();
        } else {
            // The follower has no head yet: that it is there is seen by the requests that the gateway has taken in.
            gateway.eventually_metric("tidegate_cache_following", &[], 1.0).await;
            first.abort();
        }
        gate.open();
        let mut follower = within("the follower's head", follower).await.unwrap();
        assert_eq!(sse::text(&follower.events().await), WORDS.concat());
        assert_eq!((cloud.requests().len(), cloud.cancels().len()), (1, 0), "begun: {begun}");
    }
}

#[tokio::test]
async fn when_everybody_has_left_the_call_is_cancelled() {
    let gate = Gate::new();
    let cloud =
        Upstream::named("cloud").await.always(Answer::chat_stream(&WORDS, true).gated(Point::AfterPiece(3), &gate));
    let gateway = gateway_to(&cloud, "").await;
    let body = chat_stream("auto", "all leave");
    let first = gateway.chat(&body).stream().await;
    let second = gateway.chat(&body).stream().await;
    assert_eq!(second.header("x-tidegate-cache"), "coalesced");
    first.disconnect();
    second.disconnect();
    eventually("the cancel", async || (cloud.cancels().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_plain_follower_of_a_stream_and_the_other_way_round() {
    for (leader, follower) in [(true, false), (false, true)] {
        let gate = Gate::new();
        let answer = if leader { Answer::chat_stream(&WORDS, true) } else { Answer::chat(&WORDS.concat()) };
        let point = if leader { Point::AfterPiece(3) } else { Point::BeforeHead };
        let cloud = Upstream::named("cloud").await.always(answer.gated(point, &gate));
        let gateway = gateway_to(&cloud, "").await;
        let body = |stream: bool| if stream { chat_stream("auto", "form?") } else { chat("auto", "form?") };
        let first = tokio::spawn(gateway.chat(&body(leader)).send());
        eventually("the call", async || (cloud.requests().len() == 1).then_some(())).await;
        let second = tokio::spawn(gateway.chat(&body(follower)).send());
        gateway.eventually_metric("tidegate_cache_following", &[], 1.0).await;
        gate.open();
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        let text = |stream: bool, answer: &crate::support::Response| {
            if stream { sse::text(&answer.events()) } else { answer.content() }
        };
        assert_eq!(text(leader, &first), WORDS.concat());
        assert_eq!(text(follower, &second), WORDS.concat(), "{}", second.text());
        assert_eq!(second.header("x-tidegate-cache"), "coalesced");
        assert_eq!(cloud.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_error_goes_to_all_or_each_tries_for_himself() {
    for (more, calls) in [("", 1), ("cache: {on_error: retry}", 3)] {
        let gate = Gate::new();
        let cloud = Upstream::named("cloud").await;
        cloud.now_always(Answer::error(400, "invalid_request_error", "no such thing").gated(Point::BeforeHead, &gate));
        let gateway = gateway_to(&cloud, more).await;
        let body = chat("auto", "wrong");
        let asks: Vec<_> = (0..3).map(|_| tokio::spawn(gateway.chat(&body).send())).collect();
        gateway.eventually_metric("tidegate_cache_following", &[], 2.0).await;
        gate.open();
        for ask in asks {
            let answer = ask.await.unwrap();
            assert_eq!(answer.status, 400);
        }
        assert_eq!(cloud.requests().len(), calls, "{more}");
    }
}

#[tokio::test]
async fn what_is_one_clients_own_trouble_is_not_the_others() {
    // The first one's limit of tokens is not the second one's, who has another user's meter.
    let gate = Gate::new();
    let cloud = Upstream::named("cloud").await.always(Answer::chat("fine").gated(Point::BeforeHead, &gate));
    let gateway = gateway_to(&cloud, "").await;
    let body = chat("auto", "mine");
    let hurried: Value = gateway.chat(&body).header("x-tidegate-deadline-ms", "50").send().await.expect_error(504);
    assert_eq!(hurried["code"], "timeout");
    let patient = tokio::spawn(gateway.chat(&body).send());
    gate.open();
    assert_eq!(patient.await.unwrap().content(), "fine");
}

#[tokio::test]
async fn what_was_under_way_when_it_was_purged_or_refreshed_is_not_kept() {
    let gate = Gate::new();
    let cloud = Upstream::named("cloud").await;
    let gateway = gateway_to(&cloud, "").await;
    let body = chat("auto", "old or new?");
    let cache = |answer: &crate::support::Response| answer.header("x-tidegate-cache").to_owned();
    // Under way, then purged: who asks from then on gets an answer of his own.
    cloud.next([Answer::chat("old").gated(Point::BeforeHead, &gate), Answer::chat("new")]);
    let old = tokio::spawn(gateway.chat(&body).send());
    eventually("the first call", async || (cloud.requests().len() == 1).then_some(())).await;
    gateway.admin_post("/api/cache/purge", &json!({"all": true})).send().await;
    let new = gateway.chat(&body).send().await;
    assert_eq!((cache(&new), new.content().as_str()), ("miss".to_owned(), "new"));
    gate.open();
    assert_eq!(old.await.unwrap().content(), "old");
    let now = gateway.chat(&body).send().await;
    assert_eq!((cache(&now), now.content().as_str()), ("hit".to_owned(), "new"));
    // A refresh that overtakes a slow one stays; and nobody has the one before by a shorter way.
    for _ in 0..8 {
        gateway.chat(&body).send().await;
    }
    cloud.next([Answer::chat("newest")]);
    let refreshed = gateway.chat(&body).header("x-tidegate-cache", "refresh").send().await;
    assert_eq!(refreshed.content(), "newest");
    for _ in 0..8 {
        let now = gateway.chat(&body).send().await;
        assert_eq!((cache(&now), now.content().as_str()), ("hit".to_owned(), "newest"));
    }
}

#[tokio::test]
async fn a_long_answer_is_kept_and_shared_too() {
    let gate = Gate::new();
    let text = "tide ".repeat(100_000);
    let cloud = Upstream::named("cloud").await.always(Answer::chat(&text).gated(Point::BeforeHead, &gate));
    let gateway = gateway_to(&cloud, "").await;
    let body = chat("auto", "at length");
    let asks: Vec<_> = (0..5).map(|_| tokio::spawn(gateway.chat(&body).send())).collect();
    gateway.eventually_metric("tidegate_cache_following", &[], 4.0).await;
    gate.open();
    for ask in asks {
        assert_eq!(ask.await.unwrap().content(), text);
    }
    assert_eq!(gateway.chat(&body).send().await.header("x-tidegate-cache"), "hit");
    assert_eq!(cloud.requests().len(), 1);
}

#[tokio::test]
async fn a_drain_waits_for_those_whose_leader_has_left() {
    let gate = Gate::new();
    let cloud =
        Upstream::named("cloud").await.always(Answer::chat_stream(&WORDS, true).gated(Point::AfterPiece(3), &gate));
    let mut gateway = gateway_to(&cloud, "").await;
    let body = chat_stream("auto", "who stays?");
    let leader = gateway.chat(&body).stream().await;
    let mut followers = Vec::new();
    for _ in 0..4 {
        followers.push(gateway.chat(&body).stream().await);
    }
    leader.disconnect();
    gateway.signal("TERM");
    eventually("the drain", async || (gateway.admin("/readyz").send().await.status == 503).then_some(())).await;
    gate.open();
    for follower in &mut followers {
        assert_eq!(sse::text(&follower.events().await), WORDS.concat());
    }
    drop(followers);
    gateway.wait_exit().await;
}

//! Before anything has reached the client, the next target takes over; after the last one, an honest error.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{chat, chat_stream};
use crate::support::load::Load;
use crate::support::{Answer, Config, Gateway, Point, Response, Upstream, eventually, sse};

/// Impatient, and asked again however often it has failed.
const PROVIDER: &str = "timeouts: {first_token: 500ms, between_tokens: 500ms}\nbreaker: {enabled: false}";

/// `auto` tries `first`, then `second`, two providers without health checks.
fn two_providers(first: &Upstream, second: &Upstream) -> Config {
    Config::new()
        .cloud_with("one", first, PROVIDER)
        .cloud_with("two", second, PROVIDER)
        .model("first", "one", "")
        .model("second", "two", "")
        .route("auto", "", &["first", "second"])
}

async fn two() -> (Upstream, Upstream, Gateway) {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let gateway = Gateway::with(&two_providers(&one, &two)).await;
    (one, two, gateway)
}

fn attempts(answer: &Response) -> &str {
    answer.header("x-tidegate-attempts")
}

#[tokio::test]
async fn the_next_target_takes_over_whatever_goes_wrong() {
    let (one, _two, gateway) = two().await;
    let chat_answer = Answer::chat("never seen");
    let cases = [
        ("first:rate-limited", Answer::rate_limited("1")),
        ("first:upstream-failed", Answer::error(500, "server_error", "oops")),
        ("first:upstream-failed", Answer::loading()),
        ("first:upstream-failed", Answer::new(502, "text/html", chat_answer.framing, vec!["<h1>Bad</h1>".into()])),
        ("first:timeout", chat_answer.clone().stalled(Point::BeforeHead)),
        ("first:broken", Answer::garbage()),
        ("first:broken", chat_answer.clone().reset(Point::BeforeHead)),
        ("first:broken", chat_answer.clone().closed(Point::BeforeHead)),
        ("first:broken", Answer::raw("HTTP/1.1 200 OK\r\ncontent-le")),
    ];
    for (expected, answer) in cases {
        for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
            one.now_always(answer.clone());
            let answer = gateway.chat(&body).send().await;
            assert_eq!(answer.status, 200, "{expected}: {}", answer.text());
            assert_eq!(attempts(&answer), format!("{expected},second:ok"));
            assert_eq!(answer.header("x-tidegate-model"), "second");
            let text = if body["stream"] == true { sse::text(&answer.events()) } else { answer.content() };
            assert_eq!(text, "hello from two", "{expected}");
        }
    }
}

#[tokio::test]
async fn a_stream_whose_head_comes_and_whose_first_event_does_not_is_taken_over() {
    let (one, _two, gateway) = two().await;
    let stream = Answer::chat_stream(&["never seen"], false);
    let cases = [
        Answer::sse_error_first(),
        Answer::sse(["event: error\ndata: {\"error\":{\"message\":\"overloaded\",\"type\":\"overloaded_error\"}}\n\n"]),
        stream.clone().stalled(Point::AfterHead),
        stream.clone().reset(Point::AfterHead),
        stream.closed(Point::InsidePiece(1)),
        Answer::sse([": only a comment\n\n"]).stalled(Point::AfterPiece(1)),
    ];
    for (case, answer) in cases.into_iter().enumerate() {
        one.next([answer]);
        let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
        let events = answer.events();
        assert_eq!(sse::text(&events), "hello from two", "case {case}: {events:?}");
        assert!(attempts(&answer).starts_with("first:") && attempts(&answer).ends_with(",second:ok"), "{case}");
        assert!(events.iter().all(|event| !event.is_error()), "{case}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_taken_over() {
    let (one, two) = (Upstream::down("one"), Upstream::named("two").await);
    let gateway = Gateway::with(&two_providers(&one, &two)).await;
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!((answer.content().as_str(), attempts(&answer)), ("hello from two", "first:connect,second:ok"));
}

/// A body that ends too early must be replaced or be seen to be broken, never look complete.
#[tokio::test]
async fn a_truncated_answer_never_looks_complete() {
    let (one, _two, gateway) = two().await;
    let answer = Answer::chat("never complete");
    let length = answer.body().len();
    let lies = [
        answer.clone().claiming(length + 100),
        answer.clone().split_at(length / 2).reset(Point::AfterPiece(1)),
        answer.clone().split_at(length / 2).closed(Point::AfterPiece(1)),
        answer.split_at(length / 2).stalled(Point::AfterPiece(1)),
    ];
    for (case, lie) in lies.into_iter().enumerate() {
        one.next([lie]);
        match gateway.chat(&chat("auto", "hi")).try_send().await {
            Ok(answer) if answer.status == 200 => assert_eq!(answer.content(), "hello from two", "case {case}"),
            Ok(answer) => assert!(answer.status >= 500, "case {case}: {}", answer.text()),
            Err(_broken) => {}
        }
    }
}

#[tokio::test]
async fn odd_but_valid_answers_are_no_failures() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    // Slow is no failure here: an answer that comes byte by byte takes its time on a busy machine.
    let patient = two_providers(&one, &two).yaml().replace("500ms", "60s");
    let gateway = Gateway::with_yaml(&patient).await;
    let mut many_headers = Answer::chat("odd");
    for number in 0..80 {
        many_headers = many_headers.header(&format!("x-odd-{number}"), &"v".repeat(200));
    }
    for answer in [Answer::chat("odd").until_close(), Answer::chat("odd").dripped(Duration::ZERO), many_headers] {
        one.next([answer]);
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "odd");
    }
    assert_eq!(two.requests().len(), 0);
}

#[tokio::test]
async fn when_all_fail_the_error_says_so_and_asks_for_no_retry() {
    let (one, two, gateway) = two().await;
    let failed = Answer::error(500, "server_error", "oops");
    let cases = [
        (failed.clone(), failed.clone(), [500, 502], "first:upstream-failed,second:upstream-failed"),
        (Answer::rate_limited("60"), Answer::rate_limited("60"), [429, 429], "first:rate-limited,second:rate-limited"),
        (Answer::garbage(), Answer::garbage(), [502, 502], "first:broken,second:broken"),
        (
            Answer::chat("").stalled(Point::BeforeHead),
            Answer::chat("").stalled(Point::BeforeHead),
            [504, 504],
            "first:timeout,second:timeout",
        ),
    ];
    for (at_one, at_two, statuses, expected) in cases {
        one.now_always(at_one);
        two.now_always(at_two);
        for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
            let answer = gateway.chat(&body).send().await;
            assert!(statuses.contains(&answer.status), "{expected}: {} {}", answer.status, answer.text());
            answer.expect_error(answer.status);
            assert_eq!(attempts(&answer), expected);
            assert_eq!(answer.header("x-should-retry"), "false", "{expected}");
        }
    }
}

/// When every target has failed and the last one asks for a short pause, it gets it; a long one is told to the client instead.
#[tokio::test]
async fn a_short_pause_that_is_asked_for_is_waited_out() {
    let (one, two, gateway) = two().await;
    one.next([Answer::rate_limited("60")]);
    two.next([Answer::rate_limited("1")]);
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!(attempts(&answer), "first:rate-limited,second:rate-limited,second:ok");
    let asked: Vec<Instant> = two.requests().iter().map(|request| request.at).collect();
    assert!(asked[1] - asked[0] >= Duration::from_secs(1), "{asked:?}");
}

#[tokio::test]
async fn when_nobody_listens_it_is_a_bad_gateway() {
    let (one, two) = (Upstream::down("one"), Upstream::down("two"));
    let gateway = Gateway::with(&two_providers(&one, &two)).await;
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    answer.expect_error(502);
    assert_eq!((attempts(&answer), answer.header("x-should-retry")), ("first:connect,second:connect", "false"));
}

#[tokio::test]
async fn a_refusal_is_the_requests_own_fault_and_not_tried_again() {
    let (one, two, gateway) = two().await;
    for status in [400, 409, 422] {
        one.next([Answer::error(status, "invalid_request_error", "your fault")]);
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!(answer.expect_error(status)["message"], "your fault");
    }
    assert_eq!((one.requests().len(), two.requests().len()), (3, 0));
}

/// A model that one upstream does not have, a prompt that does not fit there, a key that is refused there: another may well answer.
#[tokio::test]
async fn a_refusal_that_is_the_targets_own_is_taken_over() {
    let (one, _two, gateway) = two().await;
    let too_long = Answer::error(400, "exceed_context_size_error", "the request exceeds the available context size");
    let refusals = [
        Answer::error(404, "NotFoundError", "The model `x` does not exist."),
        Answer::error(401, "authentication_error", "Invalid API Key"),
        too_long,
    ];
    for refusal in refusals {
        one.next([refusal]);
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!(attempts(&answer), "first:upstream-refused,second:ok", "{}", answer.text());
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let upstreams = [Upstream::named("a").await, Upstream::named("b").await, Upstream::named("c").await];
    let mut config = Config::new().top("retries: {max_attempts: 2}");
    for (name, upstream) in ["a", "b", "c"].iter().zip(&upstreams) {
        upstream.now_always(Answer::error(500, "server_error", "oops"));
        config = config.cloud(name, upstream).model(name, name, "");
    }
    let gateway = Gateway::with(&config.route("auto", "", &["a", "b", "c"])).await;
    assert!(gateway.chat(&chat("auto", "hi")).send().await.status >= 500);
    let tried: Vec<usize> = upstreams.iter().map(|upstream| upstream.requests().len()).collect();
    assert_eq!(tried, [1, 1, 0]);
}

#[tokio::test]
async fn the_clients_deadline_ends_it_all() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    one.now_always(Answer::chat("late").stalled(Point::BeforeHead));
    two.now_always(Answer::chat("late").stalled(Point::BeforeHead));
    let config = Config::new()
        .cloud("one", &one)
        .cloud("two", &two)
        .model("first", "one", "")
        .model("second", "two", "")
        .route("auto", "", &["first", "second"]);
    let gateway = Gateway::with(&config).await;
    let mut in_body = chat("auto", "hi");
    in_body["tidegate"] = json!({"deadline_ms": 300});
    let calls = [gateway.chat(&chat("auto", "hi")).header("x-tidegate-deadline-ms", "300"), gateway.chat(&in_body)];
    for call in calls {
        let started = Instant::now();
        let error = call.send().await.expect_error(504);
        // Far below the sixty seconds that the upstreams are given by default.
        assert!(started.elapsed() < Duration::from_secs(20), "{error}");
    }
}

#[tokio::test]
async fn a_killed_node_is_noticed_by_nobody_and_returns_by_itself() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let config = Config::new().edge("lab", &[&one, &two]).model("small", "lab", "").route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    let up = [("upstream", "lab")];
    gateway.eventually_metric("tidegate_upstream_up", &up, 2.0).await;
    let load = Load::start(gateway.addr(), 8);
    load.more(40).await;
    assert!(!one.requests().is_empty() && !two.requests().is_empty(), "both nodes take part");
    one.kill().await;
    load.more(80).await;
    gateway.eventually_metric("tidegate_upstream_up", &up, 1.0).await;
    one.restart_on_same_port().await;
    gateway.eventually_metric("tidegate_upstream_up", &up, 2.0).await;
    let before = one.requests().len();
    eventually("the node works again", async || (one.requests().len() > before).then_some(())).await;
    assert_eq!(load.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_says_it_is_sick_gets_nothing() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    one.set_sick(true);
    let config = Config::new().edge("lab", &[&one, &two]).model("small", "lab", "").route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    gateway.eventually_metric("tidegate_upstream_up", &[("upstream", "lab")], 1.0).await;
    let before = one.requests().len();
    for _ in 0..10 {
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from two");
    }
    assert_eq!(one.requests().len(), before);
    one.set_sick(false);
    gateway.eventually_metric("tidegate_upstream_up", &[("upstream", "lab")], 2.0).await;
}

#[tokio::test]
async fn the_least_loaded_node_is_chosen_and_full_nodes_are_passed_over() {
    let (one, two, cloud) =
        (Upstream::named("one").await, Upstream::named("two").await, Upstream::named("cloud").await);
    let held = || Answer::chat("held").stalled(Point::BeforeHead);
    one.now_always(held());
    two.now_always(held());
    let config = Config::new()
        .edge_with("lab", &[&one, &two], "max_in_flight_per_node: 2")
        .cloud("acme", &cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .route("auto", "", &["small", "frontier"]);
    let gateway = Gateway::with(&config).await;
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(gateway.chat(&chat("auto", "hi")).try_send())).collect();
    eventually("each node has two", async || ((one.in_flight(), two.in_flight()) == (2, 2)).then_some(())).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from cloud");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

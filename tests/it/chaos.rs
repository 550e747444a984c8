//! Servers fail under load: who asked does not notice, what is sick is soon asked no more, and what is well again works again by itself.
//!
//! What a reader could get wrong: nothing here is measured in milliseconds; that the 99th percentile comes back is concluded from where requests go.
//! A stream that had reached its client when its server failed cannot be taken back: those are counted apart, and must say so.

use std::time::Duration;

use serde_json::json;
use tidegate::lab::load::{Kind, Load, Outcome, Pace, Plan};
use tidegate::lab::{Character, Fault, Node, Pause};

use crate::support::client::{chat, chat_stream};
use crate::support::stage::{POOL, Stage, plain, pool, provider};
use crate::support::{Gateway, eventually, sse};

/// Plain requests of every kind in turn, as fast as eight clients get their answers.
fn load(gateway: &Gateway, model: &'static str, streams: f64) -> Load {
    let kinds = vec![Kind { name: "any", model, headers: &[], weight: 1, only_cloud: false }];
    Load::start(Plan { gateway: gateway.addr(), clients: 8, pace: Pace::Closed, seed: 1, kinds, streams })
}

fn errors(outcomes: &[Outcome]) -> Vec<&Outcome> {
    outcomes.iter().filter(|outcome| outcome.error.is_some()).collect()
}

/// Waits until of 100 requests almost none are sent to that server, and says how many that took.
async fn until_left_alone(load: &Load, server: &Node) -> usize {
    for round in 1..=40 {
        let before = server.counts().asked;
        load.more(100).await;
        if server.counts().asked - before <= 4 {
            return round * 100;
        }
    }
    panic!("{} is asked for a share of the requests still: {:?}", server.name(), server.counts());
}

async fn until_at_work(load: &Load, server: &Node) {
    let before = server.counts().asked;
    eventually("the server works again", async || (server.counts().asked > before + 10).then_some(())).await;
    load.more(1).await;
}

#[tokio::test]
async fn a_node_that_dies_stalls_or_slows_down_is_noticed_by_the_gateway_and_by_nobody_else() {
    let stage = Stage::start(&[], POOL).await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[pool(4)])).await;
    let load = load(&gateway, "edge", 0.0);
    load.more(100).await;
    for (sick, fault) in [(0, Fault::Killed), (1, Fault::Stalled), (2, Fault::Slow(10.0)), (3, Fault::HalfOpen)] {
        let node = &stage.servers[sick];
        assert!(node.counts().asked > 0, "every node takes part: {fault:?}");
        node.set(fault).await.unwrap();
        until_left_alone(&load, node).await;
        node.set(Fault::None).await.unwrap();
        until_at_work(&load, node).await;
    }
    let outcomes = load.stop().await;
    assert!(errors(&outcomes).is_empty(), "of {}: {:?}", outcomes.len(), errors(&outcomes));
}

#[tokio::test]
async fn only_streams_that_were_under_way_end_and_they_say_so() {
    let stage = Stage::start(&[], POOL).await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[pool(4)])).await;
    let load = load(&gateway, "edge", 1.0);
    for (sick, fault) in [(0, Fault::Killed), (1, Fault::Stalled)] {
        load.more(50).await;
        let failed_at = load.elapsed();
        stage.servers[sick].set(fault).await.unwrap();
        until_left_alone(&load, &stage.servers[sick]).await;
        for outcome in errors(&load.outcomes(0)).iter().filter(|outcome| outcome.answered >= failed_at) {
            assert!(outcome.is_cut_stream() && outcome.asked <= failed_at, "{fault:?} at {failed_at:?}: {outcome:?}");
            assert!(
                ["upstream_broken", "timeout"].contains(&outcome.error.as_deref().unwrap_or_default()),
                "{outcome:?}"
            );
        }
    }
    assert!(load.stop().await.len() > 100);
}

#[tokio::test]
async fn a_stall_in_mid_stream_is_told_in_the_stream_and_not_retried() {
    let stage = Stage::start(&[], "timeouts: {between_tokens: 500ms}").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[pool(2)])).await;
    for (fault, code) in [(Fault::HangsAfter(4), "timeout"), (Fault::BreaksOff(4), "upstream_broken")] {
        for node in &stage.servers[..2] {
            node.set(fault).await.unwrap();
        }
        let answer = gateway.chat(&chat_stream("edge", "hi")).send().await;
        let events = answer.events();
        assert_eq!(answer.status, 200);
        let last = events.last().expect("an event");
        assert!(last.is_error() && !events.iter().any(sse::Event::is_done), "{fault:?}: {events:?}");
        assert_eq!(last.json()["error"]["code"], code, "{fault:?}: {last:?}");
        assert!(sse::text(&events).starts_with("This is"), "{fault:?}: what came is kept");
    }
    let asked: u64 = stage.servers.iter().map(|server| server.counts().asked).sum();
    assert_eq!(asked, 2, "what has begun is not asked again elsewhere");
}

#[tokio::test]
async fn garbage_is_taken_over_by_the_next_or_told_as_what_it_is() {
    let stage = Stage::start(&[provider("a"), provider("b")], "").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[plain("a"), plain("b")])).await;
    let [a, b] = [stage.server("a"), stage.server("b")];
    let faults =
        [Fault::Garbage, Fault::Failing(500), Fault::Failing(503), Fault::BreaksOff(1), Fault::Loading, Fault::Killed];
    for fault in faults {
        a.set(fault).await.unwrap();
        let answer = gateway.chat(&chat("both", "hi")).send().await;
        assert!(answer.status == 200 && answer.content().contains("by b"), "{fault:?}: {}", answer.text());
    }
    b.set(Fault::Garbage).await.unwrap();
    let answer = gateway.chat(&chat("both", "hi")).send().await;
    assert!([502, 503].contains(&answer.status), "{}", answer.text());
    let error = answer.expect_error(answer.status);
    assert!(!error.to_string().contains("127.0.0.1"), "no address of a server: {error}");
}

/// A provider's clock may be wrong: `retry-after` as a date long past, far ahead, or no date at all. None of them holds a request up that another may
/// answer, nor is a short pause waited for by the wrong clock.
#[tokio::test]
async fn a_pause_by_a_wrong_clock_holds_nobody_up() {
    let stage = Stage::start(&[provider("a"), provider("b")], "breaker: {enabled: false}").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[plain("a"), plain("b")])).await;
    let a = stage.server("a");
    for (ahead, pause) in [
        (0, Pause::Date(-86_400)),
        (0, Pause::Date(86_400 * 3_650)),
        (86_400, Pause::Date(1)),
        (-86_400, Pause::Date(1)),
        (0, Pause::Nonsense),
        (0, Pause::Seconds(u64::MAX)),
        (0, Pause::Untold),
    ] {
        a.set_clock(ahead);
        a.set(Fault::Limited(pause)).await.unwrap();
        let answer = gateway.chat(&chat("both", "hi")).send().await;
        assert!(answer.status == 200 && answer.content().contains("by b"), "{pause:?}: {}", answer.text());
        let alone = gateway.chat(&json!({"model": "a", "messages": [{"role": "user", "content": "hi"}],
            "tidegate": {"deadline_ms": 500}}));
        let answer = alone.send().await;
        assert!([429, 503, 504].contains(&answer.status), "{pause:?}: {}", answer.text());
        answer.expect_error(answer.status);
    }
}

#[tokio::test]
async fn a_storm_of_429_shifts_traffic_and_ends_by_itself() {
    let stage = Stage::start(&[provider("a"), provider("b")], "").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[plain("a"), plain("b")])).await;
    let (a, b) = (stage.server("a"), stage.server("b"));
    let load = load(&gateway, "both", 0.3);
    load.more(40).await;
    assert_eq!(b.counts().asked, 0, "the first target has it all");
    a.set(Fault::Limited(Pause::Seconds(1))).await.unwrap();
    gateway.eventually_metric("tidegate_breaker_state", &[("upstream", "a")], 2.0).await;
    until_left_alone(&load, a).await;
    let before = b.counts().asked;
    load.more(50).await;
    assert!(b.counts().asked >= before + 40, "the other has it now");
    a.set(Fault::None).await.unwrap();
    gateway.eventually_metric("tidegate_breaker_state", &[("upstream", "a")], 0.0).await;
    until_at_work(&load, a).await;
    let outcomes = load.stop().await;
    assert!(errors(&outcomes).is_empty(), "{:?}", errors(&outcomes));
}

/// Without a breaker and without another target, only the budget stands between a limit and a storm of retries.
#[tokio::test]
async fn retries_stay_within_their_budget() {
    let stage = Stage::start(&[provider("a")], "breaker: {enabled: false}").await;
    let yaml = format!("retries: {{max_attempts: 4, budget: 0.2}}\n{}", stage.yaml(&[plain("a")]));
    let gateway = Gateway::with_yaml(&yaml).await;
    let a = stage.server("a");
    a.set(Fault::Limited(Pause::Millis(1))).await.unwrap();
    let load = load(&gateway, "a", 0.0);
    load.more(300).await;
    let began = load.elapsed();
    let outcomes = load.stop().await;
    let (requests, asked) = (outcomes.len() as f64, a.counts().asked as f64);
    // The bucket begins half full (10) and gains one a second by itself.
    let most = requests * 1.2 + 10.0 + began.as_secs_f64() + 2.0;
    assert!(asked <= most, "{requests} requests became {asked} attempts, more than {most}");
    // What the provider has said of its limit keeps some from being asked at all, so they are not counted by what it was asked.
    let retried = gateway.metrics().await.sum("tidegate_retries_total", &[("upstream", "a")]);
    assert!(retried > 0.0, "some were tried again");
    assert!(
        outcomes.iter().all(|outcome| outcome.status == 429),
        "the error is the provider's own: {:?}",
        outcomes.first()
    );
}

#[tokio::test]
async fn with_all_clouds_cut_the_edge_serves_what_it_may_and_says_so() {
    let stage = Stage::start(&[provider("a"), provider("b")], "").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[pool(2), plain("a"), plain("b")])).await;
    let ask = |model: &str| gateway.chat(&chat(model, "hi"));
    let answer = ask("cloud-first").send().await;
    assert_eq!((answer.header("x-tidegate-placement"), answer.header("x-tidegate-degraded")), ("cloud", ""));
    let clouds = [stage.server("a"), stage.server("b")];
    for fault in [Fault::Killed, Fault::HalfOpen] {
        for cloud in clouds {
            cloud.set(fault).await.unwrap();
        }
        // `hard-questions` names no edge target in the rule that matches: another rule does.
        for model in ["cloud-first", "cloud-first", "hard-questions"] {
            for body in [chat(model, "hi"), chat_stream(model, "hi")] {
                let answer = gateway.chat(&body).send().await;
                assert_eq!(answer.status, 200, "{fault:?} {model}: {}", answer.text());
                assert_eq!(answer.header("x-tidegate-placement"), "edge", "{fault:?} {model}");
                assert_eq!(answer.header("x-tidegate-degraded"), "cloud-unreachable", "{fault:?} {model}");
            }
        }
        let answer = ask("edge").send().await;
        assert_eq!((answer.status, answer.header("x-tidegate-degraded")), (200, ""), "nobody wanted a cloud");
        let answer = ask("cloud-first").header("x-tidegate-placement", "only-cloud").send().await;
        assert!([502, 503, 504].contains(&answer.status), "{fault:?}: {} {}", answer.status, answer.text());
        answer.expect_error(answer.status);
        assert_eq!(gateway.admin("/readyz").send().await.status, 200, "{fault:?}");
        for cloud in clouds {
            cloud.set(Fault::None).await.unwrap();
        }
        eventually("a cloud answers again", async || {
            let answer = ask("cloud-first").send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            (answer.header("x-tidegate-placement") == "cloud" && answer.header("x-tidegate-degraded").is_empty())
                .then_some(())
        })
        .await;
    }
}

/// What may not leave the edge does not, whatever fails; and what fails there is told.
#[tokio::test]
async fn a_dead_edge_sends_nothing_private_to_the_cloud() {
    let stage = Stage::start(&[provider("a")], "").await;
    let gateway = Gateway::with_yaml(&stage.yaml(&[pool(2), plain("a")])).await;
    for node in &stage.servers[..2] {
        node.set(Fault::Killed).await.unwrap();
    }
    for _ in 0..5 {
        let private = gateway.chat(&chat("cloud-first", "hi")).header("x-tidegate-privacy", "local-only").send().await;
        assert!([502, 503].contains(&private.status), "{}", private.text());
        private.expect_error(private.status);
    }
    assert_eq!(stage.server("a").counts().asked, 0);
    let other = gateway.chat(&chat("edge-first", "hi")).send().await;
    assert_eq!((other.status, other.header("x-tidegate-placement")), (200, "cloud"));
}

#[tokio::test]
async fn the_load_asks_the_same_each_time() {
    let node = Node::start(Character::llama_server("node")).await.unwrap();
    let kinds = ["x", "y"].map(|name| Kind { name, model: name, headers: &[], weight: 1, only_cloud: false });
    let plan = Plan {
        gateway: node.addr(),
        clients: 3,
        pace: Pace::PerSecond(500.0),
        seed: 42,
        kinds: kinds.to_vec(),
        streams: 0.5,
    };
    let mut runs = vec![];
    for _ in 0..2 {
        let load = Load::start(plan.clone());
        load.more(40).await;
        let mut outcomes = load.stop().await;
        outcomes.sort_by_key(|outcome| outcome.number);
        assert!(errors(&outcomes).is_empty(), "{:?}", errors(&outcomes));
        let asked: Vec<(usize, bool)> =
            outcomes.iter().map(|outcome| (outcome.kind, outcome.streamed)).take(40).collect();
        assert!(outcomes.iter().all(|outcome| outcome.latency() > Duration::ZERO));
        runs.push(asked);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&(0, true)) && runs[0].contains(&(1, false)));
}

//! Each fault does what it says, seen by a client that does not retry; what the gateway makes of them is tested with the real binary.

use serde_json::{Value, json};

use super::*;
use crate::lab::client::{Reply, ask, page};
use crate::lab::{Character, Fault, Pause};

const CHAT: &str = "/v1/chat/completions";

fn chat(stream: bool) -> Value {
    let text = "How high is the tide? ".repeat(40);
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

async fn node() -> Node {
    Node::start(Character::llama_server("node")).await.unwrap()
}

async fn answer(node: &Node, path: &str, body: Value) -> Reply {
    ask(node.addr(), path, &[], body).await.unwrap()
}

#[tokio::test]
async fn answers_plain_and_streamed_say_that_they_are_simulated_and_count_what_was_cached() {
    let node = node().await;
    for (path, body) in [
        (CHAT, chat(false)),
        (CHAT, chat(true)),
        ("/v1/responses", json!({"model": "m", "input": "hello", "stream": false})),
        ("/v1/responses", json!({"model": "m", "input": "hello", "stream": true})),
        ("/v1/completions", json!({"model": "m", "prompt": "hello", "stream": true})),
    ] {
        let reply = answer(&node, path, body).await;
        assert!(reply.is_good(), "{path}: {reply:?}");
        assert!(String::from_utf8_lossy(&reply.body).contains("simulated"), "{path}");
        assert_eq!(reply.usage.completion, 18, "{path}");
    }
    let again = answer(&node, CHAT, chat(true)).await;
    assert!(again.usage.cached > 0 && again.usage.cached <= again.usage.prompt, "{:?}", again.usage);
    let counts = node.counts();
    assert_eq!((counts.asked, counts.left), (6, 0));
    assert!(counts.cached_tokens > 0);
}

#[tokio::test]
async fn pages_are_those_of_a_llama_server() {
    let node = node().await;
    for (path, part) in [
        ("/health", "ok"),
        ("/v1/models", "simulated-8b"),
        ("/slots", "is_processing"),
        ("/props", "total_slots"),
        ("/metrics", "llamacpp:requests_deferred 0"),
    ] {
        assert!(page(node.addr(), path).await.unwrap().contains(part), "{path}");
    }
}

#[tokio::test]
async fn log_probabilities_are_told_to_those_who_ask() {
    let node = Node::start(Character { logprob: Some(-0.5), ..Character::llama_server("node") }).await.unwrap();
    let mut body = chat(false);
    let reply = answer(&node, CHAT, body.clone()).await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("-0.5"));
    body["logprobs"] = true.into();
    let reply: Value = serde_json::from_slice(&answer(&node, CHAT, body).await.body).unwrap();
    assert_eq!(reply["choices"][0]["logprobs"]["content"][0]["logprob"], -0.5);
}

#[tokio::test]
async fn broken_answers_are_broken() {
    let node = node().await;
    node.set(Fault::Failing(500)).await.unwrap();
    assert_eq!(answer(&node, CHAT, chat(false)).await.status, 500);
    node.set(Fault::Loading).await.unwrap();
    assert!(page(node.addr(), "/health").await.is_err());
    node.set(Fault::Garbage).await.unwrap();
    assert!(ask(node.addr(), CHAT, &[], chat(false)).await.is_err());
    assert!(page(node.addr(), "/health").await.is_ok());
    node.set(Fault::Truncated).await.unwrap();
    let reply = answer(&node, CHAT, chat(false)).await;
    assert!(reply.status == 200 && serde_json::from_slice::<Value>(&reply.body).is_err());
    for fault in [Fault::Truncated, Fault::BreaksOff(3)] {
        node.set(fault).await.unwrap();
        let reply = answer(&node, CHAT, chat(true)).await;
        assert!(reply.status == 200 && !reply.is_whole, "{fault:?}");
    }
    node.set(Fault::None).await.unwrap();
    assert!(answer(&node, CHAT, chat(true)).await.is_good());
}

#[tokio::test]
async fn limits_are_told_in_many_ways_by_a_clock_that_may_be_wrong() {
    let provider = Node::start(Character::provider("provider")).await.unwrap();
    assert_eq!(answer(&provider, CHAT, chat(false)).await.header("x-ratelimit-remaining-requests"), "9999");
    let mut told = vec![];
    for pause in [Pause::Untold, Pause::Seconds(7), Pause::Nonsense] {
        provider.set(Fault::Limited(pause)).await.unwrap();
        let reply = answer(&provider, CHAT, chat(false)).await;
        assert_eq!(reply.status, 429);
        told.push(reply.header("retry-after").to_owned());
    }
    assert_eq!(told, ["", "7", "soon"]);
    provider.set_clock(-3600);
    provider.set(Fault::Limited(Pause::Date(60))).await.unwrap();
    let reply = answer(&provider, CHAT, chat(false)).await;
    let at = |name: &str| jiff::fmt::rfc2822::parse(reply.header(name)).unwrap().timestamp();
    assert!(at("retry-after") < jiff::Timestamp::now(), "a minute from its own time is long past in ours");
    assert!((at("retry-after") - at("date")).get_seconds() >= 59);
}

#[tokio::test]
async fn a_stalled_one_goes_on_where_it_was_and_a_killed_one_does_not() {
    let node = node().await;
    for fault in [Fault::Stalled, Fault::HalfOpen] {
        node.set(fault).await.unwrap();
        let asking = tokio::spawn(ask(node.addr(), CHAT, &[], chat(true)));
        // The connection is accepted by the kernel; what is asked then waits.
        while node.connections() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!asking.is_finished());
        node.set(Fault::None).await.unwrap();
        assert!(asking.await.unwrap().unwrap().is_good(), "{fault:?}");
    }
    node.set(Fault::Stalled).await.unwrap();
    let asking = tokio::spawn(ask(node.addr(), CHAT, &[], chat(true)));
    while node.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    node.set(Fault::Killed).await.unwrap();
    assert!(asking.await.unwrap().is_err());
    assert!(ask(node.addr(), CHAT, &[], chat(true)).await.is_err(), "nobody listens");
    node.set(Fault::None).await.unwrap();
    let reply = answer(&node, CHAT, chat(true)).await;
    assert!(reply.is_good() && reply.usage.cached == 0, "a restart forgets");
}

#[tokio::test]
async fn who_has_no_slot_waits_and_is_told_in_the_metrics() {
    let node = Node::start(Character { slots: 1, decode: 2.0, ..Character::llama_server("node") }).await.unwrap();
    let held: Vec<_> = (0..3).map(|_| tokio::spawn(ask(node.addr(), CHAT, &[], chat(true)))).collect();
    while !page(node.addr(), "/metrics").await.unwrap().contains("requests_deferred 2") {
        tokio::task::yield_now().await;
    }
    assert!(page(node.addr(), "/slots").await.unwrap().contains("\"is_processing\":true"));
    held.iter().for_each(tokio::task::JoinHandle::abort);
    while node.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(page(node.addr(), "/slots").await.unwrap().contains("\"is_processing\":false"), "left slots are free");
    assert_eq!(node.counts().left, 3);
}

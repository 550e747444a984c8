//! The edge pool: prompts go where their beginnings are, nodes come and go, and waiting is done at the gateway.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::lab::dns::{Dns, Record};

use crate::support::client::chat;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually};

async fn nodes<const N: usize>() -> [Upstream; N] {
    let mut all = Vec::new();
    for n in 0..N {
        all.push(Upstream::named(&format!("node {n}")).await);
    }
    all.try_into().ok().expect("as many as were asked for")
}

fn pool(nodes: &[&Upstream], more: &str) -> Config {
    Config::new().edge_with("lab", nodes, more).model("small", "lab", "id: m").route("auto", "", &["small"])
}

/// An edge pool whose nodes are found.
fn found(discover: &str, more: &str) -> String {
    format!(
        "upstreams:\n  lab:\n    placement: edge\n    kind: vllm\n    discover: {discover}\n    \
         health: {{interval: 100ms, timeout: 5s}}\n{more}\
         models:\n  small: {{upstream: lab, id: m}}\nroutes:\n  auto: {{rules: [{{name: all, try: [small]}}]}}\n"
    )
}

fn conversation(system: &str, turns: usize) -> Value {
    let mut messages = vec![json!({"role": "system", "content": system.repeat(1500)})];
    for turn in 0..turns {
        messages.push(json!({"role": "user", "content": format!("question {turn} ").repeat(40)}));
        messages.push(json!({"role": "assistant", "content": format!("answer {turn} ").repeat(40)}));
    }
    messages.push(json!({"role": "user", "content": "and now?"}));
    json!({"model": "auto", "messages": messages})
}

async fn who_answers(gateway: &Gateway, body: &Value) -> String {
    let answer = gateway.chat(body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.content()
}

/// The nodes of the one upstream, as the admin API tells.
async fn told(gateway: &Gateway) -> Vec<Value> {
    let all = gateway.admin("/api/upstreams").send().await.json();
    all[0]["nodes"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_conversation_stays_where_its_beginning_is_and_others_spread() {
    let nodes = nodes::<4>().await;
    let gateway = Gateway::with(&pool(&nodes.each_ref(), "balance: prefix")).await;
    let mut homes = std::collections::BTreeSet::new();
    for system in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"] {
        let home = who_answers(&gateway, &conversation(system, 0)).await;
        for turn in 1..4 {
            assert_eq!(who_answers(&gateway, &conversation(system, turn)).await, home, "{system}, turn {turn}");
        }
        homes.insert(home);
    }
    assert!(homes.len() > 1, "ten system prompts all live on {homes:?}");
    let metrics = gateway.metrics().await;
    let tokens = |result| metrics.sum("tidegate_prefix_tokens_total", &[("upstream", "lab"), ("result", result)]);
    assert!(tokens("hit") > tokens("miss") && tokens("miss") > 0.0, "{} {}", tokens("hit"), tokens("miss"));
}

#[tokio::test]
async fn a_node_that_has_too_much_to_do_is_spared() {
    let nodes = nodes::<2>().await;
    let gateway = Gateway::with(&pool(&nodes.each_ref(), "balance: prefix\nmax_in_flight_per_node: 2")).await;
    let home = who_answers(&gateway, &conversation("alpha", 0)).await;
    let (at_home, other) = if home.ends_with('0') { (&nodes[0], &nodes[1]) } else { (&nodes[1], &nodes[0]) };
    let gate = Gate::default();
    at_home.now_always(Answer::chat("late").gated(Point::BeforeHead, &gate));
    let before = at_home.requests().len();
    let held: Vec<_> = (0..2).map(|_| tokio::spawn(gateway.chat(&conversation("alpha", 1)).send())).collect();
    eventually("its places are taken", async || (at_home.requests().len() == before + 2).then_some(())).await;
    assert_eq!(other.requests().len(), 0);
    assert_ne!(who_answers(&gateway, &conversation("alpha", 1)).await, home);
    gate.open();
    for answer in held {
        assert_eq!(answer.await.unwrap().content(), "late");
    }
}

#[tokio::test]
async fn a_node_without_the_model_gets_nothing() {
    let lists = |id: &str| json!({"object": "list", "data": [{"id": id}]}).to_string();
    let [one, two] = nodes::<2>().await;
    let (one, two) = (one.telling("/v1/models", &lists("m")), two.telling("/v1/models", &lists("other")));
    let yaml = pool(&[&one, &two], "").model("rare", "lab", "id: nowhere").yaml().replace("llama-server", "vllm");
    let gateway = Gateway::with_yaml(&yaml).await;
    eventually("both have told their models", async || {
        told(&gateway).await.iter().all(|node| node["models"].is_array()).then_some(())
    })
    .await;
    for _ in 0..6 {
        assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 0");
    }
    assert_eq!(two.requests().len(), 0);
    let answer = gateway.chat(&chat("rare", "hi")).send().await;
    assert!(answer.status == 503 && answer.text().contains("has the model"), "{}", answer.text());
    eventually("the missing model is told", async || {
        gateway.log().find("no node of the upstream lists this model; load it, or correct its `id`")
    })
    .await;
}

#[tokio::test]
async fn what_others_have_a_node_do_counts() {
    let busy = "llamacpp:requests_processing 5\nllamacpp:requests_deferred 2\n";
    let [one, two] = nodes::<2>().await;
    let one =
        one.telling("/metrics", busy).telling("/slots", &json!([{"n_ctx": 64, "is_processing": true}]).to_string());
    let gateway = Gateway::with(&pool(&[&one, &two], "")).await;
    eventually("its load is known", async || (told(&gateway).await[0]["others"] == 7).then_some(())).await;
    for _ in 0..6 {
        assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 1");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("tidegate_node_requests_waiting", &[("upstream", "lab"), ("node", "0")]), 2.0);
    assert_eq!(metrics.sum("tidegate_node_slots", &[("upstream", "lab")]), 1.0);
}

#[tokio::test]
async fn requests_wait_here_when_a_llama_server_has_no_slot_left() {
    let gate = Gate::default();
    let [node] = nodes::<1>().await;
    let node = node
        .telling("/slots", &json!([{"n_ctx": 4096}]).to_string())
        .always(Answer::chat("x").gated(Point::BeforeHead, &gate));
    let gateway = Gateway::with(&pool(&[&node], "")).await;
    eventually("its slots are known", async || (told(&gateway).await[0]["slots"] == 1).then_some(())).await;
    let asked: Vec<_> = (0..3).map(|_| tokio::spawn(gateway.chat(&chat("auto", "hi")).send())).collect();
    gateway.eventually_metric("tidegate_queue_depth", &[("upstream", "lab")], 2.0).await;
    assert_eq!(node.requests().len(), 1);
    // One who has less time than it takes does not wait for it.
    let hurried = gateway.chat(&chat("auto", "hi")).header("x-tidegate-deadline-ms", "50").send().await;
    assert!(hurried.status >= 500, "{}", hurried.status);
    gate.open();
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(node.requests().len(), 3);
    assert_eq!(gateway.metrics().await.sum("tidegate_wait_seconds_count", &[("upstream", "lab")]), 3.0);
}

#[tokio::test]
async fn a_file_of_nodes_is_followed_and_who_leaves_finishes_what_he_has() {
    let [one, two] = nodes::<2>().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nodes");
    std::fs::write(&path, format!("# first\n{}\n", one.url())).unwrap();
    let gateway = Gateway::with_yaml(&found(&format!("file://{}", path.display()), "")).await;
    assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 0");
    let gate = Gate::default();
    one.now_always(Answer::chat("finished").gated(Point::BeforeHead, &gate));
    let held = tokio::spawn(gateway.chat(&chat("auto", "hi")).send());
    eventually("it works on one", async || (one.requests().len() == 2).then_some(())).await;
    std::fs::write(&path, "nonsense\n").unwrap();
    eventually("the file is refused", async || {
        gateway.log().find("no nodes from this source; the last known are kept")
    })
    .await;
    std::fs::write(&path, format!("{} weight=2\n", two.url())).unwrap();
    eventually("the other node is there alone", async || {
        let nodes = told(&gateway).await;
        (nodes.len() == 1 && nodes[0]["weight"] == 2.0).then_some(())
    })
    .await;
    assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 1");
    gate.open();
    assert_eq!(held.await.unwrap().content(), "finished");
    assert!(!gateway.log().text().contains(&one.addr().to_string()), "an address in the log");
}

#[tokio::test]
async fn a_node_is_drained_and_taken_back_by_hand() {
    let [one, two] = nodes::<2>().await;
    let gateway = Gateway::with(&pool(&[&one, &two], "")).await;
    let drained = gateway.admin_post("/api/upstreams/lab/nodes/0/drain", &json!({})).send().await;
    assert_eq!((drained.status, &drained.json()["nodes"][0]["draining"]), (200, &json!(true)));
    for _ in 0..4 {
        assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 1");
    }
    assert_eq!(gateway.metrics().await.sum("tidegate_node_draining", &[("node", "0")]), 1.0);
    gateway.admin_post("/api/upstreams/lab/nodes/0/undrain", &json!({})).send().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        seen.insert(who_answers(&gateway, &chat("auto", "hi")).await);
    }
    assert_eq!(seen.len(), 2);
    for wrong in ["lab/nodes/7/drain", "none/nodes/0/drain", "lab/nodes/0/explode"] {
        assert_eq!(gateway.admin_post(&format!("/api/upstreams/{wrong}"), &json!({})).send().await.status, 404);
    }
}

#[tokio::test]
async fn a_name_gives_nodes_and_a_name_server_that_fails_takes_none_away() {
    let [node] = nodes::<1>().await;
    let dns = Dns::start().await.unwrap();
    dns.set_addresses("llama.lab.test", &[Ipv4Addr::LOCALHOST], Duration::from_secs(1));
    let discover = format!("dns://llama.lab.test:{}\n    resolver: {}", node.addr().port(), dns.addr());
    let gateway = Gateway::with_yaml(&found(&discover, "")).await;
    assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 0");
    assert_eq!(node.only_request().header("host"), Some(format!("llama.lab.test:{}", node.addr().port()).as_str()));
    dns.set_failing(true);
    eventually("the failure is told", async || {
        gateway.log().find("no nodes from this source; the last known are kept")
    })
    .await;
    assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 0");
}

#[tokio::test]
async fn services_are_found_with_their_priorities_and_their_ttl_is_respected() {
    let [one, two, backup] = nodes::<3>().await;
    let dns = Dns::start().await.unwrap();
    dns.set_addresses("host.lab.test", &[Ipv4Addr::LOCALHOST], Duration::from_secs(300));
    let service = |node: &Upstream, priority| Record::Srv {
        priority,
        weight: 1,
        port: node.addr().port(),
        target: "host.lab.test".into(),
        ttl: Duration::from_secs(1),
    };
    dns.set("_llama._tcp.lab.test", vec![service(&one, 1), service(&backup, 9)]);
    let discover = format!("srv://_llama._tcp.lab.test\n    resolver: {}", dns.addr());
    let gateway = Gateway::with_yaml(&found(&discover, "")).await;
    for _ in 0..4 {
        assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 0");
    }
    // The first priority moves.
    dns.set("_llama._tcp.lab.test", vec![service(&two, 1), service(&backup, 9)]);
    eventually("the new node is asked", async || {
        (who_answers(&gateway, &chat("auto", "hi")).await == "hello from node 1").then_some(())
    })
    .await;
    assert_eq!(backup.requests().len(), 0);
    two.kill().await;
    assert_eq!(who_answers(&gateway, &chat("auto", "hi")).await, "hello from node 2");
}

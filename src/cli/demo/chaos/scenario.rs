//! Who takes part in the storm, what happens and when, and the configuration that the gateway runs under.

use std::net::SocketAddr;
use std::time::Duration;

use crate::lab::load::{Kind, Pace, Plan};
use crate::lab::script::{Step, When};
use crate::lab::{Fault, Node, Pause};

/// The simulated edge pool.
pub const NODES: [&str; 4] = ["edge node 1", "edge node 2", "edge node 3", "edge node 4"];
/// The simulated providers.
pub const PROVIDERS: [&str; 2] = ["provider A", "provider B"];
/// Upstream and node labels of the servers, in the order above.
pub const LABELS: [(&str, &str); 6] =
    [("lab", "0"), ("lab", "1"), ("lab", "2"), ("lab", "3"), ("cloud-a", "0"), ("cloud-b", "0")];

/// Tokens a second: an answer of 18 words takes some 45 ms.
pub const PACE: f64 = 400.0;
/// Requests a second: light for four nodes with four slots each, enough for a 99th percentile.
const RATE: f64 = 60.0;
/// The same requests on each run.
const SEED: u64 = 7;

/// A phase of the storm.
pub struct Phase {
    pub name: &'static str,
    seconds: f64,
    faults: &'static [(&'static str, Fault)],
    /// Every provider is away.
    pub is_cut: bool,
    /// How it compares with the first phase is of interest.
    pub is_trial: bool,
}

const WELL: Phase = Phase { name: "all well", seconds: 5.0, faults: &[], is_cut: false, is_trial: false };

/// A phase in which something is broken.
const fn trial(name: &'static str, seconds: f64, faults: &'static [(&'static str, Fault)]) -> Phase {
    Phase { name, seconds, faults, is_cut: false, is_trial: true }
}

/// A short one in which it is well again.
const fn relief(faults: &'static [(&'static str, Fault)]) -> Phase {
    Phase { name: "… well again", seconds: 2.0, faults, is_cut: false, is_trial: false }
}

/// How long a trial of a node lasts: five seconds to recover, three to measure that it did.
const TRIAL: f64 = 8.0;

/// The storm.
pub const PHASES: [Phase; 11] = [
    WELL,
    trial("a node is killed", TRIAL, &[("edge node 1", Fault::Killed)]),
    relief(&[("edge node 1", Fault::None)]),
    trial("a node stalls", TRIAL, &[("edge node 2", Fault::Stalled)]),
    relief(&[("edge node 2", Fault::None)]),
    trial("a node is 10 × slower", TRIAL, &[("edge node 3", Fault::Slow(10.0))]),
    relief(&[("edge node 3", Fault::None)]),
    trial("429 storm at a provider", 7.0, &[("provider A", Fault::Limited(Pause::Seconds(2)))]),
    relief(&[("provider A", Fault::None)]),
    Phase {
        is_cut: true,
        ..trial("all clouds are cut", 5.0, &[("provider A", Fault::Killed), ("provider B", Fault::Killed)])
    },
    Phase {
        name: "everything is back",
        seconds: 5.0,
        faults: &[("provider A", Fault::None), ("provider B", Fault::None)],
        ..WELL
    },
];

/// The phases as steps, and one in which the last of them ends.
pub fn script() -> Vec<Step> {
    let mut wait = 0.0;
    let mut steps: Vec<Step> = PHASES
        .iter()
        .enumerate()
        .map(|(number, phase)| {
            let when = When::After(Duration::from_secs_f64(wait));
            wait = phase.seconds;
            Step { when, phase: Some(number), faults: phase.faults.to_vec() }
        })
        .collect();
    steps.push(Step { when: When::After(Duration::from_secs_f64(wait)), phase: None, faults: vec![] });
    steps
}

/// Who asks for what.
pub fn kinds() -> Vec<Kind> {
    let kind = |name, model, weight| Kind { name, model, headers: &[], weight, only_cloud: false };
    vec![
        kind("edge first", "auto", 65),
        kind("cloud first", "cloud-first", 20),
        Kind { headers: &[("x-tidegate-privacy", "local-only")], ..kind("private", "auto", 10) },
        Kind {
            headers: &[("x-tidegate-placement", "only-cloud")],
            only_cloud: true,
            ..kind("cloud only", "cloud-first", 5)
        },
    ]
}

/// The load on the gateway.
pub fn load(gateway: SocketAddr) -> Plan {
    Plan { gateway, clients: 256, pace: Pace::PerSecond(RATE), seed: SEED, kinds: kinds(), streams: 0.4 }
}

/// What an operator would write who has four nodes and two providers.
pub fn configuration(listen: &str, servers: &[Node]) -> String {
    let urls: Vec<String> = servers.iter().map(Node::url).collect();
    let (nodes, providers) = urls.split_at(NODES.len().min(urls.len()));
    let mut yaml = format!(
        r#"listen: {listen}
admin: 127.0.0.1:0
upstreams:
  lab:
    placement: edge
    kind: llama-server
    nodes: [{}]
    balance: least-load
    health: {{interval: 250ms, timeout: 500ms, unhealthy_after: 2, healthy_after: 1}}
    timeouts: {{connect: 300ms, first_token: 1s, between_tokens: 1s, total: 30s}}
"#,
        nodes.join(", ")
    );
    for (name, url) in ["cloud-a", "cloud-b"].iter().zip(providers) {
        yaml.push_str(&format!(
            "  {name}:\n    placement: cloud\n    kind: openai\n    base_url: {url}/v1\n    api_key: sk-simulated\n    \
             timeouts: {{connect: 300ms, first_token: 2s, between_tokens: 2s, total: 30s}}\n"
        ));
    }
    yaml.push_str(
        "retries: {max_attempts: 4, budget: 0.2}
models:
  small: {upstream: lab, id: simulated-8b, context: 4096}
  frontier-a: {upstream: cloud-a, id: simulated-frontier}
  frontier-b: {upstream: cloud-b, id: simulated-frontier}
routes:
  auto:
    rules: [{name: edge-first, try: [small, frontier-a, frontier-b]}]
  cloud-first:
    rules: [{name: cloud-first, try: [frontier-a, frontier-b, small]}]
",
    );
    yaml
}

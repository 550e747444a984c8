//! The stage of the chaos tests: simulated servers of the fault lab, and a configuration that names them.
//!
//! What a reader could get wrong: deadlines are long against what the simulated servers take, so that a busy machine makes no healthy server look sick;
//! only health checks come often, so that a sick one is noticed soon.

use std::fmt::Write as _;

use tidegate::lab::{Character, Node};

/// Deadlines of the pool where a test waits for a node that does not answer: the first token of a healthy one takes under a hundred milliseconds. A
/// node is slow at three times the others' time.
pub const POOL: &str = "timeouts: {first_token: 2s, between_tokens: 2s}\nbreaker: {slower: 3, open_for: 300ms}";

const NODES: usize = 4;

/// A provider of that name, to be put on the stage.
pub fn provider(name: &str) -> Character {
    Character::provider(name)
}

/// An upstream of the configuration.
pub enum Upstream {
    /// That many of the nodes.
    Pool(usize),
    Provider(&'static str),
}

/// The edge pool of so many nodes.
pub fn pool(nodes: usize) -> Upstream {
    Upstream::Pool(nodes)
}

/// One provider.
pub fn plain(name: &'static str) -> Upstream {
    Upstream::Provider(name)
}

/// Four nodes, then the providers.
pub struct Stage {
    pub servers: Vec<Node>,
    /// Further lines for each upstream.
    more: &'static str,
}

impl Stage {
    pub async fn start(providers: &[Character], more: &'static str) -> Stage {
        let mut servers = vec![];
        for number in 0..NODES {
            // No cache: every prompt is read, some seventy milliseconds, against which a machine's own time is small.
            let node = Character {
                prefill: 2_000.0,
                cache_tokens: 0,
                slots: 64,
                ..Character::llama_server(&format!("node {number}"))
            };
            servers.push(Node::start(node).await.expect("a simulated node"));
        }
        for provider in providers {
            servers.push(Node::start(provider.clone()).await.expect("a simulated provider"));
        }
        Stage { servers, more }
    }

    pub fn server(&self, name: &str) -> &Node {
        self.servers.iter().find(|server| server.name() == name).expect("a server of that name")
    }

    /// Models: `small` in the pool, and one of each provider's name. Routes: `edge`, `both` (the providers in turn), `edge-first`, `cloud-first`,
    /// and `hard-questions`, whose matching rule names providers only.
    pub fn yaml(&self, upstreams: &[Upstream]) -> String {
        let mut yaml = String::from("upstreams:\n");
        let (mut edge, mut clouds) = (vec![], vec![]);
        for upstream in upstreams {
            match upstream {
                Upstream::Pool(nodes) => {
                    let urls: Vec<String> = self.servers[..*nodes].iter().map(Node::url).collect();
                    let _ = write!(
                        yaml,
                        "  lab:\n    placement: edge\n    kind: llama-server\n    nodes: [{}]\n    balance: round-robin\n    \
                         health: {{interval: 100ms, timeout: 2s, unhealthy_after: 2, healthy_after: 1}}\n",
                        urls.join(", ")
                    );
                    edge.push("small");
                }
                Upstream::Provider(name) => {
                    let url = self.server(name).url();
                    let _ = write!(
                        yaml,
                        "  {name}:\n    placement: cloud\n    kind: openai\n    base_url: {url}/v1\n    api_key: sk-simulated\n"
                    );
                    clouds.push(*name);
                }
            }
            for line in self.more.lines() {
                let _ = writeln!(yaml, "    {line}");
            }
            if !self.more.contains("timeouts") {
                yaml.push_str("    timeouts: {connect: 2s, first_token: 2s, between_tokens: 2s}\n");
            }
        }
        yaml.push_str("models:\n");
        for model in edge.iter().chain(&clouds) {
            let upstream = if *model == "small" { "lab" } else { model };
            let _ = writeln!(yaml, "  {model}: {{upstream: {upstream}, id: simulated}}");
        }
        yaml.push_str("routes:\n");
        let mut route = |name: &str, rules: &[(&str, Vec<&str>)]| {
            if rules.iter().all(|(_, targets)| !targets.is_empty()) {
                let _ = write!(yaml, "  {name}:\n    rules:\n");
                for (when, targets) in rules {
                    let _ = writeln!(yaml, "      - {{name: r{}, {when}try: [{}]}}", when.len(), targets.join(", "));
                }
            }
        };
        let joined = |first: &[&'static str], then: &[&'static str]| -> Vec<&str> { [first, then].concat() };
        route("edge", &[("", edge.clone())]);
        route("both", &[("", clouds.clone())]);
        route("edge-first", &[("", joined(&edge, &clouds))]);
        route("cloud-first", &[("", joined(&clouds, &edge))]);
        route("hard-questions", &[("when: \"turns >= 1\", ", clouds.clone()), ("", edge.clone())]);
        yaml
    }
}

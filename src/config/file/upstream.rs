//! `upstreams`: places where a model can run.
//!
//! What a reader could get wrong: `Health` keeps its defaults open (`None`), because they depend on the kind of upstream; whoever
//! builds the health check fills them in.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::discover::PoolNode;
use crate::config::scalar::{HumanDuration, Secret};

/// Where an upstream stands: decides what may be sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// Your own machines.
    Edge,
    /// A provider.
    Cloud,
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpstreamKind {
    /// llama.cpp's server.
    LlamaServer,
    /// vLLM.
    Vllm,
    /// Ollama.
    Ollama,
    /// Any OpenAI-compatible provider; set `base_url`.
    Openai,
    /// Azure OpenAI; set `base_url` to the resource.
    Azure,
    /// Not available yet.
    Anthropic,
    /// Not available yet.
    Gemini,
    /// Not available yet.
    Bedrock,
}

/// How a node of a pool is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// The node with the fewest requests in flight.
    #[default]
    LeastLoad,
    /// Each node in turn.
    RoundRobin,
    /// The node that has the prompt's beginning in its KV cache, unless it is loaded beyond a bound or another would answer sooner.
    Prefix,
}

/// A place where a model can run: an edge pool (`nodes`) or a provider (`base_url`).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Upstream {
    /// `edge` (your own machines) or `cloud`.
    pub placement: Placement,
    /// What it speaks.
    pub kind: UpstreamKind,
    /// The servers of a pool, each `http://HOST:PORT` or `https://…`, or `{url, weight, drain}`; `/v1` is added where the URL has no path.
    #[serde(default)]
    pub nodes: Vec<PoolNode>,
    /// Finds further nodes: `dns://HOST:PORT` (each address of the name; asked again when its TTL has passed), `srv://_service._tcp.NAME`
    /// (with priorities and weights), `file:///PATH` (a node a line: `URL [weight=N] [drain]`; watched). With TLS to the nodes:
    /// `dns+https://`, `srv+https://`. While nobody answers, the nodes that were found last are kept.
    #[serde(default)]
    pub discover: Option<String>,
    /// The name server that `discover` asks, `ADDRESS:PORT`. Default: the system's.
    #[serde(default)]
    pub resolver: Option<String>,
    /// The provider's address with its version path, as an OpenAI SDK takes it: `https://api.openai.com/v1`.
    /// For `azure` the resource: `https://NAME.openai.azure.com`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The key sent upstream, usually `${NAME}` or `file:PATH`. The client's own key never goes upstream.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Azure's `api-version`. Default 2024-10-21.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Where the provider processes data: a label for constraints to come, shown by `explain`.
    #[serde(default)]
    pub region: Option<String>,
    /// How a node is chosen: `least-load` (default), `prefix` or `round-robin`.
    #[serde(default)]
    pub balance: Balance,
    /// How long a node that is new or has come back takes to get its whole share of the work. Default 0s: at once.
    #[serde(default)]
    pub slow_start: Option<HumanDuration>,
    /// Requests sent to one node at once; above it the next node or target is tried. Default: for llama-server as many as the node says it
    /// has slots (`/slots`, `/props`), otherwise no limit.
    #[serde(default)]
    pub max_in_flight_per_node: Option<u32>,
    /// How long a request may wait for a place while every node is at its limit and no further target is left: tenants take turns, and
    /// one that cannot be served before its deadline is refused at once. Default 5s, or `timeouts.first_token` where the limit is the
    /// node's own; 0s refuses at once.
    #[serde(default)]
    pub max_wait: Option<HumanDuration>,
    /// Passed-through paths that cost: US dollars for one request, by the path's beginning (`/v1/images: 0.04`). A tenant with a
    /// budget may use only those.
    #[serde(default)]
    pub passthrough_prices: IndexMap<String, f64>,
    /// Active health checks. Edge pools have them unless `enabled: false`; providers only if `path` is given.
    #[serde(default)]
    pub health: Health,
    /// When a node (or the provider) is left alone because its answers fail or come late.
    #[serde(default)]
    pub breaker: Breaker,
    /// Deadlines of one attempt, phase by phase.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How its certificate is checked, and the one shown to it.
    #[serde(default)]
    pub tls: UpstreamTls,
}

impl Upstream {
    /// Longest wait for a place.
    pub fn max_wait(&self) -> Duration {
        let default = match self.max_in_flight_per_node {
            // Longer than most answers of an edge model take, shorter than an SDK's patience.
            Some(_) => Duration::from_secs(5),
            // As long as it would have waited at the node, had the node's own queue taken it.
            None => self.timeouts.first_token.0,
        };
        self.max_wait.map_or(default, |wait| wait.0)
    }

    /// How long a node takes to get its whole share.
    pub fn slow_start(&self) -> Duration {
        self.slow_start.map_or(Duration::ZERO, |time| time.0)
    }
}

/// When a node is left alone because its answers fail or come late, and for how long.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Breaker {
    /// Turns it off (`false`). Default true.
    pub enabled: bool,
    /// Failures in a row that open it: no connection, no answer in time, 5xx, 429. Default 5.
    pub failures: u32,
    /// The share of failures within `window` that opens it (of ten attempts or more). Default 0.5.
    pub failure_rate: f64,
    /// How far back failures count. Default 10s.
    pub window: HumanDuration,
    /// How long a node is left alone the first time; doubled each time, up to a minute, and never less than it asked for
    /// (`retry-after`). Then single requests find out. Default 1s.
    pub open_for: HumanDuration,
    /// A node whose first tokens take so many times as long as the others' comes last for a while. Default 5.
    pub slower: f64,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            enabled: true,
            failures: 5,
            failure_rate: 0.5,
            window: HumanDuration(Duration::from_secs(10)),
            open_for: HumanDuration(Duration::from_secs(1)),
            slower: 5.0,
        }
    }
}

/// Active health checks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Health {
    /// Turns the checks off (`false`). Default: on for `nodes`.
    pub enabled: Option<bool>,
    /// The path asked with GET; 2xx is healthy. Default by kind: `/health`, for ollama `/api/version`.
    pub path: Option<String>,
    /// Time between two checks of a node. Default 2s.
    pub interval: Option<HumanDuration>,
    /// Time after which a check counts as failed. Default 1s.
    pub timeout: Option<HumanDuration>,
    /// Failed checks in a row after which the node leaves the pool. Default 2.
    pub unhealthy_after: Option<u32>,
    /// Good checks in a row after which it returns. Default 1.
    pub healthy_after: Option<u32>,
}

/// Deadlines of one attempt.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Timeouts {
    /// Until the connection stands, TLS included. Default 3s.
    pub connect: HumanDuration,
    /// From the request sent to the first byte of the answer (a stream: to its first event). Default 60s.
    pub first_token: HumanDuration,
    /// Between two pieces of a streamed answer. Default 30s.
    pub between_tokens: HumanDuration,
    /// The whole attempt. Default 600s.
    pub total: HumanDuration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            // A lost SYN is sent again after a second: a shorter deadline would take a burst of connections for a dead node.
            connect: HumanDuration(Duration::from_secs(3)),
            // A long prompt on a small machine takes long to read; reasoning models think before they speak.
            first_token: HumanDuration(Duration::from_secs(60)),
            between_tokens: HumanDuration(Duration::from_secs(30)),
            // The OpenAI SDKs' own default.
            total: HumanDuration(Duration::from_secs(600)),
        }
    }
}

/// TLS towards an upstream.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct UpstreamTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub ca: Option<Secret>,
    /// The certificate chain (PEM) shown to the upstream.
    pub cert: Option<Secret>,
    /// Its private key (PEM).
    pub key: Option<Secret>,
    /// The name to expect in its certificate; default: the host of the URL.
    pub server_name: Option<String>,
}

//! The configuration file as the operator writes it: plain serde types whose doc comments are the operator's documentation
//! (they become the JSON schema). What the program uses is built from it in `state/prepare.rs`: these are two types on purpose.
//!
//! What a reader could get wrong: a default lives here, once, as a named function or constant with its reason; nothing downstream
//! invents another. Unknown keys are refused by `config/decode.rs`, not by serde, so that all of them are told at once.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::scalar::{ByteSize, HumanDuration, Secret};

/// Tidegate's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct File {
    /// Where clients connect: the OpenAI protocol, HTTP/1.1 and HTTP/2.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// Health, metrics and the admin API; never on the public listener.
    #[serde(default = "default_admin")]
    pub admin: String,
    /// Certificate and key for the public listener; without it the listener speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<ListenerTls>,
    /// Where the gateway keeps what must survive a restart (and its upgrade socket).
    #[serde(default = "default_data_dir")]
    pub data_dir: String,
    /// Limits and deadlines of the listener.
    #[serde(default)]
    pub server: Server,
    /// Places where a model can run.
    #[serde(default)]
    pub upstreams: IndexMap<String, Upstream>,
    /// What can run where, what it can do, what it costs.
    #[serde(default)]
    pub models: IndexMap<String, Model>,
    /// The model names that clients ask for.
    #[serde(default)]
    pub routes: IndexMap<String, Route>,
    /// The upstream that answers every `/v1` path that is not routed by model (files, audio, images, batches, realtime, …).
    /// Default: the first cloud upstream, or the first upstream where there is no cloud. `off` answers 404.
    #[serde(default)]
    pub passthrough: Option<String>,
    /// How often and where a failed attempt is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// Who may ask, and how much. Not available yet.
    #[serde(default)]
    pub tenants: Option<serde_json::Value>,
    /// Personal data and secrets: find, redact, restore. Not available yet.
    #[serde(default)]
    pub pii: Option<serde_json::Value>,
    /// Exact and semantic cache. Not available yet.
    #[serde(default)]
    pub cache: Option<serde_json::Value>,
    /// The audit chain. Not available yet.
    #[serde(default)]
    pub audit: Option<serde_json::Value>,
    /// The usage ledger. Not available yet.
    #[serde(default)]
    pub ledger: Option<serde_json::Value>,
    /// Fees and invoices. Not available yet.
    #[serde(default)]
    pub billing: Option<serde_json::Value>,
    /// Traces.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// Certificate of the public listener.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ListenerTls {
    /// The certificate chain in PEM, usually `file:PATH`.
    pub cert: Secret,
    /// The private key in PEM, usually `file:PATH`.
    pub key: Secret,
    /// Certificates (PEM) of the authorities whose client certificates are asked for and accepted.
    #[serde(default)]
    pub client_ca: Option<Secret>,
}

/// Limits and deadlines of the listener. The defaults are nginx's where nginx has one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Server {
    /// Largest request body (413 above it). Default 64MiB.
    pub max_body: ByteSize,
    /// Largest passed-through upload (413 above it); it is streamed, never held in memory. Default 512MiB.
    pub max_upload: ByteSize,
    /// Largest request head: request line and headers (431 above it). Default 64KiB.
    pub max_header: ByteSize,
    /// Connections held at once; further ones wait in the kernel's queue. Default 16384.
    pub max_connections: u32,
    /// Requests worked on at once over all connections; above it 503 `overloaded`. Default 8192.
    pub max_in_flight: u32,
    /// How long a client may take to send a request's head, and how long an idle connection is kept. Default 60s.
    pub header_timeout: HumanDuration,
    /// How long a client may take to send a body that is held in memory; an upload may not pause longer than this. Default 60s.
    pub body_timeout: HumanDuration,
    /// How long requests in flight may take to finish when the process is told to stop. Default 30s.
    pub drain_timeout: HumanDuration,
    /// Threads that serve requests; default: one per core.
    pub workers: Option<u16>,
    /// Lets `listen` and `admin` be reached from other machines although nobody is asked for a key: whoever reaches the port uses
    /// your models and provider keys. For containers and networks that are guarded in another way. Default false.
    pub allow_public_without_keys: bool,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            // Images travel inline as base64: OpenAI accepts 50 MB of them a request.
            max_body: ByteSize(64 << 20),
            // OpenAI's own limit for a file.
            max_upload: ByteSize(512 << 20),
            max_header: ByteSize(64 << 10),
            max_connections: 16_384,
            max_in_flight: 8_192,
            header_timeout: HumanDuration(Duration::from_secs(60)),
            body_timeout: HumanDuration(Duration::from_secs(60)),
            drain_timeout: HumanDuration(Duration::from_secs(30)),
            workers: None,
            allow_public_without_keys: false,
        }
    }
}

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
    /// The node that has the prompt's beginning in its KV cache, unless it is loaded beyond a bound. Not available yet.
    Prefix,
}

/// A place where a model can run: an edge pool (`nodes`) or a provider (`base_url`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Upstream {
    /// `edge` (your own machines) or `cloud`.
    pub placement: Placement,
    /// What it speaks.
    pub kind: UpstreamKind,
    /// The servers of a pool, each `http://HOST:PORT` or `https://…`; `/v1` is added where the URL has no path.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// `dns://HOST:PORT`: find the nodes by name. Not available yet.
    #[serde(default)]
    pub discover: Option<String>,
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
    /// How a node is chosen: `least-load` (default) or `round-robin`; `prefix` is not available yet.
    #[serde(default)]
    pub balance: Balance,
    /// Requests sent to one node at once; above it the next node or target is tried. Default: no limit.
    #[serde(default)]
    pub max_in_flight_per_node: Option<u32>,
    /// Active health checks. Edge pools have them unless `enabled: false`; providers only if `path` is given.
    #[serde(default)]
    pub health: Health,
    /// Deadlines of one attempt, phase by phase.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How its certificate is checked, and the one shown to it.
    #[serde(default)]
    pub tls: UpstreamTls,
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
    /// Until the connection stands, TLS included. Default 1s.
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
            // A node that does not accept within this is down or swamped; SYN retransmission starts at one second.
            connect: HumanDuration(Duration::from_secs(1)),
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

/// What a model takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// Audio.
    Audio,
    /// Documents, such as PDF.
    File,
}

/// What can run where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Model {
    /// The `upstreams` key where it runs.
    pub upstream: String,
    /// The name that the upstream knows (azure: the deployment). Default: this entry's key.
    #[serde(default)]
    pub id: Option<String>,
    /// Tokens, prompt and answer together. Default: unlimited.
    #[serde(default)]
    pub context: Option<u64>,
    /// What it takes in. Default: text.
    #[serde(default)]
    pub modalities: Option<Vec<Modality>>,
    /// Whether it can call tools. Default true.
    #[serde(default)]
    pub tools: Option<bool>,
    /// US dollars per million tokens.
    #[serde(default)]
    pub price: Option<Price>,
    /// The day after which it is refused (YYYY-MM-DD); warned about 90 days ahead.
    #[serde(default, deserialize_with = "super::scalar::date")]
    pub retires_on: Option<jiff::civil::Date>,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
pub struct Price {
    /// The prompt.
    #[serde(default)]
    pub input: f64,
    /// The answer.
    #[serde(default)]
    pub output: f64,
    /// Prompt tokens that the upstream had cached. Default: as `input`.
    #[serde(default)]
    pub cached_input: Option<f64>,
}

/// A model name that clients ask for, and how it is decided where it runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Route {
    /// Further names for the same route.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where easy ends and hard begins. Not available yet.
    #[serde(default)]
    pub threshold: Option<serde_json::Value>,
    /// First match wins; none matching is an error that says so.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A preference: when `when` holds, try these targets in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Rule {
    /// Shown in `x-tidegate-rule`, metrics and `explain`.
    pub name: String,
    /// A CEL expression over the request's signals; absent: always.
    #[serde(default)]
    pub when: Option<String>,
    /// `models` keys, best first; each next one takes over when the one before cannot serve.
    #[serde(default, rename = "try")]
    pub targets: Vec<Try>,
    /// Shares of traffic. Not available yet.
    #[serde(default)]
    pub split: Option<serde_json::Value>,
    /// A sampled copy to another model. Not available yet.
    #[serde(default)]
    pub shadow: Option<serde_json::Value>,
}

/// One target of a rule: a `models` key, or one with conditions.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Try {
    /// The key alone.
    Name(String),
    /// With conditions.
    With(TryWith),
}

/// A target with conditions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct TryWith {
    /// The `models` key.
    pub model: String,
    /// Escalate to the next target below this confidence. Not available yet.
    #[serde(default)]
    pub min_confidence: Option<f64>,
}

/// By hand, because serde's untagged enums forget where in the file a problem was.
impl<'de> Deserialize<'de> for Try {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TryVisitor;

        impl<'de> Visitor<'de> for TryVisitor {
            type Value = Try;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's name or `{model: NAME}`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Try, E> {
                Ok(Try::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Try, A::Error> {
                TryWith::deserialize(MapAccessDeserializer::new(map)).map(Try::With)
            }
        }

        deserializer.deserialize_struct("TryWith", &["model", "min_confidence"], TryVisitor)
    }
}

impl Try {
    /// The `models` key.
    pub fn model(&self) -> &str {
        match self {
            Try::Name(name) => name,
            Try::With(with) => &with.model,
        }
    }
}

/// How often a failed attempt is tried again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Retries {
    /// Attempts for one request, the first included, over all its targets and nodes. Default 3.
    pub max_attempts: u32,
    /// The share of live traffic that may be retries. Not available yet.
    pub budget: Option<f64>,
    /// Ask a second node after this percentile of latency. Not available yet.
    pub hedge_after: Option<String>,
}

impl Default for Retries {
    fn default() -> Self {
        Retries { max_attempts: 3, budget: None, hedge_after: None }
    }
}

/// Traces.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Telemetry {
    /// OTLP endpoint. Not available yet; empty is off.
    pub otlp: Option<String>,
}

fn default_listen() -> String {
    "127.0.0.1:4141".into()
}

fn default_admin() -> String {
    "127.0.0.1:4142".into()
}

fn default_data_dir() -> String {
    "./data".into()
}

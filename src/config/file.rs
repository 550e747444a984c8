//! The configuration file as the operator writes it: plain serde types whose doc comments are the operator's documentation
//! (they become the JSON schema). What the program uses is built from it in `state/prepare.rs`: these are two types on purpose.
//!
//! What a reader could get wrong: a default lives here, once, as a named function or constant with its reason; nothing downstream
//! invents another. Unknown keys are refused by `config/decode.rs`, not by serde, so that all of them are told at once.

mod account;
mod cache;
mod deferred;
mod discover;
mod price;
mod protect;
mod retries;
mod route;
mod threshold;
mod upstream;

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{ByteSize, HumanDuration, Secret};
pub use account::{
    App, Audit, Billing, Budget, Fees, Key, KeyWith, Ledger, LedgerWith, Limits, Period, PlacementWish, Priority,
    Privacy, Tenant, Then,
};
pub use cache::{
    BUILTIN, Cache, Disk, Exact, OnSharedError, RouteCache, RouteCacheWith, Semantic, Shared, SharedWith, Switch,
};
pub use deferred::{Deferred, Hours};
pub use discover::{Discover, PoolNode, PoolNodeWith, WEIGHTS};
pub use price::{Price, Pricing};
pub use protect::{Analyzer, AnalyzerWith, CustomPii, OnAnalyzerError, Pii, PiiMode, TenantPii};
pub use retries::{HedgeAfter, Retries};
pub use route::{Afterwards, Modality, Model, Route, Rule, Shadow, Try, TryWith};
pub use threshold::{DifficultyModel, DifficultyModelWith, Pace, Sticky, Threshold, ThresholdWith};
pub use upstream::{Balance, Breaker, Health, Placement, Timeouts, Upstream, UpstreamKind, UpstreamTls};

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
    /// Which model says how hard a prompt is: a file written by `tidegate train routing`, `{current: FILE, candidate: FILE, share: 0.05}`,
    /// or `builtin` (default).
    #[serde(default)]
    pub difficulty_model: Option<DifficultyModel>,
    /// The upstream that answers every `/v1` path that is not routed by model (files, audio, images, batches, realtime, …).
    /// Default: the first cloud upstream, or the first upstream where there is no cloud. `off` answers 404.
    #[serde(default)]
    pub passthrough: Option<String>,
    /// How often and where a failed attempt is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// Who may ask, and how much. None: nobody is asked for a key, and only loopback listeners are accepted.
    #[serde(default)]
    pub tenants: IndexMap<String, Tenant>,
    /// Personal data and secrets: found, hidden from the cloud, put back into answers. Absent: off, but for tenants with `no-retention`.
    #[serde(default)]
    pub pii: Option<Pii>,
    /// Answers kept, so that the same question is not paid for twice. Absent: off.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// Work that is done later: background responses, batches, `then: upgrade`. Absent: off.
    #[serde(default)]
    pub deferred: Option<Deferred>,
    /// The audit chain; absent: off.
    #[serde(default)]
    pub audit: Option<Audit>,
    /// Where usage is recorded. Default: SQLite in `data_dir`.
    #[serde(default)]
    pub ledger: Ledger,
    /// Fees on invoices.
    #[serde(default)]
    pub billing: Option<Billing>,
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

//! `cache`: what is remembered of answers, where, for how long.
//!
//! What a reader could get wrong: `cache` at the top says what there is; `cache` of a route changes it for that route, or turns it off.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::config::scalar::{ByteSize, HumanDuration, SECRET_OR_KEYS, Secret};

/// Answers kept, so that the same question is not paid for twice.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cache {
    /// Answers to the same question.
    pub exact: Exact,
    /// Answers to the same question in other words. Absent: off.
    pub semantic: Option<Semantic>,
    /// Identical requests at the same time share one call. Default true.
    pub coalesce: Option<bool>,
    /// Answers for tenants of the tier `retained` outlive a restart, encrypted, in `data_dir`. Absent: off.
    pub disk: Option<Disk>,
    /// A Redis or Valkey that replicas share: its URL, or `{url, secret, timeout}`. Entries are encrypted. Absent: off.
    pub shared: Option<Shared>,
}

/// Answers to the same question.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Exact {
    /// Memory for all that is kept of answers, indexes included; the least used go first. Default 256MiB.
    pub capacity: ByteSize,
    /// How long an answer holds. Default 1h.
    pub ttl: HumanDuration,
    /// Longer answers are not kept. Default 1MiB.
    pub max_entry: ByteSize,
    /// Requests with a higher `temperature` are not answered from memory. Default 0.
    pub max_temperature: f64,
    /// Whether a request without `temperature` is answered from memory. Default true.
    pub without_temperature: bool,
    /// Whether answers that were cut at the limit of tokens are kept. Default false.
    pub truncated: bool,
}

/// Default of `cache.exact.max_entry`: some 250,000 tokens.
const MAX_ENTRY: u64 = 1 << 20;

impl Default for Exact {
    fn default() -> Self {
        Exact {
            capacity: ByteSize(256 << 20),
            ttl: HumanDuration(Duration::from_secs(3600)),
            max_entry: ByteSize(MAX_ENTRY),
            max_temperature: 0.0,
            without_temperature: true,
            truncated: false,
        }
    }
}

/// Answers to the same question in other words.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Semantic {
    /// The share of answers given for a question in other words that may be wrong, 0 to 0.2. Default 0.01.
    pub max_error: f64,
    /// What finds questions that look alike: `builtin` (default), or the `models` key of an embedding model at the edge. Whether one is
    /// alike enough is always decided here.
    pub embedder: String,
    /// Questions kept to compare with; the oldest go first. Default 100000.
    pub entries: u32,
    /// The share of such answers that are asked for upstream all the same, to see whether they would have been right and to correct the
    /// bound; their clients get the upstream's answer. Default 0.
    pub verify_sample: f64,
}

impl Default for Semantic {
    fn default() -> Self {
        Semantic { max_error: 0.01, embedder: BUILTIN.into(), entries: 100_000, verify_sample: 0.0 }
    }
}

/// The embedder that is built in.
pub const BUILTIN: &str = "builtin";

/// Answers on disk.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Disk {
    /// Space for them; the oldest go first. Default 1GiB.
    pub capacity: ByteSize,
}

impl Default for Disk {
    fn default() -> Self {
        Disk { capacity: ByteSize(1 << 30) }
    }
}

/// A Redis or Valkey that replicas share.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Shared {
    /// Its URL: `redis://`, `rediss://` (TLS), `redis+unix://`.
    Url(Secret),
    /// Its URL, and how it is asked.
    With(SharedWith),
}

/// How a shared Redis or Valkey is asked.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct SharedWith {
    /// `redis://`, `rediss://` (TLS), `redis+unix://`; user, password and database as usual.
    pub url: Secret,
    /// What entries are encrypted with, the same on all replicas. Default: the key in `data_dir`, which other machines do not have.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// A request does not wait longer for it. Default 5ms.
    #[serde(default = "five_ms")]
    pub timeout: HumanDuration,
}

/// A good network answers in less than one; what takes longer costs more than it is worth.
fn five_ms() -> HumanDuration {
    HumanDuration(Duration::from_millis(5))
}

impl Shared {
    /// How it is asked, defaults included.
    pub fn with(&self) -> SharedWith {
        match self {
            Shared::With(with) => with.clone(),
            Shared::Url(url) => SharedWith { url: url.clone(), secret: None, timeout: five_ms() },
        }
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SharedVisitor;

        impl<'de> Visitor<'de> for SharedVisitor {
            type Value = Shared;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL such as redis://HOST:6379, or `{url: URL, secret: file:PATH, timeout: 5ms}`")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shared, D::Error> {
                deserializer.deserialize_struct("SharedWith", SHARED_KEYS, self)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Shared, E> {
                Ok(Shared::Url(Secret::new(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shared, A::Error> {
                SharedWith::deserialize(MapAccessDeserializer::new(map)).map(Shared::With)
            }
        }

        deserializer.deserialize_newtype_struct(SECRET_OR_KEYS, SharedVisitor)
    }
}

const SHARED_KEYS: &[&str] = &["url", "secret", "timeout"];

/// What is different for a route: `off`, or the keys that differ.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum RouteCache {
    /// `off`: nothing of this route is kept.
    Off(Switch),
    /// What differs from `cache`.
    With(Box<RouteCacheWith>),
}

/// `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    Off,
}

/// What differs for a route. Absent keys are as in `cache`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouteCacheWith {
    /// How long an answer holds.
    pub ttl: Option<HumanDuration>,
    /// Requests with a higher `temperature` are not answered from memory.
    pub max_temperature: Option<f64>,
    /// Whether a request without `temperature` is answered from memory.
    pub without_temperature: Option<bool>,
    /// Whether answers that were cut at the limit of tokens are kept.
    pub truncated: Option<bool>,
    /// Whether a question in other words may be answered from memory.
    pub semantic: Option<bool>,
    /// The share of answers given for a question in other words that may be wrong, 0 to 0.2.
    pub max_error: Option<f64>,
    /// Whether identical requests at the same time share one call.
    pub coalesce: Option<bool>,
    /// What becomes of those that waited when the shared call fails: `share` the error (default), or `retry` each by itself.
    pub on_error: Option<OnSharedError>,
    /// The pause between two events of a stream that is answered from memory. Default: none, all at once.
    pub pace: Option<HumanDuration>,
}

/// What becomes of those that waited when a shared call fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnSharedError {
    /// All are told the error: asking again at once would be a storm.
    #[default]
    Share,
    /// Each asks for itself.
    Retry,
}

impl<'de> Deserialize<'de> for RouteCache {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RouteCacheVisitor;

        impl<'de> Visitor<'de> for RouteCacheVisitor {
            type Value = RouteCache;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`off`, or keys such as `{ttl: 10m, semantic: false}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RouteCache, E> {
                match text {
                    // JSON-minded people write false.
                    "off" | "false" => Ok(RouteCache::Off(Switch::Off)),
                    _ => Err(E::custom("`off`, or keys such as `{ttl: 10m, semantic: false}`")),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RouteCache, A::Error> {
                RouteCacheWith::deserialize(MapAccessDeserializer::new(map))
                    .map(|with| RouteCache::With(Box::new(with)))
            }
        }

        deserializer.deserialize_struct("RouteCacheWith", ROUTE_KEYS, RouteCacheVisitor)
    }
}

const ROUTE_KEYS: &[&str] = &[
    "ttl",
    "max_temperature",
    "without_temperature",
    "truncated",
    "semantic",
    "max_error",
    "coalesce",
    "on_error",
    "pace",
];

//! `tenants`, `ledger`, `audit`, `billing`: who may ask, how much, and what is kept of it.
//!
//! What a reader could get wrong: limits and budgets here are what the operator wrote; what has been used of them lives outside the
//! configuration (`tenant/`), under the tenant's and app's name, so that a reload resets nothing.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::protect::TenantPii;
use crate::config::scalar::{HumanDuration, SECRET_OR_KEYS, Secret};

/// What may become of a tenant's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Privacy {
    /// Edge or cloud; may be cached, queued and exported.
    #[default]
    Retained,
    /// Edge, or cloud with personal data redacted; no text on disk. Edge only as long as redaction is not available.
    NoRetention,
    /// Edge only, even if the edge is down.
    LocalOnly,
}

/// Who is served last when there is too much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Refused first.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Refused last.
    High,
}

/// Somebody who is asked for a key, and what he may use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tenant {
    /// `sha256:` and the hex SHA-256 of a key, as `tidegate keys new` prints it; with conditions `{hash, until, app}`. List two to rotate.
    pub keys: Vec<Key>,
    /// What may become of the data. Default `retained`. A request can only tighten it.
    pub privacy: Privacy,
    /// Upstreams must have one of these regions (edge upstreams without a region may always be used). Default: anywhere.
    pub regions: Option<Vec<String>>,
    /// Routes, aliases and models that may be asked for, and beginnings of passed-through paths (`/v1/images`) that may cost. Default: all.
    pub models: Option<Vec<String>>,
    /// How much at once and a minute, all apps and users together.
    pub limits: Limits,
    /// The same for each user (`x-tidegate-user`).
    pub user_limits: Limits,
    /// Money for a day or a month, all apps together.
    pub budget: Option<Budget>,
    /// The apps of the tenant (`x-tidegate-app`). Where there are any, others are refused.
    pub apps: IndexMap<String, App>,
    /// Where its requests run: `only-edge`, `prefer-edge`, `prefer-cloud`, `only-cloud`. An app and a request may choose among what
    /// this leaves. Default: as the rules say.
    pub placement: Option<PlacementWish>,
    /// In place of the route's `threshold`.
    pub threshold: Option<f64>,
    /// Who is served first under overload: `low`, `normal` (default) or `high`.
    pub priority: Priority,
    /// What of `pii` is otherwise for this tenant.
    pub pii: TenantPii,
}

/// An app of a tenant: limits and budget within the tenant's own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct App {
    /// Limits of this app.
    pub limits: Limits,
    /// Budget of this app.
    pub budget: Option<Budget>,
    /// What may become of the app's data: it can only tighten the tenant's.
    pub privacy: Option<Privacy>,
    /// Where its requests run, among what the tenant's `placement` leaves.
    pub placement: Option<PlacementWish>,
    /// In place of the tenant's and the route's `threshold`.
    pub threshold: Option<f64>,
}

/// Where requests are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementWish {
    /// The edge or nowhere.
    OnlyEdge,
    /// Edge targets of the matched rule first.
    PreferEdge,
    /// Cloud targets of the matched rule first.
    PreferCloud,
    /// The cloud or nowhere.
    OnlyCloud,
}

/// A key's hash, or one with conditions.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Key {
    /// `sha256:…`
    Hash(String),
    /// With conditions.
    With(KeyWith),
}

/// A key with conditions.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct KeyWith {
    /// `sha256:` and the hex SHA-256 of the key.
    pub hash: String,
    /// The last day (UTC) on which it is accepted (YYYY-MM-DD).
    #[serde(default, deserialize_with = "crate::config::scalar::date")]
    pub until: Option<jiff::civil::Date>,
    /// The key belongs to this app: no other can be named with it.
    #[serde(default)]
    pub app: Option<String>,
    /// Routes, aliases and models that this key may ask for, within the tenant's.
    #[serde(default)]
    pub models: Option<Vec<String>>,
}

/// How much at once and a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Requests a minute; a minute's worth may come at once. Default: no limit.
    pub requests_per_minute: Option<u32>,
    /// Prompt and answer tokens a minute: estimated when a request comes, corrected when it is done. Default: no limit.
    pub tokens_per_minute: Option<u64>,
    /// Requests at once. Default: no limit.
    pub in_flight: Option<u32>,
}

/// Money for a day or a month.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Budget {
    /// US dollars.
    pub usd: f64,
    /// `day` or `month` of the calendar. Default `month`.
    #[serde(default)]
    pub per: Period,
    /// When it is used up: `reject` (default) or `edge-only`.
    #[serde(default)]
    pub then: Then,
    /// Where the day begins, such as `Europe/Berlin`. Default `UTC`.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// A budget's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first to the last day.
    #[default]
    Month,
}

/// What happens when a budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// 429 `insufficient_quota`.
    #[default]
    Reject,
    /// Cloud targets are dropped; the edge goes on serving.
    EdgeOnly,
}

/// Where usage is recorded: `sqlite` (in `data_dir`, the default), `off`, a `postgres://` URL, or keys.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Ledger {
    /// SQLite in `data_dir`, defaults for the rest.
    #[default]
    Default,
    /// `off`, `sqlite`, or the URL of a Postgres database.
    Text(Secret),
    /// With further settings.
    With(LedgerWith),
}

/// The ledger with its settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LedgerWith {
    /// `sqlite` (default), or the URL of a Postgres database.
    pub store: Option<Secret>,
    /// How long single records are kept; hourly sums stay. Default 90d.
    pub keep: Option<HumanDuration>,
    /// How long hourly sums are kept. Default: for ever.
    pub keep_hourly: Option<HumanDuration>,
}

/// The audit chain: a tamper-evident record of what was decided and where it ran.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Audit {
    /// Records between two signed checkpoints. Default 1000.
    pub checkpoint_every: Option<u32>,
    /// The Ed25519 key that signs checkpoints: 32 bytes in hex, usually `file:PATH`. Default: made on first start, in `data_dir`.
    pub key: Option<Secret>,
    /// Records after which a segment is sealed and the next begun. Default 100000.
    pub segment_records: Option<u32>,
    /// How long sealed segments are kept. Default: for ever.
    pub keep: Option<HumanDuration>,
}

/// What tenants are invoiced on top of the models' cost.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Billing {
    /// US dollars per request.
    pub per_request: f64,
    /// US dollars per GB of text that was redacted.
    pub per_gb_redacted: f64,
    /// US dollars per answer from the cache.
    pub per_cached_hit: f64,
    /// Share of the models' cost that is added for running them: 0.05 is 5 %.
    pub execution_fee: f64,
    /// Share added for tenants with `privacy: no-retention` or `local-only`.
    pub privacy_premium: f64,
    /// Other figures for single tenants.
    pub tenants: IndexMap<String, Fees>,
}

/// A tenant's own figures, where they differ.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fees {
    /// US dollars per request.
    pub per_request: Option<f64>,
    /// US dollars per GB of text that was redacted.
    pub per_gb_redacted: Option<f64>,
    /// US dollars per answer from the cache.
    pub per_cached_hit: Option<f64>,
    /// Share of the models' cost that is added for running them.
    pub execution_fee: Option<f64>,
    /// Share added for privacy.
    pub privacy_premium: Option<f64>,
}

impl Ledger {
    /// `off`, `sqlite` or a URL.
    fn store(&self) -> &str {
        let store = match self {
            Ledger::Default => None,
            Ledger::Text(text) => Some(text),
            Ledger::With(with) => with.store.as_ref(),
        };
        store.map(Secret::expose).filter(|text| !text.is_empty()).unwrap_or("sqlite")
    }

    /// Nothing is recorded.
    pub fn is_off(&self) -> bool {
        self.store() == "off"
    }

    /// The URL of a Postgres database; none: SQLite.
    pub fn url(&self) -> Option<&str> {
        Some(self.store()).filter(|store| store.contains("://"))
    }
}

impl Privacy {
    /// The word in the configuration, in hints and in records.
    pub fn name(self) -> &'static str {
        match self {
            Privacy::Retained => "retained",
            Privacy::NoRetention => "no-retention",
            Privacy::LocalOnly => "local-only",
        }
    }
}

impl Key {
    /// `sha256:…`
    pub fn hash(&self) -> &str {
        match self {
            Key::Hash(hash) => hash,
            Key::With(with) => &with.hash,
        }
    }
}

/// By hand, because serde's untagged enums forget where in the file a problem was.
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`sha256:` and the hash of a key, or `{hash: …, until: DAY}`")
            }

            fn visit_str<E: serde::de::Error>(self, hash: &str) -> Result<Key, E> {
                Ok(Key::Hash(hash.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Key, A::Error> {
                KeyWith::deserialize(MapAccessDeserializer::new(map)).map(Key::With)
            }
        }

        deserializer.deserialize_struct("KeyWith", &["hash", "until", "app", "models"], KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LedgerVisitor;

        impl<'de> Visitor<'de> for LedgerVisitor {
            type Value = Ledger;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`off`, `sqlite`, a postgres:// URL, or keys (store, keep, keep_hourly)")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Ledger, D::Error> {
                deserializer.deserialize_struct("LedgerWith", &["store", "keep", "keep_hourly"], self)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ledger, E> {
                Ok(Ledger::Text(Secret::new(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ledger, A::Error> {
                LedgerWith::deserialize(MapAccessDeserializer::new(map)).map(Ledger::With)
            }
        }

        deserializer.deserialize_newtype_struct(SECRET_OR_KEYS, LedgerVisitor)
    }
}

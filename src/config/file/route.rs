//! `models` and `routes`: what can run where, and the rules by which it is chosen.
//!
//! What a reader could get wrong: a rule prefers, it does not forbid; a model's own figures (context, modalities, tools, retirement)
//! are what forbids.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::cache::RouteCache;
use super::price::Pricing;
use super::threshold::{Sticky, Threshold};

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
    /// The largest answer that it gives, in tokens: the worst case where a client asks for no limit. Default: the rest of `context`.
    #[serde(default)]
    pub max_output: Option<u64>,
    /// What an answer costs. Default: the provider's list price where it is known for certain; otherwise the cost is unknown.
    #[serde(default)]
    pub price: Option<Pricing>,
    /// The day to which its knowledge reaches (YYYY-MM-DD): prompts that name a later year need fresh knowledge.
    #[serde(default, deserialize_with = "crate::config::scalar::date")]
    pub knowledge_until: Option<jiff::civil::Date>,
    /// The day after which it is refused (YYYY-MM-DD); warned about 90 days ahead.
    #[serde(default, deserialize_with = "crate::config::scalar::date")]
    pub retires_on: Option<jiff::civil::Date>,
}

/// A model name that clients ask for, and how it is decided where it runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Route {
    /// Further names for the same route.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where easy ends and hard begins: a number from 0 to 1 (default 0.5), or `{target_quality: 0.95}`, `{max_cloud_share: 0.2}`,
    /// `{budget: {usd: 10, per: day}}`.
    #[serde(default)]
    pub threshold: Option<Threshold>,
    /// `conversation`: a conversation stays with the model that it began with unless a rule or a failure says otherwise. Default `off`.
    #[serde(default)]
    pub sticky: Option<Sticky>,
    /// What is different from `cache` for this route: `off`, or keys such as `{ttl: 10m, semantic: false}`.
    #[serde(default)]
    pub cache: Option<RouteCache>,
    /// While no cloud can be reached, the edge answers in its place (`x-tidegate-degraded: cloud-unreachable`), also by targets of other rules
    /// where the matching one names none; constraints hold all the same. `false`: only what the matching rule names. Default true.
    #[serde(default = "default_degrades")]
    pub degrade: bool,
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
    /// Shares of traffic by `models` key (`{frontier: 95, challenger: 5}`): a conversation's share decides which is tried first; `try`
    /// (or, without it, the others of the split) follows.
    #[serde(default)]
    pub split: IndexMap<String, f64>,
    /// A sampled copy of requests to another model, off the request's path; its answer is compared, counted and thrown away.
    #[serde(default)]
    pub shadow: Option<Shadow>,
    /// `upgrade`: where the edge has answered (by preference, or because no cloud could be reached), the cloud is asked later; both
    /// answers are kept under the id of the first. For chat completions; responses are left as they are, because clients go on from them by their
    /// ids. Needs `deferred`.
    #[serde(default)]
    pub then: Option<Afterwards>,
}

/// What is done after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Afterwards {
    /// The cloud's answer follows the edge's.
    Upgrade,
}

/// A sampled copy of requests to another model.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Shadow {
    /// The `models` key.
    pub model: String,
    /// The share of requests that are copied, 0 to 1. Default 0.01.
    #[serde(default = "default_sample")]
    pub sample: f64,
}

fn default_degrades() -> bool {
    true
}

/// Enough to see a difference in a day of traffic, little enough to cost next to nothing.
fn default_sample() -> f64 {
    0.01
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
    /// The least confidence (0 to 1) that an answer of it must have; below, the next target is asked. What is judged: token
    /// log-probabilities, refusals, loops, JSON and tool calls that are none, answers cut off or empty. Default: nothing is judged.
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

    /// Below it, the next target is asked.
    pub fn min_confidence(&self) -> Option<f64> {
        match self {
            Try::Name(_) => None,
            Try::With(with) => with.min_confidence,
        }
    }
}

//! `pii`: what is done with personal data and secrets, and what else counts as such.
//!
//! What a reader could get wrong: `redact` says which types are hidden, `modes` how single types are treated; what neither names has the default of
//! its severity. Names of types are checked in `config/check/protect.rs`.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::upstream::Placement;
use crate::config::scalar::HumanDuration;

/// Personal data and secrets: found in every request, hidden from the cloud, put back into answers.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pii {
    /// Types to hide: `PERSON`, `EMAIL_ADDRESS`, … (`tidegate redact --types` lists them). Default: all of severity 1 and 2, but for those that say
    /// nothing about anyone by themselves (years, nationalities, titles). Secrets (severity 3) are blocked unless `modes` says otherwise.
    pub redact: Option<Vec<String>>,
    /// Where requests are bound for that are redacted: `cloud` (default), `edge`, or both.
    #[serde(rename = "for")]
    pub placements: Vec<Placement>,
    /// Put the values back into answers, streams and arguments of tools included. Default true.
    pub restore: bool,
    /// What becomes of single types: `PERSON: mask`.
    pub modes: IndexMap<String, PiiMode>,
    /// Types of your own.
    pub custom: Vec<CustomPii>,
    /// Look for names of persons, places and organisations too (a small model; about twice the time). Default true.
    pub names: bool,
    /// A Presidio analyzer to ask as well: its URL, or `{url, timeout, on_error, language, min_score}`.
    pub analyzer: Option<Analyzer>,
}

impl Default for Pii {
    fn default() -> Self {
        Pii {
            redact: None,
            placements: vec![Placement::Cloud],
            restore: true,
            modes: IndexMap::new(),
            custom: Vec::new(),
            names: true,
            analyzer: None,
        }
    }
}

/// A Presidio analyzer (`POST /analyze`).
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Analyzer {
    /// Its URL.
    Url(String),
    /// Its URL, and how it is asked.
    With(AnalyzerWith),
}

/// How an analyzer is asked.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct AnalyzerWith {
    /// `http://HOST:PORT`, the path `/analyze` is added.
    pub url: String,
    /// How long a request waits for it. Default 500ms.
    #[serde(default = "half_a_second")]
    pub timeout: HumanDuration,
    /// What happens to a request that it did not look through in time: `block` (503) or `continue` with what was found here. Default: `block` for the
    /// tiers `local-only` and `no-retention`, else `continue`.
    #[serde(default)]
    pub on_error: Option<OnAnalyzerError>,
    /// The language it is asked in. Default `en`.
    #[serde(default = "english")]
    pub language: String,
    /// Finds below this score are left out. Default 0.5.
    #[serde(default = "half")]
    pub min_score: f32,
}

/// What happens when the analyzer does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnAnalyzerError {
    Block,
    Continue,
}

impl Analyzer {
    /// How it is asked, defaults included.
    pub fn with(&self) -> AnalyzerWith {
        match self {
            Analyzer::With(with) => with.clone(),
            Analyzer::Url(url) => AnalyzerWith {
                url: url.clone(),
                timeout: half_a_second(),
                on_error: None,
                language: english(),
                min_score: half(),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Analyzer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnalyzerVisitor;

        impl<'de> Visitor<'de> for AnalyzerVisitor {
            type Value = Analyzer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or `{url: URL, timeout: 500ms, on_error: block}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Analyzer, E> {
                Ok(Analyzer::Url(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Analyzer, A::Error> {
                AnalyzerWith::deserialize(MapAccessDeserializer::new(map)).map(Analyzer::With)
            }
        }

        deserializer.deserialize_struct("AnalyzerWith", ANALYZER_KEYS, AnalyzerVisitor)
    }
}

const ANALYZER_KEYS: &[&str] = &["url", "timeout", "on_error", "language", "min_score"];

fn half_a_second() -> HumanDuration {
    HumanDuration(Duration::from_millis(500))
}

fn english() -> String {
    "en".into()
}

fn half() -> f32 {
    0.5
}

/// What becomes of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PiiMode {
    /// Replaced by a label (`<PERSON_417>`), and put back into the answer.
    Redact,
    /// Replaced by asterisks; nothing is put back.
    Mask,
    /// Replaced by a label with a keyed hash: the same value has the same hash in every request of the tenant; nothing is put back.
    Hash,
    /// A request that holds it is sent to no placement of `for`; if no other target is left, it is refused with a 400 that names the type.
    Block,
    /// A request that holds it stays at the edge.
    StayHome,
    /// Found and counted, and sent as it is.
    Allow,
}

/// A type of one's own.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct CustomPii {
    /// Its name in labels, headers and metrics: capital letters, digits and underscores.
    #[serde(rename = "type")]
    pub name: String,
    /// A regular expression (RE2's language: no look-around, no back-references, linear time).
    pub pattern: String,
    /// 1 personal, 2 sensitive, 3 secret. Default 1.
    #[serde(default = "one")]
    pub severity: u8,
    /// How sure a match is, 0 to 1, where finds overlap. Default 0.9.
    #[serde(default = "sure")]
    pub score: f32,
}

/// What a tenant has otherwise.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TenantPii {
    /// In place of `pii.redact`.
    pub redact: Option<Vec<String>>,
    /// In place of `pii.restore`.
    pub restore: Option<bool>,
    /// Before those of `pii.modes`.
    pub modes: IndexMap<String, PiiMode>,
}

fn one() -> u8 {
    1
}

fn sure() -> f32 {
    0.9
}

//! `pii`: what is done with personal data and secrets, and what else counts as such.
//!
//! What a reader could get wrong: `redact` says which types are hidden, `modes` how single types are treated; what neither names has the default of
//! its severity. Names of types are checked in `config/check/protect.rs`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::upstream::Placement;

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
    /// A Presidio analyzer to ask as well. Not available yet.
    pub analyzer: Option<String>,
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

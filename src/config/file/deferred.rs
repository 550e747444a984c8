//! `deferred`: work that is done later, on a queue in `data_dir`.
//!
//! What a reader could get wrong: `hours` holds back batches and upgrades, not background responses: somebody polls for those.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::config::scalar::{ByteSize, HumanDuration};

/// Work that is done later: background responses, batches, `then: upgrade`. Kept in `data_dir`, encrypted, for `retained` requests only.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deferred {
    /// Requests worked on at once, behind all live ones: they begin only while half of their tenant's limits and a place at the edge stay
    /// free. One of several places is kept for tenants that have none running. Default 4.
    pub concurrency: u32,
    /// How often a request may be executed that fails at an upstream which was reached. The pauses after 5xx and timeouts grow from some
    /// seconds to five minutes. Waiting for one that cannot be reached, or is not asked because it failed others, does not count.
    /// Default 10.
    pub max_attempts: u32,
    /// How long a request may wait to be done; a batch says so itself. Default 24h.
    pub expires: HumanDuration,
    /// How long answers are kept to be fetched. Default 30d, as OpenAI keeps them.
    pub keep: HumanDuration,
    /// Local hours in which batches and upgrades may go to the cloud: `22-6`. Default: always.
    pub hours: Option<Hours>,
    /// Requests that a tenant may have waiting (429 above it). Default 100000: two of the largest batches that OpenAI takes.
    pub max_queued: u64,
    /// Space for all tenants' requests, answers and files (429 above it); one of several tenants gets half of it at most.
    /// Answers are always kept; with a quarter more than this, no further request is begun until some are deleted. Default 10GiB.
    pub max_bytes: ByteSize,
}

impl Default for Deferred {
    fn default() -> Self {
        Deferred {
            concurrency: 4,
            max_attempts: 10,
            expires: HumanDuration(Duration::from_secs(24 * 3600)),
            keep: HumanDuration(Duration::from_secs(30 * 24 * 3600)),
            hours: None,
            max_queued: 100_000,
            max_bytes: ByteSize(10 << 30),
        }
    }
}

/// A span of local hours: `22-6` is from 22:00 to 6:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub from: u8,
    /// Not itself within.
    pub to: u8,
}

impl Hours {
    /// Whether an hour (0 to 23) is within.
    pub fn contains(self, hour: u8) -> bool {
        if self.from < self.to { (self.from..self.to).contains(&hour) } else { hour >= self.from || hour < self.to }
    }

    fn parse(text: &str) -> Option<Hours> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from < 24 && to <= 24 && from != to).then_some(Hours { from, to })
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hours::parse(&text).ok_or_else(|| serde::de::Error::custom("hours from 0 to 24 such as 22-6"))
    }
}

impl JsonSchema for Hours {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hours".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]{1,2} *- *[0-9]{1,2}$", "examples": ["22-6"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_go_past_midnight() {
        let night = Hours::parse("22-6").unwrap();
        let within: Vec<u8> = (0..24).filter(|hour| night.contains(*hour)).collect();
        assert_eq!(within, [0, 1, 2, 3, 4, 5, 22, 23]);
        let day = Hours::parse("9 - 17").unwrap();
        assert!(day.contains(9) && day.contains(16) && !day.contains(17) && !day.contains(8));
        assert!(Hours::parse("0-24").unwrap().contains(23));
        for wrong in ["", "22", "22-22", "24-1", "1-25", "a-b", "-1-3"] {
            assert_eq!(Hours::parse(wrong), None, "{wrong}");
        }
    }
}

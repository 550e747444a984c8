//! `retries`: how often a failed attempt is tried again, and when a slow one gets company.
//!
//! What a reader could get wrong: `budget` bounds further attempts at the same upstream; the next target of a rule is no retry.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::config::scalar::HumanDuration;

/// How often a failed attempt is tried again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Retries {
    /// Attempts for one request, the first included, over all its targets and nodes; each later target of the rule keeps one, and a
    /// refused connection is none. Default 3.
    pub max_attempts: u32,
    /// Further attempts at the same upstream (retries and hedges) as a share of the requests that it gets, 0 to 1: trouble is not answered
    /// with a storm. One a second is always allowed, but for 0. Default 0.2.
    pub budget: f64,
    /// Asks a second node beside the first one when no token has come within this percentile of the model's usual time (`p95`), or within a fixed
    /// time (`300ms`); whichever answers first is taken. Only requests that leave nothing behind. Default: off.
    pub hedge_after: Option<HedgeAfter>,
}

impl Default for Retries {
    fn default() -> Self {
        Retries { max_attempts: 3, budget: 0.2, hedge_after: None }
    }
}

/// When a slow attempt gets company.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HedgeAfter {
    /// Share of the answers that have usually come by then, 0 to 1.
    Percentile(f64),
    Time(Duration),
}

impl<'de> Deserialize<'de> for HedgeAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let percentile = text.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok());
        if let Some(percent) = percentile.filter(|percent| (50.0..100.0).contains(percent)) {
            return Ok(HedgeAfter::Percentile(percent / 100.0));
        }
        let time = text.parse::<HumanDuration>().ok().filter(|time| !time.0.is_zero());
        let wrong = || D::Error::custom("a percentile from p50 to p99.9, or a length of time such as 300ms");
        time.map(|time| HedgeAfter::Time(time.0)).ok_or_else(wrong)
    }
}

impl JsonSchema for HedgeAfter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HedgeAfter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(p[0-9]+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?(ms|s|m|h|d))$",
            "examples": ["p95", "300ms"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<HedgeAfter> {
        serde_json::from_value(serde_json::json!(text)).ok()
    }

    #[test]
    fn a_hedge_comes_after_a_percentile_or_a_time() {
        assert_eq!(read("p95"), Some(HedgeAfter::Percentile(0.95)));
        assert_eq!(read("p99.5"), Some(HedgeAfter::Percentile(0.995)));
        assert_eq!(read("300ms"), Some(HedgeAfter::Time(Duration::from_millis(300))));
        for wrong in ["p", "p100", "p10", "95", "0s", "", "pNaN", "soon"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

//! Metrics of personal data and secrets.
//!
//! What a reader could get wrong: types are those of the program and the configuration; a value is in no label.

use prometheus::IntCounterVec;

use super::Build;

/// What was found in requests.
#[derive(Debug)]
pub struct Private {
    /// `type, action` (`redact`, `mask`, `hash`, `block`, `stay-home`, `allow`)
    pub found: IntCounterVec,
    /// `result`: `ok`, `failed`
    pub analyzer: IntCounterVec,
}

impl Private {
    /// Registers them.
    pub(super) fn new(build: &Build<'_>) -> prometheus::Result<Private> {
        Ok(Private {
            found: build.counters(
                "tidegate_pii_found_total",
                "different values of personal data and secrets found in requests, by what became of them",
                &["type", "action"],
            )?,
            analyzer: build.counters(
                "tidegate_pii_analyzer_total",
                "requests that the analyzer was asked about",
                &["result"],
            )?,
        })
    }
}

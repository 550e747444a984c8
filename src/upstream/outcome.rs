//! How attempts at nodes end, told to all who learn from it: the node's breaker, the upstream's pressure, the model's latency and quota.
//!
//! What a reader could get wrong: what the client is to blame for says nothing about a node, and neither does an attempt that was given up for
//! another one.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use super::breaker::Change;
use super::{Known, Node, Upstream};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Retry};

/// Silence of so many times the usual (95 in 100 answers) is no good sign, and never less than this.
const PATIENCE: u32 = 4;
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// Prompt tokens that are read in about the time of all else until the first token.
const ALL_ELSE: f64 = 256.0;
/// Each so many answers of a node it is compared with the others.
const EVERY: u32 = 8;

impl Upstream {
    /// A node answered; `first`: from sending to the first token (of a plain answer: to its end), `reads`: prompt tokens that the node had to
    /// read for us until then, as far as we know.
    pub fn answered(&self, node: &Node, known: &Known, stream: bool, first: Duration, reads: u64) {
        self.pressure.answered(first);
        known.latency(stream).observe(first);
        let answers = node.spoke();
        let now = node.elapsed_ms();
        let alike = with_nothing_to_read(self.as_first_token(known, stream, first), reads);
        if node.breaker.answered(alike, &self.breaker, now) == Some(Change::Closed) {
            tracing::info!(upstream = %self.name, node = %node.label, "the node answers again: its breaker is closed");
        }
        if node.breaker.is_doubted() {
            return self.compare(node, now);
        }
        if !answers.is_multiple_of(EVERY) {
            return;
        }
        if let Some(usual) = known.latency(stream).percentile(0.95) {
            // Also for those that have never said a word.
            self.pool.nodes().iter().for_each(|node| node.set_patience((usual * PATIENCE).max(LEAST_PATIENCE)));
        }
        self.compare(node, now);
    }

    /// The time of an answer as nodes are compared by it: a plain one comes with its last token, so it is measured by the usual ones of its
    /// kind, and told as the time that a stream of this standing takes to its first token. Otherwise a slow node would pass for a quick one
    /// with the first stream it gets.
    fn as_first_token(&self, known: &Known, stream: bool, first: Duration) -> Duration {
        if stream || self.pool.nodes().len() < 2 {
            return first;
        }
        let usual = |stream| known.latency(stream).percentile(0.5).filter(|usual| !usual.is_zero());
        match (usual(true), usual(false)) {
            (Some(streams), Some(plain)) => first.mul_f64(streams.as_secs_f64() / plain.as_secs_f64()),
            _ => first,
        }
    }

    /// A node failed, after `took`.
    pub fn failed(&self, node: &Node, error: &Error, took: Duration) {
        self.pressure.failed(error.kind);
        if matches!(error.kind, Kind::Connect | Kind::Broken) {
            self.pool.failed(node);
        }
        if !is_failure(error.kind) {
            return;
        }
        let pause = match error.retry {
            Retry::SameAfter(pause) => Some(pause),
            Retry::Never | Retry::NextTarget => None,
        };
        if node.breaker.failed(error.kind, took, pause, &self.breaker, node.elapsed_ms()) == Some(Change::Opened) {
            let reason = error.kind.label();
            tracing::warn!(upstream = %self.name, node = %node.label, reason, "the node fails: its breaker is open");
        }
    }

    /// What an answer says of the provider's limits.
    pub fn said(&self, node: &Node, known: &Known, headers: &HeaderMap) {
        if self.section.placement == Placement::Cloud {
            known.quota.learn(headers, node.elapsed_ms(), Timestamp::now());
        }
    }

    /// All its nodes are left alone: why, and for how long still.
    pub fn left_alone(&self) -> Option<(Kind, Duration)> {
        let nodes = self.pool.nodes();
        let each = nodes.iter().map(|node| node.breaker.opened_by(node.elapsed_ms()));
        each.collect::<Option<smallvec::SmallVec<[_; 8]>>>()?.into_iter().min_by_key(|(_, time)| *time)
    }

    /// How it stands beside the other nodes of its pool.
    fn compare(&self, node: &Node, now: u64) {
        let nodes = self.pool.nodes();
        if nodes.len() < 2 || !self.breaker.slower.is_finite() {
            return;
        }
        let others = nodes.iter().filter(|other| !std::ptr::eq(other.as_ref(), node));
        let mut usual: smallvec::SmallVec<[f64; 16]> =
            others.clone().filter_map(|other| other.breaker.usual()).collect();
        // At least half of the pool is always as good as any.
        let slow = others.filter(|other| other.breaker.is_slow(other.elapsed_ms())).count();
        if usual.is_empty() || (slow + 1) * 2 > nodes.len() {
            return;
        }
        usual.sort_by(f64::total_cmp);
        let median = usual[usual.len() / 2];
        if node.breaker.compare(median, &self.breaker, now) {
            tracing::warn!(upstream = %self.name, node = %node.label, "the node is much slower than the others: it comes last");
        }
    }
}

/// What nodes are compared by: one that gets what nobody has yet is not slower than the others that have all of theirs in their caches.
fn with_nothing_to_read(first: Duration, reads: u64) -> Duration {
    first.mul_f64(ALL_ELSE / (ALL_ELSE + reads as f64))
}

/// A failure of the node, not of the request.
fn is_failure(kind: Kind) -> bool {
    matches!(kind, Kind::Connect | Kind::Broken | Kind::Timeout | Kind::UpstreamFailed | Kind::RateLimited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_not_slowness_and_slowness_shows_while_reading() {
        let millis = |first, reads| with_nothing_to_read(Duration::from_millis(first), reads).as_secs_f64() * 1e3;
        // At 6,000 tokens a second: a prompt in the cache, one that is not, one behind three of these.
        let (cached, new, behind) = (millis(50, 100), millis(450, 2_500), millis(1_700, 10_000));
        assert!(new < 1.5 * cached && behind < 1.5 * cached, "{cached} {new} {behind}");
        assert!(millis(4_500, 2_500) > 5.0 * cached, "ten times as slow");
        assert_eq!(millis(50, 0), 50.0, "where nobody counts what is read, the time itself");
    }
}

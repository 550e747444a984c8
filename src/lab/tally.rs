//! What came of a number of requests, counted.
//!
//! What a reader could get wrong: times are those of the good answers; a request that failed quickly makes nothing look fast.

use std::collections::BTreeMap;
use std::time::Duration;

use super::load::Outcome;

/// What came of a number of requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub requests: usize,
    /// How often each error was seen.
    pub errors: BTreeMap<String, usize>,
    /// Attempts beyond the first.
    pub retries: usize,
    /// How many were answered by each upstream.
    pub upstreams: BTreeMap<String, usize>,
    pub degraded: usize,
    /// Of the good ones, in order.
    latencies: Vec<Duration>,
    firsts: Vec<Duration>,
}

impl Tally {
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Tally {
        let mut tally = Tally::default();
        for outcome in outcomes {
            tally.requests += 1;
            tally.retries += outcome.attempts.saturating_sub(1);
            tally.degraded += usize::from(!outcome.degraded.is_empty());
            if let Some(error) = &outcome.error {
                *tally.errors.entry(error.clone()).or_default() += 1;
                continue;
            }
            *tally.upstreams.entry(outcome.upstream.clone()).or_default() += 1;
            tally.latencies.push(outcome.latency());
            // A plain answer has no first token to be seen.
            tally.firsts.extend(outcome.streamed.then_some(outcome.first));
        }
        tally.latencies.sort_unstable();
        tally.firsts.sort_unstable();
        tally
    }

    /// All errors.
    pub fn failed(&self) -> usize {
        self.errors.values().sum()
    }

    /// The time within which that share of the good answers was complete; `None` without one.
    pub fn latency(&self, share: f64) -> Option<Duration> {
        percentile(&self.latencies, share)
    }

    /// The same to the first bytes of a stream.
    pub fn first(&self, share: f64) -> Option<Duration> {
        percentile(&self.firsts, share)
    }
}

/// Nearest rank.
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(millis: u64, error: Option<&str>) -> Outcome {
        Outcome {
            answered: Duration::from_millis(millis),
            error: error.map(str::to_owned),
            upstream: "lab".into(),
            attempts: 2,
            ..Outcome::default()
        }
    }

    #[test]
    fn counts_and_percentiles_are_of_the_good_ones() {
        let mut all: Vec<Outcome> = (1..=100).map(|millis| outcome(millis, None)).collect();
        all.push(outcome(0, Some("timeout")));
        let tally = Tally::of(&all);
        assert_eq!((tally.requests, tally.failed(), tally.errors["timeout"], tally.retries), (101, 1, 1, 101));
        assert_eq!(tally.latency(0.5), Some(Duration::from_millis(50)));
        assert_eq!(tally.latency(0.99), Some(Duration::from_millis(99)));
        assert_eq!(tally.upstreams["lab"], 100);
        assert_eq!(Tally::of(&[]).latency(0.5), None);
    }
}

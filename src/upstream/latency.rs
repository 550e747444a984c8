//! How long a model's answers take until their first token, as a distribution that forgets: what hedging waits for.
//!
//! Buckets a sixth apart (so a percentile is exact to within 16 %); once enough has come, all are halved. What a reader could get wrong: streams and
//! plain answers are apart, because a plain one comes when all of it has been written.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Buckets: from 100 µs in steps of a sixth, up to about an hour.
const BUCKETS: usize = 120;
const FIRST: f64 = 1e-4;
const STEP: f64 = 7.0 / 6.0;
/// Answers after which half is forgotten.
const MOST: u32 = 2_000;
/// Answers before a percentile is worth anything.
const LEAST: u32 = 20;

/// The distribution of one model's times.
#[derive(Debug)]
pub struct Latency {
    buckets: [AtomicU32; BUCKETS],
    total: AtomicU32,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { buckets: [const { AtomicU32::new(0) }; BUCKETS], total: AtomicU32::new(0) }
    }
}

impl Latency {
    /// An answer took so long.
    pub fn observe(&self, took: Duration) {
        let steps = (took.as_secs_f64().max(FIRST) / FIRST).ln() / STEP.ln();
        let at = (steps as usize).min(BUCKETS - 1);
        self.buckets[at].fetch_add(1, Relaxed);
        if self.total.fetch_add(1, Relaxed) + 1 == MOST {
            // Races lose a few: a percentile need not be exact.
            let left = self.buckets.iter().map(|bucket| {
                let half = bucket.load(Relaxed) / 2;
                bucket.store(half, Relaxed);
                half
            });
            self.total.store(left.sum(), Relaxed);
        }
    }

    /// The time within which `share` (0 to 1) of the answers came; `None`: too few are known.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let total = self.total.load(Relaxed);
        if total < LEAST {
            return None;
        }
        let wanted = (f64::from(total) * share).ceil() as u32;
        let mut seen = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Relaxed);
            if seen >= wanted {
                return Some(Duration::from_secs_f64(FIRST * STEP.powi(at as i32 + 1)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_came() {
        let latency = Latency::default();
        (1..=19).for_each(|_| latency.observe(Duration::from_millis(1)));
        assert_eq!(latency.percentile(0.95), None, "too few");
        let latency = Latency::default();
        (1..=1_000).for_each(|n| latency.observe(Duration::from_millis(n)));
        for share in [0.5, 0.9, 0.95, 0.99] {
            let at = latency.percentile(share).unwrap().as_secs_f64();
            assert!((share..share * 1.17).contains(&at), "{share} {at}");
        }
    }

    #[test]
    fn what_was_is_forgotten() {
        let latency = Latency::default();
        (0..1_900).for_each(|_| latency.observe(Duration::from_millis(10)));
        (0..8_000).for_each(|_| latency.observe(Duration::from_millis(200)));
        assert!(latency.percentile(0.5).unwrap() > Duration::from_millis(150));
    }

    #[test]
    fn the_ends_are_taken_in() {
        let latency = Latency::default();
        (0..30).for_each(|_| latency.observe(Duration::ZERO));
        (0..30).for_each(|_| latency.observe(Duration::from_secs(1_000_000)));
        assert!(latency.percentile(0.1).unwrap() < Duration::from_millis(1));
        assert!(latency.percentile(1.0).unwrap() > Duration::from_secs(3_000));
    }
}

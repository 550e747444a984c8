//! How many retries and hedges an upstream may get: a share of the requests it gets anyway, so that trouble is never answered with a storm.
//!
//! A bucket of tokens: each first attempt puts in the configured share of one, each further attempt at the same upstream takes one out. A token
//! comes by itself each second, so that a gateway with little traffic can retry at all. What a reader could get wrong: another target of the plan is no
//! retry, it is what the operator asked for; and an attempt whose request never went out costs nobody anything, so it takes no token.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Tokens at most: what may come in one burst.
const MOST: i64 = 20 * UNIT;
/// A token in the bucket's own unit.
const UNIT: i64 = 1000;

/// The bucket of one upstream.
#[derive(Debug)]
pub struct Allowance {
    tokens: AtomicI64,
    /// Milliseconds until which tokens have come by themselves.
    refilled: AtomicU64,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { tokens: AtomicI64::new(MOST / 2), refilled: AtomicU64::new(0) }
    }
}

impl Allowance {
    /// A request makes its first attempt; `share` of it may be retried, 0 to 1.
    pub fn earn(&self, share: f64) {
        self.add((share * UNIT as f64) as i64);
    }

    /// Takes a token for a further attempt; `false`: there is none. `share`: as for `earn`; 0 allows none at all. `now`: milliseconds, of any
    /// clock that does not go back.
    pub fn spend(&self, share: f64, now: u64) -> bool {
        if share <= 0.0 {
            return false;
        }
        let before = self.refilled.fetch_max(now, Relaxed);
        self.add(i64::try_from(now.saturating_sub(before)).unwrap_or(MOST).min(MOST));
        let taken = self.tokens.try_update(Relaxed, Relaxed, |tokens| (tokens >= UNIT).then_some(tokens - UNIT));
        taken.is_ok()
    }

    fn add(&self, more: i64) {
        // Full is the usual case: nothing is written.
        if self.tokens.load(Relaxed) < MOST {
            self.tokens.update(Relaxed, Relaxed, |tokens| (tokens + more).min(MOST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_a_share_of_the_requests() {
        let allowance = Allowance::default();
        let mut retries = 0;
        for _ in 0..10_000 {
            allowance.earn(0.2);
            // Everything fails, and would like to be tried three times more.
            retries += (0..3).filter(|_| allowance.spend(0.2, 0)).count();
        }
        assert!((2_000..=2_020).contains(&retries), "{retries}");
    }

    #[test]
    fn little_traffic_may_retry_now_and_then() {
        let allowance = Allowance::default();
        while allowance.spend(0.2, 0) {}
        assert!(!allowance.spend(0.2, 900));
        assert!(allowance.spend(0.2, 1_000) && !allowance.spend(0.2, 1_000));
        assert!(
            (0..30).filter(|_| allowance.spend(0.2, 1_000_000)).count() == 20,
            "but a long silence saves up no storm"
        );
    }

    #[test]
    fn none_is_none() {
        let allowance = Allowance::default();
        assert!(!allowance.spend(0.0, 1_000_000));
    }
}

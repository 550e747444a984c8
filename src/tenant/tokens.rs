//! Tokens a minute: a bucket that takes an estimate first and is corrected once the figures are known.
//!
//! What a reader could get wrong: this is not governor's limiter, because a cell taken there cannot be given back, and an estimate that
//! was too high would cost the tenant until the minute is over. The arithmetic is the same (GCRA, ITU-T I.371 appendix I): one
//! number, the theoretical arrival time, moves ahead by what is taken and may be moved back.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a full bucket holds: a minute's worth.
const WINDOW: i64 = 60_000_000_000;

/// A bucket of tokens that refills evenly over a minute.
#[derive(Debug)]
pub struct TokenBucket {
    per_minute: u64,
    born: Instant,
    /// Nanoseconds since `born`: how far what was taken reaches ahead of the clock.
    ahead_of: AtomicI64,
}

/// There is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// When it would be enough; `None`: never, it is more than a minute's worth.
    pub wait: Option<Duration>,
}

impl TokenBucket {
    /// `per_minute`: at least 1.
    pub fn new(per_minute: u64) -> TokenBucket {
        TokenBucket { per_minute: per_minute.max(1), born: Instant::now(), ahead_of: AtomicI64::new(0) }
    }

    /// Takes `tokens` if there are so many.
    pub fn take(&self, tokens: u64) -> Result<(), TooMany> {
        self.take_at(tokens, self.now())
    }

    /// What was taken turned out to be `more` (or, below 0, less) than estimated. Never refused: it has been used.
    pub fn correct(&self, more: i64) {
        let by = self.time_of(more.unsigned_abs());
        let by = if more < 0 { -by } else { by };
        // Giving back must not fill the bucket beyond its rim: `take` starts at the clock if this lies behind it.
        self.ahead_of.fetch_add(by, Relaxed);
    }

    /// Tokens that can be taken now.
    pub fn left(&self) -> u64 {
        let ahead = (self.ahead_of.load(Relaxed) - self.now()).clamp(0, WINDOW);
        // Rounded up by a token's thousandth, so that an untouched bucket is full.
        ((WINDOW - ahead) as u128 * u128::from(self.per_minute) / WINDOW as u128) as u64
    }

    /// Until the bucket is full again.
    pub fn full_in(&self) -> Duration {
        Duration::from_nanos((self.ahead_of.load(Relaxed) - self.now()).max(0).unsigned_abs())
    }

    pub fn per_minute(&self) -> u64 {
        self.per_minute
    }

    fn take_at(&self, tokens: u64, now: i64) -> Result<(), TooMany> {
        if tokens > self.per_minute {
            return Err(TooMany { wait: None });
        }
        let cost = self.time_of(tokens);
        let next = |ahead: i64| Some(ahead.max(now) + cost).filter(|next| next - now <= WINDOW);
        match self.ahead_of.try_update(Relaxed, Relaxed, next) {
            Ok(_) => Ok(()),
            Err(ahead) => {
                let wait = (ahead.max(now) + cost - now - WINDOW).max(0).unsigned_abs();
                Err(TooMany { wait: Some(Duration::from_nanos(wait)) })
            }
        }
    }

    /// Nanoseconds in which that many tokens flow in; saturates at a day, far beyond any refusal.
    fn time_of(&self, tokens: u64) -> i64 {
        const DAY: u128 = 86_400_000_000_000;
        (u128::from(tokens) * WINDOW as u128 / u128::from(self.per_minute)).min(DAY) as i64
    }

    fn now(&self) -> i64 {
        i64::try_from(self.born.elapsed().as_nanos()).unwrap_or(i64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_may_come_at_once_and_no_more() {
        let bucket = TokenBucket::new(600);
        assert_eq!(bucket.take_at(600, 0), Ok(()));
        assert_eq!(bucket.take_at(10, 0), Err(TooMany { wait: Some(Duration::from_secs(1)) }));
        assert_eq!(bucket.take_at(10, 1_000_000_000), Ok(()), "ten tokens flow in each second");
        assert_eq!(bucket.take_at(601, 120_000_000_000), Err(TooMany { wait: None }));
    }

    #[test]
    fn an_estimate_is_corrected_in_both_directions() {
        let bucket = TokenBucket::new(1_000_000);
        bucket.take(900_000).unwrap();
        assert!(bucket.take(200_000).is_err());
        bucket.correct(-500_000);
        bucket.take(200_000).unwrap();
        bucket.correct(600_000);
        assert!(bucket.take(1).is_err(), "what was used beyond the estimate is owed");
        assert_eq!(bucket.left(), 0);
    }

    #[test]
    fn giving_back_never_makes_more_than_a_full_bucket() {
        let bucket = TokenBucket::new(60);
        bucket.correct(-1_000_000);
        assert_eq!(bucket.left(), 60);
        assert!(bucket.take(60).is_ok());
        assert!(bucket.take(60).is_err());
        assert!(bucket.full_in() <= Duration::from_secs(60));
    }
}

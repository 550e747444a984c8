//! Limits of a tenant, an app or a user: requests a minute (governor), tokens a minute, requests at once.
//!
//! What a reader could get wrong: the narrowest meter is asked first, because a request that it refuses must not have used up
//! what all share; governor cannot give a cell back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use smallvec::SmallVec;

use super::tokens::TokenBucket;
use crate::config::file::Limits;

type Requests = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What one tenant, app or user has used of its limits.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    requests: Option<Requests>,
    /// The same once more: how many governor has left it tells only to who takes one.
    pace: Option<TokenBucket>,
    clock: DefaultClock,
    tokens: Option<TokenBucket>,
    /// Shared with the meter that a reload puts in this one's place.
    in_flight: Arc<AtomicU32>,
}

/// Why a request is not let in, and when it may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Requests a minute.
    Requests { limit: u32, wait: Duration },
    /// Tokens a minute; `None`: this request alone is larger than the limit.
    Tokens { limit: u64, wait: Option<Duration> },
    /// Requests at once.
    InFlight { limit: u32 },
}

/// What is left of a limit, for `x-ratelimit-*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Limit, what remains, and the time until it is whole again.
    pub requests: Option<(u32, u32, Duration)>,
    pub tokens: Option<(u64, u64, Duration)>,
}

/// Places that a request has taken in its meters; dropping it gives them back.
#[derive(Debug, Default)]
pub struct Places(SmallVec<[Arc<Meter>; 3]>);

impl Meter {
    /// With nothing used. `before`: the meter whose place it takes, with what is in flight there.
    pub fn new(limits: Limits, before: Option<&Meter>) -> Meter {
        let quota = limits.requests_per_minute.and_then(NonZeroU32::new).map(Quota::per_minute);
        let requests = quota.map(|quota| RateLimiter::direct(quota).with_middleware::<StateInformationMiddleware>());
        let in_flight = before.map_or_else(Arc::default, |before| Arc::clone(&before.in_flight));
        let tokens = limits.tokens_per_minute.map(TokenBucket::new);
        let pace = limits.requests_per_minute.map(u64::from).map(TokenBucket::new);
        Meter { limits, requests, pace, clock: DefaultClock::default(), tokens, in_flight }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Requests at work.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Lets one request in: takes a place into `places`, and one of the minute's requests.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn enter(self: &Arc<Meter>, places: &mut Places, standing: &mut Standing) -> Result<(), Refusal> {
        let limit = self.limits.in_flight.unwrap_or(u32::MAX);
        let taken = self.in_flight.try_update(Relaxed, Relaxed, |now| (now < limit).then_some(now + 1));
        if taken.is_err() {
            return Err(Refusal::InFlight { limit });
        }
        places.0.push(Arc::clone(self));
        let Some(requests) = &self.requests else { return Ok(()) };
        let limit = self.limits.requests_per_minute.unwrap_or(0);
        match requests.check() {
            Ok(state) => {
                // Never refused before governor does, but for the rounding.
                let _taken = self.pace.as_ref().map(|pace| pace.take(1));
                let left = state.remaining_burst_capacity();
                let used = limit.saturating_sub(left);
                // Evenly refilled: one every 60/limit seconds.
                let whole_in = Duration::from_secs(60).mul_f64(f64::from(used) / f64::from(limit.max(1)));
                standing.narrow_requests(limit, left, whole_in);
                Ok(())
            }
            Err(until) => {
                standing.narrow_requests(limit, 0, Duration::from_secs(60));
                Err(Refusal::Requests { limit, wait: until.wait_time_from(self.clock.now()) })
            }
        }
    }

    /// At least half of every limit is free, and somebody may have it who can wait. Takes nothing.
    pub fn is_half_free(&self) -> bool {
        let half = |bucket: &TokenBucket| bucket.left().saturating_mul(2) >= bucket.per_minute();
        let has_place = self.limits.in_flight.is_none_or(|limit| self.in_flight().saturating_mul(2) < limit);
        has_place && self.pace.iter().chain(&self.tokens).all(half)
    }

    /// Takes an estimated number of tokens.
    ///
    /// # Errors
    /// There are not so many left in this minute.
    pub fn take_tokens(&self, tokens: u64, standing: &mut Standing) -> Result<(), Refusal> {
        let Some(bucket) = &self.tokens else { return Ok(()) };
        let taken = bucket.take(tokens);
        standing.narrow_tokens(bucket.per_minute(), bucket.left(), bucket.full_in());
        taken.map_err(|too_many| Refusal::Tokens { limit: bucket.per_minute(), wait: too_many.wait })
    }

    /// The estimate was off by `more` tokens.
    pub fn correct_tokens(&self, more: i64) {
        if let Some(bucket) = &self.tokens {
            bucket.correct(more);
        }
    }

    /// Whether tokens are counted at all.
    pub fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }
}

impl Refusal {
    /// The limit's name, as metric label and in the configuration.
    pub fn limit_name(&self) -> &'static str {
        match self {
            Refusal::Requests { .. } => "requests_per_minute",
            Refusal::Tokens { .. } => "tokens_per_minute",
            Refusal::InFlight { .. } => "in_flight",
        }
    }

    /// How long to wait, where that is known.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Refusal::Requests { wait, .. } => Some(*wait),
            Refusal::Tokens { wait, .. } => *wait,
            // Somebody's request will be done in a moment.
            Refusal::InFlight { .. } => Some(Duration::from_secs(1)),
        }
    }
}

impl Standing {
    /// The limit that is nearest to its end is the one that the client has to know.
    fn narrow_requests(&mut self, limit: u32, left: u32, whole_in: Duration) {
        if self.requests.is_none_or(|(_, before, _)| left < before) {
            self.requests = Some((limit, left, whole_in));
        }
    }

    fn narrow_tokens(&mut self, limit: u64, left: u64, whole_in: Duration) {
        if self.tokens.is_none_or(|(_, before, _)| left < before) {
            self.tokens = Some((limit, left, whole_in));
        }
    }
}

impl Places {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for meter in &self.0 {
            meter.in_flight.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(requests: Option<u32>, tokens: Option<u64>, in_flight: Option<u32>) -> Arc<Meter> {
        let limits = Limits { requests_per_minute: requests, tokens_per_minute: tokens, in_flight };
        Arc::new(Meter::new(limits, None))
    }

    fn enter(meter: &Arc<Meter>) -> (Places, Standing, Result<(), Refusal>) {
        let (mut places, mut standing) = (Places::default(), Standing::default());
        let entered = meter.enter(&mut places, &mut standing);
        (places, standing, entered)
    }

    #[test]
    fn requests_a_minute_are_counted_down_and_refused_with_the_time_to_wait() {
        let meter = meter(Some(3), None, None);
        for left in [2, 1, 0] {
            let (_, standing, entered) = enter(&meter);
            assert_eq!(entered, Ok(()));
            assert_eq!(standing.requests.map(|(limit, left, _)| (limit, left)), Some((3, left)));
        }
        let (_, _, entered) = enter(&meter);
        let Err(Refusal::Requests { limit: 3, wait }) = entered else { panic!("{entered:?}") };
        assert!(wait <= Duration::from_secs(20), "a third of a minute at most: {wait:?}");
    }

    #[test]
    fn places_are_given_back_and_survive_a_reload() {
        let old = meter(None, None, Some(1));
        let (held, _, entered) = enter(&old);
        assert_eq!(entered, Ok(()));
        let new = Arc::new(Meter::new(Limits { in_flight: Some(1), ..Limits::default() }, Some(&old)));
        assert_eq!(enter(&new).2, Err(Refusal::InFlight { limit: 1 }));
        drop(held);
        assert_eq!(enter(&new).2, Ok(()));
        assert_eq!(new.in_flight(), 0);
    }

    #[test]
    fn the_narrowest_limit_is_told() {
        let (wide, narrow) = (meter(Some(100), Some(1000), None), meter(Some(5), Some(50), None));
        let (mut places, mut standing) = (Places::default(), Standing::default());
        for meter in [&narrow, &wide] {
            meter.enter(&mut places, &mut standing).unwrap();
            meter.take_tokens(10, &mut standing).unwrap();
        }
        assert_eq!(standing.requests.map(|(limit, left, _)| (limit, left)), Some((5, 4)));
        assert_eq!(standing.tokens.map(|(limit, left, _)| (limit, left)), Some((50, 40)));
    }

    #[test]
    fn half_of_each_limit_is_left_to_who_waits() {
        let [requests, places, tokens] = [(Some(4), None, None), (None, None, Some(3)), (None, Some(1000), None)]
            .map(|(requests, tokens, places)| meter(requests, tokens, places));
        let free = || [&requests, &places, &tokens].map(|meter| meter.is_half_free());
        assert_eq!(free(), [true; 3]);
        let held = [enter(&requests), enter(&requests), enter(&places)];
        tokens.take_tokens(400, &mut Standing::default()).unwrap();
        assert_eq!(free(), [true; 3], "half is left");
        let more = [enter(&requests), enter(&places)];
        tokens.take_tokens(200, &mut Standing::default()).unwrap();
        assert_eq!(free(), [false; 3]);
        drop((held, more));
        assert!(places.is_half_free());
    }
}

//! How much an upstream pushes back, 0 to 1: refusals (429), failures, and first tokens that come much later than they used to.
//!
//! Two figures that forget with time, so that an upstream that is no longer asked is tried again. What a reader could get wrong: it is a
//! signal for thresholds and rules, not a breaker; nothing is refused by it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::Kind;

/// What one attempt weighs: twenty refusals in a row come to 0.9.
const WEIGHT: f64 = 0.11;
/// What is known is half forgotten after this, if nothing new comes.
const HALF_LIFE: Duration = Duration::from_secs(15);
/// First tokens of lately against those of the last thousand requests.
const QUICK: f64 = 0.1;
const SLOW: f64 = 0.002;
/// So many times as slow as usual is no pressure yet, and so many is all of it.
const NO_SLOWER: f64 = 1.5;
const MUCH_SLOWER: f64 = 4.0;
/// First tokens until the usual is known.
const WARM: u64 = 30;

/// What is known of one upstream. Updates race with each other and lose now and then one of many: a signal need not be exact.
#[derive(Debug)]
pub struct Pressure {
    born: Instant,
    /// Share of attempts that failed, `f64` bits.
    failing: AtomicU64,
    /// Milliseconds since `born` of the last attempt.
    heard: AtomicU64,
    /// Seconds to the first token, lately and usually; `f64` bits.
    lately: AtomicU64,
    usually: AtomicU64,
    first_tokens: AtomicU64,
}

impl Default for Pressure {
    fn default() -> Pressure {
        let zero = || AtomicU64::new(0);
        Pressure {
            born: Instant::now(),
            failing: zero(),
            heard: zero(),
            lately: zero(),
            usually: zero(),
            first_tokens: zero(),
        }
    }
}

impl Pressure {
    /// 0: none, 1: all there can be.
    pub fn now(&self) -> f64 {
        self.at(self.age())
    }

    fn at(&self, now: u64) -> f64 {
        let failing = read(&self.failing);
        let (lately, usually) = (read(&self.lately), read(&self.usually));
        let slower = if usually > 0.0 && self.first_tokens.load(Relaxed) >= WARM { lately / usually } else { 1.0 };
        let slow = ((slower - NO_SLOWER) / (MUCH_SLOWER - NO_SLOWER)).clamp(0.0, 1.0);
        failing.max(slow) * self.faded(now)
    }

    /// An attempt was answered; `first`: from sending to the first token.
    pub fn answered(&self, first: Duration) {
        let now = self.age();
        self.note(0.0, now);
        let first = first.as_secs_f64();
        let seen = self.first_tokens.fetch_add(1, Relaxed);
        // In the beginning both are plain averages.
        let begin = 1.0 / (seen as f64 + 1.0);
        blend(&self.lately, first, QUICK.max(begin));
        blend(&self.usually, first, SLOW.max(begin));
    }

    /// An attempt failed. What the client is to blame for is no pressure.
    pub fn failed(&self, kind: Kind) {
        let pushes = matches!(
            kind,
            Kind::RateLimited | Kind::UpstreamFailed | Kind::Timeout | Kind::Connect | Kind::Broken | Kind::Overloaded
        );
        if pushes {
            self.note(1.0, self.age());
        }
    }

    fn note(&self, failed: f64, now: u64) {
        let failing = read(&self.failing) * self.faded(now);
        self.failing.store((failing + (failed - failing) * WEIGHT).to_bits(), Relaxed);
        self.heard.store(now, Relaxed);
    }

    /// What is left of what was known, after so long without a word.
    fn faded(&self, now: u64) -> f64 {
        let silent = now.saturating_sub(self.heard.load(Relaxed));
        // The usual case, attempts every few milliseconds, costs no power.
        if silent < 100 {
            return 1.0;
        }
        0.5f64.powf(silent as f64 / HALF_LIFE.as_millis() as f64)
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn read(bits: &AtomicU64) -> f64 {
    f64::from_bits(bits.load(Relaxed))
}

fn blend(bits: &AtomicU64, value: f64, weight: f64) {
    let before = read(bits);
    bits.store((before + (value - before) * weight).to_bits(), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_build_up_and_answers_take_it_away() {
        let pressure = Pressure::default();
        assert_eq!(pressure.now(), 0.0);
        (0..20).for_each(|_| pressure.failed(Kind::RateLimited));
        assert!(pressure.now() > 0.85, "{}", pressure.now());
        (0..40).for_each(|_| pressure.answered(Duration::from_millis(200)));
        assert!(pressure.now() < 0.05, "{}", pressure.now());
    }

    #[test]
    fn a_clients_fault_is_no_pressure() {
        let pressure = Pressure::default();
        for kind in [Kind::ClientGone, Kind::UpstreamRefused, Kind::InvalidRequest] {
            (0..20).for_each(|_| pressure.failed(kind));
        }
        assert_eq!(pressure.now(), 0.0);
    }

    #[test]
    fn much_slower_than_usual_is_pressure_and_steady_slowness_is_not() {
        let pressure = Pressure::default();
        (0..500).for_each(|_| pressure.answered(Duration::from_secs(2)));
        assert!(pressure.now() < 0.01, "slow, but as ever: {}", pressure.now());
        (0..40).for_each(|_| pressure.answered(Duration::from_secs(9)));
        assert!(pressure.now() > 0.8, "{}", pressure.now());
    }

    #[test]
    fn silence_is_forgotten() {
        let pressure = Pressure::default();
        (0..50).for_each(|_| pressure.failed(Kind::Connect));
        let (now, later) = (pressure.at(pressure.age()), pressure.at(pressure.age() + 60_000));
        assert!(later < now / 10.0, "{now} {later}");
    }
}

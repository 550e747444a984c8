//! What an error means for a job: it is its result, or it is tried again later, and when.
//!
//! What a reader could get wrong: an execution counts only where an upstream that was reached failed. A job may wait for its cloud all
//! night; five broken answers are enough.

use std::time::Duration;

use crate::deferred::Back;
use crate::error::{Error, Kind, Retry};
use crate::policy::{Constraint, Decision};

/// The pause after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause: so soon after the cloud is back at the latest, if nobody notices before.
const LONGEST: Duration = Duration::from_secs(300);
/// A used-up budget is not looked at more often.
const FOR_MONEY: Duration = Duration::from_secs(600);

/// To be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    pub why: Back,
    /// Not before, where that is known.
    pub at_least: Duration,
    /// The label of metrics.
    pub reason: &'static str,
}

impl Later {
    /// An upstream was reached, and failed.
    pub fn failed(kind: Kind) -> Later {
        Later { why: Back::Failed, at_least: Duration::ZERO, reason: kind.label() }
    }

    /// Until the hours begin in which the cloud may be asked.
    pub fn until(hours: Duration) -> Later {
        Later { why: Back::Paused, at_least: hours, reason: "hours" }
    }

    /// How long to wait: exponential with full jitter (Brooker, "Exponential Backoff And Jitter", 2015). `random`: 0 to 1.
    pub fn pause(&self, postponed: u32, random: f64) -> Duration {
        let bound = FIRST.saturating_mul(1u32 << postponed.min(16)).min(LONGEST);
        // Never at once: what is full now is full in a millisecond.
        self.at_least + bound.mul_f64(random.clamp(0.05, 1.0))
    }
}

/// What becomes of a job whose execution failed with this error; `None`: the error is its result.
pub fn judge(error: &Error, decision: Option<&Decision>) -> Option<Later> {
    let unreachable = || Some(Later { why: Back::Unreachable, at_least: Duration::ZERO, reason: error.kind.label() });
    let paused = |at_least| Some(Later { why: Back::Paused, at_least, reason: error.kind.label() });
    let asked = error.upstream.as_ref().and_then(|answer| answer.retry_after);
    let asked = asked.or(match error.retry {
        Retry::SameAfter(pause) => Some(pause),
        _ => None,
    });
    match error.kind {
        Kind::Connect => unreachable(),
        Kind::Overloaded | Kind::RateLimited | Kind::LimitReached => {
            // Larger than the limit itself: it never fits.
            let never = error.kind == Kind::LimitReached && error.retry == Retry::Never;
            if never { None } else { paused(asked.unwrap_or_default()) }
        }
        Kind::QuotaExceeded => paused(FOR_MONEY),
        // A pool without a healthy node is passing; what constraints forbid is not, but for money.
        Kind::NoEligibleTarget if error.retry != Retry::Never => unreachable(),
        Kind::NoEligibleTarget => {
            let is_money =
                |decision: &Decision| decision.considered.iter().any(|c| c.dropped == Some(Constraint::Budget));
            decision.filter(|decision| is_money(decision)).and_then(|_| paused(FOR_MONEY))
        }
        Kind::Timeout | Kind::Broken | Kind::UpstreamFailed | Kind::LowConfidence | Kind::Internal => {
            Some(Later { at_least: asked.unwrap_or_default(), ..Later::failed(error.kind) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_are_spread() {
        let later = Later::failed(Kind::Broken);
        let most: Vec<u64> = (0..11).map(|n| later.pause(n, 1.0).as_secs()).collect();
        assert_eq!(most, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(later.pause(40, 0.5).as_secs(), 150);
        assert_eq!(later.pause(0, 0.0), Duration::from_millis(50));
        let asked = Later { at_least: Duration::from_secs(20), ..later };
        assert_eq!(asked.pause(0, 1.0).as_secs(), 21, "what was asked for comes on top");
    }

    #[test]
    fn refusals_are_final_and_the_rest_waits() {
        let judged = |error: Error| judge(&error, None).map(|later| later.why);
        let upstream = |kind| Error::upstream(kind, "x");
        assert_eq!(judged(upstream(Kind::UpstreamRefused)), None);
        assert_eq!(judged(upstream(Kind::Connect)), Some(Back::Unreachable));
        assert_eq!(judged(upstream(Kind::Broken)), Some(Back::Failed));
        assert_eq!(judged(Error::client(Kind::InvalidRequest, "x")), None);
        assert_eq!(judged(Error::client(Kind::LimitReached, "x")), None);
        let passing = Error::client(Kind::LimitReached, "x").with_retry(Retry::SameAfter(FIRST));
        assert_eq!(judge(&passing, None).unwrap().at_least, FIRST);
        assert_eq!(judged(Error::gateway(Kind::NoEligibleTarget, "x")), None);
        let down = Error::gateway(Kind::NoEligibleTarget, "x").with_retry(Retry::NextTarget);
        assert_eq!(judged(down), Some(Back::Unreachable));
    }
}

//! What an error means for a job: it is its result, or it is tried again later, and when.
//!
//! What a reader could get wrong: an execution counts only where something was sent to an upstream, and failed there. That a breaker is open
//! says nothing of the job: it may wait for its cloud all night.

use std::time::Duration;

use crate::deferred::{Back, LONGEST_PAUSE_US};
use crate::error::{Error, Kind, Retry};
use crate::policy::{Constraint, Decision};

/// The pause after the first time; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The same where an upstream answered 5xx, or not in time: it has trouble, and will have it for a while. The usual ten executions are
/// spread over some twenty minutes; while a breaker is open none is used up.
const TROUBLE: Duration = Duration::from_secs(5);
/// The longest such pause: so soon after the cloud is back at the latest, if nobody notices before.
const LONGEST: Duration = Duration::from_secs(300);
/// Limits and places are free again soon.
const FOR_ROOM: Duration = Duration::from_secs(15);
/// A used-up budget is not looked at more often; nor is a key that an upstream refuses, or a tenant who is not configured.
const FOR_PEOPLE: Duration = Duration::from_secs(600);

/// For whom it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For all of the same tenant, kind, model, app, user and placement hint.
    Lane,
    /// For those whom the same targets are left.
    Targets,
    /// For this one, as far as is known.
    Job,
}

/// To be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    pub why: Back,
    /// Not before, where that is known.
    pub at_least: Duration,
    /// The first of the pauses that double, and the longest of them.
    pub spread: (Duration, Duration),
    /// What it is that holds for others too.
    pub of: Scope,
    /// The label of metrics.
    pub reason: &'static str,
    /// It is in no book: nothing was done but to look.
    pub is_unseen: bool,
}

impl Later {
    /// An upstream was reached, and failed.
    pub fn failed(kind: Kind) -> Later {
        let first = if matches!(kind, Kind::UpstreamFailed | Kind::Timeout) { TROUBLE } else { FIRST };
        let (why, of) = (Back::Failed, Scope::Job);
        Later { why, at_least: Duration::ZERO, spread: (first, LONGEST), of, reason: kind.label(), is_unseen: false }
    }

    fn unreachable(kind: Kind) -> Later {
        let (why, of) = (Back::Unreachable, Scope::Targets);
        Later { why, at_least: Duration::ZERO, spread: (FIRST, LONGEST), of, reason: kind.label(), is_unseen: false }
    }

    fn paused(kind: Kind, at_least: Duration, of: Scope) -> Later {
        Later { why: Back::Paused, at_least, spread: (FIRST, LONGEST), of, reason: kind.label(), is_unseen: false }
    }

    /// Until the hours begin in which the cloud may be asked.
    pub fn until(hours: Duration) -> Later {
        Later {
            why: Back::Paused,
            at_least: hours,
            spread: (FIRST, FIRST),
            of: Scope::Targets,
            reason: "hours",
            is_unseen: false,
        }
    }

    /// Whoever waits for an answer comes first.
    pub fn for_room(reason: &'static str, of: Scope) -> Later {
        Later { why: Back::Paused, at_least: Duration::ZERO, spread: (FIRST, FOR_ROOM), of, reason, is_unseen: false }
    }

    /// The tenant is not configured: by mistake, perhaps.
    pub fn for_tenant() -> Later {
        Later::paused(Kind::InvalidKey, FOR_ROOM, Scope::Lane)
    }

    /// Before a record was opened.
    pub fn unseen(self) -> Later {
        Later { is_unseen: true, ..self }
    }

    /// How long to wait: exponential with full jitter (Brooker, "Exponential Backoff And Jitter", 2015). `random`: 0 to 1.
    pub fn pause(&self, postponed: u32, random: f64) -> Duration {
        let (first, longest) = self.spread;
        let bound = first.saturating_mul(1u32 << postponed.min(16)).min(longest);
        // Never at once: what is full now is full in a millisecond.
        let pause = self.at_least.saturating_add(bound.mul_f64(random.clamp(0.05, 1.0)));
        pause.min(Duration::from_micros(LONGEST_PAUSE_US.unsigned_abs()))
    }
}

/// What becomes of a job whose execution failed with this error; `None`: the error is its result. `was_sent`: some upstream got something of it.
pub fn judge(error: &Error, decision: Option<&Decision>, was_sent: bool) -> Option<Later> {
    let asked = error.upstream.as_ref().and_then(|answer| answer.retry_after);
    let asked = asked.or(match error.retry {
        Retry::SameAfter(pause) => Some(pause),
        _ => None,
    });
    let asked = asked.unwrap_or_default();
    let paused = |at_least, of| Some(Later::paused(error.kind, at_least, of));
    match error.kind {
        Kind::Connect => Some(Later::unreachable(error.kind)),
        Kind::Timeout | Kind::Broken | Kind::UpstreamFailed if !was_sent => {
            Some(Later { at_least: asked, ..Later::unreachable(error.kind) })
        }
        // It may be too large for what the provider gives it in a minute.
        Kind::RateLimited => Some(Later { why: Back::PushedBack, ..Later::paused(error.kind, asked, Scope::Job) }),
        Kind::Overloaded => paused(asked, Scope::Targets),
        // Larger than the limit itself: it never fits.
        Kind::LimitReached if error.retry == Retry::Never => None,
        Kind::LimitReached => paused(asked, Scope::Lane),
        Kind::QuotaExceeded => paused(FOR_PEOPLE, Scope::Lane),
        // The operator's own key, not the job's fault.
        Kind::UpstreamRefused if error.upstream.as_ref().is_some_and(|answer| answer.status == 401) => {
            paused(FOR_PEOPLE, Scope::Targets)
        }
        // No such tenant any more.
        Kind::InvalidKey => Some(Later::for_tenant()),
        // A pool without a healthy node is passing; what constraints forbid is not, but for money.
        Kind::NoEligibleTarget if error.retry != Retry::Never => Some(Later::unreachable(error.kind)),
        Kind::NoEligibleTarget => {
            let is_money =
                |decision: &Decision| decision.considered.iter().any(|c| c.dropped == Some(Constraint::Budget));
            decision.filter(|decision| is_money(decision)).and_then(|_| paused(FOR_PEOPLE, Scope::Targets))
        }
        Kind::Timeout | Kind::Broken | Kind::UpstreamFailed | Kind::LowConfidence | Kind::Internal => {
            Some(Later { at_least: asked, ..Later::failed(error.kind) })
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
        assert_eq!(Later::until(Duration::from_secs(36_000)).pause(0, 1.0).as_secs(), 900, "looked at now and then");
        assert_eq!(Later::for_room("x", Scope::Lane).pause(9, 1.0), FOR_ROOM);
        let trouble: u64 = (0..9).map(|n| Later::failed(Kind::UpstreamFailed).pause(n, 0.5).as_secs()).sum();
        assert!(trouble > 10 * 60, "ten executions outlast an outage: {trouble} s");
    }

    #[test]
    fn refusals_are_final_and_the_rest_waits() {
        let judged = |error: Error| judge(&error, None, true).map(|later| later.why);
        let upstream = |kind| Error::upstream(kind, "x");
        assert_eq!(judged(upstream(Kind::UpstreamRefused)), None);
        assert_eq!(judged(upstream(Kind::Connect)), Some(Back::Unreachable));
        assert_eq!(judged(upstream(Kind::Broken)), Some(Back::Failed));
        assert_eq!(judged(Error::client(Kind::InvalidRequest, "x")), None);
        assert_eq!(judged(Error::client(Kind::LimitReached, "x")), None);
        let passing = Error::client(Kind::LimitReached, "x").with_retry(Retry::SameAfter(FIRST));
        assert_eq!(judge(&passing, None, true).unwrap().at_least, FIRST);
        assert_eq!(judged(Error::gateway(Kind::NoEligibleTarget, "x")), None);
        let down = Error::gateway(Kind::NoEligibleTarget, "x").with_retry(Retry::NextTarget);
        assert_eq!(judged(down), Some(Back::Unreachable));
    }

    #[test]
    fn what_may_be_the_jobs_own_trouble_is_not_everybodys() {
        let of = |error: Error| judge(&error, None, true).map(|later| (later.why, later.of));
        let upstream = |kind| of(Error::upstream(kind, "x"));
        assert_eq!(upstream(Kind::RateLimited), Some((Back::PushedBack, Scope::Job)));
        assert_eq!(upstream(Kind::Connect), Some((Back::Unreachable, Scope::Targets)));
        assert_eq!(of(Error::client(Kind::QuotaExceeded, "x")), Some((Back::Paused, Scope::Lane)));
        let limit = Error::client(Kind::LimitReached, "x").with_retry(Retry::SameAfter(FIRST));
        assert_eq!(of(limit), Some((Back::Paused, Scope::Lane)));
    }

    #[test]
    fn what_was_never_sent_does_not_count() {
        let judged = |error: &Error, was_sent| judge(error, None, was_sent).map(|later| later.why);
        for kind in [Kind::UpstreamFailed, Kind::Timeout, Kind::Broken] {
            let error = Error::upstream(kind, "the breaker is open");
            assert_eq!((judged(&error, false), judged(&error, true)), (Some(Back::Unreachable), Some(Back::Failed)));
        }
        assert_eq!(judged(&Error::gateway(Kind::Internal, "a fault of ours"), false), Some(Back::Failed));
    }

    #[test]
    fn what_the_operator_has_to_mend_is_waited_for() {
        let refused = |status: u16| {
            let (status, body) = (http::StatusCode::from_u16(status).unwrap(), bytes::Bytes::new());
            let answer = crate::error::UpstreamAnswer { status, body, retry_after: None };
            judge(&Error::upstream(Kind::UpstreamRefused, "x").with_upstream(answer), None, true).map(|later| later.why)
        };
        assert_eq!((refused(401), refused(400), refused(403)), (Some(Back::Paused), None, None));
        let gone = Error::client(Kind::InvalidKey, "the tenant who asked is not configured any more");
        assert_eq!(judge(&gone, None, false).map(|later| later.why), Some(Back::Paused));
    }
}

//! A sampled copy of requests to another model: whether a request may be copied.
//!
//! What a reader could get wrong: the client did not ask for the copy, so more forbids it than forbids a target. What may not leave its
//! placement (`only-edge`, `only-cloud`) or has a privacy tier of its own is not copied anywhere, not even to its own placement.

use super::Candidate;
use super::constraint::forbidden;
use crate::config::file::{Placement, Privacy};
use crate::signals::Signals;

/// A rule's shadow, compiled.
#[derive(Debug, Clone)]
pub struct Shadow {
    pub candidate: Candidate,
    /// The share of requests that are copied, 0 to 1.
    pub sample: f64,
}

impl Shadow {
    /// Whether a request with these signals may be copied to it.
    pub fn may_have(&self, signals: &Signals<'_>) -> bool {
        let may_leave = signals.privacy == Privacy::Retained && !signals.placement.is_strict();
        // A copy is not redacted: what would have to be is not copied.
        may_leave
            && !(signals.private.hides && self.candidate.placement == Placement::Cloud)
            && forbidden(&self.candidate, signals).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{frontier, signals, small};
    use crate::signals::hints::{PlacementHint, PrivacyHint};
    use crate::signals::{Budget, Hints};

    #[test]
    fn what_may_not_leave_its_placement_is_not_copied_anywhere() {
        let shadows = [small(), frontier()].map(|candidate| Shadow { candidate, sample: 1.0 });
        let may = |hints: &Hints| shadows.each_ref().map(|shadow| shadow.may_have(&signals(hints)));
        assert_eq!(may(&Hints::default()), [true, true]);
        for placement in [PlacementHint::OnlyEdge, PlacementHint::OnlyCloud] {
            assert_eq!(may(&Hints { placement: Some(placement), ..Hints::default() }), [false, false]);
        }
        for privacy in [PrivacyHint::LocalOnly, PrivacyHint::NoRetention] {
            assert_eq!(may(&Hints { privacy: Some(privacy), ..Hints::default() }), [false, false]);
        }
        let prefers = Hints { placement: Some(PlacementHint::PreferEdge), ..Hints::default() };
        assert_eq!(may(&prefers), [true, true]);
    }

    #[test]
    fn constraints_hold_for_a_copy_as_for_a_target() {
        let hints = Hints::default();
        let shadow = Shadow { candidate: frontier(), sample: 1.0 };
        let regions = ["eu".to_owned()];
        assert!(!shadow.may_have(&Signals { regions: Some(&regions), ..signals(&hints) }));
        let spent = Budget { left: 0.0, exists: true, edge_only: true };
        assert!(!shadow.may_have(&Signals { budget: spent, ..signals(&hints) }));
        assert!(!shadow.may_have(&Signals { input_tokens: 1_000_000, ..signals(&hints) }));
    }
}

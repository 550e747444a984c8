//! From signals to a plan.

use smallvec::SmallVec;

use super::{Constraint, Route, TargetId};
use crate::signals::Signals;

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Matched,
    NotMatched,
    /// Its condition failed to evaluate (division by zero, say): treated as not matched, and counted.
    Failed,
    NotReached,
}

/// What became of a target of the matched rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Considered {
    pub target: TargetId,
    /// `None`: kept.
    pub dropped: Option<Constraint>,
}

/// The decision record of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Index of the rule that matched.
    pub rule: Option<usize>,
    /// One per rule of the route.
    pub verdicts: SmallVec<[Verdict; 8]>,
    /// The matched rule's targets in the order to try (preference hints applied), kept and dropped.
    pub considered: SmallVec<[Considered; 4]>,
}

impl Decision {
    /// The plan: what may be tried, best first.
    pub fn plan(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.considered.iter().filter(|c| c.dropped.is_none()).map(|c| c.target)
    }
}

/// Decides where a request may run, best first.
pub fn decide(route: &Route, signals: &Signals<'_>) -> Decision {
    let _ = (route, signals);
    unimplemented!()
}

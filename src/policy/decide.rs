//! From signals to a plan.
//!
//! What a reader could get wrong: rules are tried in order and the first match decides which targets are considered; the ones
//! after it are not evaluated. Constraints then run over every target of that rule; hints that prefer only reorder.

use smallvec::SmallVec;

use super::condition::Variables;
use super::constraint::{Constraint, forbidden};
use super::{Candidate, Route, TargetId};
use crate::config::file::Placement;
use crate::error::{Error, Kind};
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

impl Verdict {
    /// The word in `explain` and in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Verdict::Matched => "matched",
            Verdict::NotMatched => "not-matched",
            Verdict::Failed => "failed",
            Verdict::NotReached => "not-reached",
        }
    }
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
    /// The conversation's model, which was put first (`sticky: conversation`).
    pub resumed: Option<TargetId>,
}

impl Decision {
    /// Puts the conversation's model first, if it is among the targets and no constraint forbids it.
    pub fn resume(&mut self, target: TargetId) {
        let found = self.considered.iter().position(|c| c.target == target && c.dropped.is_none());
        if let Some(head) = found.and_then(|at| self.considered.get_mut(..=at)) {
            head.rotate_right(1);
            self.resumed = Some(target);
        }
    }

    /// The plan: what may be tried, best first.
    pub fn plan(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.considered.iter().filter(|c| c.dropped.is_none()).map(|c| c.target)
    }
}

/// Decides where a request may run, best first.
pub fn decide(route: &Route, signals: &Signals<'_>) -> Decision {
    let variables = Variables::new(signals);
    let mut rule = None;
    let mut verdicts = SmallVec::with_capacity(route.rules.len());
    for (index, candidate) in route.rules.iter().enumerate() {
        verdicts.push(match (&rule, &candidate.when) {
            (Some(_), _) => Verdict::NotReached,
            (None, None) => Verdict::Matched,
            (None, Some(condition)) => condition.evaluate_with(&variables),
        });
        if rule.is_none() && verdicts[index] == Verdict::Matched {
            rule = Some(index);
        }
    }
    let order = rule.map(|index| route.rules[index].order(signals.conversation)).unwrap_or_default();
    Decision { rule, verdicts, considered: consider(&order, signals), resumed: None }
}

/// The targets in the order to try, each with what forbids it.
fn consider(candidates: &[&Candidate], signals: &Signals<'_>) -> SmallVec<[Considered; 4]> {
    let judged = |candidate: &&Candidate| Considered { target: candidate.id, dropped: forbidden(candidate, signals) };
    let Some(preferred) = signals.placement.prefers else {
        return candidates.iter().map(judged).collect();
    };
    let first = candidates.iter().filter(|candidate| candidate.placement == preferred);
    let then = candidates.iter().filter(|candidate| candidate.placement != preferred);
    first.chain(then).map(judged).collect()
}

/// Targets at `placement` of all rules of the route that are not in the plan and that no constraint forbids, each once, in the order of
/// the rules: for when nothing of the plan can be had.
pub fn others<'a>(
    route: &'a Route,
    decision: &'a Decision,
    signals: &'a Signals<'_>,
    placement: Placement,
) -> impl Iterator<Item = TargetId> + 'a {
    let candidates = move || route.rules.iter().flat_map(|rule| &rule.candidates).enumerate();
    let is_first = move |at: usize, id: TargetId| candidates().take(at).all(|(_, before)| before.id != id);
    let fits = move |(at, candidate): &(usize, &Candidate)| {
        candidate.placement == placement
            && is_first(*at, candidate.id)
            && decision.plan().all(|id| id != candidate.id)
            && forbidden(candidate, signals).is_none()
    };
    candidates().filter(fits).map(|(_, candidate)| candidate.id)
}

/// The error when the plan is empty: names the route and, for each target, the constraint that forbids it and why.
pub fn none_left(route: &Route, decision: &Decision, signals: &Signals<'_>) -> Error {
    let Some(rule) = decision.rule.and_then(|index| route.rules.get(index)) else {
        return Error::gateway(Kind::NoEligibleTarget, no_match(route, decision));
    };
    let mut message = String::from("no eligible target: ");
    if decision.considered.is_empty() {
        message.push_str(&format!("rule `{}` of `{}` names none", rule.name, route.name));
    }
    for (index, considered) in decision.considered.iter().enumerate() {
        let Some(candidate) = rule.candidates.iter().find(|candidate| candidate.id == considered.target) else {
            continue;
        };
        if index > 0 {
            message.push_str(", ");
        }
        message.push_str(&candidate.model);
        if let Some(constraint) = considered.dropped {
            message.push_str(&format!(" ({}: {})", constraint.label(), constraint.explain(candidate, signals)));
        }
    }
    Error::gateway(Kind::NoEligibleTarget, message)
}

fn no_match(route: &Route, decision: &Decision) -> String {
    let mut message = format!("no rule of `{}` matches this request", route.name);
    let failed = route.rules.iter().zip(&decision.verdicts).filter(|(_, verdict)| **verdict == Verdict::Failed);
    let failed: Vec<String> = failed.map(|(rule, _)| format!("`{}`", rule.name)).collect();
    if !failed.is_empty() {
        message.push_str(&format!("; the condition of {} could not be evaluated", failed.join(", ")));
    }
    message
}

#[cfg(test)]
mod tests;

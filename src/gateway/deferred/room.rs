//! Whether there is room for a deferred job beside those who wait for their answers.
//!
//! What a reader could get wrong: what can be told before the decision is asked before a record is opened, so that a job that waits its turn
//! leaves no trace in the books; the rest (what conditions and constraints leave) once there is a plan, before anybody is asked. What it
//! finds may be gone a moment later; then the job waits in line, behind all others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use smallvec::SmallVec;

use super::postpone::{Later, Scope};
use crate::config::file::Placement;
use crate::deferred::{Claimed, Kind as JobKind, hints_of, model_of};
use crate::gateway::admit;
use crate::gateway::decide::Plan;
use crate::policy::{Candidate, Constraint, Decision, Rule};
use crate::signals::hints::PlacementHint;
use crate::signals::wish::Who;
use crate::signals::{Hints, Wish};
use crate::state::Snapshot;
use crate::upstream::{Target, Upstream};

/// Deferred jobs that may be at the edge now.
#[derive(Debug, Clone, Default)]
pub(super) struct AtEdge(Arc<AtomicU32>);

/// One of them; dropping it says that it is not there any more.
#[derive(Debug)]
pub(super) struct EdgePlace(AtEdge);

impl Drop for EdgePlace {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl AtEdge {
    fn take(&self) -> EdgePlace {
        self.0.fetch_add(1, Relaxed);
        EdgePlace(self.clone())
    }

    /// Whether one of these has a place to spare. A pool without a place has no node that is up: it keeps nobody.
    fn room<'u>(&self, edges: impl Iterator<Item = &'u Upstream>) -> Room {
        let own = self.0.load(Relaxed);
        let mut room = Room::FullOfOthers;
        for edge in edges {
            let (busy, places) = edge.pool.load();
            if places == 0 || leaves_one(busy.max(own), places) {
                return Room::Free;
            }
            if leaves_one(busy.saturating_sub(own), places) {
                room = Room::FullOfOurs;
            }
        }
        room
    }
}

/// What there is at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    /// Deferred jobs fill it: the next one waits for them. It must not drive itself into the cloud.
    FullOfOurs,
    /// Whoever could not wait went to the next target, and so may this.
    FullOfOthers,
}

/// Lets a job begin, or says when to ask again. The place is for one that begins at the edge, whatever its rule.
pub(super) fn find(
    snapshot: &Snapshot,
    claimed: &Claimed,
    placement: Option<PlacementHint>,
    at_edge: &AtEdge,
) -> Result<Option<EdgePlace>, Later> {
    let asked = &claimed.asked;
    match admit::way(snapshot, &claimed.tenant, asked.app.as_deref(), asked.user.as_deref()) {
        admit::Way::Free => {}
        admit::Way::Busy => return Err(Later::for_room("live", Scope::Lane)),
        admit::Way::NoTenant => return Err(Later::for_tenant()),
    }
    let rules = candidates(snapshot, claimed, placement);
    let is_edges = |candidate: &&Candidate| candidate.placement == Placement::Edge;
    if rules.is_empty() || !rules.iter().all(|rule| rule.first().is_some_and(is_edges)) {
        return Ok(None);
    }
    let edges = rules.iter().flatten().filter(|candidate| is_edges(candidate));
    let targets = edges.filter_map(|candidate| snapshot.target(candidate.id));
    match at_edge.room(targets.map(|target| target.upstream.as_ref())) {
        Room::Free => Ok(Some(at_edge.take())),
        Room::FullOfOthers if !rules.iter().flatten().all(is_edges) => Ok(None),
        Room::FullOfOurs | Room::FullOfOthers => Err(Later::for_room("edge", Scope::Lane)),
    }
}

/// The same when it is known what is left: the plan without an edge that is full. `None`: it has to wait.
pub(super) fn seat(mut plan: Plan, place: &mut Option<EdgePlace>, at_edge: &AtEdge) -> Option<Plan> {
    let is_edge = |target: &Target| target.upstream.placement() == Placement::Edge;
    let edges =
        || plan.targets.iter().filter(|(_, target)| is_edge(target)).map(|(_, target)| target.upstream.as_ref());
    if place.is_some() || edges().next().is_none() {
        return Some(plan);
    }
    let begins_there = plan.targets.first().is_some_and(|(_, target)| is_edge(target));
    match at_edge.room(edges()) {
        Room::Free => {
            *place = Some(at_edge.take());
            return Some(plan);
        }
        Room::FullOfOurs if begins_there => return None,
        Room::FullOfOurs | Room::FullOfOthers => {}
    }
    plan.targets.retain(|(_, target)| !is_edge(target));
    (!plan.targets.is_empty()).then_some(plan)
}

/// Whether what befell a job befalls all whom the same rules wait for: these leave no choice, and nothing of the job itself took targets away.
pub(super) fn is_alike(snapshot: &Snapshot, claimed: &Claimed, decision: Option<&Decision>) -> bool {
    let Some(entry) = snapshot.routes.get(&model_of(&claimed.body)) else { return false };
    let kept =
        |dropped: Option<Constraint>| dropped.is_none_or(|by| matches!(by, Constraint::Placement | Constraint::Budget));
    may_match(&entry.route.rules).count() == 1
        && decision.is_some_and(|decision| decision.considered.iter().all(|considered| kept(considered.dropped)))
}

/// What each rule that may match could send it to, best first, without what its hints forbid; rules of which nothing is left are left out.
fn candidates<'s>(
    snapshot: &'s Snapshot,
    claimed: &Claimed,
    placement: Option<PlacementHint>,
) -> Vec<SmallVec<[&'s Candidate; 4]>> {
    let Some(entry) = snapshot.routes.get(&model_of(&claimed.body)) else { return vec![] };
    let upgrades = (claimed.kind == JobKind::Upgrade).then_some(PlacementHint::OnlyCloud);
    let wish =
        [placement, said(claimed), upgrades].into_iter().fold(Wish::default(), |w, hint| w.then(Who::Request, hint));
    let allowed = |rule: &'s Rule| {
        let mut left: SmallVec<[&Candidate; 4]> =
            rule.candidates.iter().filter(|candidate| wish.forbids(candidate.placement).is_none()).collect();
        left.sort_by_key(|candidate| wish.prefers.is_some_and(|placement| placement != candidate.placement));
        Some(left).filter(|left| !left.is_empty())
    };
    may_match(&entry.route.rules).filter_map(allowed).collect()
}

/// Where the client wants it; what contradicts itself is for the decision to refuse.
fn said(claimed: &Claimed) -> Option<PlacementHint> {
    let header = claimed.asked.headers.iter().find(|(name, _)| name == "x-tidegate-placement").map(|(_, value)| value);
    let words =
        [PlacementHint::OnlyEdge, PlacementHint::PreferEdge, PlacementHint::PreferCloud, PlacementHint::OnlyCloud];
    let header = header.and_then(|value| words.into_iter().find(|word| word.name() == value.trim()));
    let body = hints_of(&claimed.body);
    let body = || if body.is_empty() { None } else { Hints::from_body(body).ok()?.placement };
    header.or_else(body)
}

/// The rules that a deferred request may come to: those before the first that surely matches, and that one.
fn may_match(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    let matches = |rule: &Rule| match rule.when.as_ref().map(|when| when.text().trim()) {
        None | Some("deferred") => Some(true),
        Some("!deferred") => Some(false),
        Some(_) => None,
    };
    let surely = rules.iter().position(|rule| matches(rule) == Some(true));
    let may = surely.map_or(rules, |at| &rules[..=at]);
    may.iter().filter(move |rule| matches(rule) != Some(false))
}

/// Whether a place stays free when one more is taken. The only one there is may be taken while nobody else has it.
fn leaves_one(busy: u32, places: u32) -> bool {
    busy.saturating_add(1) < places || (places == 1 && busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Condition;

    #[test]
    fn a_place_at_the_edge_stays_free_for_those_who_wait() {
        let places = |all| (0..=all).filter(|busy| leaves_one(*busy, all)).count();
        assert_eq!([1, 2, 4].map(places), [1, 1, 3]);
    }

    #[test]
    fn rules_that_a_deferred_request_may_come_to() {
        let rules: Vec<Rule> = ["!deferred", "turns > 3", "deferred", "turns > 5", ""]
            .into_iter()
            .map(|when| Rule {
                name: when.into(),
                when: (!when.is_empty()).then(|| Condition::compile(when).unwrap()),
                ..Rule::default()
            })
            .collect();
        let names = |from: usize| may_match(&rules[from..]).map(|rule| rule.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(0), ["turns > 3", "deferred"]);
        assert_eq!(names(2), ["deferred"]);
        assert_eq!(names(3), ["turns > 5", ""]);
    }
}

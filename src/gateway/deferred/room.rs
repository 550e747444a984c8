//! Whether there is room for a deferred job beside those who wait for their answers.
//!
//! What a reader could get wrong: this is asked before a record is opened, so that a job that waits its turn leaves no trace in the books. What it
//! finds may be gone a moment later; then the job waits in line, behind all others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::postpone::Later;
use crate::config::file::Placement;
use crate::deferred::{Claimed, Kind as JobKind, model_of};
use crate::gateway::admit;
use crate::signals::hints::PlacementHint;
use crate::state::Snapshot;

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

/// Lets a job begin, or says when to ask again.
pub(super) fn find(
    snapshot: &Snapshot,
    claimed: &Claimed,
    placement: Option<PlacementHint>,
    at_edge: &AtEdge,
) -> Result<Option<EdgePlace>, Later> {
    let asked = &claimed.asked;
    match admit::way(snapshot, &claimed.tenant, asked.app.as_deref(), asked.user.as_deref()) {
        admit::Way::Free => {}
        admit::Way::Busy => return Err(Later::for_room("live")),
        admit::Way::NoTenant => return Err(Later::for_tenant()),
    }
    if placement == Some(PlacementHint::OnlyCloud) || claimed.kind == JobKind::Upgrade {
        return Ok(None);
    }
    let may_run_there = |edge: &str| runs_at(snapshot, &claimed.body, edge);
    let edges = snapshot.upstreams.iter().filter(|upstream| upstream.placement() == Placement::Edge);
    let mut loads = edges.filter(|edge| may_run_there(&edge.name)).map(|edge| edge.pool.load()).peekable();
    if loads.peek().is_none() {
        return Ok(None);
    }
    let own = at_edge.0.load(Relaxed);
    // A pool without a place has no node that is up: it keeps nobody.
    if !loads.any(|(busy, places)| places == 0 || leaves_one(busy.max(own), places)) {
        return Err(Later::for_room("edge"));
    }
    at_edge.0.fetch_add(1, Relaxed);
    Ok(Some(EdgePlace(at_edge.clone())))
}

/// Whether a place stays free when one more is taken. The only one there is may be taken while nobody else has it.
fn leaves_one(busy: u32, places: u32) -> bool {
    busy.saturating_add(1) < places || (places == 1 && busy == 0)
}

/// Whether the model that is asked for may be answered by this upstream.
fn runs_at(snapshot: &Snapshot, body: &[u8], upstream: &str) -> bool {
    let Some(entry) = snapshot.routes.get(&model_of(body)) else { return false };
    let candidates = entry.route.rules.iter().flat_map(|rule| &rule.candidates);
    candidates.filter_map(|candidate| snapshot.target(candidate.id)).any(|target| target.upstream.name == upstream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_at_the_edge_stays_free_for_those_who_wait() {
        let places = |all| (0..=all).filter(|busy| leaves_one(*busy, all)).count();
        assert_eq!([1, 2, 4].map(places), [1, 1, 3]);
    }
}

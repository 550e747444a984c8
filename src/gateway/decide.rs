//! From a read request to a plan: gathers the signals, asks policy, keeps the decision in the record.

use std::sync::Arc;

use jiff::civil::Date;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::read::Read;
use super::record::Record;
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};
use crate::policy;
use crate::signals::hints::PlacementHint;
use crate::signals::hints::PrivacyHint;
use crate::signals::{Hints, SignalId, Signals, tokens};
use crate::state::{RouteEntry, Snapshot};
use crate::upstream::Target;
use crate::upstream::send::Locality;

/// Where a request may run, best first. Never empty.
#[derive(Debug)]
pub struct Plan {
    pub targets: SmallVec<[(policy::TargetId, Arc<Target>); 4]>,
    pub locality: Locality,
    /// The client's own deadline.
    pub deadline: Option<Instant>,
}

/// Decides.
pub fn decide(read: &Read, record: &mut Record) -> Result<Plan> {
    let started = std::time::Instant::now();
    let snapshot = Arc::clone(&record.snapshot);
    let entry = route(&snapshot, &read.model)?;
    record.route = Some(Arc::clone(entry));
    let signals = signals(read, entry, &snapshot);
    let decision = policy::decide(&entry.route, &signals);
    count_failures(record, entry, &decision);
    record.rule = decision.rule;
    let mut targets: SmallVec<[_; 4]> =
        decision.plan().filter_map(|id| Some((id, Arc::clone(snapshot.target(id)?)))).collect();
    if targets.is_empty() {
        return Err(policy::decide::none_left(&entry.route, &decision, &signals));
    }
    // What is known to be down comes last: not dropped, for it may be back by then.
    if targets.len() > 1 {
        targets.sort_by_key(|(_, target)| !target.upstream.pool.is_available());
    }
    let locality = locality(&read.hints);
    let deadline = read.hints.deadline_ms.map(|ms| record.arrived() + std::time::Duration::from_millis(ms));
    record.shared().durable.metrics.overhead_decide.observe(started.elapsed().as_secs_f64());
    Ok(Plan { targets, locality, deadline })
}

/// The route of a model's name.
pub fn route<'s>(snapshot: &'s Snapshot, model: &str) -> Result<&'s Arc<RouteEntry>> {
    snapshot.routes.get(model).ok_or_else(|| unknown_model(model))
}

/// What the rules and constraints of a route may read. What they do not read is not looked up.
pub fn signals<'r>(read: &'r Read, entry: &RouteEntry, snapshot: &Snapshot) -> Signals<'r> {
    let view = &read.view;
    let reads = |signal| entry.reads.contains(signal);
    let now = (entry.has_retiring || reads(SignalId::Hour)).then(jiff::Zoned::now);
    let messages = view.pieces.iter().map(|piece| piece.message + 1).max().unwrap_or(0);
    let texts = view.pieces.iter().filter_map(|piece| read.body.get(piece.range.clone()));
    Signals {
        model: &read.model,
        input_tokens: tokens::estimate_pieces(texts, messages),
        max_output_tokens: view.max_output_tokens,
        modalities: view.modalities,
        has_tools: view.has_tools,
        stream: view.stream,
        turns: view.turns,
        hints: &read.hints,
        edge_available: reads(SignalId::EdgeAvailable) && snapshot.available(Placement::Edge),
        cloud_available: reads(SignalId::CloudAvailable) && snapshot.available(Placement::Cloud),
        hour: now.as_ref().and_then(|now| u8::try_from(now.hour()).ok()).unwrap_or(0),
        today: now.map_or(Date::MIN, |now| now.date()),
    }
}

/// What the last check before the socket holds a request to.
pub fn locality(hints: &Hints) -> Locality {
    let stays = hints.placement == Some(PlacementHint::OnlyEdge)
        || matches!(hints.privacy, Some(PrivacyHint::LocalOnly | PrivacyHint::NoRetention));
    if stays { Locality::EdgeOnly } else { Locality::Anywhere }
}

fn unknown_model(asked: &str) -> Error {
    // The client's own word, bounded: an error must not carry a whole prompt that was put into the wrong field.
    let shown: String = asked.chars().take(100).collect();
    Error::client(
        Kind::ModelNotFound,
        format!("the model `{shown}` does not exist; GET /v1/models lists what there is"),
    )
    .with_param("model")
}

fn count_failures(record: &Record, entry: &RouteEntry, decision: &policy::Decision) {
    for (rule, verdict) in entry.route.rules.iter().zip(&decision.verdicts) {
        if *verdict == policy::Verdict::Failed {
            let errors = &record.shared().durable.metrics.rule_errors;
            errors.with_label_values(&[entry.route.name.as_str(), rule.name.as_str()]).inc();
        }
    }
}

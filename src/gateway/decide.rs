//! From a read request to a plan: gathers the signals, asks policy, keeps the decision in the record.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::inspect::Inspected;
use super::look::{self, Asker};
use super::read::Read;
use super::record::{Record, micros};
use super::{admit, conversation as turns, shadow};
use crate::config::file::{Placement, Privacy};
use crate::error::{Error, Kind, Result};
use crate::openai::Endpoint;
use crate::policy::{self, Constraint};
use crate::signals::{Signals, Wish, tokenizer};
use crate::state::{RouteEntry, Snapshot};
use crate::upstream::Target;
use crate::upstream::send::Locality;
use crate::upstream::target::Asked;

/// Targets of a plan.
pub type Targets = SmallVec<[(policy::TargetId, Arc<Target>); 4]>;

/// Targets whose answers are judged, each with the least confidence that is good enough.
type Bounds = SmallVec<[(policy::TargetId, f64); 1]>;

/// Where a request may run, best first. Never empty.
#[derive(Debug)]
pub struct Plan {
    pub targets: Targets,
    pub locality: Locality,
    /// The client's own deadline.
    pub deadline: Option<Instant>,
    /// The least confidence of those that have one.
    bounds: Bounds,
    /// Edge targets of the route's other rules, for when no cloud can be reached: a rule prefers, and nothing else is left.
    pub in_need: Targets,
    /// The rule would have the cloud answer.
    pub wants_cloud: bool,
    /// What an attempt may use at most.
    pub asked: Asked,
}

impl Plan {
    /// The least confidence that an answer of a target must have. `None`: it is given whatever it is, for nobody comes after it.
    pub fn bound(&self, id: policy::TargetId) -> Option<f64> {
        let is_last = self.targets.last().is_none_or(|(last, _)| *last == id);
        self.asked_of(id).filter(|_| !is_last)
    }

    /// The same, whether anybody comes after it or not.
    pub fn asked_of(&self, id: policy::TargetId) -> Option<f64> {
        self.bounds.iter().find(|(of, _)| *of == id).map(|(_, bound)| *bound)
    }

    /// Of its targets those at one placement; there may be none.
    pub fn part(&self, placement: Placement) -> Plan {
        let targets = self.targets.iter().filter(|(_, target)| target.upstream.placement() == placement);
        Plan {
            targets: targets.cloned().collect(),
            locality: self.locality,
            deadline: self.deadline,
            in_need: Targets::new(),
            wants_cloud: self.wants_cloud && placement == Placement::Cloud,
            asked: self.asked,
            bounds: self.bounds.clone(),
        }
    }
}

/// Decides, and takes what the request may cost from limits and budgets.
pub fn decide(read: &Read, inspected: &Inspected, record: &mut Record) -> Result<Plan> {
    let started = std::time::Instant::now();
    let snapshot = Arc::clone(&record.snapshot);
    let entry = route(&snapshot, &read.model)?;
    admit::may_ask(&read.model, record)?;
    admit::hinted(&read.hints, record)?;
    record.route = Some(Arc::clone(entry));
    let tenant = record.admission.tenant().cloned();
    record.privacy = record.admission.privacy(&read.hints);
    let name = tenant.as_ref().map_or("", |tenant| tenant.name.as_str());
    let asker = Asker {
        tenant: name,
        privacy: record.privacy,
        regions: tenant.as_ref().and_then(|tenant| tenant.regions.as_deref()),
        budget: record.admission.budget(record.arrived_us()),
        deferred: record.admission.work.is_some(),
        placement: record.admission.placement(&read.hints),
        threshold: record.admission.threshold(),
        leader: record.admission.leader(name, &read.hints),
    };
    let mut looked = look::look(read, entry, &snapshot, asker, inspected.signals());
    record.conversation = turns::recall(entry, &record.shared().durable.conversations, &mut looked);
    let signals = &looked.signals;
    let mut decision = policy::decide(&entry.route, signals);
    if let Some(turn) = &record.conversation {
        turn.resume(entry, signals, &mut decision);
    }
    count_failures(record, entry, &decision);
    record.rule = decision.rule;
    record.note(read, &looked);
    remember(record, entry, &decision, &looked);
    let mut targets: Targets = decision.plan().filter_map(|id| Some((id, Arc::clone(snapshot.target(id)?)))).collect();
    record.decision = Some(decision.clone());
    if targets.is_empty() {
        let only_money = !decision.considered.is_empty()
            && decision.considered.iter().all(|c| c.dropped == Some(Constraint::Budget))
            && signals.budget.edge_only;
        if let Some(refused) = inspected.refused(&decision) {
            return Err(refused);
        }
        return Err(match only_money {
            true => admit::used_up(record, record.admission.budgets().find(|b| b.is_used_up(record.arrived_us()))),
            false => policy::decide::none_left(&entry.route, &decision, signals),
        });
    }
    let is_cloud = |(_, target): &(policy::TargetId, Arc<Target>)| target.upstream.placement() == Placement::Cloud;
    let wants_cloud = targets.first().is_some_and(is_cloud);
    let others = policy::decide::others(&entry.route, &decision, signals, Placement::Edge);
    // What may wait, waits for what its rule names.
    let in_need = match entry.degrades && !signals.deferred && targets.iter().all(is_cloud) {
        true => others.filter_map(|id| Some((id, Arc::clone(snapshot.target(id)?)))).collect(),
        false => Targets::new(),
    };
    // What is known to be down comes last: not dropped, for it may be back by then.
    if targets.len() > 1 {
        targets.sort_by_key(|(_, target)| !target.upstream.pool.is_available());
    }
    let to_cloud = targets.first().is_some_and(|(_, target)| target.upstream.placement() == Placement::Cloud);
    entry.threshold.observe(signals.difficulty, to_cloud, record.arrived_us());
    let asked = asked(read, signals);
    reserve(&mut targets, &asked, read, signals, record)?;
    let bounds = if read.endpoint == Endpoint::Embeddings { SmallVec::new() } else { bounds(entry, &decision) };
    shadow::draw(record, decision.rule.and_then(|index| entry.route.rules.get(index)), signals);
    let locality = locality(signals, inspected.is_hidden_from(Placement::Cloud));
    let deadline = read.hints.deadline_ms.map(|ms| record.arrived() + std::time::Duration::from_millis(ms));
    let took = started.elapsed();
    record.seen.decide_us = micros(took);
    record.shared().durable.metrics.overhead_decide.observe(took.as_secs_f64());
    Ok(Plan { targets, locality, deadline, in_need, wants_cloud, asked, bounds })
}

/// What the rule that matched asks of its targets' answers.
fn bounds(entry: &RouteEntry, decision: &policy::Decision) -> Bounds {
    let rule = decision.rule.and_then(|index| entry.route.rules.get(index));
    let candidates = rule.into_iter().flat_map(|rule| &rule.candidates);
    candidates.filter_map(|candidate| Some((candidate.id, candidate.min_confidence?))).collect()
}

/// What the decision record tells besides the signals.
fn remember(record: &mut Record, entry: &RouteEntry, decision: &policy::Decision, looked: &look::Looked<'_>) {
    if let (Some(model), Some((candidate, _))) = (looked.model, &record.snapshot.classifiers.candidate) {
        record.seen.by_candidate = std::ptr::eq(model, candidate.as_ref());
        let which = if record.seen.by_candidate { "candidate" } else { "current" };
        record.shared().durable.metrics.routing.scored.with_label_values(&[which]).inc();
    }
    if record.shared().durable.books.is_none() {
        return;
    }
    let reached = decision.verdicts.iter().filter(|verdict| **verdict != policy::Verdict::NotReached);
    let mut rules = String::with_capacity(24 * decision.verdicts.len());
    for (rule, verdict) in entry.route.rules.iter().zip(reached) {
        let comma = if rules.is_empty() { "" } else { "," };
        rules.extend([comma, &rule.name, "=", verdict.label()]);
    }
    record.seen.rules = rules;
    let notes = match (decision.resumed, looked.signals.placement.prefers) {
        (Some(_), _) => "resumed",
        (None, Some(Placement::Edge)) => "prefers-edge",
        (None, Some(Placement::Cloud)) => "prefers-cloud",
        (None, None) if decision.rule.is_some_and(|rule| entry.route.rules[rule].split.is_some()) => "split",
        (None, None) => "",
    };
    record.seen.notes = notes.into();
}

/// What an attempt may use at most, as far as the request says so.
fn asked(read: &Read, signals: &Signals<'_>) -> Asked {
    Asked {
        input_tokens: signals.input_tokens,
        output_tokens: signals.max_output_tokens,
        choices: read.view.choices,
        images: u64::from(read.view.images),
    }
}

/// Sets the worst case of the dearest target aside. Where that fails and the edge may go on, the cloud is dropped.
fn reserve(
    targets: &mut Targets,
    asked: &Asked,
    read: &Read,
    signals: &Signals<'_>,
    record: &mut Record,
) -> Result<()> {
    let is_edge = |target: &Target| target.upstream.placement() == Placement::Edge;
    let longest = signals.max_output_tokens.unwrap_or(0).saturating_mul(read.view.choices);
    let tokens = signals.input_tokens.saturating_add(longest);
    let model = targets.first().map_or("", |(_, target)| target.id.as_str()).to_owned();
    let exact = || {
        let pieces = read.view.pieces.iter().filter_map(|piece| read.body.get(piece.range.clone()));
        Some(tokenizer::exact(&model, pieces)?.saturating_add(longest))
    };
    let day = record.day();
    let worst = |targets: &Targets| {
        let each = targets.iter().filter_map(|(_, target)| target.worst(asked, day));
        each.max().unwrap_or(0)
    };
    let edge_alone = targets.iter().all(|(_, target)| is_edge(target));
    match admit::reserve(record, tokens, exact, worst(targets), edge_alone) {
        // Somebody else has used the last of it since the budget was read.
        Err(error) if error.kind == Kind::QuotaExceeded && !edge_alone && signals.budget.exists => {
            targets.retain(|(_, target)| is_edge(target));
            if targets.is_empty() {
                return Err(error);
            }
            admit::reserve(record, 0, || None, worst(targets), true).map_err(|_| error)
        }
        other => other,
    }?;
    record.reserved = worst(targets);
    Ok(())
}

/// The route of a model's name.
pub fn route<'s>(snapshot: &'s Snapshot, model: &str) -> Result<&'s Arc<RouteEntry>> {
    snapshot.routes.get(model).ok_or_else(|| unknown_model(model))
}

/// What the last check before the socket holds a request to.
fn locality(signals: &Signals<'_>, is_redacted: bool) -> Locality {
    let private = &signals.private;
    let stays = signals.privacy == Privacy::LocalOnly || private.stays_home || !private.blocked.cloud.is_empty();
    if signals.placement.only_edge.is_some() || stays {
        Locality::EdgeOnly
    } else if is_redacted || signals.privacy == Privacy::NoRetention {
        Locality::RedactedBeyond
    } else {
        Locality::Anywhere
    }
}

/// The same for what nobody reads, and so nobody redacts.
pub fn locality_unread(placement: Wish, privacy: Privacy) -> Locality {
    let stays = placement.only_edge.is_some() || privacy != Privacy::Retained;
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

//! From a read request to a plan: gathers the signals, asks policy, keeps the decision in the record.

use std::sync::Arc;

use jiff::civil::Date;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::read::Read;
use super::record::Record;
use super::{admit, conversation as turns, shadow};
use crate::config::file::{Placement, Privacy};
use crate::error::{Error, Kind, Result};
use crate::policy::{self, Constraint};
use crate::signals::conversation::{self, Leader};
use crate::signals::hints::PrivacyHint;
use crate::signals::{self, Hints, SignalId, Signals, Wish, tokenizer, tokens};
use crate::state::{RouteEntry, Snapshot};
use crate::upstream::Target;
use crate::upstream::send::Locality;
use crate::upstream::target::Asked;

/// Targets of a plan.
pub type Targets = SmallVec<[(policy::TargetId, Arc<Target>); 4]>;

/// Where a request may run, best first. Never empty.
#[derive(Debug)]
pub struct Plan {
    pub targets: Targets,
    pub locality: Locality,
    /// The client's own deadline.
    pub deadline: Option<Instant>,
}

/// Who asks, as far as rules and constraints care.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a, 'l> {
    pub tenant: &'a str,
    pub privacy: Privacy,
    pub regions: Option<&'a [String]>,
    pub budget: signals::Budget,
    /// Tenant, app and request together.
    pub placement: Wish,
    /// For the conversation's key; asked for until the signals are made.
    pub leader: Leader<'l>,
}

impl<'l> Asker<'static, 'l> {
    /// Nobody is asked for a key: what the request says of itself is all there is.
    pub fn nobody(hints: &'l Hints) -> Asker<'static, 'l> {
        Asker {
            tenant: "",
            privacy: hints.privacy.map_or(Privacy::default(), PrivacyHint::tier),
            regions: None,
            budget: signals::Budget::default(),
            placement: Wish::of_request(hints),
            leader: Leader {
                tenant: "",
                app: hints.app.as_deref().unwrap_or(""),
                user: hints.user.as_deref().unwrap_or(""),
            },
        }
    }
}

/// Decides, and takes what the request may cost from limits and budgets.
pub fn decide(read: &Read, record: &mut Record) -> Result<Plan> {
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
        placement: record.admission.placement(&read.hints),
        leader: record.admission.leader(name, &read.hints),
    };
    let mut signals = signals(read, entry, &snapshot, asker);
    record.conversation = turns::recall(entry, &record.shared().durable.conversations, &mut signals);
    let mut decision = policy::decide(&entry.route, &signals);
    if let Some(turn) = &record.conversation {
        turn.resume(entry, &signals, &mut decision);
    }
    count_failures(record, entry, &decision);
    record.rule = decision.rule;
    record.note(read, &signals);
    let mut targets: Targets = decision.plan().filter_map(|id| Some((id, Arc::clone(snapshot.target(id)?)))).collect();
    record.decision = Some(decision.clone());
    if targets.is_empty() {
        let only_money = !decision.considered.is_empty()
            && decision.considered.iter().all(|c| c.dropped == Some(Constraint::Budget))
            && signals.budget.edge_only;
        return Err(match only_money {
            true => admit::used_up(record, record.admission.budgets().find(|b| b.is_used_up(record.arrived_us()))),
            false => policy::decide::none_left(&entry.route, &decision, &signals),
        });
    }
    // What is known to be down comes last: not dropped, for it may be back by then.
    if targets.len() > 1 {
        targets.sort_by_key(|(_, target)| !target.upstream.pool.is_available());
    }
    reserve(&mut targets, read, &signals, record)?;
    shadow::draw(record, decision.rule.and_then(|index| entry.route.rules.get(index)), &signals);
    let locality = locality(signals.placement, record.privacy);
    let deadline = read.hints.deadline_ms.map(|ms| record.arrived() + std::time::Duration::from_millis(ms));
    record.shared().durable.metrics.overhead_decide.observe(started.elapsed().as_secs_f64());
    Ok(Plan { targets, locality, deadline })
}

/// Sets the worst case of the dearest target aside. Where that fails and the edge may go on, the cloud is dropped.
fn reserve(targets: &mut Targets, read: &Read, signals: &Signals<'_>, record: &mut Record) -> Result<()> {
    let is_edge = |target: &Target| target.upstream.placement() == Placement::Edge;
    let choices = read.view.choices;
    let longest = signals.max_output_tokens.unwrap_or(0).saturating_mul(choices);
    let tokens = signals.input_tokens.saturating_add(longest);
    let model = targets.first().map_or("", |(_, target)| target.id.as_str()).to_owned();
    let exact = || {
        let pieces = read.view.pieces.iter().filter_map(|piece| read.body.get(piece.range.clone()));
        Some(tokenizer::exact(&model, pieces)?.saturating_add(longest))
    };
    let day = record.day();
    let asked = Asked {
        input_tokens: signals.input_tokens,
        output_tokens: signals.max_output_tokens,
        choices,
        images: u64::from(read.view.images),
    };
    let worst = |targets: &Targets| {
        let each = targets.iter().filter_map(|(_, target)| target.worst(&asked, day));
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

/// What the rules and constraints of a route may read. What they do not read is not looked up.
pub fn signals<'r>(read: &'r Read, entry: &RouteEntry, snapshot: &Snapshot, asker: Asker<'r, '_>) -> Signals<'r> {
    let view = &read.view;
    let reads = |signal| entry.reads.contains(signal);
    let now = (entry.has_retiring || reads(SignalId::Hour)).then(jiff::Zoned::now);
    let messages = view.pieces.iter().map(|piece| piece.message + 1).max().unwrap_or(0);
    let texts = view.pieces.iter().filter_map(|piece| read.body.get(piece.range.clone()));
    let conversation = match entry.needs_conversation {
        true => conversation::key(asker.leader, view, &read.body),
        false => 0,
    };
    Signals {
        model: &read.model,
        input_tokens: tokens::estimate_pieces(texts, messages),
        max_output_tokens: view.max_output_tokens,
        modalities: view.modalities,
        has_tools: view.has_tools,
        stream: view.stream,
        turns: view.turns,
        hints: &read.hints,
        placement: asker.placement,
        tenant: asker.tenant,
        privacy: asker.privacy,
        regions: asker.regions,
        budget: asker.budget,
        edge_available: reads(SignalId::EdgeAvailable) && snapshot.available(Placement::Edge),
        cloud_available: reads(SignalId::CloudAvailable) && snapshot.available(Placement::Cloud),
        difficulty: 0.0,
        fresh: 0.0,
        threshold: 0.5,
        edge_load: 0.0,
        cloud_pressure: 0.0,
        conversation,
        hour: now.as_ref().and_then(|now| u8::try_from(now.hour()).ok()).unwrap_or(0),
        today: now.map_or(Date::MIN, |now| now.date()),
    }
}

/// What the last check before the socket holds a request to.
pub fn locality(placement: Wish, privacy: Privacy) -> Locality {
    // `no-retention` allows the cloud only with personal data redacted, which is not available yet: fail closed.
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

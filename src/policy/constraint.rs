//! What forbids a target. Checked after the rules, for every target, whatever its order.
//!
//! What a reader could get wrong: only the first constraint that forbids is told. Their order here is the order of the check:
//! what the client asked for first, then what the model cannot do.

use std::fmt;

use super::Candidate;
use crate::config::file::{Placement, Privacy};
use crate::openai::Modalities;
use crate::signals::hints::PlacementHint;
use crate::signals::wish::Who;
use crate::signals::{SignalId, SignalSet, Signals};

/// Why a target was dropped; the word in `explain`, in the error and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// The request, its app or its tenant says `only-edge` or `only-cloud`.
    Placement,
    /// `local-only`: the cloud is forbidden; `no-retention`: where the request could not be looked through; a type that is to stay at home.
    Privacy,
    /// A type was found that may not be sent there.
    Pii,
    /// The tenant's data may not be processed where it runs.
    Region,
    /// The budget is used up, or could not be held because the price is unknown.
    Budget,
    /// Prompt and answer do not fit.
    Context,
    /// The prompt holds an image, audio or a file that the model does not take.
    Modality,
    /// The request has tools, the model cannot call them.
    Tools,
    /// The model is past its `retires_on`.
    Retired,
}

/// The signals that constraints read on every request, besides the hints and the date.
pub const READS: SignalSet = SignalSet::EMPTY
    .with(SignalId::InputTokens)
    .with(SignalId::MaxOutputTokens)
    .with(SignalId::Modalities)
    .with(SignalId::HasTools);

impl Constraint {
    pub const ALL: [Constraint; 9] = [
        Constraint::Placement,
        Constraint::Privacy,
        Constraint::Pii,
        Constraint::Region,
        Constraint::Budget,
        Constraint::Context,
        Constraint::Modality,
        Constraint::Tools,
        Constraint::Retired,
    ];

    /// The word in `explain`, in errors and in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Constraint::Placement => "placement",
            Constraint::Privacy => "privacy",
            Constraint::Pii => "pii",
            Constraint::Region => "region",
            Constraint::Budget => "budget",
            Constraint::Context => "context",
            Constraint::Modality => "modality",
            Constraint::Tools => "tools",
            Constraint::Retired => "retired",
        }
    }

    fn forbids(self, candidate: &Candidate, signals: &Signals<'_>) -> bool {
        let cloud = candidate.placement == Placement::Cloud;
        match self {
            Constraint::Placement => signals.placement.forbids(candidate.placement).is_some(),
            Constraint::Privacy => cloud && (stays_home(signals) || signals.private.stays_home),
            Constraint::Pii => !signals.private.blocked.at(candidate.placement).is_empty(),
            // A cloud that does not say where it is may be anywhere; the edge is at home.
            Constraint::Region => match (signals.regions, &candidate.region) {
                (None, _) => false,
                (Some(_), None) => cloud,
                (Some(allowed), Some(region)) => !allowed.contains(region),
            },
            Constraint::Budget => cloud && (signals.budget.edge_only || signals.budget.exists && !candidate.is_priced),
            Constraint::Context => candidate.context.is_some_and(|context| needed_tokens(signals) > context),
            Constraint::Modality => !candidate.modalities.with(Modalities::TEXT).contains(signals.modalities),
            Constraint::Tools => signals.has_tools && !candidate.tools,
            Constraint::Retired => candidate.retires_on.is_some_and(|last_day| signals.today > last_day),
        }
    }

    /// Why this constraint forbids `candidate`, with the numbers: `needs about 9000 tokens, has 8192`. For a person: the client
    /// in an error, the operator in `explain`.
    pub fn explain<'a>(self, candidate: &'a Candidate, signals: &'a Signals<'a>) -> impl fmt::Display + 'a {
        Explained { constraint: self, candidate, signals }
    }
}

/// The first constraint that forbids `candidate`; `None`: it may serve.
pub fn forbidden(candidate: &Candidate, signals: &Signals<'_>) -> Option<Constraint> {
    Constraint::ALL.into_iter().find(|constraint| constraint.forbids(candidate, signals))
}

/// The tier keeps it at the edge. `no-retention` allows the cloud only redacted, so only what could be looked through: fail closed.
fn stays_home(signals: &Signals<'_>) -> bool {
    match signals.privacy {
        Privacy::Retained => false,
        Privacy::NoRetention => !signals.private.looked || signals.private.unreadable,
        Privacy::LocalOnly => true,
    }
}

/// Tokens that the context must hold: the prompt and, where the client says how much, the answer.
fn needed_tokens(signals: &Signals<'_>) -> u64 {
    signals.input_tokens.saturating_add(signals.max_output_tokens.unwrap_or(0))
}

struct Explained<'a> {
    constraint: Constraint,
    candidate: &'a Candidate,
    signals: &'a Signals<'a>,
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { constraint, candidate, signals } = self;
        match constraint {
            Constraint::Placement => {
                let only = match candidate.placement {
                    Placement::Edge => PlacementHint::OnlyCloud.name(),
                    Placement::Cloud => PlacementHint::OnlyEdge.name(),
                };
                match signals.placement.forbids(candidate.placement) {
                    Some(Who::Tenant) => write!(f, "{only} is set for the tenant"),
                    Some(Who::App) => write!(f, "{only} is set for the app"),
                    _ => write!(f, "{only} was asked for"),
                }
            }
            Constraint::Privacy => f.write_str(match signals.privacy {
                Privacy::LocalOnly => "local-only is in force",
                _ if signals.private.stays_home => "it holds personal data that stays at the edge",
                _ if signals.private.unreadable => {
                    "no-retention is in force, and it holds an image, audio or a file that cannot be redacted"
                }
                _ => "no-retention is in force, and it was not looked through",
            }),
            Constraint::Pii => {
                let types = signals.private.blocked.at(candidate.placement).join(", ");
                let place = match candidate.placement {
                    Placement::Edge => "the edge",
                    Placement::Cloud => "the cloud",
                };
                write!(f, "it holds {types}, which may not be sent to {place}")
            }
            Constraint::Region => match &candidate.region {
                Some(region) => write!(f, "runs in region {region}, which is not allowed"),
                None => f.write_str("its upstream has no region, and only some are allowed"),
            },
            Constraint::Budget if signals.budget.edge_only => f.write_str("the budget is used up: edge only"),
            Constraint::Budget => f.write_str("its price is unknown, so a budget could not be held"),
            Constraint::Context => {
                let has = candidate.context.unwrap_or(u64::MAX);
                write!(f, "needs about {} tokens, has {has}", needed_tokens(signals))
            }
            Constraint::Modality => {
                f.write_str("does not take")?;
                let missing = signals
                    .modalities
                    .names()
                    .filter(|name| candidate.modalities.names().all(|taken| taken != *name) && *name != "text");
                for (i, name) in missing.enumerate() {
                    write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Constraint::Tools => f.write_str("cannot call tools"),
            Constraint::Retired => match candidate.retires_on {
                Some(last_day) => write!(f, "its last day was {last_day}"),
                None => f.write_str("its last day is over"),
            },
        }
    }
}

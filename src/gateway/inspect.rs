//! Looking through a request for personal data and secrets, where a rule, a tier or the configuration wants to know.
//!
//! What a reader could get wrong: nothing is changed here. What is found stays with the request: signals for the decision, edits for targets that it is to
//! be hidden from (made once, when the first such target is about to be asked), and the values for the way back.

use std::sync::{Arc, OnceLock};

use super::analyzer;
use super::read::Read;
use super::record::Record;
use prometheus::IntCounterVec;

use crate::config::file::{PiiMode, Placement, Privacy};
use crate::error::{Error, Kind, Result};
use crate::openai::Modalities;
use crate::openai::splice::Edit;
use crate::openai::view::View;
use crate::pii::find::Others;
use crate::pii::hide::{self, Keys, Scope};
use crate::pii::restore::text::Restorer;
use crate::pii::{Catalog, Findings, Profile, find};
use crate::policy::{Constraint, Decision};
use crate::signals::conversation::{self, Leader};
use crate::signals::{Blocked, Private, SignalId};
use crate::state::{RouteEntry, Snapshot};
use crate::task;

/// Looking through more text than this takes a third of a millisecond, and some milliseconds if it was made to be slow: others that share the
/// worker do not wait for it.
const LONG: usize = 16 << 10;

/// What is known of a request's personal data.
#[derive(Debug, Default)]
pub struct Inspected {
    /// `None`: nobody wanted to know.
    seen: Option<Box<Seen>>,
}

#[derive(Debug)]
struct Seen {
    catalog: Arc<Catalog>,
    profile: Arc<Profile>,
    no_retention: bool,
    findings: Findings,
    severity: u8,
    types: Vec<(String, u32)>,
    blocked_edge: Vec<String>,
    blocked_cloud: Vec<String>,
    stays_home: bool,
    unreadable: bool,
    /// Made when the first target that it is to be hidden from is about to be asked.
    hidden: OnceLock<Option<Hidden>>,
}

/// What the record tells: names of types and counts, never values.
#[derive(Debug)]
pub struct Told {
    /// `EMAIL_ADDRESS=1,PERSON=2`
    pub text: String,
    /// Name, different values, what becomes of them where they are to be hidden.
    types: Vec<(String, u32, PiiMode)>,
    hidden_at_edge: bool,
    hidden_in_cloud: bool,
}

impl Told {
    /// Counts what was found, by what became of it at the placement that answered; `None`: nobody did.
    pub fn count(&self, answered: Option<Placement>, found: &IntCounterVec) {
        let applies = match answered {
            Some(Placement::Edge) => self.hidden_at_edge,
            Some(Placement::Cloud) => self.hidden_in_cloud,
            None => true,
        };
        for (name, count, mode) in &self.types {
            let action = match mode {
                // These have kept it from where it may not go, wherever it went.
                PiiMode::StayHome => "stay-home",
                PiiMode::Block => "block",
                _ if !applies => "allow",
                PiiMode::Redact => "redact",
                PiiMode::Mask => "mask",
                PiiMode::Hash => "hash",
                PiiMode::Allow => "allow",
            };
            found.with_label_values(&[name.as_str(), action]).inc_by(u64::from(*count));
        }
    }
}

/// A request with what it held hidden.
#[derive(Debug)]
pub struct Hidden {
    pub edits: Vec<Edit>,
    /// `None`: nothing is to be put back.
    pub restorer: Option<Arc<Restorer>>,
}

/// Looks through the request, if anybody wants to know.
pub async fn inspect(read: Read, record: &mut Record) -> Result<(Read, Inspected)> {
    let snapshot = Arc::clone(&record.snapshot);
    let Some(entry) = snapshot.routes.get(&read.model) else { return Ok((read, Inspected::default())) };
    let privacy = record.admission.privacy(&read.hints);
    let profile = Arc::clone(snapshot.protection.profile(record.tenant_name()));
    if !is_wanted(entry, &profile, privacy) {
        return Ok((read, Inspected::default()));
    }
    let others = match &snapshot.protection.analyzer {
        Some(analyzer) => analyzer::ask(analyzer, &read, privacy, record).await?,
        None => Vec::new(),
    };
    let catalog = Arc::clone(&snapshot.protection.catalog);
    let look = move |read: &Read| Inspected::new(catalog, profile, privacy, &read.view, &read.body, &others);
    let more = read.view.others.iter().chain(&read.view.attached).map(std::ops::Range::len);
    let (read, inspected) = match read.view.text_bytes + more.sum::<usize>() {
        LONG.. => {
            let leader = record.admission.leader(record.tenant_name(), &read.hints);
            let [tenant, app, user] = [leader.tenant, leader.app, leader.user].map(str::to_owned);
            let keys = record.shared().durable.pii_keys.clone();
            let looking = task::blocking(move || {
                let inspected = look(&read);
                // Much text may hold much to hide: that is done here as well.
                if inspected.is_hidden_from(Placement::Cloud) || inspected.is_hidden_from(Placement::Edge) {
                    inspected.hide(&read, &keys, Leader { tenant: &tenant, app: &app, user: &user });
                }
                (read, inspected)
            });
            record.waiting(looking).await?
        }
        _ => {
            let inspected = look(&read);
            (read, inspected)
        }
    };
    record.private = inspected.told();
    Ok((read, inspected))
}

/// The same for `explain`: whether anybody wants to know or not.
pub fn inspect_anyway(snapshot: &Snapshot, tenant: &str, privacy: Privacy, read: &Read) -> Inspected {
    let protection = &snapshot.protection;
    let (catalog, profile) = (Arc::clone(&protection.catalog), Arc::clone(protection.profile(tenant)));
    Inspected::new(catalog, profile, privacy, &read.view, &read.body, &Vec::new())
}

fn is_wanted(entry: &RouteEntry, profile: &Profile, privacy: Privacy) -> bool {
    let is_read = entry.reads.contains(SignalId::PiiSeverity) || entry.reads.contains(SignalId::PiiTypes);
    let no_retention = privacy == Privacy::NoRetention;
    let may_leave = entry.has_cloud && privacy != Privacy::LocalOnly;
    is_read
        || may_leave && profile.holds_for(Placement::Cloud, no_retention)
        || entry.has_edge && profile.holds_for(Placement::Edge, no_retention)
}

impl Inspected {
    fn new(
        catalog: Arc<Catalog>,
        profile: Arc<Profile>,
        privacy: Privacy,
        view: &View,
        body: &[u8],
        others: &Others,
    ) -> Inspected {
        let findings = find::find(&catalog, view, body, others);
        let (severity, types) = findings.summary(&catalog);
        let no_retention = privacy == Privacy::NoRetention;
        let of_mode = |wanted: PiiMode| {
            let found = findings.entities().filter(|(entity, public)| profile.mode(*entity, *public) == wanted);
            let mut names: Vec<String> = found.map(|(entity, _)| catalog.name(entity).to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        let blocked = of_mode(PiiMode::Block);
        let blocked_at = |placement| match profile.holds_for(placement, no_retention) {
            true => blocked.clone(),
            false => Vec::new(),
        };
        Inspected {
            seen: Some(Box::new(Seen {
                severity: severity as u8,
                types,
                blocked_edge: blocked_at(Placement::Edge),
                blocked_cloud: blocked_at(Placement::Cloud),
                stays_home: (profile.is_on || no_retention) && !of_mode(PiiMode::StayHome).is_empty(),
                unreadable: is_unreadable(view, body, &findings),
                catalog,
                profile,
                no_retention,
                findings,
                hidden: OnceLock::new(),
            })),
        }
    }

    /// What rules and constraints read.
    pub fn signals(&self) -> Private<'_> {
        let Some(seen) = &self.seen else { return Private::default() };
        Private {
            looked: true,
            unreadable: seen.unreadable,
            severity: seen.severity,
            types: &seen.types,
            hides: seen.profile.holds_for(Placement::Cloud, seen.no_retention) && !seen.findings.is_empty(),
            stays_home: seen.stays_home,
            blocked: Blocked { edge: &seen.blocked_edge, cloud: &seen.blocked_cloud },
        }
    }

    /// Requests bound for there are redacted.
    pub fn is_hidden_from(&self, placement: Placement) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.profile.holds_for(placement, seen.no_retention))
    }

    /// For the record.
    fn told(&self) -> Option<Box<Told>> {
        let seen = self.seen.as_ref()?;
        let mode = |name: &str| {
            let entity = seen.catalog.entities().find(|entity| seen.catalog.name(*entity) == name);
            entity.map_or(PiiMode::Allow, |entity| seen.profile.mode(entity, false))
        };
        let text: Vec<String> = seen.types.iter().map(|(name, count)| format!("{name}={count}")).collect();
        Some(Box::new(Told {
            text: text.join(","),
            types: seen.types.iter().map(|(name, count)| (name.clone(), *count, mode(name))).collect(),
            hidden_at_edge: self.is_hidden_from(Placement::Edge),
            hidden_in_cloud: self.is_hidden_from(Placement::Cloud),
        }))
    }

    /// The error for the client where nothing but its own secrets stood in the way.
    pub fn refused(&self, decision: &Decision) -> Option<Error> {
        let seen = self.seen.as_ref()?;
        let mut dropped = decision.considered.iter().map(|considered| considered.dropped);
        let blocked = [&seen.blocked_cloud, &seen.blocked_edge].into_iter().find(|types| !types.is_empty())?;
        let types = blocked.join(", ");
        dropped.any(|dropped| dropped == Some(Constraint::Pii)).then(|| {
            Error::client(
                Kind::InvalidRequest,
                format!(
                    "the request holds {types}, which may not be sent to where it would run; take it out and ask again"
                ),
            )
        })
    }

    /// The edits that hide what was found, and the way back: made once. `None`: nothing is to be hidden.
    pub fn hide(&self, read: &Read, keys: &Keys, leader: Leader<'_>) -> Option<&Hidden> {
        let seen = self.seen.as_ref()?;
        seen.hidden.get_or_init(|| seen.hide(read, keys, leader)).as_ref()
    }
}

impl Seen {
    fn hide(&self, read: &Read, keys: &Keys, leader: Leader<'_>) -> Option<Hidden> {
        let seen = self;
        if seen.findings.is_empty() {
            return None;
        }
        let scope = Scope { tenant: leader.tenant, conversation: conversation::key(leader, &read.view, &read.body) };
        let (edits, mapping) =
            hide::hide(&seen.catalog, &seen.profile, keys, scope, &seen.findings, (&read.view, &read.body));
        let restores = seen.profile.restore && !mapping.is_empty();
        (!edits.is_empty()).then(|| Hidden {
            edits,
            restorer: restores.then(|| Arc::new(Restorer::new(mapping, read.view.json_answer))),
        })
    }
}

/// It holds something besides text that nobody can look into. A file of text within the body can be.
fn is_unreadable(view: &View, body: &[u8], findings: &Findings) -> bool {
    let beyond = Modalities::TEXT.with(Modalities::FILE);
    let is_file = !Modalities::TEXT.contains(view.modalities);
    view.opaque
        || !beyond.contains(view.modalities)
        || is_file && findings.files_read < view.files.max(1)
        || view.others.iter().any(|range| find::is_opaque(range, body))
}

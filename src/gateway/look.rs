//! One look at the request: the signals that its route's rules and constraints read, and no others.
//!
//! What a reader could get wrong: the prompt's text is read at most once here, by the classifiers, and only so much of it as they look at
//! (see `signals/classifier`); tokens were estimated when the body was read.

use jiff::civil::Date;

use super::read::Read;
use crate::config::file::{Placement, Privacy};
use crate::openai::view::Piece;
use crate::policy::threshold::{Own, Reading};
use crate::signals::classifier::{self, Circumstances, Classifier, Passage};
use crate::signals::conversation::{self, Leader};
use crate::signals::hints::PrivacyHint;
use crate::signals::{self, Hints, Private, SignalId, Signals, Wish, year};
use crate::state::{RouteEntry, Snapshot};

/// Which conversations a difficulty model on trial decides has nothing to do with other shares.
const ON_TRIAL: &str = "difficulty_model";

/// How much a prompt needs fresh knowledge that names a year after a model's knowledge ends.
const BEYOND_KNOWLEDGE: f64 = 0.9;

/// Who asks, as far as rules and constraints care.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a, 'l> {
    pub tenant: &'a str,
    pub privacy: Privacy,
    pub regions: Option<&'a [String]>,
    pub budget: signals::Budget,
    /// Nobody waits for the answer.
    pub deferred: bool,
    /// Tenant, app and request together.
    pub placement: Wish,
    /// The tenant's or app's own threshold.
    pub threshold: Option<Own>,
    /// For the conversation's key; asked for until the signals are made.
    pub leader: Leader<'l>,
}

impl<'l> Asker<'static, 'l> {
    /// Nobody is asked for a key: what the request says of itself is all there is.
    pub fn nobody(hints: &'l Hints) -> Asker<'static, 'l> {
        let (app, user) = (hints.app.as_deref(), hints.user.as_deref());
        Asker {
            tenant: "",
            privacy: hints.privacy.map_or(Privacy::default(), PrivacyHint::tier),
            regions: None,
            budget: signals::Budget::default(),
            deferred: false,
            placement: Wish::of_request(hints),
            threshold: None,
            leader: Leader { tenant: "", app: app.unwrap_or(""), user: user.unwrap_or("") },
        }
    }
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Looked<'r> {
    pub signals: Signals<'r>,
    pub threshold: Reading,
    /// Who scored the prompt; `None`: nobody did.
    pub model: Option<&'r Classifier>,
    /// The need for fresh knowledge was looked at.
    pub has_fresh: bool,
}

/// Looks. What no rule and no constraint of the route reads is not looked up.
pub fn look<'r>(
    read: &'r Read,
    entry: &RouteEntry,
    snapshot: &'r Snapshot,
    asker: Asker<'r, '_>,
    private: Private<'r>,
) -> Looked<'r> {
    let mut looked = look_for(read, entry, snapshot, asker, |signal| entry.reads.contains(signal));
    looked.signals.private = private;
    looked
}

/// The same with everything looked up, whether a rule reads it or not: for a person.
pub fn look_at_all<'r>(
    read: &'r Read,
    entry: &RouteEntry,
    snapshot: &'r Snapshot,
    asker: Asker<'r, '_>,
    private: Private<'r>,
) -> Looked<'r> {
    let mut looked = look_for(read, entry, snapshot, asker, |_| true);
    looked.signals.private = private;
    looked
}

fn look_for<'r>(
    read: &'r Read,
    entry: &RouteEntry,
    snapshot: &'r Snapshot,
    asker: Asker<'r, '_>,
    reads: impl Fn(SignalId) -> bool,
) -> Looked<'r> {
    let view = &read.view;
    let now = (entry.has_retiring || reads(SignalId::Hour)).then(jiff::Zoned::now);
    let pushed = reads(SignalId::CloudPressure) || entry.threshold.reads_pressure();
    let cloud_pressure = if pushed { entry.cloud_pressure() } else { 0.0 };
    let threshold = entry.threshold.read(cloud_pressure, asker.threshold);
    let conversation = match entry.needs_conversation {
        true => conversation::key(asker.leader, view, &read.body),
        false => 0,
    };
    let classifiers = &snapshot.classifiers;
    let difficulty = reads(SignalId::Difficulty).then(|| match &classifiers.candidate {
        Some((candidate, share)) if conversation::share(conversation, ON_TRIAL) < *share => candidate,
        _ => &classifiers.difficulty,
    });
    let fresh = reads(SignalId::NeedsFreshKnowledge).then_some(&snapshot.classifiers.fresh);
    let (difficulty, fresh) = (difficulty.map(AsRef::as_ref), fresh.map(AsRef::as_ref));
    let scores = if difficulty.is_some() || fresh.is_some() {
        classifier::score(difficulty, fresh, &circumstances(read), passages(read))
    } else {
        classifier::Scores::default()
    };
    let mut needs_fresh = scores.fresh.map_or(0.0, rounded);
    if fresh.is_some() && names_later_year(read, entry) {
        needs_fresh = needs_fresh.max(BEYOND_KNOWLEDGE);
    }
    let signals = Signals {
        model: &read.model,
        input_tokens: read.input_tokens,
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
        private: Private::default(),
        edge_available: reads(SignalId::EdgeAvailable) && snapshot.available(Placement::Edge),
        cloud_available: reads(SignalId::CloudAvailable) && snapshot.available(Placement::Cloud),
        difficulty: scores.difficulty.map_or(0.0, rounded),
        fresh: needs_fresh,
        threshold: threshold.value,
        edge_load: if reads(SignalId::EdgeLoad) { snapshot.edge_load() } else { 0.0 },
        cloud_pressure,
        conversation,
        deferred: asker.deferred,
        hour: now.as_ref().and_then(|now| u8::try_from(now.hour()).ok()).unwrap_or(0),
        today: now.map_or(Date::MIN, |now| now.date()),
    };
    Looked { signals, threshold, model: difficulty, has_fresh: fresh.is_some() }
}

/// Four decimals: what is shown, compared and stored is the same number.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// What the classifiers may know besides the text.
pub fn circumstances(read: &Read) -> Circumstances {
    Circumstances { turns: read.view.turns, has_tools: read.view.has_tools, modalities: read.view.modalities }
}

/// The prompt's text, piece by piece, as it stands in the body.
pub fn passages(read: &Read) -> impl Iterator<Item = Passage<'_>> + Clone {
    read.view
        .pieces
        .iter()
        .filter_map(|piece| Some(Passage { source: piece.source, message: piece.message, text: text(read, piece)? }))
}

/// Without its quotes.
fn text<'r>(read: &'r Read, piece: &Piece) -> Option<&'r [u8]> {
    read.body.get(piece.range.start + 1..piece.range.end.checked_sub(1)?)
}

/// The user names a year that lies behind what a target of the route can know.
fn names_later_year(read: &Read, entry: &RouteEntry) -> bool {
    let Some(until) = entry.knowledge_until else { return false };
    let asked = read.view.pieces.iter().filter(|piece| year::may_ask(piece.source));
    asked.filter_map(|piece| year::latest(text(read, piece)?)).any(|year| year > until.year())
}

//! A finished request's entry for journal, ledger and audit chain: what it cost, and what was decided.
//!
//! What a reader could get wrong: an entry is written before the request leaves (as it would stand if the process died now, with the
//! reservation as its cost) and again at the end. The reservation travels with the last one and is settled when that is durable.

use bytes::Bytes;
use smallvec::SmallVec;

use super::keep::Settlement;
use super::recall::Remembered;
use super::record::{Record, micros};
use super::seen::Seen;
use super::tries::{INTERRUPTED, OK, Try};
use crate::audit::TextHasher;
use crate::cache::Facts;
use crate::error::{Kind, Result};
use crate::ledger::entry::{self, Attempt, Entry, Tokens};
use crate::ledger::journal::Slot;
use crate::openai::usage::Usage;
use crate::policy::Constraint;
use crate::signals::hints::{PlacementHint, PrivacyHint};
use crate::state::Books;
use crate::upstream::price::{Cost, NanoUsd};

/// What the journal knows of a request that is under way.
#[derive(Debug, Default)]
pub struct Open {
    /// 0: no number was taken yet.
    number: u64,
    slot: Option<Slot>,
    pub prompt_hash: Option<[u8; 32]>,
    pub answer: Option<Answer>,
}

/// The answer's hash in the making.
#[derive(Debug)]
pub enum Answer {
    None,
    /// The only piece so far.
    Whole([u8; 32], Bytes),
    Pieces(TextHasher),
}

impl Answer {
    fn hash(self) -> Option<[u8; 32]> {
        match self {
            Answer::None => None,
            Answer::Whole(hash, _) => Some(hash),
            Answer::Pieces(hasher) => Some(hasher.finish()),
        }
    }
}

/// What a request has cost, attempt by attempt.
#[derive(Debug, Default)]
pub struct Costs {
    /// `None`: the price is not known.
    pub attempts: SmallVec<[Option<Cost>; 2]>,
    /// What the dearest allowed target would have cost beyond what was paid.
    pub saving: NanoUsd,
}

impl Record {
    /// The attempt that has just begun is written down before anything leaves.
    ///
    /// # Errors
    /// The books cannot take more; the request must not be sent.
    pub fn write_ahead(&mut self) -> Result<()> {
        let Some(books) = self.gateway.shared.durable.books.clone() else { return Ok(()) };
        if self.open.number == 0 {
            self.open.number = books.next_number(self.gateway.worker);
        }
        if let Some(begun) = self.write_slot(&books)? {
            self.open.slot = Some(begun);
        }
        Ok(())
    }

    /// Into the slot that the request has, or into a new one.
    fn write_slot(&self, books: &Books) -> Result<Option<Slot>> {
        let mut costs = self.costs();
        if let Some(last) = costs.attempts.last_mut() {
            *last = Some(Cost { usd: self.reserved, co2_ug: 0 });
            // Whoever dies with deferred work under way does it again, and pays for it then: what was sent is what this one has cost.
            if self.admission.work.is_some()
                && let Some(attempt) = self.tries.last()
                && let Some(target) = &attempt.target
            {
                let sent = Usage { prompt: self.seen.input_tokens, ..Usage::default() };
                *last = target.cost(&sent, self.day(), attempt.busy()).or(*last);
            }
        }
        let entry = self.entry(INTERRUPTED, &costs, None);
        match &self.open.slot {
            Some(slot) => {
                books.amend(slot, &entry);
                Ok(None)
            }
            None => books.begin(self.gateway.worker, &entry).map(Some),
        }
    }

    /// Bytes of the answer on their way to the client, for the audit chain's hash and the comparison with a shadow's.
    pub fn saw_answer(&mut self, bytes: &Bytes) {
        self.shadow.saw_answer(bytes);
        let Some(answer) = &mut self.open.answer else { return };
        let Some(texts) = self.gateway.shared.durable.books.as_ref().and_then(|books| books.texts()) else { return };
        match answer {
            // Most answers come in one piece: those need no state of 2 KB.
            Answer::None => *answer = Answer::Whole(texts.hash(bytes), bytes.clone()),
            Answer::Whole(_, first) => {
                let mut hasher = texts.hasher();
                hasher.update(first);
                hasher.update(bytes);
                *answer = Answer::Pieces(hasher);
            }
            Answer::Pieces(hasher) => hasher.update(bytes),
        }
    }

    /// The same for an answer in one piece; one from memory was hashed before.
    pub fn saw_whole(&mut self, bytes: &Bytes) {
        let texts = self.gateway.shared.durable.books.as_ref().and_then(|books| books.texts());
        let Remembered::Known(entry, _) = &self.remembered else { return self.saw_answer(bytes) };
        let known = texts.and_then(|texts| entry.hash_of(bytes, || texts.hash(bytes)));
        match known {
            Some(hash) if matches!(self.open.answer, Some(Answer::None)) => {
                self.open.answer = Some(Answer::Whole(hash, bytes.clone()));
            }
            _ => self.saw_answer(bytes),
        }
    }

    pub(super) fn prompt_hash(&self) -> Option<[u8; 32]> {
        self.open.prompt_hash
    }

    /// The request's body is here: the audit chain keeps its keyed hash.
    pub fn saw_prompt(&mut self, body: &[u8]) {
        let Some(texts) = self.gateway.shared.durable.books.as_ref().and_then(|books| books.texts()) else { return };
        self.open.prompt_hash = Some(texts.hash(body));
        self.open.answer = Some(Answer::None);
    }

    /// The same for a body whose hash is known.
    pub fn knew_prompt(&mut self, hash: Option<[u8; 32]>) {
        if hash.is_some() {
            self.open.prompt_hash = hash;
            self.open.answer = Some(Answer::None);
        }
    }

    /// What each attempt has cost so far.
    pub(super) fn costs(&self) -> Costs {
        let day = self.day();
        let of = |attempt: &Try| match &attempt.target {
            // Nothing was computed for it, at whatever price.
            Some(_) if attempt.usage == Usage::default() && attempt.outcome != OK => Some(Cost::default()),
            Some(target) => target.cost(&attempt.usage, day, attempt.busy()),
            // Refused or failed: nobody is billed for it.
            None if attempt.status == 0 || attempt.status >= 400 => Some(Cost::default()),
            None => self.flat_cost.map(|usd| Cost { usd, co2_ug: 0 }),
        };
        let attempts: SmallVec<[Option<Cost>; 2]> = self.tries.iter().map(of).collect();
        let saving = self.saving(&attempts);
        Costs { attempts, saving }
    }

    /// Those who share the answer, and whoever keeps it, are told how it ended and what it has cost.
    pub(super) fn settle(&mut self, outcome: Option<Kind>, costs: &Costs) {
        let Some(settled) = self.settles.take() else { return };
        let usage = self.tries.last().map(|attempt| attempt.usage).unwrap_or_default();
        let (route, rule) = self.names();
        let (model, upstream) =
            self.target.as_ref().map_or(("", ""), |(_, target)| (&target.name, &target.upstream.name));
        let facts = Facts {
            tenant: self.tenant_name().into(),
            route: route.into(),
            rule: rule.into(),
            model: model.into(),
            upstream: upstream.into(),
            difficulty: self.seen.difficulty.map(|difficulty| difficulty as f32),
            pii: self.pii().into(),
            prompt: usage.prompt,
            completion: usage.completion,
            cost: costs.attempts.last().copied().flatten().map_or(0, |cost| cost.usd),
        };
        settled.set(Settlement { outcome, second_best: self.second_best, facts });
    }

    /// Types and counts of personal data, or those that were there when the answer was made.
    fn pii(&self) -> &str {
        match &self.remembered {
            Remembered::Known(entry, _) => &entry.facts.pii,
            _ => self.private.as_ref().map_or("", |told| &told.text),
        }
    }

    fn saving(&self, paid: &[Option<Cost>]) -> NanoUsd {
        match &self.remembered {
            Remembered::Known(entry, _) => return entry.facts.cost,
            Remembered::Shared(head) => return head.settled.cost(),
            Remembered::Off | Remembered::Miss => {}
        }
        // What the answer's own price is has to be known; what was paid is all that was tried.
        let Some(Some(_)) = paid.last() else { return 0 };
        let paid: NanoUsd = paid.iter().flatten().map(|cost| cost.usd).sum();
        let (Some(decision), Some(last)) = (&self.decision, self.tries.last()) else { return 0 };
        if self.target.is_none() || decision.considered.len() < 2 {
            return 0;
        }
        let day = self.day();
        let targets = decision.plan().filter_map(|id| self.snapshot.target(id));
        let dearest =
            targets.filter_map(|target| target.cost(&last.usage, day, last.busy())).map(|cost| cost.usd).max();
        dearest.unwrap_or(0).saturating_sub(paid).max(0)
    }

    /// The end of the request: its entry goes to the journal, its reservation with it.
    pub(super) fn book(&mut self, outcome: Option<Kind>, costs: &Costs) {
        let mut reservation = std::mem::take(&mut self.admission.reservation);
        reservation.charge(costs.attempts.iter().flatten().map(|cost| cost.usd).sum());
        let Some(books) = self.gateway.shared.durable.books.clone() else { return };
        let asked_for_keys = !self.snapshot.tenants.is_empty();
        if asked_for_keys && self.admission.tenant().is_none() {
            // Nobody's request: it was refused at the door, and anybody could fill the books with such.
            return;
        }
        if self.open.number == 0 {
            self.open.number = books.next_number(self.gateway.worker);
        }
        let answer = self.open.answer.take().and_then(Answer::hash);
        let slot = self.open.slot.take();
        let entry = self.entry(outcome.map_or(OK, Kind::label), costs, answer);
        books.finish(self.gateway.worker, slot, &entry, reservation);
    }

    fn entry<'a>(&'a self, outcome: &'a str, costs: &Costs, answer_hash: Option<[u8; 32]>) -> Entry<'a> {
        let (route, rule) = self.names();
        let seen = &self.seen;
        let books = self.gateway.shared.durable.books.as_ref();
        Entry {
            boot: books.map_or(0, |books| books.boot()),
            number: self.open.number,
            at: self.arrived_us(),
            request_id: self.request_id(),
            tenant: self.tenant_name(),
            app: self.admission.app.as_deref().unwrap_or(""),
            user: self.admission.user.as_deref().unwrap_or(""),
            tags: &seen.tags,
            endpoint: seen.endpoint,
            route,
            rule,
            outcome,
            status: if outcome == INTERRUPTED { 0 } else { self.status_sent() },
            stream: self.stream,
            privacy: self.privacy.name(),
            cache: self.remembered.label(),
            pii: self.pii(),
            difficulty: seen.difficulty.map(|difficulty| difficulty as f32),
            threshold: seen.difficulty.map(|_| seen.threshold.value as f32),
            saving: costs.saving,
            wait_us: micros(self.queued),
            overhead_us: micros(self.overhead),
            first_token_us: micros(self.first_token.unwrap_or_default()),
            total_us: micros(self.age()),
            policy: &self.snapshot.hash,
            seen: self::seen(seen),
            considered: self.considered(),
            prompt_hash: self.open.prompt_hash,
            answer_hash,
            attempts: self.tries.iter().zip(&costs.attempts).map(|(t, cost)| attempt(t, *cost)).collect(),
            decided: self.decided(),
        }
    }

    fn decided(&self) -> entry::Decided<'_> {
        let (seen, classifiers) = (&self.seen, &self.snapshot.classifiers);
        let model = match &classifiers.candidate {
            Some((candidate, _)) if seen.by_candidate => candidate,
            _ => &classifiers.difficulty,
        };
        let scored = seen.difficulty.is_some();
        entry::Decided {
            rules: &seen.rules,
            threshold_from: if scored { seen.threshold.origin.label() } else { "" },
            scored_by: if scored { model.identity() } else { "" },
            needs_fresh_knowledge: seen.fresh.map(|fresh| fresh as f32),
            edge_load: seen.edge_load as f32,
            cloud_pressure: seen.cloud_pressure as f32,
            decide_us: seen.decide_us,
            notes: &seen.notes,
        }
    }

    fn considered(&self) -> SmallVec<[entry::Considered<'_>; 2]> {
        let all = self.decision.iter().flat_map(|decision| &decision.considered);
        let one = |considered: &crate::policy::Considered| {
            let model = self.snapshot.target(considered.target).map_or("", |target| target.name.as_str());
            entry::Considered { model, dropped: considered.dropped.map_or("", Constraint::label) }
        };
        all.map(one).collect()
    }
}

/// What the decision was made from, in the records' words.
pub(super) fn seen(seen: &Seen) -> entry::Seen<'static> {
    entry::Seen {
        input_tokens: seen.input_tokens,
        max_output_tokens: seen.max_output_tokens,
        modalities: seen.modalities.label(),
        has_tools: seen.has_tools,
        turns: seen.turns,
        hint_placement: seen.placement.map_or("", PlacementHint::name),
        hint_privacy: seen.privacy.map_or("", PrivacyHint::name),
    }
}

pub(super) fn attempt(attempt: &Try, cost: Option<Cost>) -> Attempt<'_> {
    let usage = &attempt.usage;
    Attempt {
        role: attempt.role.name(),
        model: attempt.target.as_ref().map_or("", |target| target.name.as_str()),
        upstream: &attempt.upstream.name,
        node: attempt.node.as_ref().map_or("", |node| node.label.as_str()),
        placement: attempt.upstream.placement_name(),
        region: attempt.upstream.section.region.as_deref().unwrap_or(""),
        outcome: attempt.outcome,
        status: attempt.status,
        tokens: Tokens {
            prompt: usage.prompt,
            cached: usage.cached,
            completion: usage.completion,
            reasoning: usage.reasoning,
            audio_in: usage.audio_in,
            audio_out: usage.audio_out,
        },
        estimated: attempt.estimated,
        cost: cost.map(|cost| cost.usd),
        co2_ug: cost.map_or(0, |cost| cost.co2_ug),
        upstream_us: micros(attempt.took()),
        compute_us: usage.compute_us,
        transfer_us: micros(attempt.ended.saturating_sub(attempt.head)),
        bytes_out: attempt.bytes_out,
    }
}

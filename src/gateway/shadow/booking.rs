//! A copy in the books: an entry of its own, for the ledger (what the copy cost) and the audit chain (that it left, and where to).
//!
//! What a reader could get wrong: its attempt has the role `shadow`, by which the ledger counts it as no request, charges it to no
//! budget and leaves it off invoices. It is booked once, also if the task is cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;

use super::Outcome;
use crate::audit::{HashKey, TextHasher};
use crate::config::file::Privacy;
use crate::error::{Kind, Result};
use crate::gateway::Gateway;
use crate::gateway::books::{attempt, seen};
use crate::gateway::read::Read;
use crate::gateway::record::Record;
use crate::gateway::seen::Seen;
use crate::gateway::tries::{INTERRUPTED, OK, Role, Tries, Try, TryId};
use crate::ledger::entry::{self, Entry, SHADOW};
use crate::ledger::journal::Slot;
use crate::openai::usage::Usage;
use crate::state::{RouteEntry, Shared, Snapshot};
use crate::tenant::{Reservation, Tenant};
use crate::upstream::price::{Cost, Day, NANOS_PER_USD, NanoUsd};
use crate::upstream::target::Asked;
use crate::upstream::{InFlight, Target};

/// What is known of a copy.
pub struct Booking {
    gateway: Gateway,
    snapshot: Arc<Snapshot>,
    route: Option<Arc<RouteEntry>>,
    rule: Option<usize>,
    target: Arc<Target>,
    tenant: Option<Arc<Tenant>>,
    app: String,
    user: String,
    request_id: String,
    privacy: Privacy,
    seen: Seen,
    stream: bool,
    prompt_hash: Option<[u8; 32]>,
    answer: Option<TextHasher>,
    /// Microseconds (Unix).
    at: i64,
    began: Instant,
    tries: Tries,
    /// What it may cost at most.
    worst: NanoUsd,
    number: u64,
    slot: Option<Slot>,
    is_booked: bool,
}

/// A copy that is booked and still to be compared.
pub struct Settled {
    shared: Arc<Shared>,
    route: String,
    rule: String,
    model: Arc<Target>,
}

impl Booking {
    /// Of a copy of the recorded request to `target`.
    pub fn open(gateway: &Gateway, read: &Read, target: &Arc<Target>, place: &InFlight, record: &Record) -> Booking {
        let books = gateway.shared.durable.books.as_ref();
        let mut tries = Tries::default();
        tries.begin(Try {
            id: TryId::default(),
            role: Role::Shadow,
            target: Some(Arc::clone(target)),
            upstream: Arc::clone(&target.upstream),
            shared_by: place.node().in_flight(),
            node: Some(Arc::clone(place.node())),
            outcome: INTERRUPTED,
            status: 0,
            began: Duration::ZERO,
            head: Duration::ZERO,
            ended: Duration::ZERO,
            bytes_out: 0,
            usage: Usage::default(),
            estimated: false,
        });
        let seen = record.seen.clone();
        let asked = Asked {
            input_tokens: seen.input_tokens,
            output_tokens: seen.max_output_tokens,
            choices: read.view.choices,
            images: seen.images.into(),
        };
        let at = jiff::Timestamp::now().as_microsecond();
        Booking {
            worst: target.worst(&asked, Day::of_micros(at)).unwrap_or(0),
            gateway: gateway.clone(),
            snapshot: Arc::clone(&record.snapshot),
            route: record.route.clone(),
            rule: record.rule,
            target: Arc::clone(target),
            tenant: record.admission.tenant().cloned(),
            app: record.admission.app.clone().unwrap_or_default(),
            user: record.admission.user.clone().unwrap_or_default(),
            request_id: format!("{}-{SHADOW}", record.request_id()),
            privacy: record.privacy,
            stream: record.stream,
            prompt_hash: record.prompt_hash(),
            answer: books.and_then(|books| books.texts()).map(HashKey::hasher),
            seen,
            at,
            began: Instant::now(),
            tries,
            number: books.map_or(0, |books| books.next_number(gateway.worker)),
            slot: None,
            is_booked: false,
        }
    }

    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }

    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.gateway.shared)
    }

    pub fn worker(&self) -> usize {
        self.gateway.worker
    }

    /// There is a connection, and the copy is about to go out on it.
    ///
    /// # Errors
    /// The books cannot take more: it must not be sent.
    pub fn leaves(&mut self, bytes: u64) -> Result<()> {
        if let Some(last) = self.tries.last_mut() {
            last.bytes_out = bytes;
        }
        let Some(books) = self.gateway.shared.durable.books.clone() else { return Ok(()) };
        if self.slot.is_none() {
            let worst = Some(Cost { usd: self.worst, co2_ug: 0 });
            let slot = books.begin(self.gateway.worker, &self.entry(INTERRUPTED, worst, None))?;
            self.slot = Some(slot);
        }
        Ok(())
    }

    /// The head of the answer is here.
    pub fn answering(&mut self, status: StatusCode) {
        let now = self.began.elapsed();
        if let Some(last) = self.tries.last_mut() {
            (last.status, last.head) = (status.as_u16(), now);
        }
    }

    pub fn saw_answer(&mut self, bytes: &Bytes) {
        if let Some(hasher) = &mut self.answer {
            hasher.update(bytes);
        }
    }

    /// The answer has ended. `produced`: its tokens as counted here, for where the upstream gives no figures.
    pub fn used(&mut self, usage: Option<Usage>, produced: u64) {
        let (now, prompt) = (self.began.elapsed(), self.seen.input_tokens);
        let images = self.seen.images.into();
        if let Some(last) = self.tries.last_mut() {
            (last.outcome, last.ended, last.estimated) = (OK, now, usage.is_none());
            last.usage = usage.unwrap_or(Usage { prompt, completion: produced, ..Usage::default() });
            last.usage.images = images;
        }
    }

    /// It is over, and there is nothing to compare.
    pub fn finish(mut self, outcome: Outcome, kind: Option<Kind>) {
        if let Some(kind) = kind {
            self.tries.end(kind, self.seen.input_tokens, self.began.elapsed());
        }
        self.book();
        self.settled().count(outcome, None);
    }

    /// Into the books, whatever the comparison says.
    pub fn settle(mut self) -> Settled {
        self.book();
        self.settled()
    }

    fn settled(&self) -> Settled {
        let (route, rule) = self.names();
        let (route, rule) = (route.to_owned(), rule.to_owned());
        Settled { shared: self.shared(), route, rule, model: self.target() }
    }

    fn book(&mut self) {
        if std::mem::replace(&mut self.is_booked, true) {
            return;
        }
        let cost = self.cost();
        let spent = cost.map_or(0, |cost| cost.usd);
        let counter = &self.gateway.shared.durable.metrics.shadow.cost;
        counter.with_label_values(&[&self.target.name]).inc_by(spent as f64 / NANOS_PER_USD);
        let Some(books) = self.gateway.shared.durable.books.clone() else { return };
        let answer = self.answer.take().map(|hasher| hasher.finish());
        let slot = self.slot.take();
        // Its own outcome is the attempt's: this tells that it is no request.
        books.finish(self.gateway.worker, slot, &self.entry(SHADOW, cost, answer), Reservation::default());
    }

    fn cost(&self) -> Option<Cost> {
        let last = self.tries.last()?;
        match last.usage == Usage::default() && last.outcome != OK {
            // Nothing was computed for it, at whatever price.
            true => Some(Cost::default()),
            false => self.target.cost(&last.usage, Day::of_micros(self.at), last.busy()),
        }
    }

    fn names(&self) -> (&str, &str) {
        let Some(entry) = &self.route else { return ("", "") };
        let rule = self.rule.and_then(|index| entry.route.rules.get(index)).map_or("", |rule| rule.name.as_str());
        (&entry.route.name, rule)
    }

    fn entry<'a>(&'a self, outcome: &'a str, cost: Option<Cost>, answer_hash: Option<[u8; 32]>) -> Entry<'a> {
        let (route, rule) = self.names();
        let books = self.gateway.shared.durable.books.as_ref();
        Entry {
            boot: books.map_or(0, |books| books.boot()),
            number: self.number,
            at: self.at,
            request_id: &self.request_id,
            tenant: self.tenant.as_ref().map_or("", |tenant| tenant.name.as_str()),
            app: &self.app,
            user: &self.user,
            tags: &self.seen.tags,
            endpoint: self.seen.endpoint,
            route,
            rule,
            outcome,
            stream: self.stream,
            privacy: self.privacy.name(),
            cache: "off",
            policy: &self.snapshot.hash,
            seen: seen(&self.seen),
            considered: smallvec::smallvec![entry::Considered { model: &self.target.name, dropped: "" }],
            prompt_hash: self.prompt_hash,
            answer_hash,
            attempts: self.tries.iter().map(|one| attempt(one, cost)).collect(),
            ..Entry::default()
        }
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        // Cut off, as at the end of the process.
        if !self.is_booked {
            self.tries.end(Kind::ClientGone, self.seen.input_tokens, self.began.elapsed());
            self.book();
            self.settled().count(Outcome::Failed, None);
        }
    }
}

impl Settled {
    pub fn count(&self, outcome: Outcome, agreement: Option<f64>) {
        let metrics = &self.shared.durable.metrics.shadow;
        let labels = [self.route.as_str(), self.rule.as_str(), self.model.name.as_str()];
        let [route, rule, model] = labels;
        metrics.results.with_label_values(&[route, rule, model, outcome.label()]).inc();
        if let Some(agreed) = agreement {
            metrics.agreement.with_label_values(&labels).observe(agreed);
        }
    }
}

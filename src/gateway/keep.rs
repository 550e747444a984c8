//! Keeping an answer once it is complete.
//!
//! What a reader could get wrong: what is kept is the plain form, whatever form came; and only what is complete: every choice has ended as it should,
//! a stream has come to its own end. A purge in between wins.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use prometheus::IntCounterVec;

use super::read::Read;
use super::recall::Wanted;
use super::record::Record;
use crate::cache::flight::Listed;
use crate::cache::replay::{self, Finish};
use crate::cache::semantic::agree::agree;
use crate::cache::semantic::doubt::Whose;
use crate::cache::semantic::{Asked, Semantic};
use crate::cache::{Entry, Facts};
use crate::config::file::Privacy;
use crate::error::Kind;
use crate::openai::{Endpoint, said};
use crate::task;
use crate::upstream::price::NanoUsd;

/// A longer answer is taken apart on a thread of its own.
const LONG: usize = 32 << 10;

/// What is known of a call when its record is closed.
#[derive(Debug, Default)]
pub struct Settled(OnceLock<Settlement>);

/// The end of a call.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    pub outcome: Option<Kind>,
    /// A better answer was wanted than could be had: the next one who asks may have more luck.
    pub second_best: bool,
    pub facts: Facts,
}

impl Settled {
    /// Once.
    pub fn set(&self, settlement: Settlement) {
        // A record is closed once.
        let _set = self.0.set(settlement);
    }

    pub fn get(&self) -> Option<&Settlement> {
        self.0.get()
    }

    /// It has ended as it should.
    pub fn is_well(&self) -> bool {
        self.get().is_some_and(|settlement| settlement.outcome.is_none())
    }

    /// What the call has cost, as far as that is known by now.
    pub fn cost(&self) -> NanoUsd {
        self.get().map_or(0, |settlement| settlement.facts.cost)
    }
}

/// Keeps the answer of one call; as long as it lives, others find the call.
#[derive(Debug)]
pub struct Keeper {
    wanted: Wanted,
    endpoint: Endpoint,
    privacy: Privacy,
    /// When it was asked for, microseconds (Unix).
    begun_us: i64,
    pub settled: Arc<Settled>,
    /// The question, to be found by others.
    asked: Option<Asked>,
    /// An answer that would have been given for it, to be compared.
    checked: Option<Checked>,
    _listed: Option<Listed>,
}

impl Keeper {
    pub fn new(read: &Read, wanted: &Wanted, record: &Record, settled: Arc<Settled>, listed: Option<Listed>) -> Keeper {
        Keeper {
            wanted: wanted.clone(),
            endpoint: read.endpoint,
            privacy: record.privacy,
            begun_us: record.arrived_us(),
            settled,
            asked: None,
            checked: None,
            _listed: listed,
        }
    }

    /// The answer will be found by this question, too.
    pub fn asked(&mut self, asked: Asked) {
        self.asked = Some(asked);
    }

    /// The answer will be compared with one that would have been given.
    pub fn check(&mut self, entry: Arc<Entry>, probability: f32, verified: IntCounterVec) {
        self.checked = Some(Checked { entry, probability, verified });
    }

    /// Keeps a plain answer whose record is closed. `None`: it is not to be kept.
    pub async fn keep_plain(&self, plain: &Bytes) -> Option<Arc<Entry>> {
        let (endpoint, truncated) = (self.endpoint, self.wanted.terms.truncated);
        let copy = plain.clone();
        let make = move || kept_form(endpoint, truncated, &copy);
        let kept = if plain.len() > LONG { task::blocking(make).await.ok()? } else { make() }?;
        self.keep(kept)
    }

    /// Keeps a stream that has ended.
    pub async fn keep_stream(self, pieces: Vec<Bytes>) {
        let (endpoint, truncated) = (self.endpoint, self.wanted.terms.truncated);
        let made = task::blocking(move || {
            let plain = replay::to_plain(endpoint, &pieces.concat())?;
            kept_form(endpoint, truncated, &plain)
        });
        if let Ok(Some(kept)) = made.await {
            self.keep(kept);
        }
    }

    fn keep(&self, plain: Vec<u8>) -> Option<Arc<Entry>> {
        let Wanted { store, key, terms, purges, .. } = &self.wanted;
        let settlement = self.settled.get().filter(|settlement| settlement.outcome.is_none())?;
        if settlement.second_best {
            return None;
        }
        if plain.len() > terms.max_entry || self.privacy == Privacy::LocalOnly {
            return None;
        }
        let now = jiff::Timestamp::now().as_microsecond();
        let until = now.saturating_add(i64::try_from(terms.ttl.as_micros()).unwrap_or(i64::MAX));
        let entry = Entry::new(*key, self.endpoint, now, until, settlement.facts.clone(), Bytes::from(plain));
        let entry = Arc::new(entry);
        if !store.keep(&entry, self.begun_us, *purges) {
            return None;
        }
        store.keep_beyond(&entry, self.privacy);
        if let Some(semantic) = &store.semantic {
            // Somebody's personal data may stand in the answer: it is for exactly this question.
            if let Some(asked) = self.asked.as_ref().filter(|_| entry.facts.pii.is_empty()) {
                semantic.remember(asked, entry.key);
            }
            if let Some(checked) = &self.checked {
                checked.compare(&entry, semantic);
            }
        }
        Some(entry)
    }
}

/// An answer to a question in other words that was not given, to see whether it would have been right.
#[derive(Debug)]
struct Checked {
    entry: Arc<Entry>,
    probability: f32,
    /// `route`, `result`
    verified: IntCounterVec,
}

impl Checked {
    fn compare(&self, asked: &Entry, semantic: &Semantic) {
        let said = |entry: &Entry| said::of_answer(entry.plain());
        let agreed = said(&self.entry).zip(said(asked)).and_then(|(one, other)| agree(&one, &other));
        let route = &asked.facts.route;
        let result = match agreed {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "unknown",
        };
        self.verified.with_label_values(&[route.as_str(), result]).inc();
        if let Some(was_right) = agreed {
            let whose = Whose { route, tenant: &asked.facts.tenant };
            semantic.doubts.learn(whose, self.probability.into(), was_right);
        }
    }
}

/// The form in which a complete answer is kept.
fn kept_form(endpoint: Endpoint, truncated: bool, plain: &[u8]) -> Option<Vec<u8>> {
    let is_whole = match replay::judge(endpoint, plain)?.finish {
        Finish::Stop | Finish::ToolCalls => true,
        Finish::Length => truncated,
        Finish::Other => false,
    };
    is_whole.then(|| replay::mark_cached(endpoint, plain))
}

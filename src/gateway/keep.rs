//! Keeping an answer once it is complete.
//!
//! What a reader could get wrong: what is kept is the plain form, whatever form came; and only what is complete: every choice has ended as it should,
//! a stream has come to its own end. A purge in between wins.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::read::Read;
use super::recall::Wanted;
use super::record::Record;
use crate::cache::flight::Listed;
use crate::cache::replay::{self, Finish};
use crate::cache::{Entry, Facts};
use crate::config::file::Privacy;
use crate::error::Kind;
use crate::openai::Endpoint;
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
    pub settled: Arc<Settled>,
    _listed: Option<Listed>,
}

impl Keeper {
    pub fn new(read: &Read, wanted: &Wanted, record: &Record, settled: Arc<Settled>, listed: Option<Listed>) -> Keeper {
        Keeper { wanted: wanted.clone(), endpoint: read.endpoint, privacy: record.privacy, settled, _listed: listed }
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
        if plain.len() > terms.max_entry || self.privacy == Privacy::LocalOnly {
            return None;
        }
        let now = jiff::Timestamp::now().as_microsecond();
        let until = now.saturating_add(i64::try_from(terms.ttl.as_micros()).unwrap_or(i64::MAX));
        let entry = Entry::new(*key, self.endpoint, now, until, settlement.facts.clone(), Bytes::from(plain));
        let entry = Arc::new(entry);
        store.keep(&entry, *purges);
        Some(entry)
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

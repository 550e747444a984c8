//! An answer that is kept: its plain form, what is told of it, and the streams made from it when somebody asks for one.
//!
//! What a reader could get wrong: an entry outlives the configuration that it was made under, so it holds names, not references.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use prometheus::{Counter, IntCounter};
use serde::{Deserialize, Serialize};

use super::key::{Key, label};
use super::replay;
use super::tier::Labels;
use crate::openai::Endpoint;
use crate::upstream::price::NanoUsd;

/// What an entry takes beside its texts: itself, its place in the store's lists and tables, its names' allocations.
const OVERHEAD: usize = 1024;

/// What is told of an answer: names and figures, no text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub tenant: String,
    pub route: String,
    pub rule: String,
    /// The `models` key, and its upstream.
    pub model: String,
    pub upstream: String,
    pub difficulty: Option<f32>,
    /// `EMAIL_ADDRESS=1`
    pub pii: String,
    /// Tokens, as the upstream counted them.
    pub prompt: u64,
    pub completion: u64,
    /// What the answer has cost; 0 where it is not known.
    pub cost: NanoUsd,
}

/// An answer that is kept.
#[derive(Debug)]
pub struct Entry {
    pub key: Key,
    pub endpoint: Endpoint,
    /// Microseconds (Unix): when it was made, when it ends.
    pub made_us: i64,
    pub until_us: i64,
    pub facts: Facts,
    pub headers: Headers,
    plain: Bytes,
    /// Without and with usage.
    streams: [OnceLock<Option<Bytes>>; 2],
    streams_bytes: AtomicU32,
    is_dropped: AtomicBool,
    touches: AtomicU32,
    counters: OnceLock<Counters>,
    /// For the audit chain: of the plain form, and of the streams.
    hashes: [OnceLock<[u8; 32]>; 3],
}

/// What is counted with each use, looked up once: an entry has one tenant, route, rule and model.
#[derive(Debug)]
pub struct Counters {
    /// `tidegate_requests_total`, answered well.
    pub requests: IntCounter,
    pub tenant: IntCounter,
    pub saved: Counter,
}

/// Names as they stand in an answer's head.
#[derive(Debug)]
pub struct Headers {
    pub route: HeaderValue,
    pub rule: HeaderValue,
    pub model: HeaderValue,
    /// To purge it by.
    pub key: HeaderValue,
    pub pii: Option<HeaderValue>,
}

/// What tiers beyond memory keep of an entry.
#[derive(Debug, Serialize, Deserialize)]
struct Portable<'a> {
    endpoint: u8,
    #[serde(borrow)]
    facts: std::borrow::Cow<'a, Facts>,
    plain: &'a [u8],
}

const ENDPOINTS: [Endpoint; 4] = [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses];

impl Entry {
    /// Keeps `plain`, an answer as a repetition says it.
    pub fn new(key: Key, endpoint: Endpoint, made_us: i64, until_us: i64, facts: Facts, plain: Bytes) -> Entry {
        let header = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        Entry {
            key,
            endpoint,
            made_us,
            until_us,
            headers: Headers {
                route: header(&facts.route),
                rule: header(&facts.rule),
                model: header(&facts.model),
                key: header(&key.hex()),
                pii: (!facts.pii.is_empty()).then(|| header(&facts.pii)),
            },
            facts,
            plain,
            streams: [OnceLock::new(), OnceLock::new()],
            streams_bytes: AtomicU32::new(0),
            is_dropped: AtomicBool::new(false),
            touches: AtomicU32::new(0),
            counters: OnceLock::new(),
            hashes: Default::default(),
        }
    }

    /// The answer as JSON.
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The answer as a stream, made when it is first asked for; `true`: it was made just now. `None`: it cannot be told as one.
    pub fn stream(&self, usage: bool) -> Option<(&Bytes, bool)> {
        let mut is_new = false;
        let stream = self.streams[usize::from(usage)].get_or_init(|| {
            is_new = true;
            let made = replay::to_stream(self.endpoint, &self.plain, usage).map(Bytes::from);
            let bytes = made.as_ref().map_or(0, Bytes::len);
            self.streams_bytes.fetch_add(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
            made
        });
        stream.as_ref().map(|stream| (stream, is_new))
    }

    /// Bytes that it takes, all in all.
    pub fn weight(&self) -> u32 {
        let facts = &self.facts;
        let names = [&facts.tenant, &facts.route, &facts.rule, &facts.model, &facts.upstream, &facts.pii];
        let names: usize = names.iter().map(|name| 2 * name.len()).sum();
        let own = u32::try_from(OVERHEAD + names + self.plain.len()).unwrap_or(u32::MAX);
        own.saturating_add(self.streams_bytes.load(Ordering::Relaxed))
    }

    /// It still holds. `now`: microseconds (Unix).
    pub fn holds(&self, now: i64) -> bool {
        now < self.until_us && !self.is_dropped.load(Ordering::Relaxed)
    }

    /// It was purged or put out: whoever has it still must not give it out.
    pub fn drop_it(&self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }

    /// Counts a use; `true` once in `every`.
    pub fn touch(&self, every: u32) -> bool {
        self.touches.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
    }

    /// The hash of one of its forms, made when it is first asked for. `None`: these bytes are none of them.
    pub fn hash_of(&self, bytes: &Bytes, make: impl FnOnce() -> [u8; 32]) -> Option<[u8; 32]> {
        let streams = self.streams.iter().map(|stream| stream.get().and_then(Option::as_ref));
        let forms = std::iter::once(Some(&self.plain)).chain(streams);
        let is_it = |form: &Bytes| form.as_ptr() == bytes.as_ptr() && form.len() == bytes.len();
        let form = forms.into_iter().position(|form| form.is_some_and(is_it))?;
        self.hashes.get(form).map(|hash| *hash.get_or_init(make))
    }

    /// What is counted with each use.
    pub fn counters(&self, look_up: impl FnOnce() -> Counters) -> &Counters {
        self.counters.get_or_init(look_up)
    }

    /// Whole seconds since it was made (RFC 9111 5.1).
    pub fn age(&self, now: i64) -> u64 {
        u64::try_from(now.saturating_sub(self.made_us) / 1_000_000).unwrap_or(0)
    }

    /// It is no older than `most` seconds, and than the route's terms allow by now. `now`: microseconds (Unix).
    pub fn is_within(&self, most: Option<u64>, ttl: Duration, now: i64) -> bool {
        let ends = self.made_us.saturating_add(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX));
        now < ends && most.is_none_or(|most| self.age(now) <= most)
    }

    pub fn labels(&self) -> Labels {
        Labels { route: label(&self.facts.route), tenant: label(&self.facts.tenant), model: label(&self.facts.model) }
    }

    /// For a tier beyond memory; `None`: it cannot be written down.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let endpoint = ENDPOINTS.iter().position(|endpoint| *endpoint == self.endpoint)?;
        let facts = std::borrow::Cow::Borrowed(&self.facts);
        let portable = Portable { endpoint: u8::try_from(endpoint).ok()?, facts, plain: &self.plain };
        postcard::to_stdvec(&portable).ok()
    }

    /// From a tier beyond memory; `None`: it is none of ours.
    pub fn from_bytes(key: Key, made_us: i64, until_us: i64, bytes: &[u8]) -> Option<Entry> {
        let portable: Portable<'_> = postcard::from_bytes(bytes).ok()?;
        let endpoint = *ENDPOINTS.get(usize::from(portable.endpoint))?;
        let plain = Bytes::copy_from_slice(portable.plain);
        Some(Entry::new(key, endpoint, made_us, until_us, portable.facts.into_owned(), plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_another_tier() {
        let facts = Facts { model: "small".into(), cost: 12, difficulty: Some(0.5), ..Facts::default() };
        let entry = Entry::new(Key([7; 32]), Endpoint::Responses, 10, 20, facts.clone(), Bytes::from_static(b"{}"));
        let bytes = entry.to_bytes().unwrap();
        let back = Entry::from_bytes(entry.key, 10, 20, &bytes).unwrap();
        assert_eq!((back.facts, back.endpoint, &back.plain[..]), (facts, Endpoint::Responses, &b"{}"[..]));
        for end in 0..bytes.len() {
            assert!(Entry::from_bytes(entry.key, 10, 20, &bytes[..end]).is_none());
        }
    }

    #[test]
    fn it_ends_with_its_time_or_when_it_is_dropped() {
        let entry = Entry::new(Key([1; 32]), Endpoint::Chat, 0, 5_000_000, Facts::default(), Bytes::new());
        assert!(entry.holds(4_999_999) && !entry.holds(5_000_000));
        assert_eq!((entry.age(999_999), entry.age(3_000_000), entry.age(-5)), (0, 3, 0));
        let long = Duration::from_secs(1000);
        assert!(entry.is_within(None, long, 999_999_999) && entry.is_within(Some(2), long, 2_999_999));
        assert!(
            !entry.is_within(Some(2), long, 3_000_000) && !entry.is_within(None, Duration::from_secs(1), 1_000_000)
        );
        entry.drop_it();
        assert!(!entry.holds(0));
    }
}

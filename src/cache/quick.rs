//! The shortest way to an answer: the very bytes of a request that was asked before, on this worker, under this configuration.
//!
//! What a reader could get wrong: bytes are compared, not hashes, so a hit here is certain; everything else that an answer depends on is compared
//! too (`Circumstances`). A place holds an entry weakly: what the store puts out is gone from here as well.

use std::hash::BuildHasher as _;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::entry::Entry;
use crate::openai::Endpoint;

/// Longer bodies take the longer way.
const LONGEST_BODY: usize = 8 << 10;
/// The share of the capacity that these tables may take, over all workers.
const SHARE: u64 = 16;
/// More places than this are of no use to a worker.
const MOST_PLACES: u64 = 8192;

/// What else a request depends on, besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// The snapshot's.
    pub generation: u64,
    /// The tenant's place in the configuration.
    pub tenant: usize,
    /// The tier in force.
    pub privacy: u8,
    pub endpoint: Endpoint,
}

/// A request that is known by its bytes.
#[derive(Debug, Clone)]
pub struct Known {
    pub circumstances: Circumstances,
    pub entry: Weak<Entry>,
    /// The model that was asked for.
    pub model: Arc<str>,
    /// Index of the rule that had matched.
    pub rule: Option<usize>,
    pub stream: bool,
    /// Usage was asked for in a stream.
    pub usage: bool,
    pub input_tokens: u64,
    /// The body's hash for the audit chain; `None`: that is off.
    pub prompt_hash: Option<[u8; 32]>,
}

#[derive(Debug)]
struct Place {
    hash: u64,
    body: Bytes,
    known: Known,
}

/// A table for each worker.
#[derive(Debug)]
pub struct Quick {
    workers: Box<[Mutex<Box<[Option<Place>]>>]>,
    hasher: foldhash::fast::RandomState,
}

impl Quick {
    /// As much as `capacity` bytes of all that is kept allow.
    pub fn new(capacity: u64, workers: usize) -> Quick {
        let bytes = capacity / SHARE / (workers.max(1) as u64);
        let places = (bytes / (LONGEST_BODY as u64 + 256)).clamp(1, MOST_PLACES) as usize;
        let table = || Mutex::new((0..places).map(|_| None).collect());
        Quick {
            workers: (0..workers.max(1)).map(|_| table()).collect(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// The most bytes that the tables may come to hold.
    pub fn reserved(capacity: u64) -> u64 {
        capacity / SHARE
    }

    /// What is known of these bytes.
    pub fn find(&self, worker: usize, circumstances: Circumstances, body: &[u8]) -> Option<Known> {
        if body.len() > LONGEST_BODY {
            return None;
        }
        let hash = self.hasher.hash_one(body);
        let table = self.workers.get(worker)?.lock();
        let place = table.get(hash as usize % table.len())?.as_ref()?;
        let is_it = place.hash == hash && place.known.circumstances == circumstances && *place.body == *body;
        is_it.then(|| place.known.clone())
    }

    /// Remembers these bytes, in the place of others if need be.
    pub fn remember(&self, worker: usize, body: &Bytes, known: Known) {
        if body.len() > LONGEST_BODY {
            return;
        }
        let hash = self.hasher.hash_one(&body[..]);
        let Some(table) = self.workers.get(worker) else { return };
        // A copy of its own: the request's buffer may be much larger than the body in it.
        let place = Place { hash, body: Bytes::copy_from_slice(body), known };
        let mut table = table.lock();
        let at = hash as usize % table.len();
        if let Some(slot) = table.get_mut(at) {
            *slot = Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Facts;
    use super::super::key::Key;
    use super::*;

    #[test]
    fn a_place_is_found_by_bytes_and_circumstances() {
        let quick = Quick::new(64 << 20, 2);
        let entry = Arc::new(Entry::new(Key([1; 32]), Endpoint::Chat, 0, 1, Facts::default(), Bytes::new()));
        let here = Circumstances { generation: 1, tenant: 0, privacy: 0, endpoint: Endpoint::Chat };
        let known = Known {
            circumstances: here,
            entry: Arc::downgrade(&entry),
            model: "auto".into(),
            rule: None,
            stream: false,
            usage: false,
            input_tokens: 1,
            prompt_hash: None,
        };
        let body = Bytes::from_static(b"{\"model\":\"auto\"}");
        quick.remember(0, &body, known);
        assert!(quick.find(0, here, &body).is_some_and(|known| known.entry.upgrade().is_some()));
        assert!(quick.find(1, here, &body).is_none());
        assert!(quick.find(0, here, b"{\"model\":\"autp\"}").is_none());
        for other in [
            Circumstances { generation: 2, ..here },
            Circumstances { tenant: 1, ..here },
            Circumstances { privacy: 1, ..here },
            Circumstances { endpoint: Endpoint::Completions, ..here },
        ] {
            assert!(quick.find(0, other, &body).is_none());
        }
        drop(entry);
        assert!(quick.find(0, here, &body).is_some_and(|known| known.entry.upgrade().is_none()));
    }
}

//! Answers in memory, weighed by bytes, each with its own end: moka (W-TinyLFU, so that a flood of questions asked once does not wash out
//! those that are asked often).
//!
//! What a reader could get wrong: an entry that has gone from here may still be in somebody's hands; it is marked, so that it is not given out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::entry::Entry;
use super::key::Key;

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    Everything,
    Key(Key),
    Route(String),
    Tenant(String),
    Model(String),
}

/// The store.
#[derive(Debug)]
pub struct Memory {
    entries: Cache<Key, Arc<Entry>, foldhash::fast::RandomState>,
}

struct Ends;

impl Expiry<Key, Arc<Entry>> for Ends {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(left(entry))
    }

    fn expire_after_update(&self, _: &Key, entry: &Arc<Entry>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(left(entry))
    }
}

fn left(entry: &Entry) -> Duration {
    let now = jiff::Timestamp::now().as_microsecond();
    Duration::from_micros(u64::try_from(entry.until_us - now).unwrap_or(0))
}

impl Memory {
    /// `capacity`: bytes of all entries, their overhead included.
    ///
    /// `gone` hears of keys that have no answer any more.
    pub fn new(capacity: u64, gone: impl Fn(Key) + Send + Sync + 'static) -> Memory {
        let put_out = move |key: Arc<Key>, entry: Arc<Entry>, cause: moka::notification::RemovalCause| {
            if cause != moka::notification::RemovalCause::Replaced {
                entry.drop_it();
                gone(*key);
            }
        };
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_: &Key, entry: &Arc<Entry>| entry.weight())
            .expire_after(Ends)
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .eviction_listener(put_out)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Memory { entries }
    }

    /// `now`: microseconds (Unix).
    pub fn get(&self, key: &Key, now: i64) -> Option<Arc<Entry>> {
        self.entries.get(key).filter(|entry| entry.holds(now))
    }

    /// Keeps an entry whose making began at `begun_us` (Unix), unless a younger one is there. What it replaces is marked: whoever has it
    /// still must not give it out. Whether it is kept.
    pub fn put(&self, entry: &Arc<Entry>, begun_us: i64) -> bool {
        if let Some(known) = self.entries.get(&entry.key) {
            if known.holds(begun_us) && known.made_us > begun_us {
                return false;
            }
            known.drop_it();
        }
        self.entries.insert(entry.key, Arc::clone(entry));
        true
    }

    /// Weighs an entry anew that has grown, if it is still here.
    pub fn weigh(&self, entry: &Arc<Entry>) {
        if self.entries.get(&entry.key).is_some_and(|known| Arc::ptr_eq(&known, entry)) {
            self.entries.insert(entry.key, Arc::clone(entry));
        }
    }

    /// Forgets; how many entries that were.
    pub fn purge(&self, what: &Purge) -> u64 {
        let concerns = |entry: &Entry| match what {
            Purge::Everything => true,
            Purge::Key(key) => entry.key == *key,
            Purge::Route(name) => entry.facts.route == *name,
            Purge::Tenant(name) => entry.facts.tenant == *name,
            Purge::Model(name) => entry.facts.model == *name,
        };
        let mut count = 0;
        for (key, entry) in &self.entries {
            if concerns(&entry) {
                entry.drop_it();
                self.entries.invalidate(key.as_ref());
                count += 1;
            }
        }
        count
    }

    /// Bytes and entries, as of now.
    pub fn size(&self) -> (u64, u64) {
        self.entries.run_pending_tasks();
        (self.entries.weighted_size(), self.entries.entry_count())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::entry::Facts;
    use super::*;
    use crate::openai::Endpoint;

    fn entry(n: u64, tenant: &str, bytes: usize) -> Arc<Entry> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        let facts = Facts { tenant: tenant.into(), ..Facts::default() };
        let now = jiff::Timestamp::now().as_microsecond();
        let plain = Bytes::from(vec![0; bytes]);
        Arc::new(Entry::new(Key(key), Endpoint::Chat, now, now + 3_600_000_000, facts, plain))
    }

    #[test]
    fn it_stays_within_its_capacity() {
        let capacity = 1 << 20;
        let memory = Memory::new(capacity, |_| {});
        for n in 0..20_000 {
            let entry = entry(n, "", 1000);
            memory.put(&entry, entry.made_us);
        }
        let (bytes, entries) = memory.size();
        assert!(bytes <= capacity && entries > 100, "{bytes} bytes, {entries} entries");
    }

    #[test]
    fn what_is_purged_is_gone_for_whoever_has_it() {
        let memory = Memory::new(1 << 20, |_| {});
        let (a, b) = (entry(1, "a", 10), entry(2, "b", 10));
        memory.put(&a, a.made_us);
        memory.put(&b, b.made_us);
        assert_eq!(memory.purge(&Purge::Tenant("a".into())), 1);
        assert!(!a.holds(a.made_us) && b.holds(b.made_us));
        assert!(memory.get(&a.key, a.made_us).is_none() && memory.get(&b.key, b.made_us).is_some());
        assert_eq!(memory.purge(&Purge::Key(b.key)), 1);
        assert!(memory.get(&b.key, b.made_us).is_none());
    }

    #[test]
    fn the_youngest_stays_and_what_it_replaces_is_marked() {
        let memory = Memory::new(1 << 20, |_| {});
        let (old, new) = (entry(1, "a", 10), entry(1, "a", 11));
        assert!(memory.put(&old, old.made_us - 10) && memory.put(&new, new.made_us));
        assert!(!old.holds(old.made_us) && new.holds(new.made_us));
        let late = entry(1, "a", 12);
        assert!(!memory.put(&late, new.made_us - 1), "begun before the other was made");
        memory.weigh(&old);
        assert!(memory.get(&new.key, new.made_us).is_some_and(|kept| Arc::ptr_eq(&kept, &new)));
    }

    #[test]
    fn an_entry_that_is_weighed_again_still_holds() {
        let memory = Memory::new(1 << 20, |_| {});
        let a = entry(1, "a", 10);
        memory.put(&a, a.made_us);
        memory.weigh(&a);
        memory.size();
        assert!(memory.get(&a.key, a.made_us).is_some());
    }
}

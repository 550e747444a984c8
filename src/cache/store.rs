//! Everything that is remembered, as one thing: it survives reloads that do not change its size or its tiers.
//!
//! What a reader could get wrong: `purges` counts purges, so that an answer that was under way while somebody purged is not kept afterwards.
//! Tiers beyond memory get only what may leave memory: answers to requests of the tier `retained`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::entry::Entry;
use super::flight::Flights;
use super::key::{Key, label};
use super::memory::{Memory, Purge};
use super::quick::Quick;
use super::semantic::{self, Semantic};
use super::tier::{self, Disk, Kept, Purged, Seal, Shared, Tier, Tiers, secret};
use crate::config::file::{Cache, Privacy};

/// Below the data directory.
const FOLDER: &str = "cache";
/// BLAKE3's `derive_key` context of an operator's secret for the shared tier.
const SECRET: &str = "tidegate 2026 cache shared secret v1";

/// Everything that is remembered.
#[derive(Debug)]
pub struct Store {
    /// The section that it was made for.
    section: Cache,
    pub memory: Memory,
    pub quick: Quick,
    pub flights: Arc<Flights>,
    /// `None`: only the same question is answered.
    pub semantic: Option<Arc<Semantic>>,
    pub tiers: Tiers,
    purges: AtomicU64,
}

impl Store {
    /// `data_dir`: where the disk tier and its key are; `None`: there is no such place. `runtime`: for what tiers do in the background.
    ///
    /// # Errors
    /// A tier cannot be opened; as a text for people.
    pub fn open(section: &Cache, data_dir: Option<&Path>, workers: usize, runtime: &Handle) -> Result<Store, String> {
        let (answers, questions) = shares(section);
        let semantic = section.semantic.as_ref().map(|with| Arc::new(Semantic::new(with.entries, questions)));
        let of_questions = semantic.clone();
        let gone = move |key: Key| of_questions.iter().for_each(|semantic| semantic.forget(key));
        Ok(Store {
            memory: Memory::new(answers, gone),
            quick: Quick::new(section.exact.capacity.0, workers),
            flights: Arc::default(),
            semantic,
            tiers: tiers(section, data_dir, runtime)?,
            section: section.clone(),
            purges: AtomicU64::new(0),
        })
    }

    /// A section that asks for the same memory and the same tiers: what is kept may stay.
    pub fn fits(&self, section: &Cache) -> bool {
        let size = |section: &Cache| {
            let semantic = section.semantic.as_ref().map(|semantic| (semantic.embedder.clone(), semantic.entries));
            (section.exact.capacity, semantic, section.disk.clone(), section.shared.clone())
        };
        size(&self.section) == size(section)
    }

    /// Bytes that each tier may take, by its name in metrics. What memory and questions have not got is for the quick tables.
    pub fn capacities(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let (answers, questions) = shares(&self.section);
        let disk = self.section.disk.as_ref().filter(|_| self.tiers.disk.is_some());
        let beyond =
            [self.semantic.as_ref().map(|_| ("semantic", questions)), disk.map(|disk| ("disk", disk.capacity.0))];
        std::iter::once(("memory", answers)).chain(beyond.into_iter().flatten())
    }

    /// Purges so far.
    pub fn purges(&self) -> u64 {
        self.purges.load(Ordering::Acquire)
    }

    /// Keeps an answer that was begun when there had been `purges` purges.
    ///
    /// `begun_us`: when it was asked for, microseconds (Unix). Whether it is kept.
    pub fn keep(&self, entry: &Arc<Entry>, begun_us: i64, purges: u64) -> bool {
        if self.purges() != purges || !self.memory.put(entry, begun_us) {
            return false;
        }
        // A purge between: it may have come before the entry was there.
        let is_kept = self.purges() == purges;
        if !is_kept {
            entry.drop_it();
            self.memory.purge(&Purge::Key(entry.key));
        }
        is_kept
    }

    /// Keeps it beyond memory, too, where it may leave it.
    pub fn keep_beyond(&self, entry: &Entry, privacy: Privacy) {
        if privacy != Privacy::Retained || self.tiers.is_empty() || !entry.holds(entry.made_us) {
            return;
        }
        if let Some(bytes) = entry.to_bytes() {
            let (made_us, until_us, labels) = (entry.made_us, entry.until_us, entry.labels());
            self.tiers.put(&entry.key, &Kept { made_us, until_us, labels, bytes: Bytes::from(bytes) });
        }
    }

    /// Looks beyond memory; what is found is in memory from then on.
    pub async fn beyond(&self, key: &Key, privacy: Privacy, purges: u64) -> Option<(Arc<Entry>, Tier)> {
        if privacy != Privacy::Retained || self.tiers.is_empty() {
            return None;
        }
        let (kept, tier) = self.tiers.get(key).await?;
        let entry = Arc::new(Entry::from_bytes(*key, kept.made_us, kept.until_us, &kept.bytes)?);
        self.keep(&entry, kept.made_us, purges).then_some((entry, tier))
    }

    /// Forgets in memory; how many answers that were. [`Store::purge_beyond`] does the rest.
    pub fn purge(&self, what: &Purge) -> u64 {
        self.purges.fetch_add(1, Ordering::AcqRel);
        // Who asks from now on does not join what was begun before.
        self.flights.unlist();
        self.memory.purge(what)
    }

    /// Forgets in the tiers beyond memory.
    pub async fn purge_beyond(&self, what: &Purge) -> Purged {
        let by = match what {
            Purge::Everything => tier::Purge::Everything,
            Purge::Key(key) => tier::Purge::Key(*key),
            Purge::Route(name) => tier::Purge::Route(label(name)),
            Purge::Tenant(name) => tier::Purge::Tenant(label(name)),
            Purge::Model(name) => tier::Purge::Model(label(name)),
        };
        self.tiers.purge(by).await
    }
}

/// Bytes of the capacity for answers, and for questions in other words.
fn shares(section: &Cache) -> (u64, u64) {
    let capacity = section.exact.capacity.0;
    let questions = section.semantic.as_ref().map_or(0, |with| semantic::reserved(capacity, with.entries));
    (capacity - Quick::reserved(capacity) - questions, questions)
}

fn tiers(section: &Cache, data_dir: Option<&Path>, runtime: &Handle) -> Result<Tiers, String> {
    let folder = data_dir.map(|dir| dir.join(FOLDER));
    let own = || match &folder {
        Some(folder) => secret::load_or_make(folder),
        None => Err("there is no data directory to keep its key in".to_owned()),
    };
    let disk = match (&section.disk, &folder) {
        (Some(disk), Some(folder)) => {
            let seal = Arc::new(Seal::new(own().map_err(|e| format!("cache.disk: {e}"))?.bytes()));
            let open = Disk::open(folder, seal, disk.capacity.0);
            Some(open.map_err(|e| format!("cache.disk: {e}"))?)
        }
        _ => None,
    };
    let shared = match &section.shared {
        // Without a data directory nothing is served: whoever asks only wants to know what would be.
        Some(shared) if folder.is_some() => {
            let with = shared.with();
            let wrong = |e: String| format!("cache.shared: {e}");
            let seal = match &with.secret {
                Some(secret) => Seal::new(&blake3::derive_key(SECRET, secret.expose().as_bytes())),
                None => Seal::new(own().map_err(wrong)?.bytes()),
            };
            let settings = tier::shared::Settings { deadline: with.timeout.0, ..Default::default() };
            Some(Shared::connect(with.url.expose(), Arc::new(seal), settings, runtime).map_err(wrong)?)
        }
        _ => None,
    };
    Ok(Tiers { disk, shared })
}

//! Where answers live beyond memory: on this machine's disk, so that they outlive a restart, and in a Redis that replicas share.
//!
//! What a reader could get wrong: a tier may forget anything at any time and never fails a request. What it gives back is what was put
//! under that very key, unchanged and not beyond its time (it is sealed), or nothing. Whether an answer may leave memory at all is for
//! the caller to know: nothing here looks at privacy tiers.

pub mod disk;
pub mod figures;
mod room;
pub mod seal;
pub use crate::seal::secret;
pub mod shared;

use bytes::Bytes;

use super::key::Key;

pub use disk::Disk;
pub use figures::{Figures, Outcome, Write};
pub use seal::Seal;
pub use shared::Shared;

/// Hashes of the names that an entry can be purged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels {
    pub route: u64,
    pub tenant: u64,
    pub model: u64,
}

/// What a tier keeps of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// When the answer was made, microseconds since 1970.
    pub made_us: i64,
    /// Until when it holds, microseconds since 1970: at that moment it is gone.
    pub until_us: i64,
    pub labels: Labels,
    /// The answer as the caller wrote it.
    pub bytes: Bytes,
}

/// What is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    Everything,
    Key(Key),
    Route(u64),
    Tenant(u64),
    Model(u64),
}

/// Where an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    Disk,
    Shared,
}

impl Tier {
    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Tier::Disk => "disk",
            Tier::Shared => "shared",
        }
    }
}

/// What a purge did, tier by tier; `None`: there is no such tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// Entries removed, or why they are still there.
    pub disk: Option<Result<u64, String>>,
    /// Entries removed, if that is known (by label nobody counts them: they are no longer found), or why they are still there.
    pub shared: Option<Result<Option<u64>, String>>,
}

/// The tiers beyond memory that there are.
#[derive(Debug, Default)]
pub struct Tiers {
    pub disk: Option<Disk>,
    pub shared: Option<Shared>,
}

impl Tiers {
    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.disk.is_none() && self.shared.is_none()
    }

    /// Looks on disk, which knows in memory what it does not have, then in the shared tier, which answers within its deadline.
    pub async fn get(&self, key: &Key) -> Option<(Kept, Tier)> {
        if let Some(disk) = &self.disk
            && let Some(kept) = disk.get(key).await
        {
            return Some((kept, Tier::Disk));
        }
        let kept = self.shared.as_ref()?.get(key).await?;
        Some((kept, Tier::Shared))
    }

    /// Has every tier keep an answer. Returns at once; where a tier's queue is full the answer is not kept there.
    pub fn put(&self, key: &Key, kept: &Kept) {
        if let Some(disk) = &self.disk {
            disk.put(key, kept);
        }
        if let Some(shared) = &self.shared {
            shared.put(key, kept);
        }
    }

    /// Forgets in every tier what was put before this call.
    pub async fn purge(&self, by: Purge) -> Purged {
        let disk = match &self.disk {
            Some(disk) => Some(disk.purge(by).await),
            None => None,
        };
        let shared = match &self.shared {
            Some(shared) => Some(shared.purge(by).await),
            None => None,
        };
        Purged { disk, shared }
    }

    /// Writes what is queued, and ends the writers.
    pub async fn finish(&self) {
        if let Some(shared) = &self.shared {
            shared.finish().await;
        }
        if let Some(disk) = &self.disk {
            disk.finish().await;
        }
    }
}

/// Microseconds since 1970.
fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests;

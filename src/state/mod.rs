//! What requests work with: the immutable snapshot of the configuration, and what must survive a reload beside it.
//!
//! What a reader could get wrong: the snapshot is loaded once per request, at the top of `gateway::handle`, and passed down; nobody else
//! loads it. `Arc` and not a guard: a stream keeps its snapshot for minutes.

pub mod admin;
pub mod bookkeeper;
pub mod books;
pub mod conversations;
pub mod deferring;
pub mod pools;
pub mod prepare;
pub mod protection;
pub mod records;
pub mod reload;
pub mod remembering;
pub mod routing;
pub mod shadows;
pub mod snapshot;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::pii::hide::Keys;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::tenant::Accounts;
use crate::upstream::discover::Nodes;
pub use books::Books;
pub use conversations::Conversations;
pub use deferring::Deferring;
pub use routing::{Classifiers, Controls};
pub use shadows::Shadows;
pub use snapshot::{RouteEntry, Snapshot};

/// What a whole process shares.
#[derive(Debug)]
pub struct Shared {
    current: ArcSwap<Snapshot>,
    pub durable: Durable,
}

/// What survives reloads.
#[derive(Debug)]
pub struct Durable {
    pub metrics: Metrics,
    pub access: AccessLog,
    /// Nodes by address: their connections, load and health.
    pub nodes: Arc<Nodes>,
    /// Where health checks run, apart from the workers.
    pub control: tokio::runtime::Handle,
    /// Threads that serve requests, the executor of deferred work included.
    pub workers: usize,
    /// What tenants have used.
    pub accounts: Accounts,
    /// What thresholds have learnt.
    pub thresholds: Controls,
    /// What is remembered of conversations.
    pub conversations: Conversations,
    /// Copies of requests under way.
    pub shadows: Shadows,
    /// Where what must survive a restart is kept; `None`: nothing is.
    pub data_dir: Option<PathBuf>,
    /// The queue of deferred work, once a configuration has asked for it.
    pub queue: OnceLock<crate::deferred::Store>,
    /// Keys of labels and hashes.
    pub pii_keys: Keys,
    /// Journal, ledger and audit chain; `None`: nothing is recorded.
    pub books: Option<Arc<Books>>,
}

impl Shared {
    /// With the first snapshot in force.
    pub fn new(durable: Durable, first: Snapshot) -> Shared {
        durable.metrics.generation.set(i64::try_from(first.generation).unwrap_or(i64::MAX));
        Shared { current: ArcSwap::from_pointee(first), durable }
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts a snapshot in force; requests in flight finish on theirs.
    fn swap(&self, next: Snapshot) {
        self.durable.metrics.generation.set(i64::try_from(next.generation).unwrap_or(i64::MAX));
        self.current.store(Arc::new(next));
    }
}

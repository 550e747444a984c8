//! The queue of deferred work as a configuration has it: the store, kept over reloads, and how it is worked on.
//!
//! What a reader could get wrong: without a data directory (the demo) there is none, whatever the file says.

use serde_json::{Value, json};

use super::{Durable, Shared};
use crate::config::file::{self, File};
use crate::deferred::{Limits, State, Store};

/// So many tenants may each have as much waiting as one may.
const CROWD: u64 = 8;

/// The queue, and how it is worked on.
#[derive(Debug, Clone)]
pub struct Deferring {
    pub store: Store,
    pub section: file::Deferred,
}

/// Opens the queue, or takes the one that this process has opened before: it may have been away from the file for a while, and there is one
/// thread that writes.
///
/// # Errors
/// It cannot be opened; as a text for people.
pub fn open(file: &File, durable: &Durable) -> Result<Option<Deferring>, String> {
    let (Some(section), Some(data_dir)) = (&file.deferred, &durable.data_dir) else { return Ok(None) };
    let all = section.max_bytes.0;
    let limits = Limits {
        jobs_per_tenant: section.max_queued,
        jobs: section.max_queued.saturating_mul(CROWD),
        bytes_per_tenant: if file.tenants.len() > 1 { all / 2 } else { all },
        bytes: all,
    };
    let open = || Store::open(data_dir, limits).map_err(|e| format!("deferred: {e}"));
    // Two reloads at a time there are not.
    let store = durable.queue.get().cloned().map_or_else(open, Ok)?;
    let store = durable.queue.get_or_init(|| store).clone();
    store.set_limits(limits);
    Ok(Some(Deferring { store, section: section.clone() }))
}

impl Shared {
    /// Gauges of the queue, as it is now.
    pub async fn measure_deferred(&self, store: &Store) {
        let metrics = &self.durable.metrics.deferred;
        let Ok(counts) = store.counts().await else { return };
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for state in State::ALL {
            metrics.jobs.with_label_values(&[state.label()]).set(gauge(counts.jobs[state as usize]));
        }
        metrics.bytes.set(gauge(counts.bytes));
        metrics.oldest.set(counts.oldest_us.map_or(0, seconds_since));
    }

    /// `GET /api/deferred`: how many there are, by state, and since when the oldest waits. Blocks.
    ///
    /// # Errors
    /// The status to answer with, and why.
    pub fn deferred(&self) -> Result<Value, (u16, String)> {
        let snapshot = self.snapshot();
        let off = || (404, "deferred work is off: add `deferred: {}` to the file".to_owned());
        let deferring = snapshot.deferred.as_ref().ok_or_else(off)?;
        let counts = self.durable.control.block_on(deferring.store.counts()).map_err(|e| (500, e.to_string()))?;
        let jobs: serde_json::Map<String, Value> =
            State::ALL.iter().map(|state| (state.label().to_owned(), counts.jobs[*state as usize].into())).collect();
        Ok(json!({
            "jobs": jobs,
            "files": counts.files,
            "bytes": counts.bytes,
            "max_bytes": deferring.section.max_bytes.0,
            "oldest_queued_seconds": counts.oldest_us.map(seconds_since),
        }))
    }
}

fn seconds_since(at_us: i64) -> i64 {
    (jiff::Timestamp::now().as_microsecond() - at_us).max(0) / 1_000_000
}

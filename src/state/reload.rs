//! Reload: load, prepare, swap. A file that does not hold changes nothing, is logged as `check` prints it, and is counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Shared, prepare};
use crate::config::load::{self, Judges, Loaded};
use crate::config::problem::Problems;
use crate::pii::entity::NAMES;
use crate::policy::Condition;
use crate::signals::{Calibration, Classifier};

/// Reloads one file, one reload at a time.
#[derive(Debug)]
pub struct Reloader {
    shared: Arc<Shared>,
    path: PathBuf,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// Loads a file with the checks of this version: rules compile against the signals that there are.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load::load(path, judges())
}

/// What `config` cannot judge itself: it knows nothing of policy and signals.
pub fn judges() -> Judges<'static> {
    Judges {
        conditions: &conditions,
        models: &|bytes| Classifier::from_bytes(bytes).map(drop),
        calibrations: &|bytes| Calibration::parse(bytes).map(drop),
        entities: &NAMES,
    }
}

fn conditions(text: &str) -> Result<(), (usize, String)> {
    Condition::compile(text).map(drop).map_err(|e| (e.at, e.message))
}

impl Reloader {
    pub fn new(shared: Arc<Shared>, path: PathBuf) -> Reloader {
        Reloader { shared, path, one_at_a_time: tokio::sync::Mutex::new(()) }
    }

    /// The generation now in force, or everything that is wrong with the file.
    pub async fn reload(&self) -> Result<u64, String> {
        self.apply().await.map(|(generation, _)| generation)
    }

    /// As `reload`; gives the files that were read besides.
    pub async fn reload_told(&self) -> Result<Vec<PathBuf>, String> {
        self.apply().await.map(|(_, further_files)| further_files)
    }

    async fn apply(&self) -> Result<(u64, Vec<PathBuf>), String> {
        // An async lock: held across the preparation, which resolves names, and never on a worker.
        let _one = self.one_at_a_time.lock().await;
        let reloads = &self.shared.durable.metrics.reloads;
        match self.next().await {
            Ok((generation, further_files)) => {
                reloads.with_label_values(&["applied"]).inc();
                tracing::info!(generation, "configuration reloaded");
                Ok((generation, further_files))
            }
            Err(problems) => {
                reloads.with_label_values(&["rejected"]).inc();
                tracing::error!("configuration rejected, the one before stays in force:\n{problems}");
                Err(problems)
            }
        }
    }

    async fn next(&self) -> Result<(u64, Vec<PathBuf>), String> {
        let loaded = load(&self.path).map_err(|problems| problems.to_string())?;
        for warning in &loaded.warnings {
            tracing::warn!(line = warning.line, "{}", warning.message);
        }
        let before = self.shared.snapshot();
        let next = prepare::prepare(&loaded, &self.shared.durable, Some(&before)).await?;
        let generation = next.generation;
        self.shared.swap(next);
        Ok((generation, loaded.further_files))
    }
}

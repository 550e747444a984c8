//! What decides how hard is too hard: the classifiers in force, and each route's threshold.
//!
//! What a reader could get wrong: classifiers and thresholds belong to a snapshot, but a threshold's controller belongs to the process: a
//! reload keeps what it has learnt of a route's traffic, under the route's name.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Durable;
use crate::config::attach::Attached;
use crate::config::file::{self, Period};
use crate::config::load::Loaded;
use crate::policy::threshold::{self, Pace, Share, Source, Threshold};
use crate::signals::classifier::Classifier;
use crate::signals::{Calibration, calibration};
use crate::tenant::calendar::window;

/// Controllers by route.
#[derive(Debug, Default)]
pub struct Controls {
    shares: Mutex<HashMap<String, Arc<Share>>>,
    paces: Mutex<HashMap<String, Arc<Pace>>>,
}

/// The classifiers that are in force.
#[derive(Debug, Clone)]
pub struct Classifiers {
    pub difficulty: Arc<Classifier>,
    /// One on trial, and the share of conversations that it decides.
    pub candidate: Option<(Arc<Classifier>, f64)>,
    pub fresh: Arc<Classifier>,
}

impl Classifiers {
    /// From the configuration; files that did not change are read anew all the same, which takes a millisecond.
    ///
    /// # Errors
    /// A file is no model.
    pub fn load(section: Option<&file::DifficultyModel>, attached: &Attached) -> Result<Classifiers, String> {
        let (current, candidate) = section.map(file::DifficultyModel::parts).unwrap_or_default();
        let read = |name: &str| {
            let file = attached.get(name).ok_or_else(|| format!("difficulty_model: `{name}` was not read"))?;
            let model = Classifier::from_bytes(&file.bytes).map_err(|e| format!("difficulty_model: `{name}`: {e}"))?;
            Ok::<_, String>(Arc::new(model))
        };
        Ok(Classifiers {
            difficulty: current.map_or_else(|| Ok(Classifier::difficulty()), read)?,
            candidate: candidate.map(|(name, share)| read(name).map(|model| (model, share))).transpose()?,
            fresh: Classifier::fresh_knowledge(),
        })
    }
}

/// The threshold of a route.
///
/// # Errors
/// No threshold is known to reach a `target_quality`; the ledger cannot be asked what was spent.
pub fn threshold(
    route: &str,
    section: Option<&file::Threshold>,
    loaded: &Loaded,
    classifiers: &Classifiers,
    durable: &Durable,
) -> Result<Threshold, String> {
    let Some(section) = section.map(file::Threshold::with) else { return Ok(Threshold::unset()) };
    let controls = &durable.thresholds;
    let source = if let Some(value) = section.fixed {
        Source::Fixed(value)
    } else if let Some(target) = section.target_quality {
        quality(target, section.calibration.as_deref(), loaded, classifiers)?
    } else if let Some(most) = section.max_cloud_share {
        Source::Share { most, control: controls.share(route, start(&classifiers.difficulty, most)) }
    } else if let Some(pace) = &section.budget {
        Source::Budget {
            usd: pace.usd,
            pace: controls.pace(route, pace.per, start(&classifiers.difficulty, threshold::pace_start()), durable)?,
        }
    } else {
        Source::Default
    };
    Ok(Threshold::new(&section, source))
}

fn quality(target: f64, file: Option<&str>, loaded: &Loaded, classifiers: &Classifiers) -> Result<Source, String> {
    let model = classifiers.difficulty.identity();
    let (calibration, by) = match file {
        Some(name) => {
            let file = loaded.attached.get(name).ok_or_else(|| format!("calibration `{name}` was not read"))?;
            let read = Calibration::parse(&file.bytes).map_err(|e| format!("calibration `{name}`: {e}"))?;
            if read.model != model {
                tracing::warn!(
                    calibration = name,
                    "it was made with another difficulty model than the one in force: make a new one with `tidegate eval models`"
                );
            }
            (read, name.to_owned())
        }
        None => (carried(&classifiers.difficulty), "the difficulty model's own figures".to_owned()),
    };
    let threshold = calibration.threshold_for(target).ok_or_else(|| {
        format!("target_quality {target} is not known to be reached at any threshold, says {by}: lower it, or calibrate with `tidegate eval models`")
    })?;
    Ok(Source::Quality { target, threshold, by })
}

/// The threshold that would send this share to the cloud, were the requests those that the model was measured on.
fn start(model: &Classifier, share: f64) -> f64 {
    let enough = model.calibration().iter().find(|point| f64::from(point.cloud_share) <= share);
    enough.map_or(threshold::DEFAULT, |point| point.threshold.into())
}

/// What the model says of itself.
fn carried(model: &Classifier) -> Calibration {
    let point = |point: &crate::signals::classifier::CalibrationPoint| calibration::Point {
        threshold: point.threshold.into(),
        cloud_share: point.cloud_share.into(),
        quality: point.quality.into(),
        cost_usd: None,
    };
    Calibration {
        model: model.identity().to_owned(),
        written: String::new(),
        rows: 0,
        edge_quality: 0.0,
        cloud_quality: 0.0,
        points: model.calibration().iter().map(point).collect(),
    }
}

impl Controls {
    /// `start`: the threshold until the route's requests are known.
    fn share(&self, route: &str, start: f64) -> Arc<Share> {
        let mut shares = self.shares.lock();
        Arc::clone(shares.entry(route.to_owned()).or_insert_with(|| Arc::new(Share::new(start))))
    }

    fn pace(&self, route: &str, period: Period, start: f64, durable: &Durable) -> Result<Arc<Pace>, String> {
        let known = self.paces.lock().get(route).filter(|pace| pace.period() == period).cloned();
        if let Some(pace) = known {
            return Ok(pace);
        }
        let now = jiff::Timestamp::now().as_microsecond();
        let since = window(period, &jiff::tz::TimeZone::UTC, now).start;
        let spent = durable.books.as_ref().map(|books| books.spent_in_cloud(route, since)).transpose()?;
        let pace = Arc::new(Pace::new(self.share(route, start), period, spent.unwrap_or(0), now));
        self.paces.lock().insert(route.to_owned(), Arc::clone(&pace));
        Ok(pace)
    }
}

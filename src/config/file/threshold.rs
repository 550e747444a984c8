//! `threshold`, `sticky` and `difficulty_model`: where easy ends and hard begins on a route, and which model says how hard a prompt is.
//!
//! What a reader could get wrong: exactly one of the five ways to find a threshold may be given; `min`, `max` and `pressure` go with any
//! of them, and bound whatever it yields.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::account::Period;

/// Where easy ends and hard begins: a number from 0 to 1, or how to find one.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Threshold {
    /// The number itself.
    Fixed(f64),
    /// How to find it.
    With(ThresholdWith),
}

/// How a threshold is found, and between which bounds it may move.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ThresholdWith {
    /// The number itself, where only bounds or pressure are to be added.
    pub fixed: Option<f64>,
    /// The highest threshold whose answers keep this share of the quality that the cloud alone has (0.95), as the
    /// `calibration` says.
    pub target_quality: Option<f64>,
    /// A file written by `tidegate train routing` or `tidegate eval models`, for `target_quality`. Default: the figures that the difficulty
    /// model carries.
    pub calibration: Option<String>,
    /// The share of the route's requests that may go to the cloud first (0.2), kept by a controller over the live traffic.
    pub max_cloud_share: Option<f64>,
    /// Money for the route's cloud attempts, spread evenly over a day or a month.
    pub budget: Option<Pace>,
    /// The threshold never goes below this. Default 0.
    pub min: Option<f64>,
    /// The threshold never goes above this. Default 1.
    pub max: Option<f64>,
    /// By how much the threshold rises when the providers push back with all they have (429, failures, slowness): 0 not at all (default),
    /// 1 all the way to `max`.
    pub pressure: Option<f64>,
}

/// Money for a day or a month, to be spread evenly.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Pace {
    /// US dollars.
    pub usd: f64,
    /// `day` or `month` of the calendar (UTC). Default `month`.
    #[serde(default)]
    pub per: Period,
}

/// What a conversation keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    /// The model that it began with, unless a rule or a failure says otherwise.
    Conversation,
    /// Nothing: each request is decided for itself.
    Off,
}

/// Which model says how hard a prompt is: a file, or one in force and one on trial.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum DifficultyModel {
    /// A file written by `tidegate train routing`, or `builtin`.
    File(String),
    /// One in force and one on trial.
    With(DifficultyModelWith),
}

/// A model in force and one on trial.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct DifficultyModelWith {
    /// A file written by `tidegate train routing`, or `builtin` (default).
    #[serde(default)]
    pub current: Option<String>,
    /// The file on trial.
    #[serde(default)]
    pub candidate: Option<String>,
    /// The share of conversations that the candidate decides, 0 to 1. Default 0.05.
    #[serde(default)]
    pub share: Option<f64>,
}

const THRESHOLD_KEYS: &[&str] =
    &["fixed", "target_quality", "calibration", "max_cloud_share", "budget", "min", "max", "pressure"];

/// By hand, because serde's untagged enums forget where in the file a problem was.
impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ThresholdVisitor;

        impl<'de> Visitor<'de> for ThresholdVisitor {
            type Value = Threshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1, or keys such as `{max_cloud_share: 0.2}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Threshold, E> {
                let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
                number
                    .map(Threshold::Fixed)
                    .ok_or_else(|| E::custom("a number from 0 to 1, or keys such as `{max_cloud_share: 0.2}`"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Threshold, A::Error> {
                ThresholdWith::deserialize(MapAccessDeserializer::new(map)).map(Threshold::With)
            }
        }

        deserializer.deserialize_struct("ThresholdWith", THRESHOLD_KEYS, ThresholdVisitor)
    }
}

impl<'de> Deserialize<'de> for DifficultyModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ModelVisitor;

        impl<'de> Visitor<'de> for ModelVisitor {
            type Value = DifficultyModel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, `builtin`, or `{current: FILE, candidate: FILE, share: 0.05}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DifficultyModel, E> {
                Ok(DifficultyModel::File(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DifficultyModel, A::Error> {
                DifficultyModelWith::deserialize(MapAccessDeserializer::new(map)).map(DifficultyModel::With)
            }
        }

        deserializer.deserialize_struct("DifficultyModelWith", &["current", "candidate", "share"], ModelVisitor)
    }
}

impl Threshold {
    /// How it is found, the plain number included.
    pub fn with(&self) -> ThresholdWith {
        match self {
            Threshold::Fixed(number) => ThresholdWith { fixed: Some(*number), ..ThresholdWith::default() },
            Threshold::With(with) => with.clone(),
        }
    }
}

impl DifficultyModel {
    /// The file in force (`None`: the built-in one), the one on trial, and the share that it decides.
    pub fn parts(&self) -> (Option<&str>, Option<(&str, f64)>) {
        /// Enough to see a difference in a day, little enough to do no harm.
        const SHARE: f64 = 0.05;
        let named = |file: &'_ str| -> bool { !file.is_empty() && file != "builtin" };
        match self {
            DifficultyModel::File(file) => (Some(file.as_str()).filter(|file| named(file)), None),
            DifficultyModel::With(with) => {
                let candidate = with.candidate.as_deref().filter(|file| !file.is_empty());
                let share = with.share.unwrap_or(SHARE);
                (with.current.as_deref().filter(|file| named(file)), candidate.map(|file| (file, share)))
            }
        }
    }
}

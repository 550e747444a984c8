//! Where easy ends and hard begins on a route, for one request: a number, or what keeps a quality, a share or a budget.
//!
//! A prompt is easy while its difficulty lies below the threshold, so a higher threshold keeps more at the edge. What a reader could
//! get wrong: reading a threshold changes nothing; what was decided is told to it afterwards ([`Threshold::observe`]), and only then does it
//! move. The order is: source, then the providers' pressure, then the bounds.

mod pace;
mod share;

use std::fmt;
use std::sync::Arc;

use crate::config::file;
use crate::upstream::price::NanoUsd;
pub use pace::Pace;
pub use share::Share;

/// In the middle, where the configuration says nothing.
pub const DEFAULT: f64 = 0.5;

/// The cloud share that a budget begins with, until something is known of rate and cost.
pub fn pace_start() -> f64 {
    pace::START
}

/// How a route finds its threshold.
#[derive(Debug, Clone)]
pub struct Threshold {
    source: Source,
    /// Whatever the source yields is brought between these. (A controller that owes the cloud nothing goes beyond 1.)
    min: f64,
    max: Option<f64>,
    /// How much of the way to `max` full pressure moves it, 0 to 1.
    pressure: f64,
}

/// Where the number comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Nothing is configured.
    Default,
    Fixed(f64),
    /// The highest threshold that keeps this share of the cloud's quality, and who said so.
    Quality {
        target: f64,
        threshold: f64,
        by: String,
    },
    /// A controller keeps this share.
    Share {
        most: f64,
        control: Arc<Share>,
    },
    /// A controller spreads this money.
    Budget {
        usd: f64,
        pace: Arc<Pace>,
    },
}

/// A threshold as it stood for one request.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// 0 to 1.
    pub value: f64,
    pub origin: Origin,
    /// The pressure (0 to 1) that raised it.
    pub pressure: f64,
    /// A bound was reached: it would have been beyond.
    pub bounded: Option<Bound>,
}

/// What a reading came from; the figures of controllers as they stood.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Origin {
    #[default]
    Default,
    Fixed,
    Quality {
        target: f64,
    },
    Share {
        most: f64,
        now: f64,
    },
    Budget {
        usd: f64,
        share: f64,
        now: f64,
    },
    Tenant,
    App,
    /// The conversation began with it.
    Conversation,
}

/// A bound of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Min,
    Max,
}

/// Someone's own threshold, in place of the route's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Own {
    Tenant(f64),
    App(f64),
}

impl Threshold {
    /// From the configuration, with the source that its keys name.
    pub fn new(section: &file::ThresholdWith, source: Source) -> Threshold {
        Threshold {
            source,
            min: section.min.unwrap_or(0.0),
            max: section.max,
            pressure: section.pressure.unwrap_or(0.0),
        }
    }

    /// Nothing is configured: [`DEFAULT`].
    pub fn unset() -> Threshold {
        Threshold::new(&file::ThresholdWith::default(), Source::Default)
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The cloud's pressure moves it.
    pub fn reads_pressure(&self) -> bool {
        self.pressure > 0.0
    }

    /// What is decided moves it: each request's difficulty must be known.
    pub fn is_controlled(&self) -> bool {
        matches!(self.source, Source::Share { .. } | Source::Budget { .. })
    }

    /// The threshold for one request. `pressure`: how much the providers push back, 0 to 1. `own`: the tenant's or app's.
    pub fn read(&self, pressure: f64, own: Option<Own>) -> Reading {
        let (value, origin) = match (own, &self.source) {
            (Some(Own::App(value)), _) => (value, Origin::App),
            (Some(Own::Tenant(value)), _) => (value, Origin::Tenant),
            (None, Source::Default) => (DEFAULT, Origin::Default),
            (None, Source::Fixed(value)) => (*value, Origin::Fixed),
            (None, Source::Quality { target, threshold, .. }) => (*threshold, Origin::Quality { target: *target }),
            (None, Source::Share { most, control }) => {
                (control.threshold(), Origin::Share { most: *most, now: control.actual() })
            }
            (None, Source::Budget { usd, pace }) => {
                let (share, control) = (pace.share(), pace.control());
                (control.threshold(), Origin::Budget { usd: *usd, share, now: control.actual() })
            }
        };
        self.bound(value, origin, pressure)
    }

    fn bound(&self, value: f64, origin: Origin, pressure: f64) -> Reading {
        let raise = self.pressure * pressure.clamp(0.0, 1.0);
        let raised = value + raise * (self.max.unwrap_or(1.0) - value).max(0.0);
        let (value, bounded) = match (raised, self.max) {
            (low, _) if low < self.min => (self.min, Some(Bound::Min)),
            (high, Some(max)) if high > max => (max, Some(Bound::Max)),
            (within, _) => (within, None),
        };
        Reading { value, origin, pressure: if raise > 0.0 { pressure } else { 0.0 }, bounded }
    }

    /// A request was decided: how hard it was, and whether it goes to the cloud first. `now`: microseconds (Unix).
    pub fn observe(&self, difficulty: f64, to_cloud: bool, now: i64) {
        match &self.source {
            Source::Share { most, control } => control.observe(*most, difficulty, to_cloud),
            Source::Budget { usd, pace } => pace.observe(*usd, difficulty, to_cloud, now),
            _ => {}
        }
    }

    /// A cloud attempt on this route was paid for. `now`: microseconds (Unix).
    pub fn paid(&self, cost: NanoUsd, now: i64) {
        if let Source::Budget { pace, .. } = &self.source {
            pace.paid(cost, now);
        }
    }

    /// The share of requests that went to the cloud first, lately, where a controller keeps it.
    pub fn cloud_share(&self) -> Option<f64> {
        match &self.source {
            Source::Share { control, .. } => Some(control.actual()),
            Source::Budget { pace, .. } => Some(pace.control().actual()),
            _ => None,
        }
    }
}

impl Origin {
    /// One word for records: `default`, `fixed`, `quality`, `share`, `budget`, `tenant`, `app`, `conversation`.
    pub fn label(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Fixed => "fixed",
            Origin::Quality { .. } => "quality",
            Origin::Share { .. } => "share",
            Origin::Budget { .. } => "budget",
            Origin::Tenant => "tenant",
            Origin::App => "app",
            Origin::Conversation => "conversation",
        }
    }
}

/// Where the number came from, for a person: `max_cloud_share 0.2, 0.197 lately; raised by cloud pressure 0.4`.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => f.write_str("the default"),
            Origin::Fixed => f.write_str("set on the route"),
            Origin::Quality { target } => write!(f, "target_quality {target}"),
            Origin::Share { most, now } => write!(f, "max_cloud_share {most}, {now:.3} lately"),
            Origin::Budget { usd, share, now } => {
                write!(f, "budget {usd} USD, which lasts for a cloud share of {share:.3}, {now:.3} lately")
            }
            Origin::Tenant => f.write_str("set for the tenant"),
            Origin::App => f.write_str("set for the app"),
            Origin::Conversation => f.write_str("as the conversation began"),
        }?;
        if self.pressure > 0.0 {
            write!(f, "; raised by cloud pressure {:.2}", self.pressure)?;
        }
        match self.bounded {
            Some(Bound::Min) => f.write_str("; held up by `min`"),
            Some(Bound::Max) => f.write_str("; held down by `max`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(value: f64, section: file::ThresholdWith) -> Threshold {
        Threshold::new(&section, Source::Fixed(value))
    }

    #[test]
    fn pressure_raises_and_bounds_hold() {
        let section = file::ThresholdWith { min: Some(0.2), max: Some(0.8), pressure: Some(0.5), ..Default::default() };
        let threshold = fixed(0.4, section.clone());
        assert_eq!(threshold.read(0.0, None).value, 0.4);
        assert!((threshold.read(1.0, None).value - 0.6).abs() < 1e-9, "half of the way to max");
        assert_eq!(threshold.read(7.0, None).value, threshold.read(1.0, None).value);
        let low = fixed(0.1, section.clone()).read(0.0, None);
        assert_eq!((low.value, low.bounded), (0.2, Some(Bound::Min)));
        let high = fixed(0.95, section).read(1.0, None);
        assert_eq!((high.value, high.bounded), (0.8, Some(Bound::Max)));
        assert_eq!(high.to_string(), "set on the route; raised by cloud pressure 1.00; held down by `max`");
    }

    #[test]
    fn the_nearest_owner_has_the_word_within_the_routes_bounds() {
        let threshold = fixed(0.4, file::ThresholdWith { max: Some(0.7), ..Default::default() });
        assert_eq!(threshold.read(0.0, Some(Own::Tenant(0.6))).value, 0.6);
        assert_eq!(threshold.read(0.0, Some(Own::App(0.9))).value, 0.7);
        assert_eq!(threshold.read(0.0, Some(Own::App(0.3))).origin.label(), "app");
        assert_eq!(Threshold::unset().read(1.0, None).value, DEFAULT);
    }
}

//! Lanes: the jobs of one tenant, kind and model. What keeps one of them waiting keeps all of them, so the lane waits as one, and then
//! sends one ahead to look.
//!
//! What a reader could get wrong: this is memory only. After a start every lane is open, and closes again with the first job that comes
//! back; and a time far in the future is a clock that was set back, not a reason to wait.

use std::borrow::Cow;
use std::collections::HashMap;

use parking_lot::Mutex;
use serde::Deserialize;

use super::job::{Back, Kind};

/// No job waits longer before it is looked at again: what waits for longer (the hours) is looked at one job at a time. Microseconds.
pub const LONGEST_PAUSE_US: i64 = 15 * 60 * 1_000_000;

/// The model that a request asks for; empty where it cannot be read, which is for whoever executes it to refuse.
pub fn model_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Asks<'a> {
        #[serde(borrow)]
        model: Option<Cow<'a, str>>,
    }
    let model = serde_json::from_slice::<Asks<'_>>(body).ok().and_then(|asks| asks.model);
    model.map(Cow::into_owned).unwrap_or_default()
}

/// The lane of a request. The same after a restart: it is kept beside the job. Says nothing of the model to who reads the disk without
/// knowing its name.
pub(super) fn lane(tenant: &str, kind: Kind, body: &[u8]) -> i64 {
    let hash = blake3::hash(format!("{tenant}\0{}\0{}", kind as i64, model_of(body)).as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// The lanes that wait.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<i64, Wait>>);

#[derive(Debug, Default)]
struct Wait {
    until_us: i64,
    /// Jobs that came back in a row.
    failures: u32,
    /// The job that was sent ahead.
    ahead: Option<i64>,
}

/// Whether jobs of a lane may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    Shut,
    /// One may, if this one is not at work any more.
    Ajar(Option<i64>),
}

impl Lanes {
    pub(super) fn door(&self, lane: i64, now_us: i64) -> Door {
        match self.0.lock().get(&lane) {
            None => Door::Open,
            Some(wait) if wait.until_us > now_us && wait.until_us <= now_us.saturating_add(LONGEST_PAUSE_US) => {
                Door::Shut
            }
            Some(wait) => Door::Ajar(wait.ahead),
        }
    }

    /// A job of the lane begins.
    pub(super) fn begun(&self, lane: i64, n: i64) {
        if let Some(wait) = self.0.lock().get_mut(&lane) {
            wait.ahead = Some(n);
        }
    }

    /// A job of the lane comes back, not to begin before a time. One of several that were under way together says nothing new, and one that
    /// failed by itself says nothing of the others.
    pub(super) fn back(&self, lane: i64, n: i64, until_us: i64, why: Back) {
        let mut lanes = self.0.lock();
        match lanes.get_mut(&lane) {
            Some(wait) if wait.ahead == Some(n) => {
                wait.ahead = None;
                if why != Back::Stopped {
                    (wait.until_us, wait.failures) = (until_us, wait.failures.saturating_add(1));
                }
            }
            None if matches!(why, Back::Unreachable | Back::Paused) => {
                lanes.insert(lane, Wait { until_us, failures: 1, ahead: None });
            }
            Some(_) | None => {}
        }
    }

    /// A job of the lane is done. `reached`: somebody answered it. Whether the lane was waiting and goes on now.
    pub(super) fn done(&self, lane: i64, n: i64, reached: bool) -> bool {
        let mut lanes = self.0.lock();
        if reached {
            return lanes.remove(&lane).is_some();
        }
        if let Some(wait) = lanes.get_mut(&lane).filter(|wait| wait.ahead == Some(n)) {
            wait.ahead = None;
        }
        false
    }

    /// Every lane may look at once.
    pub(super) fn hasten(&self) {
        self.0.lock().values_mut().for_each(|wait| wait.until_us = 0);
    }

    /// Jobs of the lane that came back in a row.
    pub(super) fn failures(&self, lane: i64) -> u32 {
        self.0.lock().get(&lane).map_or(0, |wait| wait.failures)
    }

    /// When the next lane may look; `None`: none waits.
    pub(super) fn next_at(&self, now_us: i64) -> Option<i64> {
        self.0.lock().values().map(|wait| wait.until_us).filter(|until| *until > now_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_kinds_and_models_have_lanes_of_their_own() {
        let of = |tenant, kind, body: &str| lane(tenant, kind, body.as_bytes());
        let one = of("a", Kind::Batch, r#"{"input":"x","model":"auto"}"#);
        assert_eq!(one, of("a", Kind::Batch, r#"{"model":"auto","messages":[{"role":"user"}]}"#));
        for other in [
            of("b", Kind::Batch, r#"{"model":"auto"}"#),
            of("a", Kind::Background, r#"{"model":"auto"}"#),
            of("a", Kind::Batch, r#"{"model":"frontier"}"#),
            of("a", Kind::Batch, "no json"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_lane_waits_as_one_and_sends_one_ahead() {
        let lanes = Lanes::default();
        lanes.back(7, 1, 100, Back::Failed);
        assert_eq!(lanes.door(7, 10), Door::Open, "what failed by itself keeps nobody waiting");
        lanes.back(7, 1, 100, Back::Unreachable);
        lanes.back(7, 2, 900, Back::Unreachable);
        assert_eq!(
            (lanes.door(7, 99), lanes.door(7, 100), lanes.door(8, 10)),
            (Door::Shut, Door::Ajar(None), Door::Open)
        );
        lanes.begun(7, 3);
        assert_eq!((lanes.door(7, 100), lanes.next_at(50)), (Door::Ajar(Some(3)), Some(100)));
        lanes.back(7, 3, 300, Back::Failed);
        assert_eq!((lanes.door(7, 299), lanes.failures(7)), (Door::Shut, 2));
        lanes.hasten();
        assert_eq!(lanes.door(7, 200), Door::Ajar(None));
        assert!(!lanes.done(7, 3, false) && lanes.done(7, 3, true) && !lanes.done(7, 3, true));
        assert_eq!(lanes.door(7, 200), Door::Open);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let lanes = Lanes::default();
        let two_hours = 2 * 3600 * 1_000_000;
        lanes.back(7, 1, two_hours + 5, Back::Paused);
        assert_eq!((lanes.door(7, two_hours), lanes.door(7, 0)), (Door::Shut, Door::Ajar(None)));
    }
}

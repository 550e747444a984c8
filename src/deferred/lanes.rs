//! Lanes: the jobs of one tenant, kind, model, app, user and placement hint. What keeps all of them waiting (a budget, a limit, nobody there)
//! makes the lane wait as one, and then send one ahead to look. What may be one job's own trouble makes that job wait alone, until too many in a row
//! have it.
//!
//! What a reader could get wrong: this is memory only. After a start every lane is open, and closes again with the jobs that come
//! back; and a time far in the future is a clock that was set back, not a reason to wait.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::job::{Asked, Back, Kind};

/// No job waits longer before it is looked at again: what waits for longer (the hours) is looked at one job at a time. Microseconds.
pub const LONGEST_PAUSE_US: i64 = 15 * 60 * 1_000_000;

/// So many jobs that came back in a row, none answered between, speak for their lane.
const ALIKE: usize = 8;
/// Jobs of a lane that are remembered because their upstream pushes them back.
const PUSHED: usize = 64;
/// Lanes that are remembered; then those go whose time is long over.
const LANES: usize = 16_384;

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

/// The `tidegate` member of a request, as it was written; empty where there is none.
pub fn hints_of(body: &[u8]) -> &[u8] {
    #[derive(Deserialize)]
    struct Asks<'a> {
        #[serde(borrow)]
        tidegate: Option<&'a RawValue>,
    }
    let asks = serde_json::from_slice::<Asks<'_>>(body).ok();
    asks.and_then(|asks| asks.tidegate).map_or(&[], |hints| hints.get().as_bytes())
}

/// What keeps a request's company apart: as headers and body say, unchecked.
#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    app: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    placement: Option<&'a RawValue>,
}

/// The lane of a request. The same after a restart: it is kept beside the job. Says nothing of the model or user to who reads the disk without
/// knowing their names.
pub(super) fn lane(tenant: &str, kind: Kind, asked: &Asked, body: &[u8]) -> i64 {
    let mut hash = blake3::Hasher::new();
    let mut add = |part: &str| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    };
    let placement = asked.headers.iter().find(|(name, _)| name == "x-tidegate-placement");
    let named: Named<'_> = serde_json::from_slice(hints_of(body)).unwrap_or_default();
    let raw = |value: Option<&'_ RawValue>| value.map_or(String::new(), |value| value.get().to_owned());
    add(tenant);
    add(kind.label());
    add(&model_of(body));
    add(asked.app.as_deref().unwrap_or(""));
    add(asked.user.as_deref().unwrap_or(""));
    add(placement.map_or("", |(_, value)| value));
    for of_body in [named.app, named.user, named.placement] {
        add(&raw(of_body));
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// The lanes that wait, or may come to.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waits: Mutex<HashMap<i64, Wait>>,
    /// The lane behind which the next look begins, where there are many.
    turn: AtomicI64,
}

#[derive(Debug, Default)]
struct Wait {
    /// `None`: it is open.
    until_us: Option<i64>,
    /// How often in a row it was shut.
    times: u32,
    /// The job that was sent ahead.
    ahead: Option<i64>,
    /// Jobs that came back since one was answered.
    alike: Vec<i64>,
    /// Jobs that their upstream pushed back, and whether others were answered since.
    pushed: Vec<(i64, bool)>,
}

/// Whether jobs of a lane may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    Shut,
    /// One may, if this one is not at work any more.
    Ajar(Option<i64>),
}

/// A job on its way back into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Return {
    pub(super) n: i64,
    pub(super) why: Back,
    /// Every job of the lane would have come back.
    pub(super) is_all: bool,
    /// When the lane may look again, where it is shut.
    pub(super) until_us: i64,
}

impl Lanes {
    /// The lane behind which the next look begins, where there are many.
    pub(super) fn turn(&self) -> i64 {
        self.turn.load(Relaxed)
    }

    pub(super) fn set_turn(&self, lane: i64) {
        self.turn.store(lane, Relaxed);
    }

    pub(super) fn door(&self, lane: i64, now_us: i64) -> Door {
        match self.waits.lock().get(&lane) {
            None | Some(Wait { until_us: None, .. }) => Door::Open,
            Some(Wait { until_us: Some(until), .. })
                if *until > now_us && *until <= now_us.saturating_add(LONGEST_PAUSE_US) =>
            {
                Door::Shut
            }
            Some(wait) => Door::Ajar(wait.ahead),
        }
    }

    /// A job of the lane begins.
    pub(super) fn begun(&self, lane: i64, n: i64) {
        if let Some(wait) = self.waits.lock().get_mut(&lane).filter(|wait| wait.until_us.is_some()) {
            wait.ahead = Some(n);
        }
    }

    /// A job of the lane comes back. One of several that were under way together says nothing new, and one that failed by itself says nothing of
    /// the others.
    pub(super) fn back(&self, lane: i64, back: Return) {
        let mut lanes = self.waits.lock();
        if lanes.len() >= LANES {
            let old = back.until_us.saturating_sub(LONGEST_PAUSE_US);
            lanes.retain(|_, wait| wait.until_us.is_some_and(|until| until > old));
        }
        let wait = lanes.entry(lane).or_default();
        let was_ahead = wait.ahead.take_if(|ahead| *ahead == back.n).is_some();
        wait.came_back(back.n, back.why);
        let shuts = match (back.why, wait.until_us) {
            (Back::Stopped, _) => false,
            (_, Some(_)) => was_ahead,
            (Back::Failed, None) => false,
            (_, None) => back.is_all || wait.is_enough(back.n),
        };
        if shuts {
            (wait.until_us, wait.times) = (Some(back.until_us), wait.times.saturating_add(1));
            wait.alike.clear();
        }
        if wait.is_idle() {
            lanes.remove(&lane);
        }
    }

    /// A job of the lane is done. `reached`: somebody answered it. Whether the lane was waiting and goes on now.
    pub(super) fn done(&self, lane: i64, n: i64, reached: bool) -> bool {
        let mut lanes = self.waits.lock();
        let Some(wait) = lanes.get_mut(&lane) else { return false };
        wait.pushed.retain(|(other, _)| *other != n);
        wait.ahead.take_if(|ahead| *ahead == n);
        let waited = reached && wait.until_us.is_some();
        if reached {
            wait.pushed.iter_mut().for_each(|(_, passed)| *passed = true);
            (wait.until_us, wait.times, wait.ahead) = (None, 0, None);
            wait.alike.clear();
        }
        if wait.is_idle() {
            lanes.remove(&lane);
        }
        waited
    }

    /// Whether a job's upstream pushed it back before, and others of its lane were answered since: it is the job's own trouble.
    pub(super) fn is_alone(&self, lane: i64, n: i64) -> bool {
        self.waits.lock().get(&lane).is_some_and(|wait| wait.pushed.contains(&(n, true)))
    }

    /// Every lane may look at once.
    pub(super) fn hasten(&self) {
        self.waits.lock().values_mut().filter_map(|wait| wait.until_us.as_mut()).for_each(|until| *until = 0);
    }

    /// How often in a row the lane was shut.
    pub(super) fn failures(&self, lane: i64) -> u32 {
        self.waits.lock().get(&lane).map_or(0, |wait| wait.times)
    }

    /// When the next lane may look; `None`: none waits.
    pub(super) fn next_at(&self, now_us: i64) -> Option<i64> {
        self.waits.lock().values().filter_map(|wait| wait.until_us).filter(|until| *until > now_us).min()
    }
}

impl Wait {
    fn came_back(&mut self, n: i64, why: Back) {
        if let Some((_, passed)) = self.pushed.iter_mut().find(|(other, _)| *other == n) {
            *passed = false;
        } else if why == Back::PushedBack && self.pushed.len() < PUSHED {
            self.pushed.push((n, false));
        }
    }

    /// One more; whether so many speak for all.
    fn is_enough(&mut self, n: i64) -> bool {
        if !self.alike.contains(&n) {
            self.alike.push(n);
        }
        self.alike.len() >= ALIKE
    }

    fn is_idle(&self) -> bool {
        self.until_us.is_none() && self.alike.is_empty() && self.pushed.is_empty()
    }
}

#[cfg(test)]
mod tests;

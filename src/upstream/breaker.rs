//! Whether a node is worth asking: opened by failures in a row or by their share, tried again by single requests, closed when those go well.
//!
//! Closed, a node gets whatever comes. Open, it gets nothing until its time is over, which doubles each time it opens again. Then it is half open:
//! one request at a time finds out. What a reader could get wrong: time is handed in (milliseconds since the node was made), so that tests need no
//! clock; and a node that is only slow is not refused, but comes last.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::file;
use crate::error::Kind;

/// Parts of the window: each is forgotten as a whole.
const PARTS: usize = 10;
/// Attempts in the window before their share of failures says anything.
const LEAST_ATTEMPTS: u32 = 10;
/// The longest time that a node is left alone.
const LONGEST: Duration = Duration::from_secs(60);
/// The same where nobody was there: finding out costs no more than a moment, and it may be back any time.
const LONGEST_AWAY: Duration = Duration::from_secs(5);
/// Whoever finds out waits as long as the last one did: the time between two of them is at least so many times that.
const WORTH: u32 = 20;
/// Half open, one request at a time finds out; one whose end is never told delays the next by no more than this.
const PROBE_LASTS: u64 = 60_000;
/// Good answers in a row after which a half-open node has the trust of a closed one.
const PROVEN: u32 = 2;
/// What the last answer weighs in a node's usual time to the first token.
const RECENT: f64 = 0.2;
/// Answers before a node can be called slow.
const LEAST_ANSWERS: u32 = 5;
/// A node that was slow is asked once in this time until it has answered: one request in hundreds finds out, not a burst.
const TRIAL_EVERY: u64 = 2_000;

/// When a node is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Failures in a row; 0: never.
    pub failures: u32,
    /// Share of failures in the window, 0 to 1.
    pub rate: f64,
    pub window: Duration,
    /// The first time; it doubles each time, up to a minute.
    pub open_for: Duration,
    /// How many times slower than the others is too slow.
    pub slower: f64,
}

impl From<&file::Breaker> for Rules {
    fn from(raw: &file::Breaker) -> Rules {
        Rules {
            failures: if raw.enabled { raw.failures } else { 0 },
            rate: raw.failure_rate,
            window: raw.window.0,
            open_for: raw.open_for.0,
            slower: if raw.enabled { raw.slower } else { f64::INFINITY },
        }
    }
}

/// Where a breaker stands, as its metric tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// What has changed by an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed,
}

/// What is known of one node's attempts.
#[derive(Debug, Default)]
pub struct Breaker {
    known: Mutex<Known>,
    /// It is not closed: whoever only asks whether he may send takes no lock as long as all is well.
    is_tripped: AtomicBool,
    /// It is slower than the others until then.
    slow_until: AtomicU64,
    /// It was, and has not shown yet that it is no longer.
    is_doubted: AtomicBool,
    /// A request has been sent to find out. (Answers to those sent before come late as well, and say nothing new.)
    is_tried: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    in_a_row: u32,
    /// Good ones and failures, part by part of the window; `part` is the newest, counted from the node's birth.
    counts: [(u32, u32); PARTS],
    part: u64,
    open: Option<Open>,
    /// Times it has opened without having been proven since.
    times: u32,
    /// Seconds to the first token, usually; and how many answers it is made of.
    usual: f64,
    answers: u32,
    times_slow: u32,
    /// The last answer's time; good ones in a row since the node is doubted.
    last: f64,
    quick: u32,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: u64,
    by: Kind,
    next_probe: u64,
    good: u32,
}

impl Breaker {
    /// Whether a request may be sent; milliseconds, as everywhere here.
    pub fn admits(&self, now: u64) -> bool {
        let may = |open: Open| now >= open.until && now >= open.next_probe;
        !self.is_tripped.load(Relaxed) || self.known.lock().open.is_none_or(may)
    }

    /// A request is sent: while half open, the next one has to wait.
    pub fn sends(&self, now: u64) {
        if self.is_doubted() && !self.is_slow(now) {
            self.slow_until.store(now + TRIAL_EVERY, Relaxed);
            self.is_tried.store(true, Relaxed);
        }
        if self.is_tripped.load(Relaxed)
            && let Some(open) = &mut self.known.lock().open
        {
            open.next_probe = now + PROBE_LASTS;
        }
    }

    /// A request that was sent is over, one way or another: while half open, the next one may find out.
    pub fn released(&self, now: u64) {
        if self.is_tripped.load(Relaxed)
            && let Some(open) = &mut self.known.lock().open
        {
            open.next_probe = open.next_probe.min(now);
        }
    }

    pub fn state(&self, now: u64) -> State {
        match self.known.lock().open {
            None => State::Closed,
            Some(open) if now >= open.until => State::HalfOpen,
            Some(_) => State::Open,
        }
    }

    /// Why it is open, and for how long still; `None`: it is not.
    pub fn opened_by(&self, now: u64) -> Option<(Kind, Duration)> {
        let open = self.known.lock().open?;
        Some((open.by, Duration::from_millis(open.until.saturating_sub(now))))
    }

    /// Slower than the others, for now.
    pub fn is_slow(&self, now: u64) -> bool {
        now < self.slow_until.load(Relaxed)
    }

    /// It was slower than the others: its next answers are looked at one by one.
    pub fn is_doubted(&self) -> bool {
        self.is_doubted.load(Relaxed)
    }

    /// Seconds to the first token, usually; `None`: too little is known.
    pub fn usual(&self) -> Option<f64> {
        let known = self.known.lock();
        (known.answers >= LEAST_ANSWERS).then_some(known.usual)
    }

    /// It answered; `first`: from sending to the first token.
    pub fn answered(&self, first: Duration, rules: &Rules, now: u64) -> Option<Change> {
        let mut known = self.known.lock();
        known.in_a_row = 0;
        known.count(rules, now).0 += 1;
        known.answers = known.answers.saturating_add(1);
        let weight = RECENT.max(1.0 / f64::from(known.answers));
        known.last = first.as_secs_f64();
        known.usual += (known.last - known.usual) * weight;
        let open = known.open.as_mut()?;
        open.good += 1;
        // The next one may come at once.
        open.next_probe = now;
        if open.good < PROVEN {
            return None;
        }
        (known.open, known.times, known.counts) = (None, 0, Default::default());
        self.is_tripped.store(false, Relaxed);
        Some(Change::Closed)
    }

    /// It failed, after `took`. `pause`: what it asked for (`retry-after`).
    pub fn failed(
        &self,
        kind: Kind,
        took: Duration,
        pause: Option<Duration>,
        rules: &Rules,
        now: u64,
    ) -> Option<Change> {
        let mut known = self.known.lock();
        known.in_a_row = known.in_a_row.saturating_add(1);
        known.count(rules, now).1 += 1;
        let (good, bad) = known.counts.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let share = f64::from(bad) / f64::from((good + bad).max(1));
        let too_many = known.in_a_row >= rules.failures || good + bad >= LEAST_ATTEMPTS && share >= rules.rate;
        if rules.failures == 0 || known.open.is_none() && !too_many {
            return None;
        }
        let was_open = known.open.is_some_and(|open| now < open.until);
        if !was_open {
            known.times = known.times.saturating_add(1);
        }
        let longest = match is_absence(kind) {
            true => took.saturating_mul(WORTH).clamp(LONGEST_AWAY, LONGEST).max(rules.open_for),
            false => LONGEST,
        };
        let doubled = rules.open_for.saturating_mul(1 << (known.times - 1).min(16)).min(longest);
        let time = doubled.max(pause.unwrap_or_default().min(LONGEST));
        let until = now.saturating_add(millis(time));
        // One that was under way when it opened does not make it longer, unless it asks for that.
        let until = known.open.filter(|_| was_open && pause.is_none()).map_or(until, |open| open.until);
        known.open = Some(Open { until, by: kind, next_probe: 0, good: 0 });
        self.is_tripped.store(true, Relaxed);
        (!was_open).then_some(Change::Opened)
    }

    /// Its checks are good: it is there again, so a request may find out now. Of how it answers they say nothing.
    pub fn checked_well(&self, now: u64) {
        if let Some(open) = &mut self.known.lock().open
            && open.by == Kind::Connect
        {
            open.until = open.until.min(now);
        }
    }

    /// `others`: the usual time of the others (median), seconds. `true`: it has just been found to be slow.
    pub fn compare(&self, others: f64, rules: &Rules, now: u64) -> bool {
        let mut known = self.known.lock();
        let is_doubted = self.is_doubted();
        if is_doubted && !self.is_tried.swap(false, Relaxed) {
            return false;
        }
        let took = if is_doubted { known.last } else { known.usual };
        // Twenty milliseconds more are nobody's trouble, however many times they are.
        let too_slow = took > others * rules.slower && took > others + 0.02;
        if is_doubted && !too_slow {
            known.quick += 1;
            // The next one may come at once.
            self.slow_until.store(now, Relaxed);
            if known.quick >= PROVEN {
                known.times_slow = 0;
                self.is_doubted.store(false, Relaxed);
            }
            return false;
        }
        if !too_slow || !is_doubted && (known.answers < LEAST_ANSWERS || self.is_slow(now)) {
            return false;
        }
        let time = rules.open_for.saturating_mul(4 << known.times_slow.min(8)).min(LONGEST);
        known.times_slow = known.times_slow.saturating_add(1);
        (known.usual, known.quick) = (others, 0);
        self.slow_until.store(now.saturating_add(millis(time)), Relaxed);
        self.is_doubted.store(true, Relaxed);
        true
    }
}

impl Known {
    /// The counts of this part of the window; parts that are over are cleared.
    fn count(&mut self, rules: &Rules, now: u64) -> &mut (u32, u32) {
        let length = (millis(rules.window) / PARTS as u64).max(1);
        let part = now / length;
        let passed = part.saturating_sub(self.part).min(PARTS as u64);
        for past in 0..passed {
            let at = ((part - past) % PARTS as u64) as usize;
            self.counts[at] = (0, 0);
        }
        self.part = self.part.max(part);
        &mut self.counts[(self.part % PARTS as u64) as usize]
    }
}

/// It was not there, or did not say a word to the end.
fn is_absence(kind: Kind) -> bool {
    matches!(kind, Kind::Connect | Kind::Broken | Kind::Timeout)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

//! Spreads money evenly: the share of a route's requests that may go to the cloud so that the budget lasts to the end of its day or month.
//!
//! What remains, over the time that remains, at the rate of requests and the cost of a cloud answer of lately, gives a share; [`Share`]
//! keeps it. What a reader could get wrong: this steers, it does not stop: a tenant's `budget` is what refuses. When the money is
//! gone early, the share is 0 until the next period.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::Share;
use crate::config::file::Period;
use crate::tenant::calendar::{Window, window};
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// The share until something is known of rate and cost.
pub const START: f64 = 0.2;
/// Requests between two looks.
const STEP: u32 = 16;
/// Weight of a new cost in the average.
const NEW_COST: f64 = 0.05;
/// Seconds over which the rate of requests is averaged.
const RATE_OVER: f64 = 600.0;
const MICROS: f64 = 1e6;

/// The pace of one route; it outlives reloads.
#[derive(Debug)]
pub struct Pace {
    control: Arc<Share>,
    period: Period,
    spent: AtomicI64,
    /// Nano-dollars of a cloud answer; `f64` bits, 0: not known yet.
    cost: AtomicU64,
    share: AtomicU64,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    window: Window,
    seen: u32,
    since: i64,
    /// Requests a second.
    rate: f64,
}

impl Pace {
    /// `spent`: what has gone already in the period around `now` (microseconds, Unix).
    pub fn new(control: Arc<Share>, period: Period, spent: NanoUsd, now: i64) -> Pace {
        Pace {
            control,
            period,
            spent: AtomicI64::new(spent),
            cost: AtomicU64::new(0),
            share: AtomicU64::new(START.to_bits()),
            books: Mutex::new(Books { window: window(period, &TimeZone::UTC, now), seen: 0, since: now, rate: 0.0 }),
        }
    }

    pub fn period(&self) -> Period {
        self.period
    }

    pub fn control(&self) -> &Arc<Share> {
        &self.control
    }

    /// The share that the money lasts for, 0 to 1.
    pub fn share(&self) -> f64 {
        f64::from_bits(self.share.load(Relaxed))
    }

    /// A request was decided.
    pub fn observe(&self, usd: f64, difficulty: f64, to_cloud: bool, now: i64) {
        // Whoever finds it taken leaves the count to the other: a rate need not be exact.
        if let Some(mut books) = self.books.try_lock() {
            books.seen += 1;
            if books.seen >= STEP {
                self.step(&mut books, usd, now);
            }
        }
        self.control.observe(self.share(), difficulty, to_cloud);
    }

    /// A cloud attempt has cost something.
    pub fn paid(&self, cost: NanoUsd, now: i64) {
        self.turn(&mut self.books.lock(), now);
        self.spent.fetch_add(cost, Relaxed);
        let before = f64::from_bits(self.cost.load(Relaxed));
        let cost = cost as f64;
        let after = if before == 0.0 { cost } else { before + (cost - before) * NEW_COST };
        self.cost.store(after.to_bits(), Relaxed);
    }

    /// A new day or month begins with all of its money.
    fn turn(&self, books: &mut Books, now: i64) {
        if now >= books.window.end {
            books.window = window(self.period, &TimeZone::UTC, now);
            self.spent.store(0, Relaxed);
        }
    }

    fn step(&self, books: &mut Books, usd: f64, now: i64) {
        self.turn(books, now);
        let seconds = ((now - books.since) as f64 / MICROS).max(1e-3);
        let rate = f64::from(books.seen) / seconds;
        let weight = if books.rate == 0.0 { 1.0 } else { 1.0 - (-seconds / RATE_OVER).exp() };
        books.rate += (rate - books.rate) * weight;
        (books.seen, books.since) = (0, now);
        let cost = f64::from_bits(self.cost.load(Relaxed));
        if cost <= 0.0 {
            return;
        }
        let left = usd * NANOS_PER_USD - self.spent.load(Relaxed) as f64;
        let time = ((books.window.end - now) as f64 / MICROS).max(1.0);
        let share = left.max(0.0) / (time * books.rate * cost);
        self.share.store(share.clamp(0.0, 1.0).to_bits(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_767_225_600_000_000; // 2026-01-01 00:00 UTC
    const CENT: NanoUsd = 10_000_000;

    /// A day of requests, two a second, each a cent in the cloud; gives what each quarter of the day has cost.
    fn a_day(usd: f64, spent: NanoUsd) -> ([f64; 4], Pace) {
        let pace = Pace::new(Arc::new(Share::new(0.5)), Period::Day, spent, START_US);
        let mut quarters = [0.0; 4];
        for i in 0..172_800i64 {
            let now = START_US + i * 500_000;
            let difficulty = (i * 7_919 % 1_000) as f64 / 1_000.0;
            let to_cloud = difficulty >= pace.control().threshold();
            pace.observe(usd, difficulty, to_cloud, now);
            if to_cloud {
                pace.paid(CENT, now);
                quarters[usize::try_from(i / 43_200).unwrap()] += 0.01;
            }
        }
        (quarters, pace)
    }

    #[test]
    fn a_days_money_lasts_for_the_day() {
        let (quarters, _) = a_day(200.0, 0);
        let sum: f64 = quarters.iter().sum();
        assert!((190.0..=204.0).contains(&sum), "{quarters:?}");
        assert!(quarters.iter().all(|quarter| (40.0..60.0).contains(quarter)), "{quarters:?}");
    }

    #[test]
    fn what_was_spent_before_a_restart_counts_and_a_new_day_begins_anew() {
        let (quarters, pace) = a_day(200.0, 150 * 100 * CENT);
        let sum: f64 = quarters.iter().sum();
        assert!((45.0..=54.0).contains(&sum), "{quarters:?}");
        let tomorrow = START_US + 86_400_000_000;
        for i in 0..64 {
            pace.observe(200.0, 0.5, false, tomorrow + i * 500_000);
        }
        assert!(pace.share() > 0.1, "{}", pace.share());
    }

    #[test]
    fn money_that_is_gone_stops_the_cloud() {
        let (quarters, pace) = a_day(200.0, 200 * 100 * CENT);
        assert!(quarters.iter().sum::<f64>() < 1.0, "{quarters:?}");
        assert_eq!(pace.share(), 0.0);
    }
}

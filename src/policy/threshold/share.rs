//! Keeps a share: the threshold that sends the hardest `most` of a route's requests to the cloud, whatever the requests are like today.
//!
//! Two parts. The scores of about the last two thousand requests, in a histogram that forgets, say which threshold yields a share: that is
//! quick, and wrong where scores tie or rules send requests elsewhere for other reasons. So what was owed is remembered (the
//! requests that should have gone to the cloud and did not, or the reverse) and worked off: an integral term, as in adaptive conformal
//! inference (Gibbs and Candès, 2021). What a reader could get wrong: the integral is bounded by [`MOST_OWED`] requests, which is what makes the
//! promise: over N requests the share is off by at most 2 × `MOST_OWED` / N, however the difficulty shifts, unless no threshold could
//! do it (a rule sends everything to the cloud).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Cells of the histogram over 0 to 1.
const CELLS: usize = 1024;
/// Requests between two looks: the sum over the cells is then some nanoseconds per request.
const STEP: u32 = 16;
/// What one request weighs in its cell, so that forgetting by a share leaves something.
const WEIGHT: u32 = 1 << 12;
/// At each look every cell keeps this share of 1024: half is forgotten after some 1,400 requests.
const KEPT: u64 = 1016;
/// Requests that may be owed. Full debt moves the share by one whole.
const MOST_OWED: f64 = 80.0;
/// Requests over which the share of lately is averaged.
const LATELY: f64 = 1_000.0;

/// The controller of one route; it outlives reloads.
#[derive(Debug)]
pub struct Share {
    cells: Box<[AtomicU32]>,
    seen: AtomicU32,
    to_cloud: AtomicU32,
    /// `f64` bits.
    threshold: AtomicU64,
    actual: AtomicU64,
    /// Taken by whoever completes a step, tried and never waited for.
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Cloud requests that are owed (negative: were too many).
    owed: f64,
    /// Requests seen in all, up to [`LATELY`].
    age: f64,
}

impl Share {
    /// `start`: the threshold until the first requests have been seen.
    pub fn new(start: f64) -> Share {
        Share {
            cells: (0..CELLS).map(|_| AtomicU32::new(0)).collect(),
            seen: AtomicU32::new(0),
            to_cloud: AtomicU32::new(0),
            threshold: AtomicU64::new(start.to_bits()),
            actual: AtomicU64::new(0),
            books: Mutex::default(),
        }
    }

    /// The threshold now.
    pub fn threshold(&self) -> f64 {
        f64::from_bits(self.threshold.load(Relaxed))
    }

    /// The share that went to the cloud of about the last thousand requests.
    pub fn actual(&self) -> f64 {
        f64::from_bits(self.actual.load(Relaxed))
    }

    /// A request was decided. `most`: the share to keep, 0 to 1.
    pub fn observe(&self, most: f64, difficulty: f64, to_cloud: bool) {
        if let Some(cell) = self.cells.get(cell_of(difficulty)) {
            // Forgetting keeps a cell far below its end: at most some 130 steps' worth of weight.
            cell.fetch_add(WEIGHT, Relaxed);
        }
        self.to_cloud.fetch_add(u32::from(to_cloud), Relaxed);
        if self.seen.fetch_add(1, Relaxed) + 1 >= STEP
            && let Some(mut books) = self.books.try_lock()
        {
            let (seen, to_cloud) = (self.seen.swap(0, Relaxed), self.to_cloud.swap(0, Relaxed));
            self.step(&mut books, most, f64::from(seen), f64::from(to_cloud));
        }
    }

    fn step(&self, books: &mut Books, most: f64, seen: f64, to_cloud: f64) {
        if seen == 0.0 {
            return;
        }
        books.owed = (books.owed + most * seen - to_cloud).clamp(-MOST_OWED, MOST_OWED);
        books.age = (books.age + seen).min(LATELY);
        let actual = self.actual();
        self.actual.store((actual + (to_cloud / seen - actual) * (seen / books.age).min(1.0)).to_bits(), Relaxed);
        let share = (most + books.owed / MOST_OWED).clamp(0.0, 1.0);
        self.threshold.store(self.at(share).to_bits(), Relaxed);
    }

    /// The threshold above which `share` of the requests of lately lay; forgets on the way.
    fn at(&self, share: f64) -> f64 {
        let mut total = 0;
        for cell in &self.cells {
            let weight = cell.load(Relaxed);
            if weight > 0 {
                let kept = u32::try_from(u64::from(weight) * KEPT / 1024).unwrap_or(0);
                // Not stored: what another worker has added meanwhile must not be lost.
                cell.fetch_sub(weight - kept, Relaxed);
                total += u64::from(kept);
            }
        }
        if share <= 0.0 {
            // Nothing is as hard as that, a difficulty of 1 included.
            return 1.0 + 1.0 / CELLS as f64;
        }
        let wanted = share * total as f64;
        let mut above = 0.0;
        for (place, cell) in self.cells.iter().enumerate().rev() {
            let weight = f64::from(cell.load(Relaxed));
            if weight > 0.0 && above + weight >= wanted {
                let part = ((wanted - above) / weight).clamp(0.0, 1.0);
                return (place as f64 + 1.0 - part) / CELLS as f64;
            }
            above += weight;
        }
        0.0
    }
}

fn cell_of(difficulty: f64) -> usize {
    // `as` saturates, and makes 0 of what is no number.
    ((difficulty * CELLS as f64) as usize).min(CELLS - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A small generator, so that the test is the same everywhere.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// The share of `requests` that goes to the cloud, from a cold start.
    fn run(most: f64, requests: usize, difficulty: impl Fn(usize, f64) -> f64) -> f64 {
        let (share, mut random) = (Share::new(0.5), Random(7));
        let mut to_cloud = 0;
        for i in 0..requests {
            let difficulty = difficulty(i, random.next()).clamp(0.0, 1.0);
            let cloud = difficulty >= share.threshold();
            to_cloud += usize::from(cloud);
            share.observe(most, difficulty, cloud);
        }
        to_cloud as f64 / requests as f64
    }

    #[test]
    fn a_share_holds_over_ten_thousand_requests_of_shifting_difficulty() {
        type Shape = (&'static str, fn(usize, f64) -> f64);
        let shapes: [Shape; 8] = [
            ("uniform", |_, x| x),
            ("easy, then hard", |i, x| if i < 5_000 { x * 0.3 } else { 0.5 + x * 0.5 }),
            ("hard, then easy", |i, x| if i < 5_000 { 0.5 + x * 0.5 } else { x * 0.3 }),
            ("a slow tide", |i, x| 0.5 + 0.3 * (i as f64 / 800.0).sin() + 0.2 * x),
            ("a fast tide", |i, x| 0.5 + 0.3 * (i as f64 / 40.0).sin() + 0.2 * x),
            ("rising all the time", |i, x| i as f64 / 12_000.0 + x * 0.1),
            ("falling all the time", |i, x| 0.9 - i as f64 / 12_000.0 + x * 0.1),
            ("one prompt over and over", |_, _| 0.312),
        ];
        for (name, shape) in shapes {
            let share = run(0.2, 10_000, shape);
            assert!((0.18..=0.22).contains(&share), "{name}: {share}");
        }
    }

    /// What no threshold can do is not held against it: it recovers at once.
    #[test]
    fn a_share_recovers_from_what_it_could_not_help() {
        let (share, mut random) = (Share::new(0.5), Random(3));
        for _ in 0..5_000 {
            share.observe(0.2, random.next(), true);
        }
        let mut to_cloud = 0;
        for _ in 0..5_000 {
            let difficulty = random.next();
            let cloud = difficulty >= share.threshold();
            to_cloud += u32::from(cloud);
            share.observe(0.2, difficulty, cloud);
        }
        let kept = f64::from(to_cloud) / 5_000.0;
        assert!((0.17..=0.21).contains(&kept), "{kept}");
        assert!((share.actual() - 0.2).abs() < 0.05, "{}", share.actual());
    }

    #[test]
    fn none_and_all_are_possible() {
        assert!(run(0.0, 2_000, |_, x| x) < 0.02);
        assert!(run(1.0, 2_000, |_, x| x) > 0.95);
    }

    proptest! {
        /// The promise, against traffic that nobody thought of: blocks of any length around any difficulty.
        #[test]
        fn no_traffic_breaks_the_promise(
            most in 0.05..0.95f64,
            blocks in prop::collection::vec((1usize..900, 0.0..1.0f64, 0.0..0.6f64), 4..40),
        ) {
            let total: usize = blocks.iter().map(|block| block.0).sum();
            prop_assume!(total >= 2_000);
            let (share, mut random) = (Share::new(0.5), Random(11));
            let mut to_cloud = 0.0;
            for (length, middle, width) in blocks {
                for _ in 0..length {
                    let difficulty = (middle + (random.next() - 0.5) * width).clamp(0.0, 1.0);
                    let cloud = difficulty >= share.threshold();
                    to_cloud += f64::from(u8::from(cloud));
                    share.observe(most, difficulty, cloud);
                }
            }
            // The debt's bound, and the steps that are not closed yet at either end.
            let slack = MOST_OWED + 2.0 * f64::from(STEP);
            prop_assert!((to_cloud - most * total as f64).abs() <= slack, "{to_cloud} of {total}, most {most}");
        }
    }
}

//! Which requests are copied to a shadow, and how many copies are under way.
//!
//! What a reader could get wrong: nobody waits for a place here. Where there is none, there is no copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Copies under way at once in a process: each may hold two answers for the comparison.
const AT_ONCE: usize = 64;

/// Draws and places.
#[derive(Debug)]
pub struct Shadows {
    drawn: AtomicU64,
    places: Arc<Semaphore>,
}

impl Default for Shadows {
    fn default() -> Shadows {
        Shadows { drawn: AtomicU64::new(0), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Shadows {
    /// Whether this request is among the sampled. In any row of requests the share comes out nearly exact (steps of the golden
    /// ratio fall evenly), which keeps a rare sample from coming in clusters.
    pub fn draws(&self, sample: f64) -> bool {
        /// 2^64 divided by the golden ratio.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let at = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP);
        ((at >> 11) as f64 / (1u64 << 53) as f64) < sample
    }

    /// A place for a copy, given back when dropped; `None`: too many are under way.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_comes_out_in_any_row_of_requests() {
        for (sample, rows, within) in [(0.0, 1000, 0), (1.0, 1000, 0), (0.5, 100, 1), (0.01, 10_000, 3)] {
            let shadows = Shadows::default();
            for _ in 0..5 {
                let drawn = (0..rows).filter(|_| shadows.draws(sample)).count() as i64;
                let expected = (f64::from(rows) * sample) as i64;
                assert!((drawn - expected).abs() <= within, "{sample}: {drawn} of {rows}");
            }
        }
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let shadows = Shadows::default();
        let held: Vec<_> = std::iter::from_fn(|| shadows.place()).take(1000).collect();
        assert_eq!(held.len(), AT_ONCE);
        drop(held);
        assert!(shadows.place().is_some());
    }
}

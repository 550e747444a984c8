//! Who is let in when there is too much to do: fairness between tenants, and refusal by priority.
//!
//! What a reader could get wrong: nothing happens below half of the gateway's capacity. Above it a tenant who holds more than his
//! share of the places is refused, so that one who floods the gateway finds himself alone with his own queue; low
//! priority goes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::config::file::Priority;

/// Above this share of the capacity nobody gets more than his fair share.
const CROWDED: f64 = 0.5;

/// Requests at work over all tenants, and how many tenants have any.
#[derive(Debug, Default)]
pub struct Crowd {
    in_flight: AtomicU32,
    tenants: AtomicU32,
}

/// A tenant's part in the crowd: counts itself out when dropped.
#[derive(Debug)]
pub struct Member {
    crowd: Arc<Crowd>,
    own: Arc<AtomicU32>,
}

/// Share of the capacity at which a priority is no longer let in.
fn ceiling(priority: Priority) -> f64 {
    match priority {
        Priority::Low => 0.7,
        Priority::Normal => 0.9,
        Priority::High => 1.0,
    }
}

impl Crowd {
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Whether a tenant who has `own` requests at work may have another, where `capacity` are possible in all.
    pub fn admits(&self, own: u32, priority: Priority, capacity: u32) -> bool {
        let (now, capacity) = (f64::from(self.in_flight()), f64::from(capacity.max(1)));
        if now >= ceiling(priority) * capacity {
            return false;
        }
        let share = capacity / f64::from(self.tenants.load(Relaxed).max(1));
        now < CROWDED * capacity || f64::from(own) < share
    }

    /// Counts a request of a tenant whose own count is `own`.
    pub fn join(self: &Arc<Crowd>, own: &Arc<AtomicU32>) -> Member {
        self.in_flight.fetch_add(1, Relaxed);
        if own.fetch_add(1, Relaxed) == 0 {
            self.tenants.fetch_add(1, Relaxed);
        }
        Member { crowd: Arc::clone(self), own: Arc::clone(own) }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.in_flight.fetch_sub(1, Relaxed);
        if self.own.fetch_sub(1, Relaxed) == 1 {
            self.crowd.tenants.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_held_to_its_share_and_others_get_in() {
        let crowd = Arc::new(Crowd::default());
        let (noisy, quiet) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut members = vec![crowd.join(&quiet)];
        while crowd.admits(noisy.load(Relaxed), Priority::Normal, 100) {
            members.push(crowd.join(&noisy));
        }
        assert_eq!(noisy.load(Relaxed), 50, "half of the places, since there are two tenants");
        assert!(crowd.admits(quiet.load(Relaxed), Priority::Normal, 100));
        drop(members);
        assert_eq!((crowd.in_flight(), crowd.tenants.load(Relaxed)), (0, 0));
    }

    #[test]
    fn low_priority_goes_first() {
        let crowd = Arc::new(Crowd::default());
        let members: Vec<_> = (0..75).map(|_| crowd.join(&Arc::default())).collect();
        assert!(!crowd.admits(0, Priority::Low, 100));
        assert!(crowd.admits(0, Priority::Normal, 100));
        drop(members);
    }
}

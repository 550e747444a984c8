//! What a pool does beside requests: checks health, looks for nodes, tells of models that nobody has, drains by hand.
//!
//! What a reader could get wrong: those who wait are woken here as well, for a node that comes back, or a slot that another gateway has freed,
//! gives no place back.

use std::sync::Weak;

use tokio::time::Instant;

use super::{Ask, Kind, Pool};
use crate::upstream::Upstream;
use crate::upstream::health::Probe;

impl Pool {
    /// Takes a node out by hand, or back in; `false` if there is none of that name.
    pub fn drain(&self, label: &str, drain: bool) -> bool {
        let nodes = self.nodes();
        let Some(node) = nodes.iter().find(|node| node.label == label) else { return false };
        node.load.drain(drain);
        self.wake_all();
        true
    }

    /// The models that are asked for here: somebody is told when no node has one.
    pub fn wants(&self, models: impl Iterator<Item = String>) {
        *self.wanted.lock() = models.map(|model| (model, true)).collect();
    }

    pub(super) async fn refresh(&self) {
        if let Kind::Balanced(balanced) = &self.kind {
            // Discovery gives what it can resolve and never fails as a whole.
            let _ = balanced.balancer.update().await;
        }
    }

    /// A node that has come back, or has been told to take part again, has given no place back.
    fn wake_all(&self) {
        for _ in 0..self.waiting() {
            if self.has_room(&Ask::default(), &[]) {
                self.queue.wake_next();
            }
        }
    }

    /// Tells once when no node has a model any more.
    fn watch_models(&self, upstream: &str) {
        for (model, was_there) in self.wanted.lock().iter_mut() {
            let is_there = self.nodes().iter().any(|node| node.load.serves(model));
            if std::mem::replace(was_there, is_there) && !is_there && !self.nodes().is_empty() {
                tracing::warn!(
                    upstream,
                    model,
                    "no node of the upstream lists this model; load it, or correct its `id`"
                );
            }
        }
    }

    /// Checks health and looks for nodes for as long as the pool is in use.
    pub async fn tend(upstream: Weak<Upstream>) {
        let mut next_check = Instant::now();
        loop {
            let Some(current) = upstream.upgrade() else { return };
            let pool = &current.pool;
            let Kind::Balanced(balanced) = &pool.kind else { return };
            if balanced.finder.due() <= Instant::now() {
                let before = pool.nodes().len();
                pool.refresh().await;
                if pool.nodes().len() != before {
                    // What a new node has is to be known before much is sent there.
                    next_check = Instant::now();
                }
            }
            let interval = balanced.probe.as_ref().map(Probe::interval);
            if let Some(interval) = interval.filter(|_| next_check <= Instant::now()) {
                next_check = Instant::now() + interval;
                balanced.balancer.backends().run_health_check(true).await;
                pool.watch_models(&balanced.upstream);
            }
            pool.wake_all();
            let due = balanced.finder.due();
            let until = if interval.is_some() { due.min(next_check) } else { due };
            drop(current);
            tokio::time::sleep_until(until).await;
        }
    }
}

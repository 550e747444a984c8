//! One job in the executor's hands: executed unless it is cancelled meanwhile, its result stored or the job put back.
//!
//! What a reader could get wrong: a result that cannot be stored now (the disk is full) is held until it can; it was paid for.

use std::time::Duration;

use tokio::sync::Notify;

use super::now_us;
use super::postpone::{Later, Scope};
use super::room::AtEdge;
use super::work::{self, Done};
use crate::deferred::{Back, Changes, Claimed, Fault, Lease, Outcome, Putting, Store};
use crate::gateway::Gateway;
use crate::state::Deferring;
use crate::telemetry::metrics::Deferred;

/// The pause after a fault of the queue or of ours.
pub(super) const AFTER_FAULT: Duration = Duration::from_secs(5);

/// What executions and the executor tell each other.
#[derive(Debug, Default)]
pub(super) struct Hands {
    /// One has ended.
    pub(super) done: Notify,
    pub(super) at_edge: AtEdge,
}

/// Sees a claimed job through.
pub(super) async fn one(gateway: &Gateway, deferring: &Deferring, hands: &Hands, claimed: Claimed) {
    let store = &deferring.store;
    let metrics = &gateway.shared.durable.metrics.deferred;
    let began = now_us();
    let mut changes = store.subscribe(claimed.lease.job.as_str());
    let executed = tokio::select! {
        executed = Box::pin(work::execute(gateway, deferring, &hands.at_edge, &claimed)) => executed,
        // Dropped where it stands: the upstream is cancelled, and what was used is booked.
        () = revoked(store, &claimed.lease, &mut changes) => Ok(Done::Unwanted),
    };
    let settled = match executed {
        Ok(Done::Result(outcome)) => {
            let told = (claimed.kind.label(), outcome.state.label());
            if keep(store, &claimed.lease, outcome).await {
                metrics.finished.with_label_values(&[told.0, told.1]).inc();
                metrics.wait.with_label_values(&[told.0]).observe((began - claimed.created_us).max(0) as f64 / 1e6);
            }
            Ok(())
        }
        Ok(Done::Forbidden(outcome)) => {
            metrics.finished.with_label_values(&[claimed.kind.label(), outcome.state.label()]).inc();
            store.finish_and_forget(&claimed.lease, outcome).await.map(drop)
        }
        Ok(Done::Later(later)) => put_back(store, &claimed, &later, metrics).await,
        Ok(Done::Unwanted) => Ok(()),
        Err(fault) => Err(fault),
    };
    if let Err(fault) = settled {
        tracing::error!("the queue of deferred work cannot be used: {fault}");
        let again = now_us() + AFTER_FAULT.as_micros() as i64;
        // Where this fails too, the next start queues it again.
        let _left = store.give_back(&claimed.lease, again, Back::Failed).await;
    }
}

async fn put_back(store: &Store, claimed: &Claimed, later: &Later, metrics: &Deferred) -> Result<(), Fault> {
    metrics.postponed.with_label_values(&[claimed.kind.label(), later.reason]).inc();
    let random = random();
    let after = |times| {
        let pause = later.pause(times, random);
        now_us().saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX))
    };
    // Whoever is sent ahead is another one each time; and how often one came back says nothing of the others.
    let lane_until_us = after(store.failures(&claimed.lease));
    let is_all = later.of == Scope::Lane;
    let not_before_us = if is_all { lane_until_us } else { after(claimed.postponed) };
    let putting = Putting { why: later.why, not_before_us, is_all, lane_until_us, is_unseen: later.is_unseen };
    store.put_back(&claimed.lease, putting).await.map(drop)
}

/// Stores a result, however long that takes; whether it was wanted.
async fn keep(store: &Store, lease: &Lease, outcome: Outcome) -> bool {
    loop {
        match store.finish(lease, outcome.clone()).await {
            Ok(stored) => return stored,
            Err(fault) => {
                tracing::error!("the answer to a deferred request cannot be stored yet: {fault}");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
    }
}

/// Resolves when the lease does not hold any more: the job was cancelled or deleted.
async fn revoked(store: &Store, lease: &Lease, changes: &mut Changes) {
    loop {
        changes.changed().await;
        if let Ok(false) = store.holds(lease).await {
            return;
        }
    }
}

/// 0 to 1.
fn random() -> f64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64,
        Err(_) => 1.0,
    }
}

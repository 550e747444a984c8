//! What the behaviour tests stand on: mock upstreams, the gateway as a child process, clients, and the two ways to wait.
//!
//! What a reader could get wrong: `DEADLINE` only bounds a failing test; no test may take this long to pass.

pub mod batches;
pub mod client;
pub mod config;
pub mod gateway;
pub mod load;
pub mod metrics;
pub mod raw;
pub mod sse;
pub mod stage;
pub mod upstream;

use std::future::Future;
use std::time::{Duration, Instant};

pub use client::{Call, Response};
pub use config::Config;
pub use gateway::Gateway;
pub use upstream::{Answer, Gate, Point, Upstream};

/// How long anything may take before its test fails; generous, because CI has two slow cores and all tests run at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Time between two looks of `eventually`.
const POLL: Duration = Duration::from_millis(5);

/// Looks until `probe` finds something, and panics with `what` after the deadline. The only place that sleeps.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Awaits `future`, and panics with `what` after the deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}

/// Looks until `sample` has not changed for a while (twenty looks), and returns it: for quantities that come to rest, such as the
/// bytes that fit into the buffers on the way to a client that does not read.
pub async fn at_rest(what: &str, sample: impl Fn() -> u64) -> u64 {
    let (mut last, mut same) = (sample(), 0);
    eventually(what, async || {
        let now = sample();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        (same >= 20).then_some(now)
    })
    .await
}

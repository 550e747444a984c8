//! The one way to start a task: named, so that a panic in it is reported and not swallowed.

use std::future::Future;

use crate::error::{Error, Kind};
use tokio::task::JoinHandle;

/// Runs `future` on this worker's runtime. A panic is logged with `name` (never its payload, which may hold a request's text).
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let guard = Guard(name);
    tokio::spawn(async move {
        let guard = guard;
        future.await;
        std::mem::forget(guard);
    })
}

/// Runs what would hold a worker up on a thread of its own.
///
/// # Errors
/// It panicked, or the worker is ending.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let failed = |_| Error::gateway(Kind::Internal, "a long request could not be read");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

struct Guard(&'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "a task panicked");
        }
    }
}

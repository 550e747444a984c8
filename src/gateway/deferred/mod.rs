//! Work that is done later, as clients see it: background responses (`background: true`), and answers of the edge that the cloud's
//! follow (`then: upgrade`). And the executor that does it.
//!
//! What a reader could get wrong: a job is executed as its client's own request would be now: by the rules, tenants, limits and budgets
//! of the configuration in force then. What was accepted may be refused by the time it is done.

mod accept;
mod batches;
mod content;
pub mod executor;
mod files;
mod follow;
mod hear;
mod object;
mod one;
mod own;
mod postpone;
mod rename;
mod retrieve;
mod room;
pub mod upgrade;
mod upload;
mod work;

pub use accept::accept;
pub use batches::{Batches, run as run_batches};
pub use content::Content;
pub use files::{Files, run as run_files};
pub use follow::Followed;
pub use own::may_name;
pub use rename::Renaming;
pub use retrieve::{Named, named, retrieve};

/// What background responses are called. Everything that begins with it is the gateway's own.
pub const RESPONSE: &str = "resp_tg";

/// What chat completions are called that the cloud's answer follows.
pub const CHAT: &str = "chatcmpl-tg";

/// Events that are told before those of the execution: `response.created` and `response.queued`. Kept events have numbers from 0, and
/// are told with so many more.
const BEFORE: i64 = 2;

/// Microseconds (Unix).
fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

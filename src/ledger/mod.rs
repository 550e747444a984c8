//! What was used and what it cost: the entry of a request, the journal that keeps it at once, the database that is asked later.
//!
//! What a reader could get wrong: the journal (`journal/`) is what makes an entry durable; the database follows it at its own pace
//! and may lag or be away without a request noticing.

pub mod entry;
pub mod invoice;
pub mod query;
pub mod store;

pub use entry::{Attempt, Entry, Position, Tokens};

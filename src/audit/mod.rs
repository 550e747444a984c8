//! The audit chain: a tamper-evident record of what was decided and where each request ran. The format is in docs/audit.md.
//!
//! The way of a record: a journal's entry → [`record`] (one line) → [`line`] (linked and hashed) → [`chain`] (batches, checkpoints,
//! segments) → the disk → [`verify`], [`find`], [`proof`].
//!
//! What a reader could get wrong: it proves that the record was not changed afterwards, not that the gateway told the truth when it
//! wrote it.

pub mod chain;
pub mod error;
mod files;
pub mod find;
pub mod key;
mod line;
mod mark;
pub mod proof;
mod record;
mod resume;
mod retain;
mod text;
mod tree;
pub mod verify;

pub use chain::{Chain, Settings};
pub use error::AuditError;
pub use key::{HashKey, TextHasher};
pub use mark::Checkpoint;
pub use proof::Proof;

//! Remembering answers: the same question is not paid for twice, and a wrong answer is never served for one that merely looks alike.
//!
//! What a reader could get wrong: an entry belongs to a scope (tenant, tier, route as configured, hints); nothing here looks beyond it.

pub mod entry;
pub mod flight;
pub mod key;
pub mod memory;
pub mod quick;
pub mod replay;
pub mod semantic;
pub mod store;
pub mod terms;
pub mod tier;

pub use entry::{Entry, Facts};
pub use key::{Key, Scope};
pub use memory::{Memory, Purge};
pub use store::Store;
pub use terms::Terms;

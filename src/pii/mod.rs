//! Personal data and secrets: found in texts, hidden from who should not see them, put back into answers.
//!
//! In the order of use: [`entity`] (the types), [`scan`] (one pass proposes, validators confirm; tables in [`identifier`], [`internet`], [`secret`],
//! [`phone`], [`moment`]), [`tagger`] (names, places, organisations), [`span`] (what was found, overlaps settled).
//!
//! What a reader could get wrong: nothing in here keeps, logs or counts a value; spans are positions.

pub mod context;
pub mod entity;
pub mod identifier;
pub mod internet;
pub mod moment;
pub mod phone;
pub mod scan;
pub mod secret;
pub mod span;
pub mod tagger;

pub use entity::{Entity, Severity};
pub use span::Span;

//! Personal data and secrets: found in texts, hidden from who should not see them, put back into answers.
//!
//! In the order of use: [`entity`] (the types), [`scan`] (one pass proposes, validators confirm; tables in [`identifier`], [`internet`], [`secret`],
//! [`phone`], [`moment`]), [`tagger`] (names, places, organisations), [`span`] (what was found, overlaps settled), [`catalog`] (all of it for one text), [`find`]
//! (for one request), [`profile`] (what becomes of it), [`hide`] (edits of the body, with [`label`] and [`mapping`]), [`restore`] (the way back).
//!
//! What a reader could get wrong: nothing in here keeps, logs or counts a value; spans are positions.

pub mod catalog;
pub mod context;
pub mod embedded;
pub mod entity;
pub mod find;
pub mod flat;
pub mod hide;
pub mod identifier;
pub mod internet;
pub mod label;
pub mod mapping;
pub mod moment;
pub mod phone;
pub mod profile;
pub mod restore;
pub mod scan;
pub mod secret;
pub mod span;
pub mod tagger;

pub use catalog::Catalog;
pub use entity::{Entity, Severity};
pub use find::Findings;
pub use profile::Profile;
pub use span::Span;

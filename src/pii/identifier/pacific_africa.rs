//! National and tax identifiers of Oceania, Africa and the Middle East.
//!
//! What a reader could get wrong: nothing yet.

use super::Identifier;

pub(super) static ROWS: &[Identifier] = &[];

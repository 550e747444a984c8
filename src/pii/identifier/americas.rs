//! National, tax and bank identifiers of the Americas.
//!
//! What a reader could get wrong: nothing yet.

use super::Identifier;

pub(super) static ROWS: &[Identifier] = &[];

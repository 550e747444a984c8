//! National and tax identifiers of Asia.
//!
//! What a reader could get wrong: nothing yet.

use super::Identifier;

pub(super) static ROWS: &[Identifier] = &[];

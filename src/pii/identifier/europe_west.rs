//! National and tax identifiers of western and southern Europe.
//!
//! What a reader could get wrong: nothing yet.

use super::Identifier;

pub(super) static ROWS: &[Identifier] = &[];

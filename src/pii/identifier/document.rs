//! Passports, driving licences, medical records and accounts of any country: known by the words that stand near, not by a check digit.
//!
//! What a reader could get wrong: nothing yet.

use super::Identifier;

pub(super) static ROWS: &[Identifier] = &[];

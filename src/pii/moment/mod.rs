//! Dates of birth, ages, dates, postal codes: numbers that only the words around them make personal.
//!
//! What a reader could get wrong: nothing yet.

use std::ops::Range;

use super::scan::Scan;

/// Looks at a run of digits (bytes of the text; from its first word with a digit to its last).
pub(super) fn look(_scan: &mut Scan<'_, '_>, _run: Range<usize>) {}

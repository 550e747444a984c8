//! Names, places and organisations.
//!
//! What a reader could get wrong: nothing yet.

use super::span::Span;

/// Tags `text`; pushes what it finds, in order.
pub fn tag(_text: &str, _found: &mut Vec<Span>) {}

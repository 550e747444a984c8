//! Values put back into an answer, in the place of their labels.
//!
//! [`text`] does it for one text that comes in pieces, [`stream`] for the events of a stream (whose texts are found by `openai/texts`), [`whole`]
//! for an answer in one piece.
//!
//! What a reader could get wrong: a restorer knows the values of its own request only, so nothing can get into another conversation.

pub mod stream;
pub mod text;
pub mod whole;

#[cfg(test)]
mod tests;

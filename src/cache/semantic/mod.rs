//! Questions asked in other words: an embedder and an index propose, a verifier decides.
//!
//! What a reader could get wrong: likeness is no reason to answer; only the verifier's probability is.

pub mod embedder;
pub mod index;
pub mod verify;

//! How far an answer can be trusted, from the answer alone: what the model thought of its own words (token log-probabilities), and what
//! anybody can see (a refusal, a loop, JSON that is none). Pure: bytes of an answer in, a number from 0 to 1 and a reason out.
//!
//! What a reader could get wrong: nobody asks whether the answer is *true*. A low number says that the next target should be asked; the
//! number itself is a hand-set logistic model (`formula`), monotonous in its evidence and comparable between answers of one model.
//!
//! In reading order: `expect` (what the request asked for), `answer` (what came, event by event), `text` (`refusal`, `repetition`), `tokens`,
//! `formula` (all of it into one number), `judge` (when a stream's beginning is enough).

mod answer;
pub mod expect;
pub mod formula;
pub mod judge;
mod refusal;
mod repetition;
pub mod schema;
mod text;
mod tokens;

pub use expect::Expect;
pub use formula::{Reason, Verdict};
pub use judge::{Judge, Step};

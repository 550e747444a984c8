//! `when`: a CEL expression, compiled at load and type-checked against the signals.

use super::decide::Verdict;
use crate::signals::Signals;

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {}

/// What is wrong with an expression; `at` is the offset in it, in characters.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionError {
    pub at: usize,
    /// Names the value and the remedy: ``unknown signal `dificulty`; did you mean `difficulty`?``
    pub message: String,
}

impl Condition {
    pub fn compile(text: &str) -> Result<Condition, ConditionError> {
        let _ = text;
        unimplemented!()
    }

    /// `Matched`, `NotMatched` or `Failed`.
    pub fn evaluate(&self, signals: &Signals<'_>) -> Verdict {
        let _ = signals;
        unimplemented!()
    }
}

//! `when`: a CEL expression, compiled at load and type-checked against the signals.
//!
//! What a reader could get wrong: a condition that fails while it is evaluated (a missing tag, a division by zero) is `Failed`,
//! which counts as not matched; it is never an error of the request. Whatever can be told at load is an error at load.

mod check;
mod context;
mod cost;
mod functions;
mod lift;
mod operators;
mod syntax;
mod types;

use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::common::value::Val;
use cel::{ExecutionError, Value};

use super::decide::Verdict;
use crate::signals::{SignalSet, Signals};
pub use context::Variables;

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    text: String,
    tree: IdedExpr,
    constants: Vec<Box<dyn Val>>,
    reads: SignalSet,
}

/// What is wrong with an expression; `at` is the offset in it, in characters.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionError {
    pub at: usize,
    /// Names the value and the remedy: ``unknown signal `dificulty`; did you mean `difficulty`?``
    pub message: String,
}

impl Condition {
    /// Compiles and checks `text`: at most 4 KiB of CEL over the available signals, yielding a bool. The first thing that is
    /// wrong is told: syntax, an unknown or not yet available signal, an unknown function, types that do not go together, a
    /// pattern that is no regular expression, an evaluation that could take too long.
    pub fn compile(text: &str) -> Result<Condition, ConditionError> {
        let (mut tree, places) = syntax::parse(text)?;
        let mut checker = check::Checker::new(text, &places);
        checker.condition(&mut tree)?;
        let (reads, constants) = (checker.reads, checker.constants);
        cost::check(&tree, &constants)?;
        Ok(Condition { text: text.to_owned(), tree, constants, reads })
    }

    /// `Matched`, `NotMatched` or `Failed`. For several conditions over the same signals make the [`Variables`] once.
    pub fn evaluate(&self, signals: &Signals<'_>) -> Verdict {
        self.evaluate_with(&Variables::new(signals))
    }

    /// [`Condition::evaluate`] over variables that were made beforehand.
    pub fn evaluate_with(&self, variables: &Variables<'_>) -> Verdict {
        match self.run(variables) {
            Ok(Some(true)) => Verdict::Matched,
            Ok(Some(false)) => Verdict::NotMatched,
            Ok(None) | Err(_) => Verdict::Failed,
        }
    }

    /// Why it fails on these signals; `None` where it does not. For people: evaluates again.
    pub fn failure(&self, signals: &Signals<'_>) -> Option<String> {
        match self.run(&Variables::new(signals)) {
            Ok(Some(_)) => None,
            Ok(None) => Some("the result is neither true nor false".into()),
            Err(error) => Some(reason(&error)),
        }
    }

    /// What the expression yields; `None`: no bool, which only a value of type `any` can come to.
    fn run(&self, variables: &Variables<'_>) -> Result<Option<bool>, ExecutionError> {
        let scope = context::Scope { variables, constants: &self.constants };
        context::with_context(&scope, |context| {
            let value = Value::resolve_val(&self.tree, context)?;
            Ok(value.downcast_ref::<CelBool>().map(|holds| *holds.inner()))
        })
    }

    /// The expression as the operator wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signals that it reads; others need not be computed for it.
    pub fn reads(&self) -> SignalSet {
        self.reads
    }
}

/// The interpreter's error in an operator's words. Values are left out: they are the client's.
fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{}`: guard it with has()", key.escape_debug()),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".into(),
        ExecutionError::Overflow(..) => "a number overflows 64 bits".into(),
        ExecutionError::IndexOutOfBounds(_) => "the list is shorter than the index: guard it with size()".into(),
        ExecutionError::FunctionError { function, .. } => format!("{function}() cannot convert this value"),
        ExecutionError::DuplicateKey(_) => "a map has the same key twice".into(),
        _ => "values of these types cannot be used together".into(),
    }
}

impl ConditionError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        ConditionError { at, message: message.into() }
    }
}

impl std::fmt::Display for ConditionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConditionError {}

#[cfg(test)]
mod tests;

//! What is known at load is made at load: patterns are compiled, lists of literals are built, and the expression refers to them.
//!
//! What a reader could get wrong: the interpreter would compile a pattern and build a list at each evaluation, which takes longer
//! than all the rest of a decision.

use cel::common::ast::operators as op;
use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::CelList;
use cel::common::value::Val;

use super::ConditionError;
use super::check::{Checker, call};
use super::context::{CONSTANT, Pattern};

/// Bytes that a compiled pattern may take: what `\w{100}` needs, far below what hurts.
const MAX_PATTERN: usize = 1 << 20;

impl Checker<'_> {
    /// `text.matches('pattern')` becomes `text in @N`.
    pub(super) fn lift_pattern(&mut self, expr: &mut IdedExpr) -> Result<(), ConditionError> {
        let Expr::Call(matches) = &mut expr.expr else { return Ok(()) };
        let Some(pattern) = matches.args.pop() else { return Ok(()) };
        let at = self.at(pattern.id);
        let Expr::Literal(LiteralValue::String(pattern)) = &pattern.expr else {
            let message =
                "the pattern of matches() must be a string literal, so that it is compiled once and checked at load";
            return Err(ConditionError::new(at, message));
        };
        let compiled = regex::RegexBuilder::new(pattern.inner()).size_limit(MAX_PATTERN).build().map_err(|error| {
            let reason = match &error {
                regex::Error::CompiledTooBig(_) => "it is too large once compiled".to_owned(),
                // The library draws the pattern with a marker below; its last line says what is wrong.
                other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            };
            ConditionError::new(at, format!("the pattern of matches() cannot be used: {reason}"))
        })?;
        let text = matches.target.take().map(|target| *target).or_else(|| matches.args.pop());
        let pattern = self.constant(expr.id, Box::new(Pattern(compiled)));
        expr.expr = call(op::IN, text.into_iter().chain([pattern]).collect());
        Ok(())
    }

    /// A list of literals becomes a constant; otherwise the interpreter would build it at each evaluation.
    pub(super) fn lift_list(&mut self, expr: &mut IdedExpr) {
        let Expr::List(list) = &expr.expr else { return };
        let values: Option<Vec<Box<dyn Val>>> = list
            .elements
            .iter()
            .map(|element| match &element.expr {
                Expr::Literal(value) => Some(value.to_val().into_owned()),
                _ => None,
            })
            .collect();
        // An empty one is what macros begin with, and the interpreter knows them by it.
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            *expr = self.constant(expr.id, Box::new(CelList::from(values)));
        }
    }

    fn constant(&mut self, id: u64, value: Box<dyn Val>) -> IdedExpr {
        let name = format!("{CONSTANT}{}", self.constants.len());
        self.constants.push(value);
        IdedExpr { id, expr: Expr::Ident(name) }
    }
}

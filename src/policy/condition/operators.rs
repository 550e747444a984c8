//! The type checker's rules for operators: what goes with what, what comes out, and the message where it does not.
//!
//! What a reader could get wrong: `int` and `double` meet as doubles. Comparing them is CEL; adding and multiplying them is not,
//! and is made so by a conversion that is written into the tree here.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::check::{Checked, Checker, call};
use super::context::CONSTANT;
use super::types::Type;

impl Checker<'_> {
    pub(super) fn logic(&self, id: u64, name: &str, call: &CallExpr, a: &Type, b: &Type) -> Checked {
        if a.is_bool() && b.is_bool() {
            return Ok(Type::Bool);
        }
        // `@result && p` is what a macro made of its condition `p`.
        match &call.args[0].expr {
            Expr::Ident(first) if first.starts_with(CONSTANT) => Err(self.error(call.args[1].id, in_macro(b))),
            _ => Err(self.error(id, mismatch(name, &[a.clone(), b.clone()]))),
        }
    }

    pub(super) fn choice(&self, id: u64, call: &mut CallExpr, test: &Type, a: &Type, b: &Type) -> Checked {
        if !test.is_bool() {
            let from_macro = matches!(&call.args[2].expr, Expr::Ident(name) if name.starts_with(CONSTANT));
            let message = if from_macro {
                in_macro(test)
            } else {
                format!("what stands before `?` must be bool, this is {test}")
            };
            return Err(self.error(if from_macro { call.args[0].id } else { id }, message));
        }
        if a.is_number() && b.is_number() && a != b {
            widen(&mut call.args[1], a);
            widen(&mut call.args[2], b);
            return Ok(Type::Double);
        }
        if !a.equates(b) {
            return Err(self.error(id, format!("the two sides of `:` must be of one type, these are {a} and {b}")));
        }
        Ok(a.clone().join(b.clone()))
    }

    pub(super) fn membership(&self, id: u64, element: &Type, container: &Type) -> Checked {
        let inside = match container {
            Type::List(inside) => inside,
            Type::Map(key, _) => key,
            Type::Any => return Ok(Type::Bool),
            Type::Text => {
                return Err(
                    self.error(id, "`in` needs a list or a map: for a part of a string write user.contains('x')")
                );
            }
            other => return Err(self.error(id, format!("`in` needs a list or a map on its right, this is {other}"))),
        };
        if !inside.equates(element) {
            return Err(self.error(id, format!("`in` looks for {element} in {container}: that can never be found")));
        }
        Ok(Type::Bool)
    }

    pub(super) fn index(&self, id: u64, container: &Type, index: &Type) -> Checked {
        match container {
            Type::List(element) if index.is_number() || index.is_any() => Ok((**element).clone()),
            Type::Map(key, value) if key.equates(index) => Ok((**value).clone()),
            Type::Any => Ok(Type::Any),
            Type::List(_) | Type::Map(..) => Err(self.error(id, format!("{container} cannot be indexed with {index}"))),
            other => Err(self.error(id, format!("{other} has no parts: only lists and maps can be indexed"))),
        }
    }

    pub(super) fn arithmetic(&self, id: u64, call: &mut CallExpr, a: &Type, b: &Type) -> Checked {
        let name = call.func_name.as_str();
        match (a, b) {
            (Type::Any, other) | (other, Type::Any) if other.is_number() || other.is_any() => Ok(Type::Any),
            (Type::Text | Type::Any, Type::Text | Type::Any) if name == op::ADD => Ok(Type::Text),
            (Type::Bytes, Type::Bytes) if name == op::ADD => Ok(Type::Bytes),
            (Type::List(_), Type::List(_)) if name == op::ADD => Ok(a.clone().join(b.clone())),
            (Type::Double, _) | (_, Type::Double) if name == op::MODULO => {
                Err(self.error(id, "`%` is defined for int and uint only: write int(…)"))
            }
            (Type::Int | Type::Uint, Type::Double) | (Type::Double, Type::Int | Type::Uint) => {
                widen(&mut call.args[0], a);
                widen(&mut call.args[1], b);
                Ok(Type::Double)
            }
            (a, b) if a.is_number() && a == b => Ok(a.clone()),
            _ => Err(self.error(id, mismatch(name, &[a.clone(), b.clone()]))),
        }
    }
}

/// Turns an int or uint into a double where it meets one.
fn widen(expr: &mut IdedExpr, found: &Type) {
    if *found == Type::Double {
        return;
    }
    let id = expr.id;
    let inner = std::mem::take(expr);
    *expr = IdedExpr { id, expr: call("double", vec![inner]) };
}

/// `_>_` as people write it.
fn symbol(operator: &str) -> &str {
    operator.trim_matches('_').trim_start_matches(CONSTANT)
}

pub(super) fn mismatch(operator: &str, given: &[Type]) -> String {
    let symbol = symbol(operator);
    match given {
        [one] => format!("`{symbol}` is not defined for {one}"),
        [Type::Int, Type::Uint] | [Type::Uint, Type::Int] => {
            format!("`{symbol}` does not mix int and uint: write int(…)")
        }
        [a, b] if matches!(operator, op::EQUALS | op::NOT_EQUALS) => {
            format!("`{symbol}` compares {a} with {b}: they are never equal")
        }
        [a, b] => format!("`{symbol}` is not defined between {a} and {b}"),
        _ => format!("`{symbol}` cannot be used like this"),
    }
}

fn in_macro(found: &Type) -> String {
    format!("the condition inside exists(), all() and filter() must be bool, this is {found}")
}

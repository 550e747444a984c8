//! The type checker: walks the tree once at load, gives every node a type, and refuses what cannot work, with its place.
//!
//! What a reader could get wrong: it also rewrites. Names of signals lose their dots (`hint.placement` becomes one variable),
//! numbers of two types meet as doubles, patterns and lists of literals become constants. All of it keeps CEL's meaning, with one
//! addition: `input_tokens * 0.5` works, where CEL would ask for `double(input_tokens)`.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::common::value::Val;

use super::operators::mismatch;
use super::types::Type;
use super::{ConditionError, functions};
use crate::signals::SignalSet;
use crate::signals::table::{self, Signal};

/// What the walk yields besides types.
pub(super) struct Checker<'t> {
    text: Vec<char>,
    places: &'t SourceInfo,
    /// Names bound by macros, innermost last.
    bound: Vec<(String, Type)>,
    pub reads: SignalSet,
    pub constants: Vec<Box<dyn Val>>,
}

pub(super) type Checked = Result<Type, ConditionError>;

impl<'t> Checker<'t> {
    pub fn new(text: &str, places: &'t SourceInfo) -> Self {
        let text = text.chars().collect();
        Checker { text, places, bound: Vec::new(), reads: SignalSet::EMPTY, constants: Vec::new() }
    }

    /// Checks a whole condition: it must be true or false.
    pub fn condition(&mut self, tree: &mut IdedExpr) -> Result<(), ConditionError> {
        match self.check(tree)? {
            Type::Bool | Type::Any => Ok(()),
            other => {
                let message = format!("a condition must be bool (true or false), this is {other}");
                Err(ConditionError::new(0, message))
            }
        }
    }

    fn check(&mut self, expr: &mut IdedExpr) -> Checked {
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => Ok(type_of(literal)),
            Expr::Ident(name) => {
                let name = name.clone();
                self.name(id, &name, expr)
            }
            Expr::Select(_) => self.select(expr),
            Expr::Call(_) => self.call(expr),
            Expr::List(list) => {
                let mut element = None;
                for part in &mut list.elements {
                    let found = self.check(part)?;
                    element = Some(element.map_or(found.clone(), |so_far: Type| so_far.join(found)));
                }
                self.lift_list(expr);
                Ok(Type::list(element.unwrap_or(Type::Any)))
            }
            Expr::Map(map) => {
                let (mut key, mut value) = (None, None);
                for entry in &mut map.entries {
                    let EntryExpr::MapEntry(entry) = &mut entry.expr else { continue };
                    let (k, v) = (self.check(&mut entry.key)?, self.check(&mut entry.value)?);
                    if !matches!(k, Type::Bool | Type::Int | Type::Uint | Type::Text | Type::Any) {
                        return Err(self.error(id, format!("{k} cannot be the key of a map")));
                    }
                    key = Some(key.map_or(k.clone(), |so_far: Type| so_far.join(k)));
                    value = Some(value.map_or(v.clone(), |so_far: Type| so_far.join(v)));
                }
                Ok(Type::map(key.unwrap_or(Type::Any), value.unwrap_or(Type::Any)))
            }
            Expr::Comprehension(_) => self.comprehension(expr),
            Expr::Struct(made) => {
                let message = format!("there is no type `{}`: conditions know no messages", made.type_name);
                Err(self.error(id, message))
            }
            Expr::Unspecified => Err(self.error(id, "the expression is incomplete")),
        }
    }

    /// A name alone: bound by a macro, or a signal.
    fn name(&mut self, id: u64, name: &str, expr: &mut IdedExpr) -> Checked {
        if let Some((_, bound)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(bound.clone());
        }
        // A leading dot means the outermost scope.
        let plain = name.trim_start_matches('.');
        if let Some(signal) = table::find(plain) {
            return Ok(self.read(signal, expr));
        }
        let message = if table::is_group(plain) {
            let members: Vec<_> = table::in_group(plain).map(|signal| signal.name).collect();
            format!("`{plain}` is no signal of its own: there is {}", members.join(", "))
        } else if functions::is_known(plain) {
            format!("`{plain}` is a function: call it with ()")
        } else {
            unknown_signal(plain)
        };
        Err(self.error(id, message))
    }

    /// Reads a signal; the node becomes its name.
    fn read(&mut self, signal: &Signal, expr: &mut IdedExpr) -> Type {
        self.reads = self.reads.with(signal.id);
        expr.expr = Expr::Ident(signal.name.into());
        signal.value.into()
    }

    /// `a.b`, or `has(a.b)`.
    fn select(&mut self, expr: &mut IdedExpr) -> Checked {
        let id = expr.id;
        let Expr::Select(select) = &mut expr.expr else { return Err(self.error(id, "no selection")) };
        if let Expr::Ident(group) = &select.operand.expr
            && self.bound.iter().all(|(bound, _)| bound != group)
            && table::find(group).is_none()
        {
            let (start, full, test) = (self.at(select.operand.id), format!("{group}.{}", select.field), select.test);
            return self.dotted(start, &full, test, expr);
        }
        let operand = self.check(&mut select.operand)?;
        let value = match operand {
            Type::Map(key, value) if key.equates(&Type::Text) => *value,
            Type::Any => Type::Any,
            other => {
                let message = format!("{other} has no field `{}`: only maps such as `tags` have", select.field);
                return Err(self.error_at_field(id, message));
            }
        };
        // Indexing and `in` resolve the map's name once, where a selection tries `tags.team` as a name of its own first.
        let (test, map) = (select.test, std::mem::take(&mut *select.operand));
        let field = literal(id, LiteralValue::String(std::mem::take(&mut select.field).into()));
        expr.expr = if test { call(op::IN, vec![field, map]) } else { call(op::INDEX, vec![map, field]) };
        Ok(if test { Type::Bool } else { value })
    }

    /// `hint.placement`, or something that looks like it.
    fn dotted(&mut self, start: usize, full: &str, test: bool, expr: &mut IdedExpr) -> Checked {
        let Some(signal) = table::find(full) else {
            return Err(ConditionError::new(start, unknown_signal(full)));
        };
        let read = self.read(signal, expr);
        if test {
            let message = format!("`{full}` is always there ({}): compare it instead of has()", signal.doc);
            return Err(ConditionError::new(start, message));
        }
        Ok(read)
    }

    fn call(&mut self, expr: &mut IdedExpr) -> Checked {
        let id = expr.id;
        let Expr::Call(call) = &mut expr.expr else { return Err(self.error(id, "no call")) };
        if !is_operator(&call.func_name) {
            return self.function(expr);
        }
        let given: Vec<Type> = call.args.iter_mut().map(|arg| self.check(arg)).collect::<Result<_, _>>()?;
        let name = call.func_name.as_str();
        match (name, given.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, [a, b]) => self.logic(id, name, call, a, b),
            (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, [a]) if a.is_bool() => Ok(Type::Bool),
            (op::NEGATE, [a]) if matches!(a, Type::Int | Type::Double | Type::Any) => Ok(a.clone()),
            (op::CONDITIONAL, [test, a, b]) => self.choice(id, call, test, a, b),
            (op::EQUALS | op::NOT_EQUALS, [a, b]) if a.equates(b) => Ok(Type::Bool),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [a, b]) if a.orders(b) => Ok(Type::Bool),
            (op::IN, [a, b]) => self.membership(id, a, b),
            (op::INDEX, [a, b]) => self.index(id, a, b),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [a, b]) => {
                self.arithmetic(id, call, a, b)
            }
            (name, given) => Err(self.error(id, mismatch(name, given))),
        }
    }

    fn function(&mut self, expr: &mut IdedExpr) -> Checked {
        let id = expr.id;
        let Expr::Call(call) = &mut expr.expr else { return Err(self.error(id, "no call")) };
        let at = self.before_parenthesis(id, &call.func_name);
        let name = call.func_name.trim_start_matches('.').to_owned();
        if let Some(message) = functions::refuse(&name) {
            return Err(ConditionError::new(at, message));
        }
        let member = call.target.is_some();
        let parts = call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args);
        let given: Vec<Type> = parts.map(|part| self.check(part)).collect::<Result<_, _>>()?;
        let returned = functions::resolve(&name, member, &given).map_err(|message| ConditionError::new(at, message))?;
        if name == "matches" {
            self.lift_pattern(expr)?;
        }
        Ok(returned)
    }

    /// What the parser made of `exists`, `all`, `map` and their like.
    fn comprehension(&mut self, expr: &mut IdedExpr) -> Checked {
        let id = expr.id;
        let Expr::Comprehension(c) = &mut expr.expr else { return Err(self.error(id, "no comprehension")) };
        let element = match self.check(&mut c.iter_range)? {
            Type::List(element) => *element,
            Type::Map(key, _) => *key,
            Type::Any => Type::Any,
            other => return Err(self.error(id, format!("this goes through a list or a map, not through {other}"))),
        };
        let start = self.check(&mut c.accu_init)?;
        self.bound.push((c.accu_var.clone(), start.clone()));
        self.bound.push((c.iter_var.clone(), element));
        let condition = self.check(&mut c.loop_cond);
        let step = condition.and_then(|_| self.check(&mut c.loop_step));
        self.bound.truncate(self.bound.len().saturating_sub(2));
        self.bound.push((c.accu_var.clone(), start.join(step?)));
        let result = self.check(&mut c.result);
        self.bound.pop();
        result
    }

    /// Where a node stands, in characters.
    pub(super) fn at(&self, id: u64) -> usize {
        self.places.offset_for(id).map_or(0, |(start, _)| start as usize).min(self.text.len())
    }

    /// A call stands where its parenthesis does; its name is before that.
    fn before_parenthesis(&self, id: u64, name: &str) -> usize {
        let at = self.at(id);
        let name: Vec<char> = name.chars().collect();
        (0..=at.saturating_sub(name.len())).rev().find(|&start| self.text[start..].starts_with(&name)).unwrap_or(at)
    }

    pub(super) fn error(&self, id: u64, message: impl Into<String>) -> ConditionError {
        ConditionError::new(self.at(id), message)
    }

    /// A selection stands where its dot does.
    fn error_at_field(&self, id: u64, message: String) -> ConditionError {
        let dot = self.at(id);
        let spaces = self.text[dot..].iter().skip(1).take_while(|c| c.is_whitespace()).count();
        ConditionError::new((dot + 1 + spaces).min(self.text.len()), message)
    }
}

pub(super) fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.into(), target: None, args })
}

fn literal(id: u64, value: LiteralValue) -> IdedExpr {
    IdedExpr { id, expr: Expr::Literal(value) }
}

fn type_of(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// Operators have names that no function can have.
fn is_operator(name: &str) -> bool {
    name.chars().any(|c| !c.is_alphanumeric() && c != '_' && c != '.')
}

fn unknown_signal(name: &str) -> String {
    let near = table::nearest(name, table::all().iter().map(|signal| signal.name));
    let field = || name.rsplit('.').next().and_then(|field| table::nearest(field, table::all().iter().map(|s| s.name)));
    match near.or_else(field) {
        Some(near) => format!("unknown signal `{name}`; did you mean `{near}`?"),
        None => {
            let names: Vec<_> = table::all().iter().map(|signal| signal.name).collect();
            format!("unknown signal `{name}`: there are {}", names.join(", "))
        }
    }
}

//! A bound on the work of one evaluation, told at load. Macros inside macros multiply, and strings that are joined in a chain of
//! macros double with each; a rule runs on the request's path and must not be able to stall it.
//!
//! What a reader could get wrong: the bound is on the worst request that the limits of the hints allow, not on a typical one.

use cel::common::ast::operators as op;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::value::Val;

use super::ConditionError;
use super::context::CONSTANT;
use crate::signals::hints::{MAX_TAGS, MAX_VALUE};
use crate::signals::table::{self, ValueType};

/// Steps of one evaluation: nodes visited, elements and blocks of bytes copied or compared. A rule as people write them takes ten
/// to fifty; at some 20 ns a step this is two milliseconds at the worst.
const MAX_STEPS: u64 = 50_000;

/// Bytes that are copied or compared in the time of one step.
const BYTES_PER_STEP: u64 = 16;

/// How large a value can be, in bytes, a scalar being one.
#[derive(Clone, Copy)]
enum Size {
    /// A scalar, a text, or what an element is of which only its size is known.
    Flat(u64),
    /// A list or a map of at most `count` elements (or keys, or values), each at most that large.
    Many { count: u64, element: u64 },
}

const SCALAR: Size = Size::Flat(1);

/// A text of which only the limit is known.
const TEXT: Size = Size::Flat(MAX_VALUE as u64);

impl Size {
    fn weight(self) -> u64 {
        match self {
            Size::Flat(weight) => weight,
            Size::Many { count, element } => count.saturating_mul(element),
        }
    }

    /// Of a flat one it is not known how many it holds: as many as it is large.
    fn count(self) -> u64 {
        match self {
            Size::Flat(weight) => weight,
            Size::Many { count, .. } => count,
        }
    }

    fn element(self) -> u64 {
        match self {
            Size::Flat(weight) => weight,
            Size::Many { element, .. } => element,
        }
    }

    /// Steps to copy it.
    fn copy(self) -> u64 {
        let blocks = 1 + self.weight() / BYTES_PER_STEP;
        match self {
            Size::Flat(_) => blocks,
            Size::Many { count, .. } => blocks.saturating_add(count),
        }
    }
}

struct Estimate<'a> {
    constants: &'a [Box<dyn Val>],
    bound: Vec<(&'a str, Size)>,
    steps: u64,
}

/// Refuses a tree whose evaluation could take more than [`MAX_STEPS`].
pub(super) fn check(tree: &IdedExpr, constants: &[Box<dyn Val>]) -> Result<(), ConditionError> {
    let mut estimate = Estimate { constants, bound: Vec::new(), steps: 0 };
    estimate.size(tree, 1);
    if estimate.steps <= MAX_STEPS {
        return Ok(());
    }
    let message = format!(
        "one evaluation could take {} steps, at most {MAX_STEPS} are allowed: nest fewer macros or shorten the lists",
        estimate.steps
    );
    Err(ConditionError::new(0, message))
}

impl<'a> Estimate<'a> {
    fn spend(&mut self, steps: u64, times: u64) {
        self.steps = self.steps.saturating_add(steps.saturating_mul(times));
    }

    /// The size of what `expr` yields; adds what `times` evaluations of it cost.
    fn size(&mut self, expr: &'a IdedExpr, times: u64) -> Size {
        self.spend(1, times);
        match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => Size::Flat(text.inner().len() as u64),
            Expr::Literal(LiteralValue::Bytes(bytes)) => Size::Flat(bytes.inner().len() as u64),
            Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => SCALAR,
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.size(&select.operand, times),
            Expr::List(list) => self.collection(list.elements.iter(), list.elements.len(), times),
            Expr::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                    EntryExpr::StructField(_) => None,
                });
                self.collection(entries.flatten(), map.entries.len(), times)
            }
            Expr::Call(call) => {
                let parts = call.target.iter().map(|target| &**target).chain(&call.args);
                let sizes: Vec<Size> = parts.map(|part| self.size(part, times)).collect();
                self.called(&call.func_name, &sizes, times)
            }
            Expr::Comprehension(c) => {
                let range = self.size(&c.iter_range, times);
                let start = self.size(&c.accu_init, times);
                let rounds = times.saturating_mul(range.count());
                let element = Size::Flat(range.element());
                // Each element is copied for the name that it is bound to.
                self.spend(element.copy(), rounds);
                self.bound.push((&c.accu_var, start));
                self.bound.push((&c.iter_var, element));
                self.size(&c.loop_cond, rounds);
                let step = self.size(&c.loop_step, rounds);
                self.bound.truncate(self.bound.len().saturating_sub(2));
                // `map` and `filter` append one element a round.
                Size::Many { count: range.count(), element: step.element() }
            }
        }
    }

    fn variable(&self, name: &str) -> Size {
        if let Some((_, size)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return *size;
        }
        if let Some(index) = name.strip_prefix(CONSTANT) {
            let constant = index.parse().ok().and_then(|index: usize| self.constants.get(index));
            return constant.map_or(SCALAR, |value| size_of(value.as_ref()));
        }
        let text = MAX_VALUE as u64;
        match table::find(name).map(|signal| signal.value) {
            Some(ValueType::Text) => TEXT,
            Some(ValueType::TextList) => Size::Many { count: 4, element: 8 },
            Some(ValueType::TextMap) => Size::Many { count: MAX_TAGS as u64, element: text },
            _ => SCALAR,
        }
    }

    fn collection(&mut self, parts: impl Iterator<Item = &'a IdedExpr>, elements: usize, times: u64) -> Size {
        let element = parts.map(|part| self.size(part, times).weight()).max().unwrap_or(0);
        let made = Size::Many { count: elements as u64, element };
        self.spend(made.copy(), times);
        made
    }

    fn called(&mut self, name: &str, sizes: &[Size], times: u64) -> Size {
        let first = sizes.first().copied().unwrap_or(SCALAR);
        match (name, sizes) {
            (op::ADD, [a, b]) => {
                let sum = match (a, b) {
                    (Size::Flat(a), Size::Flat(b)) => Size::Flat(a.saturating_add(*b)),
                    _ => {
                        Size::Many { count: a.count().saturating_add(b.count()), element: a.element().max(b.element()) }
                    }
                };
                self.spend(sum.copy(), times);
                sum
            }
            (op::CONDITIONAL, [_, a, b]) => match (a, b) {
                (Size::Flat(a), Size::Flat(b)) => Size::Flat(*a.max(b)),
                _ => Size::Many { count: a.count().max(b.count()), element: a.element().max(b.element()) },
            },
            (op::INDEX, _) => Size::Flat(first.element()),
            ("string", _) => TEXT,
            // Comparing and searching read what they are given.
            _ => {
                self.spend(sizes.iter().map(|size| size.copy()).fold(0, u64::saturating_add), times);
                SCALAR
            }
        }
    }
}

/// The size of a constant.
fn size_of(value: &dyn Val) -> Size {
    let Some(elements) = value.as_iterable() else { return SCALAR };
    let mut elements = elements.iter();
    let (mut count, mut largest) = (0, 1);
    while let Some(element) = elements.next() {
        count += 1;
        let text: Option<&str> = element.try_into().ok();
        largest = largest.max(text.map_or(1, str::len) as u64);
    }
    Size::Many { count, element: largest }
}

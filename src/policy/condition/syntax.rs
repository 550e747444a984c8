//! From an expression's text to its tree, and the parser's complaints in an operator's words.
//!
//! What a reader could get wrong: the parser recurses with the text, and a stack overflow cannot be caught. So the text is at most
//! [`MAX_TEXT`] long, it is parsed on a thread whose stack is large enough for any such text, and what is deeper than [`MAX_DEPTH`]
//! is dropped on that thread too: nobody else ever walks a deep tree.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::parser::{ParseError, Parser};

use super::ConditionError;

/// Bytes of an expression. Longer ones are lists that belong into tags or into several rules.
pub(super) const MAX_TEXT: usize = 4096;

/// Levels of the tree. The interpreter recurses with it on a request's stack, 32 KiB a level in an unoptimised build. Alternatives
/// joined by `||` do not count one by one: the parser balances them.
const MAX_DEPTH: usize = 24;

/// Enough for the deepest tree that `MAX_TEXT` can write (2,047 sums in one another), eight times over, in an unoptimised build.
const PARSER_STACK: usize = 64 << 20;

/// The tree of `text` and where its nodes stand, in characters.
pub(super) fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
    if text.trim().is_empty() {
        return Err(ConditionError::new(0, "the condition is empty: leave `when` out to match every request"));
    }
    if text.len() > MAX_TEXT {
        let message = format!("the condition has {} bytes, at most {MAX_TEXT} are allowed", text.len());
        return Err(ConditionError::new(0, message));
    }
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("condition-parser".into()).stack_size(PARSER_STACK).spawn_scoped(
            scope,
            || {
                let (tree, places) = Parser::new()
                    .enable_optional_syntax(false)
                    .parse_with_source_info(text)
                    .map_err(|errors| translate(text, &errors.errors))?;
                if depth(&tree) > MAX_DEPTH { Err(too_deep()) } else { Ok((tree, places)) }
            },
        );
        match parser.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(parsed)) => parsed,
            // A bug of the parser; it stays an error of this one rule.
            Ok(Err(_panic)) => Err(ConditionError::new(0, "the expression cannot be parsed: write it more simply")),
            Err(_spawn) => Err(ConditionError::new(0, "no thread could be started to parse the expression")),
        }
    })
}

fn too_deep() -> ConditionError {
    let message = format!("the expression is nested more than {MAX_DEPTH} levels deep: split it into several rules");
    ConditionError::new(0, message)
}

/// Levels of a tree.
fn depth(expr: &IdedExpr) -> usize {
    1 + children(expr).map(depth).max().unwrap_or(0)
}

/// The direct parts of an expression.
pub(super) fn children(expr: &IdedExpr) -> impl Iterator<Item = &IdedExpr> {
    let parts: Vec<&IdedExpr> = match &expr.expr {
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).collect(),
        Expr::Select(select) => vec![&*select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(made) => made.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    };
    parts.into_iter()
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// The first of the parser's errors that says something. ANTLR reports the place as line and column, and lists every token that
/// it would have taken, which helps nobody.
fn translate(text: &str, errors: &[ParseError]) -> ConditionError {
    let telling = |error: &&ParseError| !error.msg.starts_with("Incomplete") && !error.msg.starts_with("No `");
    let Some(error) = errors.iter().find(telling).or(errors.first()) else {
        return ConditionError::new(0, "the expression cannot be parsed");
    };
    let at = offset(text, error.pos);
    let said = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    if said.contains("Recursion limit") {
        return too_deep();
    }
    if let Some(rest) = said.strip_prefix("token recognition error at: '") {
        return ConditionError::new(at, unreadable(rest.strip_suffix('\'').unwrap_or(rest)));
    }
    let quoted = |prefix: &str| said.strip_prefix(prefix).and_then(|rest| rest.split('\'').next());
    if let Some(token) = quoted("mismatched input '")
        .or_else(|| quoted("extraneous input '"))
        .or_else(|| quoted("no viable alternative at input '"))
    {
        return ConditionError::new(at, unexpected(text, at, token));
    }
    if let Some(token) = quoted("missing '") {
        return ConditionError::new(at, format!("a `{token}` is missing here"));
    }
    let message = match said {
        "invalid argument to has() macro" => "has() takes a field, such as has(tags.team)".into(),
        "argument must be a simple name" => "the first argument must be a name for the element, such as x".into(),
        "invalid int literal" => "this is no int of 64 bits".into(),
        "invalid uint literal" => "this is no uint of 64 bits".into(),
        "invalid double literal" => "this is no double".into(),
        _ => match said.strip_prefix("reserved identifier: ") {
            Some(word) => format!("`{word}` is a reserved word of CEL"),
            None if telling(&error) => lower_first(said),
            None => "the expression is incomplete".into(),
        },
    };
    ConditionError::new(at, message)
}

/// The lexer could not read this.
fn unreadable(found: &str) -> String {
    match found.trim_end() {
        quoted if quoted.starts_with(['\'', '"']) => "this string is not closed, or has an unknown escape".into(),
        "=" => "`=` is no operator: write `==` to compare".into(),
        "&" => "`&` is no operator: write `&&`".into(),
        "|" => "`|` is no operator: write `||`".into(),
        other => format!("unexpected `{}`", other.escape_debug()),
    }
}

/// The parser had no use for this token.
fn unexpected(text: &str, at: usize, token: &str) -> String {
    let before: String = text.chars().take(at).collect();
    match token {
        "<EOF>" => "the expression ends too early".into(),
        "and" | "AND" => "`and` is no operator: write `&&`".into(),
        "or" | "OR" => "`or` is no operator: write `||`".into(),
        _ if before.trim_end().ends_with("not") => "`not` is no operator: write `!`".into(),
        _ => format!("unexpected `{}`", token.escape_debug()),
    }
}

/// ANTLR's line (from 1) and column (from 1) as an offset in characters.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let lines_before = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(lines_before).map(|line| line.chars().count()).sum();
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
    (before + column).min(text.chars().count())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

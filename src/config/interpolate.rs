//! `${NAME}` and `${NAME:-default}` in values, `$$` for a dollar.
//!
//! What a reader could get wrong: the YAML is parsed before anything is put in, so that a value from the environment can never
//! become a key or a list. But `${NAME}` holds characters that end a plain scalar inside `[…]` and `{…}`; so they are replaced by
//! private characters of the same width before parsing ([`protect`]) and put back in each scalar ([`unprotect`]): columns stay true.

use std::collections::HashSet;

use super::document::{Document, Node, Scalar, Value};
use super::problem::{Position, Problem, quoted};

/// ASCII characters of a `${…}` are moved up here while YAML is parsed: plane 16 is for private use, nobody writes it.
const PRIVATE: u32 = 0x10_F000;

/// Hides the `${…}` of a text from the YAML parser. `None`, with a problem, where the text has such private characters itself.
pub fn protect(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    for (line, content) in text.lines().enumerate() {
        if let Some(col) = content.chars().position(|c| unmoved(c) != c) {
            let at = Position { line: line + 1, col: col + 1 };
            problems
                .push(Problem::error(at, "a character for private use (U+10F000 to U+10F07F)").with_hint("remove it"));
            return None;
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        // `$${…}` is an escape, and hidden as well: its braces would end a plain scalar just the same.
        let begins = rest.starts_with("${") || rest.starts_with("$${");
        let end = rest.find(['}', '\n']).filter(|end| begins && rest.as_bytes()[*end] == b'}');
        if let Some(end) = end {
            out.extend(rest[..=end].chars().map(moved));
            rest = &rest[end + 1..];
        } else {
            let plain = if rest.starts_with("$$") { 2 } else { 1 };
            out.push_str(&rest[..plain]);
            rest = &rest[plain..];
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Puts back what [`protect`] hid.
pub fn unprotect(text: &str) -> String {
    text.chars().map(unmoved).collect()
}

fn moved(c: char) -> char {
    if c.is_ascii() { char::from_u32(PRIVATE + c as u32).unwrap_or(c) } else { c }
}

fn unmoved(c: char) -> char {
    match (c as u32).checked_sub(PRIVATE) {
        Some(ascii) if ascii < 128 => char::from_u32(ascii).unwrap_or(c),
        _ => c,
    }
}

/// Where a variable's value comes from: the environment, or a table in tests.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Replaces every `${…}` in the document's values (keys stay as they are). Gives back the ids of the nodes where that failed: what
/// follows shall not complain about their values once more.
pub fn interpolate(document: &mut Document, lookup: &Lookup<'_>, problems: &mut Vec<Problem>) -> HashSet<u32> {
    fn walk(node: &mut Node, lookup: &Lookup<'_>, problems: &mut Vec<Problem>, failed: &mut HashSet<u32>) {
        let (id, at) = (node.id, node.at);
        match &mut node.value {
            Value::Scalar(scalar) => {
                if let Err(problem) = replace(scalar, at, lookup) {
                    problems.push(problem);
                    failed.insert(id);
                }
            }
            _ => node.children_mut().for_each(|child| walk(child, lookup, problems, failed)),
        }
    }
    let mut failed = HashSet::new();
    walk(&mut document.root, lookup, problems, &mut failed);
    failed
}

fn replace(scalar: &mut Scalar, at: Position, lookup: &Lookup<'_>) -> Result<(), Problem> {
    if !scalar.text.contains('$') {
        return Ok(());
    }
    let text = std::mem::take(&mut scalar.text);
    let mut rest = text.as_str();
    while let Some(dollar) = rest.find('$') {
        scalar.text.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$$") {
            scalar.text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let Some((inner, after)) = after.split_once('}') else {
                let hint = "close it with `}`, or write `$$` for a dollar";
                return Err(Problem::error(at, "`${` without its `}`").with_hint(hint));
            };
            variable(scalar, inner, at, lookup)?;
            rest = after;
        } else {
            scalar.text.push('$');
            rest = &rest[1..];
        }
    }
    scalar.text.push_str(rest);
    Ok(())
}

/// `inner` is what stands between the braces.
fn variable(scalar: &mut Scalar, inner: &str, at: Position, lookup: &Lookup<'_>) -> Result<(), Problem> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid || default.is_some_and(|default| default.contains("${")) {
        let hint = "write ${NAME} or ${NAME:-default}: the name of letters, digits and `_`, the default without `${`";
        return Err(
            Problem::error(at, format!("{} is not a variable", quoted(&format!("${{{name}}}")))).with_hint(hint)
        );
    }
    scalar.variables.push(name.to_owned());
    // As in a shell, the default of `:-` also stands in for a variable that is set and empty.
    match (lookup(name), default) {
        (Some(value), None) => scalar.text.push_str(&value),
        (Some(value), Some(_)) if !value.is_empty() => scalar.text.push_str(&value),
        (_, Some(default)) => scalar.text.push_str(default),
        (None, None) => {
            let hint = format!("set it, or give a default: ${{{name}:-…}}");
            return Err(Problem::error(at, format!("environment variable `{name}` is not set")).with_hint(hint));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

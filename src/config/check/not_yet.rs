//! What the configuration language has and this version does not do.
//!
//! What a reader could get wrong: these are refused, not ignored, so that nobody believes himself protected. Whoever builds one
//! takes its row out of the table here.

use super::Checker;
use crate::config::document::{Node, Value};

/// A path (`*` is any key or item), the value concerned (none: any), and what it would do.
const TABLE: &[(&[&str], Option<&str>, &str)] = &[
    (&["telemetry", "otlp"], None, "send traces to a collector"),
    (&["upstreams", "*", "discover"], None, "find the nodes by name; list them under `nodes`"),
    (&["upstreams", "*", "kind"], Some("anthropic"), "speak Anthropic's protocol to the provider"),
    (&["upstreams", "*", "kind"], Some("gemini"), "speak Gemini's protocol to the provider"),
    (&["upstreams", "*", "kind"], Some("bedrock"), "speak Bedrock's protocol to the provider"),
];

pub fn check(checker: &mut Checker<'_>) {
    for (path, value, does) in TABLE {
        visit(&checker.input.document.root, path, &mut |node| {
            let name = path.last().copied().unwrap_or_default();
            let (what, remedy) = match value {
                Some(value) => (format!("`{name}: {value}`"), "choose another"),
                None => (format!("`{name}`"), "remove it"),
            };
            if is_set(node, *value) {
                checker.error_at_name(node, format!("{what} is not available yet: it would {does}"), remedy);
            }
        });
    }
}

/// Calls `found` with every node that the path leads to.
fn visit<'n>(node: &'n Node, path: &[&str], found: &mut dyn FnMut(&'n Node)) {
    let Some((first, rest)) = path.split_first() else { return found(node) };
    for (key, child) in node.children() {
        if *first == "*" || key == Some(first) {
            visit(child, rest, found);
        }
    }
}

/// Whether something stands there: nothing and empty text count as absent.
fn is_set(node: &Node, wanted: Option<&str>) -> bool {
    match (&node.value, wanted) {
        _ if node.is_null() => false,
        (Value::Scalar(scalar), Some(wanted)) => scalar.text.trim() == wanted,
        (Value::Scalar(scalar), None) => !scalar.text.is_empty(),
        (_, wanted) => wanted.is_none(),
    }
}

//! Routes: names that mean one thing, rules that can be reached, targets that exist, conditions that compile.
//!
//! What a reader could get wrong: a client may ask for routes, aliases and models by name, so these share one name space.

use std::collections::HashMap;

use super::{Checker, decoded_items, shares, shown};
use crate::config::document::{Node, Value};
use crate::config::file::{Route, Rule, Try};
use crate::config::problem::{Position, Problem, quoted};

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let section = document.get(&["routes"]);
    for (key, node) in section.into_iter().flat_map(Node::children) {
        let Some((name, route)) = key.and_then(|key| file.routes.get_key_value(key)) else { continue };
        checker.name(node, node.name_at(), "route", name);
        if checker.keys("models").contains(&name.as_str()) {
            let hint = "clients ask for both by name: rename one";
            checker.error_at_name(node, format!("route {} has the name of a model", quoted(name)), hint);
        }
        rules(checker, node, route);
    }
    aliases(checker);
}

fn aliases(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let mut seen: HashMap<&str, Position> = HashMap::new();
    for (key, node) in document.get(&["routes"]).into_iter().flat_map(Node::children) {
        let Some(route) = key.and_then(|key| file.routes.get(key)) else { continue };
        let items = decoded_items(node.get("aliases"), checker.input.silent);
        for (item, alias) in items.into_iter().zip(&route.aliases) {
            let taken = if let Some(first) = seen.get(alias.as_str()) {
                format!("is given twice, first on line {}", first.line)
            } else if checker.keys("routes").contains(&alias.as_str()) {
                "is the name of a route".into()
            } else if checker.keys("models").contains(&alias.as_str()) {
                "is the name of a model".into()
            } else if alias.is_empty() || alias.len() > 256 || alias.chars().any(char::is_control) {
                "is no name: it must have 1 to 256 characters".into()
            } else {
                seen.insert(alias, item.at);
                continue;
            };
            checker.error(
                item,
                format!("alias {} {taken}", shown(item)),
                "a name leads to one place: rename or remove it",
            );
        }
    }
}

fn rules(checker: &mut Checker<'_>, node: &Node, route: &Route) {
    let list = node.get("rules");
    if list.is_none_or(|list| list.is_null() || list.children().next().is_none()) {
        checker.error_at_name(node, "a route needs rules", "add `rules: [{name: all, try: [MODEL]}]`");
    }
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut all: Option<&str> = None;
    for (item, rule) in decoded_items(list, checker.input.silent).into_iter().zip(&route.rules) {
        if let Some(name_node) = item.get("name") {
            checker.name(name_node, name_node.at, "rule", &rule.name);
            if let Some(first) = names.insert(&rule.name, name_node.at.line) {
                let hint = format!("the first is on line {first}; headers and metrics tell rules apart by name");
                checker.error(name_node, format!("rule name {} is given twice", shown(name_node)), hint);
            }
        }
        if let Some(first) = all {
            let hint = format!("move it up, or give {} a `when`", quoted(first));
            let message = format!("this rule is never reached: {} before it matches all", quoted(first));
            checker.error(item, message, hint);
        }
        targets(checker, item, rule);
        shares::split(checker, item, rule);
        shares::shadow(checker, item, rule);
        condition(checker, item, rule);
        if all.is_none() && item.get("when").is_none() {
            all = Some(&rule.name);
        }
    }
}

fn targets(checker: &mut Checker<'_>, node: &Node, rule: &Rule) {
    let list = node.get("try");
    let is_empty = |list: Option<&Node>| list.is_none_or(|list| list.is_null() || list.children().next().is_none());
    if is_empty(list) && is_empty(node.get("split")) {
        checker.error(node, format!("rule {} has no targets", quoted(&rule.name)), "add `try: [MODEL]`");
    }
    let mut seen = HashMap::new();
    let count = rule.targets.len();
    for (index, (item, target)) in decoded_items(list, checker.input.silent).into_iter().zip(&rule.targets).enumerate()
    {
        // In a split, others may follow whatever stands last here.
        confidence(checker, item, target, index + 1 == count && rule.split.is_empty());
        let item = item.get("model").unwrap_or(item);
        if !matches!(item.value, Value::Scalar(_)) || !checker.refers(item, "model", "models", target.model()) {
            continue;
        }
        if seen.insert(target.model(), ()).is_some() {
            checker.error(item, format!("target {} is given twice", shown(item)), "remove one: a target is tried once");
        }
    }
}

/// A bound that can be met, on a target that somebody follows.
fn confidence(checker: &mut Checker<'_>, node: &Node, target: &Try, is_last: bool) {
    let (Some(item), Some(bound)) = (node.get("min_confidence"), target.min_confidence()) else { return };
    if !(0.0..=1.0).contains(&bound) {
        let message = format!("min_confidence {} is not from 0 to 1", shown(item));
        checker.error(item, message, "0.4 is a good start: hardly any fluent answer falls below it");
    } else if is_last {
        let message =
            format!("{} is the last target: its answers are given whatever their confidence", quoted(target.model()));
        checker.warning(item, message, "add a target behind it, or remove `min_confidence`");
    }
}

fn condition(checker: &mut Checker<'_>, node: &Node, rule: &Rule) {
    let Some(item) = node.get("when") else { return };
    if item.is_null() || rule.when.as_deref().is_some_and(|when| when.trim().is_empty()) {
        // Not taken as absent: an empty variable must not turn a condition into one that matches all.
        checker.error_at_name(item, "`when` is empty", "remove it if the rule shall match all requests");
    } else if let Some(when) = &rule.when
        && let Err((offset, message)) = (checker.input.conditions)(when)
        && !checker.input.silent.contains(&item.id)
    {
        // The compiler's message quotes the expression.
        let message = if super::may_show(item) { message } else { format!("{} is no valid condition", shown(item)) };
        let at = checker.input.document.inside(item, offset);
        checker.findings.problems.push(Problem::error(at, message));
    }
}

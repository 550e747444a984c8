//! `deferred`, and rules that need it (`then: upgrade`).
//!
//! What a reader could get wrong: without the section such a rule would silently do nothing, so it is an error.

use std::time::Duration;

use super::{Checker, decoded_items};
use crate::config::document::Node;
use crate::config::file::{Placement, Rule, Try};
use crate::config::problem::quoted;

/// Less space than this holds next to nothing.
const LEAST: u64 = 1 << 20;
/// `keep` may be longer than other times: answers are fetched when somebody needs them.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    if let (Some(node), Some(deferred)) = (document.get(&["deferred"]), &file.deferred) {
        checker.at_least_one(Some(node), "concurrency", Some(deferred.concurrency.into()));
        checker.at_least_one(Some(node), "max_attempts", Some(deferred.max_attempts.into()));
        checker.at_least_one(Some(node), "max_queued", Some(deferred.max_queued));
        checker.time(Some(node), "expires", Some(deferred.expires.0));
        checker.time(Some(node), "keep", Some(deferred.keep.0.min(YEAR)));
        if let Some(at) = node.get("max_bytes").filter(|_| deferred.max_bytes.0 < LEAST) {
            checker.error(at, "this space holds next to nothing", "write at least 1MiB, or remove it for 10GiB");
        }
    }
    let routes = decoded_items(document.get(&["routes"]), checker.input.silent);
    for (item, route) in routes.into_iter().zip(file.routes.values()) {
        let rules = decoded_items(item.get("rules"), checker.input.silent);
        for (node, rule) in rules.into_iter().zip(&route.rules) {
            upgrade(checker, node, rule);
        }
    }
}

fn upgrade(checker: &mut Checker<'_>, node: &Node, rule: &Rule) {
    let (Some(node), Some(_)) = (node.get("then"), rule.then) else { return };
    let file = checker.input.file;
    if file.deferred.is_none() {
        let hint = "add `deferred: {}` at the top of the file";
        checker.error(node, "`then: upgrade` needs a queue for the cloud's answer", hint);
    }
    let names = rule.targets.iter().map(Try::model).chain(rule.split.keys().map(String::as_str));
    let upstreams = names.filter_map(|name| file.upstreams.get(&file.models.get(name)?.upstream));
    let places: Vec<Placement> = upstreams.map(|upstream| upstream.placement).collect();
    for (placement, missing) in
        [(Placement::Edge, "at the edge to answer"), (Placement::Cloud, "in the cloud to follow")]
    {
        if !places.contains(&placement) {
            let message = format!("rule {} has no model {missing}", quoted(&rule.name));
            checker.error(node, message, "add one to `try`, or remove `then`");
        }
    }
}

//! `split` and `shadow`: models that exist, weights and samples that are shares.
//!
//! What a reader could get wrong: weights need not add up to 100, or to anything; each counts against their sum.

use super::{Checker, shown};
use crate::config::document::Node;
use crate::config::file::Rule;
use crate::config::problem::{listed, nearest, quoted};

pub fn split(checker: &mut Checker<'_>, node: &Node, rule: &Rule) {
    let Some(list) = node.get("split").filter(|list| !list.is_null()) else { return };
    let mut positive = 0;
    let mut doubtful = false;
    for (name, item) in list.children() {
        let Some((name, weight)) = name.and_then(|name| rule.split.get_key_value(name)) else {
            // Its weight could not be read, which has been told.
            doubtful = true;
            continue;
        };
        member(checker, item, name);
        if weight.is_finite() && *weight >= 0.0 {
            positive += usize::from(*weight > 0.0);
        } else {
            doubtful = true;
            let hint = "write a number from 0 up: it counts against the sum of all";
            checker.error(item, format!("weight {} is no share", shown(item)), hint);
        }
    }
    if positive == 0 && !doubtful && list.children().next().is_some() {
        let message = format!("the weights of rule {} are all 0: nobody would come first", quoted(&rule.name));
        checker.error_at_name(list, message, "give one of them more than 0");
    }
}

/// A key of `split` must be a model's.
fn member(checker: &mut Checker<'_>, item: &Node, name: &str) {
    let known = checker.keys("models");
    if known.contains(&name) {
        return;
    }
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "add it under `models`".into(),
        None => format!("add it under `models`, or use one of {}", listed(known.iter().copied())),
    };
    checker.error_at_name(item, format!("no model is named {}", quoted(name)), hint);
}

pub fn shadow(checker: &mut Checker<'_>, node: &Node, rule: &Rule) {
    let (Some(section), Some(shadow)) = (node.get("shadow"), &rule.shadow) else { return };
    if let Some(item) = section.get("model") {
        checker.refers(item, "model", "models", &shadow.model);
        let others = |name: &str| name != shadow.model;
        let tried = rule.targets.iter().any(|target| others(target.model()));
        let split = rule.split.iter().any(|(name, weight)| others(name) && *weight > 0.0);
        if !tried && !split {
            let message = format!("{} is the only model of the rule: it would be compared with itself", shown(item));
            checker.error(item, message, "name another model, or remove `shadow`");
        }
    }
    if let Some(item) = section.get("sample")
        && !(0.0..=1.0).contains(&shadow.sample)
    {
        checker.error(
            item,
            format!("{} is no share of requests", shown(item)),
            "write a number from 0 to 1: 0.01 is one in a hundred",
        );
    }
}

/// Where easy ends and hard begins, of a tenant or an app.
pub fn threshold(checker: &mut Checker<'_>, node: &Node, threshold: Option<f64>) {
    if let (Some(item), Some(threshold)) = (node.get("threshold"), threshold)
        && !(0.0..=1.0).contains(&threshold)
    {
        let hint = "write a number from 0 to 1: prompts of less difficulty count as easy";
        checker.error(item, format!("{} is no threshold", shown(item)), hint);
    }
}

//! Thresholds and difficulty models: one way to find a threshold, numbers that are shares, bounds that leave room.
//!
//! What a reader could get wrong: whether a model's or calibration's file can be used is judged where it is read (`config/attach.rs`).

use super::{Checker, shown};
use crate::config::document::Node;
use crate::config::file::{Route, Threshold, ThresholdWith};

/// The ways to find a threshold.
const WAYS: [&str; 4] = ["fixed", "target_quality", "max_cloud_share", "budget"];

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    for (key, node) in document.get(&["routes"]).into_iter().flat_map(Node::children) {
        let Some(route) = key.and_then(|key| file.routes.get(key)) else { continue };
        let Some(item) = node.get("threshold").filter(|item| !item.is_null()) else { continue };
        match &route.threshold {
            Some(Threshold::Fixed(number)) => share(checker, item, *number),
            Some(Threshold::With(with)) => one(checker, item, with),
            None => {}
        }
        reads(checker, item, route);
    }
    if let Some(node) = document.get(&["difficulty_model"]) {
        model(checker, node);
    }
}

fn one(checker: &mut Checker<'_>, node: &Node, with: &ThresholdWith) {
    let given: Vec<&str> = WAYS.into_iter().filter(|way| node.get(way).is_some_and(|item| !item.is_null())).collect();
    if given.len() != 1 {
        let message = match given.as_slice() {
            [] => "`threshold` does not say how it is found".to_owned(),
            all => format!("`threshold` is found in {} ways: {}", all.len(), all.join(", ")),
        };
        let hint =
            "give one of `fixed`, `target_quality`, `max_cloud_share` and `budget`; bounds and `pressure` go with any";
        checker.error(node, message, hint);
    }
    let shares = [
        ("fixed", with.fixed),
        ("target_quality", with.target_quality),
        ("max_cloud_share", with.max_cloud_share),
        ("min", with.min),
        ("max", with.max),
        ("pressure", with.pressure),
    ];
    for (key, value) in shares {
        if let (Some(item), Some(value)) = (node.get(key), value) {
            share(checker, item, value);
        }
    }
    if let (Some(min), Some(max)) = (with.min, with.max)
        && let Some(item) = node.get("min")
        && min > max
    {
        checker.error(item, format!("`min` {min} is above `max` {max}"), "exchange them");
    }
    if let (Some(item), None) = (node.get("calibration"), with.target_quality) {
        checker.error(item, "`calibration` says what `target_quality` needs, which is not given", "remove it");
    }
    if let (Some(item), Some(pace)) = (node.get("budget").and_then(|budget| budget.get("usd")), &with.budget)
        && pace.usd <= 0.0
    {
        checker.error(item, format!("{} US dollars is no budget", shown(item)), "write a number above 0");
    }
}

/// A share, a probability: 0 to 1.
pub fn share(checker: &mut Checker<'_>, node: &Node, value: f64) {
    if !(0.0..=1.0).contains(&value) {
        checker.error(node, format!("{} is not between 0 and 1", shown(node)), "write a share such as 0.2");
    }
}

/// A threshold that no rule compares with anything changes nothing.
fn reads(checker: &mut Checker<'_>, node: &Node, route: &Route) {
    let conditions = route.rules.iter().filter_map(|rule| rule.when.as_deref());
    let mut words = conditions.flat_map(|when| when.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    if !words.any(|word| word == "threshold") {
        let hint = "add a rule such as `when: difficulty < threshold`, or remove it";
        checker.warning(node, "no rule of the route reads `threshold`: it decides nothing", hint);
    }
}

fn model(checker: &mut Checker<'_>, node: &Node) {
    let Some(crate::config::file::DifficultyModel::With(with)) = &checker.input.file.difficulty_model else { return };
    if let (Some(item), Some(value)) = (node.get("share"), with.share) {
        share(checker, item, value);
    }
    if let (Some(item), None) = (node.get("share"), &with.candidate) {
        checker.error(item, "`share` is the candidate's, and there is none", "add `candidate: FILE`, or remove it");
    }
}

//! Models: the upstream they run on, and figures that make sense.
//!
//! What a reader could get wrong: a model that has retired is a warning. The file was right when it was written, and must not keep
//! the gateway from starting; requests are kept from the model by a constraint.

use super::{Checker, prices, shown};
use crate::config::document::{Node, Value};
use crate::config::file::Model;

/// As long as a provider's usual notice.
const WARN_DAYS: i32 = 90;

pub fn check(checker: &mut Checker<'_>) {
    let section = checker.input.document.get(&["models"]);
    for (key, node) in section.into_iter().flat_map(Node::children) {
        let Some((name, model)) = key.and_then(|key| checker.input.file.models.get_key_value(key)) else { continue };
        checker.name(node, node.name_at(), "model", name);
        one(checker, node, name, model);
    }
}

fn one(checker: &mut Checker<'_>, node: &Node, name: &str, model: &Model) {
    if let Some(item) = node.get("upstream") {
        checker.refers(item, "upstream", "upstreams", &model.upstream);
    }
    checker.at_least_one(Some(node), "context", model.context);
    checker.at_least_one(Some(node), "max_output", model.max_output);
    if let (Some(item), Some(most), Some(context)) = (node.get("max_output"), model.max_output, model.context)
        && most > context
    {
        let hint = format!("write at most {context}, or correct `context`: it holds prompt and answer");
        checker.error(item, format!("{} tokens of answer do not fit into the context", shown(item)), hint);
    }
    if let (Some(item), Some(id)) = (node.get("id"), &model.id)
        && (id.is_empty() || id.chars().any(char::is_control))
    {
        checker.error(
            item,
            format!("{} is no model's name", shown(item)),
            "remove `id` if the upstream knows it by this entry's key",
        );
    }
    if let Some(item) = node.get("modalities")
        && matches!(&item.value, Value::List(items) if items.is_empty())
    {
        checker.error(item, "`modalities` lists none: the model would take nothing in", "write [text], or remove it");
    }
    prices::check(checker, node, name, model);
    if let (Some(item), Some(day)) = (node.get("retires_on"), model.retires_on) {
        let left = (day - checker.input.today).get_days();
        if left < 0 {
            let message = format!("model `{name}` retired on {day}: requests are no longer sent to it");
            checker.warning(item, message, "replace it");
        } else if left <= WARN_DAYS {
            checker.warning(item, format!("model `{name}` retires in {left} days, on {day}"), "replace it in time");
        }
    }
}

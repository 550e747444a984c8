//! Prices: figures that can be meant, and what a model's cost is worked out from, in a line of the start-up log.
//!
//! What a reader could get wrong: the bounds are far above anything that has been charged. They find a decimal point or a unit that
//! went astray (dollars per token, watts as kilowatts), not a bad deal.

use std::collections::HashMap;

use super::{Checker, decoded_items, shown};
use crate::config::document::{Node, Value};
use crate::config::file::{File, Model, Placement, Price, Pricing};
use crate::config::price_list::{self, Source};
use crate::config::problem::quoted;

/// US dollars per million tokens: sixteen times the dearest ever listed.
const MOST_TOKENS: f64 = 10_000.0;
/// Less per million tokens is a price per token or per thousand.
const LEAST_TOKENS: f64 = 0.000_1;
const TOKENS: &str = "write US dollars per million tokens";

/// A key, its value if it is given, the most that it can be, and what to write.
fn figures(price: &Price) -> [(&'static str, Option<f64>, f64, &'static str); 13] {
    [
        ("input", Some(price.input), MOST_TOKENS, TOKENS),
        ("output", Some(price.output), MOST_TOKENS, TOKENS),
        ("cached_input", price.cached_input, MOST_TOKENS, TOKENS),
        ("cache_write", price.cache_write, MOST_TOKENS, TOKENS),
        ("reasoning", price.reasoning, MOST_TOKENS, TOKENS),
        ("audio_input", price.audio_input, MOST_TOKENS, TOKENS),
        ("audio_output", price.audio_output, MOST_TOKENS, TOKENS),
        ("image", price.image, 100.0, "write US dollars per image"),
        ("per_request", price.per_request, 1_000.0, "write US dollars per answer"),
        ("per_node_hour", price.per_node_hour, 10_000.0, "write US dollars for an hour of one node"),
        ("watts", price.watts, 100_000.0, "write what one node draws, in watts"),
        ("usd_per_kwh", price.usd_per_kwh, 100.0, "write US dollars for a kilowatt-hour"),
        ("g_co2_per_kwh", price.g_co2_per_kwh, 10_000.0, "write grams of CO2 for a kilowatt-hour; coal has about 1000"),
    ]
}

pub fn check(checker: &mut Checker<'_>, model_node: &Node, name: &str, model: &Model) {
    let (Some(node), Some(pricing)) = (model_node.get("price"), &model.price) else { return };
    match (pricing, &node.value) {
        (Pricing::List, _) => listed(checker, model_node, node, name, model),
        (Pricing::Own(prices), Value::List(_)) => dated(checker, node, prices),
        (Pricing::Own(prices), _) => {
            if let Some(price) = prices.first() {
                one(checker, node, price);
            }
        }
    }
}

/// `price: list` is a demand.
fn listed(checker: &mut Checker<'_>, model_node: &Node, node: &Node, name: &str, model: &Model) {
    let Some(upstream) = checker.input.file.upstreams.get(&model.upstream) else { return };
    if price_list::source(name, model, upstream) == Source::Unknown {
        let id = model_node.get("id").filter(|id| !id.is_null()).map_or_else(|| quoted(name), shown);
        let message = format!("no list price is known of {id} at this upstream");
        checker.error(node, message, "write `price: {input: …, output: …}` in US dollars per million tokens");
    }
}

fn dated(checker: &mut Checker<'_>, node: &Node, prices: &[Price]) {
    let items = decoded_items(Some(node), checker.input.silent);
    if node.children().next().is_none() {
        checker.error(node, "`price` lists none", "write `{input: …, output: …}`, or remove it");
    }
    let mut seen = HashMap::new();
    for (item, price) in items.iter().zip(prices) {
        one(checker, item, price);
        // Complained about already, and a stand-in.
        if item.is_null() || item.get("from").is_some_and(|from| checker.input.silent.contains(&from.id)) {
            continue;
        }
        if let Some(first) = seen.insert(price.from, item.at.line) {
            let (message, hint) = match price.from {
                Some(day) => (format!("two prices hold from {day}"), format!("the other is on line {first}")),
                None => (
                    "two prices hold since ever".to_owned(),
                    format!("add `from: DAY` to all but one; the other is on line {first}"),
                ),
            };
            checker.error(item, message, hint);
        }
    }
}

fn one(checker: &mut Checker<'_>, node: &Node, price: &Price) {
    if node.is_null() {
        checker.error(node, "a price is empty", "write `{input: …, output: …}`, or remove it");
    }
    for (key, value, most, hint) in figures(price) {
        let (Some(item), Some(value)) = (node.get(key), value) else { continue };
        if value < 0.0 {
            checker.error(item, format!("price {} is below zero", shown(item)), hint);
        } else if value.is_nan() || value > most {
            checker.error(item, format!("{} is no likely `{key}`: more than {most}", shown(item)), hint);
        } else if most == MOST_TOKENS && value > 0.0 && value < LEAST_TOKENS {
            checker.warning(item, format!("{} is next to nothing for a million tokens", shown(item)), hint);
        }
    }
    let given = |key: &str| node.get(key).filter(|item| !item.is_null());
    for key in ["usd_per_kwh", "g_co2_per_kwh"] {
        if let Some(item) = given(key)
            && given("watts").is_none()
        {
            checker.error_at_name(
                item,
                format!("`{key}` has no effect without `watts`"),
                "add what one node draws, in watts",
            );
        }
    }
    if let Some(item) = given("watts")
        && given("usd_per_kwh").is_none()
        && given("g_co2_per_kwh").is_none()
    {
        checker.error_at_name(item, "`watts` has no effect alone", "add `usd_per_kwh`, `g_co2_per_kwh`, or both");
    }
}

/// What each model's cost is worked out from, one line each where that is not the model's own price.
pub fn notes(file: &File, today: jiff::civil::Date) -> Vec<String> {
    let note = |(name, model): (&String, &Model)| {
        let upstream = file.upstreams.get(&model.upstream)?;
        match price_list::source(name, model, upstream) {
            Source::Own(prices) => {
                let first = prices.iter().map(|price| price.from).min().flatten().filter(|first| *first > today)?;
                Some(format!("models.{name}: the cost is unknown until {first}, when its price begins"))
            }
            Source::List(id, _) => Some(format!("models.{name}: list price of {id} as of {}", price_list::AS_OF)),
            Source::Unknown => {
                let remedy = match upstream.placement {
                    Placement::Cloud => "{input: …, output: …}` in US dollars per million tokens",
                    Placement::Edge => {
                        "{per_node_hour: …, watts: …, usd_per_kwh: …}`, or `{input: …, output: …}` in US dollars per million tokens"
                    }
                };
                Some(format!("models.{name}: the cost is unknown; write `price: {remedy}"))
            }
        }
    };
    file.models.iter().filter_map(note).collect()
}

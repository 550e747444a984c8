//! Tenants: keys that can match, names that exist, limits and budgets that make sense.
//!
//! What a reader could get wrong: a hash is checked for its form only; nobody can tell from it whether there is such a key.

use std::collections::HashMap;

use super::{Checker, decoded_items, shares, shown};
use crate::config::document::Node;
use crate::config::file::{App, Budget, Key, Limits, PlacementWish, Privacy, Tenant};
use crate::config::problem::{Position, quoted};

/// Hex digits of a SHA-256.
const HASH_DIGITS: usize = 64;

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let mut hashes = HashMap::new();
    for (key, node) in document.get(&["tenants"]).into_iter().flat_map(Node::children) {
        let Some((name, tenant)) = key.and_then(|key| file.tenants.get_key_value(key)) else { continue };
        checker.name(node, node.name_at(), "tenant", name);
        keys(checker, node, name, tenant, &mut hashes);
        names(checker, node.get("models"), tenant.models.as_deref());
        regions(checker, node, tenant);
        limits(checker, node.get("limits"), &tenant.limits);
        limits(checker, node.get("user_limits"), &tenant.user_limits);
        budget(checker, node, tenant.budget.as_ref());
        shares::threshold(checker, node, tenant.threshold);
        nowhere(checker, node, tenant.privacy, tenant.placement);
        for (app, app_node) in node.get("apps").into_iter().flat_map(Node::children) {
            let Some((app, section)) = app.and_then(|app| tenant.apps.get_key_value(app)) else { continue };
            self::app(checker, app_node, app, section, tenant);
        }
    }
}

fn app(checker: &mut Checker<'_>, node: &Node, name: &str, app: &App, tenant: &Tenant) {
    checker.name(node, node.name_at(), "app", name);
    limits(checker, node.get("limits"), &app.limits);
    budget(checker, node, app.budget.as_ref());
    shares::threshold(checker, node, app.threshold);
    let privacy = app.privacy.unwrap_or_default();
    if let Some(item) = node.get("privacy").filter(|_| app.privacy.is_some() && privacy < tenant.privacy) {
        let hint = format!("an app can only tighten the tenant's `{}`, which stays in force", tenant.privacy.name());
        checker.warning(item, format!("{} loosens nothing", shown(item)), hint);
    }
    match (tenant.placement, app.placement, node.get("placement")) {
        (Some(PlacementWish::OnlyEdge), Some(PlacementWish::OnlyCloud), Some(item))
        | (Some(PlacementWish::OnlyCloud), Some(PlacementWish::OnlyEdge), Some(item)) => {
            let hint = "the tenant's `placement` excludes it: remove one of them";
            checker.error(item, format!("{} leaves the app nowhere to run", shown(item)), hint);
        }
        _ => nowhere(checker, node, privacy.max(tenant.privacy), app.placement),
    }
}

/// `local-only` and `only-cloud` exclude each other.
fn nowhere(checker: &mut Checker<'_>, node: &Node, privacy: Privacy, placement: Option<PlacementWish>) {
    if let (Privacy::LocalOnly, Some(PlacementWish::OnlyCloud), Some(item)) =
        (privacy, placement, node.get("placement"))
    {
        let hint = "`local-only` keeps to the edge: remove one of them";
        checker.error(item, format!("{} leaves nowhere to run", shown(item)), hint);
    }
}

fn keys<'n>(
    checker: &mut Checker<'_>,
    node: &'n Node,
    name: &str,
    tenant: &'n Tenant,
    hashes: &mut HashMap<&'n str, Position>,
) {
    let items = decoded_items(node.get("keys"), checker.input.silent);
    if items.is_empty() && node.get("keys").is_none_or(|keys| keys.children().next().is_none()) {
        let hint = format!("make one with `tidegate keys new --tenant {name}`, and put its `sha256:…` under `keys`");
        checker.error_at_name(node, format!("tenant {} has no keys: nobody could ask in its name", quoted(name)), hint);
    }
    for (item, key) in items.into_iter().zip(&tenant.keys) {
        let at = item.get("hash").unwrap_or(item);
        let hash = key.hash();
        if !is_hash(hash) {
            let hint = if hash.starts_with("sk-") {
                "this is a key itself: take it out of the file, and write its hash, as `tidegate keys new` prints it"
            } else {
                "write `sha256:` and 64 hex digits, as `tidegate keys new` prints them"
            };
            // Not shown: it may be a key.
            checker.error(at, "this is no hash of a key", hint);
        } else if let Some(first) = hashes.insert(hash, at.at) {
            let hint = "a key belongs to one tenant: remove it here or there";
            checker.error(at, format!("this key is listed twice, first on line {}", first.line), hint);
        }
        conditions(checker, item, key, tenant);
    }
}

fn conditions(checker: &mut Checker<'_>, item: &Node, key: &Key, tenant: &Tenant) {
    let Key::With(with) = key else { return };
    names(checker, item.get("models"), with.models.as_deref());
    if let (Some(node), Some(until)) = (item.get("until"), with.until)
        && until < checker.input.today
    {
        checker.warning(node, format!("this key ended on {until}: it is no longer accepted"), "remove it");
    }
    if let (Some(node), Some(app)) = (item.get("app"), &with.app)
        && !tenant.apps.is_empty()
        && !tenant.apps.contains_key(app)
    {
        checker.error(node, format!("the tenant has no app named {}", shown(node)), "add it under `apps`");
    }
}

fn is_hash(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == HASH_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Routes, aliases and models that must exist.
fn names(checker: &mut Checker<'_>, list: Option<&Node>, given: Option<&[String]>) {
    let file = checker.input.file;
    let known = |name: &str| {
        // A passed-through path: `/v1/images`.
        name.starts_with("/v1/")
            || file.routes.contains_key(name)
            || file.models.contains_key(name)
            || file.routes.values().any(|route| route.aliases.iter().any(|alias| alias == name))
    };
    let items = decoded_items(list, checker.input.silent);
    for (item, name) in items.into_iter().zip(given.unwrap_or_default()) {
        if !known(name) {
            let hint = "name routes, their aliases or models, or a passed-through path (/v1/images): what a client may ask for";
            checker.error(item, format!("no route, alias or model is named {}", shown(item)), hint);
        }
    }
}

fn regions(checker: &mut Checker<'_>, node: &Node, tenant: &Tenant) {
    let file = checker.input.file;
    let items = decoded_items(node.get("regions"), checker.input.silent);
    for (item, region) in items.into_iter().zip(tenant.regions.as_deref().unwrap_or_default()) {
        if !file.upstreams.values().any(|upstream| upstream.region.as_ref() == Some(region)) {
            let hint = "give an upstream this `region`, or correct it here";
            checker.warning(item, format!("no upstream is in region {}", shown(item)), hint);
        }
    }
}

fn limits(checker: &mut Checker<'_>, node: Option<&Node>, limits: &Limits) {
    checker.at_least_one(node, "requests_per_minute", limits.requests_per_minute.map(u64::from));
    checker.at_least_one(node, "tokens_per_minute", limits.tokens_per_minute);
    checker.at_least_one(node, "in_flight", limits.in_flight.map(u64::from));
}

fn budget(checker: &mut Checker<'_>, parent: &Node, budget: Option<&Budget>) {
    let (Some(node), Some(budget)) = (parent.get("budget"), budget) else { return };
    /// Nanodollars in 63 bits end at 9.2 billion.
    const MOST: f64 = 1e9;
    if let Some(item) = node.get("usd")
        && !(0.0..=MOST).contains(&budget.usd)
    {
        checker.error(item, format!("{} is no budget", shown(item)), "write US dollars between 0 and 1000000000");
    }
    if let (Some(item), Some(zone)) = (node.get("time_zone"), &budget.time_zone)
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        checker.error(item, format!("{} is no time zone", shown(item)), "write one as Europe/Berlin or UTC");
    }
}

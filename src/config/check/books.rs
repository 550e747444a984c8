//! `ledger`, `audit` and `billing`: stores that are known, figures that make sense.
//!
//! What a reader could get wrong: a database's URL may hold a password, so it is never shown.

use super::Checker;
use crate::config::document::Node;
use crate::config::file::{Billing, Fees, Ledger};

pub fn check(checker: &mut Checker<'_>) {
    ledger(checker);
    audit(checker);
    billing(checker);
}

fn ledger(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let Some(node) = document.get(&["ledger"]) else { return };
    let (store, at) = match &file.ledger {
        Ledger::Default => return,
        Ledger::Text(text) => (Some(text), node),
        Ledger::With(with) => {
            checker.time(Some(node), "keep_hourly", with.keep_hourly.map(|keep| keep.0.min(YEAR)));
            checker.time(Some(node), "keep", with.keep.map(|keep| keep.0.min(YEAR)));
            (with.store.as_ref(), node.get("store").unwrap_or(node))
        }
    };
    let known = |text: &str| {
        matches!(text, "off" | "sqlite" | "") || text.starts_with("postgres://") || text.starts_with("postgresql://")
    };
    if store.is_some_and(|store| !known(store.expose())) {
        checker.error(at, "this is no place for a ledger", "write `sqlite`, `off`, or postgres://USER@HOST/DATABASE");
    }
}

/// Longer ones are allowed here: money is kept for ten years.
const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

fn audit(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let (Some(node), Some(audit)) = (document.get(&["audit"]), &file.audit) else { return };
    checker.at_least_one(Some(node), "checkpoint_every", audit.checkpoint_every.map(u64::from));
    checker.at_least_one(Some(node), "segment_records", audit.segment_records.map(u64::from));
    if let (Some(item), Some(key)) = (node.get("key"), &audit.key) {
        let text = key.expose().trim();
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let hint = "write 64 hex digits (`openssl rand -hex 32`), or remove it and one is made in data_dir";
            checker.error(item, "this is no Ed25519 key", hint);
        }
    }
}

fn billing(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let (Some(node), Some(billing)) = (document.get(&["billing"]), &file.billing) else { return };
    let Billing { per_request, per_gb_redacted, per_cached_hit, execution_fee, privacy_premium, tenants } = billing;
    let own = Fees {
        per_request: Some(*per_request),
        per_gb_redacted: Some(*per_gb_redacted),
        per_cached_hit: Some(*per_cached_hit),
        execution_fee: Some(*execution_fee),
        privacy_premium: Some(*privacy_premium),
    };
    fees(checker, node, &own);
    for (name, item) in node.get("tenants").into_iter().flat_map(Node::children) {
        let Some((name, given)) = name.and_then(|name| tenants.get_key_value(name)) else { continue };
        if !file.tenants.contains_key(name) {
            checker.error_at_name(item, format!("no tenant is named `{name}`"), "add it under `tenants`");
        }
        fees(checker, item, given);
    }
}

fn fees(checker: &mut Checker<'_>, node: &Node, fees: &Fees) {
    let all = [
        ("per_request", fees.per_request),
        ("per_gb_redacted", fees.per_gb_redacted),
        ("per_cached_hit", fees.per_cached_hit),
        ("execution_fee", fees.execution_fee),
        ("privacy_premium", fees.privacy_premium),
    ];
    for (key, value) in all {
        if let (Some(item), Some(value)) = (node.get(key), value)
            && value < 0.0
        {
            checker.error(item, format!("`{key}` is below zero"), "write US dollars, or a share such as 0.05");
        }
    }
}

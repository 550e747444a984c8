//! How a request was decided, as the ledger keeps it: one JSON text per request.
//!
//! What a reader could get wrong: it is made by the thread that writes the books, not by the worker; and there are names of the configuration
//! in it and numbers, never words of a prompt.

use serde_json::{Map, Value, json};

use crate::ledger::entry::Entry;

/// The text; empty where nothing was decided (what is passed through, what was refused at the door).
pub fn text(entry: &Entry<'_>) -> String {
    let decided = &entry.decided;
    if decided.rules.is_empty() && entry.considered.is_empty() {
        return String::new();
    }
    let seen = &entry.seen;
    let mut signals = Map::new();
    let mut put = |name: &str, value: Value| drop(signals.insert(name.to_owned(), value));
    put("input_tokens", seen.input_tokens.into());
    put("max_output_tokens", seen.max_output_tokens.unwrap_or(0).into());
    put("modalities", seen.modalities.split(',').filter(|name| !name.is_empty()).collect());
    put("has_tools", seen.has_tools.into());
    put("turns", seen.turns.into());
    put("hint.placement", seen.hint_placement.into());
    put("edge.load", share(decided.edge_load));
    put("cloud.pressure", share(decided.cloud_pressure));
    if let Some(difficulty) = entry.difficulty {
        put("difficulty", share(difficulty));
        put("threshold", share(entry.threshold.unwrap_or_default()));
    }
    if let Some(fresh) = decided.needs_fresh_knowledge {
        put("needs_fresh_knowledge", share(fresh));
    }
    let rules = decided.rules.split(',').filter_map(|rule| {
        let (name, verdict) = rule.rsplit_once('=')?;
        Some(json!({"name": name, "verdict": verdict}))
    });
    let targets = entry.considered.iter().map(|target| {
        let constraint = Some(target.dropped).filter(|dropped| !dropped.is_empty());
        json!({"model": target.model, "kept": constraint.is_none(), "constraint": constraint})
    });
    let text = json!({
        "signals": signals,
        "rules": rules.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
        "threshold_from": Some(decided.threshold_from).filter(|from| !from.is_empty()),
        "scored_by": Some(decided.scored_by).filter(|by| !by.is_empty()),
        "notes": decided.notes.split(',').filter(|note| !note.is_empty()).collect::<Vec<_>>(),
        "privacy_asked": Some(seen.hint_privacy).filter(|asked| !asked.is_empty()),
        "decide_us": decided.decide_us,
        "policy": entry.policy,
    });
    text.to_string()
}

/// Four decimals, so that 0.312 does not become 0.31200000643730164.
fn share(value: f32) -> Value {
    ((f64::from(value) * 1e4).round() / 1e4).into()
}

//! How a request was decided, as the ledger keeps it: one JSON text per request.
//!
//! What a reader could get wrong: it is made by the thread that writes the books, not by the worker, but once a request all the same: so it
//! is serialised straight from the entry. There are names of the configuration in it and numbers, never words of a prompt.

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::ledger::entry::Entry;

#[derive(Serialize)]
struct Told<'a> {
    signals: Signals<'a>,
    rules: SmallVec<[Rule<'a>; 8]>,
    targets: SmallVec<[Target<'a>; 4]>,
    threshold_from: Option<&'a str>,
    scored_by: Option<&'a str>,
    notes: SmallVec<[&'a str; 2]>,
    privacy_asked: Option<&'a str>,
    decide_us: u64,
    policy: &'a str,
}

#[derive(Serialize)]
struct Signals<'a> {
    input_tokens: u64,
    max_output_tokens: u64,
    modalities: SmallVec<[&'a str; 4]>,
    has_tools: bool,
    turns: u32,
    #[serde(rename = "hint.placement")]
    hint_placement: &'a str,
    #[serde(rename = "edge.load")]
    edge_load: Share,
    #[serde(rename = "cloud.pressure")]
    cloud_pressure: Share,
    #[serde(skip_serializing_if = "Option::is_none")]
    difficulty: Option<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_fresh_knowledge: Option<Share>,
}

#[derive(Serialize)]
struct Rule<'a> {
    name: &'a str,
    verdict: &'a str,
}

#[derive(Serialize)]
struct Target<'a> {
    model: &'a str,
    kept: bool,
    constraint: Option<&'a str>,
}

/// Four decimals, so that 0.312 does not become 0.31200000643730164.
struct Share(f32);

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((f64::from(self.0) * 1e4).round() / 1e4)
    }
}

/// The text; empty where nothing was decided (what is passed through, what was refused at the door).
pub fn text(entry: &Entry<'_>) -> String {
    let (decided, seen) = (&entry.decided, &entry.seen);
    if decided.rules.is_empty() && entry.considered.is_empty() {
        return String::new();
    }
    let told = Told {
        signals: Signals {
            input_tokens: seen.input_tokens,
            max_output_tokens: seen.max_output_tokens.unwrap_or(0),
            modalities: listed(seen.modalities).collect(),
            has_tools: seen.has_tools,
            turns: seen.turns,
            hint_placement: seen.hint_placement,
            edge_load: Share(decided.edge_load),
            cloud_pressure: Share(decided.cloud_pressure),
            difficulty: entry.difficulty.map(Share),
            threshold: entry.difficulty.and(entry.threshold).map(Share),
            needs_fresh_knowledge: decided.needs_fresh_knowledge.map(Share),
        },
        rules: listed(decided.rules).filter_map(rule).collect(),
        targets: entry.considered.iter().map(target).collect(),
        threshold_from: said(decided.threshold_from),
        scored_by: said(decided.scored_by),
        notes: listed(decided.notes).collect(),
        privacy_asked: said(seen.hint_privacy),
        decide_us: decided.decide_us,
        policy: entry.policy,
    };
    // Fails only for maps whose keys are no text.
    serde_json::to_string(&told).unwrap_or_default()
}

fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|word| !word.is_empty())
}

fn rule(text: &str) -> Option<Rule<'_>> {
    let (name, verdict) = text.rsplit_once('=')?;
    Some(Rule { name, verdict })
}

fn target<'a>(considered: &crate::ledger::entry::Considered<'a>) -> Target<'a> {
    let constraint = said(considered.dropped);
    Target { model: considered.model, kept: constraint.is_none(), constraint }
}

fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::{Considered, Decided};

    #[test]
    fn a_decision_is_told_with_names_and_numbers() {
        let mut entry = Entry { difficulty: Some(0.312), threshold: Some(0.5), policy: "ab", ..Entry::default() };
        assert_eq!(text(&entry), "", "nothing was decided");
        entry.decided = Decided {
            rules: "a=b=not-matched,easy=matched",
            threshold_from: "share",
            notes: "split",
            decide_us: 7,
            ..Decided::default()
        };
        entry.considered.push(Considered { model: "small", dropped: "" });
        entry.considered.push(Considered { model: "large \"x\"", dropped: "region" });
        let told: serde_json::Value = serde_json::from_str(&text(&entry)).unwrap();
        assert_eq!(told["rules"][0], serde_json::json!({"name": "a=b", "verdict": "not-matched"}));
        assert_eq!(told["signals"]["difficulty"], 0.312);
        assert_eq!(told["signals"].get("needs_fresh_knowledge"), None);
        assert_eq!(
            told["targets"][1],
            serde_json::json!({"model": "large \"x\"", "kept": false, "constraint": "region"})
        );
        assert_eq!((&told["threshold_from"], &told["scored_by"]), (&"share".into(), &serde_json::Value::Null));
    }
}

//! Requests, targets and routes for the tests of this folder and of `cli/explain.rs`.
//!
//! What a reader could get wrong: nothing here is a default of the product.

use jiff::civil::date;

use super::{Candidate, Condition, Route, Rule, TargetId};
use crate::config::file::{Placement, Privacy};
use crate::openai::Modalities;
use crate::signals::{Hints, Signals, Wish};

/// A short text request at nine in the morning, everything up.
pub fn signals(hints: &Hints) -> Signals<'_> {
    Signals {
        model: "auto",
        input_tokens: 1_200,
        max_output_tokens: Some(500),
        modalities: Modalities::TEXT,
        has_tools: false,
        stream: true,
        turns: 2,
        hints,
        placement: Wish::of_request(hints),
        tenant: "acme",
        privacy: hints.privacy.map_or(Privacy::default(), crate::signals::hints::PrivacyHint::tier),
        regions: None,
        budget: crate::signals::Budget::default(),
        private: crate::signals::Private::default(),
        edge_available: true,
        cloud_available: true,
        difficulty: 0.312,
        fresh: 0.04,
        threshold: 0.5,
        edge_load: 0.25,
        cloud_pressure: 0.0,
        conversation: 0,
        deferred: false,
        hour: 9,
        today: date(2026, 3, 1),
    }
}

/// A text model with tools and 8,192 tokens of context.
pub fn candidate(id: TargetId, model: &str, placement: Placement) -> Candidate {
    Candidate {
        id,
        model: model.into(),
        placement,
        context: Some(8_192),
        modalities: Modalities::TEXT,
        tools: true,
        region: None,
        is_priced: true,
        retires_on: None,
        min_confidence: None,
    }
}

/// `small` at the edge, 8,192 tokens of text, no tools.
pub fn small() -> Candidate {
    Candidate { tools: false, ..candidate(0, "small", Placement::Edge) }
}

/// `frontier` in the cloud, text and images, 400,000 tokens.
pub fn frontier() -> Candidate {
    Candidate {
        context: Some(400_000),
        modalities: Modalities::TEXT.with(Modalities::IMAGE),
        ..candidate(1, "frontier", Placement::Cloud)
    }
}

pub fn rule(name: &str, when: Option<&str>, candidates: Vec<Candidate>) -> Rule {
    let when = when.map(|text| Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error}")));
    Rule { name: name.into(), when, candidates, ..Rule::default() }
}

pub fn route(rules: Vec<Rule>) -> Route {
    Route { name: "auto".into(), rules }
}

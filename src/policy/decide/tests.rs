//! Rules in order, preferences, each constraint at its edge, and the property that no rule lets a forbidden target through.

mod never;

use proptest::prelude::*;

use super::*;
use crate::config::file::Placement;
use crate::openai::Modalities;
use crate::policy::Rule;
use crate::policy::fixtures::{candidate, frontier, route, rule, signals, small};
use crate::signals::Hints;
use crate::signals::hints::{PlacementHint, PrivacyHint};

fn placed(hint: PlacementHint) -> Hints {
    Hints { placement: Some(hint), ..Hints::default() }
}

fn private(hint: PrivacyHint) -> Hints {
    Hints { privacy: Some(hint), ..Hints::default() }
}

fn plan(route: &Route, signals: &Signals<'_>) -> Vec<TargetId> {
    decide(route, signals).plan().collect()
}

/// The message when nothing is left.
fn refused(route: &Route, signals: &Signals<'_>) -> String {
    let decision = decide(route, signals);
    assert_eq!(decision.plan().count(), 0);
    let error = none_left(route, &decision, signals);
    assert_eq!(error.kind, Kind::NoEligibleTarget);
    error.to_string()
}

#[test]
fn the_first_rule_that_matches_decides_and_later_ones_are_not_evaluated() {
    let route = route(vec![
        rule("broken", Some("tags.owner == 'x'"), vec![frontier()]),
        rule("long", Some("input_tokens > 5000"), vec![frontier()]),
        rule("short", Some("input_tokens < 5000"), vec![small(), frontier()]),
        rule("all", None, vec![frontier()]),
    ]);
    let hints = Hints::default();
    let decision = decide(&route, &signals(&hints));
    assert_eq!(decision.rule, Some(2));
    let verdicts = [Verdict::Failed, Verdict::NotMatched, Verdict::Matched, Verdict::NotReached];
    assert_eq!(decision.verdicts.as_slice(), verdicts);
    assert_eq!(decision.plan().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn preferences_reorder_and_keep_the_order_within_a_placement() {
    let edge = |id| candidate(id, "e", Placement::Edge);
    let cloud = |id| candidate(id, "c", Placement::Cloud);
    let route = route(vec![rule("all", None, vec![cloud(0), edge(1), cloud(2), edge(3)])]);
    assert_eq!(plan(&route, &signals(&Hints::default())), [0, 1, 2, 3]);
    assert_eq!(plan(&route, &signals(&placed(PlacementHint::PreferEdge))), [1, 3, 0, 2]);
    assert_eq!(plan(&route, &signals(&placed(PlacementHint::PreferCloud))), [0, 2, 1, 3]);
    assert_eq!(plan(&route, &signals(&placed(PlacementHint::OnlyEdge))), [1, 3]);
    assert_eq!(plan(&route, &signals(&placed(PlacementHint::OnlyCloud))), [0, 2]);
}

#[test]
fn each_constraint_forbids_at_its_edge() {
    let hints = Hints::default();
    let signals = signals(&hints);
    let tokens = |input, output| Signals { input_tokens: input, max_output_tokens: output, ..signals.clone() };
    assert_eq!(forbidden(&small(), &tokens(8_192, None)), None);
    assert_eq!(forbidden(&small(), &tokens(8_193, None)), Some(Constraint::Context));
    assert_eq!(forbidden(&small(), &tokens(8_000, Some(192))), None);
    assert_eq!(forbidden(&small(), &tokens(8_000, Some(193))), Some(Constraint::Context));
    assert_eq!(forbidden(&small(), &tokens(1, Some(u64::MAX))), Some(Constraint::Context));
    let endless = Candidate { context: None, ..small() };
    assert_eq!(forbidden(&endless, &tokens(u64::MAX, Some(u64::MAX))), None);

    let picture = Signals { modalities: Modalities::TEXT.with(Modalities::IMAGE), ..signals.clone() };
    assert_eq!(forbidden(&small(), &picture), Some(Constraint::Modality));
    assert_eq!(forbidden(&frontier(), &picture), None);
    let tools = Signals { has_tools: true, ..signals.clone() };
    assert_eq!(forbidden(&small(), &tools), Some(Constraint::Tools));

    let last_day = jiff::civil::date(2026, 6, 1);
    let retiring = Candidate { retires_on: Some(last_day), ..frontier() };
    assert_eq!(forbidden(&retiring, &Signals { today: last_day, ..signals.clone() }), None);
    let after = Signals { today: jiff::civil::date(2026, 6, 2), ..signals.clone() };
    assert_eq!(forbidden(&retiring, &after), Some(Constraint::Retired));
}

#[test]
fn privacy_keeps_a_request_at_the_edge() {
    for hint in [PrivacyHint::LocalOnly, PrivacyHint::NoRetention] {
        let hints = private(hint);
        assert_eq!(forbidden(&frontier(), &signals(&hints)), Some(Constraint::Privacy), "{hint:?}");
        assert_eq!(forbidden(&small(), &signals(&hints)), None, "{hint:?}");
    }
    assert_eq!(forbidden(&frontier(), &signals(&private(PrivacyHint::Retained))), None);
}

#[test]
fn what_nobody_may_serve_is_refused_with_each_constraint_named() {
    let both = route(vec![rule("all", None, vec![small(), frontier()])]);
    let hints = placed(PlacementHint::OnlyEdge);
    insta::assert_snapshot!(refused(&both, &Signals { input_tokens: 8_500, ..signals(&hints) }), @r#"no eligible target: small (context: needs about 9000 tokens, has 8192), frontier (placement: only-edge was asked for)"#);
    let hints = private(PrivacyHint::NoRetention);
    insta::assert_snapshot!(refused(&both, &Signals { has_tools: true, ..signals(&hints) }), @"no eligible target: small (tools: cannot call tools), frontier (privacy: no-retention is in force, and it was not looked through)");
    let hints = private(PrivacyHint::LocalOnly);
    let modalities = Modalities::TEXT.with(Modalities::AUDIO).with(Modalities::FILE);
    insta::assert_snapshot!(refused(&both, &Signals { modalities, ..signals(&hints) }), @"no eligible target: small (modality: does not take audio, file), frontier (privacy: local-only is in force)");
    let hints = Hints::default();
    let old = Candidate { retires_on: Some(jiff::civil::date(2026, 2, 1)), ..frontier() };
    insta::assert_snapshot!(refused(&route(vec![rule("all", None, vec![old])]), &signals(&hints)), @r#"no eligible target: frontier (retired: its last day was 2026-02-01)"#);
    insta::assert_snapshot!(refused(&route(vec![rule("night", Some("hour < 6"), vec![small()])]), &signals(&hints)), @r#"no rule of `auto` matches this request"#);
    insta::assert_snapshot!(refused(&route(vec![rule("mine", Some("tags.a == 'b'"), vec![small()])]), &signals(&hints)), @r#"no rule of `auto` matches this request; the condition of `mine` could not be evaluated"#);
    insta::assert_snapshot!(refused(&route(vec![rule("empty", None, vec![])]), &signals(&hints)), @r#"no eligible target: rule `empty` of `auto` names none"#);
}

const CONDITIONS: [Option<&str>; 6] = [
    None,
    Some("input_tokens > 4000"),
    Some("hint.placement == 'prefer-cloud'"),
    Some("tags.team == 'search'"),
    Some("modalities.exists(m, m == 'image') || has_tools"),
    Some("stream"),
];

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let context = prop_oneof![Just(None), (0u64..20_000).prop_map(Some)];
    let retires = prop_oneof![Just(None), (1i8..28).prop_map(|day| Some(jiff::civil::date(2026, 3, day)))];
    (0..12u16, any::<bool>(), context, any_modalities(), any::<bool>(), retires).prop_map(
        |(id, edge, context, modalities, tools, retires_on)| {
            let placement = if edge { Placement::Edge } else { Placement::Cloud };
            Candidate { context, modalities, tools, retires_on, ..candidate(id, "m", placement) }
        },
    )
}

fn any_modalities() -> impl Strategy<Value = Modalities> {
    prop::collection::vec(prop::sample::select(vec![Modalities::IMAGE, Modalities::AUDIO, Modalities::FILE]), 0..3)
        .prop_map(|some| some.into_iter().fold(Modalities::TEXT, Modalities::with))
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (prop::sample::select(CONDITIONS.to_vec()), prop::collection::vec(any_candidate(), 0..6))
        .prop_map(|(when, candidates)| rule("r", when, candidates))
}

fn any_hints() -> impl Strategy<Value = Hints> {
    use PlacementHint::*;
    use PrivacyHint::*;
    let placement =
        prop::sample::select(vec![None, Some(OnlyEdge), Some(PreferEdge), Some(PreferCloud), Some(OnlyCloud)]);
    let privacy = prop::sample::select(vec![None, Some(LocalOnly), Some(NoRetention), Some(Retained)]);
    let tags = prop::sample::select(vec![vec![], vec![("team".to_owned(), "search".to_owned())]]);
    (placement, privacy, tags).prop_map(|(placement, privacy, tags)| Hints {
        placement,
        privacy,
        tags,
        ..Hints::default()
    })
}

proptest! {
    /// Whatever the rules, their order and the request: what a constraint forbids is not in the plan, everything else of the rule
    /// is, `local-only` never leaves the edge, and the order is the rule's but for the preference.
    #[test]
    fn no_rule_lets_a_forbidden_target_through(
        rules in prop::collection::vec(any_rule(), 0..5),
        hints in any_hints(),
        input_tokens in 0u64..20_000,
        max_output_tokens in prop_oneof![Just(None), (0u64..5_000).prop_map(Some)],
        modalities in any_modalities(),
        has_tools in any::<bool>(),
        day in 1i8..28,
    ) {
        let route = route(rules);
        let today = jiff::civil::date(2026, 3, day);
        let signals = Signals { input_tokens, max_output_tokens, modalities, has_tools, today, ..signals(&hints) };
        let decision = decide(&route, &signals);
        prop_assert_eq!(&decision, &decide(&route, &signals));
        prop_assert_eq!(decision.verdicts.len(), route.rules.len());

        let matched = decision.verdicts.iter().position(|verdict| *verdict == Verdict::Matched);
        prop_assert_eq!(decision.rule, matched);
        let candidates = matched.map(|index| route.rules[index].candidates.as_slice()).unwrap_or_default();
        prop_assert_eq!(decision.considered.len(), candidates.len());

        // The order that is expected, by a stable sort.
        let mut expected: Vec<&Candidate> = candidates.iter().collect();
        match hints.placement {
            Some(PlacementHint::PreferEdge) => expected.sort_by_key(|c| c.placement != Placement::Edge),
            Some(PlacementHint::PreferCloud) => expected.sort_by_key(|c| c.placement != Placement::Cloud),
            _ => {}
        }
        for (considered, candidate) in decision.considered.iter().zip(expected) {
            prop_assert_eq!(considered.target, candidate.id);
            if considered.dropped.is_some() {
                continue;
            }
            // Said again in other words than the code's.
            let cloud = candidate.placement == Placement::Cloud;
            let held_at_edge = matches!(hints.privacy, Some(PrivacyHint::LocalOnly | PrivacyHint::NoRetention));
            prop_assert!(!(cloud && held_at_edge));
            prop_assert!(!(cloud && hints.placement == Some(PlacementHint::OnlyEdge)));
            prop_assert!(cloud || hints.placement != Some(PlacementHint::OnlyCloud));
            prop_assert!(candidate.context.is_none_or(|c| input_tokens + max_output_tokens.unwrap_or(0) <= c));
            prop_assert!(modalities.names().all(|name| candidate.modalities.names().any(|taken| taken == name)));
            prop_assert!(candidate.tools || !has_tools);
            prop_assert!(candidate.retires_on.is_none_or(|last| today <= last));
        }
        if decision.plan().next().is_none() {
            prop_assert!(!none_left(&route, &decision, &signals).message.is_empty());
        }
    }
}

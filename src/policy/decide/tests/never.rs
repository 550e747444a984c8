//! The property that all else hangs on: for all configurations and requests tried, neither a plan nor a shadow holds a target that a
//! constraint forbids, whatever the order of the rules.
//!
//! What a reader could get wrong: what is forbidden is said here a second time, from the facts that a request is made of and in other
//! words than `constraint.rs` has; sharing code with it would prove nothing.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::config::file::Privacy;
use crate::policy::{Shadow, Split};
use crate::signals::wish::Who;
use crate::signals::{Blocked, Budget, Private, Wish};

/// A request as its parts say, before anything is put together.
#[derive(Debug, Clone)]
struct Facts {
    said: [Option<PlacementHint>; 3],
    privacies: [Privacy; 3],
    regions: Option<Vec<String>>,
    budget: Budget,
    input_tokens: u64,
    max_output_tokens: Option<u64>,
    modalities: Modalities,
    has_tools: bool,
    stream: bool,
    turns: u32,
    difficulty: f64,
    conversation: u64,
    hour: u8,
    day: i8,
    private: Told,
}

/// What was found of personal data.
#[derive(Debug, Clone)]
struct Told {
    looked: bool,
    unreadable: bool,
    hides: bool,
    stays_home: bool,
    blocked_at_edge: Vec<String>,
    blocked_in_cloud: Vec<String>,
}

/// Whether a target may have the request.
fn allowed(of: &Candidate, facts: &Facts) -> bool {
    let is_cloud = of.placement == Placement::Cloud;
    let said = |word| facts.said.contains(&Some(word));
    let forbidden_by_somebody = if is_cloud { said(PlacementHint::OnlyEdge) } else { said(PlacementHint::OnlyCloud) };
    // Edge machines are at home wherever that is, unless they say that it is elsewhere.
    let at_home = match (&facts.regions, of.region.as_deref()) {
        (None, _) => true,
        (Some(_), None) => !is_cloud,
        (Some(regions), Some(region)) => regions.iter().any(|allowed| allowed == region),
    };
    let none_is = |unwanted: Privacy| facts.privacies.iter().all(|tier| *tier != unwanted);
    let private = &facts.private;
    let is_redacted = private.looked && !private.unreadable;
    let may_leave = none_is(Privacy::LocalOnly)
        && (none_is(Privacy::NoRetention) || is_redacted)
        && !private.stays_home
        && private.blocked_in_cloud.is_empty();
    let may_stay = private.blocked_at_edge.is_empty();
    let affordable = !facts.budget.exists || (of.is_priced && !facts.budget.edge_only);
    let tokens = u128::from(facts.input_tokens) + u128::from(facts.max_output_tokens.unwrap_or(0));
    let fits = of.context.is_none_or(|context| tokens <= u128::from(context));
    let taken: Vec<&str> = of.modalities.names().chain(["text"]).collect();
    let understood = facts.modalities.names().all(|name| taken.contains(&name));
    let in_service = of.retires_on.is_none_or(|last| last.day() >= facts.day);
    !forbidden_by_somebody
        && at_home
        && if is_cloud { may_leave && affordable } else { may_stay }
        && fits
        && understood
        && (of.tools || !facts.has_tools)
        && in_service
}

const WHEN: [Option<&str>; 14] = [
    None,
    Some("true"),
    Some("input_tokens > 4000"),
    Some("max_output_tokens >= 1000"),
    Some("hint.placement == 'prefer-cloud' || hint.placement == 'only-cloud'"),
    Some("tags.team == 'search'"),
    Some("'image' in modalities || has_tools"),
    Some("stream && turns > 1"),
    Some("difficulty < threshold"),
    Some("difficulty >= threshold && edge.available"),
    Some("budget.left < 0.5"),
    Some("tenant == 'acme'"),
    Some("hour >= 12"),
    Some("10 / turns > 3"),
];

fn any_wish() -> impl Strategy<Value = Option<PlacementHint>> {
    use PlacementHint::*;
    select(vec![None, None, None, Some(OnlyEdge), Some(PreferEdge), Some(PreferCloud), Some(OnlyCloud)])
}

fn any_privacy() -> impl Strategy<Value = Privacy> {
    select(vec![Privacy::Retained, Privacy::Retained, Privacy::Retained, Privacy::NoRetention, Privacy::LocalOnly])
}

fn any_region() -> impl Strategy<Value = Option<String>> {
    select(vec![None, Some("eu".to_owned()), Some("us".to_owned()), Some("ap".to_owned())])
}

/// Eight models, each with a name and number of its own.
fn any_models() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (any_candidate(), any_region(), any::<bool>());
    prop::collection::vec(one, 8).prop_map(|models| {
        let numbered = models.into_iter().zip(0u16..);
        let made = |((model, region, is_priced), id): ((Candidate, _, _), u16)| Candidate {
            id,
            model: format!("m{id}"),
            region,
            is_priced,
            ..model
        };
        numbered.map(made).collect()
    })
}

/// A rule of some of these models: tried, shared out, or both; with a shadow or without.
fn any_rule_of(models: Vec<Candidate>) -> impl Strategy<Value = Rule> {
    let few = 0..=models.len();
    let tried = subsequence(models.clone(), few.clone()).prop_shuffle();
    let split = subsequence(models.clone(), few).prop_flat_map(|members| {
        let weights = prop::collection::vec(select(vec![0.0, 0.1, 1.0, 50.0]), members.len());
        (Just(members), weights)
    });
    let split = prop_oneof![Just(None), split.prop_map(Some)];
    let shadow = prop_oneof![Just(None), select(models).prop_map(Some)];
    (select(WHEN.to_vec()), tried, split, shadow).prop_map(|(when, tried, split, shadow)| {
        let mut candidates = tried.clone();
        let names: Vec<&str> = tried.iter().map(|one| one.model.as_str()).collect();
        let members = split.iter().flat_map(|(members, _)| members);
        candidates.extend(members.filter(|member| !names.contains(&member.model.as_str())).cloned());
        let split = split.as_ref().map(|(members, weights)| {
            let weights = members.iter().map(|member| member.model.as_str()).zip(weights.iter().copied());
            Split::new("auto", "r", &candidates, weights, &names)
        });
        let shadow = shadow.map(|candidate| Shadow { candidate, sample: 1.0 });
        Rule { split, shadow, ..rule("r", when, candidates) }
    })
}

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    any_models().prop_flat_map(|models| prop::collection::vec(any_rule_of(models), 0..6).prop_shuffle())
}

fn any_told() -> impl Strategy<Value = Told> {
    let types = || prop_oneof![3 => Just(vec![]), 1 => Just(vec!["API_KEY".to_owned()])];
    // What was not looked at was not found.
    let looked = (any::<bool>(), any::<bool>(), any::<bool>(), types(), types());
    let seldom = prop::bool::weighted(0.2);
    (prop::bool::weighted(0.7), looked, seldom).prop_map(|(looked, (unreadable, hides, _, edge, cloud), stays_home)| {
        Told {
            looked,
            unreadable: looked && unreadable,
            hides: looked && hides,
            stays_home: looked && stays_home,
            blocked_at_edge: if looked { edge } else { vec![] },
            blocked_in_cloud: if looked { cloud } else { vec![] },
        }
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let regions = prop_oneof![
        2 => Just(None),
        1 => subsequence(vec!["eu".to_owned(), "us".to_owned()], 0..=2).prop_map(Some),
    ];
    let budget = (any::<bool>(), any::<bool>(), 0.0..=1.0f64).prop_map(|(exists, spent, left)| match exists {
        true => Budget { left, exists, edge_only: spent },
        false => Budget::default(),
    });
    let tokens = (0u64..20_000, prop_oneof![Just(None), (0u64..5_000).prop_map(Some), Just(Some(u64::MAX))]);
    let place = ([any_wish(), any_wish(), any_wish()], [any_privacy(), any_privacy(), any_privacy()], regions, budget);
    let text = (tokens, any_modalities(), any::<bool>(), any::<bool>(), 0u32..4, any_told());
    let rest = (0.0..=1.0f64, any::<u64>(), 0u8..24, 1i8..28);
    (place, text, rest).prop_map(|(place, text, rest)| {
        let (said, privacies, regions, budget) = place;
        let ((input_tokens, max_output_tokens), modalities, has_tools, stream, turns, private) = text;
        let (difficulty, conversation, hour, day) = rest;
        Facts {
            said,
            privacies,
            regions,
            budget,
            input_tokens,
            max_output_tokens,
            modalities,
            has_tools,
            stream,
            turns,
            difficulty,
            conversation,
            hour,
            day,
            private,
        }
    })
}

/// As the gateway puts the parts together.
fn signals_of<'f>(facts: &'f Facts, hints: &'f Hints) -> Signals<'f> {
    let [tenant, app, request] = facts.said;
    let placement = Wish::default().then(Who::Tenant, tenant).then(Who::App, app).then(Who::Request, request);
    Signals {
        placement,
        privacy: facts.privacies.iter().copied().max().unwrap_or_default(),
        regions: facts.regions.as_deref(),
        budget: facts.budget,
        input_tokens: facts.input_tokens,
        max_output_tokens: facts.max_output_tokens,
        modalities: facts.modalities,
        has_tools: facts.has_tools,
        stream: facts.stream,
        turns: facts.turns,
        difficulty: facts.difficulty,
        conversation: facts.conversation,
        hour: facts.hour,
        private: Private {
            looked: facts.private.looked,
            unreadable: facts.private.unreadable,
            severity: 0,
            types: &[],
            hides: facts.private.hides,
            stays_home: facts.private.stays_home,
            blocked: Blocked { edge: &facts.private.blocked_at_edge, cloud: &facts.private.blocked_in_cloud },
        },
        today: jiff::civil::date(2026, 3, facts.day),
        ..signals(hints)
    }
}

/// Everything that one decision must hold to.
fn holds(route: &Route, facts: &Facts, signals: &Signals<'_>) -> Result<(), TestCaseError> {
    let mut decision = decide(route, signals);
    prop_assert_eq!(&decision, &decide(route, signals), "the same request is decided alike");
    let Some(rule) = decision.rule.map(|index| &route.rules[index]) else {
        prop_assert!(decision.considered.is_empty());
        return Ok(());
    };
    let find = |id| rule.candidates.iter().find(|candidate| candidate.id == id);
    for (at, considered) in decision.considered.iter().enumerate() {
        let candidate = find(considered.target);
        prop_assert!(candidate.is_some(), "a target of another rule");
        let candidate = candidate.unwrap();
        prop_assert_eq!(considered.dropped.is_none(), allowed(candidate, facts), "{:?} of {:?}", candidate, facts);
        prop_assert!(decision.considered[..at].iter().all(|before| before.target != considered.target), "twice");
    }
    if rule.split.is_none() {
        prop_assert_eq!(decision.considered.len(), rule.candidates.len(), "none is forgotten");
    }
    if let Some(shadow) = rule.shadow.as_ref().filter(|shadow| shadow.may_have(signals)) {
        prop_assert!(allowed(&shadow.candidate, facts), "{:?} of {:?}", shadow, facts);
        prop_assert!(facts.privacies.iter().all(|tier| *tier == Privacy::Retained));
        let leaves = shadow.candidate.placement == Placement::Cloud;
        prop_assert!(!(leaves && facts.private.hides), "a copy is not redacted");
        let strict = |said: &Option<PlacementHint>| said.is_some_and(PlacementHint::is_strict);
        prop_assert!(!facts.said.iter().any(strict), "what may not leave its placement has no shadow");
    }
    // A conversation that comes back brings nothing in, whatever model it remembers.
    for remembered in 0..10 {
        let unchanged = decision.clone();
        let before: Vec<TargetId> = decision.plan().collect();
        decision.resume(remembered);
        let mut after: Vec<TargetId> = decision.plan().collect();
        if before.contains(&remembered) {
            prop_assert_eq!(after.first(), Some(&remembered));
        } else {
            prop_assert_eq!(&decision, &unchanged);
        }
        let mut sorted = before;
        sorted.sort_unstable();
        after.sort_unstable();
        prop_assert_eq!(sorted, after);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_and_no_shadow_holds_what_a_constraint_forbids(
        rules in any_rules(),
        facts in any_facts(),
        tags in select(vec![vec![], vec![("team".to_owned(), "search".to_owned())]]),
        turned in 0usize..6,
    ) {
        let hints = Hints { placement: facts.said[2], tags, ..Hints::default() };
        let signals = signals_of(&facts, &hints);
        let mut route = route(rules);
        // The rules in several orders: as drawn, turned, and backwards.
        holds(&route, &facts, &signals)?;
        let length = route.rules.len();
        route.rules.rotate_left(turned.min(length));
        holds(&route, &facts, &signals)?;
        route.rules.reverse();
        holds(&route, &facts, &signals)?;
    }
}

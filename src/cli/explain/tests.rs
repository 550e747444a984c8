//! What an operator reads, whole.

use super::*;
use crate::policy::decide;
use crate::policy::fixtures::{candidate, frontier, route, rule, signals, small};
use crate::signals::Hints;
use crate::signals::hints::{PlacementHint, PrivacyHint};

fn plain(rules: Vec<crate::policy::Rule>, hints: &Hints, input_tokens: u64) -> String {
    let route = route(rules);
    let signals = crate::signals::Signals { input_tokens, ..signals(hints) };
    let explanation = Explanation::new(&route, &decide(&route, &signals), &signals);
    anstream::adapter::strip_str(&render(&explanation)).to_string()
}

#[test]
fn a_plan_is_told_with_its_reasons() {
    let hints = Hints {
        placement: Some(PlacementHint::PreferCloud),
        privacy: Some(PrivacyHint::Retained),
        user: Some("ann\u{1b}[31m".into()),
        tags: vec![("team".into(), "search".into())],
        ..Hints::default()
    };
    let rules = vec![
        rule("mine", Some("tags.owner == 'me'"), vec![frontier()]),
        rule("night-shift", Some("hour < 6 ||\n  hour > 22"), vec![small()]),
        rule(
            "easy",
            Some("input_tokens < 40000"),
            vec![small(), candidate(2, "spare", crate::config::file::Placement::Edge), frontier()],
        ),
        rule("rest", None, vec![frontier()]),
    ];
    insta::assert_snapshot!(plain(rules, &hints, 9_000), @r#"
    decision
      goes to `frontier` (cloud): rule `easy` matched, as input_tokens is 9000; not to `small`: needs about 9500 tokens, has 8192; not to `spare`: needs about 9500 tokens, has 8192

      route  auto
      rule   easy
      plan   frontier
      note   targets at the cloud come first, as was wished

    rules, first match wins
      ! mine         failed       tags.owner == 'me'
                                  there is no `owner`: guard it with has()
      ✗ night-shift  false        hour < 6 ||
                                  hour > 22
      ✓ easy         true         input_tokens < 40000
      - rest         not reached  (always)

    targets of easy, in the order they are tried
      ✓ frontier  cloud  kept
      ✗ small     edge   dropped  context: needs about 9500 tokens, has 8192
      ✗ spare     edge   dropped  context: needs about 9500 tokens, has 8192

    signals, those that no rule reads faint
      model                  "auto"
      input_tokens           9000
      max_output_tokens      500
      modalities             ["text"]
      has_tools              false
      stream                 true
      turns                  2
      app                    ""
      user                   "ann\u001b[31m"
      tags                   {"team":"search"}
      hint.placement         "prefer-cloud"
      hint.deadline_ms       0
      edge.available         true
      cloud.available        true
      hour                   9
      tenant                 "acme"
      budget.left            1.0
      difficulty             0.312
      needs_fresh_knowledge  0.04
      threshold              0.5
      pii.severity           0
      pii.types              []
      edge.load              0.25
      cloud.pressure         0.0
      deferred               false
      privacy asked          retained
      today                  2026-03-01
    "#);
}

#[test]
fn an_empty_plan_is_told_with_the_error() {
    let hints = Hints { privacy: Some(PrivacyHint::NoRetention), ..Hints::default() };
    insta::assert_snapshot!(plain(vec![rule("all", None, vec![small(), frontier()])], &hints, 9_000), @r#"
    decision
      is refused: no eligible target: small (context: needs about 9500 tokens, has 8192), frontier (privacy: no-retention is in force, and it was not looked through)

      route  auto
      rule   all
      plan   refused with 503 no_eligible_target

    rules, first match wins
      ✓ all  true         (always)

    targets of all, in the order they are tried
      ✗ small     edge   dropped  context: needs about 9500 tokens, has 8192
      ✗ frontier  cloud  dropped  privacy: no-retention is in force, and it was not looked through

    signals, those that no rule reads faint
      model                  "auto"
      input_tokens           9000
      max_output_tokens      500
      modalities             ["text"]
      has_tools              false
      stream                 true
      turns                  2
      app                    ""
      user                   ""
      tags                   {}
      hint.placement         ""
      hint.deadline_ms       0
      edge.available         true
      cloud.available        true
      hour                   9
      tenant                 "acme"
      budget.left            1.0
      difficulty             0.312
      needs_fresh_knowledge  0.04
      threshold              0.5
      pii.severity           0
      pii.types              []
      edge.load              0.25
      cloud.pressure         0.0
      deferred               false
      privacy asked          no-retention
      today                  2026-03-01
    "#);
    insta::assert_snapshot!(plain(vec![rule("never", Some("false"), vec![small()])], &hints, 9_000), @r#"
    decision
      is refused: no rule of `auto` matches this request

      route  auto
      rule   none matched
      plan   refused with 503 no_eligible_target

    rules, first match wins
      ✗ never  false        false

    signals, those that no rule reads faint
      model                  "auto"
      input_tokens           9000
      max_output_tokens      500
      modalities             ["text"]
      has_tools              false
      stream                 true
      turns                  2
      app                    ""
      user                   ""
      tags                   {}
      hint.placement         ""
      hint.deadline_ms       0
      edge.available         true
      cloud.available        true
      hour                   9
      tenant                 "acme"
      budget.left            1.0
      difficulty             0.312
      needs_fresh_knowledge  0.04
      threshold              0.5
      pii.severity           0
      pii.types              []
      edge.load              0.25
      cloud.pressure         0.0
      deferred               false
      privacy asked          no-retention
      today                  2026-03-01
    "#);
}

#[test]
fn colours_are_balanced() {
    let hints = Hints::default();
    let route = route(vec![rule("all", None, vec![small()])]);
    let signals = signals(&hints);
    let text = render(&Explanation::new(&route, &decide(&route, &signals), &signals));
    assert!(text.contains('\u{1b}'));
    for line in text.lines() {
        let (opened, closed) = (line.matches("\u{1b}[").count(), line.matches("\u{1b}[0m").count());
        assert_eq!(opened, closed * 2, "{line:?}");
    }
}

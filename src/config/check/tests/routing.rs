//! Thresholds and difficulty models.

use super::{UPSTREAMS, found};

const MODELS: &str = "models: {small: {upstream: a}}\n";

fn route(threshold: &str) -> String {
    let rules = "rules: [{name: easy, when: difficulty < threshold, try: [small]}]";
    found(&format!("{UPSTREAMS}{MODELS}routes:\n  auto:\n    threshold: {threshold}\n    {rules}\n"))
}

#[test]
fn every_way_to_find_a_threshold_is_taken() {
    for good in [
        "0.5",
        "{fixed: 0.4, min: 0.1, max: 0.9, pressure: 0.5}",
        "{target_quality: 0.95}",
        "{max_cloud_share: 0.2}",
        "{budget: {usd: 10, per: day}}",
    ] {
        assert_eq!(route(good), "", "{good}");
    }
}

#[test]
fn thresholds_that_cannot_be_are_told() {
    insta::assert_snapshot!(route("1.5"), @"
    f:5:16: `1.5` is not between 0 and 1
        hint: write a share such as 0.2
    ");
    insta::assert_snapshot!(route("high"), @"f:5:16: expected a number from 0 to 1, or keys such as `{max_cloud_share: 0.2}`, found `high`");
    insta::assert_snapshot!(route("{max_cloud_share: 0.2, fixed: 0.4}"), @"
    f:5:16: `threshold` is found in 2 ways: fixed, max_cloud_share
        hint: give one of `fixed`, `target_quality`, `max_cloud_share` and `budget`; bounds and `pressure` go with any
    ");
    insta::assert_snapshot!(route("{min: 0.9, max: 0.1, calibration: x.json}"), @"
    f:5:16: `threshold` does not say how it is found
        hint: give one of `fixed`, `target_quality`, `max_cloud_share` and `budget`; bounds and `pressure` go with any
    f:5:22: `min` 0.9 is above `max` 0.1
        hint: exchange them
    f:5:50: `calibration` says what `target_quality` needs, which is not given
        hint: remove it
    f:5:50: cannot use `x.json`: no such file or directory
        hint: a path is relative to the folder of the configuration file
    ");
    insta::assert_snapshot!(route("{budget: {usd: 0}}"), @"
    f:5:31: `0` US dollars is no budget
        hint: write a number above 0
    ");
    insta::assert_snapshot!(route("{max_clod_share: 0.2}"), @"
    f:5:16: `threshold` does not say how it is found
        hint: give one of `fixed`, `target_quality`, `max_cloud_share` and `budget`; bounds and `pressure` go with any
    f:5:17: unknown key `max_clod_share`
        hint: did you mean `max_cloud_share`?
    ");
}

#[test]
fn a_threshold_that_nobody_reads_is_warned_about() {
    let text =
        format!("{UPSTREAMS}{MODELS}routes: {{auto: {{threshold: 0.4, rules: [{{name: all, try: [small]}}]}}}}\n");
    insta::assert_snapshot!(found(&text), @"
    f:3:28: warning: no rule of the route reads `threshold`: it decides nothing
        hint: add a rule such as `when: difficulty < threshold`, or remove it
    ");
}

#[test]
fn files_that_cannot_be_read_are_told_at_their_place() {
    let text = format!("{UPSTREAMS}difficulty_model: {{current: mine.bin, candidate: next.bin, share: 2}}\n");
    insta::assert_snapshot!(found(&text), @"
    f:2:29: cannot use `mine.bin`: no such file or directory
        hint: a path is relative to the folder of the configuration file
    f:2:50: cannot use `next.bin`: no such file or directory
        hint: a path is relative to the folder of the configuration file
    f:2:67: `2` is not between 0 and 1
        hint: write a share such as 0.2
    ");
    insta::assert_snapshot!(found(&format!("{UPSTREAMS}difficulty_model: {{share: 0.1}}\n")), @"
    f:2:27: `share` is the candidate's, and there is none
        hint: add `candidate: FILE`, or remove it
    ");
}

#[test]
fn breakers_and_retries_have_sensible_figures() {
    let yaml = "\
upstreams:
  lab:
    placement: edge
    kind: vllm
    nodes: [http://127.0.0.1:8080]
    breaker: {failures: 0, failure_rate: 2, window: 0s, open_for: 400d, slower: 1}
retries: {max_attempts: 0, budget: 1.5}
models: {m: {upstream: lab}}
";
    let problems = found(yaml);
    for wrong in ["`failures`", "no share of failures", "`window`", "`open_for`", "not slower", "`max_attempts`", "1.5"]
    {
        assert!(problems.contains(wrong), "{wrong}: {problems}");
    }
    assert_eq!(problems.lines().filter(|line| line.starts_with("f:")).count(), 7, "{problems}");
}

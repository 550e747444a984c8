//! What an operator is told of shares, shadows, and what tenants and apps set for themselves.

use super::*;

#[test]
fn shares_are_of_models_that_exist() {
    insta::assert_snapshot!(rules(
        "    {name: a, when: 'true', split: {small: 95, large: 5}},\n\
        \x20   {name: b, when: 'true', split: {smal: 1, large: 0}},\n\
        \x20   {name: c, when: 'true', split: {small: 0, large: 0}},\n\
        \x20   {name: d, when: 'true', split: {small: -1, large: 1}},\n\
        \x20   {name: e, when: 'true', split: {small: many}},\n\
        \x20   {name: f, when: 'true', split: {}},\n\
        \x20   {name: g, when: 'true', split: [small]}",
    ), @"
    f:6:37: no model is named `smal`
        hint: did you mean `small`?
    f:7:29: the weights of rule `c` are all 0: nobody would come first
        hint: give one of them more than 0
    f:8:44: weight `-1` is no share
        hint: write a number from 0 up: it counts against the sum of all
    f:9:44: expected a number, found `many`
    f:10:5: rule `f` has no targets
        hint: add `try: [MODEL]`
    f:11:36: expected keys and values, found a list
    ");
}

#[test]
fn a_shadow_is_another_model() {
    insta::assert_snapshot!(rules(
        "    {name: a, when: 'true', try: [small], shadow: {model: large}},\n\
        \x20   {name: b, when: 'true', try: [small], shadow: {model: larg, sample: 1.5}},\n\
        \x20   {name: c, when: 'true', try: [small], shadow: {model: small, sample: -0.1}},\n\
        \x20   {name: d, when: 'true', split: {small: 1, large: 0}, shadow: {model: small}},\n\
        \x20   {name: e, when: 'true', try: [small], shadow: {sample: 0.5}},\n\
        \x20   {name: f, when: 'true', try: [small], shadow: large}",
    ), @"
    f:6:59: no model is named `larg`
        hint: did you mean `large`?
    f:6:73: `1.5` is no share of requests
        hint: write a number from 0 to 1: 0.01 is one in a hundred
    f:7:59: `small` is the only model of the rule: it would be compared with itself
        hint: name another model, or remove `shadow`
    f:7:74: `-0.1` is no share of requests
        hint: write a number from 0 to 1: 0.01 is one in a hundred
    f:8:74: `small` is the only model of the rule: it would be compared with itself
        hint: name another model, or remove `shadow`
    f:9:43: key `model` is missing in `routes.auto.rules[4].shadow`
        hint: add `model: …`
    f:10:51: expected keys (`model`, `sample`), found `large`
    ");
}

#[test]
fn what_tenants_and_apps_set_leaves_somewhere_to_run() {
    insta::assert_snapshot!(with_upstream(
        "tenants:\n\
        \x20 a:\n\
        \x20   keys: ['sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']\n\
        \x20   threshold: 1.1\n\
        \x20   placement: only-edge\n\
        \x20   privacy: no-retention\n\
        \x20   apps:\n\
        \x20     x: {threshold: -1, placement: only-cloud}\n\
        \x20     y: {privacy: retained, placement: prefer-cloud, threshold: 0}\n\
        \x20     z: {placement: somewhere}\n\
        \x20 b:\n\
        \x20   keys: ['sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb']\n\
        \x20   privacy: local-only\n\
        \x20   placement: only-cloud\n\
        \x20   apps: {x: {placement: only-edge}}\n"
    ), @"
    f:4:16: `1.1` is no threshold
        hint: write a number from 0 to 1: prompts of less difficulty count as easy
    f:8:22: `-1` is no threshold
        hint: write a number from 0 to 1: prompts of less difficulty count as easy
    f:8:37: `only-cloud` leaves the app nowhere to run
        hint: the tenant's `placement` excludes it: remove one of them
    f:10:22: expected `only-edge`, `prefer-edge`, `prefer-cloud` or `only-cloud`, found `somewhere`
    f:14:16: `only-cloud` leaves nowhere to run
        hint: `local-only` keeps to the edge: remove one of them
    f:15:27: `only-edge` leaves the app nowhere to run
        hint: the tenant's `placement` excludes it: remove one of them
    ");
}

//! Types, unknown keys and missing ones, all told at once. Positions count from 1.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;

use super::*;
use crate::config::interpolate::interpolate;
use crate::config::problem::Problems;
use crate::config::scalar::{HumanDuration, Secret};

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only decoded")]
struct Sample {
    #[serde(default)]
    count: u32,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    wait: Option<HumanDuration>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    key: Option<Secret>,
    #[serde(default)]
    any: Option<serde_json::Value>,
    #[serde(default)]
    places: IndexMap<String, Strict>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only decoded")]
struct Strict {
    kind: Colour,
    label: String,
    wait: HumanDuration,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    Red,
    DarkBlue,
}

fn sample(text: &str) -> (Option<Sample>, String) {
    let mut problems = Vec::new();
    let mut document = Document::parse(text, &mut problems).expect("yaml");
    let env = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    let failed = interpolate(&mut document, &env, &mut problems);
    let decoded = decode(&document, failed, Path::new("/nonexistent"), &mut problems);
    (decoded.value, Problems::new("f", problems).to_string())
}

#[test]
fn takes_scalars_as_the_field_wants_them() {
    let (value, problems) =
        sample("{count: '3', share: 1e-1, wait: 1.5s, on: True, names: [4.10, yes], any: {a: [1, -2, 0.5, x, ~]}}");
    assert_eq!(problems, "");
    let value = value.unwrap();
    assert_eq!((value.count, value.share, value.on), (3, Some(0.1), true));
    assert_eq!(value.names, ["4.10", "yes"]);
    assert_eq!(value.any, Some(serde_json::json!({"a": [1, -2, 0.5, "x", null]})));
}

#[test]
fn an_empty_key_is_an_absent_one() {
    let (value, problems) = sample("count:\nnames: ~\nplaces:\nkey: ${NONE:-}\n");
    assert_eq!(problems, "");
    let value = value.unwrap();
    assert!(value.names.is_empty() && value.places.is_empty() && value.key.is_none());
}

#[test]
fn tells_every_problem_at_once() {
    let (value, problems) = sample(
        "count: many\n\
         share: .nan\n\
         wait: 10\n\
         on: yes\n\
         names: [a, [b], {c: d}]\n\
         nams: [a]\n\
         colour: red\n\
         places:\n\
        \x20 one: {kind: drak-blue, label: [], wait: 1s}\n\
        \x20 two: {kind: red}\n\
        \x20 three:\n\
        \x20 four: [x]\n\
        \x20 five: {kind: red, label: x, wait: soon, lable: y}\n\
        \x20 six: just text\n",
    );
    assert!(value.is_some());
    insta::assert_snapshot!(problems, @r"
    f:1:8: expected a whole number from 0 to 4294967295, found `many`
    f:2:8: expected a number, found `.nan`
    f:3:7: expected a length of time such as 300ms, 10s, 2m or 1h, found `10`
    f:4:5: expected true or false, found `yes`
    f:5:12: expected text, found a list
    f:5:17: expected text, found keys and values
    f:6:1: unknown key `nams`
        hint: did you mean `names`?
    f:7:1: unknown key `colour`
        hint: known here: `count`, `share`, `wait`, `on`, `names`, `key`, `any`, `places`
    f:9:15: expected `red` or `dark-blue`, found `drak-blue`
        hint: did you mean `dark-blue`?
    f:9:33: expected text, found a list
    f:10:3: key `label` is missing in `places.two`
        hint: add `label: …`
    f:10:3: key `wait` is missing in `places.two`
        hint: add `wait: …`
    f:11:3: key `kind` is missing in `places.three`
        hint: add `kind: …`
    f:11:3: key `label` is missing in `places.three`
        hint: add `label: …`
    f:11:3: key `wait` is missing in `places.three`
        hint: add `wait: …`
    f:12:9: expected keys (`kind`, `label`, `wait`), found a list
    f:13:37: expected a length of time such as 300ms, 10s, 2m or 1h, found `soon`
    f:13:43: unknown key `lable`
        hint: did you mean `label`?
    f:14:8: expected keys (`kind`, `label`, `wait`), found `just text`
    ");
}

#[test]
fn a_list_at_the_root_is_one_problem() {
    let (value, problems) = sample("- a\n- b\n");
    assert!(value.is_none());
    insta::assert_snapshot!(problems, @r"f:1:1: expected keys (`count`, `share`, `wait`, `on`, `names`, `key`, `any`, `places`), found a list");
}

#[test]
fn secrets_and_variables_are_not_shown() {
    let (_, problems) = sample(
        "count: ${SECRET}\nshare: x${SECRET}\nwait: '${SECRET}'\nkey: [no]\nplaces: {a: {kind: '${SECRET}', label: l, wait: 1s}}",
    );
    assert!(!problems.contains("hunter2"));
    insta::assert_snapshot!(problems, @r"
    f:1:8: expected a whole number from 0 to 4294967295, found the value of `${SECRET}`
    f:2:8: expected a number, found the value of `${SECRET}`
    f:3:7: expected a length of time such as 300ms, 10s, 2m or 1h, found the value of `${SECRET}`
    f:4:6: expected text, found a list
    f:5:20: expected `red` or `dark-blue`, found the value of `${SECRET}`
    ");
}

#[test]
fn a_variable_that_is_not_set_is_told_once() {
    let (_, problems) = sample("places: {a: {kind: '${NONE}', label: '${NONE}', wait: '${NONE}'}}\ncount: ${NONE}");
    insta::assert_snapshot!(problems, @r"
    f:1:20: environment variable `NONE` is not set
        hint: set it, or give a default: ${NONE:-…}
    f:1:38: environment variable `NONE` is not set
        hint: set it, or give a default: ${NONE:-…}
    f:1:55: environment variable `NONE` is not set
        hint: set it, or give a default: ${NONE:-…}
    f:2:8: environment variable `NONE` is not set
        hint: set it, or give a default: ${NONE:-…}
    ");
}

#[test]
fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sk-1\r\n").unwrap();
    std::fs::write(folder.path().join("binary"), b"\xff").unwrap();
    let read = |text: &str| {
        let mut problems = Vec::new();
        let document = Document::parse(text, &mut problems).unwrap();
        let decoded = decode::<Sample>(&document, HashSet::new(), folder.path(), &mut problems);
        (
            decoded.value.and_then(|value| value.key).map(|key| key.expose().to_owned()),
            Problems::new("f", problems).to_string(),
        )
    };
    assert_eq!(read("key: file:key"), (Some("sk-1".into()), String::new()));
    insta::assert_snapshot!(read("key: file:none").1, @r"
    f:1:6: cannot read `file:none`: no such file or directory
        hint: a path is relative to the folder of the configuration file
    ");
    insta::assert_snapshot!(read("key: file:binary").1, @r"
    f:1:6: cannot read `file:binary`: it is not text (UTF-8)
        hint: a path is relative to the folder of the configuration file
    ");
    insta::assert_snapshot!(read("key: 'file:'").1, @r"
    f:1:6: cannot read `file:`: it is not a regular file
        hint: a path is relative to the folder of the configuration file
    ");
}

#[test]
fn stops_when_nobody_reads_further() {
    let text: String = (0..150).map(|n| format!("unknown{n}: 1\n")).collect();
    let (_, problems) = sample(&text);
    assert_eq!(problems.lines().filter(|line| !line.starts_with(' ')).count(), MAX_PROBLEMS + 1);
    assert!(problems.contains("more is wrong than is told here"));
}

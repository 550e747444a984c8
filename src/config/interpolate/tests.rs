//! The environment in scalars. No test reads the real one.

use super::*;
use crate::config::problem::Problems;

fn value(text: &str) -> Result<String, String> {
    let mut problems = Vec::new();
    let env = |name: &str| match name {
        "NAME" => Some("val: [ue]".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let mut document = Document::parse(text, &mut problems).expect("yaml");
    interpolate(&mut document, &env, &mut problems);
    if !problems.is_empty() {
        return Err(Problems::new("f", problems).to_string());
    }
    match &document.get(&["k"]).expect("k").value {
        Value::Scalar(scalar) => Ok(scalar.text.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn replaces_variables_and_keeps_dollars() {
    for (written, meant) in [
        ("k: ${NAME}", "val: [ue]"),
        ("k: a${NAME}b${EMPTY}c", "aval: [ue]bc"),
        ("k: ${NONE:-a b}", "a b"),
        ("k: ${NONE:-}", ""),
        ("k: ${EMPTY:-x}", "x"),
        ("k: ${EMPTY}", ""),
        ("{k: ${NAME}}", "val: [ue]"),
        ("{k: ${NONE:-a, [b]: 'c' # d}}", "a, [b]: 'c' # d"),
        ("k: \"${NAME}\"", "val: [ue]"),
        ("k: '${NAME}'", "val: [ue]"),
        ("k: |-\n  x${NAME}", "xval: [ue]"),
        ("k: cost $5", "cost $5"),
        ("k: $$${NAME}", "$val: [ue]"),
        ("k: $${NAME}", "${NAME}"),
        ("{k: $${NAME}}", "${NAME}"),
        ("k: 'a$$'", "a$"),
        ("k: 'E-\\d{6}$'", "E-\\d{6}$"),
        ("k: ${NONE:-a:-b}", "a:-b"),
        ("# ${UNSET}\nk: v", "v"),
    ] {
        assert_eq!(value(written).as_deref(), Ok(meant), "{written}");
    }
}

#[test]
fn columns_stay_true_behind_a_variable() {
    let mut problems = Vec::new();
    let document = Document::parse("{a: ${A:-{}, b: x}", &mut problems).unwrap();
    let node = document.get(&["b"]).unwrap();
    assert_eq!((node.name_at().col, node.at.col), (14, 17));
}

#[test]
fn keys_stay_as_they_are() {
    let mut problems = Vec::new();
    let mut document = Document::parse("${NAME}: 1", &mut problems).unwrap();
    interpolate(&mut document, &|_| None, &mut problems);
    assert_eq!(problems, []);
    assert!(document.get(&["${NAME}"]).is_some());
}

#[test]
fn says_what_is_wrong() {
    insta::assert_snapshot!(value("a: 1\nk: ${NONE}").unwrap_err(), @r"
    f:2:4: environment variable `NONE` is not set
        hint: set it, or give a default: ${NONE:-…}
    ");
    insta::assert_snapshot!(value("k: '${NAME'").unwrap_err(), @r"
    f:1:4: `${` without its `}`
        hint: close it with `}`, or write `$$` for a dollar
    ");
    insta::assert_snapshot!(value("k: ${MY-NAME}").unwrap_err(), @r"
    f:1:4: `${MY-NAME}` is not a variable
        hint: write ${NAME} or ${NAME:-default}: the name of letters, digits and `_`, the default without `${`
    ");
    assert!(value("k: ${A:-${B}}").is_err());
    assert!(value("k: ${}").is_err());
    assert!(value("k: ${1A}").is_err());
}

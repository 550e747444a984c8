//! YAML with positions, and the bounds that keep a hostile file small.

use super::*;
use crate::config::problem::Problems;

fn parse(text: &str) -> (Option<Document>, String) {
    let mut problems = Vec::new();
    let document = Document::parse(text, &mut problems);
    (document, Problems::new("f", problems).to_string())
}

fn text<'d>(document: &'d Document, path: &[&str]) -> &'d str {
    match &document.get(path).unwrap().value {
        Value::Scalar(scalar) => &scalar.text,
        _ => panic!("no scalar"),
    }
}

#[test]
fn knows_where_keys_and_values_stand() {
    let (document, problems) = parse("# first\nä: 1\nb:\n  cc: [x, 'y']\n");
    let document = document.unwrap();
    assert_eq!(problems, "");
    let at = |path: &[&str]| {
        let node = document.get(path).unwrap();
        ((node.name_at().line, node.name_at().col), (node.at.line, node.at.col))
    };
    assert_eq!(at(&["ä"]), ((2, 1), (2, 4)));
    assert_eq!(at(&["b", "cc"]), ((4, 3), (4, 7)));
    let items: Vec<_> = document.get(&["b", "cc"]).unwrap().children().map(|(_, item)| item).collect();
    assert_eq!((items[1].at.line, items[1].at.col), (4, 11));
    assert_eq!(document.path_of(items[1].id), "b.cc[1]");
}

#[test]
fn finds_characters_inside_scalars() {
    let source =
        "a: x + y\nb: 'it''s y'\nc: \"t\\\"s y\"\nd: |\n  x\ne: \"\\x41 y\"\nf: long\n  text y\ng: {when: ä y}\n";
    let document = parse(source).0.unwrap();
    let inside = |path: &[&str], needle: char| {
        let at = text(&document, path).chars().position(|c| c == needle).unwrap();
        let Position { line, col } = document.inside(document.get(path).unwrap(), at);
        (line, col)
    };
    assert_eq!(inside(&["a"], 'y'), (1, 8));
    assert_eq!(inside(&["b"], 'y'), (2, 11));
    assert_eq!(inside(&["c"], 'y'), (3, 10));
    assert_eq!(inside(&["d"], 'x'), (5, 3), "a block: where it begins");
    assert_eq!(inside(&["e"], 'y'), (6, 4), "an escape by number: where it begins");
    assert_eq!(inside(&["f"], 'y'), (7, 4), "two lines: where it begins");
    assert_eq!(inside(&["g", "when"], 'y'), (9, 13));
}

#[test]
fn every_kind_of_broken_yaml_has_its_place() {
    insta::assert_snapshot!(parse("a: [1, 2\nb: 3\n").1, @r"
    f:2:2: not YAML: illegal placement of ':' indicator
        hint: look at the indentation, colons and quotes of this line and the one before it
    ");
    insta::assert_snapshot!(parse("a: 1\n b: 2\n").1, @r"
    f:2:3: not YAML: mapping values are not allowed in this context
        hint: look at the indentation, colons and quotes of this line and the one before it
    ");
    insta::assert_snapshot!(parse("a: 'open\n").1, @r"
    f:1:4: not YAML: while scanning a quoted scalar, found unexpected end of stream
        hint: look at the indentation, colons and quotes of this line and the one before it
    ");
    insta::assert_snapshot!(parse("a:\n\t- b\n").1, @r"
    f:2:2: not YAML: tabs disallowed within this context (block indentation)
        hint: look at the indentation, colons and quotes of this line and the one before it
    ");
    insta::assert_snapshot!(parse("a: *nowhere\n").1, @r"
    f:1:4: not YAML: while parsing node, found unknown anchor
        hint: look at the indentation, colons and quotes of this line and the one before it
    ");
    insta::assert_snapshot!(parse("a: &x [*x]\n").1, @r"
    f:1:8: this alias stands inside its own anchor
        hint: write the value out
    ");
    insta::assert_snapshot!(parse("a: 1\n---\nb: 2\n").1, @r"
    f:2:1: a second document begins here
        hint: one file is one document: remove `---`
    ");
    insta::assert_snapshot!(parse("? [a]\n: 1\n").1, @r"
    f:1:3: a key must be text, not a list or mapping
        hint: quote it
    ");
    insta::assert_snapshot!(parse("a: !custom 1\n").1, @r"
    f:1:4: unknown tag `!custom`
        hint: remove it: tags mean nothing here
    ");
    insta::assert_snapshot!(parse("a: \u{10F041}\n").1, @r"
    f:1:4: a character for private use (U+10F000 to U+10F07F)
        hint: remove it
    ");
}

#[test]
fn a_key_given_twice_is_told_and_the_first_one_kept() {
    let (document, problems) = parse("a: 1\nb: {c: 1, c: 2}\n'a': 3\n");
    assert_eq!(text(&document.unwrap(), &["a"]), "1");
    insta::assert_snapshot!(problems, @r"
    f:2:11: key `c` is given twice
        hint: remove one; the first is on line 2
    f:3:1: key `a` is given twice
        hint: remove one; the first is on line 1
    ");
}

#[test]
fn aliases_are_copies_of_their_own() {
    let (document, problems) = parse("a: &x {k: [1]}\nb: *x\n");
    let document = document.unwrap();
    assert_eq!(problems, "");
    let (a, b) = (document.get(&["a", "k"]).unwrap(), document.get(&["b", "k"]).unwrap());
    assert_eq!(a.at, b.at);
    assert_ne!(a.id, b.id);
    assert_eq!(document.get(&["b"]).unwrap().name_at(), Position { line: 2, col: 1 });
}

#[test]
fn keys_are_merged_behind_those_that_are_given() {
    let (document, problems) = parse("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}\nd: {<<: *b}\n");
    let document = document.unwrap();
    assert_eq!(problems, "");
    let value = |key: &str| text(&document, &["c", key]).to_owned();
    assert_eq!([value("x"), value("y"), value("z")], ["1", "1", "3"]);
    assert_eq!(text(&document, &["d", "y"]), "2");
    assert!(document.get(&["c", "<<"]).is_none());
    insta::assert_snapshot!(parse("a: {<<: 1}\nb: !omap [1]\n").1, @r"
    f:1:5: `<<` takes keys and values, or a list of such
        hint: write `<<: *ANCHOR`
    f:2:4: unknown tag `!omap`
        hint: remove it: tags mean nothing here
    ");
}

#[test]
fn a_billion_laughs_are_bounded() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    let (document, problems) = parse(&text);
    assert!(document.is_none());
    assert!(problems.contains("more than 100000 values"), "{problems}");
}

#[test]
fn depth_is_bounded() {
    let (document, problems) = parse(&"[".repeat(100_000));
    assert!(document.is_none());
    assert!(!problems.is_empty());
    let (document, problems) = parse(&(0..80).map(|n| format!("{}k:\n", " ".repeat(n))).collect::<String>());
    assert!(document.is_none());
    assert!(problems.contains("nested deeper than 64"), "{problems}");
    // Reached by way of an alias.
    let (document, problems) =
        parse(&format!("a: &x {}1{}\nb: {}*x{}\n", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40)));
    assert!(document.is_none());
    assert!(problems.contains("nested deeper than 64"), "{problems}");
}

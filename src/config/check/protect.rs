//! `pii`: types that exist, patterns that compile, names that can stand in a header.
//!
//! What a reader could get wrong: a type may be a built-in one or one of `pii.custom`, in every place that names one.

use super::{Checker, decoded_items, shown, url};
use crate::config::document::{Node, Value};
use crate::config::file::Pii;
use crate::config::problem::{listed, nearest, quoted};

/// Longest name of a type: it goes into labels, which models have to repeat.
const LONGEST_NAME: usize = 40;
/// Largest compiled pattern, in bytes (the crate's own default is ten times that).
const LARGEST_PATTERN: usize = 1 << 20;

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let known = |custom: Option<&Pii>| -> Vec<String> {
        let own = custom.into_iter().flat_map(|pii| pii.custom.iter().map(|custom| custom.name.clone()));
        checker.input.entities.iter().map(|name| (*name).to_owned()).chain(own).collect()
    };
    let known = known(file.pii.as_ref());
    if let (Some(node), Some(pii)) = (document.get(&["pii"]), &file.pii) {
        types(checker, node, &known);
        custom(checker, node, pii);
        analyzer(checker, node, pii);
        if let Some(item) = node.get("for").filter(|_| pii.placements.is_empty()) {
            checker.error(
                item,
                "`for` names no placement: nothing would be redacted",
                "write `[cloud]`, or remove `pii`",
            );
        }
    }
    for (_, tenant) in document.get(&["tenants"]).into_iter().flat_map(Node::children) {
        if let Some(node) = tenant.get("pii") {
            types(checker, node, &known);
        }
    }
}

fn analyzer(checker: &mut Checker<'_>, node: &Node, pii: &Pii) {
    let (Some(item), Some(given)) = (node.get("analyzer"), &pii.analyzer) else { return };
    let with = given.with();
    url::http(checker, item.get("url").unwrap_or(item), &with.url);
    checker.time(Some(item), "timeout", Some(with.timeout.0));
    if let Some(at) = item.get("min_score").filter(|_| !(0.0..=1.0).contains(&with.min_score)) {
        checker.error(at, format!("score {} is not between 0 and 1", shown(at)), "remove it for 0.5");
    }
}

/// `redact` and the keys of `modes`.
fn types(checker: &mut Checker<'_>, node: &Node, known: &[String]) {
    let items = node.get("redact").into_iter().flat_map(Node::children).map(|(_, item)| item);
    let items: Vec<(&Node, String)> = items.filter_map(|item| Some((item, text(item)?.to_owned()))).collect();
    for (item, name) in items {
        unknown(checker, item, &name, known, false);
    }
    let modes: Vec<(&Node, String)> = node
        .get("modes")
        .into_iter()
        .flat_map(Node::children)
        .filter_map(|(key, item)| Some((item, key?.to_owned())))
        .collect();
    for (item, name) in modes {
        unknown(checker, item, &name, known, true);
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

fn unknown(checker: &mut Checker<'_>, node: &Node, name: &str, known: &[String], is_key: bool) {
    // Without a list (tests of other things) any name will do.
    if checker.input.entities.is_empty() || known.iter().any(|known| known == name) {
        return;
    }
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = match near.or_else(|| known.iter().find(|known| known.eq_ignore_ascii_case(name)).map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tidegate redact --types` lists them; your own go under `pii.custom`".into(),
    };
    let message = format!("there is no type {} of personal data", quoted(name));
    if is_key { checker.error_at_name(node, message, hint) } else { checker.error(node, message, hint) }
}

fn custom(checker: &mut Checker<'_>, node: &Node, pii: &Pii) {
    let items = decoded_items(node.get("custom"), checker.input.silent);
    let mut seen: Vec<&str> = Vec::new();
    for (item, custom) in items.into_iter().zip(&pii.custom) {
        let at = item.get("type").unwrap_or(item);
        let is_sign = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let well_formed = custom.name.starts_with(|c: char| c.is_ascii_uppercase())
            && custom.name.chars().all(is_sign)
            && !custom.name.ends_with('_')
            && custom.name.len() <= LONGEST_NAME;
        if !well_formed {
            let hint = "write it like EMPLOYEE_ID: capital letters, digits and underscores, at most 40";
            checker.error(at, format!("{} cannot be the name of a type", shown(at)), hint);
        } else if checker.input.entities.contains(&custom.name.as_str()) {
            checker.error(at, format!("{} is a built-in type", shown(at)), "choose another name");
        } else if seen.contains(&custom.name.as_str()) {
            let hint = format!("join the patterns of {} with `|`", listed([custom.name.as_str()]));
            checker.error(at, format!("{} is given twice", shown(at)), hint);
        }
        seen.push(&custom.name);
        pattern(checker, item, &custom.pattern);
        if let Some(at) = item.get("severity").filter(|_| !(1..=3).contains(&custom.severity)) {
            checker.error(at, format!("severity {} does not exist", shown(at)), "1 personal, 2 sensitive, 3 secret");
        }
        if let Some(at) = item.get("score").filter(|_| !(0.0..=1.0).contains(&custom.score)) {
            checker.error(at, format!("score {} is not between 0 and 1", shown(at)), "remove it for 0.9");
        }
    }
}

fn pattern(checker: &mut Checker<'_>, item: &Node, pattern: &str) {
    let at = item.get("pattern").unwrap_or(item);
    let hint = "regular expressions are those of RE2: no look-around, no back-references";
    match regex::RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build() {
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            checker.error(at, format!("the pattern cannot be read: {why}"), hint);
        }
        Ok(regex) if regex.is_match("") => {
            checker.error(at, "the pattern matches the empty text, so it would match everywhere", hint);
        }
        Ok(_) => {}
    }
}

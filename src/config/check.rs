//! What the types cannot say: names that must exist, values that must fit together, promises that this version cannot keep.
//!
//! What a reader could get wrong: the file may hold stand-ins for values that have been complained about (see `decode`). So each
//! check goes by the document's nodes and reports through [`Checker`], which keeps silent about those.

mod books;
mod cache;
mod listeners;
mod models;
mod not_yet;
mod notes;
mod pem;
mod prices;
mod protect;
mod routes;
mod shares;
mod tenants;
mod thresholds;
mod upstreams;
mod url;

pub use listeners::empty;
pub use notes::passthrough;

use std::collections::HashSet;
use std::time::Duration;

use jiff::civil::Date;

use super::document::{Document, Node, Value};
use super::file::File;
use super::problem::{Position, Problem, listed, nearest, quoted};

/// Says whether a rule's `when` is a valid condition; otherwise the offset of the fault in it, in characters, and what it is. The
/// compiler of conditions is above the configuration, so it is handed in.
pub type ConditionCheck<'a> = dyn Fn(&str) -> Result<(), (usize, String)> + 'a;

/// What is checked, and against what.
pub struct Input<'a> {
    pub document: &'a Document,
    pub file: &'a File,
    /// Nodes that are not complained about again.
    pub silent: &'a HashSet<u32>,
    pub conditions: &'a ConditionCheck<'a>,
    /// The built-in types of personal data; none: any name will do.
    pub entities: &'a [&'a str],
    /// For models that retire.
    pub today: Date,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// What is off, one line each.
    pub notes: Vec<String>,
}

/// Checks everything.
pub fn check(input: &Input<'_>) -> Findings {
    let mut checker = Checker { input, findings: Findings::default() };
    not_yet::check(&mut checker);
    listeners::check(&mut checker);
    upstreams::check(&mut checker);
    models::check(&mut checker);
    routes::check(&mut checker);
    thresholds::check(&mut checker);
    tenants::check(&mut checker);
    protect::check(&mut checker);
    cache::check(&mut checker);
    books::check(&mut checker);
    retries(&mut checker);
    checker.findings.notes = notes::of(input.file, input.today);
    checker.findings
}

fn retries(checker: &mut Checker<'_>) {
    let node = checker.input.document.get(&["retries"]);
    let retries = &checker.input.file.retries;
    checker.at_least_one(node, "max_attempts", Some(retries.max_attempts.into()));
    if let Some(budget) = node.and_then(|node| node.get("budget")) {
        thresholds::share(checker, budget, retries.budget);
    }
}

/// Collects findings.
struct Checker<'a> {
    input: &'a Input<'a>,
    findings: Findings,
}

impl Checker<'_> {
    /// A problem with the value of a node.
    fn error(&mut self, node: &Node, message: impl Into<String>, hint: impl Into<String>) {
        self.error_at(node, node.at, message, hint);
    }

    /// A problem with what a key stands for as a whole.
    fn error_at_name(&mut self, node: &Node, message: impl Into<String>, hint: impl Into<String>) {
        self.error_at(node, node.name_at(), message, hint);
    }

    fn error_at(&mut self, node: &Node, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        if !self.input.silent.contains(&node.id) {
            self.findings.problems.push(Problem::error(at, message).with_hint(hint));
        }
    }

    fn warning(&mut self, node: &Node, message: impl Into<String>, hint: impl Into<String>) {
        if !self.input.silent.contains(&node.id) {
            self.findings.warnings.push(Problem::warning(node.at, message).with_hint(hint));
        }
    }

    /// `parent.key` must not be zero, nor so long that adding it to a clock could overflow.
    fn time(&mut self, parent: Option<&Node>, key: &str, time: Option<Duration>) {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let (Some(node), Some(time)) = (parent.and_then(|parent| parent.get(key)), time) else { return };
        if time.is_zero() {
            self.error(node, format!("`{key}` must be longer than 0"), "write a length of time such as 300ms or 10s");
        } else if time > YEAR {
            self.error(node, format!("`{key}` is longer than a year"), "write a length of time such as 300ms or 10s");
        }
    }

    /// `parent.key` must not be zero.
    fn at_least_one(&mut self, parent: Option<&Node>, key: &str, number: Option<u64>) {
        if let Some(node) = parent.and_then(|parent| parent.get(key))
            && number == Some(0)
        {
            self.error(node, format!("`{key}` must be at least 1"), format!("remove `{key}` for its default"));
        }
    }

    /// The keys of upstreams, models, routes and the names of rules become values of headers and metric labels.
    fn name(&mut self, node: &Node, at: Position, kind: &str, name: &str) {
        /// Long enough for a provider's longest model names, short enough for a header and a table.
        const LONGEST: usize = 64;
        let reason = if name.is_empty() {
            "is empty"
        } else if name.len() > LONGEST {
            "is longer than 64 characters"
        } else if !name.chars().all(|c| c.is_ascii_graphic() && c != ',') {
            "has characters that cannot stand in a header"
        } else {
            return;
        };
        let hint = "use ASCII letters, digits and punctuation, no spaces or commas: it goes into headers and metrics";
        self.error_at(node, at, format!("{kind} name {} {reason}", quoted(name)), hint);
    }

    /// Whether `name`, the value of `node`, is a key of the section; complains if not.
    fn refers(&mut self, node: &Node, kind: &str, section: &str, name: &str) -> bool {
        let known = self.keys(section);
        if known.contains(&name) {
            return true;
        }
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("add it under `{section}`"),
            None => format!("add it under `{section}`, or use one of {}", listed(known.iter().copied())),
        };
        let hint = if may_show(node) { hint } else { format!("known are {}", listed(known)) };
        self.error(node, format!("no {kind} is named {}", shown(node)), hint);
        false
    }

    /// The keys of a section, those with unusable values included.
    fn keys(&self, section: &str) -> Vec<&str> {
        let section = self.input.document.get(&[section]);
        section.into_iter().flat_map(Node::children).filter_map(|(key, _)| key).collect()
    }
}

/// The items of a list that were decoded, in the order in which they were.
fn decoded_items<'n>(list: Option<&'n Node>, silent: &HashSet<u32>) -> Vec<&'n Node> {
    let items = list.into_iter().flat_map(Node::children).map(|(_, item)| item);
    items.filter(|item| !silent.contains(&item.id)).collect()
}

/// A node's value for a message; never one that came from the environment or a secret.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) if scalar.may_show() => quoted(&scalar.text),
        Value::Scalar(scalar) if !scalar.secret => {
            format!("the value of `${{{}}}`", scalar.variables.join("}` and `${"))
        }
        _ => "this value".into(),
    }
}

pub fn may_show(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.may_show())
}

#[cfg(test)]
mod tests;

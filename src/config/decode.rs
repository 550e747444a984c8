//! The tree into serde types, with everything that is wrong told at once and in words for people.
//!
//! serde stops at the first error. So: decode, note the problem, leave the offending value out, decode again, until it succeeds.
//! What is left out takes its default; where that is not possible (a required key) a *hole* stands in for it, a value that means
//! nothing. What a reader could get wrong: the result may hold such values. It is only good for finding further problems, unless
//! there were none; and checks must not complain about what is in [`Decoded::silent`].

mod hole;
mod node;
mod secret;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::document::{Document, Node, Scalar, Value};
use super::problem::{Problem, nearest, quoted};
use node::{Error, Kind, NodeDeserializer, Place};
pub use secret::os_reason;

/// Nobody reads further, and each problem decodes the whole document once more.
const MAX_PROBLEMS: usize = 100;

/// A bad value of a required key takes up to three: left out, a hole, its surroundings left out.
const MAX_ATTEMPTS: usize = 3 * MAX_PROBLEMS;

/// What came of a document.
#[derive(Debug)]
pub struct Decoded<T> {
    /// `None` where not even a partial value could be made.
    pub value: Option<T>,
    /// Nodes whose value has been complained about, or stands for one that has.
    pub silent: HashSet<u32>,
    /// Nodes that were read as secrets.
    pub secrets: HashSet<u32>,
    /// Files that secrets were read from, and what was in them.
    pub files: BTreeMap<PathBuf, String>,
}

/// Decodes a document. `failed` are nodes whose value is known to be bad already; `file:` secrets are relative to `base`.
pub fn decode<T: DeserializeOwned>(
    document: &Document,
    failed: HashSet<u32>,
    base: &Path,
    problems: &mut Vec<Problem>,
) -> Decoded<T> {
    let state = State::new(base, failed);
    let mut value = None;
    for _ in 0..MAX_ATTEMPTS {
        match T::deserialize(NodeDeserializer::new(&document.root, &state)) {
            Ok(decoded) => {
                value = Some(decoded);
                break;
            }
            Err(error) => {
                if state.take_out(document, error).is_break() || state.noted.borrow().len() >= MAX_PROBLEMS {
                    break;
                }
            }
        }
    }
    let State { noted, pruned, holes, secrets, files, .. } = state;
    let mut noted = noted.into_inner();
    if noted.len() >= MAX_PROBLEMS {
        noted.truncate(MAX_PROBLEMS);
        let last = noted.iter().map(|problem| (problem.line, problem.col)).max().unwrap_or((1, 1));
        let at = super::problem::Position { line: last.0, col: last.1 };
        noted.push(Problem::error(at, "more is wrong than is told here").with_hint("mend these first"));
    }
    problems.append(&mut noted);
    let mut silent = pruned.into_inner();
    silent.extend(holes.into_inner());
    let files = files.into_inner().into_iter().filter_map(|(path, text)| Some((path, text.ok()?))).collect();
    Decoded { value, silent, secrets: secrets.into_inner(), files }
}

/// What is remembered from one attempt to the next.
pub struct State {
    noted: RefCell<Vec<Problem>>,
    /// Left out: as if it were not in the file.
    pruned: RefCell<HashSet<u32>>,
    /// Replaced: required, so that it cannot be left out.
    holes: RefCell<HashSet<u32>>,
    /// Required keys that are not in the file: a hole is handed out for them.
    missing: RefCell<HashSet<(u32, &'static str)>>,
    /// Unknown keys that have been noted.
    unknown: RefCell<HashSet<u32>>,
    secrets: RefCell<HashSet<u32>>,
    files: RefCell<BTreeMap<PathBuf, Result<String, String>>>,
    base: PathBuf,
}

impl State {
    fn new(base: &Path, failed: HashSet<u32>) -> Self {
        State {
            noted: RefCell::default(),
            pruned: RefCell::new(failed),
            holes: RefCell::default(),
            missing: RefCell::default(),
            unknown: RefCell::default(),
            secrets: RefCell::default(),
            files: RefCell::default(),
            base: base.to_owned(),
        }
    }

    /// Notes the problem and makes the next attempt get past it.
    fn take_out(&self, document: &Document, error: Error) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let (id, in_hole) = match error.place {
            Some(Place::Value(id)) => (id, false),
            Some(Place::Hole(parent)) => (parent, true),
            None => (document.root.id, false),
        };
        let Some(node) = find(&document.root, id) else { return Break(()) };
        if let Kind::Missing(field) = error.kind
            && !in_hole
        {
            match node.get(field).filter(|child| self.pruned.borrow().contains(&child.id)) {
                // Its value was bad and has been left out, but it is required.
                Some(child) => {
                    self.pruned.borrow_mut().remove(&child.id);
                    if self.holes.borrow_mut().insert(child.id) {
                        return Continue(());
                    }
                }
                None => {
                    if self.missing.borrow_mut().insert((id, field)) {
                        if !self.is_misspelt(node, field) {
                            self.note(missing(document, node, field));
                        }
                        return Continue(());
                    }
                }
            }
        } else if !in_hole && !self.holes.borrow().contains(&id) {
            self.note(self.describe(node, error.kind));
        }
        // A hole that does not fit (a type that parses its text): its whole surroundings are left out.
        self.holes.borrow_mut().remove(&id);
        match id != document.root.id && self.pruned.borrow_mut().insert(id) {
            true => Continue(()),
            false => Break(()),
        }
    }

    /// Whether an unknown key has been noted that was probably meant to be this one.
    fn is_misspelt(&self, node: &Node, field: &str) -> bool {
        let unknown = self.unknown.borrow();
        let mut keys = node.children().filter(|(_, child)| unknown.contains(&child.id)).filter_map(|(key, _)| key);
        keys.any(|key| nearest(key, [field]).is_some())
    }

    fn note(&self, problem: Problem) {
        self.noted.borrow_mut().push(problem);
    }

    /// A value's error in words.
    fn describe(&self, node: &Node, kind: Kind) -> Problem {
        let secret = self.secrets.borrow().contains(&node.id);
        match kind {
            Kind::Expected { what, hint } => {
                let problem = Problem::error(node.at, format!("expected {what}, found {}", found(node, secret)));
                match hint {
                    // A near word of a value that must not be shown would show it.
                    Some(hint) if !secret && may_show(node) => problem.with_hint(hint),
                    _ => problem,
                }
            }
            Kind::Said { message, hint } => Problem::error(node.at, message).with_hint(hint),
            Kind::Missing(field) => Problem::error(node.name_at(), format!("key `{field}` is missing")),
        }
    }
}

fn missing(document: &Document, node: &Node, field: &str) -> Problem {
    let path = document.path_of(node.id);
    let place = if path.is_empty() { String::new() } else { format!(" in {}", quoted(&path)) };
    Problem::error(node.name_at(), format!("key `{field}` is missing{place}")).with_hint(format!("add `{field}: …`"))
}

fn may_show(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.may_show())
}

/// What stands there, for a message.
fn found(node: &Node, secret: bool) -> String {
    match &node.value {
        _ if node.is_null() => "nothing".into(),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "keys and values".into(),
        Value::Scalar(Scalar { variables, .. }) if !variables.is_empty() => {
            format!("the value of `${{{}}}`", variables.join("}` and `${"))
        }
        Value::Scalar(scalar) if secret || scalar.secret => "a secret".into(),
        Value::Scalar(scalar) => quoted(&scalar.text),
    }
}

fn find(node: &Node, id: u32) -> Option<&Node> {
    if node.id == id {
        return Some(node);
    }
    // Numbered in reading order: the child that holds it is the last one that does not begin after it.
    let child = node.children().map(|(_, child)| child).take_while(|child| child.id <= id).last()?;
    find(child, id)
}

#[cfg(test)]
mod tests;

//! YAML text to a tree whose every key and value knows where it stands.
//!
//! What a reader could get wrong: an alias is a copy here (positions are the anchor's), so the number of nodes is capped over the
//! expanded tree, and its depth as well (`build`). So every stage after this may recurse.

mod build;

use super::interpolate;
use super::problem::{Position, Problem};

/// A configuration's text as a tree.
#[derive(Debug, Clone)]
pub struct Document {
    pub root: Node,
    /// The text it came from, for positions inside a scalar.
    source: String,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique in the document, copies made by aliases included.
    pub id: u32,
    /// Where the value begins.
    pub at: Position,
    /// Where its key begins; `None` for list items and the root.
    pub key_at: Option<Position>,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub node: Node,
}

/// Text, number, truth value or nothing: which of them is decided by who reads it.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// After interpolation.
    pub text: String,
    /// How it is written.
    pub style: Style,
    /// The variables that `${…}` in it named; not empty means that `text` must not be shown.
    pub variables: Vec<String>,
    /// Read by a field that holds a secret: must not be shown.
    pub secret: bool,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    /// `|` or `>`, or tagged `!!str`.
    Block,
}

impl Document {
    /// Reads one YAML document. The problems do not exclude a document: what could be read is read.
    pub fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Document> {
        let protected = interpolate::protect(text, problems)?;
        let mut root = build::tree(&protected, problems)?;
        number(&mut root, &mut 0);
        Some(Document { root, source: text.to_owned() })
    }

    /// The node at a path of keys.
    pub fn get(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| node.get(key))
    }

    /// The path of a node for messages: `upstreams.lab.nodes[0]`; empty for the root.
    pub fn path_of(&self, id: u32) -> String {
        fn find(node: &Node, id: u32, path: &mut String) -> bool {
            if node.id == id {
                return true;
            }
            let before = path.len();
            for (index, (key, child)) in node.children().enumerate() {
                match key {
                    Some(key) if path.is_empty() => path.push_str(key),
                    Some(key) => path.extend([".", key]),
                    None => path.push_str(&format!("[{index}]")),
                }
                if find(child, id, path) {
                    return true;
                }
                path.truncate(before);
            }
            false
        }
        let mut path = String::new();
        find(&self.root, id, &mut path);
        path
    }

    /// The place of the character `offset` of a scalar: exact where the scalar stands on one line as it is; the scalar's beginning
    /// where it is a block, continues on further lines or has `${…}` in it.
    pub fn inside(&self, node: &Node, offset: usize) -> Position {
        let Value::Scalar(scalar) = &node.value else { return node.at };
        let Some(line) = self.source.lines().nth(node.at.line.saturating_sub(1)) else { return node.at };
        let written: Vec<char> = line.chars().skip(node.at.col.saturating_sub(1)).collect();
        match columns(&written, scalar).and_then(|columns| columns.get(offset).copied()) {
            Some(column) => Position { line: node.at.line, col: node.at.col + column },
            None => node.at,
        }
    }
}

impl Node {
    /// The value of a key; `None` also where this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// Keys and values of a mapping, or a list's items; nothing for a scalar.
    pub fn children(&self) -> impl Iterator<Item = (Option<&str>, &Node)> {
        let (entries, items): (&[Entry], &[Node]) = match &self.value {
            Value::Map(entries) => (entries, &[]),
            Value::List(items) => (&[], items),
            Value::Scalar(_) => (&[], &[]),
        };
        entries.iter().map(|entry| (Some(entry.key.as_str()), &entry.node)).chain(items.iter().map(|item| (None, item)))
    }

    /// The children, to change them.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        let (entries, items): (&mut [Entry], &mut [Node]) = match &mut self.value {
            Value::Map(entries) => (entries, &mut []),
            Value::List(items) => (&mut [], items),
            Value::Scalar(_) => (&mut [], &mut []),
        };
        entries.iter_mut().map(|entry| &mut entry.node).chain(items.iter_mut())
    }

    /// A key without a value (`key:`, `key: ~`, `key: ${UNSET:-}`): counts as absent everywhere.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// Where to point at for the whole of it: its key, or itself.
    pub fn name_at(&self) -> Position {
        self.key_at.unwrap_or(self.at)
    }
}

impl Scalar {
    fn is_null(&self) -> bool {
        match self.style {
            _ if !self.variables.is_empty() => self.text.is_empty(),
            Style::Plain => matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// As JSON, of the type that YAML gives it.
    pub fn to_json(&self) -> serde_json::Value {
        if self.style == Style::Plain {
            match self.text.as_str() {
                "true" | "True" | "TRUE" => return true.into(),
                "false" | "False" | "FALSE" => return false.into(),
                text => {
                    if let Ok(number) = text.parse::<serde_json::Number>() {
                        return number.into();
                    }
                }
            }
        }
        self.text.clone().into()
    }

    /// Whether the text may stand in a message.
    pub fn may_show(&self) -> bool {
        self.variables.is_empty() && !self.secret
    }
}

/// For each character of the scalar's text its offset in `written`, which begins where the scalar begins. `None` where that is not
/// simple: escapes by number, further lines, interpolation.
fn columns(written: &[char], scalar: &Scalar) -> Option<Vec<usize>> {
    let (mut at, quote) = match scalar.style {
        Style::Plain => (0, None),
        Style::Single => (1, Some('\'')),
        Style::Double => (1, Some('"')),
        Style::Block => return None,
    };
    let mut columns = Vec::new();
    for expected in scalar.text.chars() {
        columns.push(at);
        let mut found = *written.get(at)?;
        // `''` and `\"`: two characters written for one meant.
        if quote == Some('\'') && found == '\'' || quote == Some('"') && found == '\\' {
            at += 1;
            found = *written.get(at)?;
        }
        if found != expected {
            return None;
        }
        at += 1;
    }
    columns.push(at);
    Some(columns)
}

fn number(node: &mut Node, next: &mut u32) {
    node.id = *next;
    *next += 1;
    node.children_mut().for_each(|child| number(child, next));
}

#[cfg(test)]
mod tests;

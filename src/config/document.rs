//! YAML text to a tree whose every key and value knows where it stands.
//!
//! What a reader could get wrong: an alias is a copy here (positions are the anchor's), so the number of nodes is capped over the
//! expanded tree, anchors included: nested aliases cannot blow it up. Every stage after this may recurse, because the depth is
//! capped as well.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::interpolate;
use super::problem::{Position, Problem};

/// Nodes of the whole tree. A configuration of a thousand models has about ten thousand.
const MAX_NODES: usize = 100_000;

/// Nesting. The deepest sensible configuration has eight levels.
const MAX_DEPTH: usize = 64;

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
        let mut builder = Builder::default();
        let root = builder.read(&protected);
        problems.append(&mut builder.problems);
        let mut root = root?;
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

/// A collection that is not finished.
enum Open {
    List { anchor: usize, at: Position, items: Vec<Node> },
    Map { anchor: usize, at: Position, entries: Vec<Entry>, seen: HashMap<String, Position>, key: Key },
}

/// Whether a mapping waits for a key or for a value.
enum Key {
    Awaited,
    Read(String, Position),
    /// Not usable; the value that follows is dropped.
    Unusable,
}

#[derive(Default)]
struct Builder {
    problems: Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// The problem is noted; reading cannot go on.
struct Stop;

impl Builder {
    fn read(&mut self, text: &str) -> Option<Node> {
        let mut parser = Parser::new_from_str(text);
        let mut root = None;
        let mut documents = 0;
        loop {
            let (event, span) = match parser.next_event()? {
                Ok(event) => event,
                Err(error) => {
                    self.problems.push(syntax(&error));
                    return None;
                }
            };
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        self.problem(
                            position(span),
                            "a second document begins here",
                            "one file is one document: remove `---`",
                        );
                        return None;
                    }
                }
                event => match self.event(event, position(span)) {
                    Ok(None) => {}
                    Ok(Some(node)) => root = Some(node),
                    Err(Stop) => return None,
                },
            }
        }
        root
    }

    /// Takes one event in; gives back the root when it is complete.
    fn event(&mut self, event: Event<'_>, at: Position) -> Result<Option<Node>, Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let mut style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                if let Some(tag) = tag {
                    match tag.is_yaml_core_schema() {
                        true if tag.suffix == "str" => style = Style::Block,
                        true => {}
                        false => self.problem(at, format!("unknown tag `{tag}`"), "remove it: tags mean nothing here"),
                    }
                }
                let text = interpolate::unprotect(&text);
                let value = Value::Scalar(Scalar { text, style, variables: Vec::new(), secret: false });
                self.complete(Node { id: 0, at, key_at: None, value }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(at, Open::List { anchor, at, items: Vec::new() }),
            Event::MappingStart(anchor, _) => {
                let map = Open::Map { anchor, at, entries: Vec::new(), seen: HashMap::new(), key: Key::Awaited };
                self.open(at, map)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { anchor, at, items }) => {
                    self.complete(Node { id: 0, at, key_at: None, value: Value::List(items) }, anchor)
                }
                Some(Open::Map { anchor, at, entries, .. }) => {
                    self.complete(Node { id: 0, at, key_at: None, value: Value::Map(entries) }, anchor)
                }
                None => Ok(None),
            },
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(None),
        }
    }

    fn open(&mut self, at: Position, open: Open) -> Result<Option<Node>, Stop> {
        self.deep_enough(at, 1)?;
        self.open.push(open);
        Ok(None)
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<Option<Node>, Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            self.problem(at, "this alias stands inside its own anchor", "write the value out");
            return Err(Stop);
        };
        let (size, depth) = measure(node);
        let copy = node.clone();
        self.count(at, size)?;
        self.deep_enough(at, depth)?;
        self.place(copy)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, Stop> {
        self.count(node.at, 1)?;
        if anchor != 0 {
            // The copy counts like any other node: nested anchors would otherwise multiply what is held.
            self.count(node.at, measure(&node).0)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    /// Puts a finished node where it belongs; gives back the root.
    fn place(&mut self, mut node: Node) -> Result<Option<Node>, Stop> {
        let Some(open) = self.open.last_mut() else { return Ok(Some(node)) };
        let (entries, seen, key) = match open {
            Open::List { items, .. } => {
                node.key_at = None;
                items.push(node);
                return Ok(None);
            }
            Open::Map { entries, seen, key, .. } => (entries, seen, key),
        };
        match std::mem::replace(key, Key::Awaited) {
            Key::Unusable => {}
            Key::Read(name, at) => {
                node.key_at = Some(at);
                entries.push(Entry { key: name, node });
            }
            Key::Awaited => {
                *key = Key::Unusable;
                match node.value {
                    Value::Scalar(Scalar { text, .. }) => match seen.get(&text).copied() {
                        None => {
                            seen.insert(text.clone(), node.at);
                            *key = Key::Read(text, node.at);
                        }
                        Some(first) => {
                            let message = format!("key {} is given twice", super::problem::quoted(&text));
                            self.problem(node.at, message, format!("remove one; the first is on line {}", first.line));
                        }
                    },
                    _ => self.problem(node.at, "a key must be text, not a list or mapping", "quote it"),
                }
            }
        }
        Ok(None)
    }

    fn count(&mut self, at: Position, nodes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("more than {MAX_NODES} values, aliases written out");
        self.problem(at, message, "use fewer aliases, or aliases of smaller values");
        Err(Stop)
    }

    fn deep_enough(&mut self, at: Position, more: usize) -> Result<(), Stop> {
        if self.open.len() + more <= MAX_DEPTH {
            return Ok(());
        }
        self.problem(at, format!("nested deeper than {MAX_DEPTH} levels"), "nothing in the configuration is that deep");
        Err(Stop)
    }

    fn problem(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::error(at, message).with_hint(hint));
    }
}

/// Number of nodes and levels.
fn measure(node: &Node) -> (usize, usize) {
    node.children().map(|(_, child)| measure(child)).fold((1, 1), |(size, depth), (s, d)| (size + s, depth.max(d + 1)))
}

fn position(span: Span) -> Position {
    Position { line: span.start.line().max(1), col: span.start.col() + 1 }
}

fn syntax(error: &ScanError) -> Problem {
    let at = Position { line: error.marker().line().max(1), col: error.marker().col() + 1 };
    let problem = Problem::error(at, format!("not YAML: {}", interpolate::unprotect(error.info())));
    problem.with_hint("look at the indentation, colons and quotes of this line and the one before it")
}

#[cfg(test)]
mod tests;

//! From YAML's events to the tree.
//!
//! What a reader could get wrong: an alias is written out as a copy, and the copies kept for anchors count like any other node:
//! neither nested aliases (a billion laughs) nor nested anchors can use up the memory. There is no recursion over the text.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Entry, Node, Scalar, Style, Value};
use crate::config::interpolate;
use crate::config::problem::{Position, Problem, quoted};

/// Nodes of the whole tree. A configuration of a thousand models has about ten thousand.
const MAX_NODES: usize = 100_000;

/// Nesting. The deepest sensible configuration has eight levels.
const MAX_DEPTH: usize = 64;

/// Reads one YAML document.
pub fn tree(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder = Builder::default();
    let root = builder.read(text);
    problems.append(&mut builder.problems);
    root
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
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let style = if self.is_text(tag.as_deref(), at) { Style::Block } else { style };
                let text = interpolate::unprotect(&text);
                let value = Value::Scalar(Scalar { text, style, variables: Vec::new(), secret: false });
                self.complete(Node { id: 0, at, key_at: None, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_text(tag.as_deref(), at);
                self.open(at, Open::List { anchor, at, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.is_text(tag.as_deref(), at);
                let map = Open::Map { anchor, at, entries: Vec::new(), seen: HashMap::new(), key: Key::Awaited };
                self.open(at, map)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { anchor, at, items }) => {
                    self.complete(Node { id: 0, at, key_at: None, value: Value::List(items) }, anchor)
                }
                Some(Open::Map { anchor, at, entries, .. }) => {
                    let entries = self.merge(entries);
                    self.complete(Node { id: 0, at, key_at: None, value: Value::Map(entries) }, anchor)
                }
                None => Ok(None),
            },
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(None),
        }
    }

    /// Whether the tag is `!!str`. YAML's other tags change nothing here; an application's are a mistake.
    fn is_text(&mut self, tag: Option<&Tag>, at: Position) -> bool {
        let Some(tag) = tag else { return false };
        if !tag.is_yaml_core_schema() {
            self.problem(at, format!("unknown tag {}", quoted(&tag.to_string())), "remove it: tags mean nothing here");
        }
        tag.is_yaml_core_schema() && tag.suffix == "str"
    }

    /// `<<: *anchor` or `<<: [*one, *two]` takes over the keys that are not given: what comes first wins. Not in YAML 1.2, but
    /// what people know from other tools.
    fn merge(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let Some(at) = entries.iter().position(|entry| entry.key == "<<") else { return entries };
        let merged = entries.remove(at).node;
        let place = merged.name_at();
        let sources = match merged.value {
            Value::List(items) => items,
            _ => vec![merged],
        };
        let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        for source in sources {
            match source.value {
                Value::Map(source) => {
                    entries.extend(source.into_iter().filter(|entry| known.insert(entry.key.clone())));
                }
                _ => self.problem(place, "`<<` takes keys and values, or a list of such", "write `<<: *ANCHOR`"),
            }
        }
        entries
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
                            let message = format!("key {} is given twice", quoted(&text));
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

//! What stands around the choices of chat and completions: the members that every chunk repeats, those that only the last one says, usage.
//!
//! What a reader could get wrong: the first chunk of Azure has an empty id and model and `created` 0; the first that says something counts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::members::{Choices, Holding, Members, is_empty, is_null, text};
use super::pieces;

/// Said by every chunk, the same each time.
const SAME: [&str; 5] = ["id", "created", "model", "service_tier", "system_fingerprint"];
/// Padding against eavesdroppers and the progress of a prompt: about the stream, not the answer.
const OF_THE_STREAM: [&str; 2] = ["obfuscation", "prompt_progress"];

/// A choice of a stream, put together from what its chunks say.
pub(super) trait FromChunks<'a>: Default {
    type Chunk: Deserialize<'a>;

    /// `index` as the chunk says it.
    fn index(chunk: &Self::Chunk) -> Option<&'a str>;

    /// Takes in what a chunk says. `None` if it is not understood.
    fn note(&mut self, chunk: Self::Chunk) -> Option<()>;

    /// Writes the choice of the plain answer. `None` if it is none.
    fn write(&self, index: u32, out: &mut Vec<u8>) -> Option<()>;
}

/// The plain answer from the chunks of a stream.
pub(super) fn join<'a, C: FromChunks<'a>>(said: &'a [Cow<'_, str>], object: &str) -> Option<Vec<u8>> {
    let mut around = Around::default();
    let mut choices: BTreeMap<u32, C> = BTreeMap::new();
    for chunk in said {
        let chunk: Holding<'a, Choices, Option<Vec<C::Chunk>>> = serde_json::from_str(chunk).ok()?;
        if chunk.held.is_none() && chunk.rest.get("usage").is_none() {
            return None;
        }
        around.note(chunk.rest)?;
        for (place, choice) in chunk.held.flatten().into_iter().flatten().enumerate() {
            let index = match C::index(&choice) {
                Some(index) => index.parse().ok()?,
                None => u32::try_from(place).ok()?,
            };
            choices.entry(index).or_default().note(choice)?;
        }
    }
    let mut told = Vec::with_capacity(1024);
    for (index, choice) in &choices {
        if !told.is_empty() {
            told.push(b',');
        }
        choice.write(*index, &mut told)?;
    }
    (!told.is_empty()).then(|| around.plain(object, &told))
}

/// The choices of a plain answer, each with its index and whether it is the last. `None` if there is none, or they are out of order.
pub(super) fn in_order<T>(choices: Vec<T>, index: impl Fn(&T) -> Option<&str>) -> Option<Vec<(T, u32, bool)>> {
    let last = choices.len().checked_sub(1)?;
    let mut list: Vec<(T, u32, bool)> = Vec::with_capacity(choices.len());
    for (at, choice) in choices.into_iter().enumerate() {
        let index = index(&choice)?.parse().ok()?;
        if list.last().is_some_and(|(_, before, _)| *before >= index) {
            return None;
        }
        list.push((choice, index, at == last));
    }
    Some(list)
}

/// What the chunks of a stream say besides choices.
#[derive(Debug, Default)]
struct Around<'a> {
    members: Members<'a>,
    usage: Option<&'a str>,
}

impl<'a> Around<'a> {
    /// Takes in what a chunk says. `None` if it tells an error.
    fn note(&mut self, chunk: Members<'a>) -> Option<()> {
        for (key, value) in chunk.0 {
            match &*key {
                "error" if !is_null(value) => return None,
                "object" => {}
                "usage" => self.usage = Some(value).filter(|value| !is_null(value)).or(self.usage),
                name if OF_THE_STREAM.contains(&name) => {}
                "id" | "created" | "model" => self.first(key, value),
                _ => self.members.renew(key, value)?,
            }
        }
        Some(())
    }

    fn first(&mut self, key: Cow<'a, str>, value: &'a str) {
        match self.members.0.iter_mut().find(|(known, _)| *known == key) {
            None => self.members.0.push((key, value)),
            Some((_, before)) if is_empty(before) || *before == "0" => *before = value,
            Some(_) => {}
        }
    }

    /// The plain answer.
    fn plain(&self, object: &str, choices: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(choices.len() + 1024);
        out.extend_from_slice(b"{\"object\":\"");
        out.extend_from_slice(object.as_bytes());
        out.push(b'"');
        self.members.write_more(&mut out, |name, _| SAME.contains(&name));
        out.extend_from_slice(b",\"choices\":[");
        out.extend_from_slice(choices);
        out.push(b']');
        self.members.write_more(&mut out, |name, _| !SAME.contains(&name));
        if let Some(usage) = self.usage {
            out.extend_from_slice(b",\"usage\":");
            out.extend_from_slice(usage.as_bytes());
        }
        out.push(b'}');
        out
    }
}

/// Writes a stream of chunks.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    out: Vec<u8>,
    /// `data: {…,"choices":[`
    head: Vec<u8>,
    /// `,"usage":null` where usage is asked for.
    no_usage: &'static [u8],
    members: Members<'a>,
    usage: Option<&'a str>,
}

impl<'a> Chunks<'a> {
    /// From an answer's members besides choices. `None` if its object is not `plain`, or it tells an error.
    pub(super) fn new(members: Members<'a>, plain: &str, chunk: &str, ask_usage: bool) -> Option<Chunks<'a>> {
        let object = members.get("object")?;
        if text(object)? != plain || members.told("error").is_some() {
            return None;
        }
        let mut head = b"data: {\"object\":\"".to_vec();
        head.extend_from_slice(chunk.as_bytes());
        head.push(b'"');
        members.write_more(&mut head, |name, _| SAME.contains(&name));
        head.extend_from_slice(b",\"choices\":[");
        let usage = members.told("usage").filter(|_| ask_usage);
        let no_usage: &[u8] = if ask_usage { b",\"usage\":null" } else { b"" };
        Some(Chunks { out: Vec::new(), head, no_usage, members, usage })
    }

    /// Makes room for a text that will be told.
    pub(super) fn expect(&mut self, text: usize) {
        self.out.reserve(text + (text / 6 + 6).min(pieces::MOST) * (self.head.len() + 100));
    }

    /// One chunk with one choice, which `choice` writes.
    pub(super) fn chunk(&mut self, choice: impl FnOnce(&mut Vec<u8>)) {
        self.begin(choice);
        self.end();
    }

    /// The chunk that ends a choice; that of the last choice also says what is known only at the end.
    pub(super) fn end_choice(&mut self, is_last: bool, choice: impl FnOnce(&mut Vec<u8>)) {
        self.begin(choice);
        if is_last {
            self.members.write_more(&mut self.out, |name, _| {
                !matches!(name, "object" | "usage") && !SAME.contains(&name) && !OF_THE_STREAM.contains(&name)
            });
        }
        self.end();
    }

    fn begin(&mut self, choice: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(&self.head);
        choice(&mut self.out);
        self.out.push(b']');
    }

    fn end(&mut self) {
        self.out.extend_from_slice(self.no_usage);
        self.out.extend_from_slice(b"}\n\n");
    }

    /// The stream, with its usage and its end.
    pub(super) fn done(mut self) -> Vec<u8> {
        if let Some(usage) = self.usage {
            self.begin(|_| {});
            self.out.extend_from_slice(b",\"usage\":");
            self.out.extend_from_slice(usage.as_bytes());
            self.out.extend_from_slice(b"}\n\n");
        }
        self.out.extend_from_slice(b"data: [DONE]\n\n");
        self.out
    }
}

/// `{"index":N`, with which each choice begins.
pub(super) fn write_index(out: &mut Vec<u8>, index: u32) {
    out.extend_from_slice(b"{\"index\":");
    out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
}

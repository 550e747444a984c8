//! What stands around the choices of chat and completions: the members that every chunk repeats, those that only the last one says, usage.
//!
//! What a reader could get wrong: the first chunk of Azure has an empty id and model and `created` 0; the first that says something counts.

use std::borrow::Cow;

use super::members::{Members, is_empty, is_null};

/// Said by every chunk, the same each time.
const SAME: [&str; 5] = ["id", "created", "model", "service_tier", "system_fingerprint"];
/// Padding against eavesdroppers and the progress of a prompt: about the stream, not the answer.
const OF_THE_STREAM: [&str; 2] = ["obfuscation", "prompt_progress"];

/// What the chunks of a stream say besides choices.
#[derive(Debug, Default)]
pub(super) struct Around<'a> {
    members: Members<'a>,
    usage: Option<&'a str>,
}

impl<'a> Around<'a> {
    /// Takes in what a chunk says. `None` if it tells an error.
    pub(super) fn note(&mut self, chunk: Members<'a>) -> Option<()> {
        for (key, value) in chunk.0 {
            match &*key {
                "error" if !is_null(value) => return None,
                "object" => {}
                "usage" => self.usage = Some(value).filter(|value| !is_null(value)).or(self.usage),
                name if OF_THE_STREAM.contains(&name) => {}
                "id" | "created" | "model" => self.first(key, value),
                _ => self.members.renew(key, value),
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
    pub(super) fn plain(&self, object: &str, choices: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(b"{\"object\":\"");
        out.extend_from_slice(object.as_bytes());
        out.push(b'"');
        self.members.write_more(&mut out, |name, _| SAME.contains(&name));
        out.extend_from_slice(b",\"choices\":[");
        choices(&mut out);
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
        if super::members::text(object)? != plain || members.told("error").is_some() {
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
        self.out.reserve((text / 6 + 6) * (self.head.len() + 100));
    }

    /// One chunk with one choice, which `choice` writes.
    pub(super) fn chunk(&mut self, choice: impl FnOnce(&mut Vec<u8>)) {
        self.begin(choice);
        self.end();
    }

    /// The last chunk with a choice: it also says what is known only at the end.
    pub(super) fn last(&mut self, choice: impl FnOnce(&mut Vec<u8>)) {
        self.begin(choice);
        let known =
            |name: &str| name == "object" || name == "usage" || SAME.contains(&name) || OF_THE_STREAM.contains(&name);
        self.members.write_more(&mut self.out, |name, _| !known(name));
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

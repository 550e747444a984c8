//! Token log-probabilities: asked for where the client did not ask, and taken out of what comes back.
//!
//! What a reader could get wrong: nothing else of an answer is touched. A member is found by its place in the JSON, never by its name
//! alone: a model may write about `"logprobs"`, and a client may ask for them himself, in which case nothing is asked or taken out.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use smallvec::SmallVec;

use super::Endpoint;
use super::splice::Edit;
use super::sse::Frame;
use super::view::scanner::Scanner;
use super::view::{Malformed, View};

type Scanned<T> = Result<T, Malformed>;

/// What `include` of the Responses API asks for them with.
const INCLUDE: &[u8] = b"\"message.output_text.logprobs\"";

/// Whose manner an upstream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Tells twenty alternatives of each token unless one is asked for; where there are none to tell, the member is not there.
    LlamaServer,
    /// Tells no alternatives unless they are asked for; says `"logprobs":null`.
    OpenAi,
}

/// The edits of a request that ask for them.
pub type Edits = SmallVec<[Edit; 2]>;

/// The members of a request that have a say.
#[derive(Debug, Default)]
struct Members {
    logprobs: Option<Range<usize>>,
    top: Option<Range<usize>>,
    include: Option<Range<usize>>,
    echo: bool,
}

/// Asks for the log-probability of each token of the answer, with as little beside it as can be. `None`: they cannot be asked for, or the
/// client has asked for them, or for something that would change with them.
pub fn ask(endpoint: Endpoint, manner: Manner, view: &View, body: &[u8]) -> Option<Edits> {
    let members = members(body).ok()?;
    let value = |range: &Option<Range<usize>>| range.clone().and_then(|range| body.get(range)).unwrap_or(b"null");
    let mut edits = Edits::new();
    let mut set = |range: Option<Range<usize>>, name: &str, with: &str| {
        let edit = match range {
            Some(range) => Edit { range, with: Bytes::copy_from_slice(with.as_bytes()) },
            // `model` stands in the body, so a comma always has something to separate.
            None => {
                let at = view.body_open;
                Edit { range: at..at, with: Bytes::from(format!("\"{name}\":{with},")) }
            }
        };
        edits.push(edit);
    };
    match endpoint {
        Endpoint::Chat => {
            let is_off = matches!(value(&members.logprobs), b"null" | b"false");
            if !is_off || value(&members.top) != b"null" {
                return None;
            }
            set(members.logprobs, "logprobs", "true");
            if manner == Manner::LlamaServer {
                set(members.top, "top_logprobs", "1");
            }
        }
        Endpoint::Completions => {
            if value(&members.logprobs) != b"null" || members.echo {
                return None;
            }
            set(members.logprobs, "logprobs", "1");
        }
        Endpoint::Responses => {
            let given = value(&members.include);
            let inner = given.strip_prefix(b"[").and_then(|list| list.strip_suffix(b"]"));
            match inner.map(<[u8]>::trim_ascii) {
                _ if memmem::find(given, INCLUDE).is_some() => return None,
                Some(b"") => set(members.include, "include", "[\"message.output_text.logprobs\"]"),
                Some(_) => {
                    let at = members.include?.start + 1;
                    set(Some(at..at), "include", "\"message.output_text.logprobs\",");
                }
                None if given == b"null" => set(members.include, "include", "[\"message.output_text.logprobs\"]"),
                None => return None,
            }
        }
        Endpoint::Embeddings => return None,
    }
    Some(edits)
}

fn members(body: &[u8]) -> Scanned<Members> {
    let mut members = Members::default();
    let mut scanner = Scanner::new(body);
    scanner.object(|s, key, _| {
        let value = s.skip()?;
        match &*key {
            b"logprobs" => members.logprobs = Some(value),
            b"top_logprobs" => members.top = Some(value),
            b"include" => members.include = Some(value),
            b"echo" => members.echo = s.bytes(value) == b"true",
            _ => {}
        }
        Ok(())
    })?;
    Ok(members)
}

/// Appends `data` (an answer, or the data of an event) without its log-probabilities to `out`. `false`: there are none, or it is no JSON,
/// and nothing was appended.
pub fn remove(endpoint: Endpoint, manner: Manner, data: &[u8], out: &mut Vec<u8>) -> bool {
    if memmem::find(data, b"\"logprobs\"").is_none() {
        return false;
    }
    let mut found = Found { manner, cuts: SmallVec::new() };
    let mut scanner = Scanner::new(data);
    let walked = match endpoint {
        Endpoint::Responses => found.response(&mut scanner),
        _ => found.chunk(&mut scanner),
    };
    if walked.is_err() || scanner.peek().is_some() || found.cuts.is_empty() {
        return false;
    }
    out.reserve(data.len());
    let mut done = 0;
    for (range, with) in found.cuts {
        out.extend_from_slice(data.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(with);
        done = range.end;
    }
    out.extend_from_slice(data.get(done..).unwrap_or_default());
    true
}

/// Takes them out of one answer, whole or event by event.
#[derive(Debug)]
pub struct Remover {
    endpoint: Endpoint,
    manner: Manner,
    /// The data of the last event; kept for its capacity.
    data: Vec<u8>,
}

impl Remover {
    pub fn new(endpoint: Endpoint, manner: Manner) -> Remover {
        Remover { endpoint, manner, data: Vec::new() }
    }

    /// A whole answer without them.
    pub fn of_answer(&self, answer: Bytes) -> Bytes {
        let mut out = Vec::new();
        if remove(self.endpoint, self.manner, &answer, &mut out) { Bytes::from(out) } else { answer }
    }

    /// The bytes of a frame without them, and its data; `None`: there are none in it.
    pub fn of_frame(&mut self, frame: Frame<'_>) -> Option<(Bytes, &[u8])> {
        self.data.clear();
        if !remove(self.endpoint, self.manner, frame.data, &mut self.data) {
            return None;
        }
        let mut bytes = Vec::with_capacity(frame.bytes.len());
        frame.with_data(&self.data, &mut bytes);
        Some((Bytes::from(bytes), &self.data))
    }
}

/// What is taken out, in order, and what is put there.
struct Found {
    manner: Manner,
    cuts: SmallVec<[(Range<usize>, &'static [u8]); 2]>,
}

impl Found {
    /// A chat or a text completion, or a chunk of one: `choices[].logprobs`.
    fn chunk(&mut self, s: &mut Scanner<'_>) -> Scanned<()> {
        s.object(|s, key, _| match &*key {
            b"choices" if s.peek() == Some(b'[') => s.array(|s| match s.peek() {
                Some(b'{') => self.choice(s),
                _ => s.skip().map(drop),
            }),
            _ => s.skip().map(drop),
        })
    }

    fn choice(&mut self, s: &mut Scanner<'_>) -> Scanned<()> {
        s.peek();
        let opened = s.at() + 1;
        // The end of the member before; where the only thing before is what was cut, the comma behind it goes, too.
        let (mut last_end, mut is_first, mut cut) = (opened, true, None);
        s.object(|s, key, key_at| {
            if let Some((at, true)) = cut {
                self.extend(at, key_at);
                cut = Some((at, false));
            }
            let before = last_end;
            let value = s.skip()?;
            last_end = s.at();
            if &*key == b"logprobs" && s.bytes(value.clone()) != b"null" {
                match self.manner {
                    Manner::OpenAi => self.cuts.push((value, b"null")),
                    Manner::LlamaServer => {
                        cut = Some((self.cuts.len(), is_first));
                        self.cuts.push((before..value.end, b""));
                        return Ok(());
                    }
                }
            }
            is_first = false;
            Ok(())
        })
    }

    fn extend(&mut self, at: usize, end: usize) {
        if let Some((range, _)) = self.cuts.get_mut(at) {
            range.end = end;
        }
    }

    /// The Responses API: `logprobs` of parts of type `output_text` and of the events about them. There, none is an empty list.
    fn response(&mut self, s: &mut Scanner<'_>) -> Scanned<()> {
        s.object(|s, key, _| match (&*key, s.peek()) {
            (b"logprobs", Some(b'[')) => {
                let value = s.skip()?;
                if s.bytes(value.clone()) != b"[]" {
                    self.cuts.push((value, b"[]"));
                }
                Ok(())
            }
            (b"response" | b"item" | b"part", Some(b'{')) => self.response(s),
            (b"output" | b"content", Some(b'[')) => s.array(|s| match s.peek() {
                Some(b'{') => self.response(s),
                _ => s.skip().map(drop),
            }),
            _ => s.skip().map(drop),
        })
    }
}

#[cfg(test)]
mod tests;

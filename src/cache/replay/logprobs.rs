//! Log probabilities: lists, of one entry per token, that a stream tells in parts. Chat has `{content, refusal}` of objects that name their
//! token, completions has `{tokens, token_logprobs, …}` side by side (or, from llama-server, the chat shape); both are lists by name here.
//!
//! What a reader could get wrong: entries are bytes and stay so (a float parsed and printed again may differ in its last digit). Where the
//! tokens do not make up the text (bytes of a character apart), all entries go with its first piece: joined, the lists are the same.

use std::borrow::Cow;

use super::members::{MOST, Members, elements, is_null, is_whole, list, text, write_key};
use super::pieces;

/// The log probabilities of a stream's choice, put together.
#[derive(Debug, Default)]
pub(super) struct Joined<'a> {
    /// Null was said.
    is_null: bool,
    /// The inside of each list; `None` for null.
    lists: Option<Vec<(Cow<'a, str>, Option<String>)>>,
}

impl<'a> Joined<'a> {
    /// Takes in what a chunk says. `None` if it is no object of lists.
    pub(super) fn note(&mut self, value: &'a str) -> Option<()> {
        if is_null(value) {
            self.is_null = true;
            return Some(());
        }
        let lists = self.lists.get_or_insert_default();
        for (name, value) in Members::parse(value)?.0 {
            let at = lists.iter().position(|(known, _)| *known == name).unwrap_or(lists.len());
            if at == MOST {
                return None;
            }
            if at == lists.len() {
                lists.push((name, None));
            }
            let (_, known) = lists.get_mut(at)?;
            if is_null(value) {
                continue;
            }
            let (inside, known) = (list(value)?, known.get_or_insert_default());
            if !known.is_empty() && !inside.is_empty() {
                known.push(',');
            }
            known.push_str(inside);
        }
        Some(())
    }

    /// Writes `,"logprobs":…`, or nothing if nothing was said.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Some(lists) = &self.lists else {
            out.extend_from_slice(if self.is_null { b",\"logprobs\":null" } else { b"" });
            return;
        };
        out.extend_from_slice(b",\"logprobs\":{");
        for (at, (name, inside)) in lists.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_key(out, name);
            match inside {
                None => out.extend_from_slice(b"null"),
                Some(inside) => {
                    out.push(b'[');
                    out.extend_from_slice(inside.as_bytes());
                    out.push(b']');
                }
            }
        }
        out.push(b'}');
    }
}

/// The log probabilities of a plain answer's choice, to be told in parts.
#[derive(Debug)]
pub(super) enum Parts<'a> {
    /// The answer does not speak of them.
    Unsaid,
    Null,
    Lists(Lists<'a>),
}

#[derive(Debug)]
pub(super) struct Lists<'a> {
    lists: Vec<List<'a>>,
    /// An object was written.
    is_said: bool,
}

#[derive(Debug)]
struct List<'a> {
    name: Cow<'a, str>,
    /// `None` for null.
    entries: Option<Vec<&'a str>>,
    done: usize,
}

/// A piece of a text, and how many entries are told with it and before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub text: &'a str,
    pub entries: usize,
}

impl<'a> Parts<'a> {
    /// The value of `logprobs`. `None` if it is no object of lists.
    pub(super) fn of(value: Option<&'a str>) -> Option<Parts<'a>> {
        let Some(value) = value else { return Some(Parts::Unsaid) };
        if is_null(value) {
            return Some(Parts::Null);
        }
        let mut lists = Vec::new();
        for (name, value) in Members::parse(value)?.0 {
            let entries = if is_null(value) { None } else { Some(elements(value)?) };
            lists.push(List { name, entries, done: 0 });
        }
        Some(Parts::Lists(Lists { lists, is_said: false }))
    }

    /// Cuts a text into pieces: at its tokens if the list `lead` has them, as a model would otherwise.
    pub(super) fn steps<'t>(&self, lead: &str, text: &'t str) -> Vec<Step<'t>> {
        let lead = match self {
            Parts::Lists(lists) => lists.lists.iter().find(|list| list.name == lead),
            _ => None,
        };
        Parts::along_or_cut(lead.and_then(|list| list.entries.as_deref()).unwrap_or_default(), text)
    }

    /// Cuts a text at the tokens of these entries if they make it up; otherwise all entries go with its first piece.
    pub(super) fn along_or_cut<'t>(entries: &[&str], text: &'t str) -> Vec<Step<'t>> {
        let along = if entries.is_empty() { None } else { along(entries, text) };
        along.unwrap_or_else(|| pieces::cut(text).map(|text| Step { text, entries: usize::MAX }).collect())
    }

    /// Writes `,"logprobs":…` for a chunk: of the list `of` (of all if `None`) the entries up to `upto` that were not told yet.
    pub(super) fn write(&mut self, of: Option<&str>, upto: usize, out: &mut Vec<u8>) {
        let lists = match self {
            Parts::Unsaid => return,
            Parts::Lists(lists) if lists.has_news(of, upto) => lists,
            Parts::Null | Parts::Lists(_) => return out.extend_from_slice(b",\"logprobs\":null"),
        };
        out.extend_from_slice(b",\"logprobs\":{");
        for (at, list) in lists.lists.iter_mut().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_key(out, &list.name);
            let Some(entries) = &list.entries else {
                out.extend_from_slice(b"null");
                continue;
            };
            let until = if of.is_none_or(|of| list.name == of) { upto.min(entries.len()) } else { list.done };
            let news = entries.get(list.done..until).unwrap_or_default();
            list.done = until.max(list.done);
            out.push(b'[');
            for (at, entry) in news.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(entry.as_bytes());
            }
            out.push(b']');
        }
        out.push(b'}');
        lists.is_said = true;
    }

    /// Writes for the last chunk what no other has told.
    pub(super) fn write_rest(&mut self, out: &mut Vec<u8>) {
        self.write(None, usize::MAX, out);
    }

    /// Whether all lists are as long as `lead`: they stand side by side and are told together.
    pub(super) fn are_parallel(&self, lead: &str) -> bool {
        let Parts::Lists(Lists { lists, .. }) = self else { return false };
        let length = |list: &List<'_>| list.entries.as_ref().map(Vec::len);
        let lead = lists.iter().find(|list| list.name == lead).and_then(length);
        lead.is_some() && lists.iter().all(|list| length(list).is_none() || length(list) == lead)
    }
}

impl Lists<'_> {
    fn has_news(&self, of: Option<&str>, upto: usize) -> bool {
        let list_has = |list: &List<'_>| {
            let length = list.entries.as_ref().map_or(0, Vec::len);
            of.is_none_or(|of| list.name == of) && list.done < upto.min(length)
        };
        // A list without entries has to be told once, with the last chunk.
        self.lists.iter().any(list_has) || (of.is_none() && upto == usize::MAX && !self.is_said)
    }
}

/// The text cut at the tokens of its entries. `None` if they do not make it up.
fn along<'t>(entries: &[&str], whole: &'t str) -> Option<Vec<Step<'t>>> {
    let (mut rest, mut steps) = (whole, Vec::with_capacity(entries.len()));
    for (at, entry) in entries.iter().enumerate() {
        let token = match text(entry) {
            Some(token) => token,
            None => text(Members::parse(entry)?.get("token")?)?,
        };
        let after = rest.strip_prefix(token).filter(|_| is_whole(token))?;
        steps.push(Step { text: rest.get(..token.len())?, entries: at + 1 });
        rest = after;
    }
    rest.is_empty().then_some(steps)
}

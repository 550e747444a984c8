//! What a request holds: every text that the upstream would see is looked through, once.
//!
//! What a reader could get wrong: places are bytes of the body as it came (escapes included), so that they can be spliced; a value that was found in one
//! text is hidden wherever else it stands, also where nothing around it gave it away.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use indexmap::IndexSet;

use super::catalog::{Catalog, Wording};
use super::embedded::Embedded;
use super::entity::{Entity, Severity};
use super::flat::{self, Flat};
use super::span::Span;
use crate::openai::view::{Piece, Source, View};

/// A value that is looked for elsewhere has at least this many bytes: shorter ones are words too often.
const REPEATED: usize = 4;
/// And there are no more of them than this: beyond, an automaton would cost more than it saves anyone.
const MOST_REPEATED: usize = 1_000;

/// A find in a body.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Bytes of the body, within a string.
    pub range: Range<usize>,
    pub entity: Entity,
    pub public: bool,
    /// Its value's place.
    pub value: usize,
    /// Where only a name's characters are allowed (`name`, `user`).
    pub bare: bool,
    /// It is a number of JSON within a string, and needs quotes of its own.
    pub quoted: bool,
}

/// Everything found in a request. `Debug` tells counts.
#[derive(Default)]
pub struct Findings {
    pub hits: Vec<Hit>,
    pub embedded: Vec<Embedded>,
    /// Files within the body whose text was read.
    pub files_read: u32,
    values: IndexSet<(Entity, bool, Box<str>)>,
}

impl std::fmt::Debug for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Findings({} in {} values)", self.hits.len(), self.values.len())
    }
}

/// A text of the request, unescaped.
struct Text<'b> {
    flat: Flat<'b>,
    /// Where its first byte stands in the body.
    at: usize,
    /// JSON that somebody will parse: what is replaced must leave it JSON.
    is_json: bool,
    /// JSON that somebody wrote into a message: values are what stands in the message, escapes and all, so that an echo is the same.
    is_pasted: bool,
    bare: bool,
}

/// What others have found: for each text of [`texts`], in their order. Empty where nobody was asked.
pub type Others = Vec<Vec<Span>>;

/// Looks through a request.
pub fn find(catalog: &Catalog, view: &View, body: &[u8], others: &Others) -> Findings {
    let mut found = Findings::default();
    let mut spans = Vec::new();
    let mut texts = Vec::with_capacity(view.pieces.len());
    let mut others = others.iter();
    for piece in view.pieces.iter().filter(|piece| piece.source != Source::ToolName) {
        let Some(text) = text_of(piece, body) else { continue };
        let wording = if piece.source == Source::ToolDefinition { Wording::Values } else { Wording::Prose };
        let besides = others.next().map_or(&[][..], Vec::as_slice);
        catalog.find_besides(&text.flat.text, wording, besides, &mut spans);
        found.take_in(&text, &spans, body);
        texts.push(text);
    }
    for range in view.others.iter().filter(|range| !is_opaque(range, body)) {
        let Some(text) = text_at(range, body, false, false) else { continue };
        let besides = others.next().map_or(&[][..], Vec::as_slice);
        catalog.find_besides(&text.flat.text, Wording::Values, besides, &mut spans);
        found.take_in(&text, &spans, body);
        texts.push(text);
    }
    for range in &view.attached {
        found.embedded.extend(Embedded::find(catalog, range, body, |entity, public, value| {
            found.values.insert_full((entity, public, value.into())).0
        }));
    }
    found.files_read = u32::try_from(found.embedded.len()).unwrap_or(u32::MAX);
    found.repeat(&texts, body);
    found.embedded.retain(|file| !file.is_clean());
    found
}

/// Encoded and long: pictures, sounds, encrypted thoughts. A random text of that length holds everything that is looked for.
pub fn is_opaque(quoted: &Range<usize>, body: &[u8]) -> bool {
    const LONG: usize = 512;
    let is_encoded = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    let inner = quoted.start + 1..quoted.end.saturating_sub(1);
    inner.len() > LONG && body.get(inner).is_some_and(|text| text.iter().all(is_encoded))
}

/// The texts of a request, unescaped, as [`find`] reads them.
pub fn texts<'b>(view: &'b View, body: &'b [u8]) -> impl Iterator<Item = Flat<'b>> {
    let pieces = view.pieces.iter().filter(|piece| piece.source != Source::ToolName);
    let others = view.others.iter().filter(|range| !is_opaque(range, body));
    let pieces = pieces.filter_map(|piece| text_of(piece, body));
    pieces.chain(others.filter_map(|range| text_at(range, body, false, false))).map(|text| text.flat)
}

fn text_of<'b>(piece: &Piece, body: &'b [u8]) -> Option<Text<'b>> {
    // What tools get and give is parsed by somebody.
    let is_parsed = matches!(piece.source, Source::ToolArguments | Source::Tool);
    text_at(&piece.range, body, is_parsed, piece.source == Source::Name)
}

fn text_at<'b>(quoted: &Range<usize>, body: &'b [u8], is_parsed: bool, bare: bool) -> Option<Text<'b>> {
    let inner = body.get(quoted.start + 1..quoted.end.checked_sub(1)?)?;
    let (flat, is_json) = Flat::of_json(inner)?;
    Some(Text { flat, at: quoted.start + 1, is_json: is_json && is_parsed, is_pasted: is_json && !is_parsed, bare })
}

impl Findings {
    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.embedded.is_empty()
    }

    /// A value by its place.
    pub fn value(&self, place: usize) -> &str {
        self.values.get_index(place).map_or("", |(_, _, value)| value)
    }

    /// Each different value once: its type, and whether everyone knows it.
    pub fn entities(&self) -> impl Iterator<Item = (Entity, bool)> {
        self.values.iter().map(|(entity, public, _)| (*entity, *public))
    }

    /// The highest severity, and the names of the types, of what not everyone knows.
    pub fn summary(&self, catalog: &Catalog) -> (Severity, Vec<(String, u32)>) {
        let mut counts = std::collections::BTreeMap::<&str, u32>::new();
        let mut highest = Severity::None;
        for (entity, _) in self.entities().filter(|(entity, public)| !public && !if_listed(*entity)) {
            *counts.entry(catalog.name(entity)).or_default() += 1;
            highest = highest.max(catalog.severity(entity));
        }
        (highest, counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect())
    }

    fn take_in(&mut self, text: &Text<'_>, spans: &[Span], body: &[u8]) {
        let mut quotes = Quotes::default();
        for span in spans {
            self.hit(text, &mut quotes, span.start..span.end, (span.entity, span.public), body);
        }
    }

    /// `quotes`: how far the text has been read; finds come in order.
    fn hit(
        &mut self,
        text: &Text<'_>,
        quotes: &mut Quotes,
        range: Range<usize>,
        (entity, public): (Entity, bool),
        body: &[u8],
    ) {
        let Some(value) = text.flat.text.get(range.clone()) else { return };
        let mut value = Cow::Borrowed(value);
        let mut raw = text.at + text.flat.origin(range.start)..text.at + text.flat.origin(range.end);
        let mut quoted = false;
        if text.is_json {
            let whole = body.get(text.at..).unwrap_or_default();
            let closed = quotes.are_closed(whole, raw.start - text.at);
            if let Some(within) = quotes.within_string(whole, raw.start - text.at..raw.end - text.at) {
                // Quotes of the JSON itself look like quotes of the text: what lies across them is not all of it a find.
                let part = whole.get(within.clone()).filter(|part| !part.is_empty());
                let Some(part) = part.and_then(flat::unescaped_twice) else { return };
                value = Cow::Owned(part);
                raw = text.at + within.start..text.at + within.end;
            } else if closed {
                // A number: all of it goes, and what stands for it needs quotes.
                raw = whole_number(body, raw);
                quoted = true;
            }
        }
        if text.is_pasted {
            let Some(written) = body.get(raw.clone()).and_then(flat::unescaped) else { return };
            value = Cow::Owned(written);
        }
        // A number that was taken whole may hold another find.
        if quoted && self.hits.last().is_some_and(|last| last.range.end > raw.start && last.range.start < raw.end) {
            return;
        }
        let value = self.values.insert_full((entity, public, value.as_ref().into())).0;
        self.hits.push(Hit { range: raw, entity, public, value, bare: text.bare, quoted });
    }

    /// Finds again what was found once.
    fn repeat(&mut self, texts: &[Text<'_>], body: &[u8]) {
        let long = |value: &&(Entity, bool, Box<str>)| !value.1 && !if_listed(value.0) && value.2.len() >= REPEATED;
        let known: Vec<(Entity, Box<str>)> = self
            .values
            .iter()
            .filter(long)
            .take(MOST_REPEATED)
            .map(|(entity, _, value)| (*entity, value.clone()))
            .collect();
        if known.is_empty() {
            return;
        }
        let values = known.iter().map(|(_, value)| value.as_bytes());
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true);
        let Ok(automaton) = builder.build(values) else { return };
        // A word in another case may be another word; what has spaces, signs or digits in it is not.
        let is_same = |found: &str, value: &str| {
            found == value || value.bytes().any(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic())
        };
        let mut hidden: Vec<Range<usize>> = self.hits.iter().map(|hit| hit.range.clone()).collect();
        hidden.sort_unstable_by_key(|range| range.start);
        for text in texts {
            let mut quotes = Quotes::default();
            for again in automaton.find_iter(text.flat.text.as_bytes()) {
                let raw = text.at + text.flat.origin(again.start())..text.at + text.flat.origin(again.end());
                let next = hidden.partition_point(|range| range.end <= raw.start);
                let is_known = hidden.get(next).is_some_and(|range| range.start < raw.end);
                if !is_known && is_word(text.flat.text.as_bytes(), again.range()) {
                    let Some((entity, value)) = known.get(again.pattern().as_usize()) else { continue };
                    if text.flat.text.get(again.range()).is_some_and(|found| is_same(found, value)) {
                        self.hit(text, &mut quotes, again.range(), (*entity, false), body);
                    }
                }
            }
        }
        let values = &mut self.values;
        for file in &mut self.embedded {
            file.repeat(&automaton, |place, found| {
                let (entity, value) = known.get(place)?;
                is_same(found, value).then(|| (*entity, values.insert_full((*entity, false, found.into())).0))
            });
        }
        self.hits.sort_unstable_by_key(|hit| hit.range.start);
    }
}

fn if_listed(entity: Entity) -> bool {
    entity.about().is_some_and(|about| about.if_listed)
}

/// No letter or digit goes on at either end.
fn is_word(text: &[u8], range: Range<usize>) -> bool {
    let joins = |inside: Option<&u8>, outside: Option<&u8>| {
        inside.is_some_and(u8::is_ascii_alphanumeric) && outside.is_some_and(u8::is_ascii_alphanumeric)
    };
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let last = range.end.checked_sub(1).and_then(|at| text.get(at));
    !joins(text.get(range.start), before) && !joins(last, text.get(range.end))
}

/// How far a text that is escaped JSON has been read, and whether a string is open there.
#[derive(Debug, Default)]
struct Quotes {
    at: usize,
    open: bool,
}

impl Quotes {
    /// Whether no string is open at `to` of the text as it stands in a string of the body. Each place is read once: `to` may not fall.
    fn are_closed(&mut self, raw: &[u8], to: usize) -> bool {
        while let Some(next) = raw.get(self.at..to).and_then(|rest| memchr::memchr(b'\\', rest)) {
            *self = Quotes { at: self.at + next, open: self.open }.step(raw);
        }
        self.at = self.at.max(to);
        !self.open
    }

    /// The longest part of `range` that lies within one string, if it goes across a string's end; `None`: it does not. To be asked when everything
    /// in front of `range` has been read.
    fn within_string(&self, raw: &[u8], range: Range<usize>) -> Option<Range<usize>> {
        let mut quotes = Quotes { at: range.start, open: self.open };
        let (mut begin, mut crossed, mut best) = (range.start, false, range.start..range.start);
        while quotes.at < range.end {
            let Some(next) = raw.get(quotes.at..range.end).and_then(|rest| memchr::memchr(b'\\', rest)) else { break };
            let (at, was_open) = (quotes.at + next, quotes.open);
            let behind = Quotes { at, open: was_open }.step(raw);
            if behind.open != was_open {
                crossed = true;
                if was_open && at - begin > best.len() {
                    best = begin..at;
                }
                begin = behind.at;
            }
            quotes = behind;
        }
        if quotes.open && crossed && range.end.saturating_sub(begin) > best.len() {
            best = begin..range.end;
        }
        crossed.then_some(best)
    }

    /// Past the backslash at `at` and what it escapes.
    fn step(self, raw: &[u8]) -> Quotes {
        let Quotes { at, open } = self;
        match raw.get(at + 1) {
            Some(b'"') => Quotes { at: at + 2, open: !open },
            // An escape of the inner JSON: its sign follows, perhaps escaped itself.
            Some(b'\\') => Quotes { at: at + if raw.get(at + 2) == Some(&b'\\') { 4 } else { 3 }, open },
            _ => Quotes { at: at + 2, open },
        }
    }
}

fn whole_number(body: &[u8], range: Range<usize>) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    let before = body.get(..range.start).unwrap_or_default().iter().rev().take_while(|byte| is_part(byte)).count();
    let behind = body.get(range.end..).unwrap_or_default().iter().take_while(|byte| is_part(byte)).count();
    range.start - before..range.end + behind
}

//! The scan of a text: one automaton walks every byte and proposes places (a digit, `@`, the beginning of a token); recognizers look at those.
//!
//! What a reader could get wrong: a recognizer must look at a bounded number of bytes around its place, or leave a note in [`Scan`] that keeps it from
//! looking twice; otherwise a megabyte of `@` takes quadratic time.

mod form;
mod nearby;
mod run;

pub use nearby::{Asker, Near};

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::{Anchored, MatchKind, dfa};

use super::span::Span;
use super::{identifier, internet, moment, phone, secret};
use crate::pii::entity::Entity;

/// A literal that begins, or gives away, something to find.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    /// Compared in any (ASCII) case.
    pub literal: &'static str,
    /// Looks at the text around `at`, where the literal begins, and pushes what it finds.
    pub look: fn(&mut Scan<'_, '_>, usize),
}

/// A scan under way: the text, and what was found so far.
#[derive(Debug)]
pub struct Scan<'t, 'f> {
    pub text: &'t str,
    found: &'f mut Vec<Span>,
    /// Runs of digits have been looked at up to here.
    runs_until: usize,
    /// From here to the end of the text there is no end of a private key block: it was looked for in vain.
    pub endless_from: usize,
    /// The end of a private key block that was found last: the next behind every place looked at before.
    pub ends_at: usize,
    /// Names of secrets have been looked at up to here.
    pub named_until: usize,
    nearby: nearby::Nearby,
}

impl<'t> Scan<'t, '_> {
    pub fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// Each phrase of any recognizer that stands near `find`.
    pub fn near(&mut self, find: &Range<usize>, each: impl FnMut(Near)) {
        self.nearby.each(self.text.as_bytes(), find, each);
    }

    /// Who asked for a phrase that stands in `range` or near it.
    pub fn around(&mut self, range: &Range<usize>, each: impl FnMut(Asker)) {
        self.nearby.around(self.text.as_bytes(), range, each);
    }

    /// The byte at `place`; 0 behind the end.
    pub fn byte(&self, place: usize) -> u8 {
        self.bytes().get(place).copied().unwrap_or(0)
    }

    /// The byte in front of `place`; 0 at the beginning.
    pub fn before(&self, place: usize) -> u8 {
        place.checked_sub(1).map_or(0, |place| self.byte(place))
    }

    /// Where the bytes behind `from` end that `fits`; at most `limit` of them.
    pub fn forward(&self, from: usize, limit: usize, fits: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes().get(from..).unwrap_or_default();
        from + rest.iter().take(limit).take_while(|byte| fits(**byte)).count()
    }

    /// Where the bytes in front of `from` begin that `fits`; at most `limit` of them.
    pub fn backward(&self, from: usize, limit: usize, fits: impl Fn(u8) -> bool) -> usize {
        let front = self.bytes().get(..from).unwrap_or_default();
        from - front.iter().rev().take(limit).take_while(|byte| fits(**byte)).count()
    }

    /// Reports a find. One that is not on character boundaries is dropped: recognizers stop at ASCII, so there is none.
    pub fn push(&mut self, start: usize, end: usize, entity: Entity, score: f32) {
        if start < end && self.text.get(start..end).is_some() {
            self.found.push(Span { start, end, entity, score, public: false });
        }
    }
}

struct Proposer {
    automaton: dfa::DFA,
    anchors: Vec<Anchor>,
}

/// The ten digits are the first patterns.
const DIGITS: usize = 10;

static PROPOSER: LazyLock<Option<Proposer>> = LazyLock::new(|| {
    let anchors = internet::anchors().chain(secret::anchors()).chain(identifier::ANCHORS);
    let anchors: Vec<Anchor> = anchors.copied().collect();
    let digits = (b'0'..=b'9').map(|digit| vec![digit]);
    let literals = anchors.iter().map(|anchor| anchor.literal.as_bytes().to_vec());
    let mut builder = dfa::Builder::new();
    builder
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .start_kind(aho_corasick::StartKind::Unanchored);
    let automaton = builder.build(digits.chain(literals)).ok()?;
    Some(Proposer { automaton, anchors })
});

/// Finds everything that a form, a check digit or a prefix gives away; not settled yet.
pub fn scan(text: &str, found: &mut Vec<Span>) {
    let Some(proposer) = PROPOSER.as_ref() else { return };
    let automaton = &proposer.automaton;
    let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
    let mut scan = Scan {
        text,
        found,
        runs_until: 0,
        endless_from: usize::MAX,
        ends_at: 0,
        named_until: 0,
        nearby: nearby::Nearby::default(),
    };
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        state = automaton.next_state(Anchored::No, state, byte);
        if automaton.is_special(state) && automaton.is_match(state) {
            for index in 0..automaton.match_len(state) {
                let place = automaton.match_pattern(state, index).as_usize();
                match place.checked_sub(DIGITS).and_then(|place| proposer.anchors.get(place)) {
                    Some(anchor) => (anchor.look)(&mut scan, at + 1 - anchor.literal.len()),
                    None => digit(&mut scan, at),
                }
            }
        }
    }
}

/// Once for each run of digits and what belongs to it.
fn digit(scan: &mut Scan<'_, '_>, at: usize) {
    if at < scan.runs_until {
        return;
    }
    let run = run::around(scan.bytes(), at);
    scan.runs_until = run.end.max(at + 1);
    for word in &run.long {
        internet::long_word(scan, word.clone());
        secret::long_word(scan, word.clone());
    }
    if run.chunks.is_empty() {
        return;
    }
    form::identify(scan, &run);
    let digits = run.digits();
    phone::look(scan, digits.clone());
    moment::look(scan, digits);
}

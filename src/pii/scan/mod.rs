//! The scan of a text: one pass over the bytes proposes places (a digit, `@`, the beginning of a token); recognizers look at those.
//!
//! What a reader could get wrong: a recognizer must look at a bounded number of bytes around its place, or leave a note in [`Scan`] that keeps it from
//! looking twice; otherwise a megabyte of `@` takes quadratic time.

mod form;
mod nearby;
mod propose;
mod run;
#[cfg(test)]
mod tests;

pub use nearby::{Asker, Near};

use std::ops::Range;
use std::sync::LazyLock;

use self::propose::Proposer;
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
    /// What lies in front of this is too long for a token.
    pub overlong_until: usize,
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

fn anchors() -> impl Iterator<Item = &'static Anchor> {
    internet::anchors().chain(secret::anchors()).chain(identifier::ANCHORS)
}

static PROPOSER: LazyLock<Proposer> = LazyLock::new(|| Proposer::new(anchors().copied().collect(), b'0'..=b'9'));

/// Finds everything that a form, a check digit or a prefix gives away; not settled yet.
pub fn scan(text: &str, found: &mut Vec<Span>) {
    let proposer = &*PROPOSER;
    let mut scan = Scan {
        text,
        found,
        runs_until: 0,
        endless_from: usize::MAX,
        ends_at: 0,
        named_until: 0,
        nearby: nearby::Nearby::default(),
        overlong_until: 0,
    };
    let bytes = text.as_bytes();
    proposer.candidates(bytes, |at, groups| {
        if scan.byte(at).is_ascii_digit() {
            digit(&mut scan, at);
        }
        proposer.compare(bytes, at, groups, |anchor| (anchor.look)(&mut scan, at));
    });
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

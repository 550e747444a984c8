//! The words near a find: one automaton over the phrases of all recognizers, which goes over each byte near a number once.
//!
//! What a reader could get wrong: finds come forward mostly, but not always; what was read is kept for as long as a run of digits may be, and a find
//! further back makes it read again.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, MatchKind};
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::pii::context::{ALONE, BEFORE, BEHIND, spelt, stands_alone};
use crate::pii::identifier::{self, words};
use crate::pii::{moment, phone};

/// Hits are kept so far back: the longest run, roughly.
const KEPT: usize = 2048;
/// Gaps up to this are read rather than jumped. Words of one run are nearer to one another.
const GAP: usize = 128;
/// More hits than this and those out of reach are dropped.
const CROWDED: usize = 512;

/// Who asked for a phrase: a row of the identifiers by its place, or one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    Row(u16),
    /// Speaks of phones and of nothing else.
    Phone,
    /// Speaks of phones among other things.
    MaybePhone,
    /// Stands behind phone numbers in lists.
    PhoneLabel,
    /// Numbers of other things.
    OtherNumber,
    Birth,
}

#[derive(Debug)]
struct Phrase {
    length: usize,
    short: bool,
    /// With whether it is a word of many countries for them.
    askers: Askers,
}

type Askers = SmallVec<[(Asker, bool); 2]>;

struct Words {
    // Not the faster kind of automaton: with thousands of phrases that takes tens of megabytes.
    automaton: contiguous::NFA,
    phrases: Vec<Phrase>,
}

static WORDS: LazyLock<Option<Words>> = LazyLock::new(|| {
    let mut asked: IndexMap<&'static str, Askers> = IndexMap::new();
    for (place, row) in (0..).zip(identifier::all()) {
        for phrase in row.context {
            let shared = words::shared(phrase);
            for one in shared.unwrap_or(std::slice::from_ref(phrase)) {
                asked.entry(one).or_default().push((Asker::Row(place), shared.is_some()));
            }
        }
    }
    for (asker, phrases) in phone::WORDS.iter().chain(moment::WORDS) {
        for phrase in *phrases {
            asked.entry(phrase).or_default().push((*asker, false));
        }
    }
    let mut spellings = vec![];
    let mut phrases = vec![];
    for (text, askers) in asked {
        let short = text.chars().count() < ALONE;
        for spelling in spelt(text.as_bytes()) {
            phrases.push(Phrase { length: spelling.len(), short, askers: askers.clone() });
            spellings.push(spelling);
        }
    }
    let mut builder = contiguous::Builder::new();
    builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard);
    // Building fails only for lists that exceed its numbers of states, which fixed lists do not; without an automaton nothing is near.
    let automaton = builder.build(&spellings).ok()?;
    Some(Words { automaton, phrases })
});

#[derive(Debug, Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    phrase: usize,
}

/// A phrase near a find.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub asker: Asker,
    /// In bytes, from border to border.
    pub distance: usize,
    pub behind: bool,
    /// It names no country: see [`words::shared`].
    pub shared: bool,
}

/// What has been read of the text.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    /// By where they end.
    hits: Vec<Hit>,
    read: Range<usize>,
    state: Option<StateID>,
}

impl Nearby {
    /// Each phrase that stands near `find`, within `BEFORE` bytes in front or `BEHIND` behind.
    pub(super) fn each(&mut self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(Near)) {
        self.within(text, find, |hit, phrase| {
            let (distance, behind) = if hit.end <= find.start {
                (find.start - hit.end, false)
            } else if hit.start >= find.end {
                (hit.start - find.end, true)
            } else {
                return;
            };
            for (asker, shared) in &phrase.askers {
                each(Near { asker: *asker, distance, behind, shared: *shared });
            }
        });
    }

    /// Who asked for a phrase that stands in `find` or near it.
    pub(super) fn around(&mut self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(Asker)) {
        self.within(text, find, |_, phrase| phrase.askers.iter().for_each(|(asker, _)| each(*asker)));
    }

    fn within(&mut self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(&Hit, &Phrase)) {
        let Some(words) = WORDS.as_ref() else { return };
        let window = find.start.saturating_sub(BEFORE)..(find.end + BEHIND).min(text.len());
        self.read(words, text, &window);
        let first = self.hits.partition_point(|hit| hit.end <= window.start);
        let near = self.hits.iter().skip(first).take_while(|hit| hit.end <= window.end);
        for hit in near.filter(|hit| hit.start >= window.start) {
            if let Some(phrase) = words.phrases.get(hit.phrase) {
                each(hit, phrase);
            }
        }
    }

    fn read(&mut self, words: &Words, text: &[u8], window: &Range<usize>) {
        let start = || words.automaton.start_state(Anchored::No).ok();
        if self.state.is_none() || window.start < self.read.start || window.start > self.read.end + GAP {
            self.hits.clear();
            self.read = window.start..window.start;
            self.state = start();
        }
        if self.hits.len() > CROWDED {
            let reach = window.start.saturating_sub(KEPT);
            self.hits.retain(|hit| hit.end > reach);
            self.read.start = self.read.start.max(reach);
        }
        let Some(mut state) = self.state else { return };
        let from = self.read.end;
        for (at, &byte) in (from..).zip(text.get(from..window.end.max(from)).unwrap_or_default()) {
            state = words.automaton.next_state(Anchored::No, state, byte);
            if words.automaton.is_special(state) && words.automaton.is_match(state) {
                self.note(words, text, state, at + 1);
            }
        }
        self.state = Some(state);
        self.read.end = from.max(window.end);
    }

    fn note(&mut self, words: &Words, text: &[u8], state: StateID, end: usize) {
        for index in 0..words.automaton.match_len(state) {
            let place = words.automaton.match_pattern(state, index).as_usize();
            let Some(phrase) = words.phrases.get(place) else { continue };
            let start = end - phrase.length;
            if !phrase.short || stands_alone(text, &(start..end)) {
                self.hits.push(Hit { start, end, phrase: place });
            }
        }
    }
}

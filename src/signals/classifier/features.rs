//! The cheap counts beside the words, as numbers of about the size of one.
//!
//! What a reader could get wrong: the order is part of the model file's format; a change here needs `make train` and a new magic.

use super::Circumstances;
use super::gather::Tallies;
use super::reading::{self, Tally};
use crate::openai::Modalities;

/// Names for people, in the order of [`features`].
pub(crate) const FEATURES: [&str; COUNT] = [
    "length",
    "words",
    "numbers",
    "sentences",
    "commas",
    "mathematics",
    "code",
    "parentheses",
    "lines",
    "blank lines",
    "list items",
    "questions",
    "quotes",
    "dashes",
    "backslashes",
    "capitals",
    "long words",
    "repeated words",
    "share of numbers",
    "other scripts",
    "turns",
    "tools",
    "attachments",
];
pub(crate) const COUNT: usize = 23;
/// Those that are the length in another guise: kept from deciding what is an everyday command.
pub(crate) const OF_LENGTH: [usize; 6] = [0, 1, 3, 4, 8, 9];

/// What pasted text and earlier turns count beside what is asked for.
pub(crate) const ASIDE: f32 = 0.25;

/// The features of what was read; `unique` is the number of different words (by group).
pub(crate) fn features(circumstances: &Circumstances, tallies: &Tallies, unique: u32) -> [f32; COUNT] {
    let Tallies { ask, aside } = tallies;
    let both = |count: fn(&Tally) -> u32| count(ask) as f32 + ASIDE * count(aside) as f32;
    let mark = |class: u8| {
        let class = usize::from(class) % reading::CLASSES;
        ask.marks[class] as f32 + ASIDE * aside.marks[class] as f32
    };
    let log = |count: f32| libm::logf(1.0 + count);
    let words = both(|tally| tally.words);
    let numbers = both(|tally| tally.numbers);
    let bytes = both(|tally| tally.bytes);
    let all = ask.words + ask.numbers + aside.words + aside.numbers;
    let attached = [Modalities::IMAGE, Modalities::AUDIO, Modalities::FILE];
    let attached = attached.iter().any(|modality| circumstances.modalities.contains(*modality));
    [
        log(bytes),
        log(words),
        log(numbers),
        log(mark(reading::STOP)),
        log(mark(reading::COMMA)),
        log(mark(reading::MATHS)),
        log(mark(reading::CODE)),
        log(mark(reading::PARENTHESIS)),
        log(mark(reading::NEWLINE)),
        log(both(|tally| tally.blank_lines)),
        log(both(|tally| tally.items)),
        log(mark(reading::QUESTION)),
        log(mark(reading::QUOTE)),
        log(mark(reading::DASH)),
        log(mark(reading::BACKSLASH)),
        log(both(|tally| tally.capitals)) - log(words),
        both(|tally| tally.long_words) / (1.0 + words),
        all.saturating_sub(unique) as f32 / (1.0 + all as f32),
        numbers / (1.0 + words + numbers),
        both(|tally| tally.foreign) / (1.0 + bytes),
        log(circumstances.turns.saturating_sub(1) as f32),
        f32::from(u8::from(circumstances.has_tools)),
        f32::from(u8::from(attached)),
    ]
}

//! What single words are and which of them stand for each other: classes, synonyms, opposites, from the lists in `lexicon/`.
//!
//! What a reader could get wrong: synonyms and opposites are found by stem, classes by the word as written (and by stem where a plural is the same
//! thing): "us" is no "u", but "hours" are a unit as "hour" is.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::words::{hash, stem};

/// What a word is; a word may be several.
pub mod class {
    pub const MONTH: u32 = 1;
    pub const WEEKDAY: u32 = 1 << 1;
    pub const RELATIVE: u32 = 1 << 2;
    pub const UNIT: u32 = 1 << 3;
    pub const CURRENCY: u32 = 1 << 4;
    pub const COLOUR: u32 = 1 << 5;
    pub const LANGUAGE: u32 = 1 << 6;
    pub const TONGUE: u32 = 1 << 7;
    pub const NEGATION: u32 = 1 << 8;
    pub const QUANTIFIER: u32 = 1 << 9;
    pub const MODAL: u32 = 1 << 10;
    pub const QUESTION: u32 = 1 << 11;
    pub const FIRST_PERSON: u32 = 1 << 12;
    pub const SECOND_PERSON: u32 = 1 << 13;
    pub const THIRD_PERSON: u32 = 1 << 14;
    pub const DIRECTION: u32 = 1 << 15;
    pub const COMPARATIVE: u32 = 1 << 16;
    pub const SUPERLATIVE: u32 = 1 << 17;
    pub const FUNCTION: u32 = 1 << 18;
    pub const LIGHT: u32 = 1 << 19;
    pub const PLACE: u32 = 1 << 20;
    pub const NEGATED: u32 = 1 << 21;
    // What the text, not the list, says.
    pub const NUMBER: u32 = 1 << 22;
    /// A number that may as well be a figure of speech: "one", "double", "a couple".
    pub const SOFT: u32 = 1 << 23;
    pub const NAME: u32 = 1 << 24;
    pub const QUOTED: u32 = 1 << 25;
    /// An identifier, a path, an address, a version, an operator.
    pub const CODE: u32 = 1 << 26;
    /// Not one piece of the embedder's vocabulary: a rare word, a foreign one or a slip of the pen.
    pub const UNKNOWN: u32 = 1 << 27;
    /// Stands in a line of synonyms, of opposites: saves looking up the others.
    pub const SYNONYM: u32 = 1 << 28;
    pub const OPPOSITE: u32 = 1 << 29;

    /// Kinds of which another member is another thing.
    pub const CLOSED: [u32; 8] = [MONTH, WEEKDAY, RELATIVE, UNIT, CURRENCY, COLOUR, LANGUAGE, TONGUE];
    /// Words that carry grammar, not matter.
    pub const GRAMMAR: u32 =
        FUNCTION | QUESTION | MODAL | FIRST_PERSON | SECOND_PERSON | THIRD_PERSON | DIRECTION | NEGATION;
}

const NAMES: [(&str, u32); 22] = [
    ("month", class::MONTH),
    ("weekday", class::WEEKDAY),
    ("relative", class::RELATIVE),
    ("unit", class::UNIT),
    ("currency", class::CURRENCY),
    ("colour", class::COLOUR),
    ("language", class::LANGUAGE),
    ("tongue", class::TONGUE),
    ("negation", class::NEGATION),
    ("quantifier", class::QUANTIFIER),
    ("modal", class::MODAL),
    ("question", class::QUESTION),
    ("person1", class::FIRST_PERSON),
    ("person2", class::SECOND_PERSON),
    ("person3", class::THIRD_PERSON),
    ("direction", class::DIRECTION),
    ("comparative", class::COMPARATIVE),
    ("superlative", class::SUPERLATIVE),
    ("function", class::FUNCTION),
    ("light", class::LIGHT),
    ("place", class::PLACE),
    ("negprefix", class::NEGATED),
];

/// Classes that a plural shares.
const COUNTED: u32 = class::UNIT | class::CURRENCY | class::COLOUR | class::MONTH | class::WEEKDAY;

/// The lists, by hash.
#[derive(Debug, Default)]
pub struct Lexicon {
    classes: HashMap<u32, u32, foldhash::fast::FixedState>,
    /// Lines of synonyms in which a stem stands.
    lines: HashMap<u32, Vec<u16>, foldhash::fast::FixedState>,
    /// As `lines`, of words that are less than synonyms.
    kindred: HashMap<u32, Vec<u16>, foldhash::fast::FixedState>,
    /// Lines of opposites in which a stem stands, twice the line plus its side.
    sides: HashMap<u32, Vec<u16>, foldhash::fast::FixedState>,
}

impl Lexicon {
    /// That of the crate.
    pub fn builtin() -> &'static Lexicon {
        static BUILTIN: LazyLock<Lexicon> = LazyLock::new(|| {
            Lexicon::read(
                include_str!("lexicon/classes.txt"),
                [include_str!("lexicon/synonyms.txt"), include_str!("lexicon/kindred.txt")],
                include_str!("lexicon/antonyms.txt"),
            )
        });
        &BUILTIN
    }

    fn read(classes: &str, [synonyms, kindred]: [&str; 2], antonyms: &str) -> Lexicon {
        let mut lexicon = Lexicon::default();
        for (name, words) in lines(classes).filter_map(|line| line.split_once(": ")) {
            let bit = NAMES.iter().find(|(known, _)| *known == name).map_or(0, |(_, bit)| *bit);
            for word in words.split_whitespace() {
                *lexicon.classes.entry(hash(word)).or_default() |= bit;
                if bit & COUNTED != 0 {
                    *lexicon.classes.entry(stem(word) ^ STEMMED).or_default() |= bit;
                }
            }
        }
        for (text, table) in [(synonyms, &mut lexicon.lines), (kindred, &mut lexicon.kindred)] {
            for (number, line) in (0_u16..).zip(lines(text)) {
                for word in line.split_whitespace() {
                    push(table.entry(stem(word)).or_default(), number);
                }
            }
        }
        for (number, line) in (0_u16..).zip(lines(antonyms)) {
            for (side, words) in (0..).zip(line.split('|')) {
                for word in words.split_whitespace() {
                    push(lexicon.sides.entry(stem(word)).or_default(), number * 2 + side);
                }
            }
        }
        lexicon
    }

    /// What the word is, of its hash and its stem's.
    pub fn classes(&self, word: u32, stem: u32) -> u32 {
        let own = self.classes.get(&word).copied().unwrap_or_default();
        let own = if own != 0 { own } else { self.classes.get(&(stem ^ STEMMED)).copied().unwrap_or_default() };
        let has_like = self.lines.contains_key(&stem) || self.kindred.contains_key(&stem);
        let synonym = if has_like { class::SYNONYM } else { 0 };
        own | synonym | if self.sides.contains_key(&stem) { class::OPPOSITE } else { 0 }
    }

    /// Whether both stand in one line of synonyms.
    pub fn alike(&self, a: u32, b: u32) -> bool {
        share(&self.lines, a, b)
    }

    /// Whether both stand in one line of words that are nearly synonyms.
    pub fn kindred(&self, a: u32, b: u32) -> bool {
        share(&self.kindred, a, b)
    }

    /// Whether one is the opposite of the other.
    pub fn opposed(&self, a: u32, b: u32) -> bool {
        let (Some(a), Some(b)) = (self.sides.get(&a), self.sides.get(&b)) else { return false };
        a.iter().any(|side| b.contains(&(side ^ 1)))
    }
}

/// Keeps stems and words of one spelling apart in one table.
const STEMMED: u32 = 0x9e37_79b9;

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn share(lines: &HashMap<u32, Vec<u16>, foldhash::fast::FixedState>, a: u32, b: u32) -> bool {
    let (Some(a), Some(b)) = (lines.get(&a), lines.get(&b)) else { return false };
    a.iter().any(|line| b.contains(line))
}

fn push(to: &mut Vec<u16>, value: u16) {
    if !to.contains(&value) {
        to.push(value);
    }
}

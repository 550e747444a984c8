//! Ages: a number of years with the words that make it somebody's age.
//!
//! What a reader could get wrong: `34 years` is a duration; only `34 years old`, `aged 34`, `I'm 34.` and their like are ages.

use std::ops::Range;

use super::{follows, number};

/// The oldest anyone has been.
const OLDEST: u64 = 122;

/// Words right behind the number, each with a space or a hyphen in front.
const BEHIND: &[&str] = &[
    "years old",
    "year old",
    "year-old",
    "years-old",
    "yr old",
    "yrs old",
    "year olds",
    "year-olds",
    "years of age",
    "yo",
    "y/o",
    "y.o.",
    "months old",
    "month old",
    "month-old",
    "jahre alt",
    "jahre jung",
    "jährig",
    "jahriger",
    "ans révolus",
    "años de edad",
    "anni di età",
    "anos de idade",
    "jaar oud",
    "jarige",
];
/// Words behind the number that need one of `BEFORE_YEARS` in front of it.
const YEARS: &[&str] = &["ans", "años", "anos", "anni", "jaar", "jahre", "years"];
const BEFORE_YEARS: &[&str] = &[
    "j'ai",
    "j’ai",
    "il a",
    "elle a",
    "âgé de",
    "âgée de",
    "age de",
    "agé de",
    "agée de",
    "à l'âge de",
    "à",
    "tengo",
    "tiene",
    "tenía",
    "cumplió",
    "cumplo",
    "a los",
    "de",
    "ho",
    "ha",
    "aveva",
    "compie",
    "tenho",
    "tem",
    "tinha",
    "ik ben",
    "is",
    "alter von",
    "aged",
    "age of",
    "i'm",
    "i am",
];
/// Words right in front of the number that need nothing behind it.
const BEFORE: &[&str] = &[
    "aged",
    "age",
    "age of",
    "age is",
    "ages",
    "turned",
    "turning",
    "turns",
    "when he was",
    "when she was",
    "when i was",
    "when they were",
    "i'm only",
    "i am only",
    "he's only",
    "she's only",
    "alter",
    "im alter von",
    "âge",
    "edad",
    "età",
    "idade",
    "leeftijd",
    "mit",
];
/// Words right in front of the number that need a stop behind it.
const BEFORE_STOP: &[&str] =
    &["i'm", "i’m", "i am", "he's", "he is", "she's", "she is", "he was", "she was", "he’s", "she’s"];

/// The age whose digits are at `digits`.
pub(super) fn at(text: &[u8], digits: Range<usize>) -> Option<Range<usize>> {
    let years = number(text, &digits);
    let behind = text.get(digits.end..).unwrap_or_default();
    if digits.len() > 3
        || !(1..=OLDEST).contains(&years)
        || behind.first().is_some_and(|byte| matches!(byte, b'%' | b':' | b'/'))
    {
        return None;
    }
    let in_front = || follows(text, digits.start, BEFORE) && stops(behind, true) && years > 2;
    let found = starts(behind, BEHIND)
        || (starts(behind, YEARS) && follows(text, digits.start, BEFORE_YEARS) && stops_behind_word(behind))
        || in_front()
        || (follows(text, digits.start, BEFORE_STOP) && stops(behind, false) && years >= 10);
    found.then_some(digits)
}

/// Whether a space or hyphen and one of the words begin it.
fn starts(behind: &[u8], words: &[&str]) -> bool {
    let Some((b' ' | b'-', rest)) = behind.split_first() else { return false };
    words.iter().any(|word| {
        rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
            && (word.len() > 5 || !rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric))
    })
}

/// Behind the word for years comes nothing that makes a duration of it (`34 ans de prison`, `34 years ago`).
fn stops_behind_word(behind: &[u8]) -> bool {
    let word = behind.iter().skip(1).take(10).take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let rest = behind.get(word + 1..).unwrap_or_default();
    rest.first().is_none_or(|byte| matches!(byte, b'.' | b',' | b';' | b'!' | b'?' | b')' | b'\n'))
        || [" et ", " y ", " e ", " en ", " und ", " and "].iter().any(|word| rest.starts_with(word.as_bytes()))
}

/// The sentence ends or goes on without a noun that the number would count; `loose` allows any word but units.
fn stops(behind: &[u8], loose: bool) -> bool {
    let next = |place: usize| behind.get(place).copied().unwrap_or(b' ');
    match next(0) {
        b'.' | b',' => !next(1).is_ascii_digit(),
        b'!' | b'?' | b';' | b')' | b'\n' | b'"' => true,
        b' ' if behind.len() <= 1 => true,
        b' ' if loose => !super::counts(behind, 1) && next(1) != b'%',
        b' ' => {
            [&b" and "[..], b" now", b" but ", b" so ", b" y ", b" et "].iter().any(|word| behind.starts_with(word))
        }
        _ => behind.is_empty(),
    }
}

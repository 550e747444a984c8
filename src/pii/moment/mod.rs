//! Dates of birth, ages, dates in prose: numbers that only the words around them make personal.
//!
//! What a reader could get wrong: logs, code and JSON are full of dates that say nothing about anybody; a date counts only next to a word for birth,
//! with the name of its month, or behind a word that prose puts in front of dates.

mod age;
mod date;

use std::ops::Range;

use self::date::Date;
use super::entity::Entity;
use super::scan::{Asker, Scan};

/// How near, in bytes, a word for birth must stand.
const BIRTH_BEFORE: usize = 40;
const BIRTH_BEHIND: usize = 12;

const BORN: f32 = 0.85;
const NAMED: f32 = 0.6;
const IN_PROSE: f32 = 0.5;

pub(super) const WORDS: &[(Asker, &[&str])] = &[(Asker::Birth, BIRTH)];

const BIRTH: &[&str] = &[
    "born",
    "birth",
    "dob",
    "d.o.b",
    "bday",
    "geboren",
    "geburt",
    "geb.",
    "geb",
    "né le",
    "née le",
    "né(e)",
    "ne le",
    "nee le",
    "naissance",
    "nacid",
    "nacimiento",
    "nací",
    "naci el",
    "nato il",
    "nata il",
    "nascita",
    "nascid",
    "nascimento",
    "geboorte",
    "cumpleaños",
    "anniversaire",
    "compleanno",
    "aniversário",
    "verjaardag",
];

/// What stands right in front of a date in prose.
const BEFORE_DATE: &[&str] = &[
    "date", "dated", "when", "today is", "on", "since", "until", "till", "before", "after", "datum", "am", "vom",
    "seit", "bis", "le", "du", "depuis", "jusqu'au", "fecha", "el", "desde", "hasta", "data", "il", "dal", "fino al",
    "em", "op", "sinds", "tot",
];

/// What stands right in front of a year in prose.
const BEFORE_YEAR: &[&str] = &[
    "in",
    "since",
    "until",
    "till",
    "act of",
    "law of",
    "class of",
    "summer of",
    "winter of",
    "spring of",
    "fall of",
    "autumn of",
    "early",
    "late",
    "founded",
    "born",
    "established",
    "seit",
    "im jahr",
    "im jahre",
    "en",
    "depuis",
    "desde",
    "hasta",
    "nel",
    "dal",
    "em",
    "sinds",
];

/// Looks at a run of digits (bytes of the text; from its first word with a digit to its last).
pub(super) fn look(scan: &mut Scan<'_, '_>, run: Range<usize>) {
    let text = scan.bytes();
    let mut at = run.start;
    while let Some(start) = next(text, at, run.end) {
        let end = start + digits(text, start);
        at = end;
        // Longer groups are neither a day nor a year nor an age.
        if end - start > 4 {
            continue;
        }
        if let Some(age) = age::at(text, start..end) {
            scan.push(age.start, age.end, Entity::AGE, 0.7);
        } else if let Some(date) = date::at(text, start..end) {
            at = date.range.end.max(end);
            judge(scan, &date);
        } else if is_year(text, start..end) {
            scan.push(start, end, Entity::DATE_TIME, IN_PROSE);
        }
    }
}

fn judge(scan: &mut Scan<'_, '_>, date: &Date) {
    let (text, range) = (scan.bytes(), date.range.clone());
    let mut born = false;
    scan.near(&range, |near| {
        let most = if near.behind { BIRTH_BEHIND } else { BIRTH_BEFORE };
        born |= near.asker == Asker::Birth && near.distance <= most;
    });
    if born && date.has_day {
        scan.push(range.start, range.end, Entity::DATE_OF_BIRTH, BORN);
    } else if date.named && !date.is_machine {
        scan.push(range.start, range.end, Entity::DATE_TIME, NAMED);
    } else if !date.is_machine && follows(text, range.start, BEFORE_DATE) {
        scan.push(range.start, range.end, Entity::DATE_TIME, IN_PROSE);
    }
}

/// A year of our time, behind a word that says so, and nothing behind it that would make it a count.
fn is_year(text: &[u8], range: Range<usize>) -> bool {
    let year = number(text, &range);
    let next = |ahead: usize| text.get(range.end + ahead).copied().unwrap_or(b' ');
    let stops = match next(0) {
        b'.' | b',' | b';' | b'!' | b'?' | b')' => !next(1).is_ascii_alphanumeric(),
        b' ' | b'\n' => !counts(text, range.end + 1),
        _ => false,
    };
    range.len() == 4 && (1900..=2039).contains(&year) && stops && follows(text, range.start, BEFORE_YEAR)
}

/// The word at `at` is what a number counts.
fn counts(text: &[u8], at: usize) -> bool {
    const UNITS: &[&str] = &[
        "ms",
        "s",
        "sec",
        "seconds",
        "minutes",
        "hours",
        "days",
        "bytes",
        "kb",
        "mb",
        "gb",
        "tokens",
        "items",
        "lines",
        "rows",
        "requests",
        "users",
        "people",
        "times",
        "words",
        "characters",
        "chars",
        "samples",
        "steps",
        "iterations",
        "entries",
        "files",
        "examples",
        "records",
        "points",
        "px",
    ];
    let word = word(text, at);
    UNITS.iter().any(|unit| word.eq_ignore_ascii_case(unit.as_bytes()))
}

/// The ASCII word that begins at `at`, of bounded length.
fn word(text: &[u8], at: usize) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    rest.get(..rest.iter().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count()).unwrap_or_default()
}

/// Whether one of `phrases` (lower case) ends right in front of `at`, with a space or a colon between.
fn follows(text: &[u8], at: usize, phrases: &[&str]) -> bool {
    let Some(window) = text.get(at.saturating_sub(24)..at) else { return false };
    let Some(rest) = window.strip_suffix(b" ") else { return false };
    let rest = rest.strip_suffix(b":").unwrap_or(rest);
    phrases.iter().any(|phrase| {
        let Some(front) = rest.len().checked_sub(phrase.len()) else { return false };
        let (front, found) = rest.split_at(front);
        found.eq_ignore_ascii_case(phrase.as_bytes())
            && !front.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    })
}

/// The next digit from `at` on that begins a word, before `end`.
fn next(text: &[u8], at: usize, end: usize) -> Option<usize> {
    (at..end).find(|&at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        text.get(at).is_some_and(u8::is_ascii_digit) && !before.is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// How many digits there are from `at` on.
fn digits(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(24).take_while(|byte| byte.is_ascii_digit()).count()
}

fn number(text: &[u8], range: &Range<usize>) -> u64 {
    let digits = text.get(range.clone()).unwrap_or_default();
    digits.iter().take(9).fold(0, |sum, byte| sum * 10 + u64::from(byte.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests;

//! Dates as people write them: with figures in the order of any country, or with the name of the month in seven languages.
//!
//! What a reader could get wrong: a date that cannot be (31 June) is none, in whichever order it is read.

use std::ops::Range;

use super::{digits, number};
use crate::pii::identifier::{is_day, is_short_day};

/// A date in a text.
#[derive(Debug)]
pub(super) struct Date {
    pub(super) range: Range<usize>,
    /// The month has its name.
    pub(super) named: bool,
    pub(super) has_day: bool,
    /// As machines write them: a `T`, fractions of a second, a zone; brackets or quotes in front.
    pub(super) is_machine: bool,
}

/// Names of the months and how they are shortened, in English, German, French, Spanish, Italian, Portuguese, Dutch.
const MONTHS: &[&[&str]] = &[
    &["january", "jan", "januar", "jänner", "janvier", "janv", "enero", "ene", "gennaio", "janeiro", "januari"],
    &[
        "february",
        "feb",
        "februar",
        "février",
        "fevrier",
        "févr",
        "febrero",
        "febbraio",
        "fevereiro",
        "fev",
        "februari",
    ],
    &["march", "mar", "märz", "maerz", "mars", "marzo", "março", "marco", "maart", "mrt"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maggio", "mag", "maio", "mei"],
    &["june", "jun", "juni", "juin", "junio", "giugno", "giu", "junho"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug", "julho"],
    &["august", "aug", "août", "aout", "agosto", "ago", "augustus"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre", "setembro"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &["december", "dec", "dezember", "dez", "décembre", "decembre", "déc", "diciembre", "dic", "dicembre", "dezembro"],
];
/// The longest of these words, in bytes.
const LONGEST: usize = 11;

/// The date that the group of digits at `group` begins, or with the month in front of it is a part of.
pub(super) fn at(text: &[u8], group: Range<usize>) -> Option<Date> {
    let glued = group.start.checked_sub(2).and_then(|from| text.get(from..group.start));
    if glued.is_some_and(
        |glued| matches!(glued, [before, b'.' | b'-' | b'/' | b':' | b','] if before.is_ascii_alphanumeric()),
    ) {
        return None;
    }
    figures(text, &group).or_else(|| day_first(text, &group)).or_else(|| month_first(text, &group))
}

/// 2021-05-12, 12.5.2021, 5/12/21, 12-May-2021.
fn figures(text: &[u8], first: &Range<usize>) -> Option<Date> {
    let sign = *text.get(first.end).filter(|byte| matches!(byte, b'-' | b'.' | b'/'))?;
    let from = first.end + 1;
    let (second, month) = match month(text, from) {
        Some((length, month)) => (from..from + length, Some(month)),
        None => (from..from + digits(text, from), None),
    };
    if text.get(second.end) != Some(&sign) {
        return None;
    }
    let third = second.end + 1..second.end + 1 + digits(text, second.end + 1);
    let (a, b, c) = (number(text, first), number(text, &second), number(text, &third));
    let exists = match (first.len(), month, third.len()) {
        (1 | 2, Some(month), 4) => is_day(c, month, a),
        (1 | 2, Some(month), 2) => is_short_day(c, month, a),
        (4, None, 1 | 2) => century(a) && second.len() <= 2 && is_day(a, b, c),
        (1 | 2, None, 4) if second.len() <= 2 => century(c) && (is_day(c, b, a) || is_day(c, a, b)),
        (1 | 2, None, 2) if second.len() <= 2 => is_short_day(c, b, a) || is_short_day(c, a, b),
        _ => false,
    };
    let behind = |ahead: usize| text.get(third.end + ahead).copied().unwrap_or(b' ');
    let goes_on = match behind(0) {
        b'.' | b'-' | b'/' | b',' => behind(1).is_ascii_digit(),
        b'T' => false,
        byte => byte.is_ascii_alphanumeric() || byte == b'_',
    };
    if !exists || goes_on {
        return None;
    }
    let (end, precise) = time(text, third.end);
    let is_machine = precise || behind(0) == b'T' || is_quoted(text, first.start);
    Some(Date { range: first.start..end, named: month.is_some(), has_day: true, is_machine })
}

/// 12 March 2021, 12th of March, 12. März 2021, 12 de marzo de 2021.
fn day_first(text: &[u8], day: &Range<usize>) -> Option<Date> {
    if day.len() > 2 {
        return None;
    }
    let mut at = skip(text, day.end, &["st", "nd", "rd", "th", ".", "º", "er", "°", "ª"]);
    at = skip(text, at, &[" "]);
    at = skip(text, at, &["of ", "de ", "di ", "of the ", "day of "]);
    let (length, month) = month(text, at).filter(|_| at > day.end)?;
    let end = skip(text, at + length, &["."]);
    let year = year(text, end);
    let day_number = number(text, day);
    // Without a year only what no other word is: `1 may`, `12 mar` and `5 set` are not enough.
    let exists = match &year {
        Some(year) => is_day(number(text, year), month, day_number),
        None => length >= 5 && (1..=31).contains(&day_number),
    };
    let end = year.map_or(at + length, |year| year.end);
    let (_, precise) = time(text, end);
    exists.then(|| Date {
        range: day.start..end,
        named: true,
        has_day: true,
        is_machine: precise || is_header(text, day.start, end),
    })
}

/// March 12, 2021, March 12th, March 2021.
fn month_first(text: &[u8], group: &Range<usize>) -> Option<Date> {
    let space = group.start.checked_sub(1).filter(|at| text.get(*at) == Some(&b' '))?;
    let dot = space.checked_sub(1).filter(|at| text.get(*at) == Some(&b'.')).unwrap_or(space);
    let window = text.get(dot.saturating_sub(LONGEST + 1)..dot)?;
    let letters = window.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let start = dot - letters;
    let (_, month) = month(text, start).filter(|(length, _)| *length == letters)?;
    let capital = text.get(start).is_some_and(u8::is_ascii_uppercase);
    let value = number(text, group);
    if group.len() == 4 {
        return (century(value) && capital).then_some(Date {
            range: start..group.end,
            named: true,
            has_day: false,
            is_machine: false,
        });
    }
    let end = skip(text, group.end, &["st", "nd", "rd", "th"]);
    let year = year(text, end);
    let exists = match &year {
        Some(year) => is_day(number(text, year), month, value),
        None => {
            capital
                && (1..=31).contains(&value)
                && group.len() <= 2
                && !text.get(end).is_some_and(|byte| matches!(byte, b':' | b'.' | b'-' | b'_'))
        }
    };
    let end = year.map_or(end, |year| year.end);
    let glued = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    (exists && !glued).then(|| Date {
        range: start..end,
        named: true,
        has_day: true,
        is_machine: is_header(text, start, end),
    })
}

/// The month whose name begins at `at`: its length and number.
fn month(text: &[u8], at: usize) -> Option<(usize, u64)> {
    let rest = text.get(at..)?;
    let length = rest.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let word = rest.get(..length).filter(|word| word.len() >= 3)?;
    let is = |names: &&[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    (1..).zip(MONTHS).find(|(_, names)| is(names)).map(|(month, _)| (length, month))
}

/// A year behind a month: `, 2021`, ` de 2021`.
fn year(text: &[u8], at: usize) -> Option<Range<usize>> {
    let at = skip(text, at, &[",", "."]);
    let at = skip(text, at, &[" "]);
    let at = skip(text, at, &["de ", "del ", "of ", "do "]);
    let range = at..at + digits(text, at);
    // With the month's name any year of history is one.
    (range.len() == 4 && (1000..2150).contains(&number(text, &range))).then_some(range)
}

/// Behind the first of `words` that is at `at`.
fn skip(text: &[u8], at: usize, words: &[&str]) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    words.iter().find(|word| rest.starts_with(word.as_bytes())).map_or(at, |word| at + word.len())
}

fn century(year: u64) -> bool {
    (1850..2150).contains(&year)
}

/// A time behind a date (`2012-10-01 00:46:43`): where it ends, and whether a fraction or a zone makes it a machine's.
fn time(text: &[u8], at: usize) -> (usize, bool) {
    let clock = |at: usize| -> Option<usize> {
        let hours = digits(text, at);
        let minutes = at + hours + 1;
        let fits = (1..=2).contains(&hours) && text.get(at + hours) == Some(&b':') && digits(text, minutes) == 2;
        fits.then_some(minutes + 2)
    };
    let Some(end) = (text.get(at) == Some(&b' ')).then(|| clock(at + 1)).flatten() else { return (at, false) };
    let end = if text.get(end) == Some(&b':') && digits(text, end + 1) == 2 { end + 3 } else { end };
    let next = |ahead: usize| text.get(end + ahead).copied().unwrap_or(b' ');
    let zone = matches!(next(0), b'+' | b'Z') || (matches!(next(0), b'.' | b',') && next(1).is_ascii_digit());
    let zone = zone
        || text.get(end..).is_some_and(|rest| [&b" UTC"[..], b" GMT", b" +"].iter().any(|zone| rest.starts_with(zone)));
    (end, zone)
}

/// In quotes or brackets, as in JSON and logs.
fn is_quoted(text: &[u8], start: usize) -> bool {
    start
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'[' | b'`' | b'=' | b'_'))
}

/// `Sat, 21 Nov 2026 08:19:03 GMT` and `Nov 21 08:19:03`: headers and logs.
fn is_header(text: &[u8], start: usize, end: usize) -> bool {
    const DAYS: &[&[u8]] = &[b"Mon, ", b"Tue, ", b"Wed, ", b"Thu, ", b"Fri, ", b"Sat, ", b"Sun, "];
    let front = text.get(start.saturating_sub(5)..start).unwrap_or_default();
    let (behind, _) = time(text, end);
    // `May 20, 2026: v9.0.33`, as changes are listed.
    let entry = text.get(end) == Some(&b':') && start.checked_sub(1).is_none_or(|at| text.get(at) == Some(&b'\n'));
    entry || is_quoted(text, start) || (behind > end && (DAYS.contains(&front) || behind - end > 6))
}

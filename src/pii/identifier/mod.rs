//! Identifiers made of digits and letters: the table of what each looks like, how it is checked, and which words stand near it.
//!
//! What a reader could get wrong: a row proposes by *form* only (groups of characters and what stands between them); what makes it an
//! identifier is `valid`. Where a number that looks right is common in other texts, `alone` is 0 and a word of `context` must be near.

mod africa;
mod algorithm;
mod alps;
mod america_central;
mod america_south;
mod americas;
mod asia_east;
mod asia_south;
mod asia_southeast;
mod balkan;
mod baltic;
mod bank;
mod benelux;
mod brazil;
mod britain;
mod canada;
mod device;
mod document;
mod europe_central;
mod europe_east;
mod france;
mod germany;
mod iban;
mod iberia;
mod italy;
mod mexico;
mod middle_east;
mod network;
mod nordic;
mod pacific;
mod plate;
mod postal;
mod vat;
mod vat_bare;
pub mod words;

use super::entity::Entity;

pub use bank::ANCHORS;

/// A kind of identifier. One table row; several rows may have the same entity.
#[derive(Debug, Clone, Copy)]
pub struct Identifier {
    pub entity: Entity,
    /// How it is written: `9` a digit, `A` a letter (either case), `X` a digit or a letter; a space is any one separator (space, no-break space,
    /// hyphen, dot, slash, middle dot), while `-`, `.`, `/`, `:`, `+` and `(` stand for themselves. Up to 40 characters. `#` in front of a
    /// form without separators is that form in any grouping, `#12` twelve digits in any grouping; grouped, it needs a word of context.
    pub forms: &'static [&'static str],
    /// Check digits, ranges, dates: whether it can be one.
    pub valid: fn(&Number<'_>) -> bool,
    /// Words and phrases, lower case, of which one should stand near (within some 60 bytes before or 40 behind). Those of five letters and more
    /// may be part of a longer word (`steuer` in `Steuernummer`), shorter ones must stand alone. `@tax` and so on: see [`words::shared`].
    pub context: &'static [&'static str],
    /// The score without such a word, 0 to 1; 0 for "never".
    pub alone: f32,
    /// The score with one.
    pub near: f32,
}

/// A text that has the form of an identifier.
#[derive(Debug, Clone, Copy)]
pub struct Number<'t> {
    /// Digits and upper case letters (ASCII), without separators.
    pub compact: &'t [u8],
    /// As it was written.
    pub raw: &'t str,
}

impl Number<'_> {
    /// The digit at `place`; 0 for a letter or behind the end.
    pub fn digit(&self, place: usize) -> u32 {
        self.compact.get(place).filter(|byte| byte.is_ascii_digit()).map_or(0, |byte| u32::from(byte - b'0'))
    }

    /// The digits of `compact[from..from + length]` as a number; letters count as 0.
    pub fn value(&self, from: usize, length: usize) -> u64 {
        (from..from + length).fold(0, |sum, place| sum * 10 + u64::from(self.digit(place)))
    }

    /// The sum of digit times weight, from the left.
    pub fn weighted(&self, weights: &[u32]) -> u32 {
        weights.iter().enumerate().map(|(place, weight)| self.digit(place) * weight).sum()
    }
}

/// Every row, in the order of the files.
pub fn all() -> impl Iterator<Item = &'static Identifier> {
    let files = [
        bank::ROWS,
        iban::ROWS,
        device::ROWS,
        network::ROWS,
        americas::ROWS,
        canada::ROWS,
        mexico::ROWS,
        brazil::ROWS,
        america_central::ROWS,
        america_south::ROWS,
        britain::ROWS,
        germany::ROWS,
        france::ROWS,
        benelux::ROWS,
        iberia::ROWS,
        italy::ROWS,
        alps::ROWS,
        nordic::ROWS,
        baltic::ROWS,
        europe_central::ROWS,
        balkan::ROWS,
        europe_east::ROWS,
        vat::ROWS,
        vat_bare::ROWS,
        asia_south::ROWS,
        asia_southeast::ROWS,
        asia_east::ROWS,
        middle_east::ROWS,
        africa::ROWS,
        pacific::ROWS,
        plate::ROWS,
        postal::ROWS,
        document::ROWS,
    ];
    files.into_iter().flatten()
}

/// Luhn's check (ISO/IEC 7812-1, annex B) over a number of digits only.
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            match (place % 2, digit) {
                (0, _) => digit,
                (_, 5..) => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether year, month, day is a day that exists (years 1 to 9999).
pub fn is_day(year: u64, month: u64, day: u64) -> bool {
    let to = |value: u64| i8::try_from(value).ok();
    match (i16::try_from(year).ok(), to(month), to(day)) {
        (Some(year), Some(month), Some(day)) => jiff::civil::Date::new(year, month, day).is_ok(),
        _ => false,
    }
}

/// Whether month and day exist in the year 1900 + `year` or 2000 + `year` (two digits of a year, as most countries write it).
pub fn is_short_day(year: u64, month: u64, day: u64) -> bool {
    is_day(1900 + year, month, day) || is_day(2000 + year, month, day)
}

/// Asserts for each row of `cases` (entity, sentence, number in it) that the number is found as that entity.
#[cfg(test)]
pub fn assert_found(cases: &[(Entity, &str, &str)]) {
    for (entity, sentence, number) in cases {
        let found = found(sentence);
        let at = sentence.find(number).unwrap();
        let wanted = (at, at + number.len(), *entity);
        assert!(found.contains(&wanted), "{sentence}: {number} is not among {found:?}");
    }
}

/// Asserts that no sentence of `cases` has anything of that entity.
#[cfg(test)]
pub fn assert_not_found(cases: &[(Entity, &str)]) {
    for (entity, sentence) in cases {
        let found = found(sentence);
        assert!(found.iter().all(|(_, _, found)| found != entity), "{sentence}: {found:?}");
    }
}

#[cfg(test)]
fn found(sentence: &str) -> Vec<(usize, usize, Entity)> {
    let mut spans = vec![];
    super::scan::scan(sentence, &mut spans);
    spans.iter().map(|span| (span.start, span.end, span.entity)).collect()
}

#[cfg(test)]
mod specimens;

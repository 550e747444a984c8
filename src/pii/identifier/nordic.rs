//! National identifiers of Sweden, Norway, Denmark, Finland and Iceland.
//!
//! What a reader could get wrong: Danish numbers given since 2007 have no valid check digit; Swedish ones may have a plus for people past a
//! hundred; temporary numbers add 40 or 60 to the day, or 40 or 80 to the month.

use super::algorithm::is_uniform;
use super::{Identifier, Number, is_day, is_short_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::SE_PERSONNUMMER,
        forms: &["999999-9999", "999999+9999", "99999999-9999", "99999999+9999", "999999999999"],
        valid: swedish,
        context: SWEDISH,
        alone: 0.5,
        near: 1.0,
    },
    Identifier {
        entity: Entity::SE_PERSONNUMMER,
        forms: &["#10", "#12"],
        valid: swedish,
        context: SWEDISH,
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::NO_FODSELSNUMMER,
        forms: &["999999 99999", "99999999999", "#11"],
        valid: norwegian,
        context: NORWEGIAN,
        alone: 0.6,
        near: 1.0,
    },
    Identifier {
        entity: Entity::DK_CPR,
        forms: &["999999-9999"],
        valid: |number| danish(number) && is_checked(number),
        context: DANISH,
        alone: 0.4,
        near: 1.0,
    },
    Identifier { entity: Entity::DK_CPR, forms: &["#10"], valid: danish, context: DANISH, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::FI_PERSONAL_IDENTITY_CODE,
        forms: &["999999-999X", "999999+999X", "999999A999X"],
        valid: finnish,
        context: FINNISH,
        alone: 0.7,
        near: 1.0,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999999999999"],
        // Verohallinto: the number on a builder's card; its check digit is not published.
        valid: |number| !is_uniform(number),
        context: &["veronumero", "finnish individual tax", "finnish tax", "skattenummer"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::IS_KENNITALA,
        forms: &["999999-9999"],
        valid: icelandic,
        context: ICELANDIC,
        alone: 0.4,
        near: 1.0,
    },
    Identifier {
        entity: Entity::IS_KENNITALA,
        forms: &["#10"],
        valid: icelandic,
        context: ICELANDIC,
        alone: 0.0,
        near: 0.95,
    },
];

const SWEDISH: &[&str] = &[
    "personnummer",
    "person nummer",
    "personnr",
    "pnr",
    "samordningsnummer",
    "coordination number",
    "swedish",
    "sweden",
    "svensk",
    "sverige",
    "schwedische",
    "schweden",
    "suédois",
    "suecia",
    "sueco",
];

const NORWEGIAN: &[&str] = &[
    "@person",
    "fødselsnummer",
    "fodselsnummer",
    "fødselsnr",
    "fnr",
    "fnummer",
    "personnummer",
    "d-nummer",
    "dnr",
    "birth number",
    "norwegian",
    "norway",
    "norsk",
    "norge",
    "norwegisch",
    "norvégien",
    "noruego",
    "noruega",
];

const DANISH: &[&str] = &[
    "cpr",
    "cpr-nr",
    "cpr-nummer",
    "cpr-nummeret",
    "danish",
    "denmark",
    "dansk",
    "danmark",
    "dänische",
    "dänemark",
    "danois",
    "danés",
    "dinamarca",
];

const FINNISH: &[&str] = &[
    "@person",
    "hetu",
    "henkilötunnus",
    "henkilötunnuk",
    "sotu",
    "personbeteckning",
    "personal identity code",
    "finnish",
    "finland",
    "suomen",
    "suomalainen",
    "finnische",
    "finlandais",
    "finland",
    "finlandés",
];

const ICELANDIC: &[&str] = &[
    "kennitala",
    "kennitölu",
    "kennitölunúmer",
    "kt",
    "iceland",
    "íslensk",
    "ísland",
    "isländische",
    "islandais",
    "islandés",
];

/// Nobody whose number is written to us was born later; numbers that say so are chance. To be moved on before the year comes.
const LAST_BIRTH: u64 = 2030;

/// Skatteverket, SKV 704: Luhn's check over the last ten digits; coordination numbers add 60 to the day.
fn swedish(number: &Number<'_>) -> bool {
    let (from, century) = if number.compact.len() == 12 { (2, Some(number.value(0, 2))) } else { (0, None) };
    let (year, month, day) = (number.value(from, 2), number.value(from + 2, 2), number.value(from + 4, 2));
    let day = if day > 60 { day - 60 } else { day };
    let date = match century {
        None => is_short_day(year, month, day),
        Some(century @ 18..=20) => is_day(century * 100 + year, month, day) && century * 100 + year <= LAST_BIRTH,
        _ => false,
    };
    date && number.compact.get(from..).is_some_and(luhn)
}

/// Skatteetaten, folkeregisterforskriften § 2-2-1: two check digits modulo 11. D-numbers add 40 to the day, H-numbers 40 to the month and test
/// data 80 (or 65); the three digits behind the date say which century.
fn norwegian(number: &Number<'_>) -> bool {
    let (day, month, year) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
    let day = if day > 40 { day - 40 } else { day };
    let month = match month {
        41..=52 => month - 40,
        66..=77 => month - 65,
        81..=92 => month - 80,
        other => other,
    };
    let year = match (number.value(6, 3), year) {
        (0..=499, _) => 1900 + year,
        (500..=749, 54..) => 1800 + year,
        (500..=999, 0..=39) => 2000 + year,
        (900..=999, 40..) => 1900 + year,
        _ => return false,
    };
    year <= LAST_BIRTH
        && is_day(year, month, day)
        && number.weighted(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && number.weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// CPR-kontoret, Personnummeret i CPR-systemet: the seventh digit says which century.
fn danish(number: &Number<'_>) -> bool {
    let (day, month, year) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
    let year = match (number.digit(6), year) {
        (0..=3, _) => 1900 + year,
        (4 | 9, 0..=36) => 2000 + year,
        (4 | 9, _) => 1900 + year,
        (_, 0..=57) => 2000 + year,
        _ => 1800 + year,
    };
    // When the numbers of a day run out, 60 is added to it.
    let day = if day > 60 { day - 60 } else { day };
    year <= LAST_BIRTH && is_day(year, month, day)
}

/// The check digit of numbers given before October 2007.
fn is_checked(number: &Number<'_>) -> bool {
    number.weighted(&[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Digi- ja väestötietovirasto: date, sign of the century, serial (900 and above are temporary), one of 31 check characters.
fn finnish(number: &Number<'_>) -> bool {
    const CHECK: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let sign = number.raw.as_bytes().get(6).map(u8::to_ascii_uppercase);
    let century = match sign {
        Some(b'+') => 1800,
        Some(b'A'..=b'F') => 2000,
        Some(sign) if sign.is_ascii_alphabetic() && !b"YXWVU".contains(&sign) => return false,
        _ => 1900,
    };
    // The century's letter is part of the compact form, other signs are not.
    let serial = if sign.is_some_and(|sign| sign.is_ascii_alphabetic()) { 7 } else { 6 };
    let (day, month, year) = (number.value(0, 2), number.value(2, 2), century + number.value(4, 2));
    let left = (number.value(0, 6) * 1000 + number.value(serial, 3)) % 31;
    number.value(serial, 3) >= 2
        && year <= LAST_BIRTH
        && is_day(year, month, day)
        && usize::try_from(left).ok().and_then(|left| CHECK.get(left)) == number.compact.last()
}

/// Þjóðskrá: date (companies add 40 to the day), two digits, check digit modulo 11, century (9 or 0).
fn icelandic(number: &Number<'_>) -> bool {
    let (day, month, year) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
    let day = if day > 40 { day - 40 } else { day };
    let year = match number.digit(9) {
        9 => 1900 + year,
        0 => 2000 + year,
        _ => return false,
    };
    year <= LAST_BIRTH && is_day(year, month, day) && number.weighted(&[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

#[cfg(test)]
mod tests;

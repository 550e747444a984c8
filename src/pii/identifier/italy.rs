//! National, tax and document identifiers of Italy and Malta.
//!
//! What a reader could get wrong: in a codice fiscale any digit may be replaced by a letter to tell namesakes apart (omocodia), and women's days of
//! birth have 40 added.

use super::algorithm::{base_36, is_uniform, is_upper};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::IT_FISCAL_CODE,
        forms: &["AAAAAAXXAXXAXXXA", "AAA AAA XXAXX AXXXA", "#AAAAAAXXAXXAXXXA"],
        valid: fiscal_code,
        context: &[
            "@tax",
            "@person",
            "codice fiscale",
            "cod. fisc",
            "cod fiscale",
            "cf",
            "c.f",
            "fiscal code",
            "italian",
            "italien",
            "italienische",
            "código fiscal",
            "code fiscal",
            "steuernummer",
        ],
        alone: 0.9,
        near: 1.0,
    },
    Identifier {
        entity: Entity::IT_DRIVER_LICENSE,
        forms: &["AA9999999A", "A9XXXXXXXA"],
        valid: |number| {
            number.compact.first() == Some(&b'U')
                || number.digit(2) <= 9 && number.compact.get(1).is_some_and(u8::is_ascii_alphabetic)
        },
        context: &[
            "patente",
            "patente di guida",
            "driving licence",
            "driver license",
            "driver's license",
            "driving license",
            "licenza",
            "license",
            "führerschein",
            "permis de conduire",
            "permiso de conducir",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::IT_DRIVER_LICENSE,
        forms: &["A9XXXXXXXA"],
        valid: patent,
        context: &["patente", "licence", "license"],
        alone: 0.4,
        near: 0.9,
    },
    Identifier {
        entity: Entity::IT_IDENTITY_CARD,
        forms: &["AA99999AA", "AA9999999", "AA 9999999", "9999999AA"],
        valid: |number| !is_uniform(number),
        context: &[
            "carta d'identità",
            "carta d’identità",
            "carta di identità",
            "carta identità",
            "cie",
            "c.i.",
            "documento d'identità",
            "italian identity card",
            "italian id",
            "italienischer personalausweis",
            "carte d'identité italienne",
            "documento de identidad italiano",
            "identity card",
        ],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::IT_PASSPORT,
        forms: &["AA9999999", "AA 9999999"],
        valid: |number| !is_uniform(number),
        context: &["passaporto", "italian passport", "italienischer pass", "passeport italien", "pasaporte italiano"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::MT_ID,
        forms: &["9999999A", "999999A", "99999A", "9999A", "999A", "9999999 A", "999999 A", "99999 A"],
        // Identity Malta: G, H, L, P, A, B, Z, M say where and when the number was given; there is no check digit.
        valid: |number| {
            number.compact.last().is_some_and(|letter| b"MGAPLHBZ".contains(letter)) && number.digit(0) < 10
        },
        context: &["malta", "maltese", "karta tal-identità", "karta tal-identita", "id kard", "identità"],
        alone: 0.0,
        near: 0.85,
    },
];

/// What a character in an odd place (from 1) counts (decreto ministeriale of 23 December 1976): 0 to 9 and A to J, then K to Z.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Agenzia delle Entrate: name, year, month, day and sex, municipality, check letter.
fn fiscal_code(number: &Number<'_>) -> bool {
    let Some((check, body)) = number.compact.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            let value = match base_36(*byte) {
                letter @ 10.. => letter - 10,
                digit => digit,
            };
            if place % 2 == 1 { value } else { ODD.get(value as usize).copied().unwrap_or_default() }
        })
        .sum();
    is_birth(number) && u32::from(check.wrapping_sub(b'A')) == sum % 26
}

/// Month and day are such, and what should be digits are digits or the letters that stand for them.
fn is_birth(number: &Number<'_>) -> bool {
    let digit = |place: usize| match number.compact.get(place) {
        Some(byte) if byte.is_ascii_digit() => Some(u32::from(byte - b'0')),
        Some(byte) => {
            b"LMNPQRSTUV".iter().position(|letter| letter == byte).and_then(|place| u32::try_from(place).ok())
        }
        None => None,
    };
    let all = [6, 7, 9, 10, 12, 13, 14].into_iter().all(|place| digit(place).is_some());
    let day = digit(9).unwrap_or_default() * 10 + digit(10).unwrap_or_default();
    let month = number.compact.get(8).is_some_and(|month| b"ABCDEHLMPRST".contains(month));
    all && month && matches!(day, 1..=31 | 41..=71)
}

/// Licences since 2000: `U1`, serial without vowels, control letter (its rule is not published).
fn patent(number: &Number<'_>) -> bool {
    let serial = number.compact.get(2..9).unwrap_or_default();
    let digits = serial.iter().filter(|byte| byte.is_ascii_digit()).count();
    is_upper(number)
        && number.compact.starts_with(b"U1")
        && digits >= 3
        && serial.iter().all(|byte| !b"AEIOQU".contains(byte))
}

#[cfg(test)]
mod tests;

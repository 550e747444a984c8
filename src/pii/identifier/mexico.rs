//! National, tax and bank identifiers of Mexico.
//!
//! What a reader could get wrong: the tax office has handed out RFCs whose check character does not fit its own rule, so with a word of context
//! form and date are enough.

use super::algorithm::{base_36, completes, is_upper};
use super::{Identifier, Number, is_day, is_short_day, luhn};
use crate::pii::entity::Entity;

const CURP_WORDS: &[&str] = &[
    "curp",
    "clave única",
    "clave unica",
    "registro de población",
    "registro de poblacion",
    "mexic",
    "méxic",
    "mexik",
];
const RFC_WORDS: &[&str] = &[
    "rfc",
    "r.f.c",
    "registro federal",
    "contribuyente",
    "taxpayer",
    "tax number",
    "tax id",
    "clave fiscal",
    "mexic",
    "méxic",
    "mexik",
    "mexiq",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::MX_CURP,
        forms: &["AAAA999999AAAAAAX9"],
        valid: curp,
        context: CURP_WORDS,
        alone: 0.9,
        near: 1.0,
    },
    Identifier {
        entity: Entity::MX_RFC,
        forms: &["AAAA999999XXX", "AAAA 999999 XXX", "AAAA-999999-XXX"],
        valid: |number| rfc(number, 4) && rfc_check(number) && is_upper(number),
        context: RFC_WORDS,
        alone: 0.6,
        near: 0.95,
    },
    Identifier {
        entity: Entity::MX_RFC,
        forms: &["AAAA999999XXX", "AAAA 999999 XXX", "AAAA-999999-XXX", "AAAA999999", "AAAA 999999", "AAAA-999999"],
        valid: |number| rfc(number, 4),
        context: RFC_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::MX_RFC,
        forms: &["AAA999999XXX", "AAA 999999 XXX", "AAA-999999-XXX"],
        valid: |number| rfc(number, 3),
        context: RFC_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::ACCOUNT_NUMBER,
        forms: &["999999999999999999", "999 999 99999999999 9", "999 999 9999 9999 9999", "9999 9999 9999 9999 99"],
        valid: clabe,
        context: &["clabe", "interbancaria", "spei", "cuenta bancaria", "bank account", "mexic", "méxic"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999999", "99 99 99 9999 9"],
        valid: |number| luhn(number.compact),
        context: &["nss", "imss", "seguro social", "seguridad social"],
        alone: 0.0,
        near: 0.85,
    },
];

/// States of birth; NE is abroad, MX and CX came later.
const STATES: &[[u8; 2]] = &[
    *b"AS", *b"BC", *b"BS", *b"CC", *b"CS", *b"CH", *b"CL", *b"CM", *b"DF", *b"DG", *b"GT", *b"GR", *b"HG", *b"JC",
    *b"MC", *b"MN", *b"MS", *b"NT", *b"NL", *b"OC", *b"PL", *b"QT", *b"QR", *b"SP", *b"SL", *b"SR", *b"TC", *b"TS",
    *b"TL", *b"VZ", *b"YN", *b"ZS", *b"NE", *b"MX", *b"CX",
];

/// Instructivo normativo para la asignación de la CURP (Diario Oficial, 18 October 2021): letters of the names, date, sex, state, consonants;
/// the check digit weighs places 18 to 2 over 0-9, A-N, Ñ, O-Z modulo 10.
fn curp(number: &Number<'_>) -> bool {
    let letter = |place: usize| number.compact.get(place).copied().unwrap_or_default();
    let sum: u32 =
        number.compact.iter().take(17).zip((2..=18).rev()).map(|(byte, weight)| spanish(*byte) * weight).sum();
    let born_since_2000 = letter(16).is_ascii_alphabetic();
    let year = number.value(4, 2) + if born_since_2000 { 2000 } else { 1900 };
    b"AEIOUX".contains(&letter(1))
        && is_day(year, number.value(6, 2), number.value(8, 2))
        && b"HMX".contains(&letter(10))
        && STATES.contains(&[letter(11), letter(12)])
        && (13..16).all(|place| !b"AEIOU".contains(&letter(place)))
        && completes(number, 17, sum, 10)
}

/// Place in the Spanish alphabet behind the digits: letters from O on give way to the Ñ.
fn spanish(byte: u8) -> u32 {
    base_36(byte) + u32::from(byte >= b'O')
}

/// Servicio de Administración Tributaria: four letters for people, three for companies, then a date (of birth, of foundation).
fn rfc(number: &Number<'_>, letters: usize) -> bool {
    let (year, month, day) = (number.value(letters, 2), number.value(letters + 2, 2), number.value(letters + 4, 2));
    is_short_day(year, month, day)
        && number.compact.get(letters + 8).is_none_or(|check| check.is_ascii_digit() || *check == b'A')
}

/// Anexo 20, check character modulo 11 over 0-9, A-N, &, O-Z: weights 13 to 2, ten is an A.
fn rfc_check(number: &Number<'_>) -> bool {
    let sum: u32 =
        number.compact.iter().take(12).zip((2..=13).rev()).map(|(byte, weight)| spanish(*byte) * weight).sum();
    let check = match number.compact.get(12) {
        Some(b'A') => 10,
        Some(digit) => base_36(*digit),
        None => return false,
    };
    (11 - sum % 11) % 11 == check
}

/// Asociación de Bancos de México, clave bancaria estandarizada: weights 3, 7, 1 over 17 digits, each product modulo 10.
fn clabe(number: &Number<'_>) -> bool {
    let sum: u32 =
        (0..17).zip([3, 7, 1].into_iter().cycle()).map(|(place, weight)| number.digit(place) * weight % 10).sum();
    completes(number, 17, sum, 10) && number.value(0, 3) != 0
}

#[cfg(test)]
mod tests;

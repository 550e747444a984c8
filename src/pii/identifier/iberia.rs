//! National and tax identifiers of Spain, Portugal and Andorra.
//!
//! What a reader could get wrong: the letter of a Spanish number is its check; in lower case, eight digits and a letter are as likely the beginning
//! of a hash, so those need a word near.

use super::algorithm::{base_36, is_uniform, is_upper};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::ES_NIF,
        forms: &["99999999A", "99999999-A", "99.999.999-A", "99.999.999 A"],
        valid: |number| is_upper(number) && dni(number),
        context: NIF,
        alone: 0.4,
        near: 1.0,
    },
    Identifier {
        entity: Entity::ES_NIF,
        forms: &["#99999999A", "#9999999A", "#A9999999A"],
        valid: |number| match number.compact.len() {
            8 => dni(number),
            _ => any(number) && !matches!(number.compact.first(), Some(b'X'..=b'Z' | b'A'..=b'J' | b'N'..=b'W')),
        },
        context: NIF,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::ES_NIE,
        forms: &["A9999999A", "A-9999999-A", "A9999999-A", "A 9999999 A"],
        valid: |number| is_upper(number) && nie(number),
        context: NIE,
        alone: 0.5,
        near: 1.0,
    },
    Identifier { entity: Entity::ES_NIE, forms: &["#A9999999A"], valid: nie, context: NIE, alone: 0.0, near: 0.95 },
    Identifier { entity: Entity::ES_NIF, forms: &["#A9999999X"], valid: cif, context: CIF, alone: 0.0, near: 0.9 },
    Identifier {
        entity: Entity::ES_PASSPORT,
        forms: &["AAA999999", "AAA 999999", "AA999999"],
        valid: |number| !is_uniform(number) && number.compact.len() == 9,
        context: &["pasaporte", "spanish passport", "passport", "reisepass", "passeport"],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#12", "#11"],
        valid: nuss,
        context: &[
            "nuss",
            "naf",
            "seguridad social",
            "afiliación",
            "spanish social security",
            "sécurité sociale espagnole",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier { entity: Entity::PT_NIF, forms: &["#9"], valid: pt_nif, context: PT_NIF, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::PT_CC,
        forms: &["99999999 9 AA9", "999999999AA9", "99999999 9 AA 9", "#999999999AA9"],
        valid: cartao,
        context: &[
            "cartão de cidadão",
            "cartão do cidadão",
            "número de cartão",
            "cartao cidadao",
            "cc",
            "bilhete de identidade",
            "portugu",
            "citizen card",
            "bürgerkarte",
            "carte de citoyen",
            "tarjeta de ciudadano",
        ],
        alone: 0.5,
        near: 1.0,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#11"],
        // Segurança Social, NISS: the first primes from behind; nine less the sum's last digit.
        valid: |number| {
            let sum = number.weighted(&[29, 23, 19, 17, 13, 11, 7, 5, 3, 2]);
            matches!(number.digit(0), 1 | 2) && 9 - sum % 10 == number.digit(10)
        },
        context: &["niss", "segurança social", "portuguese social security", "seguridad social portuguesa"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#A999999A"],
        valid: andorra,
        context: &["nrt", "registre tributari", "andorr"],
        alone: 0.0,
        near: 0.9,
    },
];

const NIF: &[&str] = &[
    "@tax",
    "@person",
    "dni",
    "nif",
    "n.i.f",
    "d.n.i",
    "documento nacional",
    "identificación fiscal",
    "spanish",
    "spain",
    "españ",
    "spanische",
    "espagnol",
];

const NIE: &[&str] = &[
    "@tax",
    "@person",
    "nie",
    "n.i.e",
    "nif",
    "extranjero",
    "foreigner",
    "tie",
    "ausländernummer",
    "étranger",
    "spanish",
    "españ",
    "spanische",
    "espagnol",
];

const CIF: &[&str] = &[
    "cif",
    "c.i.f",
    "nif",
    "n.i.f",
    "código de identificación",
    "identificación fiscal",
    "spanish company",
    "spanish vat",
    "spanish",
    "empresa",
    "espagnol",
    "spanische",
];

const PT_NIF: &[&str] = &[
    "nif",
    "n.i.f",
    "nipc",
    "contribuinte",
    "identificação fiscal",
    "número fiscal",
    "portugu",
    "portugiesische",
    "portugais",
    "finanças",
];

/// Ministerio del Interior: the number modulo 23 chooses the letter.
fn letter(value: u64) -> Option<&'static u8> {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(usize::try_from(value % 23).unwrap_or(usize::MAX))
}

fn dni(number: &Number<'_>) -> bool {
    let digits = number.compact.len() - 1;
    letter(number.value(0, digits)) == number.compact.last() && number.value(0, digits) != 0
}

/// A number of a person or an organisation.
pub(super) fn any(number: &Number<'_>) -> bool {
    let middle = number.compact.get(1..8).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    middle
        && match number.compact.first() {
            Some(b'X'..=b'Z') => nie(number),
            Some(b'K' | b'L' | b'M') => letter(number.value(1, 7)) == number.compact.get(8),
            Some(digit) if digit.is_ascii_digit() => dni(number),
            _ => cif(number),
        }
}

/// X, Y, Z stand for 0, 1, 2 in front.
fn nie(number: &Number<'_>) -> bool {
    let first = match number.compact.first() {
        Some(letter @ b'X'..=b'Z') => u64::from(letter - b'X'),
        _ => return false,
    };
    letter(first * 10_000_000 + number.value(1, 7)) == number.compact.get(8)
}

/// Orden EHA/451/2008: of seven digits those in odd places doubled; the check is a digit or, by kind of organisation, a letter.
fn cif(number: &Number<'_>) -> bool {
    let [kind, digits @ .., check] = number.compact else { return false };
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(place, byte)| base_36(*byte) * if place % 2 == 0 { 2 } else { 1 })
        .map(|product| product / 10 + product % 10)
        .sum();
    let digit = (10 - sum % 10) % 10;
    let as_letter = b"JABCDEFGHI".get(digit as usize) == Some(check);
    let as_digit = check.is_ascii_digit() && base_36(*check) == digit;
    match kind {
        b'A' | b'B' | b'E' | b'H' => as_digit,
        b'P' | b'Q' | b'S' | b'W' => as_letter,
        b'C' | b'D' | b'F' | b'G' | b'J' | b'N' | b'R' | b'U' | b'V' => as_digit || as_letter,
        _ => false,
    }
}

/// Tesorería General de la Seguridad Social: province and number modulo 97; numbers below ten million are joined without their leading zeros.
fn nuss(number: &Number<'_>) -> bool {
    let digits = number.compact.len();
    let (province, serial) = (number.value(0, 2), number.value(2, digits - 4));
    let joined = if serial < 10_000_000 { province * 10_000_000 + serial } else { number.value(0, digits - 2) };
    matches!(province, 1..=53 | 66) && joined % 97 == number.value(digits - 2, 2)
}

/// Autoridade Tributária, Decreto-Lei 14/2013: weights 9 to 2 modulo 11; ten is written as 0.
pub(super) fn pt_nif(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[9, 8, 7, 6, 5, 4, 3, 2]);
    number.digit(0) != 0 && (11 - sum % 11) % 11 % 10 == number.digit(8) && !is_uniform(number)
}

/// Instituto dos Registos e do Notariado, document number: Luhn's check, letters counted from 10.
fn cartao(number: &Number<'_>) -> bool {
    let sum: u32 = number
        .compact
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| match (place % 2, base_36(*byte)) {
            (0, value) => value,
            (_, value @ 0..=4) => value * 2,
            (_, value) => value * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Govern d'Andorra, Número de Registre Tributari: kind of person, number in the range of the kind, control letter (its rule is not published).
fn andorra(number: &Number<'_>) -> bool {
    let serial = number.value(1, 6);
    match number.compact.first() {
        Some(b'F') => serial <= 699_999,
        Some(b'A' | b'L') => (700_000..=799_999).contains(&serial),
        Some(b'C' | b'D' | b'E' | b'G' | b'O' | b'P' | b'U') => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;

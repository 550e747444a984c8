//! National and tax identifiers of Africa.
//!
//! What a reader could get wrong: most tax numbers here have a check digit of one in ten or none, so all but South Africa's identity number need
//! a word near.

use super::algorithm::{is_uniform, verhoeff};
use super::{Identifier, Number, is_day, is_short_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::ZA_ID_NUMBER,
        forms: &["9999999999999", "999999 9999 999", "999999 9999 99 9", "999999 9999 9 9 9"],
        valid: south_africa,
        context: &[
            "south african",
            "south africa",
            "rsa id",
            "rsa",
            "sa id",
            "id number",
            "identity document",
            "identity number",
            "permanent resident",
            "refugee",
            "identiteitsnommer",
            "id-nommer",
            "südafrik",
            "sud-africain",
            "afrique du sud",
            "sudafric",
            "smart id",
        ],
        alone: 0.5,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9999999999", "9999 999 999", "9999/999/99/9"],
        valid: |number| matches!(number.digit(0), 0..=3 | 9) && luhn(number.compact) && number.value(0, 9) != 0,
        context: &[
            "income tax",
            "tin",
            "sars",
            "tax reference",
            "tax identification",
            "south african",
            "belastingnommer",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NG_NIN,
        forms: &["99999999999", "9999 999 9999", "999 9999 9999", "9999 9999 999"],
        valid: |number| verhoeff(number.compact) && !is_uniform(number),
        context: &["nin", "nimc", "nigeria", "@person", "nigéria"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999999"],
        valid: |number| number.value(0, 2) == 22,
        context: &["bvn", "bank verification"],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::EG_NATIONAL_ID,
        forms: &["99999999999999", "9 99 99 99 99 99999", "9 999999 99 99999", "9 999999 99 9999 9"],
        valid: egypt,
        context: EGYPT,
        alone: 0.5,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999 999 999", "999999999"],
        valid: |number| !is_uniform(number),
        context: &["tax registration", "الضريبي", "مصر", "egypt tax", "egyptian tax", "ägyptische steuer"],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["A999999999A"],
        valid: |number| matches!(number.compact.first(), Some(b'A' | b'P')),
        context: &["kra", "pin", "kenya", "kenia", "itax", "personal identification"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["A9999999999", "AAA-9999999999", "AAA-999999999-9"],
        valid: ghana,
        context: &["tin", "ghana", "gra", "taxpayer", "ghana card", "tax number"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#15"],
        valid: morocco,
        context: &["ice", "identifiant commun", "maroc", "morocc", "marokk", "marruec", "التعريف"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &[
            "9999999A",
            "9999999 A",
            "9999999A/A/A/999",
            "9999999 A A A 999",
            "9999999AAA999",
            "9999999/A/A/A/999",
            "9999999/A",
            "9999999A A A 999",
            "999999AAA999",
            "999999A/A/A/999",
        ],
        valid: tunisia,
        context: &["matricule fiscal", "tunisi", "tunes", "mf", "identifiant fiscal"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#15", "#20"],
        valid: |number| !is_uniform(number) && number.digit(0) <= 4,
        context: &["nif", "n.i.f", "algérie", "algeri", "argelia", "identification fiscale"],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999 999 999", "999999999"],
        valid: |number| number.digit(0) != 0 && luhn(number.compact),
        context: &["nifp", "guinée", "guinea", "identification fiscale"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &[
            "999 9999",
            "9999 999",
            "9999999",
            "999999999",
            "9999999 9A9",
            "99999999A9",
            "9999999/9/A/9",
            "9999999 9 A 9",
            "9999999999A9",
            "999999999 9A9",
        ],
        valid: senegal,
        context: &["ninea", "sénégal", "senegal"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999999999", "999 999 999"],
        valid: mozambique,
        context: &["nuit", "moçambi", "mozambi", "mosambik", "identificação tributária", "identificação tributaria"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["A999999999999X", "A9999999999999"],
        valid: |number| is_short_day(number.value(5, 2), number.value(3, 2), number.value(1, 2)),
        context: &["mauriti", "maurice", "@person", "nid"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999"],
        valid: |number| !is_uniform(number),
        context: &["huduma", "kenyan id", "kenya national id", "kitambulisho", "cin tunis"],
        alone: 0.0,
        near: 0.65,
    },
];

const EGYPT: &[&str] =
    &["الرقم القومي", "رقم قومي", "egypt", "ägypt", "égypt", "egipc", "national id", "national number"];

/// Identification Act 68 of 1997: date of birth, sequence, citizenship (0, 1, 2 for refugees), 8 or 9, Luhn's check.
fn south_africa(number: &Number<'_>) -> bool {
    let born = is_short_day(number.value(0, 2), number.value(2, 2), number.value(4, 2));
    born && number.digit(10) <= 2 && number.digit(11) >= 8 && luhn(number.compact)
}

/// Civil Status Organization: a century (2 or 3), date of birth, governorate, serial number, and a digit by weights 2, 7 to 2, 7 to 2 modulo 11.
fn egypt(number: &Number<'_>) -> bool {
    let century = match number.digit(0) {
        2 => 1900,
        3 => 2000,
        _ => return false,
    };
    let place = matches!(number.value(7, 2), 1..=4 | 11..=19 | 21..=29 | 31..=35 | 88);
    let sum = number.weighted(&[2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 10 == number.digit(13);
    place && check && is_day(century + number.value(1, 2), number.value(3, 2), number.value(5, 2))
}

/// Ghana Revenue Authority: P, C, G, Q or V, 00, and a digit by weights 1 to 9 modulo 11, a ten is X; or the Ghana Card's GHA number.
fn ghana(number: &Number<'_>) -> bool {
    let card = number.compact.starts_with(b"GHA");
    let kind = number.compact.first().is_some_and(|letter| b"PCGQV".contains(letter)) && number.value(1, 2) == 0;
    let check = number.weighted(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == number.digit(10);
    card || (kind && check)
}

/// Direction Générale des Impôts: ISO 7064 MOD 97-10 over fifteen digits.
fn morocco(number: &Number<'_>) -> bool {
    number.value(0, 15).is_multiple_of(97) && number.value(0, 13) != 0
}

/// Ministère des Finances: seven digits, zeros in front left out, a letter but I, O, U, then kind of value added tax (A, P, B, D, N), of payer
/// (M, P, C, N, E) and the establishment.
fn tunisia(number: &Number<'_>) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTVWXYZ";
    let behind = number.compact.iter().position(u8::is_ascii_alphabetic).unwrap_or_default();
    let letters = number.compact.get(behind).is_some_and(|letter| LETTERS.contains(letter));
    let kinds = match (number.compact.get(behind + 1), number.compact.get(behind + 2)) {
        (None, None) => true,
        (Some(tax), Some(payer)) => b"APBDNF".contains(tax) && b"MPCNE".contains(payer),
        _ => false,
    };
    letters && kinds
}

/// Agence nationale de la statistique et de la démographie: seven or nine digits, weights 1, 2, 1 … a multiple of ten, then a tax code.
fn senegal(number: &Number<'_>) -> bool {
    let digits = number.compact.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = number.compact.len() - digits;
    let length = if behind == 0 { digits } else { digits - 1 };
    let code = behind == 0
        || (number.digit(length) <= 2
            && number.compact.get(digits).is_some_and(|letter| b"ABCDEFGHJKLMNPQRSTUVWZ".contains(letter))
            && behind == 2);
    let weights: &[u32] = if length == 9 { &[1, 2, 1, 2, 1, 2, 1, 2, 1] } else { &[1, 2, 1, 2, 1, 2, 1] };
    matches!(length, 7 | 9) && code && number.weighted(weights).is_multiple_of(10) && !is_uniform(number)
}

/// Autoridade Tributária: weights 8, 9, 4 to 9 modulo 11; a ten is written 1.
fn mozambique(number: &Number<'_>) -> bool {
    let check = match number.weighted(&[8, 9, 4, 5, 6, 7, 8, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    check == number.digit(8) && !is_uniform(number)
}

#[cfg(test)]
mod tests;

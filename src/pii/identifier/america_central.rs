//! National and tax identifiers of Central America and the Caribbean.
//!
//! What a reader could get wrong: several have no check digit at all; those need a word of context that names the document, not the country.

use super::algorithm::is_uniform;
use super::{Identifier, Number, is_day, luhn};
use crate::pii::entity::Entity;

const DOMINICAN: &[&str] = &["cédula", "cedula", "dominican", "dominikan", "jce", "identidad y electoral"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999999"],
        valid: cuba,
        context: &[
            "número de identidad",
            "numero de identidad",
            "carné de identidad",
            "carnet de identidad",
            "cuba",
            "kuba",
            "cubain",
            "cuban",
            "kuban",
            "ni",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9-9999-9999", "99-9999-9999", "9-999-999", "9-999-999999"],
        valid: costa_rica,
        context: &["cédula", "cedula", "costa ric", "dimex", "persona física", "persona jurídica", "cpf", "cpj"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999999999", "9999999999", "999999999999", "99999999999"],
        valid: costa_rica,
        context: &[
            "costa ric",
            "dimex",
            "cédula de residencia",
            "cédula de persona",
            "cédula física",
            "cédula jurídica",
        ],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999-9999999-9", "99999999999"],
        valid: |number| luhn(number.compact) && !is_uniform(number),
        context: DOMINICAN,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9-99-99999-9", "999-99999-9", "999999999"],
        valid: dominican_rnc,
        context: &["rnc", "registro nacional del contribuyente", "contribuyente", "dominican", "dominikan", "dgii"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &[
            "99999999-X",
            "9999999-X",
            "999999-X",
            "99999-X",
            "9999-X",
            "999-X",
            "99999999X",
            "9999999X",
            "999999X",
            "99999X",
            "9-99999-X",
            "99-99999-X",
        ],
        valid: guatemala_nit,
        context: &["nit", "n.i.t", "guatemal", "identificación tributaria", "identificacion tributaria"],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9999-999999-999-9", "99999999999999"],
        valid: salvador_nit,
        context: &["nit", "n.i.t", "salvador", "identificación tributaria", "identificacion tributaria", "homologado"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999-9"],
        valid: salvador_dui,
        context: &["dui", "documento único de identidad", "documento unico de identidad", "salvador"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9999 99999 9999", "9999999999999"],
        valid: guatemala_cui,
        context: &["cui", "dpi", "código único de identificación", "documento personal de identificación"],
        alone: 0.0,
        near: 0.85,
    },
];

/// Cuba: the date of birth, the century in the seventh digit (9: before 1900, 0 to 5: before 2000, 6 to 8: since).
fn cuba(number: &Number<'_>) -> bool {
    let century = match number.digit(6) {
        9 => 1800,
        0..=5 => 1900,
        _ => 2000,
    };
    is_day(century + number.value(0, 2), number.value(2, 2), number.value(4, 2))
}

/// Tribunal Supremo de Elecciones: a province 1 to 9 and eight digits, written with or without a 0 in front; companies have ten digits and
/// begin with a class; residents have 11 or 12 and begin with 1.
fn costa_rica(number: &Number<'_>) -> bool {
    let first = number.digit(0);
    let class = || match first {
        0 => number.digit(1) != 0,
        2 => matches!(number.value(1, 3), 100 | 200 | 300 | 400),
        3 => matches!(number.value(1, 3), 2..=14 | 101..=110),
        4 => number.value(1, 3) == 0,
        5 => number.value(1, 3) == 1,
        _ => false,
    };
    let fits = match number.compact.len() {
        7 | 9 => first != 0,
        10 => class(),
        _ => first == 1,
    };
    fits && !is_uniform(number)
}

/// DGII: weights 7, 9, 8, 6 to 2 modulo 11; remainders 0 and 1 are 2 and 1.
fn dominican_rnc(number: &Number<'_>) -> bool {
    let check = match number.weighted(&[7, 9, 8, 6, 5, 4, 3, 2]) % 11 {
        0 => 2,
        1 => 1,
        rest => 11 - rest,
    };
    check == number.digit(8)
}

/// SAT: weights 2 and up from the right, modulo 11; a ten is K.
fn guatemala_nit(number: &Number<'_>) -> bool {
    let last = number.compact.len().saturating_sub(1);
    let sum: u32 = (0..last).rev().zip(2..).map(|(place, weight)| number.digit(place) * weight).sum();
    let digits = number.compact.get(..last).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    digits
        && match (11 - sum % 11) % 11 {
            10 => number.compact.last() == Some(&b'K'),
            check => number.compact.last().is_some_and(u8::is_ascii_digit) && check == number.digit(last),
        }
}

/// Ministerio de Hacienda: weights 14 to 2 modulo 11 up to the hundredth of a day, 2, 7 to 2 (twice) behind.
fn salvador_nit(number: &Number<'_>) -> bool {
    let check = if number.value(10, 3) <= 100 {
        number.weighted(&[14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11 % 10
    } else {
        (11 - number.weighted(&[2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10
    };
    matches!(number.digit(0), 0 | 1 | 9) && check == number.digit(13)
}

/// RNPN: weights 9 to 2 modulo 10.
fn salvador_dui(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[9, 8, 7, 6, 5, 4, 3, 2]);
    (10 - sum % 10) % 10 == number.digit(8) && number.value(0, 8) != 0
}

/// RENAP: eight digits, a check by weights 2 to 9 modulo 11, then department (01 to 22) and municipality.
fn guatemala_cui(number: &Number<'_>) -> bool {
    let check = number.weighted(&[2, 3, 4, 5, 6, 7, 8, 9]) % 11;
    check == number.digit(8) && matches!(number.value(9, 2), 1..=22) && number.value(11, 2) != 0
}

#[cfg(test)]
mod tests;

//! National and tax identifiers of Poland, Czechia, Slovakia and Hungary.
//!
//! What a reader could get wrong: the month carries the century (Poland) or the sex (Czechia, Slovakia), so it may be far beyond twelve.

use super::algorithm::{base_36, is_uniform, weigh, without};
use super::{Identifier, Number, is_day, is_short_day};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier { entity: Entity::PL_PESEL, forms: &["#11"], valid: pesel, context: PESEL, alone: 0.0, near: 1.0 },
    Identifier {
        entity: Entity::PL_NIP,
        forms: &["999-999-99-99", "999-99-99-999"],
        valid: nip,
        context: NIP,
        alone: 0.4,
        near: 1.0,
    },
    Identifier {
        entity: Entity::PL_NIP,
        forms: &["#10", "#AA9999999999"],
        valid: nip,
        context: NIP,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::PL_ID_CARD,
        forms: &["#AAA999999"],
        // Ministry of Digital Affairs: weights 7, 3, 1 over letters (from 10) and digits; the fourth character is the check.
        valid: |number| weigh(number.compact, &[7, 3, 1, 9, 7, 3, 1, 7, 3]).is_multiple_of(10),
        context: &[
            "dowód osobisty",
            "dowodu osobistego",
            "dowód",
            "dowodu",
            "nr dowodu",
            "polish id",
            "polish identity card",
            "polnischer personalausweis",
            "carte d'identité polonaise",
            "documento de identidad polaco",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::PASSPORT,
        forms: &["#AA9999999"],
        valid: |number| weigh(number.compact, &[7, 3, 9, 1, 7, 3, 1, 7, 3]).is_multiple_of(10),
        context: &["paszport", "polish passport", "polnischer reisepass", "passeport polonais", "pasaporte polaco"],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::CZ_SK_RC,
        forms: &["999999/9999"],
        valid: birth_number,
        context: BIRTH_NUMBER,
        alone: 0.5,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CZ_SK_RC,
        forms: &["#10", "#9"],
        valid: birth_number,
        context: BIRTH_NUMBER,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999999999", "999999AA99", "AA999999", "AA999999A", "999999AA"],
        valid: |number| !is_uniform(number),
        context: &[
            "občanský průkaz",
            "občanského průkazu",
            "občiansky preukaz",
            "občianskeho preukazu",
            "személyi igazolvány",
            "személyazonosító igazolvány",
            "czech id card",
            "slovak id card",
            "hungarian id card",
        ],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::HU_TAX_ID,
        forms: &["#10"],
        // Act XX of 1996, annex: 8, days since 1867, serial; weights 1 to 9 modulo 11.
        valid: |number| number.digit(0) == 8 && number.weighted(&[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == number.digit(9),
        context: &[
            "@tax",
            "adóazonosító",
            "adóazonosító jel",
            "adójel",
            "magyar",
            "hungar",
            "ungarische",
            "hongrois",
            "húngaro",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#9"],
        // The same annex, social insurance number: weights 3 and 7 in turn modulo 10.
        valid: |number| number.weighted(&[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == number.digit(8) && !is_uniform(number),
        context: &["taj", "taj-szám", "tajszám", "társadalombiztosítási", "hungarian social", "hungarian health"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9-999999-9999", "9 999999 9999", "#11"],
        valid: hungarian,
        context: &[
            "személyi azonosító",
            "személyi szám",
            "személyi",
            "hungarian personal",
            "hungarian national",
            "hungarian id",
        ],
        alone: 0.0,
        near: 0.9,
    },
];

const PESEL: &[&str] = &[
    "@person",
    "pesel",
    "numer pesel",
    "ewidencyjny",
    "polish",
    "poland",
    "polska",
    "polski",
    "polnische",
    "polen",
    "polonais",
    "polaco",
    "polonia",
];

const NIP: &[&str] = &[
    "nip",
    "numer identyfikacji podatkowej",
    "identyfikacji podatkowej",
    "podatnik",
    "polish vat",
    "polish tax",
    "polish",
    "polnische",
    "polonais",
    "polaco",
    "vat ue",
];

const BIRTH_NUMBER: &[&str] = &[
    "rodné číslo",
    "rodného čísla",
    "rodným číslem",
    "rodne cislo",
    "rč",
    "rc",
    "r.č.",
    "birth number",
    "birth no",
    "czech",
    "slovak",
    "české",
    "český",
    "česká",
    "česko",
    "slovensk",
    "tschechische",
    "slowakische",
    "tchèque",
    "slovaque",
    "checo",
    "eslovaco",
    "geburtsnummer",
    "numéro de naissance",
    "número de nacimiento",
];

/// Ministry of Digital Affairs: weights 1, 3, 7, 9 modulo 10; 80, 20, 40 or 60 added to the month say which century.
fn pesel(number: &Number<'_>) -> bool {
    let month = number.value(2, 2);
    let century = match month / 20 {
        0 => 1900,
        1 => 2000,
        2 => 2100,
        3 => 2200,
        _ => 1800,
    };
    is_day(century + number.value(0, 2), month % 20, number.value(4, 2))
        && number.weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Ministry of Finance, ordinance on the NIP: weights 6, 5, 7, 2, 3, 4, 5, 6, 7 modulo 11; a check digit of ten is not issued.
pub(super) fn nip(number: &Number<'_>) -> bool {
    let digits = without(number, b"PL").unwrap_or_default();
    let sum = weigh(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]);
    !is_uniform(number) && digits.get(9).is_some_and(|check| sum % 11 == base_36(*check))
}

/// Act 133/2000 of Czechia and 301/1995 of Slovakia: divisible by 11 since 1954, nine digits and no check before; women add 50 to the month, and
/// 20 more where the day's numbers ran out. A check digit of ten was written as 0 for a time.
pub(super) fn birth_number(number: &Number<'_>) -> bool {
    let (year, month, day) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
    let month = match month {
        21..=32 | 71..=82 => month % 50 - 20,
        other => other % 50,
    };
    if number.compact.len() == 9 {
        let year = match year {
            0..=53 => 1900 + year,
            80.. => 1800 + year,
            _ => return false,
        };
        return number.value(6, 3) != 0 && is_day(year, month, day);
    }
    let check = number.value(0, 9) % 11 % 10;
    is_short_day(year, month, day) && check == u64::from(number.digit(9))
}

/// Act XX of 1996, annex: sex and century, date, serial, check digit; weights 1 to 10 modulo 11, from behind for those born since 1997.
fn hungarian(number: &Number<'_>) -> bool {
    let (year, month, day) = (number.value(1, 2), number.value(3, 2), number.value(5, 2));
    let up = number.weighted(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) % 11;
    let down = number.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
    matches!(number.digit(0), 1..=8) && is_short_day(year, month, day) && [up, down].contains(&number.digit(10))
}

#[cfg(test)]
mod tests;

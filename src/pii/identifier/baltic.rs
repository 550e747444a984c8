//! National identifiers of Estonia, Latvia and Lithuania.
//!
//! What a reader could get wrong: Latvian numbers given since 2017 begin with 32 and say nothing of the date of birth.

use super::{Identifier, Number, is_day, is_short_day};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::EE_IK,
        forms: &["#11"],
        valid: |number| born(number) && check(number),
        context: &[
            "@person",
            "isikukood",
            "isikukoodi",
            "ik",
            "eston",
            "eesti",
            "estland",
            "estnische",
            "estonien",
            "estonie",
        ],
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::LT_ASMENS,
        forms: &["#11"],
        valid: |number| (number.digit(0) == 9 || born(number)) && check(number),
        context: &[
            "@person",
            "asmens kodas",
            "asmens kodo",
            "asmens kodą",
            "a.k.",
            "a/k",
            "lithuania",
            "lietuv",
            "litauische",
            "litauen",
            "lituanie",
            "lituan",
        ],
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::LV_PK,
        forms: &["999999-99999"],
        valid: latvian,
        context: LATVIAN,
        alone: 0.4,
        near: 1.0,
    },
    Identifier { entity: Entity::LV_PK, forms: &["#11"], valid: latvian, context: LATVIAN, alone: 0.0, near: 1.0 },
];

const LATVIAN: &[&str] = &[
    "personas kods",
    "personas kodu",
    "personas koda",
    "personas kods",
    "p.k.",
    "pk",
    "latvia",
    "latvij",
    "latvie",
    "lettische",
    "lettland",
    "letton",
    "letón",
    "letonia",
];

/// The first digit says sex and century: 1 and 2 the nineteenth, up to 7 and 8 the twenty-first's end.
fn born(number: &Number<'_>) -> bool {
    let century = match number.digit(0) {
        digit @ 1..=8 => 1800 + u64::from((digit - 1) / 2) * 100,
        _ => return false,
    };
    is_day(century + number.value(1, 2), number.value(3, 2), number.value(5, 2))
}

/// EVS 585:2007 of Estonia and the Lithuanian register's law alike: weights 1 to 9 and 1; where ten is left, 3 to 9 and 1 to 3; then 0.
fn check(number: &Number<'_>) -> bool {
    let first = number.weighted(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = number.weighted(&[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    (if first == 10 { second } else { first }) % 10 == number.digit(10)
}

/// Pilsonības un migrācijas lietu pārvalde: 1 plus the weighted sum, modulo 11; the seventh digit is the century (0 to 2).
pub(super) fn latvian(number: &Number<'_>) -> bool {
    let sum = 1 + number.weighted(&[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    let date = is_short_day(number.value(4, 2), number.value(2, 2), number.value(0, 2)) && number.digit(6) <= 2;
    (date || number.value(0, 2) == 32) && sum % 11 % 10 == number.digit(10)
}

#[cfg(test)]
mod tests;

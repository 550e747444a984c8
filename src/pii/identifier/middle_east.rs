//! National and tax identifiers of the Middle East.
//!
//! What a reader could get wrong: Israel's numbers are written with and without the zeros in front; the check counts as if they were there.

use super::algorithm::is_uniform;
use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

const ISRAEL: &[&str] = &[
    "mispar zehut",
    "teudat zehut",
    "תעודת זהות",
    "מספר זהות",
    "ת.ז",
    "ת״ז",
    "zehut",
    "identity number",
    "israel",
    "israël",
];
const EMIRATES: &[&str] = &["emirates id", "emirates", "eid", "uae", "الهوية", "هوية", "emiratí", "émirats"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::IL_ID,
        forms: &["999999999", "99999999-9", "9999999-9", "9-9999999-9", "99999999", "9 9999999 9"],
        valid: israel,
        context: ISRAEL,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999999999", "99-9999999", "99-999999-9"],
        valid: |number| number.digit(0) == 5 && israel(number),
        context: &["israeli company", "company number", "ח.פ", "ח״פ", "מספר חברה", "israel", "israël"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::AE_EMIRATES_ID,
        forms: &["999-9999-9999999-9"],
        valid: emirates,
        context: EMIRATES,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::AE_EMIRATES_ID,
        forms: &["999999999999999", "999 9999 9999999 9"],
        valid: emirates,
        context: EMIRATES,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::SA_NATIONAL_ID,
        forms: &["9999999999"],
        valid: |number| matches!(number.digit(0), 1 | 2) && luhn(number.compact),
        context: &["iqama", "saudi", "الهوية", "إقامة", "الإقامة", "absher", "national id", "saoudi"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999999999999"],
        valid: kuwait,
        context: &["civil id", "kuwait", "koweït", "البطاقة المدنية", "الرقم المدني"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999999", "999999999", "9999999999"],
        valid: |number| !is_uniform(number),
        context: &["qid", "qatar id", "bahrain", "cpr number", "jordanian national", "الرقم الوطني"],
        alone: 0.0,
        near: 0.65,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9999999999", "999-999999-9"],
        valid: iran,
        context: &["کد ملی", "code melli", "kode melli", "melli", "iran"],
        alone: 0.0,
        near: 0.9,
    },
];

/// Ministry of Interior: Luhn over nine digits, zeros in front left out or not.
fn israel(number: &Number<'_>) -> bool {
    luhn(number.compact) && number.value(0, number.compact.len()) >= 10_000 && !is_uniform(number)
}

/// Federal Authority for Identity and Citizenship: 784, year of birth, seven digits, Luhn's check.
fn emirates(number: &Number<'_>) -> bool {
    number.value(0, 3) == 784 && (1900..2100).contains(&number.value(3, 4)) && luhn(number.compact)
}

/// Public Authority for Civil Information: century 2 or 3, date of birth, weights 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 modulo 11.
fn kuwait(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let century = match number.digit(0) {
        2 => 1900,
        3 => 2000,
        _ => return false,
    };
    (11 - sum % 11) % 11 == number.digit(11)
        && super::is_day(century + number.value(1, 2), number.value(3, 2), number.value(5, 2))
}

/// National Organization for Civil Registration: weights 10 to 2 modulo 11, remainders below two stand for themselves.
fn iran(number: &Number<'_>) -> bool {
    let check = match number.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        rest @ (0 | 1) => rest,
        rest => 11 - rest,
    };
    check == number.digit(9) && !is_uniform(number)
}

#[cfg(test)]
mod tests;

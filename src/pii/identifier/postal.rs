//! Postal codes: with a word for them, or in the forms of the United Kingdom and Canada, which nothing else has.
//!
//! What a reader could get wrong: five digits are a count as often as a place; without a word near they are none.

use super::algorithm::is_upper;
use super::{Identifier, Number};
use crate::pii::entity::Entity;

const WORDS: &[&str] = &[
    "zip code",
    "zip-code",
    "zipcode",
    "zip is",
    "zip:",
    "postal code",
    "postalcode",
    "postcode",
    "post code",
    "plz",
    "postleitzahl",
    "code postal",
    "código postal",
    "codigo postal",
    "c.p.",
    "codice postale",
    "código de endereçamento",
    "cep:",
    "pin code",
    "pincode",
    "postnummer",
    "irányítószám",
    "kod pocztowy",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::ZIP_CODE,
        forms: &[
            "99999",
            "99999-9999",
            "9999",
            "999999",
            "999 99",
            "99-999",
            "9999-999",
            "99999-999",
            "999-9999",
            "9999 AA",
            "9999AA",
        ],
        valid: |_| true,
        context: WORDS,
        alone: 0.0,
        near: 0.6,
    },
    Identifier {
        entity: Entity::ZIP_CODE,
        forms: UNITED_KINGDOM,
        valid: |number| united_kingdom(number) && is_upper(number) && number.raw.contains(' '),
        context: WORDS,
        alone: 0.5,
        near: 0.7,
    },
    Identifier {
        entity: Entity::ZIP_CODE,
        forms: UNITED_KINGDOM,
        valid: united_kingdom,
        context: WORDS,
        alone: 0.0,
        near: 0.6,
    },
    Identifier {
        entity: Entity::ZIP_CODE,
        forms: &["A9A 9A9"],
        valid: |number| canada(number) && is_upper(number) && number.raw.contains(' '),
        context: WORDS,
        alone: 0.5,
        near: 0.7,
    },
    Identifier {
        entity: Entity::ZIP_CODE,
        forms: &["A9A 9A9", "A9A9A9"],
        valid: canada,
        context: WORDS,
        alone: 0.0,
        near: 0.6,
    },
];

const UNITED_KINGDOM: &[&str] = &[
    "A9 9AA", "A99 9AA", "AA9 9AA", "AA99 9AA", "A9A 9AA", "AA9A 9AA", "A99AA", "A999AA", "AA99AA", "AA999AA",
    "A9A9AA", "AA9A9AA",
];

/// Royal Mail, programmers' guide to the PAF: areas that exist; the last two letters are none of C, I, K, M, O, V.
fn united_kingdom(number: &Number<'_>) -> bool {
    const AREAS: &str = "AB AL B BA BB BD BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G GL \
                         GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX \
                         PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR \
                         WS WV YO ZE";
    let letters = number.compact.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let area = number.compact.get(..letters).unwrap_or_default();
    let last = number.compact.get(number.compact.len().saturating_sub(2)..).unwrap_or_default();
    AREAS.split(' ').any(|known| known.as_bytes() == area) && !last.iter().any(|byte| b"CIKMOV".contains(byte))
}

/// Canada Post: no D, F, I, O, Q, U, and no W or Z in front.
fn canada(number: &Number<'_>) -> bool {
    let first = number.compact.first().is_some_and(|letter| !b"WZ".contains(letter));
    first && !number.compact.iter().any(|byte| b"DFIOQU".contains(byte))
}

#[cfg(test)]
mod tests;

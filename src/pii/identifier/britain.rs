//! National, health and tax identifiers of the United Kingdom and Ireland.
//!
//! What a reader could get wrong: NHS numbers and tax references have one check digit modulo 11 and the form of a telephone number, so they need a
//! word near; insurance numbers have none, but letters that only they have.

use super::algorithm::is_uniform;
use super::{Identifier, Number};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::UK_NINO,
        forms: &["AA999999A", "AA 99 99 99 A", "AA 999999 A", "AA 999999A", "AA999999 A", "#AA999999A"],
        valid: nino,
        context: NINO,
        alone: 0.5,
        near: 1.0,
    },
    Identifier { entity: Entity::UK_NHS, forms: &["#10"], valid: nhs, context: NHS, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::UK_UTR,
        forms: &["#10", "#9999999999A"],
        valid: utr,
        context: UTR,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::UK_PASSPORT,
        forms: &["AA9999999", "999999999", "999 999 999"],
        valid: |number| !is_uniform(number),
        context: &[
            "british passport",
            "uk passport",
            "hm passport",
            "passeport britannique",
            "britischer pass",
            "pasaporte británico",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::UK_PASSPORT,
        forms: &["AA9999999"],
        valid: |number| !is_uniform(number),
        context: &["passport", "reisepass", "passeport", "pasaporte"],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::UK_DRIVING_LICENCE,
        forms: &[
            "AXXXX999999XXXAA",
            "AXXXX 999999 XXXAA",
            "AXXXX 999999 XX XAA",
            "AXXXX 999999 XX9AA",
            "AXXXX999999XXXAA 99",
            "AXXXX999999XXXAA99",
        ],
        valid: licence,
        context: LICENCE,
        alone: 0.7,
        near: 1.0,
    },
    Identifier {
        entity: Entity::IE_PPS,
        forms: &["#9999999A", "#9999999AA"],
        valid: pps,
        context: PPS,
        alone: 0.0,
        near: 0.95,
    },
];

const NINO: &[&str] = &[
    "@social",
    "nino",
    "ni number",
    "ni no",
    "national insurance",
    "n.i. number",
    "british",
    "sozialversicherungsnummer",
    "numéro d'assurance nationale",
    "seguro nacional",
];

const NHS: &[&str] = &[
    "nhs",
    "nhs-nummer",
    "national health",
    "patient identifier",
    "nhs patient",
    "chi number",
    "gesundheitsnummer",
    "numéro de santé",
    "número de salud",
];

const UTR: &[&str] = &[
    "utr",
    "unique taxpayer",
    "taxpayer reference",
    "hmrc",
    "self assessment",
    "self-assessment",
    "uk tax",
    "british tax",
    "tax reference",
    "britische steuernummer",
    "référence fiscale",
    "referencia fiscal",
];

const LICENCE: &[&str] = &[
    "driving licence",
    "driver licence",
    "driver's licence",
    "driving license",
    "dvla",
    "licence",
    "führerschein",
    "permis de conduire",
    "permiso de conducir",
];

const PPS: &[&str] = &[
    "pps",
    "ppsn",
    "pps no",
    "pps number",
    "personal public service",
    "irish",
    "ireland",
    "uimhir phearsanta",
    "phearsanta",
    "rsi number",
    "irische",
    "irland",
    "irlandais",
    "irlandés",
];

/// HM Revenue & Customs, NIM39110: which letters begin and end an insurance number.
fn nino(number: &Number<'_>) -> bool {
    let [first, second, .., last] = number.compact else { return false };
    let prefix = [*first, *second];
    let never = matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    !b"DFIQUV".contains(first) && !b"DFIOQUV".contains(second) && !never && (b'A'..=b'D').contains(last)
}

/// NHS Data Dictionary: weights 10 to 2 modulo 11; a check digit of ten is not issued.
fn nhs(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 11 == number.digit(9) && !is_uniform(number)
}

/// HM Revenue & Customs, modulus 11 check of tax references: the first digit checks the others.
fn utr(number: &Number<'_>) -> bool {
    const CHECK: [u32; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let sum = number.weighted(&[0, 6, 7, 8, 9, 10, 5, 4, 3, 2]);
    let last = number.compact.get(10).is_none_or(|letter| *letter == b'K');
    last && CHECK.get((sum % 11) as usize) == Some(&number.digit(0))
}

/// DVLA, driver number: five of the surname (9 for what is missing), decade, month (5 or 6 first for women), day, year, two initials (9 for
/// none), then what tells namesakes apart. The two last letters check it in a way that is not published.
fn licence(number: &Number<'_>) -> bool {
    let name = number.compact.get(..5).unwrap_or_default();
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let padded = name.iter().skip(letters).all(|byte| *byte == b'9');
    let initials = number.compact.get(11..13).unwrap_or_default();
    let month = number.value(6, 2);
    padded
        && initials.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'9')
        && initials.first().is_some_and(u8::is_ascii_alphabetic)
        && matches!(month, 1..=12 | 51..=62)
        && matches!(number.value(8, 2), 1..=31)
}

/// Department of Social Protection: weights 8 to 2, and 9 for the second letter (A is 1, W nothing), modulo 23.
fn pps(number: &Number<'_>) -> bool {
    let second = match number.compact.get(8) {
        None | Some(b'W' | b'T' | b'X') => 0,
        Some(letter @ b'A'..=b'I') => u32::from(letter - b'A') + 1,
        Some(_) => return false,
    };
    let sum = number.weighted(&[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    number.compact.get(7) == b"WABCDEFGHIJKLMNOPQRSTUV".get((sum % 23) as usize)
}

#[cfg(test)]
mod tests;

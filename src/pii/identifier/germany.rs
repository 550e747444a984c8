//! National, tax and insurance identifiers of Germany.
//!
//! What a reader could get wrong: an identity card shows nine characters without a check digit, the tenth stands in the machine-readable zone;
//! both are written down, and only the longer one can be told without a word near it.

use super::algorithm::{is_uniform, mod_7_3_1, mod_11_10};
use super::{Identifier, Number, is_short_day};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::DE_TAX_ID,
        forms: &["99999999999", "99 999 999 999", "#11"],
        valid: tax_id,
        context: TAX_ID,
        alone: 0.4,
        near: 0.95,
    },
    Identifier {
        entity: Entity::DE_ID_CARD,
        forms: &["AXXXXXXXX9", "AXXXXXXXX 9"],
        valid: |number| is_card(number) && mod_7_3_1(number.compact),
        context: ID_CARD,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::DE_ID_CARD,
        forms: &["AXXXXXXXX", "9999999999A", "9999999999", "AXX XXX XXX"],
        valid: |number| match number.compact.len() {
            9 => is_card(number),
            _ => !is_uniform(number) && mod_7_3_1(number.compact.get(..10).unwrap_or_default()),
        },
        context: ID_CARD,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::DE_PASSPORT,
        forms: &["AXXXXXXXX", "AXXXXXXXX9", "AXXXXXXXX 9", "AXX XXX XXX"],
        valid: |number| is_card(number) && (number.compact.len() == 9 || mod_7_3_1(number.compact)),
        context: PASSPORT,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::DE_SOCIAL_SECURITY,
        forms: &["99999999A999", "99 999999 A 999", "99 999999 A999", "99999999 A 999", "#99999999A999"],
        valid: social_security,
        context: SOCIAL,
        alone: 0.6,
        near: 1.0,
    },
    Identifier {
        entity: Entity::DE_HEALTH_INSURANCE,
        forms: &["#A999999999"],
        valid: health_insurance,
        context: HEALTH,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::DE_TAX_NUMBER,
        forms: &["#10", "#11", "#13"],
        valid: tax_number,
        context: TAX_NUMBER,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::MEDICAL_LICENSE,
        forms: &["#9", "#7"],
        valid: physician,
        context: &["lanr", "arztnummer", "arzt-nr", "german physician", "médecin allemand", "médico alemán"],
        alone: 0.0,
        near: 0.9,
    },
];

const TAX_ID: &[&str] = &[
    "@tax",
    "idnr",
    "id-nr",
    "steuer-idnr",
    "steuerid",
    "steuer id",
    "steuerliche identifikationsnummer",
    "identifikationsnummer",
    "tin",
    "german tax",
    "german personal",
    "german id",
    "numéro fiscal allemand",
    "identifiant fiscal allemand",
    "fiscal alemán",
];

const ID_CARD: &[&str] = &[
    "personalausweis",
    "ausweis",
    "personalausweisnummer",
    "identity card",
    "id card",
    "national id",
    "german id",
    "carte d'identité",
    "documento de identidad",
    "dni alemán",
    "residence permit",
];

const PASSPORT: &[&str] = &[
    "reisepass",
    "reisepaß",
    "passnummer",
    "pass-nr",
    "passnr",
    "german passport",
    "passport",
    "passeport",
    "pasaporte",
];

const SOCIAL: &[&str] = &[
    "@social",
    "sozialversicherungsnummer",
    "sozialversicherungsausweis",
    "rentenversicherungsnummer",
    "versicherungsnummer",
    "rvnr",
    "rv-nummer",
    "svnr",
    "sv-nr",
    "vsnr",
    "german",
];

const HEALTH: &[&str] = &[
    "krankenversichertennummer",
    "krankenversicherung",
    "krankenversichertennr",
    "krankenkasse",
    "versichertennummer",
    "versicherten-nr",
    "versichertennr",
    "gesundheitskarte",
    "kvnr",
    "kv-nummer",
    "egk",
    "health insurance",
    "insurance number",
    "assurance maladie",
    "caisse-maladie",
    "seguro médico",
    "seguro de salud",
    "tarjeta sanitaria",
];

const TAX_NUMBER: &[&str] = &[
    "steuernummer",
    "steuernr",
    "steuer-nr",
    "st.-nr",
    "st-nr",
    "st. nr",
    "stnr",
    "finanzamt",
    "german tax",
    "numéro fiscal allemand",
    "número fiscal alemán",
];

/// Bundeszentralamt für Steuern, § 139b AO: of the first ten digits one occurs two or three times and the others once at most; the last is
/// ISO 7064 MOD 11,10.
fn tax_id(number: &Number<'_>) -> bool {
    let mut seen = [0_u8; 10];
    for place in 0..10 {
        if let Some(count) = usize::try_from(number.digit(place)).ok().and_then(|digit| seen.get_mut(digit)) {
            *count += 1;
        }
    }
    let repeated = seen.iter().filter(|count| **count > 1).count();
    number.digit(0) != 0 && repeated == 1 && seen.iter().all(|count| *count <= 3) && mod_11_10(number.compact)
}

/// Serial numbers of identity cards and passports since 2007: an authority's letter, then digits and consonants that resemble no other character.
fn is_card(number: &Number<'_>) -> bool {
    let serial = number.compact.get(..9).unwrap_or_default();
    let begins = serial.first().is_some_and(|byte| b"CFGHJKLMNPRTVWXYZ".contains(byte));
    let digits = serial.iter().filter(|byte| byte.is_ascii_digit()).count();
    begins && digits >= 2 && serial.iter().all(|byte| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte))
}

/// Deutsche Rentenversicherung, VKVV § 2: area, date of birth, letter, serial, check digit; the letter counts as its place in the alphabet,
/// each product as the sum of its digits.
fn social_security(number: &Number<'_>) -> bool {
    const WEIGHTS: [u64; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let letter = number.compact.get(8).map_or(0, |byte| u64::from(byte.saturating_sub(b'A')) + 1);
    let digit = |place: usize| match place {
        8 => letter / 10,
        9 => letter % 10,
        10.. => number.value(place - 1, 1),
        _ => number.value(place, 1),
    };
    let sum: u64 = WEIGHTS
        .iter()
        .enumerate()
        .map(|(place, weight)| digit(place) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    // Where the serial numbers of a day ran out, 50 is added to it.
    let day = if number.value(2, 2) > 50 { number.value(2, 2) - 50 } else { number.value(2, 2) };
    number.value(0, 2) >= 2
        && is_short_day(number.value(6, 2), number.value(4, 2), day)
        && sum % 10 == number.value(11, 1)
}

/// GKV-Spitzenverband, § 290 SGB V: the letter as two digits, then weights 1 and 2 in turn, each product as the sum of its digits.
fn health_insurance(number: &Number<'_>) -> bool {
    let letter = number.compact.first().map_or(0, |byte| u64::from(byte.saturating_sub(b'A')) + 1);
    let digits = [letter / 10, letter % 10].into_iter().chain((1..9).map(|place| number.value(place, 1)));
    let sum: u64 = digits
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == number.value(9, 1)
}

/// Ten or eleven digits as the states write it, or the thirteen of ELSTER with the state in front and a zero in fifth place. No check digit that
/// all states share, so that at least the grouping must be one that the states use.
fn tax_number(number: &Number<'_>) -> bool {
    let state = matches!(number.value(0, 2), 10 | 11 | 21..=24 | 26..=28 | 30..=32 | 40 | 41 | 50..=59 | 90..=99);
    let grouped = number.raw.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let fits = match number.compact.len() {
        13 => state && number.digit(4) == 0,
        _ => grouped <= 3 && !number.raw.contains(['.']),
    };
    fits && !is_uniform(number)
}

/// Kassenärztliche Bundesvereinigung, lifelong physician number: weights 4 and 9 in turn over six digits, up to the next ten; then the specialty.
fn physician(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[4, 9, 4, 9, 4, 9]);
    !is_uniform(number) && (10 - sum % 10) % 10 == number.digit(6)
}

#[cfg(test)]
mod tests;

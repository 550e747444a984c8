//! National, health and tax identifiers of Canada.
//!
//! What a reader could get wrong: provinces number patients each in their own way; those with a check digit and British Columbia's, Ontario's and
//! Quebec's forms are here, the others are found as medical records in `document`.

use super::algorithm::is_uniform;
use super::{Identifier, Number, is_short_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::CA_SIN,
        forms: &["999 999 999", "999999999"],
        valid: sin,
        context: &[
            "sin",
            "sin#",
            "s.i.n",
            "social insurance",
            "numéro d'assurance sociale",
            "numero d'assurance sociale",
            "assurance sociale",
            "nas",
            "canad",
            "kanad",
            "sozialversicherung",
            "seguro social",
            "nip canadiense",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::CA_PHN,
        forms: &["9999 999 999", "9999999999"],
        valid: bc_phn,
        context: HEALTH_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::CA_PHN,
        forms: &["9999 999 999", "9999999999", "9999 999 999 AA", "9999 999 999AA", "9999999999AA"],
        // Ontario: Luhn's check (health card validation reference manual), two letters of version behind.
        valid: |number| {
            let digits = number.compact.get(..10).unwrap_or_default();
            number.digit(0) != 0 && luhn(digits) && !is_uniform(number)
        },
        context: &["ohip", "ontario health", "health card", "carte santé", "carte sante", "assurance-santé"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::CA_PHN,
        forms: &["AAAA 9999 9999", "AAAA99999999"],
        valid: ramq,
        context: &[
            "ramq",
            "nam",
            "assurance maladie",
            "assurance-maladie",
            "carte soleil",
            "health insurance",
            "québec",
            "quebec",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &[
            "999999999AA9999",
            "99999 9999 AA 9999",
            "99999 9999 AA9999",
            "999999999 AA 9999",
            "999999999 AA9999",
            "99999 9999",
            "999999999",
        ],
        valid: business_number,
        context: &[
            "business number",
            "bn",
            "gst",
            "hst",
            "cra",
            "numéro d'entreprise",
            "canadian business",
            "canadian tax",
        ],
        alone: 0.0,
        near: 0.95,
    },
];

const HEALTH_WORDS: &[&str] = &[
    "phn",
    "personal health",
    "health number",
    "health card",
    "health insurance",
    "carecard",
    "british columbia",
    "msp",
    "carte santé",
    "numéro de santé",
    "gesundheitsnummer",
    "número de salud",
];

/// Luhn; 0 and 8 begin no number (Service Canada, SIN code of practice).
fn sin(number: &Number<'_>) -> bool {
    !matches!(number.digit(0), 0 | 8) && luhn(number.compact) && !is_uniform(number)
}

/// British Columbia, HNETBC conformance: 9, then weights 2, 4, 8, 5, 10, 9, 7, 3 modulo 11, each product reduced first.
fn bc_phn(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[0, 2, 4, 8, 5, 10, 9, 7, 3]);
    number.digit(0) == 9 && (11 - sum % 11) % 11 == number.digit(9)
}

/// Régie de l'assurance maladie du Québec: three letters of the name, one of the first name, then the date of birth (month + 50 for women).
fn ramq(number: &Number<'_>) -> bool {
    let month = number.value(6, 2);
    is_short_day(number.value(4, 2), if month > 50 { month - 50 } else { month }, number.value(8, 2))
}

/// Canada Revenue Agency: Luhn over nine digits; a program account adds two letters and four digits.
fn business_number(number: &Number<'_>) -> bool {
    let program = number
        .compact
        .get(9..11)
        .is_none_or(|letters| matches!(letters, b"RC" | b"RM" | b"RP" | b"RT" | b"RR" | b"RZ"));
    program && luhn(number.compact.get(..9).unwrap_or_default()) && !is_uniform(number)
}

#[cfg(test)]
mod tests;

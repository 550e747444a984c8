//! National, insurance and tax identifiers of Switzerland, Liechtenstein and Austria.
//!
//! What a reader could get wrong: in an Austrian insurance number the check digit is the fourth, in front of the date of birth.

use super::algorithm::is_uniform;
use super::{Identifier, Number, is_short_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::CH_AHV,
        forms: &["999.9999.9999.99", "999 9999 9999 99"],
        valid: ahv,
        context: AHV,
        alone: 0.9,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CH_AHV,
        forms: &["9999999999999", "#13"],
        valid: ahv,
        context: AHV,
        alone: 0.5,
        near: 1.0,
    },
    Identifier {
        entity: Entity::LI_PEID,
        forms: &["#4", "#5", "#6", "#7", "#8", "#9", "#10", "#11", "#12"],
        // Steuerverwaltung: up to twelve digits, no check digit; leading zeros do not count.
        valid: |number| {
            let zeros = number.compact.iter().take_while(|byte| **byte == b'0').count();
            let years = number.compact.len() == 4 && matches!(number.value(0, 2), 19 | 20);
            let grouped = number.raw.bytes().any(|byte| !byte.is_ascii_digit());
            let thousands = number.raw.rsplit(['.', ' ']).take_while(|part| part.len() == 3).count() >= 2;
            number.compact.len() - zeros >= 4 && !years && (!grouped || thousands)
        },
        context: &[
            "peid",
            "pe-id",
            "personenidentifikationsnummer",
            "liechtenstein tax",
            "liechtensteinische steuer",
            "identifiant liechtenstein",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::AT_SVNR,
        forms: &["9999 999999", "9999 99 99 99"],
        valid: svnr,
        context: SVNR,
        alone: 0.4,
        near: 1.0,
    },
    Identifier { entity: Entity::AT_SVNR, forms: &["#10"], valid: svnr, context: SVNR, alone: 0.0, near: 1.0 },
    Identifier {
        entity: Entity::AT_TAX_ID,
        forms: &["99-999/9999", "99 999/9999", "#9"],
        // Bundesministerium für Finanzen, Abgabenkontonummer: tax office, then Luhn's check over all.
        valid: |number| number.value(0, 2) >= 3 && luhn(number.compact) && !is_uniform(number),
        context: &[
            "abgabenkonto",
            "abgabenkontonummer",
            "steuernummer",
            "steuer-nr",
            "st.-nr",
            "stnr",
            "finanzamt",
            "finanzonline",
            "austrian tax",
            "österreichisch",
            "austria",
            "autrichien",
            "fiscal austríac",
        ],
        alone: 0.0,
        near: 0.9,
    },
];

const AHV: &[&str] = &[
    "@social",
    "@person",
    "ahv",
    "ahv-nr",
    "ahvn13",
    "ahv-nummer",
    "avs",
    "navs",
    "navs13",
    "oasi",
    "numéro avs",
    "numero avs",
    "swiss",
    "schweiz",
    "suisse",
    "svizzer",
    "suizo",
    "suiza",
];

const SVNR: &[&str] = &[
    "@social",
    "svnr",
    "sv-nr",
    "vsnr",
    "vnr",
    "sv-nummer",
    "e-card",
    "ecard",
    "austrian",
    "österreich",
    "austria",
    "autrichien",
    "austríac",
];

/// Zentrale Ausgleichsstelle: 756 (Switzerland in ISO 3166), nine digits, check digit as of EAN-13.
fn ahv(number: &Number<'_>) -> bool {
    number.value(0, 3) == 756 && number.weighted(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// Dachverband der Sozialversicherungsträger: serial, check digit (weights 3, 7, 9, then 5, 8, 4, 2, 1, 6, modulo 11), date of birth; where a day
/// has run out of numbers the month is 13 or above.
fn svnr(number: &Number<'_>) -> bool {
    let (day, month, year) = (number.value(4, 2), number.value(6, 2), number.value(8, 2));
    let month = if matches!(month, 13..=15) { 12 } else { month };
    number.digit(0) != 0
        && is_short_day(year, month, day)
        && number.weighted(&[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == number.digit(3)
}

#[cfg(test)]
mod tests;

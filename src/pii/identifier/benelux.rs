//! National identifiers of the Netherlands, Belgium and Luxembourg.
//!
//! What a reader could get wrong: Belgian numbers of those born since 2000 are checked with a 2 in front; numbers of people who are not registered
//! (BIS) have 20 or 40 added to the month.

use super::algorithm::{is_uniform, verhoeff};
use super::{Identifier, Number, is_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier { entity: Entity::NL_BSN, forms: &["#9", "#8"], valid: bsn, context: BSN, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#9"],
        // DUO: of one who has no BSN; eleven-proof with five left.
        valid: |number| number.value(0, 2) == 10 && eleven(number) == 5,
        context: &["onderwijsnummer", "student", "leerling", "dutch", "élève", "estudiante"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["AAXXXXXX9"],
        valid: |number| {
            let digits = number.compact.iter().filter(|byte| byte.is_ascii_digit()).count();
            digits >= 2 && !number.compact.contains(&b'O')
        },
        context: &[
            "identiteitskaart",
            "id-kaart",
            "documentnummer",
            "paspoort",
            "paspoortnummer",
            "dutch identity card",
            "dutch passport",
            "dutch",
            "niederländischer",
            "néerlandais",
            "neerland",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::BE_NATIONAL_ID,
        forms: &["99.99.99-999.99", "99.99.99-999-99"],
        valid: belgian,
        context: BELGIAN,
        alone: 0.8,
        near: 1.0,
    },
    Identifier {
        entity: Entity::BE_NATIONAL_ID,
        forms: &["#11"],
        valid: belgian,
        context: BELGIAN,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999-9999999-99", "#12"],
        // FPS Interior, eID specification: the first ten modulo 97.
        valid: |number| {
            let left = number.value(0, 10) % 97;
            (if left == 0 { 97 } else { left }) == number.value(10, 2) && !is_uniform(number)
        },
        context: &[
            "eid",
            "belgian",
            "belgi",
            "belge",
            "identiteitskaart",
            "kaartnummer",
            "carte d'identité",
            "personalausweis",
            "@person",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::LU_NATIONAL_ID,
        forms: &["9999999999999", "99999999 99999", "9999 99 99 999 99", "#13"],
        valid: luxembourg,
        context: &[
            "@person",
            "@social",
            "@tax",
            "matricule",
            "luxemb",
            "lëtzebuerg",
            "numéro d'identification national",
            "cns",
        ],
        alone: 0.7,
        near: 1.0,
    },
];

const BSN: &[&str] = &[
    "bsn",
    "bsn-nummer",
    "burgerservicenummer",
    "burger service nummer",
    "sofinummer",
    "sofi-nummer",
    "sofi",
    "citizen service",
    "dutch",
    "netherlands",
    "nederland",
    "niederländische",
    "niederlande",
    "néerlandais",
    "pays-bas",
    "neerland",
    "holand",
    "países bajos",
];

const BELGIAN: &[&str] = &[
    "@person",
    "@social",
    "rijksregister",
    "rijksregisternummer",
    "registre national",
    "niss",
    "insz",
    "rrn",
    "nrn",
    "nn",
    "bis",
    "bis-nummer",
    "numéro bis",
    "nationalregister",
    "belgian",
    "belgi",
    "belge",
    "bélgica",
];

/// The eleven-proof (Rijksdienst voor Identiteitsgegevens): weights 9 to 2, the last digit counts against.
fn eleven(number: &Number<'_>) -> u32 {
    number.weighted(&[9, 8, 7, 6, 5, 4, 3, 2, 10]) % 11
}

/// Nine digits, or eight where the leading zero was left out.
fn bsn(number: &Number<'_>) -> bool {
    let left = match number.compact.len() {
        8 => number.weighted(&[8, 7, 6, 5, 4, 3, 2, 10]) % 11,
        _ => eleven(number),
    };
    left == 0 && !is_uniform(number)
}

/// Rijksregister, royal decree of 3 April 1984: 97 less the first nine digits modulo 97; unknown days and months are 0.
fn belgian(number: &Number<'_>) -> bool {
    let (year, month, day) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
    let month = match month {
        20..=32 => month - 20,
        40..=52 => month - 40,
        other => other,
    };
    let body = number.value(0, 9);
    let check = number.value(9, 2);
    let born = |century: u64| month == 0 || day == 0 || is_day(century + year, month, day);
    let is = |century: u64, body: u64| born(century) && 97 - body % 97 == check;
    month <= 12 && day <= 31 && number.value(6, 3) != 0 && (is(1900, body) || is(2000, 2_000_000_000 + body))
}

/// Loi du 19 juin 2013: date of birth, serial, then Luhn's digit and Verhoeff's, both over the first eleven.
fn luxembourg(number: &Number<'_>) -> bool {
    let (Some(first), Some(body), Some(last)) =
        (number.compact.get(..12), number.compact.get(..11), number.compact.get(12))
    else {
        return false;
    };
    let mut second = [0; 12];
    for (place, byte) in second.iter_mut().zip(body.iter().chain([last])) {
        *place = *byte;
    }
    matches!(number.value(0, 2), 18..=20)
        && is_day(number.value(0, 4), number.value(4, 2), number.value(6, 2))
        && luhn(first)
        && verhoeff(&second)
}

#[cfg(test)]
mod tests;

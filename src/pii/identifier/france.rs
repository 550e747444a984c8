//! National and tax identifiers of France.
//!
//! What a reader could get wrong: in a NIR the department may be `2A` or `2B` (Corsica), and the month may be beyond twelve where no certificate
//! of birth was at hand.

use super::algorithm::is_uniform;
use super::{Identifier, Number};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::FR_NIR,
        forms: &[
            "999999999999999",
            "999999A99999999",
            "9 99 99 99 999 999 99",
            "9 99 99 9A 999 999 99",
            "9999999999999 99",
            "999999A999999 99",
            "#15",
            "#999999A99999999",
        ],
        valid: |number| {
            let (body, key) = number.compact.split_at_checked(13).unwrap_or_default();
            is_person(number) && 97 - corsican(body) % 97 == corsican(key)
        },
        context: NIR,
        alone: 0.7,
        near: 1.0,
    },
    Identifier {
        entity: Entity::FR_NIR,
        forms: &["9999999999999", "999999A999999", "9 99 99 99 999 999", "9 99 99 9A 999 999"],
        valid: is_person,
        context: NIR_WITHOUT_KEY,
        alone: 0.0,
        near: 0.85,
    },
    Identifier { entity: Entity::FR_NIF, forms: &["#13"], valid: nif, context: NIF, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::FR_CNI,
        forms: &["999999999999", "9999AA999999", "9999 9999 9999", "AXXXXXXXX", "99AA99999"],
        valid: |number| {
            let digits = number.compact.iter().filter(|byte| byte.is_ascii_digit()).count();
            let month = number.value(2, 2);
            digits >= 2 && !is_uniform(number) && (digits < 12 || matches!(month, 1..=12))
        },
        context: &[
            "cni",
            "cnie",
            "carte nationale d'identité",
            "carte d'identité française",
            "carte nationale",
            "pièce d'identité",
            "french id",
            "french identity card",
            "französischer personalausweis",
            "dni francés",
            "carte d'identité",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::PASSPORT,
        forms: &["99AA99999", "99 AA 99999"],
        valid: |number| !is_uniform(number),
        context: &["passeport", "passport", "reisepass", "pasaporte", "french", "français"],
        alone: 0.0,
        near: 0.85,
    },
];

const NIR: &[&str] = &[
    "@person",
    "@social",
    "nir",
    "n° ss",
    "no ss",
    "sécu",
    "numéro de sécu",
    "carte vitale",
    "insee",
    "french",
    "français",
    "france",
    "französische",
    "francés",
];

const NIR_WITHOUT_KEY: &[&str] =
    &["nir", "n° ss", "numéro de sécu", "sécurité sociale", "carte vitale", "insee", "french social security"];

const NIF: &[&str] = &[
    "@tax",
    "nif",
    "spi",
    "numéro spi",
    "impôt",
    "immatriculation fiscale",
    "dgfip",
    "french tax",
    "fiscal de référence",
    "französische steuernummer",
    "fiscal francés",
];

/// A number in which `2A` counts as 19 and `2B` as 18 (INSEE, since 1976).
fn corsican(digits: &[u8]) -> u64 {
    let mut value = 0;
    for (place, byte) in digits.iter().enumerate() {
        value = match (place, byte) {
            (6, b'A') => (value / 10) * 100 + 19,
            (6, b'B') => (value / 10) * 100 + 18,
            _ => value * 10 + u64::from(byte.wrapping_sub(b'0')),
        };
    }
    value
}

/// INSEE, répertoire national d'identification des personnes physiques: sex, year, month, department, municipality, serial. The key (97 less the
/// number modulo 97) is up to the caller.
fn is_person(number: &Number<'_>) -> bool {
    let department = match number.compact.get(5..7) {
        Some(b"2A" | b"2B") => true,
        Some([first, second]) if first.is_ascii_digit() && second.is_ascii_digit() => number.value(5, 2) != 0,
        _ => false,
    };
    department
        && matches!(number.digit(0), 1..=4 | 7 | 8)
        && matches!(number.value(3, 2), 1..=12 | 20..=42 | 50..=99)
        && number.value(7, 3) != 0
        && number.value(10, 3) != 0
}

/// DGFiP, numéro fiscal de référence (SPI): begins with 0 to 3, ends with the first ten modulo 511.
fn nif(number: &Number<'_>) -> bool {
    number.digit(0) <= 3 && number.value(0, 10) % 511 == number.value(10, 3) && !is_uniform(number)
}

#[cfg(test)]
mod tests;

//! Devices and vehicles: IMEI, MEID, IMSI, SIM cards, VIN.
//!
//! What a reader could get wrong: only North America (and China) puts a check digit into a VIN; elsewhere the ninth place is anything, and a word
//! must be near.

use super::algorithm::{is_uniform, is_upper};
use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

const IMEI: &[&str] = &[
    "imei",
    "imeisv",
    "mobile equipment",
    "handset",
    "device id",
    "gerätenummer",
    "numéro de série",
    "número de serie",
];
const VIN: &[&str] = &[
    "vin",
    "vin#",
    "vehicle",
    "chassis",
    "fahrgestell",
    "fahrzeug",
    "fin",
    "châssis",
    "véhicule",
    "bastidor",
    "vehículo",
    "chasis",
    "telaio",
    "chassi",
    "voertuig",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::IMEI,
        forms: &["99-999999-999999-9", "999999-99-999999-9"],
        valid: imei,
        context: IMEI,
        alone: 0.75,
        near: 1.0,
    },
    Identifier {
        entity: Entity::IMEI,
        forms: &["#15", "99999999-999999-9"],
        valid: |number| luhn(number.compact) && !is_uniform(number),
        context: IMEI,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::IMEI,
        forms: &[
            "99999999999999",
            "9999999999999999",
            "99-999999-999999-99",
            "99-999999-999999",
            "999999-99-999999",
            "99999999-999999-99",
            "99999999-999999",
        ],
        valid: |number| begins_as_imei(number) && !is_uniform(number),
        context: IMEI,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::IMEI,
        forms: &["XXXXXXXXXXXXXX", "XX XX XX XX XX XX XX X"],
        valid: meid,
        context: &["meid", "esn", "mobile equipment"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::IMEI,
        forms: &["999999999999999", "999 99 9999999999", "999 999 999999999"],
        valid: |number| matches!(number.digit(0), 2..=7 | 9) && !is_uniform(number),
        context: &["imsi", "mobile subscriber", "teilnehmerkennung"],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::IMEI,
        forms: &["#19", "#20"],
        valid: |number| number.value(0, 2) == 89 && (luhn(number.compact) || number.compact.len() == 19),
        context: &["iccid", "sim card", "simkarte", "sim-karte", "carte sim", "tarjeta sim", "sim"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::VIN,
        forms: &["XXXXXXXXXXXXXXXXX"],
        valid: |number| vin(number) && vin_check(number) && is_upper(number),
        context: VIN,
        alone: 0.6,
        near: 0.95,
    },
    Identifier { entity: Entity::VIN, forms: &["XXXXXXXXXXXXXXXXX"], valid: vin, context: VIN, alone: 0.0, near: 0.7 },
    Identifier {
        entity: Entity::VIN,
        forms: &["XXX XXXXXX XXXXXXXX"],
        valid: vin,
        context: VIN,
        alone: 0.0,
        near: 0.7,
    },
];

/// 3GPP TS 23.003, section 6.2: a type of eight digits whose first two name the body that gave it out, six digits of a serial, Luhn's check.
fn imei(number: &Number<'_>) -> bool {
    begins_as_imei(number) && luhn(number.compact) && !is_uniform(number)
}

/// Reporting bodies of the GSM Association's TS.06: 00 for tests, 01 to 99 otherwise; those given out.
fn begins_as_imei(number: &Number<'_>) -> bool {
    matches!(number.value(0, 2), 0 | 1 | 10 | 30 | 33 | 35 | 44 | 45 | 49..=54 | 86 | 91 | 97..=99)
        && number.value(0, 8) != 0
}

/// 3GPP2 S.R0048-A: fourteen hexadecimal digits from A0 on, and maybe a check digit.
fn meid(number: &Number<'_>) -> bool {
    number.compact.iter().all(u8::is_ascii_hexdigit) && number.compact.first().is_some_and(u8::is_ascii_alphabetic)
}

/// ISO 3779 and 3780: seventeen letters and digits without I, O, Q; digits in the last four places, letters somewhere.
fn vin(number: &Number<'_>) -> bool {
    let (letters, digits) = number.compact.iter().fold((0, 0), |(letters, digits), byte| {
        if byte.is_ascii_digit() { (letters, digits + 1) } else { (letters + 1, digits) }
    });
    let serial = number.compact.get(13..).is_some_and(|serial| serial.iter().all(u8::is_ascii_digit));
    let mixed = number.raw.bytes().any(|byte| byte.is_ascii_lowercase())
        && number.raw.bytes().any(|byte| byte.is_ascii_uppercase());
    serial && letters >= 3 && digits >= 5 && !mixed && !number.compact.iter().any(|byte| b"IOQ".contains(byte))
}

/// 49 CFR 565.15(c): letters have values, places have weights, the sum modulo 11 stands in the ninth place, a ten as X.
fn vin_check(number: &Number<'_>) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        // S begins at 2.
        _ => u32::from(byte.saturating_sub(b'S')) + 2,
    };
    let sum: u32 = number.compact.iter().zip(WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    let check = match sum % 11 {
        10 => b'X',
        digit => b'0' + u8::try_from(digit).unwrap_or_default(),
    };
    number.compact.get(8) == Some(&check)
}

#[cfg(test)]
mod tests;

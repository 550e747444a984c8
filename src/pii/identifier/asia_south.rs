//! National, tax and voters' identifiers of India, Pakistan and their neighbours.
//!
//! What a reader could get wrong: PAN and voter's number are five or three letters and digits, as part numbers are; `alone` asks for upper case and
//! for what the letters mean.

use super::algorithm::{is_uniform, is_upper, luhn_36, verhoeff};
use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

const AADHAAR_WORDS: &[&str] = &[
    "aadhaar",
    "aadhar",
    "adhaar",
    "adhar",
    "uidai",
    "uid",
    "आधार",
    "ஆதார்",
    "ఆధార్",
    "আধার",
    "indian identity",
    "indian personal",
];
const PAN_WORDS: &[&str] = &[
    "pan",
    "pan#",
    "pancard",
    "permanent account",
    "income tax",
    "पैन",
    "indische steuernummer",
    "impôt indien",
    "impuesto indio",
];
const VOTER_WORDS: &[&str] =
    &["voter", "epic", "elector", "election", "can vote", "मतदाता", "wähler", "électeur", "votante", "photo identity"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::IN_AADHAAR,
        forms: &["9999 9999 9999", "9999:9999:9999"],
        valid: aadhaar,
        context: AADHAAR_WORDS,
        alone: 0.5,
        near: 0.95,
    },
    Identifier {
        entity: Entity::IN_AADHAAR,
        forms: &["#12"],
        valid: aadhaar,
        context: AADHAAR_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::IN_VID,
        forms: &["9999 9999 9999 9999", "9999:9999:9999:9999", "9999999999999999"],
        valid: virtual_id,
        context: &["vid", "virtual id", "virtual identity", "aadhaar", "aadhar", "uidai", "virtuelle"],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::IN_PAN,
        forms: &["AAAAA9999A"],
        valid: |number| pan(number) && is_upper(number),
        context: PAN_WORDS,
        alone: 0.5,
        near: 0.95,
    },
    Identifier {
        entity: Entity::IN_PAN,
        forms: &["AAAAA9999A", "AAAAA 9999 A"],
        valid: pan,
        context: PAN_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::IN_GSTIN,
        forms: &["99AAAAA9999AXAX", "99 AAAAA9999A XAX"],
        valid: gstin,
        context: &[
            "gst",
            "gstin",
            "gstins",
            "goods and services",
            "goods & services",
            "registration",
            "umsatzsteuer",
            "जीएसटी",
        ],
        alone: 0.9,
        near: 1.0,
    },
    Identifier {
        entity: Entity::IN_VOTER,
        forms: &["AAA9999999", "AAA 9999999"],
        // Election Commission of India: the last digit is Luhn's since the numbers were unified.
        valid: |number| luhn(number.compact.get(3..).unwrap_or_default()) && !is_uniform(number),
        context: VOTER_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::IN_PASSPORT,
        forms: &["A9999999", "A 9999999", "A99 99999"],
        valid: passport,
        context: &[
            "indian passport",
            "passport number",
            "passport no",
            "passport",
            "indischer pass",
            "reisepass",
            "passeport",
            "pasaporte",
            "पासपोर्ट",
        ],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::PK_CNIC,
        forms: &["99999-9999999-9"],
        valid: cnic,
        context: CNIC_WORDS,
        alone: 0.7,
        near: 0.95,
    },
    Identifier {
        entity: Entity::PK_CNIC,
        forms: &["9999999999999", "99999 9999999 9"],
        valid: cnic,
        context: CNIC_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999999999A", "999999999999"],
        valid: sri_lanka,
        context: &["nic", "sri lank", "@person"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9999999999", "9999999999999", "99999999999999999", "999 999 9999"],
        valid: |number| !is_uniform(number),
        context: &["bangladesh", "জাতীয় পরিচয়পত্র", "nid"],
        alone: 0.0,
        near: 0.6,
    },
];

const CNIC_WORDS: &[&str] =
    &["cnic", "nadra", "nicop", "pakistan", "شناختی", "computerised national", "computerized national"];

/// UIDAI: twelve digits, none begins with 0 or 1, Verhoeff's check, and none reads the same from both ends.
fn aadhaar(number: &Number<'_>) -> bool {
    let palindrome = number.compact.iter().eq(number.compact.iter().rev());
    number.digit(0) >= 2 && verhoeff(number.compact) && !palindrome
}

/// UIDAI circular 1 of 2018: sixteen digits that stand for an Aadhaar, with the same check.
fn virtual_id(number: &Number<'_>) -> bool {
    number.digit(0) >= 2 && verhoeff(number.compact) && !number.compact.iter().eq(number.compact.iter().rev())
}

/// Income Tax Department: the fourth letter is the kind of holder, the serial is never 0000. The last letter's rule is not public.
fn pan(number: &Number<'_>) -> bool {
    number.compact.get(3).is_some_and(|kind| b"ABCEFGHJLKPTN".contains(kind)) && number.value(5, 4) != 0
}

/// Central Goods and Services Tax Rules 2017, form GST REG-06: state (01 to 38, 97, 99), PAN, serial, Z, Luhn over 36 characters.
fn gstin(number: &Number<'_>) -> bool {
    let holder = Number { compact: number.compact.get(2..12).unwrap_or_default(), raw: number.raw };
    let serial = number.compact.get(12).is_some_and(|byte| *byte != b'0');
    let state = matches!(number.value(0, 2), 1..=38 | 97 | 99);
    state && pan(&holder) && serial && number.compact.get(13) == Some(&b'Z') && luhn_36(number.compact)
}

/// Passport Seva: a letter but Q, X, Z, then a digit that is not 0, five digits, and one that is not 0.
fn passport(number: &Number<'_>) -> bool {
    number.compact.first().is_some_and(|letter| !b"QXZ".contains(letter))
        && number.digit(1) != 0
        && number.digit(7) != 0
}

/// NADRA: the province 1 to 7 in front, the last digit says man or woman; there is no check digit.
fn cnic(number: &Number<'_>) -> bool {
    matches!(number.digit(0), 1..=7) && !is_uniform(number) && number.value(5, 7) != 0
}

/// Department for Registration of Persons: year (two digits, or four since 2016) and the day in it (+ 500 for women); V or X behind old ones.
fn sri_lanka(number: &Number<'_>) -> bool {
    let (year, day) = if number.compact.len() == 10 {
        (1900 + number.value(0, 2), number.value(2, 3))
    } else {
        (number.value(0, 4), number.value(4, 3))
    };
    let letter = number.compact.get(9).is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'V' | b'X'));
    letter && (1900..=2100).contains(&year) && matches!(day, 1..=366 | 501..=866)
}

#[cfg(test)]
mod tests;

//! National, tax and travel identifiers of China, Hong Kong, Taiwan, Japan and Korea.
//!
//! What a reader could get wrong: Korean numbers given out since October 2020 have no check digit, so with a word of context the date is enough.

use super::algorithm::{base_36, completes, is_uniform, is_upper, mod_11_2};
use super::{Identifier, Number, is_day};
use crate::pii::entity::Entity;

const CHINA: &[&str] = &[
    "身份证",
    "身分证",
    "公民身份",
    "resident id",
    "@person",
    "id card",
    "ric",
    "china",
    "chinese",
    "chines",
    "chinois",
    "chino",
];
const CREDIT_CODE: &[&str] =
    &["统一社会信用", "信用代码", "uscc", "social credit", "credit code", "china", "chinese", "税号"];
const JAPAN: &[&str] = &[
    "マイナンバー",
    "個人番号",
    "my number",
    "mynumber",
    "my-number",
    "kojin bang",
    "individual number",
    "japan",
    "japon",
];
const KOREA: &[&str] = &[
    "주민등록",
    "외국인등록",
    "주민번호",
    "rrn",
    "frn",
    "resident registration",
    "foreigner registration",
    "alien registration",
    "korea",
    "korean",
    "corée",
    "coreano",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::CN_RESIDENT_ID,
        forms: &["99999999999999999X", "999999 99999999 999X", "999999-99999999-999X"],
        valid: china,
        context: CHINA,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["99999999XXXXXXXXXX", "99 999999 XXXXXXXXXX", "AA999999XXXXXXXXXX", "XX999999XXXXXXXXXX"],
        valid: credit_code,
        context: CREDIT_CODE,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::HK_ID,
        forms: &["A999999(X", "AA999999(X"],
        valid: hong_kong,
        context: HONG_KONG,
        alone: 0.75,
        near: 1.0,
    },
    Identifier {
        entity: Entity::HK_ID,
        forms: &["A999999X", "AA999999X", "A999999 X", "AA999999 X"],
        valid: hong_kong,
        context: HONG_KONG,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TW_ID,
        forms: &["A999999999", "AA99999999"],
        valid: |number| taiwan(number) && is_upper(number),
        context: TAIWAN,
        alone: 0.55,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["99999999", "9999999-9"],
        valid: unified_business,
        context: &["統一編號", "統編", "ubn", "unified business", "gui number", "taiwan"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::JP_MY_NUMBER,
        forms: &["#12"],
        valid: my_number,
        context: JAPAN,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9-9999-9999-9999", "9999999999999", "A9999999999999"],
        valid: japan_corporate,
        context: &[
            "法人番号",
            "corporate number",
            "cn",
            "hōjin bangō",
            "hojin bango",
            "適格請求書",
            "登録番号",
            "japan",
            "japon",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::PASSPORT,
        forms: &["AA9999999"],
        valid: |_| true,
        context: &["旅券", "パスポート", "护照", "護照", "여권", "japanese passport", "chinese passport"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::KR_RRN,
        forms: &["999999-9999999"],
        valid: |number| korea(number) && korea_check(number),
        context: KOREA,
        alone: 0.8,
        near: 1.0,
    },
    Identifier {
        entity: Entity::KR_RRN,
        forms: &["9999999999999", "999999 9999999"],
        valid: |number| korea(number) && korea_check(number),
        context: KOREA,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::KR_RRN,
        forms: &["999999-9999999"],
        valid: |number| korea(number) && matches!(number.digit(6), 1..=8),
        context: &["주민등록", "외국인등록", "주민번호", "rrn", "frn"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::KR_PASSPORT,
        forms: &["A999A9999", "A99999999", "AA9999999"],
        valid: |number| number.compact.first().is_some_and(|letter| b"MSROGDTP".contains(letter)),
        context: &["여권", "korean passport", "korea passport", "passport", "reisepass", "passeport", "pasaporte"],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::KR_DRIVER_LICENSE,
        forms: &["99-99-999999-99", "99 99 999999 99", "999999999999"],
        valid: |number| matches!(number.value(0, 2), 11..=26 | 28),
        context: &[
            "운전면허",
            "면허번호",
            "driver",
            "license",
            "licence",
            "führerschein",
            "permis de conduire",
            "licencia de conducir",
        ],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999-99-99999"],
        valid: |number| number.value(0, 3) >= 101 && number.value(3, 2) != 0,
        context: &["사업자", "brn", "business registration"],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999-99-99999", "9999999999"],
        valid: korea_business,
        context: &["사업자", "brn", "business registration", "korea", "koreanisch", "corée"],
        alone: 0.0,
        near: 0.9,
    },
];

const HONG_KONG: &[&str] = &["hkid", "hong kong", "hongkong", "香港身份證", "身份證", "@person", "id card"];
const TAIWAN: &[&str] = &["身分證", "身份證", "統一證號", "居留證", "taiwan", "national id", "arc"];

/// GB 11643-1999: six digits of an area, the date of birth, a serial number, ISO 7064 MOD 11-2.
fn china(number: &Number<'_>) -> bool {
    let area =
        matches!(number.value(0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83 | 91);
    let born = (1880..2100).contains(&number.value(6, 4));
    let check = number.compact.last().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'X');
    area && born
        && check
        && is_day(number.value(6, 4), number.value(10, 2), number.value(12, 2))
        && mod_11_2(number.compact)
}

/// GB 32100-2015: weights are the powers of 3 modulo 31 over digits and letters but I, O, S, V, Z.
fn credit_code(number: &Number<'_>) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let value = |byte: &u8| (0_u32..).zip(ALPHABET).find(|(_, known)| *known == byte).map(|(value, _)| value);
    let (mut weight, mut sum, mut check) = (1, 0, 0);
    for byte in number.compact {
        let Some(value) = value(byte) else { return false };
        (sum, check) = (sum + check, value * weight % 31);
        weight = weight * 3 % 31;
    }
    // What the last place adds, its own weight times the check character, is left out of the sum.
    let expected = (31 - sum % 31) % 31;
    let area = number.compact.get(2..8).unwrap_or_default();
    area.iter().all(u8::is_ascii_digit) && number.compact.last().and_then(value) == Some(expected)
}

/// Immigration Department: letters count 10 to 35 (a missing one 36), weights 9 to 2, modulo 11; a ten is A.
fn hong_kong(number: &Number<'_>) -> bool {
    let Some((check, rest)) = number.compact.split_last() else { return false };
    let space = if rest.len() == 7 { 36 * 9 } else { 0 };
    let first = if rest.len() == 7 { 8 } else { 9 };
    let sum: u32 =
        space + rest.iter().zip((2..=first).rev()).map(|(byte, weight)| base_36(*byte) * weight).sum::<u32>();
    let expected = (11 - sum % 11) % 11;
    (check.is_ascii_digit() || *check == b'A') && base_36(*check) == expected
}

/// Ministry of the Interior: the letter is a place (10 to 35, in an order of its own); the second place is 1 or 2, for residents 8 or 9 (A to D
/// before 2021); weights 1, 9, 8 to 1, 1 modulo 10.
fn taiwan(number: &Number<'_>) -> bool {
    const PLACES: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let place = |byte: u8| (10..).zip(PLACES).find(|(_, letter)| **letter == byte).map(|(value, _)| value);
    let (Some(first), Some(second)) = (number.compact.first().and_then(|byte| place(*byte)), number.compact.get(1))
    else {
        return false;
    };
    let second = match second {
        b'1' | b'2' | b'8' | b'9' => u32::from(second - b'0'),
        b'A'..=b'D' => place(*second).unwrap_or(0) % 10,
        _ => return false,
    };
    let rest = number.weighted(&[0, 0, 7, 6, 5, 4, 3, 2, 1, 1]);
    let sum: u32 = first / 10 + first % 10 * 9 + second * 8 + rest;
    sum.is_multiple_of(10)
}

/// Ministry of Finance: weights 1, 2, 1, 2, 1, 2, 4, 1, sums of digits, a multiple of 5 (since 2023); a 7 in the seventh place may count one less.
fn unified_business(number: &Number<'_>) -> bool {
    let sum: u32 = (0..8)
        .zip([1, 2, 1, 2, 1, 2, 4, 1])
        .map(|(place, weight)| number.digit(place) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    (sum.is_multiple_of(5) || (number.digit(6) == 7 && (sum + 1).is_multiple_of(5))) && !is_uniform(number)
}

/// Ministry of Internal Affairs, ordinance 85 of 2014: weights 6 to 2, 7 to 2 modulo 11; remainders 0 and 1 are 0.
fn my_number(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    completes(number, 11, sum, 11) && !is_uniform(number)
}

/// National Tax Agency: the check stands in front: 9 less the sum by weights 1 and 2 from the right, modulo 9.
fn japan_corporate(number: &Number<'_>) -> bool {
    let digits = number.compact.strip_prefix(b"T").unwrap_or(number.compact);
    let number = Number { compact: digits, raw: number.raw };
    let sum: u32 =
        (1..13).rev().zip([1, 2].into_iter().cycle()).map(|(place, weight)| number.digit(place) * weight).sum();
    digits.len() == 13 && 9 - sum % 9 == number.digit(0) && !is_uniform(&number)
}

/// Resident Registration Act: the date of birth, then a digit for century and sex (5 to 8 for foreigners; 9 and 0 before 1900).
fn korea(number: &Number<'_>) -> bool {
    let century = match number.digit(6) {
        1 | 2 | 5 | 6 => 1900,
        3 | 4 | 7 | 8 => 2000,
        _ => 1800,
    };
    is_day(century + number.value(0, 2), number.value(2, 2), number.value(4, 2))
}

/// Enforcement rules of the act: weights 2 to 9, 2 to 5 modulo 11, less from 11 (13 for foreigners), of that the last digit; place codes end at 96.
fn korea_check(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    let base = if matches!(number.digit(6), 5..=8) { 13 } else { 11 };
    (base - sum % 11) % 10 == number.digit(12) && number.value(7, 2) <= 96
}

/// National Tax Service: weights 1, 3, 7, 1, 3, 7, 1, 3, 5 modulo 10, the tens of the last product added.
fn korea_business(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[1, 3, 7, 1, 3, 7, 1, 3, 5]) + number.digit(8) * 5 / 10;
    let office = number.value(0, 3) >= 101 && number.value(3, 2) != 0 && number.value(5, 4) != 0;
    office && (10 - sum % 10) % 10 == number.digit(9)
}

#[cfg(test)]
mod tests;

//! National and tax identifiers of Singapore, Malaysia, Thailand, Indonesia, the Philippines and Vietnam.
//!
//! What a reader could get wrong: Malaysia, Indonesia and Vietnam have no check digit; there a date of birth and a place that exist are the check.

use super::algorithm::{is_uniform, is_upper};
use super::{Identifier, Number, is_day, is_short_day, luhn};
use crate::pii::entity::Entity;

const NRIC: &[&str] =
    &["nric", "fin", "singapore", "singapur", "singapour", "@person", "foreign identification", "uinfin", "新加坡"];
const MYKAD: &[&str] = &["nric", "mykad", "mypr", "kad pengenalan", "malaysia", "pengenalan", "no. kp", "@person"];
const THAI: &[&str] = &[
    "tnin",
    "pin",
    "tin",
    "thailand",
    "thai",
    "บัตรประชาชน",
    "เลขประจำตัว",
    "ประจำตัวประชาชน",
    "เลขบัตร",
    "thaïland",
    "tailand",
];
const NIK: &[&str] = &["nik", "ktp", "e-ktp", "kependudukan", "induk", "indones", "nomor identitas"];
const PHILIPPINES: &[&str] = &["tin", "tax id", "bir", "philippin", "filipin", "as your id", "buwis"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::SG_NRIC_FIN,
        forms: &["A9999999A"],
        valid: |number| nric(number) && is_upper(number),
        context: NRIC,
        alone: 0.7,
        near: 0.95,
    },
    Identifier {
        entity: Entity::SG_NRIC_FIN,
        forms: &["A9999999A", "A 9999999 A", "A-9999999-A", "A9999999-A"],
        valid: nric,
        context: NRIC,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["99999999A", "999999999A", "A99AA9999A"],
        valid: |number| entity_number(number) && is_upper(number),
        context: &["uen", "unique entity", "acra", "singapore", "singapur", "singapour", "business registration"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::MY_NRIC,
        forms: &["999999-99-9999"],
        valid: mykad,
        context: MYKAD,
        alone: 0.75,
        near: 0.95,
    },
    Identifier {
        entity: Entity::MY_NRIC,
        forms: &["999999999999", "999999 99 9999"],
        valid: mykad,
        context: MYKAD,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TH_TNIN,
        forms: &["9-9999-99999-99-9"],
        valid: thai,
        context: THAI,
        alone: 0.85,
        near: 1.0,
    },
    Identifier { entity: Entity::TH_TNIN, forms: &["#13"], valid: thai, context: THAI, alone: 0.0, near: 0.9 },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#13"],
        valid: thai_company,
        context: &[
            "moa",
            "memorandum of association",
            "tin",
            "taxpayer identification",
            "thai",
            "thailand",
            "ผู้เสียภาษี",
            "tax id",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::ID_NIK,
        forms: &["9999999999999999", "999999 999999 9999", "9999 9999 9999 9999"],
        valid: nik,
        context: NIK,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["99.999.999.9-999.999", "999999999999999", "99 999 999 9 999 999"],
        valid: |number| luhn(number.compact.get(..9).unwrap_or_default()) && !is_uniform(number),
        context: &["npwp", "pokok wajib pajak", "wajib pajak", "indones"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::PH_TIN,
        forms: &["999 999 999 999", "999 999 999", "999 999 999 99999"],
        valid: philippines,
        context: PHILIPPINES,
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::PH_TIN,
        forms: &["999999999", "999999999999", "99999999999999"],
        valid: philippines,
        context: &["tin", "bir", "philippin", "filipin"],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9999-9999-9999-9999", "99-9999999-9", "99-999999999-9", "9999-9999999-9"],
        valid: |number| !is_uniform(number),
        context: &["philsys", "psn", "sss", "philhealth", "crn", "umid", "pag-ibig", "philippine"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::VN_CCCD,
        forms: &["999999999999", "999 999 999 999"],
        valid: vietnam,
        context: &["cccd", "căn cước", "can cuoc", "công dân", "cong dan", "vietnam", "viet nam", "định danh"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999999999", "999 999 999"],
        valid: |number| !is_uniform(number),
        context: &["cmnd", "chứng minh nhân dân", "chứng minh thư", "chung minh"],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9999999999", "9999999999-999", "9999999999999", "99-99999999", "99-99999999-999", "99 99999999 999"],
        valid: vietnam_tax,
        context: &["mst", "mã số thuế", "ma so thue", "vietnam", "viet nam"],
        alone: 0.0,
        near: 0.85,
    },
];

/// Immigration and Checkpoints Authority: weights 2, 7 to 2 modulo 11, 4 more for T and G, 3 for M; citizens and foreigners have tables of letters.
fn nric(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[0, 2, 7, 6, 5, 4, 3, 2]);
    let (more, letters) = match number.compact.first() {
        Some(b'S') => (0, b"JZIHGFEDCBA"),
        Some(b'T') => (4, b"JZIHGFEDCBA"),
        Some(b'F') => (0, b"XWUTRQPNMLK"),
        Some(b'G') => (4, b"XWUTRQPNMLK"),
        // The table of the M series runs the other way.
        Some(b'M') => return b"KLJNPQRTUWX".get(10 - (sum as usize + 3) % 11) == number.compact.get(8),
        _ => return false,
    };
    letters.get((sum as usize + more) % 11) == number.compact.get(8)
}

/// Accounting and Corporate Regulatory Authority: businesses (8 digits), companies (year and 5), others (T, S or R, year, kind, 4 digits).
fn entity_number(number: &Number<'_>) -> bool {
    let letter = |table: &[u8], place: u32| table.get(place as usize) == number.compact.last();
    match number.compact.len() {
        9 => letter(b"XMKECAWLJDB", number.weighted(&[10, 4, 9, 3, 8, 2, 7, 1]) % 11),
        _ if number.compact.first().is_some_and(u8::is_ascii_digit) => {
            (1900..2100).contains(&number.value(0, 4))
                && letter(b"ZKCMDNERGWH", number.weighted(&[10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11)
        }
        _ => other_entity(number),
    }
}

/// The rule for all other bodies: weights 4, 3, 5, 3, 10, 2, 2, 5, 7 over places in an alphabet of 24 letters and 10 digits, less 5.
fn other_entity(number: &Number<'_>) -> bool {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    let value = |byte: &u8| (0_u32..).zip(ALPHABET).find(|(_, known)| *known == byte).map(|(value, _)| value);
    let mut sum = 0;
    for (byte, weight) in number.compact.iter().zip([4, 3, 5, 3, 10, 2, 2, 5, 7]) {
        let Some(value) = value(byte) else { return false };
        sum += value * weight;
    }
    let kind = number.compact.first().is_some_and(|first| b"RST".contains(first));
    kind && ALPHABET.get(((sum + 11 - 5) % 11) as usize) == number.compact.last()
}

/// National Registration Department: date of birth, place of birth (01 to 59, 71 and up abroad), a serial number.
fn mykad(number: &Number<'_>) -> bool {
    let place = matches!(number.value(6, 2), 1..=16 | 21..=59 | 60..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99);
    place && is_short_day(number.value(0, 2), number.value(2, 2), number.value(4, 2))
}

/// Bureau of Registration Administration: kinds 1 to 8 for people, weights 13 to 2 modulo 11.
fn thai(number: &Number<'_>) -> bool {
    matches!(number.digit(0), 1..=8) && thai_check(number)
}

/// Department of Business Development: companies begin with 0.
fn thai_company(number: &Number<'_>) -> bool {
    number.digit(0) == 0 && number.value(0, 12) != 0 && thai_check(number)
}

fn thai_check(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 10 == number.digit(12) && !is_uniform(number)
}

/// Ministry of Home Affairs: province, regency, district, then the date of birth (day + 40 for women), a serial number that is not 0.
fn nik(number: &Number<'_>) -> bool {
    let province =
        matches!(number.value(0, 2), 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97);
    let day = number.value(6, 2);
    let day = if day > 40 { day - 40 } else { day };
    province
        && number.value(2, 2) != 0
        && is_short_day(number.value(10, 2), number.value(8, 2), day)
        && number.value(12, 4) != 0
}

/// Bureau of Internal Revenue: nine digits (the last checks the others by weights 1 to 8 modulo 11) and a branch.
fn philippines(number: &Number<'_>) -> bool {
    let check = number.weighted(&[1, 2, 3, 4, 5, 6, 7, 8]) % 11 % 10;
    check == number.digit(8) && number.value(0, 9) != 0
}

/// Decree 137/2015: province (001 to 096), a digit for century and sex, two of the year of birth, six at random.
fn vietnam(number: &Number<'_>) -> bool {
    matches!(number.value(0, 3), 1..=96) && matches!(number.digit(3), 0..=3) && is_day(1900 + number.value(4, 2), 1, 1)
}

/// General Department of Taxation: weights 31, 29, 23, 19, 17, 13, 7, 5, 3 modulo 11, less from 10; a branch of three digits may follow.
fn vietnam_tax(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[31, 29, 23, 19, 17, 13, 7, 5, 3]);
    number.value(2, 7) != 0 && (10 + 11 - sum % 11) % 11 == number.digit(9)
}

#[cfg(test)]
mod tests;

//! National, tax and health identifiers of the United States.
//!
//! What a reader could get wrong: nine digits are a Social Security number, a tax number, a bank's routing number, a passport;
//! written without hyphens only the words around them tell which, so `alone` is 0 there.

use super::algorithm::{is_uniform, is_upper};
use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

const SSN_WORDS: &[&str] = &[
    "ssn",
    "ssns",
    "ssid",
    "ss#",
    "ss #",
    "social security",
    "social sec",
    "soc sec",
    "social-security",
    "sozialversicherung",
    "sécurité sociale",
    "securite sociale",
    "seguro social",
    "seguridad social",
    "soc",
];
const ITIN_WORDS: &[&str] = &[
    "itin",
    "atin",
    "individual taxpayer",
    "taxpayer id",
    "tax id",
    "taxid",
    "taxpayer identification",
    "tin",
    "us steuernummer",
    "identification fiscale américain",
    "identificación del contribuyente",
];
const DRIVER_WORDS: &[&str] = &[
    "driver license",
    "driver's license",
    "drivers license",
    "driver’s license",
    "driver-license",
    "driver licence",
    "driver's licence",
    "drivers licence",
    "driving license",
    "driving licence",
    "license number",
    "licence number",
    "license no",
    "license #",
    "cdl",
    "dl#",
    "dl",
    "dmv",
    "permit number",
    "licencia de conducir",
    "permis de conduire américain",
    "us führerschein",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::US_SSN,
        forms: &["999-99-9999"],
        valid: |number| ssn(number) && !is_specimen(number),
        context: SSN_WORDS,
        alone: 0.75,
        near: 0.95,
    },
    Identifier {
        entity: Entity::US_SSN,
        forms: &["999 99 9999", "999999999", "999-999999", "99999-9999"],
        valid: ssn,
        context: SSN_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::US_ITIN,
        forms: &["999-99-9999"],
        valid: itin,
        context: ITIN_WORDS,
        alone: 0.7,
        near: 0.9,
    },
    Identifier {
        entity: Entity::US_ITIN,
        forms: &["999999999", "999 99 9999", "999-999999", "99999-9999"],
        valid: itin,
        context: ITIN_WORDS,
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["999 99 9999", "999999999"],
        valid: |number| number.digit(0) == 9,
        context: &["atin", "adoption taxpayer"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::US_EIN,
        forms: &["99-9999999", "999999999"],
        valid: ein,
        context: &[
            "ein",
            "fein",
            "employer identification",
            "employer id",
            "federal tax",
            "federal id",
            "irs number",
            "arbeitgebernummer",
            "identification de l'employeur",
            "identificación del empleador",
        ],
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["A99999999", "A 99999999"],
        valid: ptin,
        context: &["ptin", "preparer tax", "preparer id", "tax preparer"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::ABA_ROUTING_NUMBER,
        forms: &["999999999", "9999 9999 9"],
        valid: aba,
        context: &[
            "aba",
            "aba#",
            "routing",
            "rtn",
            "abarouting",
            "routingnumber",
            "bankrouting",
            "transit number",
            "fedwire",
            "bankleitzahl",
            "numéro de routage",
            "ruta bancaria",
            "número de ruta",
            "numero de ruta",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::US_NPI,
        forms: &["9999999999", "9999 999 999"],
        valid: npi,
        context: &[
            "npi",
            "national provider",
            "provider id",
            "provider number",
            "provider identifier",
            "healthcare provider",
            "health care provider",
            "anbieterkennung",
            "identifiant du prestataire",
            "proveedor de salud",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::US_MBI,
        forms: &["9AX9-AX9-AA99"],
        valid: mbi,
        context: MBI_WORDS,
        alone: 0.75,
        near: 0.95,
    },
    Identifier {
        entity: Entity::US_MBI,
        forms: &["9AX9AX9AA99", "9AX9 AX9 AA99"],
        valid: |number| mbi(number) && is_upper(number),
        context: MBI_WORDS,
        alone: 0.5,
        near: 0.95,
    },
    Identifier {
        entity: Entity::MEDICAL_LICENSE,
        forms: &["A99999999", "AA9999999"],
        valid: dea,
        context: &["dea", "dea#", "certificate", "prescriber", "medical license", "controlled substance", "registrant"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::US_PASSPORT,
        forms: &["999999999", "A99999999"],
        valid: |number| !is_uniform(number),
        context: &[
            "us passport",
            "u.s. passport",
            "usa passport",
            "american passport",
            "united states passport",
            "passport#",
            "travel document",
            "us-reisepass",
            "us-pass",
            "amerikanischer pass",
            "passeport américain",
            "pasaporte estadounidense",
            "pasaporte americano",
            "travel passport",
        ],
        alone: 0.0,
        near: 0.75,
    },
    Identifier {
        entity: Entity::US_DRIVER_LICENSE,
        // What the states issue: a letter and 5 to 13 digits, 7 to 12 digits, 2 letters and 6 digits, Florida's and Illinois' groups.
        forms: &[
            "A99999",
            "A999999",
            "A9999999",
            "A99999999",
            "A999999999",
            "A999999999999",
            "A9999999999999",
            "A999 9999 9999",
            "A999-999-99-999-9",
            "A999 999 99 999 9",
            "A999 9999 9999 99",
            "AA99999A",
            "AA999999",
            "AA9999999",
            "99AAA99999",
            "9999999",
            "99999999",
            "999999999",
            "9999999999",
            "999999999999",
            "999 999 999",
            "99 999 999",
            "999AA9999",
            "AAA99AA99A",
        ],
        valid: |number| !is_uniform(number),
        context: DRIVER_WORDS,
        alone: 0.0,
        near: 0.6,
    },
];

const MBI_WORDS: &[&str] =
    &["medicare", "mbi", "beneficiary", "cms", "medicare-nummer", "bénéficiaire", "beneficiario"];

/// Area, group, serial (Social Security Administration, POMS RM 10201): no area 000, 666 or 9xx, no group 00, no serial 0000. Numbers that were
/// printed in advertisements are nobody's.
fn ssn(number: &Number<'_>) -> bool {
    let (area, group, serial) = (number.value(0, 3), number.value(3, 2), number.value(5, 4));
    let known = matches!(number.compact, b"078051120" | b"219099999" | b"457555462");
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !known && !is_uniform(number)
}

/// What people write for an example; somebody's all the same where the words near say so.
fn is_specimen(number: &Number<'_>) -> bool {
    number.compact == b"123456789"
}

/// IRS Publication 1915: 9xx with groups 50 to 65, 70 to 88, 90 to 92, 94 to 99; 93 is for adoptions (an ATIN).
fn itin(number: &Number<'_>) -> bool {
    number.digit(0) == 9 && matches!(number.value(3, 2), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Prefixes that the IRS assigns (Employer ID Numbers, "How EINs are assigned and valid EIN prefixes").
fn ein(number: &Number<'_>) -> bool {
    let prefix = number.value(0, 2);
    !matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97) && !is_uniform(number)
}

/// IRS: a P and eight digits.
fn ptin(number: &Number<'_>) -> bool {
    number.compact.first() == Some(&b'P')
}

/// American Bankers Association, routing number policy: weights 3, 7, 1; the first two digits name a Federal Reserve district.
fn aba(number: &Number<'_>) -> bool {
    let district = matches!(number.value(0, 2), 0..=12 | 21..=32 | 61..=72 | 80);
    district && number.weighted(&[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10) && number.value(0, 9) != 0
}

/// 45 CFR 162.406: Luhn over the number behind the prefix 80840, which adds 24; people begin with 1 or 2.
fn npi(number: &Number<'_>) -> bool {
    let mut digits = *b"808400000000000";
    for (to, from) in digits.iter_mut().skip(5).zip(number.compact) {
        *to = *from;
    }
    matches!(number.digit(0), 1 | 2) && luhn(&digits) && !is_uniform(number)
}

/// CMS, Medicare Beneficiary Identifier format: places 2, 5, 8, 9 are letters without S, L, O, I, B, Z; 3 and 6 those or digits.
fn mbi(number: &Number<'_>) -> bool {
    number.digit(0) != 0 && !number.compact.iter().any(|byte| b"SLOIBZ".contains(byte))
}

/// Drug Enforcement Administration registration: (1st + 3rd + 5th) + 2 * (2nd + 4th + 6th) ends in the 7th digit.
fn dea(number: &Number<'_>) -> bool {
    let known = number.compact.first().is_some_and(|letter| b"ABCDEFGHJKLMPRSTUX".contains(letter));
    let odd = number.digit(2) + number.digit(4) + number.digit(6);
    let even = number.digit(3) + number.digit(5) + number.digit(7);
    known && (odd + 2 * even) % 10 == number.digit(8) && number.value(2, 7) != 0
}

#[cfg(test)]
mod tests;

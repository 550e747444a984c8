//! National and tax identifiers of Romania, Moldova, Bulgaria, Ukraine, Belarus, Russia and Turkey.
//!
//! What a reader could get wrong: words of context in Cyrillic are given in lower case and found in the usual capitals; see `context`.

use super::algorithm::{base_36, completes, is_uniform};
use super::{Identifier, Number, is_day};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::RO_CNP,
        forms: &["#13"],
        valid: cnp,
        context: &[
            "@person",
            "@tax",
            "cnp",
            "cod numeric personal",
            "codul numeric personal",
            "romania",
            "român",
            "rumänische",
            "roumain",
            "rumano",
        ],
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::MD_IDNP,
        forms: &["#13"],
        // Agenția Servicii Publice: weights 7, 3, 1 in turn modulo 10; persons' begin with 2 or 0, organisations' with 1.
        valid: |number| {
            number.weighted(&[7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == number.digit(12) && !is_uniform(number)
        },
        context: &[
            "idnp",
            "idno",
            "cod personal",
            "numărul de identificare",
            "moldov",
            "moldav",
            "moldawische",
            "moldave",
            "moldavo",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier { entity: Entity::BG_EGN, forms: &["#10"], valid: egn, context: EGN, alone: 0.0, near: 1.0 },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#10"],
        valid: foreigner,
        context: &["лнч", "lnch", "pnf", "личен номер на чужденец", "number of a foreigner", "bulgarian foreigner"],
        alone: 0.0,
        near: 0.95,
    },
    Identifier { entity: Entity::UA_RNTRC, forms: &["#10"], valid: rntrc, context: RNTRC, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99999999-99999", "#13"],
        // Law 5492-VI, unique number of the demographic register: date of birth, serial, check digit (as in travel documents).
        valid: |number| {
            is_day(number.value(0, 4), number.value(4, 2), number.value(6, 2))
                && super::algorithm::mod_7_3_1(number.compact)
        },
        context: &["унзр", "unzr", "запис n", "demographic register", "ukrainian id"],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["#9999999A999AA9"],
        // Ministry of Internal Affairs of Belarus: sex and century, date, region, serial, citizenship, check digit as in travel documents.
        valid: |number| matches!(number.digit(0), 1..=6) && super::algorithm::mod_7_3_1(number.compact),
        context: &["идентификационный номер", "личный номер", "асабісты нумар", "belarus", "беларус"],
        alone: 0.6,
        near: 1.0,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#9", "#AA9999999"],
        valid: unp,
        context: &[
            "унп",
            "unp",
            "учетный номер плательщика",
            "учётный номер плательщика",
            "belarus",
            "беларус",
            "weißrussisch",
            "biélorusse",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier { entity: Entity::RU_INN, forms: &["#12", "#10"], valid: inn, context: INN, alone: 0.0, near: 0.95 },
    Identifier {
        entity: Entity::RU_SNILS,
        forms: &["999-999-999 99", "999-999-999-99"],
        valid: snils,
        context: SNILS,
        alone: 0.7,
        near: 1.0,
    },
    Identifier { entity: Entity::RU_SNILS, forms: &["#11"], valid: snils, context: SNILS, alone: 0.0, near: 1.0 },
    Identifier {
        entity: Entity::PASSPORT,
        forms: &["9999 999999", "99 99 999999", "9999999999", "AA999999", "AA 999999", "AA9999999", "99 9999999"],
        valid: |number| !is_uniform(number),
        context: &[
            "паспорт",
            "серия",
            "паспорта",
            "russian passport",
            "ukrainian passport",
            "загранпаспорт",
            "passport rf",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TR_NATIONAL_ID,
        forms: &["#11"],
        valid: kimlik,
        context: KIMLIK,
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::TR_VKN,
        forms: &["#10"],
        valid: vkn,
        context: &[
            "vkn",
            "vergi",
            "vergi no",
            "vergi kimlik",
            "turkish tax",
            "türkische steuer",
            "turkish",
            "türki",
            "turc",
            "turco",
        ],
        alone: 0.0,
        near: 0.95,
    },
];

const EGN: &[&str] = &[
    "@person",
    "егн",
    "egn",
    "единен граждански номер",
    "граждански номер",
    "bulgaria",
    "българ",
    "bulgarische",
    "bulgare",
    "búlgaro",
    "ддс",
];

const RNTRC: &[&str] = &[
    "рнокпп",
    "rntrc",
    "rnokpp",
    "taxpayer registration",
    "individual taxpayer",
    "ідентифікаційний номер",
    "ідентифікаційний код",
    "іпн",
    "ипн",
    "ipn",
    "картки платника податків",
    "платника податків",
    "ukrain",
    "украї",
    "україн",
    "украин",
    "ucran",
];

const INN: &[&str] = &[
    "инн",
    "inn",
    "идентификационный номер налогоплательщика",
    "номер налогоплательщика",
    "налогоплательщик",
    "russian",
    "росси",
    "russische",
    "russe",
    "ruso",
];

const SNILS: &[&str] = &[
    "@social",
    "@person",
    "снилс",
    "snils",
    "страховой номер",
    "страхового свидетельства",
    "лицевого счёта",
    "пенсионн",
    "russian",
    "russische",
    "russe",
];

const KIMLIK: &[&str] = &[
    "@person",
    "tckn",
    "tc kimlik",
    "t.c. kimlik",
    "kimlik",
    "kimlik no",
    "kimlik numarası",
    "tc no",
    "turkish",
    "turkey",
    "türki",
    "türkei",
    "turc",
    "turco",
];

/// Legea 105/1996: sex and century, date, county, serial; weights 2 7 9 1 4 6 3 5 8 2 7 9 modulo 11, ten is written as 1.
fn cnp(number: &Number<'_>) -> bool {
    let century = match number.digit(0) {
        3 | 4 => 1800,
        5 | 6 => 2000,
        1 | 2 | 7..=9 => 1900,
        _ => return false,
    };
    let sum = number.weighted(&[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    is_day(century + number.value(1, 2), number.value(3, 2), number.value(5, 2))
        && matches!(number.value(7, 2), 1..=48 | 51 | 52 | 70 | 80..=83)
        && (if sum == 10 { 1 } else { sum }) == number.digit(12)
}

/// ГРАО, Наредба за единните граждански номера: month + 20 before 1900, + 40 since 2000; modulo 11, ten is written as 0.
pub(super) fn egn(number: &Number<'_>) -> bool {
    let month = number.value(2, 2);
    let century = match month / 20 {
        0 => 1900,
        1 => 1800,
        2 => 2000,
        _ => return false,
    };
    is_day(century + number.value(0, 2), month % 20, number.value(4, 2))
        && number.weighted(&[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == number.digit(9)
}

/// The same register, personal numbers of foreigners: modulo 10.
pub(super) fn foreigner(number: &Number<'_>) -> bool {
    number.weighted(&[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10 == number.digit(9) && !is_uniform(number)
}

/// State Tax Service of Ukraine: weights -1, 5, 7, 9, 4, 6, 10, 5, 7 modulo 11, ten is written as 0.
fn rntrc(number: &Number<'_>) -> bool {
    number.weighted(&[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10 == number.digit(9) && !is_uniform(number)
}

/// Ministry of Taxes of Belarus: weights 29 to 3 modulo 11; persons' numbers begin with two letters of which the second counts by its place.
fn unp(number: &Number<'_>) -> bool {
    let value = |place: usize, byte: u8| match (place, byte) {
        (_, digit @ b'0'..=b'9') => Some(u32::from(digit - b'0')),
        (0, letter) => b"ABCEHKM".contains(&letter).then(|| base_36(letter)),
        (_, letter) => {
            b"ABCEHKMOPT".iter().position(|known| *known == letter).and_then(|place| u32::try_from(place).ok())
        }
    };
    let weights = [29, 23, 19, 17, 13, 7, 5, 3];
    let counted = number
        .compact
        .iter()
        .zip(weights)
        .enumerate()
        .map(|(place, (byte, weight))| Some(value(place, *byte)? * weight));
    let sum = counted.sum::<Option<u32>>();
    sum.is_some_and(|sum| sum % 11 == number.digit(8)) && !is_uniform(number)
}

/// Федеральная налоговая служба, приказ ММВ-7-6/435: organisations have ten digits, persons twelve with two check digits; modulo 11, ten is
/// written as 0.
fn inn(number: &Number<'_>) -> bool {
    let check = |weights: &[u32], place: usize| number.weighted(weights) % 11 % 10 == number.digit(place);
    let fits = match number.compact.len() {
        10 => check(&[2, 4, 10, 3, 5, 9, 4, 6, 8], 9),
        _ => check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 10) && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 11),
    };
    fits && !is_uniform(number)
}

/// Социальный фонд России: weights 9 to 1 modulo 101, a hundred is written as 00; numbers up to 001-001-998 have no check.
fn snils(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    number.value(0, 9) > 1_001_998 && u64::from(sum) == number.value(9, 2)
}

/// Nüfus ve Vatandaşlık İşleri: seven times the odd places less the even ones modulo 10, then the sum of the first ten.
fn kimlik(number: &Number<'_>) -> bool {
    let tenth = number.weighted(&[7, 9, 7, 9, 7, 9, 7, 9, 7]) % 10;
    let sum = number.weighted(&[1; 10]);
    number.digit(0) != 0 && tenth == number.digit(9) && sum % 10 == number.digit(10)
}

/// Gelir İdaresi Başkanlığı: each digit moved by its place, times a power of two, modulo 9.
fn vkn(number: &Number<'_>) -> bool {
    let sum: u32 = (0..9)
        .map(|place| {
            let left = u32::try_from(9 - place).unwrap_or_default();
            match (number.digit(place) + left) % 10 {
                0 => 0,
                moved => match moved * (1 << left) % 9 {
                    0 => 9,
                    rest => rest,
                },
            }
        })
        .sum();
    completes(number, 9, sum, 10)
}

#[cfg(test)]
mod tests;

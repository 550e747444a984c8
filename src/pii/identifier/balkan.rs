//! National and tax identifiers of Croatia, Slovenia, Serbia and the other successors of Yugoslavia, Albania, Greece and Cyprus.
//!
//! What a reader could get wrong: the JMBG of all successor states has one form; its two digits of the region, not the word near it, say which.

use super::algorithm::{base_36, is_uniform, mod_11_10, weigh, without};
use super::{Identifier, Number, is_day, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::HR_OIB,
        forms: &["#11", "#AA99999999999"],
        // Ministarstvo financija, Zakon o osobnom identifikacijskom broju: ISO 7064 MOD 11,10.
        valid: |number| without(number, b"HR").is_some_and(mod_11_10) && !is_uniform(number),
        context: &[
            "oib",
            "osobni identifikacijski broj",
            "croatia",
            "hrvatsk",
            "kroatische",
            "kroatien",
            "croate",
            "croata",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::SI_EMSO,
        forms: &["#13"],
        valid: |number| jmbg(number) && matches!(number.value(7, 2), 50..=59),
        context: &[
            "@person",
            "emšo",
            "enotna matična številka",
            "matična številka občana",
            "unique master citizen",
            "sloven",
            "slowenische",
            "slovène",
            "esloveno",
        ],
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::RS_JMBG,
        forms: &["#13"],
        valid: |number| jmbg(number) && !matches!(number.value(7, 2), 50..=59),
        context: JMBG,
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#9"],
        // Poreska uprava Srbije: ISO 7064 MOD 11,10.
        valid: |number| number.value(0, 8) >= 10_000_000 && mod_11_10(number.compact),
        context: &[
            "pib",
            "пиб",
            "poreski identifikacioni broj",
            "порески идентификациони број",
            "serbian tax",
            "serbia",
            "srbij",
            "serbische",
            "serbe",
            "serbio",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#8"],
        // Poreska uprava Crne Gore: weights 8 to 2 modulo 11.
        valid: |number| {
            let sum = number.weighted(&[8, 7, 6, 5, 4, 3, 2]);
            (11 - sum % 11) % 11 % 10 == number.digit(7) && !is_uniform(number)
        },
        context: &["pib", "пиб", "montenegr", "crna gora", "crnogorsk", "monténégr"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#13", "#AA9999999999999"],
        valid: |number| {
            let digits = without(number, b"MK").unwrap_or_default();
            let sum = weigh(digits, MASTER);
            digits.get(12).is_some_and(|digit| (11 - sum % 11) % 11 % 10 == base_36(*digit)) && !is_uniform(number)
        },
        context: &[
            "edb",
            "едб",
            "даночен број",
            "danočen broj",
            "macedonia",
            "македони",
            "makedonija",
            "mazedonien",
            "macédoine",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#A99999999A", "#AAA99999999A"],
        // Drejtoria e Përgjithshme e Tatimeve, and the register of persons alike: decade, year, month, day, serial, letter.
        valid: |number| {
            let body = number.compact.strip_prefix(b"AL").unwrap_or(number.compact);
            body.len() == 10 && body.first().is_some_and(|letter| (b'A'..=b'M').contains(letter))
        },
        context: &[
            "nipt",
            "nuis",
            "tatueshëm",
            "identifikimit",
            "albania",
            "shqip",
            "albanische",
            "albanais",
            "albanés",
            "nid",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::GR_AFM,
        forms: &["#9", "#AA999999999"],
        valid: afm,
        context: AFM,
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::GR_AMKA,
        forms: &["#11"],
        // ΗΔΙΚΑ: date of birth, four digits, Luhn's digit.
        valid: |number| {
            let (day, month, year) = (number.value(0, 2), number.value(2, 2), number.value(4, 2));
            (is_day(1900 + year, month, day) || is_day(2000 + year, month, day)) && luhn(number.compact)
        },
        context: &[
            "@social",
            "@person",
            "amka",
            "α.μ.κ.α",
            "αμκα",
            "αριθμός μητρώου κοινωνικής",
            "κοινωνικής ασφάλισης",
            "greek",
            "ελλην",
            "ελλάδα",
            "griechische",
            "grecque",
            "griego",
        ],
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["A-999999", "AA-999999", "AA 999999", "AA999999", "A999999"],
        valid: |number| !is_uniform(number),
        context: &[
            "adt",
            "αδτ",
            "α.δ.τ",
            "δελτίο ταυτότητας",
            "δελτίου ταυτότητας",
            "ταυτότητα",
            "greek id",
            "greek identity",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::CY_TIC,
        forms: &["#99999999A", "#AA99999999A"],
        valid: |number| without(number, b"CY").is_some_and(cypriot),
        context: &[
            "@tax",
            "tic",
            "τ.φ.ι.κ",
            "αφτ",
            "α.φ.τ",
            "αριθμός φορολογικής ταυτότητας",
            "cypriot",
            "cyprus",
            "κύπρου",
            "κύπρο",
            "κυπρια",
            "zypern",
            "chypr",
            "chipr",
        ],
        alone: 0.0,
        near: 0.95,
    },
];

const JMBG: &[&str] = &[
    "@person",
    "jmbg",
    "јмбг",
    "jmb",
    "мбр",
    "embg",
    "ембг",
    "matični broj",
    "матични број",
    "единствен матичен",
    "unique master citizen",
    "serbia",
    "srpski",
    "matična številka",
    "srbij",
    "srpsk",
    "bosni",
    "croatia",
    "montenegr",
    "macedonia",
    "serbische",
    "serbe",
    "serbio",
];

const AFM: &[&str] = &[
    "afm",
    "αφμ",
    "α.φ.μ",
    "αριθμός φορολογικού μητρώου",
    "φορολογικού μητρώου",
    "greek",
    "greece",
    "ελλην",
    "ελλάδα",
    "griechische",
    "griechenland",
    "grecque",
    "grèce",
    "griego",
    "grecia",
    "fpa",
    "φπα",
];

const MASTER: &[u32] = &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2];

/// Weights 7 to 2 twice, modulo 11; a check digit of ten is not issued.
fn jmbg_check(digits: &[u8]) -> bool {
    let sum = weigh(digits, MASTER);
    let check = (11 - sum % 11) % 11;
    check < 10 && digits.get(12).is_some_and(|digit| base_36(*digit) == check)
}

/// Zakon o uvođenju jedinstvenog matičnog broja građana, 1976: day, month, three digits of the year, region, serial, check digit.
fn jmbg(number: &Number<'_>) -> bool {
    let year = match number.value(4, 3) {
        year @ 800.. => 1000 + year,
        year @ 0..=99 => 2000 + year,
        _ => return false,
    };
    is_day(year, number.value(2, 2), number.value(0, 2)) && jmbg_check(number.compact)
}

/// ΑΑΔΕ: powers of two, modulo 11; ten is written as 0.
pub(super) fn greek(digits: &[u8]) -> bool {
    let sum = weigh(digits, &[256, 128, 64, 32, 16, 8, 4, 2]);
    digits.get(8).is_some_and(|digit| sum % 11 % 10 == base_36(*digit)) && digits.iter().any(|byte| *byte != b'0')
}

fn afm(number: &Number<'_>) -> bool {
    without(number, b"EL").or_else(|| without(number, b"GR")).is_some_and(greek)
}

/// Tax Department of Cyprus: digits in odd places by a table, the others as they are, modulo 26.
pub(super) fn cypriot(compact: &[u8]) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let Some((letter, digits)) = compact.split_last() else { return false };
    let counted = digits.iter().enumerate().map(|(place, byte)| match (place % 2, base_36(*byte)) {
        (0, digit) => ODD.get(digit as usize).copied().unwrap_or_default(),
        (_, digit) => digit,
    });
    digits.len() == 8 && !digits.starts_with(b"12") && counted.sum::<u32>() % 26 == u32::from(letter.wrapping_sub(b'A'))
}

#[cfg(test)]
mod tests;

//! National, tax, health and bank identifiers of Australia and New Zealand.
//!
//! What a reader could get wrong: Australia's numbers are nine to eleven digits in groups of two or three, as many amounts are; only the ABN's
//! grouping with its modulus of 89 is told without a word near.

use super::algorithm::{completes, is_uniform};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

const ABN: &[&str] = &["abn", "australian business", "business number", "australi"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier { entity: Entity::AU_ABN, forms: &["99 999 999 999"], valid: abn, context: ABN, alone: 0.6, near: 0.95 },
    Identifier { entity: Entity::AU_ABN, forms: &["#11"], valid: abn, context: ABN, alone: 0.0, near: 0.9 },
    Identifier {
        entity: Entity::AU_ACN,
        forms: &["#9"],
        valid: acn,
        context: &["acn", "australian company", "société australienne", "australisches unternehmen"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::AU_TFN,
        forms: &["#9", "#8"],
        valid: tfn,
        context: &[
            "tfn",
            "tax file",
            "taxfile",
            "australian tax",
            "australische steuer",
            "fiscal australien",
            "fiscal australiano",
        ],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::AU_MEDICARE,
        forms: &["9999 99999 9", "9999999999", "9999 99999 9 9", "99999999999", "9999 99999 9-9"],
        valid: medicare,
        context: &["medicare", "health card", "australi"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NZ_IRD,
        forms: &["999 999 999", "99 999 999", "999999999", "99999999", "99999999-9", "9999999-9"],
        valid: ird,
        context: &[
            "ird",
            "inland revenue",
            "te tari taake",
            "new zealand",
            "neuseeland",
            "nouvelle-zélande",
            "nueva zelanda",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NZ_NHI,
        forms: &["AAA9999", "AAA99A9", "AAA99AX"],
        valid: nhi,
        context: &["nhi", "national health index", "health number", "new zealand"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NZ_BANK_NUMBER,
        forms: &["99-9999-9999999-99", "99-9999-9999999-999"],
        valid: bank_account,
        context: BANK,
        alone: 0.75,
        near: 0.95,
    },
    Identifier {
        entity: Entity::NZ_BANK_NUMBER,
        forms: &["#14", "#15", "#16"],
        valid: bank_account,
        context: BANK,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NZ_BANK_NUMBER,
        forms: &["99 999 9999999 99", "99 999 9999999 999"],
        valid: |number| bank_account(&long_branch(number).as_number()),
        context: BANK,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::DRIVER_LICENSE,
        forms: &["AA999999"],
        valid: |_| true,
        context: &[
            "driver licence",
            "driver license",
            "driver's licence",
            "driving licence",
            "nz licence",
            "licence number",
        ],
        alone: 0.0,
        near: 0.6,
    },
    Identifier {
        entity: Entity::PASSPORT,
        forms: &["A9999999", "AA9999999", "AA999999"],
        valid: |number| number.compact.first().is_some_and(|letter| b"NEFGLMPRU".contains(letter)),
        context: &["australian passport", "new zealand passport", "nz passport"],
        alone: 0.0,
        near: 0.75,
    },
];

const BANK: &[&str] =
    &["bank account", "account number", "account", "bank", "new zealand", "nz", "konto", "compte", "cuenta", "pūkete"];

/// Australian Business Register: one less in the first place, weights 10, 1, 3 to 19, a multiple of 89.
fn abn(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    number.digit(0) != 0 && (sum + 89 - 10).is_multiple_of(89)
}

/// Australian Securities and Investments Commission: weights 8 to 1 modulo 10.
fn acn(number: &Number<'_>) -> bool {
    completes(number, 8, number.weighted(&[8, 7, 6, 5, 4, 3, 2, 1]), 10) && number.value(0, 9) != 0
}

/// Australian Taxation Office: weights 1, 4, 3, 7, 5, 8, 6, 9, 10 (10, 7, 8, 4, 6, 3, 5, 1 for eight digits), a multiple of 11.
fn tfn(number: &Number<'_>) -> bool {
    let sum = if number.compact.len() == 8 {
        number.weighted(&[10, 7, 8, 4, 6, 3, 5, 1])
    } else {
        number.weighted(&[1, 4, 3, 7, 5, 8, 6, 9, 10])
    };
    sum.is_multiple_of(11) && !is_uniform(number)
}

/// Services Australia: begins with 2 to 6, weights 1, 3, 7, 9 twice modulo 10, then the issue (not 0) and maybe the person.
fn medicare(number: &Number<'_>) -> bool {
    let check = number.weighted(&[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    matches!(number.digit(0), 2..=6) && check == number.digit(8) && number.digit(9) != 0
}

/// Inland Revenue, RWT specification: 10 to 150 millions, weights 3, 2, 7 to 2 modulo 11, and 7, 4, 3, 2, 5, 2, 7, 6 where that gives a ten.
fn ird(number: &Number<'_>) -> bool {
    let length = number.compact.len();
    let in_range = (10_000_000..150_000_000).contains(&number.value(0, length));
    let check = |weights: &[u32; 8]| {
        let (_, weights) = weights.split_at(9 - length.clamp(8, 9));
        (11 - number.weighted(weights) % 11) % 11
    };
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    in_range && check == number.digit(length.saturating_sub(1))
}

/// HISO 10046: letters but I and O count 1 to 24; weights 7 to 2; modulo 11 (a check digit) or 23 (a check letter, since 2026).
fn nhi(number: &Number<'_>) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let value = |byte: u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        _ => (1_u32..).zip(LETTERS).find(|(_, known)| **known == byte).map(|(value, _)| value),
    };
    let mut sum = 0;
    for (byte, weight) in number.compact.iter().take(6).zip((2..=7).rev()) {
        let Some(value) = value(*byte) else { return false };
        sum += value * weight;
    }
    let Some(last) = number.compact.last() else { return false };
    if last.is_ascii_digit() {
        return !sum.is_multiple_of(11) && (11 - sum % 11) % 10 == value(*last).unwrap_or_default();
    }
    (23 - sum % 23) == value(*last).unwrap_or_default()
}

/// Payments NZ and Inland Revenue's RWT and NRWT certificate specification: bank, branch, account and suffix, weighed as the bank asks.
fn bank_account(number: &Number<'_>) -> bool {
    let (bank, branch, account) = (number.value(0, 2), number.value(2, 4), number.value(6, 7));
    let rest = number.compact.len().saturating_sub(13);
    // Bank (2), branch (4), account (8), suffix (4), with the account of seven digits and the suffix filled from the left.
    let weigh = |weights: [u32; 18], modulus: u32, digit_sums: bool| {
        let mut sum = 0;
        for (place, weight) in weights.into_iter().enumerate() {
            let digit = match place {
                0..6 => number.digit(place),
                6 => 0,
                7..14 => number.digit(place - 1),
                _ => (place + rest).checked_sub(5).filter(|at| *at >= 13).map_or(0, |at| number.digit(at)),
            };
            let product = digit * weight;
            sum += if digit_sums { fold(product) } else { product };
        }
        sum.is_multiple_of(modulus)
    };
    const A: [u32; 18] = [0, 0, 6, 3, 7, 9, 0, 0, 10, 5, 8, 4, 2, 1, 0, 0, 0, 0];
    const B: [u32; 18] = [0, 0, 0, 0, 0, 0, 0, 0, 10, 5, 8, 4, 2, 1, 0, 0, 0, 0];
    const D: [u32; 18] = [0, 0, 0, 0, 0, 0, 0, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0];
    const E: [u32; 18] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 4, 3, 2, 0, 0, 0, 1];
    const F: [u32; 18] = [0, 0, 0, 0, 0, 0, 0, 1, 7, 3, 1, 7, 3, 1, 0, 0, 0, 0];
    const G: [u32; 18] = [0, 0, 0, 0, 0, 0, 0, 1, 3, 7, 1, 3, 7, 1, 0, 3, 7, 1];
    account != 0
        && has_branch(bank, branch)
        && match bank {
            1..=3 | 6 | 10..=24 | 27 | 30 | 35 | 38 | 88 => weigh(if account < 990_000 { A } else { B }, 11, false),
            4 => weigh(A, 11, false) || weigh(B, 11, false),
            8 => weigh(D, 11, false),
            9 => weigh(E, 11, true),
            25 | 33 => weigh(F, 10, false),
            26 | 28 | 29 => weigh(G, 10, true),
            31 => true,
            _ => false,
        }
}

/// The branches that each bank may have, by the same specification.
fn has_branch(bank: u64, branch: u64) -> bool {
    match bank {
        1 => matches!(branch, 1..=999 | 1100..=1199 | 1800..=1899),
        2 => matches!(branch, 1..=999 | 1200..=1299),
        3 => matches!(branch, 1..=999 | 1300..=1399 | 1500..=1599 | 1700..=1799 | 1900..=1999 | 7350..=7399),
        4 => matches!(branch, 2014..=2024),
        6 => matches!(branch, 1..=999 | 1400..=1499),
        8 => matches!(branch, 6500..=6599),
        9 => branch == 0,
        10 => matches!(branch, 5165..=5169),
        11 => matches!(branch, 5000..=6499 | 6600..=8999),
        12 => matches!(branch, 3000..=3299 | 3400..=3499 | 3600..=3699),
        25 => matches!(branch, 2500..=2599),
        26 => matches!(branch, 2600..=2699),
        28 | 29 => matches!(branch, 2100..=2299),
        30 => matches!(branch, 2900..=2949),
        31 => matches!(branch, 2800..=2849),
        33 => matches!(branch, 6700..=6799),
        35 => matches!(branch, 2400..=2499),
        38 => matches!(branch, 9000..=9499),
        88 => matches!(branch, 8800..=8805),
        // Savings banks: 3300 to 4999, a hundred or less each.
        13..=24 | 27 => matches!(branch, 3300..=4999),
        _ => false,
    }
}

/// The sum of the digits, again for what is left of two.
fn fold(product: u32) -> u32 {
    let once = product / 10 + product % 10;
    once / 10 + once % 10
}

/// A branch written with three digits, filled up.
fn long_branch(number: &Number<'_>) -> Filled {
    let mut digits = [b'0'; 17];
    let (bank, rest) = number.compact.split_at(number.compact.len().min(2));
    for (to, from) in digits.iter_mut().zip(bank.iter().chain(b"0").chain(rest)) {
        *to = *from;
    }
    Filled { digits, length: (number.compact.len() + 1).min(17) }
}

struct Filled {
    digits: [u8; 17],
    length: usize,
}

impl Filled {
    fn as_number(&self) -> Number<'_> {
        Number { compact: self.digits.get(..self.length).unwrap_or_default(), raw: "" }
    }
}

#[cfg(test)]
mod tests;

//! International bank account numbers (ISO 13616) and their country's own checks where those are simple.
//!
//! What a reader could get wrong: the length belongs to the country, so a text behind a number is never taken for a part of it.

use super::algorithm::{base_36, remainder, weigh};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::IBAN_CODE,
        forms: &[
            "AA99 XXXX XXXX XXX",
            "#AA99XXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX",
            "#AA99XXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XX",
            "#AA99XXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXX",
            "#AA99XXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX",
            "#AA99XXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX X",
            "#AA99XXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XX",
            "#AA99XXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXX",
            "#AA99XXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX",
            "#AA99XXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX X",
            "#AA99XXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX X",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX XX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX XXX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX XXXX",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXXXXXX",
            "AA99 XXXX XXXX XXXX XXXX XXXX XXXX XXXX X",
            "#AA99XXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        ],
        valid: iban,
        context: &[
            "iban",
            "bank account",
            "bank",
            "account",
            "konto",
            "kontonummer",
            "bankverbindung",
            "überweis",
            "compte",
            "virement",
            "rib",
            "cuenta",
            "transferencia",
            "conto corrente",
            "bonifico",
            "rekening",
            "conta bancária",
            "rachunek",
            "номер счёта",
        ],
        alone: 0.9,
        near: 1.0,
    },
    Identifier {
        entity: Entity::ACCOUNT_NUMBER,
        forms: &["#20"],
        valid: |number| spanish(number.compact),
        context: &[
            "ccc",
            "código cuenta cliente",
            "cuenta corriente",
            "cuenta bancaria",
            "número de cuenta",
            "spanish bank account",
            "spanish",
        ],
        alone: 0.0,
        near: 0.95,
    },
    Identifier {
        entity: Entity::ACCOUNT_NUMBER,
        forms: &["9999 99 99999", "9999.99.99999", "#11"],
        valid: |number| norwegian(number.compact),
        context: &["kontonr", "konto nr", "norsk konto", "norwegian bank account"],
        alone: 0.0,
        near: 0.95,
    },
];

/// ISO 13616-1: the length of the country, then MOD 97-10 with the first four characters at the end.
fn iban(number: &Number<'_>) -> bool {
    let Some((head, account)) = number.compact.split_at_checked(4) else { return false };
    let country = head.get(..2).unwrap_or_default();
    let long = length(country) == number.compact.len();
    long && !number.raw.contains('/')
        && remainder(account.iter().chain(head), 97) == 1
        && match country {
            b"NO" => norwegian(account),
            b"ES" => spanish(account),
            b"BE" => belgian(account),
            b"ME" | b"MK" | b"RS" | b"SI" | b"BA" | b"PT" | b"TL" => remainder(account, 97) == 1,
            _ => true,
        }
}

/// The length of a country's numbers, as in SWIFT's IBAN registry; 0 for no such country.
fn length(country: &[u8]) -> usize {
    match country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => 0,
    }
}

/// Finans Norge: weights 5 to 2, then 7 to 2, modulo 11; numbers of a bank's own (`0000` in front) use Luhn's check.
fn norwegian(account: &[u8]) -> bool {
    match account.strip_prefix(b"0000") {
        Some(own) => super::luhn(own),
        None => weigh(account, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
    }
}

/// Consejo Superior Bancario, código cuenta cliente: one digit for bank and branch, one for the account; powers of two modulo 11.
fn spanish(account: &[u8]) -> bool {
    let check = |digits: &[u8], weights: &[u32]| match 11 - weigh(digits, weights) % 11 {
        10 => 1,
        11 => 0,
        digit => digit,
    };
    let Some((bank, rest)) = account.split_at_checked(8) else { return false };
    let Some((checks, own)) = rest.split_at_checked(2) else { return false };
    let first = check(bank, &[4, 8, 5, 10, 9, 7, 3, 6]);
    let second = check(own, &[1, 2, 4, 8, 5, 10, 9, 7, 3, 6]);
    checks.iter().map(|byte| base_36(*byte)).eq([first, second]) && own.len() == 10
}

/// Febelfin: the first ten modulo 97, 97 for none left.
fn belgian(account: &[u8]) -> bool {
    let Some((body, check)) = account.split_at_checked(10) else { return false };
    let left = remainder(body, 97);
    remainder(check, 100) == if left == 0 { 97 } else { left }
}

#[cfg(test)]
mod tests;

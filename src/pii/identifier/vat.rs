//! Value added tax numbers with their country in front, and how each country checks its own.
//!
//! What a reader could get wrong: several countries give natural persons the number of their register of persons, so a VAT number may be one of
//! those as well (Spain, Czechia, Bulgaria, Latvia).

use super::algorithm::{base_36, is_upper, mod_11_10, remainder, weigh};
use super::{Identifier, Number, luhn};
use super::{balkan, baltic, europe_central, europe_east, iberia};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::VAT_ID,
        forms: &[
            "AA99999999",
            "AA999999999",
            "AA9999999999",
            "AA99999999999",
            "AA999999999999",
            "AA 999 999 999",
            "AA 999999999",
            "AA-999-999-999",
            "AA 99999999999",
            "AA 99 999999999",
            "AA 99 999 999 999",
            "AAA99999999",
            "AAA 99999999",
            "AA999999999A99",
            "AA 999999999A99",
            "AAA9999999X",
            "AAA-999.999.999",
            "AAA999999999",
        ],
        valid: |number| is_upper(number) && prefixed(number),
        context: &["@vat"],
        alone: 0.45,
        near: 1.0,
    },
    Identifier {
        entity: Entity::VAT_ID,
        forms: &[
            "#AA99",
            "#AA999",
            "#AA9999",
            "#AA99999",
            "#AA999999",
            "#AA9999999",
            "#AA99999999",
            "#AA999999999",
            "#AA9999999999",
            "#AA99999999999",
            "#AA999999999999",
            "#AAA99999999",
            "#AAA999999999",
            "#AAA999999999AAA",
            "#AAA999999999AAAA",
            "#AA999999999AAA",
            "#AA99999999A",
            "#AA99999999AA",
            "#AAA9999999X",
            "#AAXX999999999",
            "#AA9999999A",
            "#AA9999999AA",
            "#AA9A99999A",
            "#AA999999999A99",
            "#AA99999999A99",
            "#AA9999999A99",
            "#AAAA999",
        ],
        valid: prefixed,
        context: &[
            "@vat",
            "@tax",
            "steuer",
            "partita",
            "enterprise number",
            "ondernemingsnummer",
            "enterprise",
            "numéro d'entreprise",
            "invoice",
            "rechnung",
            "facture",
            "factura",
            "fattura",
            "nif",
            "ytunnus",
            "y-tunnus",
            "adószám",
            "cui",
            "unternehmens-identifikation",
            "business identifier",
            "swiss",
            "schweiz",
            "suisse",
            "cif",
        ],
        alone: 0.0,
        near: 0.95,
    },
];

/// A number with its country in front.
fn prefixed(number: &Number<'_>) -> bool {
    let Some((country, body)) = number.compact.split_at_checked(2) else { return false };
    match (country, body) {
        (b"CH", [b'E', body @ ..]) => match body.split_at_checked(9) {
            Some((digits, suffix)) => {
                swiss(digits) && matches!(suffix, b"" | b"MWST" | b"TVA" | b"IVA" | b"TPV" | b"VAT" | b"HR")
            }
            None => false,
        },
        (b"NO", body) => {
            let digits = body.strip_suffix(b"MVA").unwrap_or(body);
            digits.len() == 9 && norwegian(digits)
        }
        (b"AT", [b'U', digits @ ..]) => digits.len() == 8 && austrian(digits),
        _ => std::str::from_utf8(country).is_ok_and(|country| national(country, body)),
    }
}

/// Whether `body` is a VAT number of that member state (the prefix as in the European Commission's VIES), without its prefix.
pub(super) fn national(country: &str, body: &[u8]) -> bool {
    let number = Number { compact: body, raw: "" };
    let digits = body.iter().all(u8::is_ascii_digit) && body.iter().any(|byte| *byte != b'0');
    // Whether the weighted sum, check digit included, is a multiple of the modulus.
    let even = |weights: &[u32], modulus: u32| weigh(body, weights).is_multiple_of(modulus);
    match (country, body.len(), digits) {
        ("BE", 9 | 10, true) => belgian(body),
        ("BG", 9, true) => bulgarian(body),
        ("BG", 10, true) => {
            europe_east::egn(&number)
                || europe_east::foreigner(&number)
                || (11 - weigh(body, &[4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 == number.digit(9)
        }
        ("CY", 9, false) => balkan::cypriot(body),
        ("CZ", 8..=10, true) => czech(&number),
        ("DE", 9, true) => body.first() != Some(&b'0') && mod_11_10(body),
        ("DK", 8, true) => body.first() != Some(&b'0') && even(&[2, 7, 6, 5, 4, 3, 2, 1], 11),
        ("EE", 9, true) => even(&[3, 7, 1, 3, 7, 1, 3, 7, 1], 10),
        ("EL" | "GR", 9, true) => balkan::greek(body),
        ("ES", 9, _) => iberia::any(&number),
        ("FI", 8, true) => even(&[7, 9, 10, 5, 8, 4, 2, 1], 11),
        ("FR" | "MC", 11, _) => french(body),
        ("GB" | "XI", ..) => british(body),
        ("HR", 11, true) => mod_11_10(body),
        ("HU", 8, true) => even(&[9, 7, 3, 1, 9, 7, 3, 1], 10),
        ("IE", 8 | 9, false) => irish(body),
        ("IT", 11, true) => italian(&number),
        ("LT", 9 | 12, true) => lithuanian(&number),
        ("LU", 8, true) => number.value(0, 6) % 89 == number.value(6, 2),
        ("LV", 11, true) if number.digit(0) > 3 => weigh(body, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3,
        ("LV", 11, true) => baltic::latvian(&number),
        ("MT", 8, true) => body.first() != Some(&b'0') && even(&[3, 4, 6, 7, 8, 9, 10, 1], 37),
        ("NL", 10..=12, false) => dutch(body),
        ("PL", 10, true) => europe_central::nip(&number),
        ("PT", 9, true) => iberia::pt_nif(&number),
        ("RO", 2..=10, true) => romanian(body),
        ("SE", 12, true) => number.value(10, 2) == 1 && body.get(..10).is_some_and(luhn),
        ("SI", 8, true) => {
            let check = 11 - weigh(body, &[8, 7, 6, 5, 4, 3, 2]) % 11;
            body.first() != Some(&b'0') && check < 11 && check % 10 == number.digit(7)
        }
        ("SK", 10, true) => {
            number.digit(0) != 0 && matches!(number.digit(2), 2..=4 | 7..=9) && number.value(0, 10).is_multiple_of(11)
        }
        _ => false,
    }
}

/// FPS Economy: 97 less the first eight modulo 97; older numbers lack the leading zero.
fn belgian(digits: &[u8]) -> bool {
    let (body, check) = digits.split_at(digits.len().saturating_sub(2));
    let new = digits.len() == 9 || matches!(digits.first(), Some(b'0' | b'1'));
    new && 97 - remainder(body, 97) == remainder(check, 100)
}

/// Национална агенция за приходите: weights 1 to 8 modulo 11; where ten is left 3 to 10, and then 0.
fn bulgarian(digits: &[u8]) -> bool {
    let first = weigh(digits, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
    let second = weigh(digits, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10;
    digits.get(8).is_some_and(|check| base_36(*check) == if first == 10 { second } else { first })
}

/// Finanční správa: organisations have eight digits modulo 11, persons nine or ten (see `europe_central`), or nine that begin with 6.
fn czech(number: &Number<'_>) -> bool {
    match (number.compact.len(), number.digit(0)) {
        (8, 0..=8) => {
            let check = (11 - number.weighted(&[8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            (if check == 0 { 1 } else { check }) % 10 == number.digit(7)
        }
        (9, 6) => {
            let left = number.weighted(&[0, 8, 7, 6, 5, 4, 3, 2]) % 11;
            8_u32.checked_sub((10 - left) % 11) == Some(number.digit(8)) || europe_central::birth_number(number)
        }
        (9 | 10, _) => europe_central::birth_number(number),
        _ => false,
    }
}

/// BMF, Aufbau der UID: digits in even places doubled, four added, modulo 10.
pub(super) fn austrian(digits: &[u8]) -> bool {
    let doubled = |(place, byte): (usize, &u8)| match (place % 2, base_36(*byte)) {
        (0, digit) => digit,
        (_, digit) => digit * 2 / 10 + digit * 2 % 10,
    };
    let sum: u32 = digits.iter().take(7).enumerate().map(doubled).sum();
    digits.get(7).is_some_and(|check| (10 - (sum + 4) % 10) % 10 == base_36(*check))
}

/// Eidgenössische UID (eCH-0097): weights 5, 4, 3, 2, 7, 6, 5, 4 modulo 11.
pub(super) fn swiss(digits: &[u8]) -> bool {
    weigh(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 1]).is_multiple_of(11)
}

/// Brønnøysundregistrene: weights 3, 2, 7, 6, 5, 4, 3, 2 modulo 11; the first digit is 8 or 9.
pub(super) fn norwegian(digits: &[u8]) -> bool {
    matches!(digits.first(), Some(b'8' | b'9')) && weigh(digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// DGFiP: a key of two in front of the SIREN (Luhn's check; Monaco's begin with 000 and have none), in digits or with letters.
fn french(body: &[u8]) -> bool {
    const KEYS: &[u8; 34] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Some((key, siren)) = body.split_at_checked(2) else { return false };
    if !siren.iter().all(u8::is_ascii_digit) || !(luhn(siren) || siren.starts_with(b"000")) {
        return false;
    }
    let value = siren.iter().fold(0, |value, byte| value * 10 + base_36(*byte));
    if key.iter().all(u8::is_ascii_digit) {
        return remainder(key, 100) == (12 + 3 * (value % 97)) % 97;
    }
    let place = |at: usize| {
        key.get(at).and_then(|byte| KEYS.iter().position(|known| known == byte)).and_then(|at| u32::try_from(at).ok())
    };
    let (Some(first), Some(second)) = (place(0), place(1)) else { return false };
    let check = if first < 10 { (first * 24 + second).checked_sub(10) } else { (first * 34 + second).checked_sub(100) };
    check.is_some_and(|check| (value + 1 + check / 11) % 11 == check % 11)
}

/// HMRC Notice 700, VAT trader's manual: weights 8 to 2 and the two last digits modulo 97, or with 55 added; three more digits for a branch;
/// departments (GD, below 500) and health authorities (HA) have three digits.
pub(super) fn british(body: &[u8]) -> bool {
    match body {
        [b'G', b'D', number @ ..] if number.len() == 3 => remainder(number, 1000) < 500,
        [b'H', b'A', number @ ..] if number.len() == 3 => remainder(number, 1000) >= 500,
        digits if matches!(digits.len(), 9 | 12) && digits.iter().all(u8::is_ascii_digit) => {
            let sum = weigh(digits, &[8, 7, 6, 5, 4, 3, 2, 10, 1]) % 97;
            matches!(sum, 0 | 42) && digits.iter().take(7).any(|byte| *byte != b'0')
        }
        _ => false,
    }
}

/// Revenue Commissioners: the check letter of a PPS number; in older numbers the second character is a letter or a sign.
fn irish(body: &[u8]) -> bool {
    let Some(check) = body.get(7) else { return false };
    let second = match body.get(8) {
        None | Some(b'W') => 0,
        Some(letter @ b'A'..=b'I') => u32::from(letter - b'A') + 1,
        Some(_) => return false,
    };
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let sum = if body.get(..7).is_some_and(digits) {
        weigh(body, &[8, 7, 6, 5, 4, 3, 2]) + second * 9
    } else if body.get(2..7).is_some_and(digits) && body.len() == 8 {
        weigh(body, &[2, 0, 7, 6, 5, 4, 3])
    } else {
        return false;
    };
    body.first().is_some_and(u8::is_ascii_digit) && b"WABCDEFGHIJKLMNOPQRSTUV".get((sum % 23) as usize) == Some(check)
}

/// Agenzia delle Entrate: serial, province, Luhn's digit.
pub(super) fn italian(number: &Number<'_>) -> bool {
    let province = number.value(7, 3);
    number.value(0, 7) != 0 && matches!(province, 1..=100 | 120 | 121 | 888 | 999) && luhn(number.compact)
}

/// Valstybinė mokesčių inspekcija: weights 1 to 9 in turn modulo 11; where ten is left they begin with 3, and then 0.
pub(super) fn lithuanian(number: &Number<'_>) -> bool {
    let last = number.compact.len() - 1;
    let sum = |from: usize| {
        let weights = (from..).map(|place| u32::try_from(place % 9 + 1).unwrap_or_default());
        number.compact.iter().take(last).zip(weights).map(|(byte, weight)| base_36(*byte) * weight).sum::<u32>() % 11
    };
    let check = if sum(0) == 10 { sum(2) % 10 } else { sum(0) };
    number.digit(last - 1) == 1 && check == number.digit(last)
}

/// Belastingdienst: until 2019 a number that is eleven-proof (often without its leading zeros), since then MOD 97-10 over all with `NL` in front;
/// `B` and two digits behind.
fn dutch(body: &[u8]) -> bool {
    let Some((digits, suffix)) = body.split_at_checked(body.len().saturating_sub(3)) else { return false };
    let shape = digits.iter().all(u8::is_ascii_digit)
        && suffix.first() == Some(&b'B')
        && suffix.iter().skip(1).all(u8::is_ascii_digit);
    let sum: u32 =
        digits.iter().rev().zip([10, 2, 3, 4, 5, 6, 7, 8, 9]).map(|(byte, weight)| base_36(*byte) * weight).sum();
    shape && (sum.is_multiple_of(11) || remainder(b"NL".iter().chain(body), 97) == 1)
}

/// ANAF: weights 7, 5, 3, 2, 1, 7, 5, 3, 2 to the right, ten times the sum modulo 11.
pub(super) fn romanian(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let sum: u32 =
        body.iter().rev().zip([2, 3, 5, 7, 1, 2, 3, 5, 7]).map(|(byte, weight)| base_36(*byte) * weight).sum();
    digits.first() != Some(&b'0') && sum * 10 % 11 % 10 == base_36(*check)
}

#[cfg(test)]
mod tests;

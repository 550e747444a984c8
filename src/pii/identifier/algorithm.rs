//! Check digits that several countries share: Verhoeff, ISO 7064, Luhn over letters and digits.
//!
//! What a reader could get wrong: each takes the compact form with the check character at its end, and trusts its caller that the form fits.

use super::Number;

/// Verhoeff's check: J. Verhoeff, Error Detecting Decimal Codes, Mathematical Centre Tracts 29, 1969; finds every single wrong digit and every
/// swap of neighbours. Digits are multiplied in the dihedral group of the pentagon, each permuted by its place.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |byte: u8, place: usize| {
        (0..place % 8).fold(byte.wrapping_sub(b'0') % 10, |digit, _| {
            PERMUTATION.get(usize::from(digit)).copied().unwrap_or_default()
        })
    };
    digits.iter().rev().enumerate().fold(0, |sum, (place, byte)| product(sum, permuted(*byte, place))) == 0
}

/// The product in the group of a pentagon's five turns (0 to 4) and five flips (5 to 9).
fn product(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// ISO/IEC 7064 MOD 11-2: digits, and an `X` for ten as the check character.
pub(super) fn mod_11_2(compact: &[u8]) -> bool {
    let value = |byte: &u8| if *byte == b'X' { 10 } else { u32::from(byte.wrapping_sub(b'0')) };
    compact.iter().map(value).fold(0, |sum, value| (sum * 2 + value) % 11) == 1
}

/// ISO/IEC 7064 MOD 11,10: digits only.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, byte| match (product + base_36(*byte)) % 10 {
        0 => 9,
        sum => sum * 2 % 11,
    });
    (product + base_36(*check)) % 10 == 1
}

/// What is left of a number of any length; a letter counts as two digits, 10 to 35 (as in ISO/IEC 7064 MOD 97-10).
pub(super) fn remainder<'b>(compact: impl IntoIterator<Item = &'b u8>, modulus: u32) -> u32 {
    compact.into_iter().fold(0, |left, byte| match base_36(*byte) {
        value @ 10.. => (left * 100 + value) % modulus,
        value => (left * 10 + value) % modulus,
    })
}

/// The sum of digit times weight, from the left; letters count as in [`base_36`].
pub(super) fn weigh(compact: &[u8], weights: &[u32]) -> u32 {
    compact.iter().zip(weights).map(|(byte, weight)| base_36(*byte) * weight).sum()
}

/// The letters and digits of machine-readable travel documents (ICAO 9303): weights 7, 3, 1 in turn, modulo 10; the check digit comes last.
pub(super) fn mod_7_3_1(compact: &[u8]) -> bool {
    let Some((check, body)) = compact.split_last() else { return false };
    let sum: u32 = body.iter().zip([7, 3, 1].into_iter().cycle()).map(|(byte, weight)| base_36(*byte) * weight).sum();
    check.is_ascii_digit() && sum % 10 == base_36(*check)
}

/// Luhn's check over the 36 characters 0 to 9 and A to Z.
pub(super) fn luhn_36(compact: &[u8]) -> bool {
    let sum: u32 = compact
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let twice = base_36(*byte) * if place % 2 == 0 { 1 } else { 2 };
            twice / 36 + twice % 36
        })
        .sum();
    sum.is_multiple_of(36)
}

/// 0 to 9 and A to Z as 0 to 35.
pub(super) fn base_36(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or_default()
}

/// All characters are the same one: what people type to fill a field, and what many checks let pass.
pub(super) fn is_uniform(number: &Number<'_>) -> bool {
    number.compact.windows(2).all(|pair| pair.first() == pair.last())
}

/// The number without the country in front of it, if one is there; what else has letters in front is none.
pub(super) fn without<'n>(number: &Number<'n>, country: &[u8]) -> Option<&'n [u8]> {
    let rest = number.compact.strip_prefix(country).unwrap_or(number.compact);
    rest.first().filter(|byte| byte.is_ascii_digit()).map(|_| rest)
}

/// No lower case letter: in code and hashes they are as likely as upper case ones, on documents there are none.
pub(super) fn is_upper(number: &Number<'_>) -> bool {
    !number.raw.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Whether the digit at `place` is what brings a weighted sum up to a multiple of `modulus`; a remainder of ten is written as 0.
pub(super) fn completes(number: &Number<'_>, place: usize, sum: u32, modulus: u32) -> bool {
    (modulus - sum % modulus) % modulus % 10 == number.digit(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_specimens_pass_and_a_swap_does_not() {
        assert!(verhoeff(b"2363") && !verhoeff(b"2633"));
        assert!(verhoeff(b"123451") && !verhoeff(b"123415"));
        assert!(mod_11_2(b"07940"), "the specimen of ISO 7064");
        assert!(mod_11_2(b"079X") && !mod_11_2(b"097X"));
        assert!(mod_11_10(b"07945") && !mod_11_10(b"09745"), "the specimen of ISO 7064");
        assert_eq!(remainder(b"3214282912345698765432161182", 97), 1);
        assert!(mod_7_3_1(b"L898902C36") && !mod_7_3_1(b"L898902C63"), "the specimen of ICAO 9303");
        assert!(luhn_36(b"27AAPFU0939F1ZV") && !luhn_36(b"27AAPFU0939F1ZO"));
    }
}

//! Numbers as written in digits or in words, so that "five", "5" and "5.0" are one and "1,250" is 1250.
//!
//! What a reader could get wrong: "second" is left a word (of time, mostly), and "one", "double", "a couple", "third" are numbers of the soft kind: a question
//! asked again often leaves them out.

/// The value of a word of number, and whether it multiplies what stands before it ("two hundred"), and whether it is soft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Numeral {
    /// Below twenty.
    Unit(f64),
    Ten(f64),
    Times(f64),
    Soft(f64),
}

/// What a word in lower case counts.
pub fn numeral(word: &str) -> Option<Numeral> {
    const UNITS: [&str; 18] = [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    if let Some(place) = UNITS.iter().position(|unit| *unit == word) {
        return Some(Numeral::Unit(place as f64 + 2.0));
    }
    if let Some(place) = TENS.iter().position(|ten| *ten == word) {
        return Some(Numeral::Ten((place as f64 + 2.0) * 10.0));
    }
    Some(match word {
        "zero" => Numeral::Unit(0.0),
        "hundred" => Numeral::Times(100.0),
        "thousand" => Numeral::Times(1e3),
        "million" => Numeral::Times(1e6),
        "billion" => Numeral::Times(1e9),
        "dozen" | "dozens" => Numeral::Times(12.0),
        "fourty" => Numeral::Ten(40.0),
        "one" | "once" | "single" => Numeral::Soft(1.0),
        "twice" | "double" | "couple" | "pair" | "doubled" | "doubles" | "doubling" => Numeral::Soft(2.0),
        "thrice" | "triple" | "tripled" | "triples" | "tripling" | "threefold" | "treble" => Numeral::Soft(3.0),
        // Below zero, so that the third is no three.
        "third" => Numeral::Soft(-3.0),
        "fourth" => Numeral::Soft(-4.0),
        "fifth" => Numeral::Soft(-5.0),
        "sixth" => Numeral::Soft(-6.0),
        "seventh" => Numeral::Soft(-7.0),
        "eighth" => Numeral::Soft(-8.0),
        "ninth" => Numeral::Soft(-9.0),
        "tenth" => Numeral::Soft(-10.0),
        "half" | "halved" => Numeral::Soft(0.5),
        "quarter" => Numeral::Soft(0.25),
        _ => return None,
    })
}

/// The denominator of "two thirds".
pub fn parts(word: &str) -> Option<f64> {
    Some(match word.trim_end_matches('s') {
        "half" | "halve" => 2.0,
        "third" => 3.0,
        "fourth" | "quarter" => 4.0,
        "fifth" => 5.0,
        "sixth" => 6.0,
        "seventh" => 7.0,
        "eighth" => 8.0,
        "tenth" => 10.0,
        _ => return None,
    })
}

/// The word of "3rd".
pub fn ordinal(value: f64) -> Option<&'static str> {
    const WORDS: [&str; 10] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    WORDS.iter().zip(1_u32..).find(|(_, number)| f64::from(*number) == value).map(|(word, _)| *word)
}

/// Reads digits from the beginning of `text`: the value and how many bytes; commas and spaces only between groups of three.
pub fn digits(text: &str) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    if !is_digit(0) {
        return None;
    }
    let (mut value, mut at) = (0.0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => value = value * 10.0 + f64::from(byte - b'0'),
            b',' if is_digit(at + 1) && is_digit(at + 2) && is_digit(at + 3) && !is_digit(at + 4) => {}
            _ => break,
        }
        at += 1;
    }
    if bytes.get(at) == Some(&b'.') && is_digit(at + 1) {
        let mut scale = 0.1;
        at += 1;
        while is_digit(at) {
            let digit = bytes.get(at).map_or(0.0, |byte| f64::from(byte - b'0'));
            value += digit * scale;
            scale /= 10.0;
            at += 1;
        }
    }
    Some(((value * 1e6).round() / 1e6, at))
}

/// What stands for the value wherever it is compared.
pub fn hash_of(value: f64) -> u32 {
    let bits = value.to_bits();
    ((bits ^ (bits >> 29)) as u32).wrapping_mul(0x85eb_ca6b) ^ (bits >> 32) as u32 ^ 0x0051_ed27
}

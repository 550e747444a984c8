//! Changes of numbers: one becomes another, two change places.
//!
//! What a reader could get wrong: "4.50" is one number; changed after the point by a zero it would be the same.

use crate::change::replaced;
use crate::exchange::exchange;
use crate::random::Random;
use crate::rewrite::{spelled, words_of};

/// Numbers in digits: place and spelling, decimals and thousands included.
fn digits(text: &str) -> Vec<(usize, &str)> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let (mut out, mut at) = (vec![], 0);
    while at < bytes.len() {
        let is_start = is_digit(at) && !at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric());
        let mut end = at + 1;
        while is_digit(at) && (is_digit(end) || (matches!(bytes.get(end), Some(b'.' | b',')) && is_digit(end + 1))) {
            end += 1;
        }
        if is_start && end - at < 12 {
            out.push((at, &text[at..end]));
        }
        at = end;
    }
    out
}

/// One number becomes another.
pub fn number(text: &str, random: &mut Random) -> Option<String> {
    let digits = digits(text);
    let worded: Vec<(usize, &str, usize)> = words_of(text)
        .filter_map(|(at, word)| {
            (2..=20).find(|value| spelled(*value) == word.to_lowercase()).map(|value| (at, word, value))
        })
        .collect();
    if digits.is_empty() && worded.is_empty() {
        return None;
    }
    if digits.is_empty() || (!worded.is_empty() && random.percent(30)) {
        let (at, word, value) = *random.pick(&worded);
        let other = Some(other(value as u64, random)).filter(|other| *other > 1).unwrap_or(value as u64 + 1);
        let to = if other < 21 && random.percent(60) { spelled(other as usize) } else { other.to_string() };
        return Some(replaced(text, at, word.len(), &to));
    }
    let (at, word) = *random.pick(&digits);
    if let Some((whole, part)) = word.rsplit_once('.') {
        let value: u64 = whole.replace([',', '.'], "").parse().ok()?;
        return Some(replaced(text, at, word.len(), &format!("{}.{part}", other(value, random))));
    }
    let value: u64 = word.replace(',', "").parse().ok()?;
    let other = other(value, random);
    let is_grouped = word.contains(',') && (1_000..1_000_000).contains(&other);
    let to = match () {
        () if is_grouped => format!("{},{:03}", other / 1_000, other % 1_000),
        () if (2..21).contains(&other) && random.percent(20) => spelled(other as usize),
        () => other.to_string(),
    };
    Some(replaced(text, at, word.len(), &to))
}

fn other(value: u64, random: &mut Random) -> u64 {
    let to = match random.below(7) {
        0 => value + 1,
        1 => value.saturating_sub(1),
        2 => value * 10,
        3 => value * 2,
        4 => value + random.between(1, 9) as u64,
        5 => value / 2 + 1,
        _ => random.between(2, (value as usize).clamp(5, 5_000) * 2) as u64,
    };
    if to == value { value + 2 } else { to }
}

/// Two numbers in each other's place.
pub fn numbers_swapped(text: &str, random: &mut Random) -> Option<String> {
    let digits: Vec<(usize, &str)> =
        words_of(text).filter(|(_, word)| word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() < 6).collect();
    let pairs: Vec<((usize, &str), (usize, &str))> = digits
        .windows(2)
        .filter(|two| {
            let between = &text[two[0].0 + two[0].1.len()..two[1].0];
            two[0].1 != two[1].1
                && between.chars().any(char::is_alphabetic)
                && !["and", "or", "plus", "times"].contains(&between.trim())
        })
        .map(|two| (two[0], two[1]))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let (a, b) = *random.pick(&pairs);
    exchange(text, a, b)
}

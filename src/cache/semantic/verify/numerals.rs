//! Words of number put together: "two hundred and fifty" is 250, "a dozen" 12, "two thirds" 0.666667, "3 million" 3000000.
//!
//! What a reader could get wrong: words are merged into the one before, so places shift; this runs before anything points at a place.

use super::lexicon::class;
use super::number::{self, Numeral};
use super::read::Raw;
use super::words::hash;

/// Words of number become numbers: "two hundred and fifty", "a dozen", "two thirds", "3 million".
pub fn join(words: &mut Vec<Raw>, letters: &str) {
    let spelling = |word: &Raw| letters.get(word.start..word.start + word.len).unwrap_or_default();
    let mut out: Vec<Raw> = Vec::with_capacity(words.len());
    // The value so far, what kind of word came last, and whether an "and" stands between.
    let mut rest = words.drain(..).peekable();
    while let Some(word) = rest.next() {
        let text = spelling(&word);
        let last = out.len().checked_sub(1);
        let before = last.and_then(|last| out.get(last)).filter(|word| word.class & class::NUMBER != 0);
        let adjacent = before.and_then(|word| word.value).filter(|_| word.value.is_none());
        if let (Some(value), Some(by)) =
            (adjacent.filter(|value| (0.0..=10.0).contains(value) && value.fract() == 0.0), number::parts(text))
        {
            merge(&mut out, (value / by * 1e6).round() / 1e6);
            continue;
        }
        // "one in five" is a fifth.
        let of = word.value.or_else(|| match number::numeral(text) {
            Some(Numeral::Unit(value)) => Some(value),
            _ => None,
        });
        let is_in = out.last().is_some_and(|last| spelling(last) == "in");
        let one = out.len().checked_sub(2).and_then(|place| out.get(place)).and_then(|word| word.value);
        if let Some(of) = of.filter(|of| is_in && one == Some(1.0) && (2.0..=20.0).contains(of)) {
            out.pop();
            merge(&mut out, (1.0 / of * 1e6).round() / 1e6);
            continue;
        }
        // "a third of them", "the third of May" but for the article.
        let is_share = out.last().is_some_and(|last| spelling(last) == "a")
            && rest.peek().is_some_and(|next| spelling(next) == "of");
        if let Some(by) = number::parts(text).filter(|by| is_share && *by > 2.0) {
            out.push(numbered(word, (1.0 / by * 1e6).round() / 1e6, false));
            continue;
        }
        match number::numeral(text).filter(|_| word.value.is_none()) {
            Some(Numeral::Times(by)) => match adjacent {
                Some(value) if (0.0..by).contains(&value) || by == 12.0 => merge(&mut out, value * by),
                Some(value) => merge(&mut out, times_rest(value, by)),
                None => out.push(numbered(word, by, false)),
            },
            Some(Numeral::Unit(value) | Numeral::Ten(value)) => {
                let and = out.last().is_some_and(|last| spelling(last) == "and");
                let place = out.len().checked_sub(if and { 2 } else { 1 });
                let sum = place.and_then(|place| out.get(place)).and_then(|word| word.value);
                let words_before = place.and_then(|place| out.get(place)).is_some_and(|word| word.len > 0);
                match sum.filter(|sum| words_before && fits(*sum, value, and)) {
                    Some(sum) => {
                        if and {
                            out.pop();
                        }
                        merge(&mut out, sum + value);
                    }
                    None => out.push(numbered(word, value, false)),
                }
            }
            Some(Numeral::Soft(value)) => {
                let ten = out.last().filter(|last| last.len > 0).and_then(|last| last.value);
                match ten.filter(|ten| text == "one" && fits(*ten, 1.0, false)) {
                    Some(ten) => merge(&mut out, ten + 1.0),
                    None => out.push(numbered(word, value, true)),
                }
            }
            None => out.push(word),
        }
    }
    drop(rest);
    hundredths(&mut out);
    *words = out;
}

/// "50 percent" is a half, as a number; the word of unit stays.
fn hundredths(words: &mut [Raw]) {
    const PERCENT: u32 = hash("percent");
    for place in 1..words.len() {
        let Some([number, unit]) = words.get_mut(place - 1..=place) else { continue };
        if let Some(value) = number.value.filter(|_| unit.hash == PERCENT) {
            set(number, (value * 1e4).round() / 1e6);
        }
    }
}

fn set(word: &mut Raw, value: f64) {
    (word.value, word.hash, word.stem) = (Some(value), number::hash_of(value), number::hash_of(value));
}

/// "two thousand three hundred": the hundred multiplies only what came last.
fn times_rest(value: f64, by: f64) -> f64 {
    let rest = value % by;
    value - rest + rest * by
}

/// Whether a smaller number word goes on with the sum: twenty + five, two hundred (and) + fifty.
fn fits(sum: f64, value: f64, and: bool) -> bool {
    if sum >= 100.0 && sum % 100.0 == 0.0 {
        return value < 100.0;
    }
    !and && value < 10.0 && value > 0.0 && sum % 10.0 == 0.0 && sum % 100.0 >= 20.0
}

fn numbered(mut word: Raw, value: f64, soft: bool) -> Raw {
    word.class = (word.class & class::QUOTED) | class::NUMBER | if soft { class::SOFT } else { 0 };
    set(&mut word, value);
    word
}

fn merge(out: &mut [Raw], value: f64) {
    if let Some(last) = out.last_mut() {
        last.class = (last.class & class::QUOTED) | class::NUMBER;
        set(last, value);
    }
}

//! What was heard of an answer, bounded, and how far two answers agree.
//!
//! What a reader could get wrong: the pieces of a relayed answer are shared with the relay, not copied. Where one of two answers was
//! heard in part only, as much of the other is compared.

use std::collections::HashMap;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::openai::said;

/// So much of an answer is kept; an answer that comes in one piece is kept whole.
const MOST: usize = 64 << 10;

/// An answer's bytes, or its beginning.
#[derive(Debug, Default)]
pub struct Heard {
    pieces: SmallVec<[Bytes; 2]>,
    bytes: usize,
    /// There was more.
    is_partial: bool,
}

impl Heard {
    pub fn take_in(&mut self, piece: &Bytes) {
        if self.is_partial || piece.is_empty() {
            return;
        }
        if !self.pieces.is_empty() && self.bytes + piece.len() > MOST {
            self.is_partial = true;
            return;
        }
        self.bytes += piece.len();
        self.pieces.push(piece.clone());
    }

    /// Its words; `None`: it is no JSON, or not all of it.
    fn words(&self) -> Option<Vec<String>> {
        // An upstream may answer whole where a stream was asked for; no event begins with a brace.
        let begins = self.pieces.iter().flat_map(|piece| piece.iter()).find(|byte| !byte.is_ascii_whitespace());
        if begins != Some(&b'{') {
            return Some(words(&said::of_stream(&self.pieces)));
        }
        let text = match self.pieces.as_slice() {
            [whole] => said::of_answer(whole),
            pieces => said::of_answer(&pieces.concat()),
        };
        text.map(|text| words(&text))
    }
}

/// How far two answers agree, 0 to 1; 1: the same words in the same order. `None`: they cannot be compared.
pub fn agreement(one: &Heard, other: &Heard) -> Option<f64> {
    let (mut a, mut b) = (one.words()?, other.words()?);
    if one.is_partial || other.is_partial {
        let shorter = a.len().min(b.len());
        a.truncate(shorter);
        b.truncate(shorter);
    }
    if a == b {
        return Some(1.0);
    }
    let mut counts: HashMap<&str, i64> = HashMap::new();
    a.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut shared = 0;
    for word in &b {
        if let Some(left) = counts.get_mut(word.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            shared += 1;
        }
    }
    // The F1 measure of words; the same words in another order are not quite the same.
    let overlap = 2.0 * f64::from(shared) / (a.len() + b.len()) as f64;
    Some(overlap.min(ANOTHER_ORDER))
}

/// All words are shared, but not in order.
const ANOTHER_ORDER: f64 = 0.999;

/// Letters and digits in lower case; what stands between them does not count. Chinese and Japanese are compared by character, because
/// they put no spaces between words.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    for c in text.chars() {
        let alone = ('\u{2e80}'..'\u{a000}').contains(&c) || ('\u{f900}'..'\u{fb00}').contains(&c);
        if (alone || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
            if alone {
                words.push(std::mem::take(&mut word));
            }
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Heard {
        let body = serde_json::json!({"choices": [{"message": {"content": text}}]}).to_string();
        let mut heard = Heard::default();
        heard.take_in(&Bytes::from(body));
        heard
    }

    fn agree(one: &str, other: &str) -> f64 {
        let agreed = agreement(&answer(one), &answer(other)).unwrap();
        let reverse = agreement(&answer(other), &answer(one)).unwrap();
        assert!((agreed - reverse).abs() < 1e-12);
        agreed
    }

    #[test]
    fn words_are_compared_without_case_and_punctuation() {
        assert_eq!(agree("Paris.", "paris"), 1.0);
        assert_eq!(agree("", ""), 1.0);
        assert_eq!(agree("yes", "no"), 0.0);
        assert_eq!(agree("", "no"), 0.0);
        assert_eq!(agree("a b c d", "a b x y"), 0.5);
        assert_eq!(agree("a a", "a b"), 0.5, "a word is shared as often as both have it");
        assert_eq!(agree("first second", "second first"), ANOTHER_ORDER);
        assert_eq!(agree("東京です", "京都です"), 0.75);
    }

    fn events(words: usize) -> Heard {
        let mut heard = Heard::default();
        for n in 0..words {
            let event = serde_json::json!({"choices": [{"index": 0, "delta": {"content": format!(" word{n}")}}]});
            heard.take_in(&Bytes::from(format!("data: {event}\n\n")));
        }
        heard
    }

    #[test]
    fn a_stream_and_a_whole_answer_are_the_same_if_their_words_are() {
        let whole = answer("word0 word1, word2");
        assert_eq!(agreement(&events(3), &whole), Some(1.0));
    }

    #[test]
    fn of_a_long_answer_the_beginning_is_kept_and_as_much_of_the_other_compared() {
        let (long, longer) = (events(5_000), events(6_000));
        assert!(long.is_partial && long.bytes <= MOST);
        assert_eq!(agreement(&long, &longer), Some(1.0));
        assert_eq!(agreement(&long, &events(100)), Some(1.0));
        // Whole JSON has no meaning without its end.
        let mut cut = Heard::default();
        cut.take_in(&Bytes::from_static(b"{\"choices\":[{\"message\":"));
        cut.take_in(&Bytes::from(vec![b' '; MOST]));
        assert_eq!(agreement(&cut, &answer("x")), None);
    }
}

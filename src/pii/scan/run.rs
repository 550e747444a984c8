//! A run: words of digits and letters with one separator between each two, around a digit.
//!
//! What a reader could get wrong: a run may begin with words that have no digit (`AB 12 34 56 C` is a British insurance number), and then it
//! overlaps with prose; forms decide what in it belongs together. Words longer than `LONGEST` (hashes, a megabyte of digits) are in no run; like
//! other long ones they are listed on their own, once each.

use std::ops::Range;

use smallvec::SmallVec;

/// The longest word of a run, in bytes; IBANs have 34.
pub(super) const LONGEST: usize = 40;
/// Words without a digit are part of a run up to this length.
const WORDLIKE: usize = 4;
/// The most words that are looked back for, and the most in a run (22 digits one by one, with words in front).
const BACK: usize = 8;
const WORDS: usize = 32;
/// The longest separator, in bytes: as many spaces, or a dash of three bytes between two.
const SPACES: usize = 5;
/// Words of this length and more are listed as long: what is shorter is no address of a crypto currency and no token.
const LONG: usize = 24;

/// A word of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Bit n: character n is a letter, or a digit.
    pub(super) letters: u64,
    pub(super) digits: u64,
    /// What stands in front of it: see [`separator`]; 0 for the first.
    pub(super) separator: u8,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) chunks: SmallVec<[Chunk; WORDS]>,
    /// Words of `LONG` bytes and more, with a digit among their first `LONGEST`.
    pub(super) long: SmallVec<[Range<usize>; 1]>,
    /// Everything in front of this has been looked at.
    pub(super) end: usize,
}

impl Run {
    /// From the first word with a digit to the last.
    pub(super) fn digits(&self) -> Range<usize> {
        let mut with = self.chunks.iter().filter(|chunk| chunk.digits != 0);
        let first = with.next();
        let last = with.next_back().or(first);
        first.map_or(0, |chunk| chunk.start)..last.map_or(0, |chunk| chunk.end)
    }
}

/// One separator at `at`: its length and its sign (any dash is `-`, any space a space). A dash between two spaces is one, as are a few spaces
/// (what is copied out of forms has those) and the bracket in front of a single character (`A123456(3)`).
pub(super) fn separator(text: &[u8], at: usize) -> Option<(usize, u8)> {
    match text.get(at)? {
        b' ' => match single(text, at + 1) {
            Some((length, b'-')) if text.get(at + 1 + length) == Some(&b' ') => Some((length + 2, b'-')),
            _ => Some((text.get(at..)?.iter().take(SPACES).take_while(|byte| **byte == b' ').count(), b' ')),
        },
        b'(' if text.get(at + 2) == Some(&b')') => Some((1, b'(')),
        _ => single(text, at),
    }
}

fn single(text: &[u8], at: usize) -> Option<(usize, u8)> {
    let one = match text.get(at)? {
        byte @ (b' ' | b'-' | b'.' | b'/' | b':' | b'+') => return Some((1, *byte)),
        0xc2 => match text.get(at + 1)? {
            0xa0 => b' ',
            0xb7 => b'.',
            _ => return None,
        },
        0xe2 if text.get(at + 1) == Some(&0x80) => {
            return match text.get(at + 2)? {
                // Thin and narrow spaces; hyphens and dashes.
                0x89 | 0xaf => Some((3, b' ')),
                0x90..=0x95 => Some((3, b'-')),
                _ => None,
            };
        }
        _ => return None,
    };
    Some((2, one))
}

/// The length of a separator that ends at `at`.
fn separator_before(text: &[u8], at: usize) -> Option<usize> {
    (1..=SPACES).rev().find(|length| {
        at.checked_sub(*length).is_some_and(|from| separator(text, from).is_some_and(|(found, _)| found == *length))
    })
}

/// The run around the digit at `at`.
pub(super) fn around(text: &[u8], at: usize) -> Run {
    let mut start = word_start(text, at);
    if at - start > LONGEST {
        return Run { chunks: SmallVec::new(), long: SmallVec::new(), end: word_end(text, at) };
    }
    for _ in 0..BACK {
        let Some(length) = separator_before(text, start) else { break };
        let end = start - length;
        let before = word_start(text, end);
        let word = text.get(before..end).unwrap_or_default();
        let has_digit = word.iter().any(u8::is_ascii_digit);
        let is_prose = !has_digit && is_prose(word, text.get(end).copied().unwrap_or(0));
        if word.is_empty() || is_prose || word.len() > if has_digit { LONGEST } else { WORDLIKE } {
            break;
        }
        start = before;
    }
    forward(text, start, at)
}

/// A small word between spaces: `were 14` is no identifier of six characters. Identifiers in small letters have digits in their words, single letters, or
/// other separators.
fn is_prose(word: &[u8], separator: u8) -> bool {
    separator == b' ' && word.len() > 1 && word.iter().all(u8::is_ascii_lowercase)
}

fn forward(text: &[u8], start: usize, at: usize) -> Run {
    let mut chunks = SmallVec::new();
    let mut long = SmallVec::new();
    let (mut from, mut sign, mut end) = (start, 0, at + 1);
    while chunks.len() < WORDS {
        let to = word_end_within(text, from);
        let Some(word) = text.get(from..to).filter(|word| !word.is_empty()) else { break };
        if word.len() > LONGEST {
            // Its digits are looked at by nobody; the rest of the text goes on behind it.
            if from <= at {
                chunks.clear();
            }
            if from <= at {
                end = word_end(text, to);
                long.push(from..end);
            }
            break;
        }
        let chunk = measured(word, from, sign);
        if chunk.digits == 0 && (word.len() > WORDLIKE || !chunks.is_empty() && is_prose(word, sign)) {
            break;
        }
        if chunk.digits != 0 {
            // Those in front of `at` were listed by the run that they were first seen in.
            if word.len() >= LONG && to > at {
                long.push(from..to);
            }
            end = end.max(to);
        }
        chunks.push(chunk);
        let Some((length, next)) = separator(text, to) else { break };
        (from, sign) = (to + length, next);
    }
    Run { chunks, long, end }
}

fn measured(word: &[u8], start: usize, separator: u8) -> Chunk {
    let (mut letters, mut digits) = (0, 0);
    for (place, byte) in word.iter().enumerate() {
        let bit = 1 << place;
        if byte.is_ascii_digit() { digits |= bit } else { letters |= bit }
    }
    Chunk { start, end: start + word.len(), letters, digits, separator }
}

/// Where the word that `end` is in or behind begins; at most a little more than `LONGEST` back.
fn word_start(text: &[u8], end: usize) -> usize {
    let window = text.get(end.saturating_sub(LONGEST + 1)..end).unwrap_or_default();
    end - window.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

fn word_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

fn word_end_within(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

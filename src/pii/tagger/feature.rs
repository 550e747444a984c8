//! The features of a word: numbers of buckets in the table of weights.
//!
//! What a reader could get wrong: training and tagging share this file, and a change here makes the shipped weights worthless; `make train` anew.

use super::lexicon::{CLASS, LINK, NEVER};
use super::token::{Beside, Shape, Token};

/// How many features a word has.
pub const FEATURES: usize = 28;
/// Words that are looked at on either side.
pub const AROUND: usize = 2;

/// Case of a text: no capitals at all, ordinary, mostly capitals.
const SMALL: u8 = 0;
const ORDINARY: u8 = 1;
const LOUD: u8 = 2;

/// What was seen of a text so far that its later parts should know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outlook {
    capital_seen: bool,
}

/// Fills in what only a look at many tokens tells: case of the text, likeness of lines to code, and for each token whether it is quiet: no part of
/// a name whatever stands around it.
pub fn survey(tokens: &mut [Token], outlook: &mut Outlook, quiet: &mut Vec<bool>) {
    quiet.clear();
    let mut count = Count::default();
    let mut line = Line::default();
    // What is quiet by itself, and what links nothing because nothing stands in front of it.
    let (mut before, mut after_stop) = (true, true);
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        if token.before == Beside::Line && place > 0 {
            let code = line.likeness_to_code();
            line = Line::default();
            if let Some(last) = tokens.get_mut(place - 1) {
                last.code = code;
            }
        }
        let Some(token) = tokens.get(place) else { break };
        count.add(token);
        line.add(token);
        before = is_quiet(token, before, after_stop || token.before == Beside::Line);
        quiet.push(before);
        after_stop = token.shape == Shape::Edge
            || token.shape == Shape::Sign
                && matches!(token.prefix.to_le_bytes(), [b'.' | b'!' | b'?' | b':' | b'"' | b'-' | b'*', ..]);
        place += 1;
    }
    let case = count.case(outlook);
    // Backwards: what links nothing because nothing stands behind it; the last may be followed by anything.
    let mut behind = false;
    let mut code = line.likeness_to_code();
    let mut ends = false;
    for (token, quiet) in tokens.iter_mut().zip(quiet.iter_mut()).rev() {
        if ends {
            code = token.code;
        }
        ends = token.before == Beside::Line;
        token.code = code;
        token.case = case;
        let links = token.shape == Shape::Sign || token.shape == Shape::Lower && token.flags & LINK != 0;
        *quiet |= links && behind;
        behind = *quiet;
    }
}

fn is_quiet(token: &Token, before: bool, first: bool) -> bool {
    let known = token.flags & NEVER != 0 || token.flags & LINK != 0 && before;
    match token.shape {
        Shape::Code | Shape::Edge => true,
        Shape::Lower => known,
        Shape::Initial => first && known,
        Shape::Sign => before,
        // "I", but not "A", which is an initial as well.
        Shape::Capital => known && token.prefix == u32::from(b'i'),
        // A number beside a sign that makes it an amount or part of a formula.
        Shape::Digit1 | Shape::Digit2 | Shape::Digit3 | Shape::Digits => {
            token.before == Beside::Code || token.behind == Beside::Code
        }
        _ => false,
    }
}

/// How the words of a block are written.
#[derive(Debug, Default)]
struct Count {
    words: usize,
    capitals: usize,
    loud: usize,
}

impl Count {
    fn add(&mut self, token: &Token) {
        let (word, capital) = match token.shape {
            Shape::Lower => (1, 0),
            Shape::Initial | Shape::Mixed | Shape::Upper => (1, 1),
            Shape::Capital => (0, 1),
            _ => (0, 0),
        };
        self.words += word;
        self.capitals += capital;
        self.loud += usize::from(token.shape == Shape::Upper);
    }

    fn case(&self, outlook: &mut Outlook) -> u8 {
        outlook.capital_seen |= self.capitals > 0;
        match outlook.capital_seen {
            _ if self.loud * 10 >= self.words * 7 && self.loud > 1 => LOUD,
            false => SMALL,
            true => ORDINARY,
        }
    }
}

/// What of a line looks like code.
#[derive(Debug, Default)]
struct Line {
    tokens: usize,
    signs: usize,
}

impl Line {
    fn add(&mut self, token: &Token) {
        self.tokens += 1;
        self.signs += match token.shape {
            Shape::Code => 2,
            Shape::Sign => weight(token),
            _ => 0,
        };
    }

    /// 0 to 3.
    fn likeness_to_code(&self) -> u8 {
        match self.signs * 10 / (self.tokens + 3) {
            0 => 0,
            1 => 1,
            2..=4 => 2,
            _ => 3,
        }
    }
}

/// How much a sign looks like code. Signs are compared as `affixes` folds them.
fn weight(token: &Token) -> usize {
    let [sign, wide, ..] = token.prefix.to_le_bytes();
    let joins = token.before == Beside::Letter && token.behind == Beside::Letter;
    match sign {
        _ if wide != 0 => 0,
        b'{' | b'}' | b'<' | b'>' | b'=' | b';' | b'|' | b'`' | b'$' => 2,
        b'/' | b'.' | b',' => usize::from(joins),
        b'"' | b'\'' => usize::from(matches!(token.behind, Beside::Colon | Beside::Comma | Beside::Closing)),
        b'(' if token.before == Beside::Letter => 2,
        b':' if token.behind == Beside::Colon || token.before == Beside::Colon => 2,
        _ => 0,
    }
}

/// Spreads two values over the table.
fn bucket(template: u64, a: u64, b: u64) -> u32 {
    let sum = (a ^ b.rotate_left(29)).wrapping_add(template.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let [_, x, y, z, ..] = (sum ^ sum >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes();
    u32::from_be_bytes([0, x, y, z])
}

/// The features of the third of five tokens; buckets are to be cut to the size of the table.
pub fn features(window: &[Token; 2 * AROUND + 1]) -> [u32; FEATURES] {
    let [ante, prev, here, next, post] = window;
    let shape = |token: &Token| u64::from(token.shape as u8) | u64::from(token.case) << 4;
    let class = |token: &Token| u64::from(token.flags & CLASS);
    let look = |token: &Token| shape(token) << 12 | class(token);
    let own = look(here);
    let beside = u64::from(here.before as u8) | u64::from(here.behind as u8) << 4 | u64::from(here.code) << 8;
    let prefix = u64::from(here.prefix) << 8 | shape(here);
    let suffix = |cut: u32| u64::from(here.suffix & (u32::MAX >> cut)) << 8 | shape(here);
    let shapes = shape(prev) << 12 | shape(here) << 6 | shape(next);
    [
        bucket(1, own, u64::from(here.code)),
        bucket(2, here.hash, 0),
        bucket(3, here.hash, shape(here)),
        bucket(4, prev.hash, 0),
        bucket(5, next.hash, 0),
        bucket(6, ante.hash, 0),
        bucket(7, post.hash, 0),
        bucket(8, prev.hash, here.hash),
        bucket(9, here.hash, next.hash),
        bucket(10, prev.hash, next.hash),
        bucket(11, ante.hash, prev.hash),
        bucket(12, next.hash, post.hash),
        bucket(13, suffix(0), 0),
        bucket(14, suffix(8), 0),
        bucket(15, suffix(16), 0),
        bucket(16, prefix, 0),
        bucket(17, look(prev), own),
        bucket(18, own, look(next)),
        bucket(19, class(prev) << 24 | class(here) << 12 | class(next), 0),
        bucket(20, shapes, u64::from(here.before as u8)),
        bucket(21, beside, shape(here)),
        bucket(22, prev.hash, own),
        bucket(23, next.hash, own),
        bucket(24, ante.hash ^ prev.hash.rotate_left(17), shape(here)),
        bucket(25, here.line, own),
        bucket(26, prev.hash, beside << 8 | shape(here)),
        bucket(27, shapes, shape(ante) << 8 | shape(post)),
        bucket(28, look(ante) << 20 | look(prev), own),
    ]
}

//! Reads prompt text once, as it stands in the body (JSON-escaped), into words (as hashes) and counts of marks, without allocating.
//!
//! What a reader could get wrong: everything that ends up in a score is counted in *decoded* text, so that the same prompt scores the
//! same however it was escaped; only positions are in escaped bytes.

/// A word longer than this is cut: a megabyte without a space must not be one word, nor be read whole.
const LONGEST_WORD: u32 = 64;
/// From this length on a word counts as long (`long words` among the features).
const LONG_WORD: u32 = 9;

/// What was counted in some text. Units: decoded bytes for `bytes`, else pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    pub bytes: u32,
    pub words: u32,
    pub long_words: u32,
    pub numbers: u32,
    pub capitals: u32,
    /// Letters outside of the Latin script.
    pub foreign: u32,
    /// Lines that begin as items of a list or as options do: `- `, `1.`, `A)`.
    pub items: u32,
    pub blank_lines: u32,
    /// By class, see the constants below.
    pub marks: [u32; CLASSES],
    line: Line,
}

/// What the current line began with, for `items`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Line {
    #[default]
    Within,
    Begun,
    Label,
}

/// Receives each word: its hash and where it stands in the escaped text.
pub(crate) trait Sink {
    fn word(&mut self, hash: u64, raw: &[u8]);
}

const SPACE: u8 = 0;
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const ESCAPE: u8 = 3;
const HIGH: u8 = 4;
pub(crate) const NEWLINE: u8 = 5;
pub(crate) const STOP: u8 = 6;
pub(crate) const QUESTION: u8 = 7;
pub(crate) const COMMA: u8 = 8;
pub(crate) const MATHS: u8 = 9;
pub(crate) const CODE: u8 = 10;
pub(crate) const PARENTHESIS: u8 = 11;
pub(crate) const QUOTE: u8 = 12;
pub(crate) const DASH: u8 = 13;
pub(crate) const BACKSLASH: u8 = 14;
const OTHER: u8 = 15;
pub(crate) const CLASSES: usize = 16;

const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut class = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'\\' => ESCAPE,
            0x80.. => HIGH,
            b'\n' => NEWLINE,
            b' ' | b'\t' | b'\r' => SPACE,
            b'.' | b'!' => STOP,
            b'?' => QUESTION,
            b',' => COMMA,
            b'=' | b'+' | b'*' | b'/' | b'^' | b'<' | b'>' | b'%' | b'|' | b'~' | b'$' => MATHS,
            b'{' | b'}' | b'[' | b']' | b'_' | b'`' | b';' | b'@' | b'#' | b'&' => CODE,
            b'(' | b')' => PARENTHESIS,
            b'"' | b'\'' => QUOTE,
            b'-' | b':' => DASH,
            _ => OTHER,
        };
        byte += 1;
    }
    class
}

/// Where reading ends, if not with the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Decoded bytes; the word that goes over them is read to its end.
    pub bytes: u32,
    /// Behind the first blank line that follows a word.
    pub paragraph: bool,
}

/// Reads `text` from `at` up to `limit`; returns where it stopped.
pub(crate) fn read(text: &[u8], mut at: usize, limit: Limit, tally: &mut Tally, sink: &mut impl Sink) -> usize {
    let end = tally.bytes.saturating_add(limit.bytes);
    let before = (tally.words, tally.blank_lines);
    tally.line = Line::Begun;
    while tally.bytes < end {
        if limit.paragraph && tally.blank_lines != before.1 && tally.line == Line::Begun && tally.words != before.0 {
            break;
        }
        let Some(byte) = text.get(at) else { break };
        match CLASS[usize::from(*byte)] {
            LETTER => at = word(text, at, tally, sink),
            DIGIT => at = number(text, at, tally, sink),
            HIGH | ESCAPE => at = special(text, at, tally, sink),
            class => {
                mark(class, *byte, tally);
                tally.bytes += 1;
                at += 1;
            }
        }
    }
    at
}

/// Something that is not plain ASCII: an escape or a character of several bytes.
fn special(text: &[u8], at: usize, tally: &mut Tally, sink: &mut impl Sink) -> usize {
    let (c, len) = decode(text, at);
    if c.is_ascii_digit() {
        return number(text, at, tally, sink);
    }
    match fold(c) {
        Folded::Letter(_) => return word(text, at, tally, sink),
        Folded::Ideograph => {
            let mut hash = Hash::default();
            hash.push(c);
            tally.words += 1;
            tally.foreign += 1;
            tally.line = Line::Within;
            sink.word(hash.finish(), text.get(at..at + len).unwrap_or_default());
        }
        Folded::Mark => match u8::try_from(c) {
            Ok(b'\\') => mark(BACKSLASH, b'\\', tally),
            Ok(byte) if byte.is_ascii() => mark(CLASS[usize::from(byte)], byte, tally),
            _ => mark(if is_maths(c) { MATHS } else { OTHER }, 0, tally),
        },
    }
    tally.bytes += c.len_utf8() as u32;
    at + len
}

fn mark(class: u8, byte: u8, tally: &mut Tally) {
    tally.marks[usize::from(class) % CLASSES] += 1;
    tally.line = match (tally.line, class) {
        (Line::Begun, NEWLINE) => {
            tally.blank_lines += 1;
            Line::Begun
        }
        (_, NEWLINE) | (Line::Begun, SPACE) => Line::Begun,
        (Line::Begun, _) if byte == b'-' || byte == b'*' => {
            tally.items += 1;
            Line::Within
        }
        (Line::Label, _) if byte == b'.' || byte == b')' => {
            tally.items += 1;
            Line::Within
        }
        _ => Line::Within,
    };
}

fn word(text: &[u8], from: usize, tally: &mut Tally, sink: &mut impl Sink) -> usize {
    let (mut at, mut letters, mut capitals, mut bytes, mut hash) = (from, 0, 0, 0, Hash::default());
    while letters < LONGEST_WORD {
        let Some(byte) = text.get(at) else { break };
        match CLASS[usize::from(*byte)] {
            LETTER => {
                capitals += u32::from(byte & 0x20 == 0);
                hash.push_ascii(byte | 0x20);
                bytes += 1;
                at += 1;
            }
            HIGH | ESCAPE => {
                let (c, len) = decode(text, at);
                let Folded::Letter(folded) = fold(c) else { break };
                capitals += u32::from(c.is_uppercase());
                tally.foreign += u32::from(!folded.is_ascii());
                hash.push(folded);
                bytes += c.len_utf8() as u32;
                at += len;
            }
            _ => break,
        }
        letters += 1;
    }
    tally.bytes += bytes;
    tally.capitals += capitals;
    tally.words += 1;
    tally.long_words += u32::from(letters >= LONG_WORD);
    tally.line = if tally.line == Line::Begun && letters == 1 { Line::Label } else { Line::Within };
    sink.word(hash.finish(), text.get(from..at).unwrap_or_default());
    at
}

fn number(text: &[u8], from: usize, tally: &mut Tally, sink: &mut impl Sink) -> usize {
    let (mut at, mut digits, mut hash) = (from, 0, Hash::default());
    while digits < LONGEST_WORD {
        let Some(byte) = text.get(at) else { break };
        let (digit, len) = match CLASS[usize::from(*byte)] {
            DIGIT => (*byte, 1),
            ESCAPE => match decode(text, at) {
                (c, len) if c.is_ascii_digit() => (c as u8, len),
                _ => break,
            },
            _ => break,
        };
        hash.push_ascii(digit);
        tally.bytes += 1;
        at += len;
        digits += 1;
    }
    tally.numbers += 1;
    tally.line = if tally.line == Line::Begun && digits <= 2 { Line::Label } else { Line::Within };
    sink.word(hash.finish(), text.get(from..at).unwrap_or_default());
    at
}

/// The character at `at` and how many escaped bytes it takes; what is malformed reads as U+FFFD, one byte long.
pub(crate) fn decode(text: &[u8], at: usize) -> (char, usize) {
    let rest = text.get(at..).unwrap_or_default();
    match rest {
        [b'\\', b'u', ..] => unicode_escape(rest),
        [b'\\', escaped, ..] => match escaped {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'"' | b'\\' | b'/' => (char::from(*escaped), 2),
            _ => ('\\', 1),
        },
        [byte, ..] if byte.is_ascii() => (char::from(*byte), 1),
        _ => utf8(rest),
    }
}

fn unicode_escape(rest: &[u8]) -> (char, usize) {
    const BROKEN: (char, usize) = (char::REPLACEMENT_CHARACTER, 1);
    let Some(unit) = hex(rest) else { return BROKEN };
    if let Some(c) = char::from_u32(unit) {
        return (c, 6);
    }
    let low =
        rest.get(6..).filter(|low| low.starts_with(b"\\u")).and_then(hex).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if unit < 0xdc00 => {
            let c = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            (c.unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The four digits behind `\u`.
fn hex(rest: &[u8]) -> Option<u32> {
    let digits = rest.get(2..6)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

fn utf8(rest: &[u8]) -> (char, usize) {
    let len = match rest.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    let c = rest.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    c.map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, len))
}

enum Folded {
    /// Lower case, Latin letters without their accents.
    Letter(char),
    /// A word of its own.
    Ideograph,
    Mark,
}

/// Accented Latin letters from U+00C0 on, without their accents; `·` stays as it is. The vocabulary has no accents.
const LATIN: &[u8; 192] =
    b"aaaaaa\xb7ceeeeiiii\xb7nooooo\xb7ouuuuy\xb7\xb7aaaaaa\xb7ceeeeiiii\xb7nooooo\xb7ouuuuy\xb7y\
    aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii\xb7\xb7jjkk\xb7llllll\xb7\
    \xb7llnnnnnn\xb7\xb7\xb7oooooo\xb7\xb7rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

fn fold(c: char) -> Folded {
    match c {
        'a'..='z' => Folded::Letter(c),
        'A'..='Z' => Folded::Letter(c.to_ascii_lowercase()),
        '\0'..='\u{7f}' | '×' | '÷' => Folded::Mark,
        'À'..='\u{17f}' => match LATIN.get(c as usize - 0xc0) {
            Some(plain) if plain.is_ascii() => Folded::Letter(char::from(*plain)),
            _ => Folded::Letter(c.to_lowercase().next().unwrap_or(c)),
        },
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => Folded::Ideograph,
        '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Folded::Ideograph,
        _ if c.is_alphabetic() => Folded::Letter(c.to_lowercase().next().unwrap_or(c)),
        _ => Folded::Mark,
    }
}

fn is_maths(c: char) -> bool {
    matches!(c, '×' | '÷' | '±' | '²' | '³' | '°' | '\u{2070}'..='\u{209f}' | '\u{2190}'..='\u{22ff}' | '\u{27c0}'..='\u{27ef}')
}

/// Hashes a word letter by letter; eight ASCII letters cost one multiplication.
#[derive(Default)]
struct Hash {
    state: u64,
    block: u64,
    len: u32,
}

impl Hash {
    fn push_ascii(&mut self, byte: u8) {
        self.block = self.block << 8 | u64::from(byte);
        self.len += 1;
        if self.len.is_multiple_of(8) {
            self.state = mix(self.state ^ self.block);
            self.block = 0;
        }
    }

    fn push(&mut self, c: char) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            self.push_ascii(byte);
        }
    }

    fn finish(self) -> u64 {
        mix(self.state ^ self.block ^ u64::from(self.len) << 56)
    }
}

/// The finisher of splitmix64, shortened: every bit of the word reaches the low bits.
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

//! Words and signs of a text, one after the other, each with what the features need of it.
//!
//! What a reader could get wrong: a token is a run of letters and digits of any script, or a run of one and the same sign; white space is none but
//! is seen in [`Token::before`]. A hash is that of the word in lower case, so no word is ever copied.

/// Longer words (hashes, encoded data) are no names; they are read to their end but not looked at.
const LONGEST: usize = 36;

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Shape {
    /// In front of the text and behind it.
    #[default]
    Edge,
    Sign,
    Lower,
    Initial,
    Upper,
    /// One capital.
    Capital,
    Mixed,
    /// Letters without case.
    Caseless,
    /// So many digits.
    Digit1,
    Digit2,
    Digit3,
    Digit4,
    Digit5,
    Digits,
    /// `63a`, `15th`, `A4`.
    DigitsLetters,
    /// Too long, or with `_`.
    Code,
}

/// What stands beside a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Beside {
    #[default]
    Edge,
    Line,
    Space,
    Letter,
    Dot,
    Comma,
    Colon,
    Quote,
    Opening,
    Closing,
    Slash,
    Hyphen,
    /// Signs that are rare in prose.
    Code,
    At,
    Shout,
    Other,
}

/// A word or sign.
#[derive(Debug, Clone, Copy, Default)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    /// Of the word in lower case.
    pub hash: u64,
    /// The first and the last four bytes.
    pub prefix: u32,
    pub suffix: u32,
    /// What the lexicon says; see [`super::lexicon`].
    pub flags: u16,
    pub shape: Shape,
    pub before: Beside,
    pub behind: Beside,
    /// How much the line looks like code, and the text's case: see [`super::feature::survey`].
    pub code: u8,
    pub case: u8,
    /// The first word of the line.
    pub line: u64,
}

impl Token {
    pub fn is_word(&self) -> bool {
        !matches!(self.shape, Shape::Edge | Shape::Sign | Shape::Code)
    }
}

impl Token {
    /// Whether the lexicon may know it.
    pub fn has_letters(&self) -> bool {
        matches!(
            self.shape,
            Shape::Lower | Shape::Initial | Shape::Upper | Shape::Capital | Shape::Mixed | Shape::Caseless
        )
    }
}

/// Reads tokens from a text.
#[derive(Debug, Clone)]
pub struct Reader<'t> {
    text: &'t str,
    at: usize,
    before: Beside,
    line: u64,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Reader<'t> {
        Reader { text, at: 0, before: Beside::Edge, line: 0 }
    }

    /// Goes back to where `token` begins.
    pub fn back_to(&mut self, token: &Token) {
        self.at = token.start;
        self.before = token.before;
        self.line = token.line;
    }
}

impl Iterator for Reader<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        loop {
            let &byte = bytes.get(self.at)?;
            let (kind, width) = kind_at(self.text, self.at, byte);
            match kind {
                Kind::Space => {
                    self.at += width;
                    if !matches!(self.before, Beside::Line | Beside::Edge) {
                        self.before = Beside::Space;
                    }
                }
                Kind::Line => {
                    self.at += width;
                    self.before = Beside::Line;
                    self.line = 0;
                }
                Kind::Letter | Kind::Digit | Kind::Capital | Kind::Underscore => return Some(self.word()),
                Kind::Sign => return Some(self.sign(byte, width)),
            }
        }
    }
}

/// The first four are in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Letter,
    Capital,
    Digit,
    Underscore,
    Space,
    Line,
    Sign,
}

const ASCII: [Kind; 128] = {
    let mut kinds = [Kind::Sign; 128];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' => Kind::Letter,
            b'A'..=b'Z' => Kind::Capital,
            b'0'..=b'9' => Kind::Digit,
            b'_' => Kind::Underscore,
            b'\n' | b'\r' => Kind::Line,
            0..=b' ' | 127 => Kind::Space,
            _ => Kind::Sign,
        };
        byte += 1;
    }
    kinds
};

/// The kind of the character at `at` and its width in bytes.
fn kind_at(text: &str, at: usize, byte: u8) -> (Kind, usize) {
    match ASCII.get(usize::from(byte)) {
        Some(kind) => (*kind, 1),
        None => text.get(at..).and_then(|rest| rest.chars().next()).map_or((Kind::Space, 1), kind_of),
    }
}

fn kind_of(sign: char) -> (Kind, usize) {
    let kind = match sign {
        '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' => Kind::Letter,
        '\u{964}' | '\u{965}' => Kind::Sign,
        // Scripts whose vowel signs are no letters to Unicode.
        '\u{900}'..='\u{dff}' => Kind::Letter,
        '\u{2028}' | '\u{2029}' | '\u{85}' => Kind::Line,
        _ if sign.is_uppercase() => Kind::Capital,
        _ if sign.is_alphabetic() => Kind::Letter,
        _ if sign.is_numeric() => Kind::Digit,
        _ if sign.is_whitespace() => Kind::Space,
        _ => Kind::Sign,
    };
    (kind, sign.len_utf8())
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// One more byte of a word in lower case.
fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(PRIME)
}

/// The hash of a word or of several, as [`Reader`] computes it for one.
pub fn hash_of(word: &str) -> u64 {
    let mut hash = SEED;
    for sign in word.chars() {
        hash = mix_char(hash, sign);
    }
    hash
}

fn mix_char(hash: u64, sign: char) -> u64 {
    let mut hash = hash;
    let mut buffer = [0; 4];
    for lower in sign.to_lowercase() {
        for byte in lower.encode_utf8(&mut buffer).bytes() {
            hash = mix(hash, byte);
        }
    }
    hash
}

/// What was seen in a word.
#[derive(Debug, Default)]
struct Seen {
    letters: usize,
    capitals: usize,
    digits: usize,
    /// Letters of scripts without case.
    caseless: usize,
    first_capital: bool,
    underscore: bool,
}

impl Reader<'_> {
    fn word(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (hash, counts) = self.ascii(SEED);
        let first_capital = bytes.get(start).is_some_and(u8::is_ascii_uppercase);
        let mut seen = Seen {
            letters: usize::from(counts as u16),
            capitals: usize::from((counts >> 16) as u16),
            digits: usize::from((counts >> 32) as u16),
            underscore: counts >> 48 != 0,
            caseless: 0,
            first_capital,
        };
        let hash = match bytes.get(self.at) {
            Some(b'\'' | 128..) => self.wide(start, hash, &mut seen),
            _ => hash,
        };
        let shape = if seen.underscore || self.at - start > LONGEST { Shape::Code } else { shape_of(&seen) };
        let word = bytes.get(start..self.at).unwrap_or_default();
        self.finish(start, hash, shape, word)
    }

    /// Reads letters, digits and underscores of ASCII; counts of small letters, capitals, digits, underscores, 16 bits each (a word that is longer
    /// than that is none).
    fn ascii(&mut self, mut hash: u64) -> (u64, u64) {
        let bytes = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (mut counts, mut length) = (0_u64, 0);
        for byte in bytes {
            let Some(kind) = ASCII.get(usize::from(*byte)).filter(|kind| (**kind as u8) < Kind::Space as u8) else {
                break;
            };
            let capital = *kind == Kind::Capital;
            hash = mix(hash, byte | u8::from(capital) << 5);
            counts = counts.wrapping_add(1 << (16 * (*kind as u8)));
            length += 1;
        }
        self.at += length;
        if length > usize::from(u8::MAX) { (hash, 1 << 48) } else { (hash, counts) }
    }

    /// The rest of a word with letters beyond ASCII or an apostrophe.
    fn wide(&mut self, start: usize, mut hash: u64, seen: &mut Seen) -> u64 {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            let (kind, width) = kind_at(self.text, self.at, byte);
            match kind {
                Kind::Letter => seen.letters += 1,
                Kind::Capital => {
                    seen.first_capital |= self.at == start;
                    seen.capitals += 1;
                }
                Kind::Digit => seen.digits += 1,
                Kind::Underscore => seen.underscore = true,
                Kind::Sign if is_apostrophe(bytes, self.at) && self.joins(start, seen, width) => {}
                Kind::Space | Kind::Line | Kind::Sign => break,
            }
            if byte < 128 {
                hash = mix(hash, byte.to_ascii_lowercase());
            } else if let Some(sign) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
                hash = mix_char(hash, sign);
                seen.caseless += usize::from(sign.is_alphabetic() && !sign.is_lowercase() && !sign.is_uppercase());
            }
            self.at += width;
        }
        hash
    }

    fn sign(&mut self, byte: u8, width: usize) -> Token {
        let bytes = self.text.as_bytes();
        let start = self.at;
        // `'s`, `'t`, `'ll` are words of their own.
        if is_apostrophe(bytes, start) && self.before == Beside::Letter {
            let behind = bytes.get(start + width..).unwrap_or_default();
            let letters = behind.iter().take(3).take_while(|byte| byte.is_ascii_alphabetic()).count();
            if (1..=2).contains(&letters) {
                self.at = start + width + letters;
                let hash = behind.iter().take(letters).fold(mix(SEED, b'\''), |hash, byte| mix(hash, byte | 0x20));
                return self.finish(start, hash, Shape::Sign, b"'");
            }
        }
        let one = bytes.get(start..start + width).unwrap_or_default();
        self.at += width;
        while bytes.get(self.at..self.at + width) == Some(one) {
            self.at += width;
        }
        let hash = one.iter().fold(SEED, |hash, byte| mix(hash, *byte));
        let mut token = self.finish(start, hash, Shape::Sign, one);
        self.before = beside(byte);
        if byte >= 128 {
            self.before = Beside::Other;
        }
        token.line = self.line;
        token
    }

    fn finish(&mut self, start: usize, hash: u64, shape: Shape, word: &[u8]) -> Token {
        let before = self.before;
        self.before = Beside::Letter;
        if self.line == 0 && shape != Shape::Sign {
            self.line = hash;
        }
        let behind = self.behind();
        let (prefix, suffix) = affixes(word);
        Token { start, end: self.at, hash, prefix, suffix, shape, before, behind, line: self.line, ..Token::default() }
    }

    fn behind(&self) -> Beside {
        match self.text.as_bytes().get(self.at) {
            None => Beside::Edge,
            Some(b'\n' | b'\r') => Beside::Line,
            Some(byte) => beside(*byte),
        }
    }

    /// Whether the apostrophe at the reader's place joins what stands around it: `O'Neill`, `D'Angelo`, but not `Anna's`, nor `don't`.
    fn joins(&self, start: usize, seen: &Seen, width: usize) -> bool {
        let behind = self.text.as_bytes().get(self.at + width..).unwrap_or_default();
        let letters = behind.iter().take(3).take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 128).count();
        self.at - start <= 3 && seen.first_capital && letters >= 3
    }
}

fn is_apostrophe(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&b'\'') || bytes.get(at..at + 3) == Some("’".as_bytes())
}

fn affixes(word: &[u8]) -> (u32, u32) {
    const SMALL: u32 = 0x2020_2020;
    if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        return (u32::from_be_bytes(*first) | SMALL, u32::from_be_bytes(*last) | SMALL);
    }
    let fold = |bytes: &[u8]| bytes.iter().fold(0, |sum: u32, byte| sum << 8 | u32::from(byte | 0x20));
    (fold(word), fold(word))
}

fn shape_of(seen: &Seen) -> Shape {
    match (seen.letters, seen.capitals, seen.digits) {
        (0, 0, digits) => match digits {
            0 => Shape::Sign,
            1 => Shape::Digit1,
            2 => Shape::Digit2,
            3 => Shape::Digit3,
            4 => Shape::Digit4,
            5 => Shape::Digit5,
            _ => Shape::Digits,
        },
        (letters, 0, 0) if seen.caseless * 2 >= letters => Shape::Caseless,
        (_, 0, 0) => Shape::Lower,
        (0, 1, 0) => Shape::Capital,
        (0, _, 0) => Shape::Upper,
        (_, 1, 0) if seen.first_capital => Shape::Initial,
        (_, _, 0) => Shape::Mixed,
        _ => Shape::DigitsLetters,
    }
}

fn beside(byte: u8) -> Beside {
    BESIDE.get(usize::from(byte)).copied().unwrap_or(Beside::Other)
}

const BESIDE: [Beside; 128] = {
    let mut all = [Beside::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        all[byte] = match byte as u8 {
            b' ' | b'\t' => Beside::Space,
            b'.' => Beside::Dot,
            b',' | b';' => Beside::Comma,
            b':' => Beside::Colon,
            b'"' | b'\'' | b'`' => Beside::Quote,
            b'(' | b'[' => Beside::Opening,
            b')' | b']' => Beside::Closing,
            b'/' | b'\\' => Beside::Slash,
            b'-' => Beside::Hyphen,
            b'@' => Beside::At,
            b'!' | b'?' => Beside::Shout,
            b'<' | b'>' | b'{' | b'}' | b'=' | b'*' | b'$' | b'|' | b'~' | b'&' | b'+' | b'%' | b'^' => Beside::Code,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Beside::Letter,
            _ => Beside::Other,
        };
        byte += 1;
    }
    all
};

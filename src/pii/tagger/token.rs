//! Words and signs: what the features need of each.
//!
//! What a reader could get wrong: a token is a run of letters and digits of any script, or a run of one and the same sign; white space is none but
//! is seen in [`Token::before`].

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

/// What a byte is to the word beside it.
pub fn beside(byte: u8) -> Beside {
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

//! Text weighed: tokens estimated from the kinds of its bytes, at one table look-up a byte, without a tokenizer.
//!
//! Used for prompts before they are sent (`signals/tokens.rs`, which has the figures of how near it comes) and for what a stream has
//! produced (`produced.rs`). What a reader could get wrong: texts are JSON-escaped as they came; an escape weighs what it stands for.

/// Parts of a token that weights count in.
pub const PARTS: u64 = 64;

/// The weight of a byte of a letter that is not ASCII, in [`PARTS`]; a letter has two or three.
const NOT_ASCII: u64 = 26;

/// The length of an escape such as `\u00e9`.
const UNICODE_ESCAPE_BYTES: usize = 6;

/// A byte's weight in [`PARTS`]: least squares over English, code and figures, rounded up.
static WEIGHTS: [u8; 256] = {
    let mut weights = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        weights[byte] = match byte as u8 {
            b' ' | b'a'..=b'z' | b'A'..=b'Z' => 14,
            b'0'..=b'9' => 38,
            0x80.. => NOT_ASCII as u8,
            _ => 40,
        };
        byte += 1;
    }
    weights
};

/// The weight of a JSON-escaped text, in [`PARTS`].
pub fn weigh(text: &[u8]) -> u64 {
    let mut parts = 0;
    let mut rest = text;
    // Escapes are few in most texts, so the search for them costs less than a branch a byte.
    while let Some(at) = memchr::memchr(b'\\', rest) {
        parts += plain(&rest[..at]);
        let escape = &rest[at..];
        let length = if escape.get(1) == Some(&b'u') { UNICODE_ESCAPE_BYTES } else { 2 }.min(escape.len());
        // A letter weighs what it would weigh in UTF-8: two bytes below U+0800, else three.
        parts += match escape[1..length] {
            [b'u', b'0', b'0'..=b'7', ..] => 2 * NOT_ASCII,
            [b'u', ..] => 3 * NOT_ASCII,
            _ => plain(&escape[..length]),
        };
        rest = &escape[length..];
    }
    parts + plain(rest)
}

fn plain(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(WEIGHTS[usize::from(*byte)])).sum()
}

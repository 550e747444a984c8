//! A JSON scanner (RFC 8259) that walks bytes and builds nothing: each step either skips a value or says where it is.
//!
//! What a reader could get wrong: it validates everything it passes, so that ranges can be relied on for splicing. Input is UTF-8 already.
//! Nesting is bounded (`DEPTH`), and skipping does not recurse: a hostile body costs no stack.

use std::borrow::Cow;
use std::ops::Range;

use super::{Malformed, decode_string};

/// Deepest nesting that is accepted. Real requests stay below 20; parsers upstream give up between 128 and 1000.
pub(in crate::openai) const DEPTH: u32 = 128;

type Result<T> = std::result::Result<T, Malformed>;

/// A position in a body.
pub(in crate::openai) struct Scanner<'b> {
    body: &'b [u8],
    at: usize,
    depth: u32,
}

impl<'b> Scanner<'b> {
    pub(in crate::openai) fn new(body: &'b [u8]) -> Scanner<'b> {
        Scanner { body, at: 0, depth: 0 }
    }

    pub(in crate::openai) fn at(&self) -> usize {
        self.at
    }

    pub(in crate::openai) fn bytes(&self, range: Range<usize>) -> &'b [u8] {
        self.body.get(range).unwrap_or_default()
    }

    pub(in crate::openai) fn wrong<T>(&self, what: &'static str) -> Result<T> {
        Err(Malformed { at: self.at, what, param: None })
    }

    /// The next byte that is no white space.
    pub(in crate::openai) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.body.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Walks an object: `member` is called with each key, the position of its opening quote, and the scanner in front of the value, which it
    /// must consume.
    pub(in crate::openai) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'b, [u8]>, usize) -> Result<()>,
    ) -> Result<()> {
        if !self.eat(b'{') {
            return self.wrong("expected an object");
        }
        self.enter()?;
        if self.eat(b'}') {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("expected a key in double quotes");
            }
            let key_at = self.at;
            let range = self.string()?;
            let key = self.key(range);
            if !self.eat(b':') {
                return self.wrong("expected a colon behind the key");
            }
            member(self, key, key_at)?;
            if self.eat(b',') {
                continue;
            }
            if self.eat(b'}') {
                self.depth -= 1;
                return Ok(());
            }
            return self.wrong("expected a comma or a closing brace");
        }
    }

    /// Walks an array: `element` is called in front of each value, which it must consume.
    pub(in crate::openai) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if !self.eat(b'[') {
            return self.wrong("expected an array");
        }
        self.enter()?;
        if self.eat(b']') {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            element(self)?;
            if self.eat(b',') {
                continue;
            }
            if self.eat(b']') {
                self.depth -= 1;
                return Ok(());
            }
            return self.wrong("expected a comma or a closing bracket");
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.wrong("it is nested deeper than 128 levels");
        }
        Ok(())
    }

    /// A key as its reader sees it: `"mod\u0065l"` is `model`.
    fn key(&self, range: Range<usize>) -> Cow<'b, [u8]> {
        let quoted = self.bytes(range);
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if memchr::memchr(b'\\', inner).is_none() {
            return Cow::Borrowed(inner);
        }
        match decode_string(quoted) {
            Some(text) => Cow::Owned(text.into_owned().into_bytes()),
            // A lone surrogate: no key that we read.
            None => Cow::Borrowed(inner),
        }
    }

    /// A string; its range, quotes included.
    pub(in crate::openai) fn string(&mut self) -> Result<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at += plain_run(self.body.get(self.at..).unwrap_or_default());
            match self.body.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.wrong("a control character must be escaped in a string"),
                None => return self.wrong("it ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        let length = match self.body.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let hex = self.body.get(self.at + 2..self.at + 6);
                if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return self.wrong("expected four hexadecimal digits behind \\u");
                }
                6
            }
            _ => return self.wrong("it has an unknown escape in a string"),
        };
        self.at += length;
        Ok(())
    }

    /// Skips any value; its range.
    pub(in crate::openai) fn skip(&mut self) -> Result<Range<usize>> {
        self.peek();
        let start = self.at;
        // Bit n: the container at depth n (counted from this value) is an object.
        let mut objects: u128 = 0;
        let mut open: u32 = 0;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => {
                    let is_object = self.peek() == Some(b'{');
                    self.at += 1;
                    open += 1;
                    if self.depth + open > DEPTH {
                        return self.wrong("it is nested deeper than 128 levels");
                    }
                    objects = (objects << 1) | u128::from(is_object);
                    if !self.eat(if is_object { b'}' } else { b']' }) {
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                    open -= 1;
                    objects >>= 1;
                }
                _ => self.scalar()?,
            }
            // A value has ended: close what ends with it, or go on to the next one.
            loop {
                if open == 0 {
                    return Ok(start..self.at);
                }
                let is_object = objects & 1 == 1;
                if self.eat(b',') {
                    if is_object {
                        self.skip_key()?;
                    }
                    break;
                }
                if !self.eat(if is_object { b'}' } else { b']' }) {
                    return self.wrong(if is_object {
                        "expected a comma or a closing brace"
                    } else {
                        "expected a comma or a closing bracket"
                    });
                }
                open -= 1;
                objects >>= 1;
            }
        }
    }

    fn skip_key(&mut self) -> Result<()> {
        if self.peek() != Some(b'"') {
            return self.wrong("expected a key in double quotes");
        }
        self.string()?;
        if self.eat(b':') { Ok(()) } else { self.wrong("expected a colon behind the key") }
    }

    fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(_) => self.wrong("expected a value"),
            None => self.wrong("it ends too early"),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<()> {
        if !self.body.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return self.wrong("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        self.at += usize::from(self.body.get(self.at) == Some(&b'-'));
        match self.body.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.wrong("expected a digit"),
        }
        if self.body.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.body.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.body.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.wrong("expected a digit") } else { Ok(()) }
    }
}

/// How many bytes until a quote, a backslash or a control character: eight at a time (Mycroft's test for bytes below a bound).
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut done = 0;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map(u64::from_le_bytes).unwrap_or(0);
        let quotes = has_zero(word ^ (ONES * u64::from(b'"')));
        let backslashes = has_zero(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = quotes | backslashes | controls;
        if found != 0 {
            // Borrows can mark bytes above the first hit, never below it.
            return done + (found.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    let rest = chunks.remainder();
    done + rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len())
}

//! A file in pieces as lines: what JSONL is.
//!
//! What a reader could get wrong: a piece may end in the middle of a line or of a character; a line comes out when its end is there, and the
//! last one has none.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;

/// Lines of a file that is fed in pieces. Lines of white space alone are counted and passed over.
#[derive(Debug)]
pub struct Split {
    buffer: BytesMut,
    /// So much of the buffer has no line end in it.
    searched: usize,
    number: usize,
    longest: usize,
}

/// A line with its number, which counts from one; `None`: it is longer than it may be, and nothing after it is read.
pub type Numbered = (usize, Option<Bytes>);

impl Split {
    /// Lines of at most `longest` bytes.
    pub fn new(longest: usize) -> Split {
        Split { buffer: BytesMut::new(), searched: 0, number: 0, longest }
    }

    /// Takes in a piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, if all of it is there.
    pub fn line(&mut self) -> Option<Numbered> {
        loop {
            let rest = &self.buffer[self.searched..];
            let Some(at) = memchr(b'\n', rest) else {
                self.searched = self.buffer.len();
                return (self.searched > self.longest).then(|| self.too_long());
            };
            let line = self.buffer.split_to(self.searched + at);
            self.buffer.advance(1);
            self.searched = 0;
            self.number += 1;
            if line.len() > self.longest {
                return Some((self.number, None));
            }
            if let Some(range) = written(&line, self.number) {
                return Some((self.number, Some(line.freeze().slice(range))));
            }
        }
    }

    /// What stands behind the last line end.
    pub fn last(mut self) -> Option<Numbered> {
        self.number += 1;
        if self.buffer.len() > self.longest {
            return Some((self.number, None));
        }
        let range = written(&self.buffer, self.number)?;
        Some((self.number, Some(self.buffer.freeze().slice(range))))
    }

    fn too_long(&mut self) -> Numbered {
        self.buffer.clear();
        self.searched = 0;
        (self.number + 1, None)
    }
}

/// Where something stands in a line. Editors of other systems put a byte order mark before the first.
fn written(line: &[u8], number: usize) -> Option<Range<usize>> {
    let mark = match number {
        1 if line.starts_with(b"\xef\xbb\xbf") => 3,
        _ => 0,
    };
    let rest = line.get(mark..)?;
    let start = mark + rest.len() - rest.trim_ascii_start().len();
    let end = start + rest.trim_ascii().len();
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]], longest: usize) -> Vec<(usize, Option<String>)> {
        let mut split = Split::new(longest);
        let mut found = vec![];
        for piece in pieces {
            split.feed(piece);
            while let Some(line) = split.line() {
                let over = line.1.is_none();
                found.push(line);
                if over {
                    return found.into_iter().map(shown).collect();
                }
            }
        }
        found.extend(split.last());
        found.into_iter().map(shown).collect()
    }

    fn shown((number, line): Numbered) -> (usize, Option<String>) {
        (number, line.map(|line| String::from_utf8(line.to_vec()).unwrap()))
    }

    fn said(number: usize, text: &str) -> (usize, Option<String>) {
        (number, Some(text.into()))
    }

    #[test]
    fn empty_lines_count_but_do_not_come() {
        let found = lines(&[b"\xef\xbb\xbfa\r\n\n  \n b \n", b"c"], 10);
        assert_eq!(found, [said(1, "a"), said(4, "b"), said(5, "c")]);
        assert_eq!(lines(&[b"", b"\n \n"], 10), []);
    }

    #[test]
    fn a_line_that_is_too_long_ends_it() {
        assert_eq!(lines(&[b"0123456789\nok"], 10), [said(1, "0123456789"), said(2, "ok")]);
        assert_eq!(lines(&[b"ok\n01234567890\nok"], 10), [said(1, "ok"), (2, None)]);
        assert_eq!(lines(&[b"ok\n0123456", b"7890"], 10), [said(1, "ok"), (2, None)]);
    }

    proptest! {
        #[test]
        fn the_lines_are_the_same_in_any_pieces(text in "[ab\\n\\r ]{0,60}", size in 1usize..9) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let expected: Vec<_> = text.split('\n').enumerate().map(|(n, line)| (n + 1, line.trim()))
                .filter(|(_, line)| !line.is_empty()).map(|(n, line)| said(n, line)).collect();
            prop_assert_eq!(lines(&pieces, 1000), expected);
        }
    }
}

//! The files of a log: their names, and their lines one by one in little memory.
//!
//! What a reader could get wrong: the last line of a file that is being written may lack its end. [`Line::Torn`] is that, and no
//! fault by itself.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Below the audit folder: a copy of every checkpoint.
pub const CHECKPOINTS_FILE: &str = "checkpoints.jsonl";

/// Longer lines are none of ours: a log that is one endless line must not fill memory.
pub(super) const MAX_LINE: usize = 1 << 20;

const READ_AHEAD: usize = 1 << 17;

/// Where a segment is.
pub(super) fn segment(folder: &Path, number: u32) -> PathBuf {
    folder.join(segment_name(number))
}

pub(super) fn segment_name(number: u32) -> String {
    format!("segment-{number:08}.jsonl")
}

/// The numbers of the segments that are there, in order.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("segment-")?.strip_suffix(".jsonl")?.parse().ok());
        // `segment-1.jsonl` is not a name of ours.
        numbers.extend(number.filter(|number| *name == *segment_name(*number)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A line, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// The file ends here without a newline.
    Torn(&'a [u8]),
}

/// The lines of a file, each counted from 1.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    /// Of the line that was given last.
    pub number: u64,
    /// Bytes of whole lines given so far.
    pub read: u64,
}

impl Lines<BufReader<File>> {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Lines::new(BufReader::with_capacity(READ_AHEAD, File::open(path)?)))
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Lines { from, line: Vec::with_capacity(2048), number: 0, read: 0 }
    }

    /// The next line; `None` at the end. What is longer than a line can be comes in pieces, each as a line.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        // A torn line is begun again: more of it may have been written since.
        if self.line.last() == Some(&b'\n') || self.line.len() >= MAX_LINE {
            self.line.clear();
        }
        let resumed = !self.line.is_empty();
        let limit = (MAX_LINE - self.line.len()) as u64;
        self.from.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += u64::from(!resumed);
        if let Some(line) = self.line.strip_suffix(b"\n") {
            self.read += self.line.len() as u64;
            return Ok(Some(Line::Whole(line)));
        }
        if self.line.len() >= MAX_LINE {
            self.read += self.line.len() as u64;
            return Ok(Some(Line::Whole(&self.line)));
        }
        Ok(Some(Line::Torn(&self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_a_torn_one_is_told() {
        let mut lines = Lines::new(&b"a\n\nbc"[..]);
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"a")));
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"")));
        assert_eq!((lines.number, lines.read), (2, 3));
        assert_eq!(lines.next().unwrap(), Some(Line::Torn(b"bc")));
        assert_eq!((lines.number, lines.read), (3, 3));
        assert_eq!(lines.next().unwrap(), Some(Line::Torn(b"bc")), "until more of it comes");
        assert_eq!(lines.number, 3);
        let long = vec![b'x'; MAX_LINE + 5];
        let mut lines = Lines::new(&long[..]);
        assert!(matches!(lines.next().unwrap(), Some(Line::Whole(line)) if line.len() == MAX_LINE));
        assert!(matches!(lines.next().unwrap(), Some(Line::Torn(line)) if line.len() == 5));
    }

    #[test]
    fn a_line_that_was_torn_can_be_read_when_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment(folder.path(), 7);
        fs::write(&path, "ab").unwrap();
        fs::write(folder.path().join("segment-8.jsonl"), "").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap(), Some(Line::Torn(b"ab")));
        fs::write(&path, "abc\nd\n").unwrap();
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"abc")));
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"d")));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(segments(folder.path()).unwrap(), [7]);
    }
}

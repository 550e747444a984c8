//! Verification of a log: all segments from the first byte to the last, in one pass and little memory.
//!
//! What a reader could get wrong: it works on files that a gateway may be writing. What it sees later is never less than what it saw
//! before, and the order of reading (length of `checkpoints.jsonl`, segments, `checkpoints.jsonl`) makes every state that a running
//! or killed gateway leaves behind a sound one.

mod copies;
mod fault;
mod signed;
mod walk;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor};
use std::path::Path;

use memchr::memmem;

use super::error::AuditError;
use super::files::{self, CHECKPOINTS_FILE, Line, Lines};
use super::key::{PUBLIC_KEY_FILE, PublicKey};

pub use fault::{Fault, Kind, Report};

use copies::Copies;
use walk::Walk;

/// What a log is verified against.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The key that signed it; `None`: the one that the log itself names, which whoever rewrote all of it would have replaced.
    pub public_key: Option<PublicKey>,
    /// Lines of `checkpoints.jsonl` that were kept elsewhere: they must be in the log. Others' lines are ignored.
    pub kept: Vec<String>,
}

impl Trust {
    fn anchors(&self) -> HashMap<u64, Vec<u8>> {
        let numbered = |line: &String| Some((copies::number(line.trim().as_bytes())?, line.trim().as_bytes().to_vec()));
        self.kept.iter().filter_map(numbered).collect()
    }
}

/// Verifies the log in `folder`; `progress` is told now and then how many bytes of segments were read.
///
/// # Errors
/// There is no log, or it cannot be read. What is wrong with it is no error but in the report.
pub fn verify(folder: &Path, trust: &Trust, progress: &mut dyn FnMut(u64)) -> Result<Report, AuditError> {
    let numbers = files::segments(folder).map_err(|e| AuditError::io("list", folder, &e))?;
    let path = folder.join(CHECKPOINTS_FILE);
    let fail = |e| AuditError::io("read", &path, &e);
    let (from, limit): (Box<dyn BufRead>, u64) = match File::open(&path) {
        Ok(file) => {
            let length = file.metadata().map_err(fail)?.len();
            (Box::new(BufReader::new(file)), length)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound && !numbers.is_empty() => (Box::new(Cursor::new(b"")), 0),
        Err(e) => return Err(fail(e)),
    };
    let mut walk = Walk::new(trust.public_key.clone(), trust.anchors(), Copies::new(from, limit));
    let (mut read, mut tail) = (0, Vec::new());
    let mut numbers = numbers.into_iter();
    let mut next = numbers.next();
    while let Some(number) = next {
        let path = files::segment(folder, number);
        let fail = |e| AuditError::io("read", &path, &e);
        let mut lines = Lines::open(&path).map_err(fail)?;
        walk.begin(number, &tail);
        tail = segment(&mut lines, &mut walk, &mut |bytes| progress(read + bytes)).map_err(fail)?;
        // A gateway may have begun another one since. Then this one was sealed before, perhaps behind what was read of it.
        next = numbers.next().or_else(|| Some(number + 1).filter(|next| files::segment(folder, *next).exists()));
        if next.is_some() && !walk.sealed {
            tail = segment(&mut lines, &mut walk, &mut |bytes| progress(read + bytes)).map_err(fail)?;
        }
        read += lines.read;
    }
    progress(read);
    walk.end(&tail).map_err(fail)?;
    Ok(finish(walk, folder))
}

fn finish<R: BufRead>(mut walk: Walk<R>, folder: &Path) -> Report {
    let key = walk.key.as_ref().map(PublicKey::to_hex).unwrap_or_default();
    let there = std::fs::read(folder.join(PUBLIC_KEY_FILE)).unwrap_or_default();
    if !key.is_empty() && there != format!("{key}\n").as_bytes() {
        let what = "it does not hold the public key of the log".to_owned();
        walk.report.add(Fault { kind: Kind::Key, file: PUBLIC_KEY_FILE.into(), line: 0, what });
    }
    walk.report.public_key = key;
    walk.report
}

/// Verifies a log that is in memory: its segments from the first one on, and `checkpoints.jsonl`.
pub fn verify_bytes(segments: &[&[u8]], checkpoints: &[u8], trust: &Trust) -> Report {
    let copies = Copies::new(Cursor::new(checkpoints), checkpoints.len() as u64);
    let mut walk = Walk::new(trust.public_key.clone(), trust.anchors(), copies);
    let mut tail = Vec::new();
    for (number, bytes) in (1..).zip(segments) {
        walk.begin(number, &tail);
        // Reading from memory cannot fail.
        tail = segment(&mut Lines::new(*bytes), &mut walk, &mut |_| {}).unwrap_or_default();
    }
    let _ = walk.end(&tail);
    walk.report.public_key = walk.key.as_ref().map(PublicKey::to_hex).unwrap_or_default();
    walk.report
}

/// All whole lines of a segment; gives what stands behind the last one.
fn segment<R: BufRead, C: BufRead>(
    lines: &mut Lines<R>,
    walk: &mut Walk<C>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Vec<u8>> {
    loop {
        if lines.number.is_multiple_of(4096) {
            progress(lines.read);
        }
        match lines.next()? {
            None => return Ok(Vec::new()),
            Some(Line::Torn(tail)) => return Ok(tail.to_vec()),
            Some(Line::Whole(bytes)) => walk.line(bytes)?,
        }
    }
}

/// ` (request ID)`, for messages; empty if the line names none.
fn request_id(line: &[u8]) -> String {
    match between(line, b",\"request_id\":\"") {
        Some(id) => format!(" (request {})", id.escape_debug()),
        None => String::new(),
    }
}

/// When the request arrived, as the line has it.
fn at(line: &[u8]) -> &str {
    between(line, b",\"at\":\"").unwrap_or_default()
}

fn between<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a str> {
    let start = memmem::find(line, key)? + key.len();
    let rest = &line[start..];
    let mut end = 0;
    while *rest.get(end)? != b'"' {
        end += if rest[end] == b'\\' { 2 } else { 1 };
    }
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests;

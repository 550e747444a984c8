//! Private key blocks (RFC 7468, RFC 4716, OpenPGP's armour): from the first hyphen to the last, or as far as the block goes.
//!
//! What a reader could get wrong: a block may be cut off, and inside JSON its lines end in `\n` of two characters. The end is looked for once: what was
//! found (or not) is noted in the scan, so that a megabyte of beginnings takes linear time.

use memchr::memmem;

use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "-----BEGIN ", look: |scan, at| look(scan, at, 11, b"-----END ") },
    Anchor { literal: "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", look: |scan, at| look(scan, at, 11, b"---- END ") },
    Anchor { literal: "PuTTY-User-Key-File-", look: putty },
];

/// The longest label: `SSH2 ENCRYPTED PRIVATE KEY` and room.
const LABEL: usize = 40;
/// The longest block: RSA of 16,384 bits has 13,000 bytes, OpenPGP with subkeys more.
const LONGEST: usize = 64 * 1024;
/// Less of a key than this is an ellipsis of some documentation.
const LEAST: usize = 40;

fn look(scan: &mut Scan<'_, '_>, at: usize, opening: usize, end: &[u8]) {
    let label_end =
        scan.forward(at + opening, LABEL, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let Some(label) = scan.text.get(at + opening..label_end) else { return };
    if !label.contains("PRIVATE KEY") {
        return;
    }
    let body = scan.forward(label_end, 5, |byte| byte == b'-');
    let whole = next_end(scan, body, end).and_then(|place| whole(scan, body, place, end.len()));
    let found = whole.or_else(|| truncated(scan, body));
    if let Some(end) = found {
        scan.push(at, end, Entity::PRIVATE_KEY, 1.0);
    }
}

/// The next `-----END ` at `from` or behind. Beginnings come in order, so one answer serves all up to it.
fn next_end(scan: &mut Scan<'_, '_>, from: usize, end: &[u8]) -> Option<usize> {
    if from >= scan.endless_from {
        return None;
    }
    if from > scan.ends_at || scan.ends_at == 0 {
        match memmem::find(scan.bytes().get(from..)?, end) {
            Some(place) => scan.ends_at = from + place,
            None => {
                scan.endless_from = from;
                return None;
            }
        }
    }
    Some(scan.ends_at)
}

/// Where a block ends whose closing line begins at `end`; `None` if that belongs to another one or nothing is between.
fn whole(scan: &Scan<'_, '_>, body: usize, end: usize, closing: usize) -> Option<usize> {
    let between = scan.text.get(body..end).filter(|between| between.len() <= LONGEST)?;
    if memmem::find(between.as_bytes(), b"BEGIN ").is_some() || !is_key(between) {
        return None;
    }
    let label =
        scan.forward(end + closing, LABEL, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    Some(scan.forward(label, 5, |byte| byte == b'-'))
}

/// Whether enough of it is base64, most of it is, and nothing is left out.
fn is_key(body: &str) -> bool {
    let signs = body.bytes().filter(u8::is_ascii_alphanumeric).count();
    let dots = body.contains("...") || body.contains('\u{2026}');
    let same = body.bytes().filter(u8::is_ascii_alphanumeric).all(|byte| matches!(byte, b'x' | b'X' | b'n'));
    let longest = body.split(|sign: char| !is_base64(sign)).map(str::len).max().unwrap_or(0);
    signs >= if dots { 3 * LEAST } else { LEAST }
        && !same
        && longest >= 16
        && !body.contains("your")
        && !body.contains("YOUR")
}

fn is_base64(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/' | '=')
}

/// Where a block without an end stops: behind its last line that can be part of a key.
fn truncated(scan: &Scan<'_, '_>, body: usize) -> Option<usize> {
    let text = scan.text.get(body..)?;
    let mut end = 0;
    let mut place = 0;
    // A line ends at a line feed, or at one that is written `\n`.
    while place < text.len().min(LONGEST) {
        let rest = text.get(place..)?;
        let length = rest.bytes().take(LONGEST).take_while(|byte| is_base64(char::from(*byte))).count();
        let behind = rest.get(length..)?;
        if length == 0 && !rest.starts_with(['\n', '\r', '\\', ' ', '\t', '>', '"', '+']) {
            let Some(header) = header(rest) else { break };
            place += header;
            continue;
        }
        if length > 0 && end > 0 && length < 16 && behind.starts_with(' ') {
            break;
        }
        end = if length > 0 { place + length } else { end };
        let gap = behind.bytes().take(16).take_while(|byte| b"\n\r\\ \t>\"+".contains(byte)).count();
        let escaped = behind.as_bytes().get(..gap).is_some_and(|gap| gap.contains(&b'\\'));
        let letter = usize::from(escaped && behind.get(gap..).is_some_and(|rest| rest.starts_with(['n', 'r', 't'])));
        if length + gap + letter == 0 {
            break;
        }
        place += length + gap + letter;
    }
    let found = text.get(..end)?;
    is_key(found).then_some(body + end)
}

/// `Proc-Type: 4,ENCRYPTED`: the length of such a line with its end.
fn header(text: &str) -> Option<usize> {
    let length = text.bytes().take(100).take_while(|byte| !matches!(byte, b'\n' | b'\\')).count();
    let line = text.get(..length)?;
    let is_header = line
        .split_once(": ")
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-'));
    is_header.then_some(line.len())
}

/// PuTTY's own format: from its first line to its checksum, or as far as its lines go.
fn putty(scan: &mut Scan<'_, '_>, at: usize) {
    let rest = scan.bytes().get(at..).unwrap_or_default();
    let window = rest.get(..rest.len().min(LONGEST / 8)).unwrap_or_default();
    let Some(private) = memmem::find(window, b"Private-Lines:") else { return };
    let lines = window.get(private..).unwrap_or_default();
    let sum = memmem::find(lines, b"Private-MAC: ").map(|place| at + private + place + 13);
    let end = match sum {
        Some(sum) => Some(scan.forward(sum, 64, |byte| byte.is_ascii_hexdigit())),
        None => memchr::memchr(b'\n', lines).and_then(|line| truncated(scan, at + private + line)),
    };
    if let Some(end) = end {
        scan.push(at, end, Entity::PRIVATE_KEY, 1.0);
    }
}

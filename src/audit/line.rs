//! What all lines of the log have in common: the link to the line before, the hash, for some a signature; and how they are told apart.
//!
//! What a reader could get wrong: the hash covers the line from its `{` to just before `,"hash":"`, `prev` included, newline not.
//! That makes a line's hash computable from the line alone, and each hash stand for all of the log before it.

use super::text::{hex, unhex};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What the first line of a chain has as the hash of the line before.
pub const GENESIS: Hash = [0; 32];

/// BLAKE3's `derive_key` context of a line's hash, which is also a record's leaf in the Merkle tree.
pub const LINE_CONTEXT: &str = "tidegate 2026 audit line v1";

const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const SIGNATURE: &[u8] = b"\",\"signature\":\"";
const END: &[u8] = b"\"}";
/// From `"` behind `prev` to the line's `}`.
const HASH_LENGTH: usize = HASH.len() + 64;
const SIGNATURE_LENGTH: usize = SIGNATURE.len() + 128;

/// Signs a line's hash.
pub(super) type Sign<'a> = dyn Fn(&Hash) -> [u8; 64] + 'a;

/// Hashes lines; kept, because making one for each line costs more than a short line's hash.
pub(super) struct LineHasher(blake3::Hasher);

impl LineHasher {
    pub(super) fn new() -> LineHasher {
        LineHasher(blake3::Hasher::new_derive_key(LINE_CONTEXT))
    }

    fn hash(&mut self, covered: &[u8]) -> Hash {
        self.0.reset().update(covered).finalize().into()
    }

    /// Ends the line that begins at `start` of `out` and has all its fields: link, hash, signature if one is made, newline.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, start: usize, prev: &Hash, sign: Option<&Sign<'_>>) -> Hash {
        out.extend_from_slice(PREV);
        hex(out, prev);
        // The quote that closes `prev` is covered.
        out.push(b'"');
        let hash = self.hash(&out[start..]);
        out.extend_from_slice(&HASH[1..]);
        hex(out, &hash);
        if let Some(sign) = sign {
            out.extend_from_slice(SIGNATURE);
            hex(out, &sign(&hash));
        }
        out.extend_from_slice(END);
        out.push(b'\n');
        hash
    }

    /// Whether the line's hash is the one it should have.
    pub(super) fn fits(&mut self, parts: &Parts<'_>) -> bool {
        self.hash(parts.covered) == parts.hash
    }

    /// The hash that the line should have.
    pub(super) fn should_be(&mut self, parts: &Parts<'_>) -> Hash {
        self.hash(parts.covered)
    }
}

/// A line taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// What the hash covers.
    covered: &'a [u8],
    pub prev: Hash,
    pub hash: Hash,
    pub signature: Option<[u8; 64]>,
}

/// Takes a line (without its newline) apart; `None`: it does not end as a line of the log must.
pub(super) fn split(line: &[u8]) -> Option<Parts<'_>> {
    let rest = line.strip_suffix(END)?;
    let (rest, signature) = match rest.len().checked_sub(SIGNATURE_LENGTH).map(|at| rest.split_at(at)) {
        Some((before, last)) if last.starts_with(SIGNATURE) => (before, Some(unhex(&last[SIGNATURE.len()..])?)),
        _ => (rest, None),
    };
    let (before, hash) = rest.split_at_checked(rest.len().checked_sub(HASH_LENGTH)?)?;
    let hash = unhex(hash.strip_prefix(HASH)?)?;
    let prev = before.get(before.len().checked_sub(64 + PREV.len())?..)?;
    let prev = unhex(prev.strip_prefix(PREV)?)?;
    Some(Parts { covered: &line[..=before.len()], prev, hash, signature })
}

/// What a line is, by its first field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Header,
    Record,
    Checkpoint,
    /// In place of records that were deleted as `audit.keep` wants it.
    Notice,
}

pub(super) const HEADER_START: &[u8] = b"{\"log\":";
pub(super) const RECORD_START: &[u8] = b"{\"seq\":";
pub(super) const CHECKPOINT_START: &[u8] = b"{\"checkpoint\":";
pub(super) const NOTICE_START: &[u8] = b"{\"removed\":";

pub(super) fn sort(line: &[u8]) -> Option<Sort> {
    match line {
        _ if line.starts_with(RECORD_START) => Some(Sort::Record),
        _ if line.starts_with(CHECKPOINT_START) => Some(Sort::Checkpoint),
        _ if line.starts_with(HEADER_START) => Some(Sort::Header),
        _ if line.starts_with(NOTICE_START) => Some(Sort::Notice),
        _ => None,
    }
}

/// Whether a line without a newline can be the beginning of one: what is cut off is inside an object, not behind it.
pub(super) fn may_be_torn(tail: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0u32, false, false);
    for (at, byte) in tail.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => depth += 1,
            b'}' if !in_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    // Only the newline is missing, or something stands where it should.
                    return at + 1 == tail.len();
                }
            }
            _ => {}
        }
    }
    tail.is_empty() || tail[0] == b'{'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(signed: bool) -> (Vec<u8>, Hash) {
        let mut out = b"before\n{\"seq\":1".to_vec();
        let sign = |_: &Hash| [7; 64];
        let hash = LineHasher::new().end(&mut out, 7, &[1; 32], signed.then_some(&sign));
        (out[7..].to_vec(), hash)
    }

    #[test]
    fn a_line_comes_apart_as_it_was_put_together() {
        for signed in [false, true] {
            let (line, hash) = line(signed);
            let line = line.strip_suffix(b"\n").unwrap();
            let parts = split(line).unwrap();
            assert_eq!((parts.prev, parts.hash), ([1; 32], hash));
            assert_eq!(parts.signature.is_some(), signed);
            assert!(LineHasher::new().fits(&parts));
            // As the documentation has it: what `b3sum --derive-key` is given.
            let text = std::str::from_utf8(line).unwrap();
            let covered = &text[..text.rfind(",\"hash\":\"").unwrap()];
            assert_eq!(blake3::derive_key(LINE_CONTEXT, covered.as_bytes()), hash);
            assert_eq!(sort(line), Some(Sort::Record));
        }
    }

    #[test]
    fn every_byte_counts() {
        let (line, _) = line(false);
        let line = line.strip_suffix(b"\n").unwrap();
        let mut hasher = LineHasher::new();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.to_vec();
                changed[at] ^= 1 << bit;
                assert!(!split(&changed).is_some_and(|parts| hasher.fits(&parts)), "byte {at}, bit {bit}");
            }
        }
        for length in 0..line.len() {
            assert!(split(&line[..length]).is_none());
        }
    }

    #[test]
    fn a_torn_line_is_a_beginning() {
        let (line, _) = line(true);
        for length in 0..line.len() {
            assert!(may_be_torn(&line[..length]), "{length}");
        }
        for wrong in [&b"x"[..], b"{}x", b"{\"a\":\"\\\"}\"} ", b"\0\0"] {
            assert!(!may_be_torn(wrong), "{wrong:?}");
        }
    }
}

//! The lines that are no records: a segment's header, checkpoints (the last of a segment seals it), and the notice that stands where
//! records were deleted.
//!
//! What a reader could get wrong: reading such a line succeeds only if writing what was read gives the same bytes again, so a line has
//! one form and nothing can hide in it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ledger::entry::Position;

use super::line::{self, CHECKPOINT_START, HEADER_START, Hash, LineHasher, NOTICE_START, Parts, Sign};
use super::record::write_position;
use super::text::{self, hex, unhex};

/// The format's name, in headers and proofs.
pub const FORMAT: &str = "tidegate-audit-1";

/// Digits of a public key by which a checkpoint names it.
const KEY_ID_DIGITS: usize = 16;

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// Random: tells one chain from another.
    pub chain: [u8; 16],
    pub segment: u32,
    /// Of the segment's first record, there or to come.
    pub first_seq: u64,
    /// How many there were before.
    pub checkpoints: u64,
    pub public_key: [u8; 32],
    pub at: i64,
    /// The newest of each process whose journal is in the chain.
    pub positions: Vec<Position>,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Counted from 1 over the whole chain.
    pub number: u64,
    pub(super) chain: [u8; 16],
    pub segment: u32,
    /// The last record's.
    pub seq: u64,
    /// In the segment so far.
    pub records: u64,
    /// The root of the tree over them.
    pub(super) root: Hash,
    /// Microseconds (Unix).
    pub at: i64,
    pub(super) public_key: [u8; 32],
    /// The segment ends here.
    pub sealed: bool,
}

/// Records that were deleted when they were older than `audit.keep`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notice {
    pub removed: u64,
    pub chain: [u8; 16],
    pub segment: u32,
    pub first_seq: u64,
    pub last_seq: u64,
    pub at: i64,
}

/// A line that is no record.
pub(super) trait Mark: Sized {
    /// Up to the link.
    fn write(&self, out: &mut Vec<u8>);
    fn read(line: &[u8]) -> Option<Self>;
}

/// Reads a line and its parts; `None` if it is not in the one form that it must have.
pub(super) fn parse<'a, M: Mark>(bytes: &'a [u8], hasher: &mut LineHasher) -> Option<(M, Parts<'a>)> {
    let parts = line::split(bytes)?;
    let mark = M::read(bytes)?;
    let mut again = Vec::with_capacity(bytes.len() + 1);
    mark.write(&mut again);
    let signature = parts.signature.map(|signature| move |_: &Hash| signature);
    let sign = signature.as_ref().map(|sign| sign as &Sign<'_>);
    hasher.end(&mut again, 0, &parts.prev, sign);
    (again.strip_suffix(b"\n") == Some(bytes)).then_some((mark, parts))
}

impl Mark for Header {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(HEADER_START);
        text::string(out, FORMAT);
        common(out, &self.chain, self.segment);
        out.extend_from_slice(b",\"first_seq\":");
        text::number(out, self.first_seq);
        out.extend_from_slice(b",\"checkpoints\":");
        text::number(out, self.checkpoints);
        out.extend_from_slice(b",\"public_key\":\"");
        hex(out, &self.public_key);
        out.extend_from_slice(b"\",\"at\":");
        text::time(out, self.at);
        out.extend_from_slice(b",\"positions\":[");
        for (at, position) in self.positions.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_position(out, *position);
        }
        out.push(b']');
    }

    fn read(line: &[u8]) -> Option<Header> {
        #[derive(Deserialize)]
        struct Fields {
            log: String,
            chain: String,
            segment: u32,
            first_seq: u64,
            checkpoints: u64,
            public_key: String,
            at: String,
            positions: Vec<(u64, u32, u64)>,
        }
        let fields: Fields = json(line)?;
        let position = |(boot, segment, offset)| Position { boot, segment, offset };
        (fields.log == FORMAT).then_some(Header {
            chain: unhex(fields.chain.as_bytes())?,
            segment: fields.segment,
            first_seq: fields.first_seq,
            checkpoints: fields.checkpoints,
            public_key: unhex(fields.public_key.as_bytes())?,
            at: text::parse_time(&fields.at)?,
            positions: fields.positions.into_iter().map(position).collect(),
        })
    }
}

impl Checkpoint {
    /// The first digits of the public key.
    fn key_id(&self) -> String {
        ::hex::encode(&self.public_key[..KEY_ID_DIGITS / 2])
    }

    /// [`parse`], for a line whose key is known to be `key`.
    pub(super) fn parse<'a>(
        bytes: &'a [u8],
        key: &[u8; 32],
        hasher: &mut LineHasher,
    ) -> Option<(Checkpoint, Parts<'a>, [u8; 64])> {
        let parts = line::split(bytes)?;
        let checkpoint = Checkpoint { public_key: *key, ..Checkpoint::read(bytes)? };
        let signature = parts.signature?;
        let mut again = Vec::with_capacity(bytes.len() + 1);
        checkpoint.write(&mut again);
        hasher.end(&mut again, 0, &parts.prev, Some(&|_| signature));
        (again.strip_suffix(b"\n") == Some(bytes)).then_some((checkpoint, parts, signature))
    }
}

impl Mark for Checkpoint {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(CHECKPOINT_START);
        text::number(out, self.number);
        common(out, &self.chain, self.segment);
        out.extend_from_slice(b",\"seq\":");
        text::number(out, self.seq);
        out.extend_from_slice(b",\"records\":");
        text::number(out, self.records);
        out.extend_from_slice(b",\"root\":\"");
        hex(out, &self.root);
        out.extend_from_slice(b"\",\"at\":");
        text::time(out, self.at);
        out.extend_from_slice(b",\"key_id\":");
        text::string(out, &self.key_id());
        out.extend_from_slice(if self.sealed { b",\"sealed\":true" } else { b",\"sealed\":false" });
    }

    /// Without the public key, of which the line holds the first digits only.
    fn read(line: &[u8]) -> Option<Checkpoint> {
        #[derive(Deserialize)]
        struct Fields {
            checkpoint: u64,
            chain: String,
            segment: u32,
            seq: u64,
            records: u64,
            root: String,
            at: String,
            sealed: bool,
        }
        let fields: Fields = json(line)?;
        Some(Checkpoint {
            number: fields.checkpoint,
            chain: unhex(fields.chain.as_bytes())?,
            segment: fields.segment,
            seq: fields.seq,
            records: fields.records,
            root: unhex(fields.root.as_bytes())?,
            at: text::parse_time(&fields.at)?,
            public_key: [0; 32],
            sealed: fields.sealed,
        })
    }
}

impl Mark for Notice {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(NOTICE_START);
        text::number(out, self.removed);
        common(out, &self.chain, self.segment);
        out.extend_from_slice(b",\"first_seq\":");
        text::number(out, self.first_seq);
        out.extend_from_slice(b",\"last_seq\":");
        text::number(out, self.last_seq);
        out.extend_from_slice(b",\"at\":");
        text::time(out, self.at);
    }

    fn read(line: &[u8]) -> Option<Notice> {
        #[derive(Deserialize)]
        struct Fields {
            removed: u64,
            chain: String,
            segment: u32,
            first_seq: u64,
            last_seq: u64,
            at: String,
        }
        let fields: Fields = json(line)?;
        Some(Notice {
            removed: fields.removed,
            chain: unhex(fields.chain.as_bytes())?,
            segment: fields.segment,
            first_seq: fields.first_seq,
            last_seq: fields.last_seq,
            at: text::parse_time(&fields.at)?,
        })
    }
}

fn common(out: &mut Vec<u8>, chain: &[u8; 16], segment: u32) {
    out.extend_from_slice(b",\"chain\":\"");
    hex(out, chain);
    out.extend_from_slice(b"\",\"segment\":");
    text::number(out, segment);
}

fn json<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::line::GENESIS;

    fn written<M: Mark>(mark: &M, signed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        mark.write(&mut out);
        LineHasher::new().end(&mut out, 0, &GENESIS, signed.then_some(&|_| [1; 64]));
        out.pop();
        out
    }

    #[test]
    fn marks_come_back_and_have_one_form() {
        let position = |boot| Position { boot, segment: 2, offset: 3 };
        let header = Header {
            chain: [1; 16],
            segment: 2,
            first_seq: 11,
            checkpoints: 3,
            public_key: [2; 32],
            at: 1_772_366_400_000_000,
            positions: vec![position(1), position(2)],
        };
        let checkpoint = Checkpoint {
            number: 4,
            chain: [1; 16],
            segment: 2,
            seq: 20,
            records: 10,
            root: [3; 32],
            at: 1_772_366_400_000_000,
            public_key: [2; 32],
            sealed: true,
        };
        let (chain, at) = ([1; 16], 5);
        let notice = Notice { removed: 10, chain, segment: 2, first_seq: 11, last_seq: 20, at };
        let mut hasher = LineHasher::new();
        let line = written(&header, false);
        assert_eq!(parse::<Header>(&line, &mut hasher).unwrap().0, header);
        let spaced = String::from_utf8(line).unwrap().replace(",\"segment\"", ", \"segment\"");
        assert!(parse::<Header>(spaced.as_bytes(), &mut hasher).is_none());
        let line = written(&checkpoint, true);
        assert_eq!(Checkpoint::parse(&line, &[2; 32], &mut hasher).unwrap().0, checkpoint);
        assert!(Checkpoint::parse(&line, &[9; 32], &mut hasher).is_none(), "the key's digits differ");
        assert!(Checkpoint::parse(&written(&checkpoint, false), &[2; 32], &mut hasher).is_none());
        insta::assert_snapshot!(String::from_utf8(line).unwrap().replace(",\"", ",\n\""), @r#"
        {"checkpoint":4,
        "chain":"01010101010101010101010101010101",
        "segment":2,
        "seq":20,
        "records":10,
        "root":"0303030303030303030303030303030303030303030303030303030303030303",
        "at":"2026-03-01T12:00:00.000000Z",
        "key_id":"0202020202020202",
        "sealed":true,
        "prev":"0000000000000000000000000000000000000000000000000000000000000000",
        "hash":"5065509a595eaf5a9eabb821f2304aaf0dd3314a2df7ca9ef844be33a369e09f",
        "signature":"01010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"}
        "#);
        let line = written(&notice, true);
        assert_eq!(parse::<Notice>(&line, &mut hasher).unwrap().0, notice);
    }
}

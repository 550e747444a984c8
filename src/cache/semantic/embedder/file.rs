//! The file of token vectors, read in place: `vectors.bin`, made by `scripts/distil_embedder.py`, which states its layout.
//!
//! What a reader could get wrong: nothing is copied but the table that finds a spelling; the vectors stay in the pages of the binary and
//! cost memory only where they are read.

use std::collections::HashMap;

use zerocopy::FromBytes;
use zerocopy::little_endian::F32;

use super::DIMENSIONS;

const MAGIC: &[u8; 8] = b"TGEMB001";
/// Magic, identity, tokens, dimensions, bytes of all spellings.
const HEAD: usize = 8 + 8 + 4 + 4 + 4;
/// Ids of tokens are kept in two bytes.
const MAX_TOKENS: usize = u16::MAX as usize;
/// What begins the spelling of a piece that continues a word.
const CONTINUES: &str = "##";
/// What stands for a word that no pieces spell.
const UNKNOWN: &str = "[UNK]";

/// The parts of the file.
pub(super) struct Vectors<'f> {
    pub identity: [u8; 8],
    /// By id: what a token's vector is multiplied with in a sum.
    pub scales: &'f [F32],
    /// By id: the length of what a token adds to a sum; 1 on average.
    pub weights: &'f [F32],
    /// `DIMENSIONS` per token.
    pub vectors: &'f [i8],
    pub vocabulary: Vocabulary<'f>,
}

/// From spelling to id.
pub(super) struct Vocabulary<'f> {
    /// What can begin a word.
    words: HashMap<&'f [u8], u16, foldhash::fast::FixedState>,
    /// What can continue one, spelled without the `##`.
    pieces: HashMap<&'f [u8], u16, foldhash::fast::FixedState>,
    /// Bytes of the longest of either.
    pub longest: usize,
    pub unknown: u32,
}

impl Vocabulary<'_> {
    pub fn find(&self, spelling: &[u8], continues: bool) -> Option<u32> {
        let among = if continues { &self.pieces } else { &self.words };
        among.get(spelling).map(|id| u32::from(*id))
    }

    fn empty() -> Self {
        Vocabulary { words: HashMap::default(), pieces: HashMap::default(), longest: 0, unknown: 0 }
    }
}

impl<'f> Vectors<'f> {
    /// `None` for what is not such a file of `DIMENSIONS` dimensions, to the last byte.
    pub fn parse(bytes: &'f [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let (magic, head) = head.split_first_chunk::<8>()?;
        let (identity, head) = head.split_first_chunk::<8>()?;
        let number = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?) as usize);
        let (tokens, dimensions, spelt) = (number(0)?, number(4)?, number(8)?);
        if magic != MAGIC || dimensions != DIMENSIONS || tokens == 0 || tokens > MAX_TOKENS {
            return None;
        }
        let (scales, rest) = rest.split_at_checked(tokens * 4)?;
        let (weights, rest) = rest.split_at_checked(tokens * 4)?;
        let (vectors, rest) = rest.split_at_checked(tokens * DIMENSIONS)?;
        let (lengths, spellings) = rest.split_at_checked(tokens)?;
        if spellings.len() != spelt {
            return None;
        }
        Some(Vectors {
            identity: *identity,
            scales: <[F32]>::ref_from_bytes(scales).ok()?,
            weights: <[F32]>::ref_from_bytes(weights).ok()?,
            vectors: <[i8]>::ref_from_bytes(vectors).ok()?,
            vocabulary: vocabulary(lengths, spellings)?,
        })
    }

    /// Stands in for a file that cannot be read: every text is without tokens. A test reads the one that is built in.
    pub fn none() -> Self {
        Vectors { identity: [0; 8], scales: &[], weights: &[], vectors: &[], vocabulary: Vocabulary::empty() }
    }
}

fn vocabulary<'f>(lengths: &[u8], mut spellings: &'f [u8]) -> Option<Vocabulary<'f>> {
    let mut found = Vocabulary::empty();
    let mut unknown = None;
    for (id, length) in (0_u16..).zip(lengths) {
        let (spelling, rest) = spellings.split_at_checked(usize::from(*length))?;
        spellings = rest;
        if spelling == UNKNOWN.as_bytes() {
            unknown = Some(u32::from(id));
            continue;
        }
        let twice = match spelling.strip_prefix(CONTINUES.as_bytes()) {
            Some(piece) if !piece.is_empty() => found.pieces.insert(piece, id),
            _ => found.words.insert(spelling, id),
        };
        if twice.is_some() {
            return None;
        }
        found.longest = found.longest.max(spelling.len());
    }
    found.unknown = unknown?;
    spellings.is_empty().then_some(found)
}

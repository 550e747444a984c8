//! What is known of single words: in which lists of names they stand, and whether they are ordinary words that are never part of a name.
//!
//! What a reader could get wrong: words are kept as fingerprints of their hashes, not as text; one in some ten thousand unknown words is taken for a
//! known one, which the features outvote.

/// In lists of given names, family names, cities.
pub const FIRST: u16 = 1;
pub const LAST: u16 = 1 << 1;
pub const CITY: u16 = 1 << 2;
pub const COUNTRY: u16 = 1 << 3;
/// Nationalities, religions, parties.
pub const GROUP: u16 = 1 << 4;
/// `GmbH`, `Bank`, `University`.
pub const FIRM: u16 = 1 << 5;
/// `Street`, `rue`, `apt`.
pub const STREET: u16 = 1 << 6;
pub const HONORIFIC: u16 = 1 << 7;
/// Months and days.
pub const CALENDAR: u16 = 1 << 8;
pub const JOB: u16 = 1 << 9;
/// Also an ordinary word.
pub const WORD: u16 = 1 << 10;
/// Part of a household name.
pub const BRAND: u16 = 1 << 11;
/// Never part of a name where it is written in lower case: not looked at.
pub const NEVER: u16 = 1 << 12;
/// `of`, `and`, `de`: part of a name only between two others.
pub const LINK: u16 = 1 << 13;
/// Of a whole name (see [`phrase`]): everybody knows it.
pub const PUBLIC: u16 = 1 << 14;
/// Those flags that say what a word may be.
pub const CLASS: u16 = (1 << 12) - 1;

/// So many slots are looked at before a word counts as unknown; the writer puts none further away.
pub const REACH: usize = 64;

/// A table of fingerprints with flags, in the weights file.
#[derive(Debug, Clone, Copy)]
pub struct Lexicon {
    /// Fingerprint and flags, little-endian; a power of two of them, and `REACH` more.
    slots: &'static [[u8; 4]],
    mask: usize,
}

impl Lexicon {
    /// `slots` of the weights file: a power of two and `REACH` more, or `None`.
    pub fn new(slots: &'static [[u8; 4]]) -> Option<Lexicon> {
        let size = slots.len().checked_sub(REACH).filter(|size| size.is_power_of_two())?;
        Some(Lexicon { slots, mask: size - 1 })
    }

    /// What is known of the word of that hash; 0 for nothing.
    pub fn flags(&self, hash: u64) -> u16 {
        let (place, fingerprint) = place(hash);
        let from = place & self.mask;
        for slot in self.slots.get(from..from + REACH).unwrap_or_default() {
            let [low, high, flags @ ..] = *slot;
            match u16::from_le_bytes([low, high]) {
                0 => return 0,
                found if found == fingerprint => return u16::from_le_bytes(flags),
                _ => {}
            }
        }
        0
    }
}

/// Where to look for a hash, before the mask, and its fingerprint, never 0.
pub fn place(hash: u64) -> (usize, u16) {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [a, b, c, d, e, f, ..] = mixed.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]) as usize, u16::from_be_bytes([e, f]).max(1))
}

/// The hash of a name of several words, from those of its words.
pub fn phrase(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0x5851_f42d_4c95_7f2d, |sum, word| (sum ^ word).rotate_left(25).wrapping_mul(0x2545_f491_4f6c_dd1d))
}

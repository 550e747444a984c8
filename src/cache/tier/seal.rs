//! Sealing: an entry leaves memory encrypted and authenticated (XChaCha20-Poly1305), its life and labels with it.
//!
//! What a reader could get wrong: names are keyed too. A key is a hash of a request and a label one of a tenant's name, and whoever can
//! guess a request could look for its hash; what stands on disk and in Redis is a hash under the secret, which nobody can guess at.

use std::fmt;

use bytes::Bytes;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

use super::{Kept, Key, Labels};

/// What an entry looks like; others are not opened.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Five numbers and four marks, eight bytes each.
const HEAD: usize = 9 * 8;
/// What is before the encrypted part.
const FRONT: usize = 1 + NONCE;
/// What sealing adds to an entry's size, in bytes.
pub const OVERHEAD: usize = FRONT + HEAD + TAG;

const CIPHER_CONTEXT: &str = "tidegate 2026 cache entries v1";
const NAME_CONTEXT: &str = "tidegate 2026 cache names v1";

/// Where a sealed entry is to live: one taken from elsewhere does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Disk = 1,
    Shared = 2,
}

/// What a name stands for: equal hashes of different kinds have different names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Everything = 1,
    Route = 2,
    Tenant = 3,
    Model = 4,
}

/// Marks of purges that were in force when an entry was sealed; see `shared/marks.rs`. Zero on disk.
pub type Marks = [u64; 4];

/// Seals and opens entries. Prints as `***`.
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
    names: [u8; 32],
}

impl Seal {
    /// Under keys derived from a secret of 32 random bytes.
    pub fn new(secret: &[u8; 32]) -> Seal {
        let key = blake3::derive_key(CIPHER_CONTEXT, secret);
        Seal { cipher: XChaCha20Poly1305::new(&key.into()), names: blake3::derive_key(NAME_CONTEXT, secret) }
    }

    /// What an entry is called where others can read it.
    pub fn name(&self, place: Place, key: &Key) -> [u8; 16] {
        let mut text = [0; 33];
        text[0] = place as u8;
        text[1..].copy_from_slice(&key.0);
        self.hash(&text)
    }

    /// What a label is called where others can read it.
    pub fn label(&self, place: Place, kind: Kind, label: u64) -> [u8; 16] {
        let mut text = [0; 10];
        (text[0], text[1]) = (place as u8, kind as u8);
        text[2..].copy_from_slice(&label.to_le_bytes());
        self.hash(&text)
    }

    /// Tells whether what is there was made under the same secret.
    pub fn check(&self) -> [u8; 16] {
        self.hash(b"check")
    }

    /// The entry as it may lie where others can read it; `None` where the system has no random bytes to give.
    pub fn seal(&self, place: Place, key: &Key, kept: &Kept, marks: &Marks) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(OVERHEAD + kept.bytes.len());
        let mut nonce = [0; NONCE];
        // 192 random bits: as many entries as one likes without two ever having the same (a counter would need a file of its own).
        getrandom::fill(&mut nonce).ok()?;
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        let Labels { route, tenant, model } = kept.labels;
        for number in [kept.made_us as u64, kept.until_us as u64, route, tenant, model].iter().chain(marks) {
            sealed.extend_from_slice(&number.to_le_bytes());
        }
        sealed.extend_from_slice(&kept.bytes);
        let text = InOutBuf::from(&mut sealed[FRONT..]);
        let tag = self.cipher.encrypt_inout_detached(&XNonce::from(nonce), &associated(place, key), text).ok()?;
        sealed.extend_from_slice(&tag);
        Some(sealed)
    }

    /// What was sealed for this place under this key; `None`: it was not, or something was changed. Nothing is copied.
    pub fn open(&self, place: Place, key: &Key, mut sealed: Vec<u8>) -> Option<(Kept, Marks)> {
        if sealed.len() < OVERHEAD || sealed[0] != VERSION {
            return None;
        }
        let end = sealed.len() - TAG;
        let nonce = XNonce::try_from(&sealed[1..FRONT]).ok()?;
        let tag = Tag::try_from(&sealed[end..]).ok()?;
        let text = InOutBuf::from(&mut sealed[FRONT..end]);
        self.cipher.decrypt_inout_detached(&nonce, &associated(place, key), text, &tag).ok()?;
        let mut numbers = [0; 9];
        for (number, bytes) in numbers.iter_mut().zip(sealed[FRONT..].chunks_exact(8)) {
            *number = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        let [made, until, route, tenant, model, marks @ ..] = numbers;
        let bytes = Bytes::from(sealed).slice(FRONT + HEAD..end);
        let labels = Labels { route, tenant, model };
        Some((Kept { made_us: made as i64, until_us: until as i64, labels, bytes }, marks))
    }

    fn hash(&self, text: &[u8]) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.names, text).as_bytes()[..16]);
        short
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is authenticated besides the text: an entry opens in its place and under its key only.
fn associated(place: Place, key: &Key) -> [u8; 34] {
    let mut data = [0; 34];
    (data[0], data[1]) = (VERSION, place as u8);
    data[2..].copy_from_slice(&key.0);
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(bytes: &[u8]) -> Kept {
        let labels = Labels { route: 1, tenant: 2, model: 3 };
        Kept { made_us: 10, until_us: 20, labels, bytes: Bytes::copy_from_slice(bytes) }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_tells_nothing(
            bytes in prop::collection::vec(any::<u8>(), 0..300), key: [u8; 32], secret: [u8; 32],
            made: i64, until: i64, route: u64, tenant: u64, model: u64, marks: [u64; 4],
        ) {
            let seal = Seal::new(&secret);
            let labels = Labels { route, tenant, model };
            let kept = Kept { made_us: made, until_us: until, labels, bytes: Bytes::from(bytes) };
            let sealed = seal.seal(Place::Disk, &Key(key), &kept, &marks).unwrap();
            prop_assert_eq!(sealed.len(), OVERHEAD + kept.bytes.len());
            if kept.bytes.len() >= 8 {
                prop_assert!(!sealed.windows(8).any(|part| part == &kept.bytes[..8]));
            }
            prop_assert_eq!(seal.open(Place::Disk, &Key(key), sealed), Some((kept, marks)));
        }

        #[test]
        fn nothing_else_opens(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0usize..200, bit in 0usize..2000) {
            let (seal, key) = (Seal::new(&[7; 32]), Key([1; 32]));
            let sealed = seal.seal(Place::Shared, &key, &kept(&bytes), &[5; 4]).unwrap();
            // One bit anywhere: version, nonce, expiry, labels, text, tag.
            let mut flipped = sealed.clone();
            let at = bit % (sealed.len() * 8);
            flipped[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(seal.open(Place::Shared, &key, flipped), None);
            let shorter = sealed[..cut.min(sealed.len() - 1)].to_vec();
            prop_assert_eq!(seal.open(Place::Shared, &key, shorter), None);
            let longer = [&sealed[..], &[0]].concat();
            prop_assert_eq!(seal.open(Place::Shared, &key, longer), None);
            // Another key's, another place's, another secret's.
            prop_assert_eq!(seal.open(Place::Shared, &Key([2; 32]), sealed.clone()), None);
            prop_assert_eq!(seal.open(Place::Disk, &key, sealed.clone()), None);
            prop_assert_eq!(Seal::new(&[8; 32]).open(Place::Shared, &key, sealed), None);
        }
    }

    #[test]
    fn every_bit_of_the_expiry_counts() {
        let (seal, key) = (Seal::new(&[7; 32]), Key([1; 32]));
        let sealed = seal.seal(Place::Disk, &key, &kept(b"an answer"), &[0; 4]).unwrap();
        for bit in 0..64 {
            let mut longer = sealed.clone();
            longer[FRONT + 8 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal.open(Place::Disk, &key, longer), None);
        }
    }

    #[test]
    fn the_same_entry_is_never_sealed_alike_and_names_depend_on_everything() {
        let (seal, key) = (Seal::new(&[7; 32]), Key([1; 32]));
        let one = |key| seal.seal(Place::Disk, key, &kept(b"an answer"), &[0; 4]).unwrap();
        assert_ne!(one(&key), one(&key));
        let names = [
            seal.name(Place::Disk, &key),
            seal.name(Place::Shared, &key),
            seal.name(Place::Disk, &Key([2; 32])),
            Seal::new(&[8; 32]).name(Place::Disk, &key),
            seal.label(Place::Disk, Kind::Route, 1),
            seal.label(Place::Disk, Kind::Tenant, 1),
            seal.label(Place::Disk, Kind::Route, 2),
            seal.label(Place::Shared, Kind::Route, 1),
            seal.check(),
        ];
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(names[0], seal.name(Place::Disk, &key));
        assert_eq!(format!("{seal:?}"), "***");
    }
}

//! Texts as they may lie on disk: encrypted and authenticated (XChaCha20-Poly1305) under a key of the data directory.
//!
//! What a reader could get wrong: `place` is authenticated, not stored. A text opens only where it was sealed for, so that rows of a
//! database cannot be exchanged for one another by whoever can write the file.

pub mod secret;

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

/// What a sealed text looks like; others are not opened.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const FRONT: usize = 1 + NONCE;

/// What sealing adds to a text's size, in bytes.
pub const OVERHEAD: usize = FRONT + TAG;

/// Seals and opens texts. Prints as `***`.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    check: [u8; 16],
}

impl Sealer {
    /// Under a key derived from a secret of 32 random bytes. `context` tells one use of a secret from another; it is a constant.
    pub fn new(context: &str, secret: &[u8; 32]) -> Sealer {
        let key = blake3::derive_key(context, secret);
        let mut check = [0; 16];
        check.copy_from_slice(&blake3::keyed_hash(&key, b"check").as_bytes()[..16]);
        Sealer { cipher: XChaCha20Poly1305::new(&key.into()), check }
    }

    /// Tells whether what is there was made under the same secret.
    pub fn check(&self) -> [u8; 16] {
        self.check
    }

    /// The text as it may lie on disk; `None` where the system has no random bytes to give.
    pub fn seal(&self, place: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(OVERHEAD + text.len());
        let mut nonce = [0; NONCE];
        // 192 random bits: as many texts as one likes without two ever having the same.
        getrandom::fill(&mut nonce).ok()?;
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text);
        let within = InOutBuf::from(&mut sealed[FRONT..]);
        let tag = self.cipher.encrypt_inout_detached(&XNonce::from(nonce), place, within).ok()?;
        sealed.extend_from_slice(&tag);
        Some(sealed)
    }

    /// The text that was sealed for this place; `None`: it was not, or something was changed.
    pub fn open(&self, place: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        if sealed.len() < OVERHEAD || sealed[0] != VERSION {
            return None;
        }
        let end = sealed.len() - TAG;
        let nonce = XNonce::try_from(&sealed[1..FRONT]).ok()?;
        let tag = Tag::try_from(&sealed[end..]).ok()?;
        let within = InOutBuf::from(&mut sealed[FRONT..end]);
        self.cipher.decrypt_inout_detached(&nonce, place, within, &tag).ok()?;
        sealed.truncate(end);
        sealed.drain(..FRONT);
        Some(sealed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_in_its_place_only(text in prop::collection::vec(any::<u8>(), 0..300), bit in 0usize..4000) {
            let sealer = Sealer::new("test", &[7; 32]);
            let sealed = sealer.seal(b"here", &text).unwrap();
            prop_assert_eq!(sealed.len(), OVERHEAD + text.len());
            if text.len() >= 8 {
                prop_assert!(!sealed.windows(8).any(|part| part == &text[..8]));
            }
            let mut flipped = sealed.clone();
            let at = bit % (sealed.len() * 8);
            flipped[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(sealer.open(b"here", flipped), None);
            prop_assert_eq!(sealer.open(b"there", sealed.clone()), None);
            prop_assert_eq!(sealer.open(b"here", sealed[..sealed.len() - 1].to_vec()), None);
            prop_assert_eq!(Sealer::new("test", &[8; 32]).open(b"here", sealed.clone()), None);
            prop_assert_eq!(Sealer::new("other", &[7; 32]).open(b"here", sealed.clone()), None);
            prop_assert_eq!(sealer.open(b"here", sealed), Some(text));
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_alike_and_no_key_is_printed() {
        let sealer = Sealer::new("test", &[7; 32]);
        assert_ne!(sealer.seal(b"p", b"text"), sealer.seal(b"p", b"text"));
        assert_ne!(sealer.check(), Sealer::new("test", &[8; 32]).check());
        assert_eq!(format!("{sealer:?}"), "***");
    }
}

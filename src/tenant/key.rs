//! Keys of clients: `sk-tg-`, 256 random bits and a checksum, all in hex; known to the configuration by their SHA-256 only.
//!
//! What a reader could get wrong: the checksum protects nobody. It tells a damaged key from a wrong one, and lets secret scanners
//! recognise a leaked one without asking anybody. A key is accepted by its hash alone, whatever its form.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every key begins with.
pub const PREFIX: &str = "sk-tg-";

/// What a key's hash begins with in the configuration.
pub const HASH_PREFIX: &str = "sha256:";

/// Random bytes of a key.
const SECRET_BYTES: usize = 32;

/// Bytes of the checksum: CRC-32 (IEEE 802.3) of the random bytes, big-endian.
const CHECKSUM_BYTES: usize = 4;

/// SHA-256 of a key's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

/// What the text of a key looks like, for the message to somebody whose key is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As `tidegate keys new` makes them.
    Whole,
    /// Begins like one, but is cut off or mistyped.
    Damaged,
    /// Something else: another provider's key.
    Foreign,
}

/// A new key. Shown once; only its hash is kept.
///
/// # Errors
/// The system has no random numbers.
pub fn generate() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    let checksum = crc32fast::hash(&bytes).to_be_bytes();
    Ok(format!("{PREFIX}{}{}", hex::encode(bytes), hex::encode(checksum)))
}

/// What a text looks like.
pub fn form(text: &str) -> Form {
    let Some(body) = text.strip_prefix(PREFIX) else { return Form::Foreign };
    let mut bytes = [0; SECRET_BYTES + CHECKSUM_BYTES];
    if hex::decode_to_slice(body, &mut bytes).is_err() {
        return Form::Damaged;
    }
    let (secret, checksum) = bytes.split_at(SECRET_BYTES);
    if crc32fast::hash(secret).to_be_bytes() == *checksum { Form::Whole } else { Form::Damaged }
}

impl KeyHash {
    /// Of a key's text.
    pub fn of(key: &[u8]) -> KeyHash {
        KeyHash(Sha256::digest(key).into())
    }

    /// From `sha256:` and 64 hex digits, as the configuration has it.
    pub fn parse(text: &str) -> Option<KeyHash> {
        let digits = text.strip_prefix(HASH_PREFIX)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(KeyHash(bytes))
    }

    /// In a time that does not tell how much of it agrees.
    pub fn matches(&self, other: &KeyHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASH_PREFIX}{}", hex::encode(self.0))
    }
}

/// Not the whole hash: a log is no place for it either.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", hex::encode(&self.0[..2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_whole_different_and_known_by_their_hash() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), PREFIX.len() + 2 * (SECRET_BYTES + CHECKSUM_BYTES));
        assert_eq!(form(&one), Form::Whole);
        let hash = KeyHash::of(one.as_bytes());
        assert!(KeyHash::parse(&hash.to_string()).unwrap().matches(&hash));
        assert!(!KeyHash::of(two.as_bytes()).matches(&hash));
    }

    #[test]
    fn a_damaged_key_is_told_from_a_foreign_one() {
        let key = generate().unwrap();
        let mut swapped: Vec<char> = key.chars().collect();
        let last = swapped.len() - 1;
        swapped[last] = if swapped[last] == '0' { '1' } else { '0' };
        assert_eq!(form(&swapped.iter().collect::<String>()), Form::Damaged);
        assert_eq!(form(&key[..key.len() - 2]), Form::Damaged);
        assert_eq!(form("sk-proj-abc"), Form::Foreign);
    }

    #[test]
    fn hashes_are_read_in_one_form_only() {
        // The SHA-256 of nothing (FIPS 180-4 test vector).
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(KeyHash::parse(empty).unwrap().matches(&KeyHash::of(b"")));
        for wrong in ["", "sha256:", "sha256:00", &empty[7..], &format!("{empty}0"), &empty.replace("e3", "zz")] {
            assert!(KeyHash::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{:?}", KeyHash::of(b"")).contains("98fc1c"));
    }
}

//! What an answer is found by: BLAKE3 over its scope and its request in one spelling.
//!
//! What a reader could get wrong: the scope comes first and each of its parts is written with its length, so that no text of a request can
//! pass for a part of another scope.

use std::fmt;

/// BLAKE3's `derive_key` context of a cache key.
const CONTEXT: &str = "tidegate 2026 cache key v1";

/// The place of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever reads a log need not be able to tell which requests were alike.
        f.write_str("Key")
    }
}

impl Key {
    /// As operators name it: 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// `None`: it is no key.
    pub fn parse(text: &str) -> Option<Key> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok().map(|()| Key(bytes))
    }
}

/// Who may be given an answer: everything that an answer depends on besides the request's text.
#[derive(Debug, Clone)]
pub struct Scope(blake3::Hasher);

impl Default for Scope {
    fn default() -> Self {
        Scope(blake3::Hasher::new_derive_key(CONTEXT))
    }
}

impl Scope {
    /// One more part; parts are told apart by their order.
    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Scope {
        self.0.update(&(part.len() as u64).to_le_bytes()).update(part);
        self
    }

    /// The scope of what surrounds a question.
    pub fn around(&self, request: &[u8]) -> u128 {
        let key = self.clone().with(b"around").key(request);
        let mut first = [0; 16];
        first.copy_from_slice(key.0.get(..16).unwrap_or(&[0; 16]));
        u128::from_le_bytes(first)
    }

    /// The key of a request within it.
    pub fn key(&self, request: &[u8]) -> Key {
        Key(*self.0.clone().update(request).finalize().as_bytes())
    }
}

/// A label to purge by: the first eight bytes of its BLAKE3.
pub fn label(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(hash.as_bytes().get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let scope = |parts: &[&str]| parts.iter().fold(Scope::default(), |scope, part| scope.with(part.as_bytes()));
        assert_ne!(scope(&["ab", "c"]).key(b"x"), scope(&["a", "bc"]).key(b"x"));
        assert_ne!(scope(&["a", ""]).key(b"x"), scope(&["", "a"]).key(b"x"));
        assert_ne!(scope(&["a"]).key(b"x"), scope(&["a", "x"]).key(b""));
        assert_eq!(scope(&["a"]).key(b"x"), scope(&["a"]).key(b"x"));
        let key = scope(&["a"]).key(b"x");
        assert_eq!(Key::parse(&key.hex()), Some(key));
        assert_eq!(Key::parse("12"), None);
        assert_ne!(label("a"), label("b"));
    }
}

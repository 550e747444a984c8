//! Lists of words, asked for in any (ASCII) case.
//!
//! What a reader could get wrong: words are compared whole and up to `LONGEST` bytes; a list with a longer one would never find it.

use std::sync::OnceLock;

use smallvec::SmallVec;

/// The longest word, in bytes.
const LONGEST: usize = 32;

/// A list, written with spaces between its words, in small letters.
#[derive(Debug)]
pub(super) struct Words {
    list: &'static str,
    set: OnceLock<foldhash::HashSet<&'static [u8]>>,
}

impl Words {
    pub(super) const fn new(list: &'static str) -> Words {
        Words { list, set: OnceLock::new() }
    }

    /// Whether `word` is one of them.
    pub(super) fn has(&self, word: &str) -> bool {
        if word.len() > LONGEST {
            return false;
        }
        let small: SmallVec<[u8; LONGEST]> = word.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
        let set = self.set.get_or_init(|| self.list.split_ascii_whitespace().map(str::as_bytes).collect());
        set.contains(small.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_in_any_case() {
        static LIST: Words = Words::new("one two caf\u{e9}");
        assert!(LIST.has("ONE") && LIST.has("two") && LIST.has("CAF\u{e9}"));
        assert!(!LIST.has("") && !LIST.has("on") && !LIST.has(&"o".repeat(LONGEST + 1)));
    }
}

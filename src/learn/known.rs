//! Which rows taught the shipped model of difficulty: on those it looks better than it is, so they neither measure it nor start from it.
//!
//! What a reader could get wrong: `known.bin` holds 32 bits of a hash per benchmark prompt, in rising order, and no text; a prompt that it
//! does not know is taken for known once in about 600,000.

use std::sync::LazyLock;

use crate::openai::view::Source;

use super::rows::{Prompt, Row};

static FILE: &[u8] = include_bytes!("known.bin");

static KNOWN: LazyLock<Vec<u32>> =
    LazyLock::new(|| FILE.as_chunks().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect());

/// Whether the shipped model of difficulty has learned from this prompt.
pub fn is_known(prompt: &Prompt) -> bool {
    KNOWN.binary_search(&digest(prompt)).is_ok()
}

/// How many of the rows the shipped model of difficulty has learned from.
pub fn count(rows: &[Row]) -> usize {
    rows.iter().filter(|row| is_known(&row.prompt)).count()
}

/// The file, for prompts that a model is made from. Written by `make train`.
pub fn file<'p>(prompts: impl Iterator<Item = &'p Prompt>) -> Vec<u8> {
    let mut digests: Vec<u32> = prompts.map(digest).collect();
    digests.sort_unstable();
    digests.dedup();
    digests.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Of what the user says, whether it came as `prompt` or as `messages`.
fn digest(prompt: &Prompt) -> u32 {
    let mut hasher = blake3::Hasher::new();
    for passage in prompt.passages().filter(|passage| matches!(passage.source, Source::User | Source::Input)) {
        hasher.update(passage.text).update(b"\n");
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_is_known_however_it_is_written() {
        let of = |value: serde_json::Value| digest(&Prompt::of(&value).unwrap());
        let plain = of(json!({"prompt": "caf\u{e9}\n\"x\""}));
        assert_eq!(
            plain,
            of(
                json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "caf\u{e9}\n\"x\""}]})
            )
        );
        assert_ne!(plain, of(json!({"prompt": "cafe"})));
    }

    #[test]
    fn the_file_is_sorted_and_knows_its_own() {
        let prompts = ["a", "b", "c", "a"].map(|text| Prompt::plain(text).unwrap());
        let bytes = file(prompts.iter());
        let read: Vec<u32> = bytes.as_chunks().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect();
        assert!(read.len() == 3 && read.is_sorted());
        assert!(prompts.iter().all(|prompt| read.binary_search(&digest(prompt)).is_ok()));
        assert!(KNOWN.len() > 6_000 && KNOWN.is_sorted() && FILE.len() == 4 * KNOWN.len(), "{}", KNOWN.len());
        assert!(!is_known(&Prompt::plain("a prompt that nobody has ever asked a benchmark").unwrap()));
    }
}

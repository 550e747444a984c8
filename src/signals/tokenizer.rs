//! Exact token counts of prompts for models whose tokenizer is known: OpenAI's, by `bpe-openai`.
//!
//! For where an estimate (`tokens.rs`) is too near a limit to decide by it: this costs some forty times as much, 12 µs for a KB and
//! 1.2 ms for a prompt that is sampled. A tokenizer takes memory (17 MB for cl100k, 34 MB for o200k) and 30 to 65 ms to get ready, so
//! one is loaded when it is first asked for, on a thread of its own.
//!
//! What a reader could get wrong: the first questions are answered with `None`, as are those about models of which nothing is known;
//! whoever asks goes by the estimate then. Of a long prompt, samples are counted: see [`WHOLE`].

use std::sync::atomic::{AtomicU8, Ordering};

use bpe_openai::Tokenizer;
use smallvec::SmallVec;

use crate::openai::weigh::weigh;

/// Bytes of prompt that are counted to the last. Beyond, the count is that of [`WINDOWS`] samples of as many bytes together, spread
/// evenly from head to tail, times the weight of the whole over theirs: off by at most 5 % for the mixed texts in the tests. Whoever
/// hides other text between the samples gets a wrong count, and pays what the upstream says in the end.
pub const WHOLE: usize = 64 << 10;

/// Samples of a long prompt.
const WINDOWS: usize = 8;

/// OpenAI's tokenizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Cl100k,
    O200k,
}

/// Families whose ids are their name, or begin with it and a dash; as tiktoken has them.
const FAMILIES: [(&str, Encoding); 17] = [
    ("gpt-5", Encoding::O200k),
    ("gpt-4.1", Encoding::O200k),
    ("gpt-4.5", Encoding::O200k),
    ("gpt-4o", Encoding::O200k),
    ("chatgpt-4o", Encoding::O200k),
    ("o1", Encoding::O200k),
    ("o3", Encoding::O200k),
    ("o4-mini", Encoding::O200k),
    ("gpt-oss", Encoding::O200k),
    ("gpt-4", Encoding::Cl100k),
    ("gpt-3.5-turbo", Encoding::Cl100k),
    ("gpt-35-turbo", Encoding::Cl100k),
    ("text-embedding-3-small", Encoding::Cl100k),
    ("text-embedding-3-large", Encoding::Cl100k),
    ("text-embedding-ada-002", Encoding::Cl100k),
    ("babbage-002", Encoding::Cl100k),
    ("davinci-002", Encoding::Cl100k),
];

const NOT_LOADED: u8 = 0;
const LOADING: u8 = 1;
const READY: u8 = 2;

static CL100K: AtomicU8 = AtomicU8::new(NOT_LOADED);
static O200K: AtomicU8 = AtomicU8::new(NOT_LOADED);

impl Encoding {
    /// The tokenizer of a model by the name that the upstream knows, fine-tuned ones included; `None`: not known.
    pub fn of(model_id: &str) -> Option<Encoding> {
        let id = model_id.strip_prefix("openai/").unwrap_or(model_id);
        let family = |id: &str, name: &str| {
            id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':']))
        };
        let of = |id: &str| FAMILIES.iter().find(|(name, _)| family(id, name)).map(|(_, encoding)| *encoding);
        of(id).or_else(|| of(id.strip_prefix("ft:")?))
    }

    /// Makes the tokenizer ready and waits for it: 30 to 65 ms. For a thread on which nobody waits.
    pub fn load(self) {
        self.tokenizer();
        self.state().store(READY, Ordering::Release);
    }

    fn state(self) -> &'static AtomicU8 {
        match self {
            Encoding::Cl100k => &CL100K,
            Encoding::O200k => &O200K,
        }
    }

    fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Encoding::Cl100k => bpe_openai::cl100k_base(),
            Encoding::O200k => bpe_openai::o200k_base(),
        }
    }

    /// The tokenizer if it is ready; otherwise loading begins, once.
    fn ready(self) -> Option<&'static Tokenizer> {
        let state = self.state();
        if state.load(Ordering::Acquire) == READY {
            return Some(self.tokenizer());
        }
        if state.compare_exchange(NOT_LOADED, LOADING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            && let Err(error) = std::thread::Builder::new().name("tokenizer".into()).spawn(move || self.load())
        {
            // Not tried again: a machine without threads to spare has other worries, and estimates do.
            tracing::warn!("no thread for loading a tokenizer: token counts stay estimated: {error}");
        }
        None
    }
}

/// The tokens of a prompt's pieces (JSON-escaped, with or without their quotes), without what a chat template adds to each message.
/// `None`: the model's tokenizer is not known, or not ready yet.
pub fn exact<'b>(model_id: &str, pieces: impl Iterator<Item = &'b [u8]>) -> Option<u64> {
    let tokenizer = Encoding::of(model_id)?.ready()?;
    let pieces: SmallVec<[&[u8]; 16]> = pieces.map(unquoted).collect();
    let length = pieces.iter().map(|piece| piece.len()).fold(0, usize::saturating_add);
    let mut counter = Counter { tokenizer, text: Vec::new() };
    if length <= WHOLE {
        return Some(pieces.iter().map(|piece| counter.count(piece)).sum());
    }
    Some(sampled(&mut counter, &pieces, length))
}

/// Counts the parts of the pieces that lie in windows over all of them, one behind the other.
fn sampled(counter: &mut Counter, pieces: &[&[u8]], length: usize) -> u64 {
    let width = WHOLE / WINDOWS;
    let (mut tokens, mut seen, mut all) = (0, 0, 0);
    let mut piece_at = 0;
    let mut window = 0;
    for piece in pieces {
        all += weigh(piece);
        let piece_end = piece_at + piece.len();
        while window < WINDOWS {
            let from = (length - width) / (WINDOWS - 1) * window;
            let part = piece.get(from.saturating_sub(piece_at)..(from + width).min(piece_end).saturating_sub(piece_at));
            if let Some(part) = part {
                tokens += counter.count(part);
                seen += weigh(part);
            }
            if from + width > piece_end {
                break;
            }
            window += 1;
        }
        piece_at = piece_end;
    }
    let whole = u128::from(tokens) * u128::from(all) / u128::from(seen.max(1));
    u64::try_from(whole).unwrap_or(u64::MAX)
}

fn unquoted(piece: &[u8]) -> &[u8] {
    piece.strip_prefix(b"\"").and_then(|piece| piece.strip_suffix(b"\"")).unwrap_or(piece)
}

/// A tokenizer with the space in which it is given text without escapes.
struct Counter {
    tokenizer: &'static Tokenizer,
    text: Vec<u8>,
}

impl Counter {
    fn count(&mut self, escaped: &[u8]) -> u64 {
        let text = if memchr::memchr(b'\\', escaped).is_none() {
            escaped
        } else {
            self.text.clear();
            unescape(escaped, &mut self.text);
            &self.text
        };
        // A sample may begin or end within a character.
        let text = String::from_utf8_lossy(text);
        self.tokenizer.count(text.as_ref()) as u64
    }
}

/// Undoes JSON's escapes. What is none (a sample may begin or end within one) stays as it is.
fn unescape(mut escaped: &[u8], text: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', escaped) {
        let (before, escape) = escaped.split_at(at);
        text.extend_from_slice(before);
        let plain = match escape.get(1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'u') => {
                let (letter, length) = unicode(escape).unwrap_or((char::REPLACEMENT_CHARACTER, 2));
                text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                escaped = escape.get(length..).unwrap_or_default();
                continue;
            }
            Some(other) => *other,
            None => b'\\',
        };
        text.push(plain);
        escaped = escape.get(2..).unwrap_or_default();
    }
    text.extend_from_slice(escaped);
}

/// The letter of `\uXXXX`, or of two of them (a surrogate pair), and their length.
fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |escape: &[u8]| {
        let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?.get(..4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(escape)?;
    let second = escape.get(6..).and_then(unit);
    let mut letters = char::decode_utf16([first].into_iter().chain(second));
    match letters.next()? {
        Ok(letter) => Some((letter, 6 * letter.len_utf16())),
        Err(_) => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

#[cfg(test)]
mod tests;

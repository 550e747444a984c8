//! What an answer has produced so far, for when the upstream never says: the client left, or the upstream knows no usage.
//!
//! Each event's text is looked at where it stands, without parsing or allocating. Chunks of a stream are alike: the text of the next
//! one begins where that of the last one did, and as many bytes stand behind it; so the usual chunk costs a comparison and its text.
//!
//! What a reader could get wrong: it is an estimate, and reasoning that an upstream keeps to itself is not in it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::weigh::{PARTS, weigh};

/// So much of one text is weighed; the rest counts like it. A stream's text is a few bytes, an answer's a few thousand.
const WEIGHED: usize = 64 << 10;

/// One text in so many with a space behind a letter shows that a stream sends several tokens at once: no tokenizer joins words.
const ONE_IN: u64 = 10;

/// Where there are no spaces, as in Chinese: more weighed tokens a text than this are several. One weighs up to 1.6, two from 2.5 on.
const SEVERAL: u64 = 2;

/// Members whose strings a model wrote, as far as they are at the place where one looks: chat, completions, Anthropic, Responses.
const KEYS: [&[u8]; 9] = [
    b"\"content",
    b"\"text",
    b"\"delta",
    b"\"arguments",
    b"\"reasoning_content",
    b"\"reasoning",
    b"\"refusal",
    b"\"thinking",
    b"\"partial_json",
];
const TEXT: usize = 1;
const DELTA: usize = 2;

/// The end of a key. An escaped quote has a backslash before it, so this one ends no key within a text.
static COLON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\":"));

/// Counts what the events of a stream, or whole answers, have produced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Produced {
    /// Texts that were not empty.
    texts: u64,
    /// Of those, with a space anywhere.
    spaced: u64,
    /// Of those, with a space behind something else.
    joined: u64,
    /// Their weight.
    parts: u64,
    /// It was a whole answer: the number of texts says nothing.
    whole: bool,
    usual: Usual,
}

/// Where the last event had its only text.
#[derive(Debug, Clone, Copy, Default)]
struct Usual {
    /// The key in [`KEYS`].
    key: usize,
    /// Where its opening quote stands.
    key_at: usize,
    /// The text's first byte; 0: there is nothing usual yet.
    text_at: usize,
    /// Bytes from the text's end to the event's end, those of the padding not counted.
    behind: usize,
    /// Where OpenAI's padding begins, from the text's end; 0: there is none.
    padding_at: usize,
}

/// OpenAI pads events to like lengths, so that nobody on the way learns the lengths of texts.
const PADDING: &[u8] = b"\"obfuscation\":\"";

impl Produced {
    /// Takes in the data of one event.
    pub fn event(&mut self, data: &[u8]) {
        if let Some(text) = self.usual.text(data) {
            self.add(text);
        } else {
            self.unusual(data);
        }
    }

    /// Takes in a complete JSON answer (instead of events).
    pub fn answer(&mut self, body: &[u8]) {
        self.whole = true;
        let mut at = 0;
        while let Some(found) = next(body, at) {
            at = found.end;
            if let Found { text: Some((key, text)), .. } = found
                && key != DELTA
            {
                self.add(text);
            }
        }
    }

    /// Whether nothing was produced.
    pub fn is_empty(&self) -> bool {
        self.texts == 0
    }

    /// Tokens of the answer. Most upstreams send a token in each event, which makes the number of texts the best count there is (0.8 to
    /// 1.05 of the true one in the tests); from those that gather several, and of whole answers, the weight is (0.8 to 1.5, for Cyrillic
    /// and Arabic script by newer tokenizers up to 3.2).
    pub fn tokens(&self) -> u64 {
        let weighed = self.parts.div_ceil(PARTS);
        let several = if self.whole || self.joined * ONE_IN > self.texts {
            true
        } else if self.spaced * ONE_IN > self.texts {
            false
        } else {
            weighed > self.texts * SEVERAL
        };
        if several { weighed.max(self.texts) } else { self.texts + self.joined }
    }

    fn add(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.texts += 1;
        let (spaced, joined) = spaces(text.get(..WEIGHED).unwrap_or(text));
        self.spaced += u64::from(spaced);
        self.joined += u64::from(joined);
        let parts = match text.get(..WEIGHED) {
            Some(head) => weigh(head).saturating_mul(text.len() as u64) / WEIGHED as u64,
            None => weigh(text),
        };
        self.parts = self.parts.saturating_add(parts);
    }

    /// Looks at the whole event, and remembers where its text was if there was one alone.
    fn unusual(&mut self, data: &[u8]) {
        let mut usual = Usual::default();
        let (mut at, mut number) = (0, 0);
        // Of Responses, only what is new counts: the events at an item's end repeat its text.
        let responses = Responses::of(data);
        while let Some(found) = next(data, at) {
            at = found.end;
            let Some((key, text)) = found.text.filter(|(_, text)| !text.is_empty()) else { continue };
            let counts = match responses {
                Responses::No => key != DELTA && (key != TEXT || number == 0 || usual.key == TEXT),
                Responses::New => key == DELTA,
                Responses::Other => false,
            };
            if counts {
                self.add(text);
                let end = found.end - 1;
                usual = Usual::learn(data, key, found.key_at, end - text.len(), end);
                number += 1;
            }
        }
        if number > 0 {
            self.usual = if number == 1 { usual } else { Usual::default() };
        }
    }
}

impl Usual {
    /// The text of an event that is like the last one. `None`: it is not.
    fn text<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        if self.text_at == 0 {
            return None;
        }
        let key = KEYS.get(self.key)?;
        // Between the key and the text stand `":"` and perhaps spaces.
        let between = data.get(self.key_at..self.text_at)?.strip_prefix(*key)?.strip_prefix(b"\":")?;
        let (b'"', spaces) = between.split_last()? else { return None };
        if !spaces.iter().all(|byte| *byte == b' ') {
            return None;
        }
        let end = string_end(data, self.text_at)?;
        let padding = match self.padding_at {
            0 => 0,
            at => padding(data, end + at)?,
        };
        (data.len() - end == self.behind + padding).then(|| data.get(self.text_at..end)).flatten()
    }

    /// As found in the only text of an event, `end` being its closing quote.
    fn learn(data: &[u8], key: usize, key_at: usize, text_at: usize, end: usize) -> Usual {
        static FIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PADDING));
        let padding_at = data.get(end..).and_then(|rest| FIND.find(rest)).map_or(0, |at| at + PADDING.len());
        let padding = if padding_at == 0 { 0 } else { padding(data, end + padding_at).unwrap_or(0) };
        Usual { key, key_at, text_at, behind: data.len() - end - padding, padding_at }
    }
}

/// The length of the padding whose first byte is at `at`, if it is there.
fn padding(data: &[u8], at: usize) -> Option<usize> {
    if !data.get(..at)?.ends_with(PADDING) {
        return None;
    }
    Some(string_end(data, at)? - at)
}

/// Whether an event is one of the Responses API, which says so in its type, wherever that stands.
#[derive(Clone, Copy)]
enum Responses {
    No,
    /// Its `delta` is a new piece of text.
    New,
    Other,
}

impl Responses {
    fn of(data: &[u8]) -> Responses {
        static TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"response."));
        let Some(at) = TYPE.find(data) else { return Responses::No };
        let before = data.get(..at).unwrap_or_default().trim_ascii_end();
        if !before.strip_suffix(b":").is_some_and(|before| before.trim_ascii_end().ends_with(b"\"type\"")) {
            return Responses::No;
        }
        let kind = string_end(data, at + 1).and_then(|end| data.get(at + 1..end)).unwrap_or_default();
        // Audio and images come in base64.
        let media = kind.ends_with(b"audio.delta") || kind.ends_with(b"image.delta");
        if kind.ends_with(b".delta") && !media { Responses::New } else { Responses::Other }
    }
}

/// A member of an object.
struct Found<'d> {
    key_at: usize,
    /// Its key in [`KEYS`] and its string, if it is one of those.
    text: Option<(usize, &'d [u8])>,
    /// Where to look further.
    end: usize,
}

/// The next member from `at` on.
fn next(data: &[u8], at: usize) -> Option<Found<'_>> {
    let quote = at + COLON.find(data.get(at..)?)?;
    let none = |end| Some(Found { key_at: 0, text: None, end });
    let before = data.get(..quote)?;
    let Some((key, name)) = KEYS.iter().enumerate().find(|(_, name)| before.ends_with(name)) else {
        return none(quote + 2);
    };
    let mut text_at = quote + 2;
    while data.get(text_at) == Some(&b' ') {
        text_at += 1;
    }
    if data.get(text_at) != Some(&b'"') {
        return none(text_at);
    }
    text_at += 1;
    let Some(end) = string_end(data, text_at) else { return none(data.len()) };
    Some(Found { key_at: quote - name.len(), text: Some((key, data.get(text_at..end)?)), end: end + 1 })
}

/// Whether there is a space in an escaped text, and whether there is one behind something else than a space or a line's end.
fn spaces(text: &[u8]) -> (bool, bool) {
    let mut spaced = false;
    for at in memchr::memchr_iter(b' ', text) {
        spaced = true;
        let joined = match text.get(..at) {
            Some([.., b'\\', _] | []) | None => false,
            Some([.., before]) => *before != b' ',
        };
        if joined {
            return (true, true);
        }
    }
    (spaced, false)
}

/// Where the string that goes on at `at` ends: its closing quote. `None`: it does not.
fn string_end(data: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', data.get(at..)?)?;
        if data.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests;

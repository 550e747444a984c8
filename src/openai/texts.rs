//! Where the texts of an answer stand: of one event of a stream, or of an answer in one piece. Nothing is built; ranges are told.
//!
//! Pieces of one text have the same channel: the path of keys that leads to it, and the `index`, `output_index` and `content_index` of the objects on the
//! way, wherever in their objects these stand. Places in lists do not count: a chunk's list of choices has one element, of any index.
//!
//! What a reader could get wrong: only a `delta` (or a completion's `text` in a stream) goes on in the next event; every other text is whole. Identifiers
//! and names of types are no texts.

use std::ops::Range;

use smallvec::SmallVec;

use super::view::Malformed;
use super::view::scanner::Scanner;

/// A string that a model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Quotes included.
    pub range: Range<usize>,
    /// What pieces of the same text have in common.
    pub channel: u64,
    /// The choice or output item that it belongs to.
    pub group: u64,
    /// It goes on in later events.
    pub is_piece: bool,
    /// It is JSON itself.
    pub is_arguments: bool,
}

/// The texts of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    pub texts: SmallVec<[Text; 2]>,
    /// Groups that end with this event.
    pub ended: SmallVec<[u64; 1]>,
    /// An event that ends whatever went on before it: an error, the end of a response.
    pub ends_all: bool,
    /// Of pieces' objects, what a client adds up if it comes twice: role, identifier, name.
    pub once: SmallVec<[Range<usize>; 2]>,
}

/// What never is a text.
const NO_TEXT: [&[u8]; 16] = [
    b"id",
    b"object",
    b"model",
    b"role",
    b"status",
    b"call_id",
    b"item_id",
    b"tool_call_id",
    b"response_id",
    b"system_fingerprint",
    b"service_tier",
    b"obfuscation",
    b"encrypted_content",
    b"b64_json",
    b"signature",
    b"data",
];

/// What goes on from event to event within a `delta`.
const PIECES: [&[u8]; 11] = [
    b"content",
    b"text",
    b"delta",
    b"arguments",
    b"refusal",
    b"reasoning_content",
    b"reasoning",
    b"thinking",
    b"input",
    b"partial_json",
    b"transcript",
];

/// Finds the texts. `is_event`: it is an event of a stream. `None`: it is no JSON.
pub fn find(data: &[u8], is_event: bool) -> Option<Texts> {
    let mut scanner = Scanner::new(data);
    let mut walk = Walk {
        is_event,
        found: Texts::default(),
        is_delta_event: false,
        is_typed: false,
        is_end: false,
        of_arguments: false,
    };
    walk.value(&mut scanner, Place { path: BASIS, key: Key::Other, in_delta: false, depth: 0 }).ok()?;
    let mut found = walk.found;
    if walk.is_typed {
        for text in &mut found.texts {
            text.is_piece &= walk.is_delta_event;
            text.is_arguments |= text.is_piece && walk.of_arguments;
        }
    }
    Some(found)
}

/// FNV-1a's beginning.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash ^ 0xff, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Piece,
    Arguments,
    Other,
    Never,
}

#[derive(Clone, Copy)]
struct Place {
    path: u64,
    key: Key,
    in_delta: bool,
    depth: u32,
}

struct Walk {
    is_event: bool,
    found: Texts,
    /// Responses: `type` is `….delta`.
    is_delta_event: bool,
    /// Responses: there is a `type` at the top that begins with `response.`.
    is_typed: bool,
    /// Responses: the event says that something ends.
    is_end: bool,
    of_arguments: bool,
}

type Scanned = Result<(), Malformed>;

impl Walk {
    fn value(&mut self, s: &mut Scanner<'_>, place: Place) -> Scanned {
        match s.peek() {
            Some(b'{') => self.object(s, place),
            Some(b'[') => s.array(|s| self.value(s, place)),
            Some(b'"') => {
                let range = s.string()?;
                if place.key != Key::Never {
                    self.found.texts.push(Text {
                        range,
                        channel: place.path,
                        group: 0,
                        is_piece: self.is_event && place.in_delta && place.key != Key::Other,
                        is_arguments: place.key == Key::Arguments,
                    });
                }
                Ok(())
            }
            _ => s.skip().map(drop),
        }
    }

    fn object(&mut self, s: &mut Scanner<'_>, place: Place) -> Scanned {
        let (first, ended) = (self.found.texts.len(), self.found.ended.len());
        let (mut salt, mut group, mut is_last) = (0, 0, false);
        s.object(|s, key, _| {
            let path = mix(place.path, &key);
            match &*key {
                b"index" | b"output_index" | b"content_index" | b"summary_index" => {
                    let range = s.skip()?;
                    // With the path: of two objects within one another, equal numbers must not cancel each other out.
                    let number = mix(path, s.bytes(range));
                    salt ^= number;
                    if &*key != b"content_index" && &*key != b"summary_index" {
                        group ^= number;
                    }
                    Ok(())
                }
                b"finish_reason" => {
                    is_last |= s.peek() == Some(b'"');
                    s.skip().map(drop)
                }
                b"type" => {
                    let range = s.skip()?;
                    if place.depth == 0 && self.is_event {
                        self.typed(s.bytes(range));
                    }
                    Ok(())
                }
                b"role" | b"id" | b"name" if place.in_delta && s.peek() == Some(b'"') => {
                    let range = s.string()?;
                    if &*key == b"name" {
                        let (channel, group) = (path, 0);
                        let whole = Text { range: range.clone(), channel, group, is_piece: false, is_arguments: false };
                        self.found.texts.push(whole);
                    }
                    self.found.once.push(range);
                    Ok(())
                }
                b"error" if place.depth == 0 && self.is_event => {
                    self.found.ends_all |= s.peek() == Some(b'{');
                    s.skip().map(drop)
                }
                _ => {
                    let is_delta = &*key == b"delta" || place.depth == 1 && &*key == b"text";
                    let inner =
                        Place { path, key: kind(&key), in_delta: place.in_delta || is_delta, depth: place.depth + 1 };
                    self.value(s, inner)
                }
            }
        })?;
        for text in self.found.texts.iter_mut().skip(first) {
            text.channel ^= salt;
            if group != 0 {
                text.group = group;
            }
        }
        let ends_item = place.depth == 0 && self.is_end;
        if ends_item && group == 0 {
            self.found.ends_all = true;
        }
        if is_last || ends_item {
            self.found.ended.push(0);
        }
        for ended in self.found.ended.iter_mut().skip(ended).filter(|_| group != 0) {
            *ended = group;
        }
        Ok(())
    }

    /// `response.output_text.delta`, `response.function_call_arguments.done`, …
    fn typed(&mut self, quoted: &[u8]) {
        let kind = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if kind.starts_with(b"response.") {
            self.is_typed = true;
            self.is_delta_event = kind.ends_with(b".delta");
            // What says so at the end of a text, an item, or all of it; others may come in the middle of a text.
            let ends: [&[u8]; 5] = [b".done", b".completed", b".incomplete", b".failed", b".cancelled"];
            self.is_end = ends.iter().any(|end| kind.ends_with(end));
            self.of_arguments = memchr::memmem::find(kind, b"arguments").is_some();
        }
    }
}

fn kind(key: &[u8]) -> Key {
    if key == b"arguments" || key == b"partial_json" {
        Key::Arguments
    } else if PIECES.contains(&key) {
        Key::Piece
    } else if NO_TEXT.contains(&key) {
        Key::Never
    } else {
        Key::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &str) -> (Vec<(String, bool, bool)>, Texts) {
        let found = find(data.as_bytes(), true).unwrap();
        let told = found.texts.iter().map(|t| (data[t.range.clone()].to_owned(), t.is_piece, t.is_arguments));
        (told.collect(), found)
    }

    #[test]
    fn a_chunks_texts_are_pieces_and_know_their_choice() {
        let chunk = |index: u32, content: &str| {
            format!(
                r#"{{"id":"c","object":"chat.completion.chunk","choices":[{{"delta":{{"role":"assistant","content":"{content}"}},"finish_reason":null,"index":{index}}}]}}"#
            )
        };
        let (texts, first) = event(&chunk(0, "a"));
        assert_eq!(texts, [("\"a\"".to_owned(), true, false)]);
        let (_, again) = event(&chunk(0, "b"));
        let (_, other) = event(&chunk(1, "a"));
        assert_eq!(first.texts[0].channel, again.texts[0].channel);
        assert_ne!(first.texts[0].channel, other.texts[0].channel);
        assert_ne!(first.texts[0].group, other.texts[0].group);
        let (_, last) = event(r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#);
        assert_eq!(last.ended.as_slice(), [other.texts[0].group]);
    }

    #[test]
    fn calls_of_tools_have_channels_of_their_own() {
        let chunk = |call: u32| {
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"id":"x","function":{{"name":"f","arguments":"{{"}}}}]}}}}]}}"#
            )
        };
        let (texts, first) = event(&chunk(0));
        assert_eq!(texts, [("\"f\"".to_owned(), false, false), ("\"{\"".to_owned(), true, true)]);
        let (_, second) = event(&chunk(1));
        assert_ne!(first.texts[1].channel, second.texts[1].channel);
        assert_eq!(first.texts[1].group, second.texts[1].group);
    }

    #[test]
    fn events_of_responses_and_completions_are_known() {
        let (texts, found) = event(
            r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"He"}"#,
        );
        assert_eq!((texts, found.ends_all), (vec![("\"He\"".to_owned(), true, false)], false));
        let (texts, _) = event(r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a"}"#);
        assert_eq!(texts, [(r#""{\"a""#.to_owned(), true, true)]);
        let (texts, found) = event(r#"{"type":"response.output_text.done","output_index":0,"text":"Hello"}"#);
        assert_eq!(
            (texts, found.ended.as_slice()),
            (vec![("\"Hello\"".to_owned(), false, false)], &[found.texts[0].group][..])
        );
        assert!(event(r#"{"type":"response.completed","response":{}}"#).1.ends_all);
        let annotation =
            event(r#"{"type":"response.output_text.annotation.added","output_index":0,"annotation":{}}"#).1;
        assert!(!annotation.ends_all && annotation.ended.is_empty());
        let (texts, _) = event(r#"{"object":"text_completion","choices":[{"text":"He","index":0}]}"#);
        assert_eq!(texts, [("\"He\"".to_owned(), true, false)]);
        let whole = r#"{"choices":[{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}}]}"#;
        let found = find(whole.as_bytes(), false).unwrap();
        assert!(found.texts.iter().all(|text| !text.is_piece) && found.texts.len() == 2);
        assert_eq!(find(b"[DONE]", true), None);
    }
}

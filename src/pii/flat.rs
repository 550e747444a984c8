//! A JSON string as the plain text that its reader sees, with the way back to where each byte of it came from.
//!
//! What a reader could get wrong: arguments of tools are JSON within a JSON string, so they are unescaped twice; a place in the flat text leads
//! back to the outermost bytes. A lone surrogate becomes U+FFFD, which nothing is found in.

use std::borrow::Cow;

/// A text without its escapes.
#[derive(Debug)]
pub struct Flat<'r> {
    pub text: Cow<'r, str>,
    /// (place in the text, place in what it was made from): from there on, byte for byte, up to the next.
    levels: Vec<Vec<(usize, usize)>>,
}

impl<'r> Flat<'r> {
    /// `inner`: a JSON string without its quotes. `None`: it is not UTF-8.
    pub fn of_string(inner: &'r [u8]) -> Option<Flat<'r>> {
        let raw = std::str::from_utf8(inner).ok()?;
        Some(match unescape(raw) {
            None => Flat { text: Cow::Borrowed(raw), levels: Vec::new() },
            Some((text, marks)) => Flat { text: Cow::Owned(text), levels: vec![marks] },
        })
    }

    /// The same, and if what it says is a JSON object or list (as arguments of tools are), the strings in there are unescaped too. With whether it is.
    pub fn of_json(inner: &'r [u8]) -> Option<(Flat<'r>, bool)> {
        let outer = Flat::of_string(inner)?;
        let is_json = outer.text.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<serde::de::IgnoredAny>(&outer.text).is_ok();
        match unescape(&outer.text) {
            Some((text, marks)) if is_json => {
                let mut levels = outer.levels;
                levels.push(marks);
                Some((Flat { text: Cow::Owned(text), levels }, true))
            }
            _ => Some((outer, is_json)),
        }
    }

    /// Where a place in the text stands in what it was made from.
    pub fn origin(&self, place: usize) -> usize {
        self.levels.iter().rev().fold(place, |place, marks| {
            let at = marks.partition_point(|(flat, _)| *flat <= place);
            match at.checked_sub(1).and_then(|at| marks.get(at)) {
                Some((flat, raw)) => raw + (place - flat),
                None => place,
            }
        })
    }
}

/// A part of a JSON string, as its reader sees it.
pub fn unescaped(raw: &[u8]) -> Option<String> {
    let raw = std::str::from_utf8(raw).ok()?;
    Some(unescape(raw).map_or_else(|| raw.to_owned(), |(text, _)| text))
}

/// A part of JSON that stands within a JSON string, as its reader's reader sees it.
pub fn unescaped_twice(raw: &[u8]) -> Option<String> {
    let once = unescaped(raw)?;
    Some(unescape(&once).map_or(once, |(text, _)| text))
}

type Unescaped = (String, Vec<(usize, usize)>);

/// `None`: there is nothing to unescape.
fn unescape(raw: &str) -> Option<Unescaped> {
    let bytes = raw.as_bytes();
    let mut at = memchr::memchr(b'\\', bytes)?;
    let mut text = String::with_capacity(raw.len());
    let mut marks = Vec::new();
    let mut copied = 0;
    loop {
        text.push_str(raw.get(copied..at).unwrap_or_default());
        marks.push((text.len(), at));
        let (sign, length) = escape(bytes, at);
        text.push(sign);
        copied = (at + length).min(raw.len());
        // An escape that is none may end within a character.
        while !raw.is_char_boundary(copied) {
            copied += 1;
        }
        marks.push((text.len(), copied));
        match memchr::memchr(b'\\', bytes.get(copied..).unwrap_or_default()) {
            Some(next) => at = copied + next,
            None => break,
        }
    }
    text.push_str(raw.get(copied..).unwrap_or_default());
    Some((text, marks))
}

/// The character that the escape at `at` stands for, and its length.
fn escape(bytes: &[u8], at: usize) -> (char, usize) {
    match bytes.get(at + 1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => unicode(bytes, at),
        Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
        _ => ('\\', 1),
    }
}

fn unicode(bytes: &[u8], at: usize) -> (char, usize) {
    let unit = |at: usize| {
        let hex = bytes.get(at + 2..at + 6).filter(|_| bytes.get(at..at + 2) == Some(b"\\u"))?;
        u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    match (unit(at), unit(at + 6)) {
        (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        (Some(code), _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        (None, _) => ('u', 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_read_and_led_back() {
        let raw = r"a\u0040b.c\n\ud83d\ude00 x";
        let flat = Flat::of_string(raw.as_bytes()).unwrap();
        assert_eq!(flat.text, "a@b.c\n😀 x");
        let find = |what: &str| flat.text.find(what).unwrap();
        assert_eq!(&raw[flat.origin(0)..flat.origin(find("\n"))], r"a\u0040b.c");
        assert_eq!(&raw[flat.origin(find("😀"))..flat.origin(find(" x"))], r"\ud83d\ude00");
        assert_eq!(flat.origin(flat.text.len()), raw.len());
        assert!(matches!(Flat::of_string(b"plain").unwrap().text, Cow::Borrowed("plain")));
        assert_eq!(Flat::of_string(br"\ud83d!").unwrap().text, "\u{fffd}!");
    }

    #[test]
    fn arguments_are_unescaped_twice_if_they_are_json() {
        let raw = r#"{\"mail\":\"a\\u0040b.c\",\"n\":1}"#;
        let (flat, _) = Flat::of_json(raw.as_bytes()).unwrap();
        assert_eq!(flat.text, r#"{"mail":"a@b.c","n":1}"#);
        let at = flat.text.find("a@").unwrap();
        assert_eq!(&raw[flat.origin(at)..flat.origin(at + 5)], r"a\\u0040b.c");
        let (path, _) = Flat::of_json(br"C:\\new").unwrap();
        assert_eq!(path.text, r"C:\new");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_each_place_leads_to_its_own_bytes(text in any::<String>(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let inner = &quoted[1..quoted.len() - 1];
            let flat = Flat::of_string(inner.as_bytes()).unwrap();
            prop_assert_eq!(&*flat.text, text.as_str());
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (a, b) = (*from.get(&places), *to.get(&places));
            let (a, b) = (a.min(b), a.max(b));
            let part = &inner[flat.origin(a)..flat.origin(b)];
            let back: String = serde_json::from_str(&format!("\"{part}\"")).unwrap();
            prop_assert_eq!(back, &text[a..b]);
        }
    }
}

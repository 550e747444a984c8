//! The head of a part: its `Content-Disposition`, which says the part's name and, of a file, the file's.
//!
//! What a reader could get wrong: quotes within a file name come in three ways: `%22` (browsers, most SDKs), `\"` (curl) and
//! `filename*=UTF-8''…` (RFC 5987), which counts for more than the plain one beside it.

use percent_encoding::percent_decode_str;

use super::{Part, malformed};
use crate::error::Error;

/// Reads the headers of a part, which lie between two line ends.
///
/// # Errors
/// There is no `Content-Disposition: form-data` with a name.
pub fn part(head: &[u8]) -> Result<Part, Error> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("the headers of a part are not UTF-8"))?;
    let disposition = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let disposition = disposition.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let unnamed = || malformed("a part has no `Content-Disposition: form-data; name=…`");
    let value = disposition.map(|(_, value)| value).next().ok_or_else(unnamed)?;
    let (kind, rest) = value.split_once(';').ok_or_else(unnamed)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(unnamed());
    }
    let (mut name, mut filename, mut encoded) = (None, None, None);
    for (key, value) in parameters(rest) {
        match key.to_ascii_lowercase().as_str() {
            "name" => name = Some(unescaped(&value)),
            "filename" => filename = Some(unescaped(&value)),
            "filename*" => encoded = decoded(&value),
            _ => {}
        }
    }
    Ok(Part { name: name.ok_or_else(unnamed)?, filename: encoded.or(filename) })
}

/// `a=b; c="d;e"` as pairs; what is no pair is passed over.
pub fn parameters(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([';', ' ', '\t']);
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(['=', ';']).unwrap_or(rest.len());
            let (key, behind) = rest.split_at(end);
            let Some(value) = behind.strip_prefix('=') else {
                rest = behind;
                continue;
            };
            let (value, behind) = match value.strip_prefix('"') {
                Some(quoted) => quoted_string(quoted),
                None => {
                    let (value, behind) = value.split_at(value.find(';').unwrap_or(value.len()));
                    (value.trim().to_owned(), behind)
                }
            };
            rest = behind;
            return Some((key.trim(), value));
        }
    })
}

/// What stands before the closing quote, and what behind it. Only quotes and backslashes are escaped: `C:\new` is a name, too.
fn quoted_string(text: &str) -> (String, &str) {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' if chars.peek().is_some_and(|(_, next)| matches!(next, '"' | '\\')) => {
                value.extend(chars.next().map(|(_, next)| next));
            }
            other => value.push(other),
        }
    }
    (value, "")
}

/// The three characters that a form's names escape (WHATWG HTML, "multipart form data").
fn unescaped(value: &str) -> String {
    value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// `UTF-8''na%C3%AFve.jsonl`
fn decoded(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, text) = rest.split_once('\'')?;
    let text = charset.eq_ignore_ascii_case("utf-8").then(|| percent_decode_str(text).decode_utf8())?;
    text.ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Option<(String, Option<String>)> {
        let head = format!("content-type: text/plain\r\nContent-Disposition: {value}");
        part(head.as_bytes()).ok().map(|part| (part.name, part.filename))
    }

    #[test]
    fn names_as_clients_write_them() {
        let file = |name: &str| Some(("file".to_owned(), Some(name.to_owned())));
        assert_eq!(of("form-data; name=\"purpose\""), Some(("purpose".into(), None)));
        assert_eq!(of("form-data; name=file; filename=x.jsonl"), file("x.jsonl"));
        assert_eq!(of("form-data; filename=\"a;b=c.jsonl\" ; name=\"file\""), file("a;b=c.jsonl"));
        assert_eq!(of("form-data; name=\"file\"; filename=\"a%22b\""), file("a\"b"));
        assert_eq!(of("form-data; name=\"file\"; filename=\"a\\\"b\\\\c\""), file("a\"b\\c"));
        assert_eq!(of("form-data; name=\"file\"; filename=\"C:\\new\""), file("C:\\new"));
        assert_eq!(of("FORM-DATA; Name=\"file\"; filename=\"x\"; filename*=utf-8''na%C3%AFve"), file("naïve"));
        assert_eq!(of("form-data; name=\"file\"; filename=\"naïve\""), file("naïve"));
        for none in ["form-data", "form-data; filename=\"x\"", "attachment; name=\"file\"", ""] {
            assert_eq!(of(none), None, "{none}");
        }
        assert!(part(b"content-type: text/plain").is_err());
        assert!(part(b"\xff").is_err());
    }
}

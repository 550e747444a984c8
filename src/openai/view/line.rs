//! A line of data with a prompt in it (JSONL): read as a request would be, but for its own columns.
//!
//! What a reader could get wrong: only `prompt`, `messages` and `tools` are what they are in a request; `model`, `input`, `n`, … are
//! somebody's columns here and are skipped, whatever they hold.

use std::ops::Range;

use super::fields::Fields;
use super::scanner::Scanner;
use super::{Malformed, Source, View, utf8_error};
use crate::openai::{Endpoint, Modalities};

/// What a line holds. All ranges index the line.
#[derive(Debug)]
pub struct Line<const N: usize> {
    pub view: View,
    /// There is a `prompt` or there are `messages`; both: the messages count.
    pub has_prompt: bool,
    /// Where the object's closing brace stands.
    pub close: usize,
    /// The values of the columns that were asked for.
    pub values: [Option<Range<usize>>; N],
}

/// Scans one line, and finds the values of `columns` on the way (of one that is there twice, the first).
///
/// # Errors
/// No JSON object; `prompt` that is no string, `messages` that are no array, one of them twice.
pub fn scan_line<const N: usize>(line: &[u8], columns: [&str; N]) -> Result<Line<N>, Malformed> {
    let mut fields = Fields::new(Endpoint::Chat);
    let (mut prompt, mut messages) = (false, false);
    let mut values = [const { None }; N];
    let close = object_line(line, |s, key| match key {
        b"prompt" => {
            let twice = std::mem::replace(&mut prompt, true);
            named("prompt", if twice { s.wrong("the field is given twice") } else { text(&mut fields, s) })
        }
        b"messages" => {
            let twice = std::mem::replace(&mut messages, true);
            named("messages", if twice { s.wrong("the field is given twice") } else { fields.messages(s) })
        }
        b"tools" => fields.tools(s),
        _ => column(s, key, columns, &mut values),
    })?;
    let mut view = fields.view;
    if messages && prompt {
        view.pieces.retain(|piece| piece.source != Source::Input);
        view.text_bytes = view.pieces.iter().map(|piece| piece.range.len().saturating_sub(2)).sum();
    } else if prompt {
        view.turns = 1;
    }
    if view.text_bytes > 0 {
        view.modalities = view.modalities.with(Modalities::TEXT);
    }
    Ok(Line { view, has_prompt: prompt || messages, close, values })
}

/// Where a line's closing brace stands, and the values of columns.
pub type Columns<const N: usize> = (usize, [Option<Range<usize>>; N]);

/// Scans a line of any columns: where its closing brace stands, and the values of `columns` (of one that is there twice, the first).
///
/// # Errors
/// No JSON object.
pub fn scan_columns<const N: usize>(line: &[u8], columns: [&str; N]) -> Result<Columns<N>, Malformed> {
    let mut values = [const { None }; N];
    let close = object_line(line, |s, key| column(s, key, columns, &mut values))?;
    Ok((close, values))
}

/// Walks the one object of a line; where its closing brace stands.
fn object_line<'l>(
    line: &'l [u8],
    mut member: impl FnMut(&mut Scanner<'l>, &[u8]) -> Result<(), Malformed>,
) -> Result<usize, Malformed> {
    if let Err(at) = utf8_error(line) {
        return Err(Malformed { at, what: "it is not valid UTF-8", param: None });
    }
    let mut scanner = Scanner::new(line);
    if scanner.peek() != Some(b'{') {
        return scanner.wrong("it is not a JSON object");
    }
    scanner.object(|s, key, _| member(s, &key))?;
    let close = scanner.at().saturating_sub(1);
    if scanner.peek().is_some() {
        return scanner.wrong("something follows behind the JSON object");
    }
    Ok(close)
}

/// Skips a value, and notes where it stands if it is of one of the columns.
fn column<const N: usize>(
    s: &mut Scanner<'_>,
    key: &[u8],
    columns: [&str; N],
    values: &mut [Option<Range<usize>>; N],
) -> Result<(), Malformed> {
    let found = columns.iter().zip(values).find(|(column, _)| column.as_bytes() == key);
    let range = s.skip()?;
    if let Some((_, value)) = found {
        value.get_or_insert(range);
    }
    Ok(())
}

/// A prompt of one string.
fn text(fields: &mut Fields, s: &mut Scanner<'_>) -> Result<(), Malformed> {
    if s.peek() != Some(b'"') {
        return s.wrong("it must be a string");
    }
    fields.text(s, Source::Input, 0)
}

fn named(param: &'static str, result: Result<(), Malformed>) -> Result<(), Malformed> {
    result.map_err(|malformed| Malformed { param: malformed.param.or(Some(param)), ..malformed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        let found = scan_line(line.as_bytes(), []).unwrap();
        assert_eq!(&line[found.close..].trim_end(), &"}");
        found.view.pieces.iter().map(|piece| line[piece.range.clone()].to_owned()).collect()
    }

    #[test]
    fn columns_that_are_named_like_a_requests_fields_are_nobodys_business() {
        let line = r#"{"model": 7, "input": "no", "n": "x", "stream": [], "user": "u", "max_tokens": "many", "prompt": "a\"b"} "#;
        assert_eq!(texts(line), [r#""a\"b""#]);
        let chat = r#"{"prompt":"not this","messages":[{"role":"user","content":[{"type":"text","text":"this"}]}],"suffix":"no"}"#;
        assert_eq!(texts(chat), [r#""this""#]);
        let found = scan_line(chat.as_bytes(), []).unwrap();
        assert_eq!((found.view.turns, found.view.text_bytes, found.has_prompt), (1, 4, true));
        assert!(!scan_line(br#"{"id": 1}"#, []).unwrap().has_prompt);
    }

    #[test]
    fn asked_for_columns_are_found() {
        let line = br#"{"a": {"b": [1, "}"]}, "prompt": "p", "b": -1.5e3, "a": 2}"#;
        let found = scan_line(line, ["b", "a", "c"]).unwrap();
        let text = |at: usize| found.values[at].clone().map(|range| std::str::from_utf8(&line[range]).unwrap());
        assert_eq!((text(0), text(1), text(2)), (Some("-1.5e3"), Some(r#"{"b": [1, "}"]}"#), None));
        assert_eq!(found.view.turns, 1);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = |line: &str| {
            let Malformed { at, what, param } = scan_line(line.as_bytes(), []).unwrap_err();
            format!("{at} {} {what}", param.unwrap_or("-"))
        };
        assert_eq!(wrong("[1]"), "0 - it is not a JSON object");
        assert_eq!(wrong(r#"{"prompt": ["a"]}"#), "11 prompt it must be a string");
        assert_eq!(wrong(r#"{"prompt": null}"#), "11 prompt it must be a string");
        assert_eq!(wrong(r#"{"messages": {}}"#), "13 messages it must be an array");
        assert_eq!(wrong(r#"{"prompt": "a", "prompt": "b"}"#), "25 prompt the field is given twice");
        assert_eq!(wrong(r#"{"prompt": "a"} x"#), "16 - something follows behind the JSON object");
        assert!(scan_line(b"{\"prompt\": \"\xff\"}", []).is_err());
    }
}

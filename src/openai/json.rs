//! Whether a text that a model wrote is JSON, or may still become some.
//!
//! What a reader could get wrong: this is about text within an answer, not about the answer's own body, which is JSON in any case.

use super::view::scanner::Scanner;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A complete JSON value; white space may stand around it.
    Whole,
    /// The beginning of one, or nothing at all yet.
    Begun,
    /// Whatever follows, it will be none.
    Broken,
}

/// A word or an escape that is cut off is reported where it begins: the longest of them (`\u1234`, `false`) is shorter than this.
const CUT_OFF: usize = 6;

/// Judges a text, however much of it is there.
pub fn shape(text: &str) -> Shape {
    let mut scanner = Scanner::new(text.as_bytes());
    match scanner.skip() {
        Ok(_) if scanner.peek().is_none() => Shape::Whole,
        Ok(_) => Shape::Broken,
        Err(wrong) if wrong.at + CUT_OFF > text.len() => cut_off(text, wrong.at),
        Err(_) => Shape::Broken,
    }
}

/// What ends too early may go on well; a letter where a value should be may not.
fn cut_off(text: &str, at: usize) -> Shape {
    let rest = text.get(at..).unwrap_or_default();
    let may_go_on = rest.is_empty()
        || ["true", "false", "null"].iter().any(|word| word.starts_with(rest))
        || (rest.starts_with('\\') && rest.len() < CUT_OFF && is_begun_escape(rest));
    if may_go_on { Shape::Begun } else { Shape::Broken }
}

fn is_begun_escape(rest: &str) -> bool {
    rest.len() == 1 || rest.strip_prefix("\\u").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_whole_begun_or_broken() {
        for whole in ["{}", " [1, 2] \n", "\"a\"", "{\"a\": {\"b\": [true, null, -1.5e3]}}"] {
            assert_eq!(shape(whole), Shape::Whole, "{whole}");
        }
        for broken in ["Sure!", "```json", "{a: 1}", "{\"a\": 1,}", "{} and more", "{\"a\" 1", "nulL", "{\"a\": \"\\x"]
        {
            assert_eq!(shape(broken), Shape::Broken, "{broken}");
        }
    }

    /// Every beginning of a value is one.
    #[test]
    fn every_beginning_is_begun_until_it_is_whole() {
        let text = "{\"ä\\u00e4\\n\": [true, false, null, 1.5e-3, \"x\\\"y\"], \"b\": {}}";
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            assert_eq!(shape(&text[..at]), Shape::Begun, "{}", &text[..at]);
        }
        assert_eq!(shape(text), Shape::Whole);
    }
}

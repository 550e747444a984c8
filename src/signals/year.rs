//! The latest year that a text names: what lies behind a model's `knowledge_until`, the model cannot know.
//!
//! What a reader could get wrong: only years of this century that stand alone count (`2027`, `2027-03-01`, `March 2027`); `20271`, `$2027.50`,
//! `2027 km` and a number in a calculation do not.

use memchr::memmem;

use crate::openai::view::Source;

/// So much of a text is looked at, from its beginning: a question stands in front of what is pasted behind it.
const LOOKED_AT: usize = 4 << 10;

/// Whether text from there asks something.
pub fn may_ask(source: Source) -> bool {
    matches!(source, Source::User | Source::Input)
}

/// The latest year from 2000 to 2099 that `text` names.
pub fn latest(text: &[u8]) -> Option<i16> {
    let text = text.get(..LOOKED_AT).unwrap_or(text);
    memmem::find_iter(text, b"20").filter_map(|at| year_at(text, at)).max()
}

fn year_at(text: &[u8], at: usize) -> Option<i16> {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = *text.get(at + 2..at + 4)? else { return None };
    let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
    let (after, next) = (text.get(at + 4).copied().unwrap_or(b' '), text.get(at + 5).copied().unwrap_or(b' '));
    let alone = !before.is_ascii_alphanumeric() && !matches!(before, b'$' | b'#' | b'.' | b'*' | b'+' | b'/' | b'=');
    let ends = match after {
        b'.' | b',' => !next.is_ascii_digit(),
        b' ' => !is_unit(text.get(at + 5..).unwrap_or_default()),
        b'*' | b'+' | b'=' | b'%' | b'$' => false,
        other => !other.is_ascii_alphanumeric(),
    };
    (alone && ends).then(|| 2000 + i16::from(tens - b'0') * 10 + i16::from(ones - b'0'))
}

/// What follows makes a quantity of the number.
fn is_unit(rest: &[u8]) -> bool {
    const UNITS: [&[u8]; 24] = [
        b"km",
        b"m",
        b"cm",
        b"mm",
        b"miles",
        b"feet",
        b"ft",
        b"kg",
        b"g",
        b"lbs",
        b"euros",
        b"euro",
        b"dollars",
        b"usd",
        b"eur",
        b"people",
        b"words",
        b"times",
        b"mod",
        b"rows",
        b"bytes",
        b"tokens",
        b"steps",
        b"calories",
    ];
    let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
        || matches!(rest.first(), Some(b'*' | b'+' | b'/' | b'=' | b'%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_told_from_quantities() {
        let cases: [(&str, Option<i16>); 12] = [
            ("who won the 2027 election?", Some(2027)),
            ("on 2026-03-01, or in March 2028.", Some(2028)),
            ("between 1999 and 2001", Some(2001)),
            ("the year is 2031", Some(2031)),
            ("a walk of 2027 km", None),
            ("it costs $2027 now", None),
            ("2027.50 is due", None),
            ("what is 2027 * 3, and 2028+1", None),
            ("order 12027, id 20271, v2027a", None),
            ("write 2000 words", None),
            ("20", None),
            ("", None),
        ];
        for (text, year) in cases {
            assert_eq!(latest(text.as_bytes()), year, "{text}");
        }
    }
}

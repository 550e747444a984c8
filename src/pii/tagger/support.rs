//! A second look at finds that are numbers: what the words around a number made likely, the number itself and its neighbours must bear out.
//!
//! What a reader could get wrong: this only takes finds away. A postal code or a house number by itself may be any number, so it needs a street or a place
//! beside it; identifiers that fail their own check must not come back as an address.

use crate::pii::entity::Entity;
use crate::pii::span::Span;

/// A street or place this near (in bytes) speaks for a number.
const NEAR: usize = 16;
/// More digits in a row than this are no house number and no postal code.
const DIGITS: usize = 6;

/// Finds below this are doubtful.
const SURE: f32 = 0.65;

/// Keeps what is borne out of `found[from..]`, which is in order.
pub(super) fn settle(text: &str, found: &mut Vec<Span>, from: usize) {
    let is_place = |span: &Span| {
        span.entity == Entity::LOCATION || span.entity == Entity::STREET_ADDRESS && has_word(value(text, span))
    };
    let places: Vec<(usize, usize)> =
        found.iter().skip(from).filter(|span| is_place(span)).map(|span| (span.start, span.end)).collect();
    let is_beside = |span: &Span| {
        let near = |(start, end): &(usize, usize)| {
            (*start, *end) != (span.start, span.end) && span.start <= end + NEAR && *start <= span.end + NEAR
        };
        // In order: those before `at` end too early to be near.
        let at = places.partition_point(|(_, end)| end + NEAR < span.start);
        places.iter().skip(at).take(3).any(near)
    };
    let mut place = 0;
    found.retain(|span| {
        place += 1;
        place <= from || is_borne_out(text, span, &is_beside)
    });
}

fn is_borne_out(text: &str, span: &Span, is_beside: &impl Fn(&Span) -> bool) -> bool {
    let value = value(text, span);
    let run = longest(value, u8::is_ascii_digit);
    match span.entity {
        Entity::PERSON => value.split_whitespace().all(|word| !word.bytes().all(|byte| byte.is_ascii_digit())),
        // In small letters an organisation is hard to tell from what it is called after.
        Entity::ORGANIZATION if span.score < SURE && !value.chars().any(char::is_uppercase) => false,
        Entity::LOCATION | Entity::ORGANIZATION => run < DIGITS && !(run > 0 && is_glued(text, span)),
        Entity::STREET_ADDRESS => run <= DIGITS && (has_word(value) || is_beside(span)),
        Entity::ZIP_CODE => run <= DIGITS && value.len() <= 10 && !is_glued(text, span) && is_beside(span),
        Entity::AGE | Entity::DATE_TIME => !is_glued(text, span),
        _ => true,
    }
}

fn value<'t>(text: &'t str, span: &Span) -> &'t str {
    text.get(span.start..span.end).unwrap_or_default()
}

/// A word of letters alone, of two at least: `rue`, `Box`, `Αθηνών`; `FI20` is none.
fn has_word(value: &str) -> bool {
    value
        .split(|sign: char| !sign.is_alphanumeric())
        .any(|word| word.chars().count() >= 2 && word.chars().all(char::is_alphabetic))
}

fn longest(value: &str, fits: impl Fn(&u8) -> bool) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in value.bytes() {
        run = if fits(&byte) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A part of something longer: digits go on behind a dot, a hyphen, a slash, a colon.
fn is_glued(text: &str, span: &Span) -> bool {
    let bytes = text.as_bytes();
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'.' | b'-' | b'/' | b':'));
    let before = span
        .start
        .checked_sub(2)
        .is_some_and(|at| joins(bytes.get(at + 1)) && bytes.get(at).is_some_and(u8::is_ascii_alphanumeric));
    before || joins(bytes.get(span.end)) && bytes.get(span.end + 1).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str, spans: &[(&str, Entity)]) -> Vec<String> {
        let mut found: Vec<Span> = spans
            .iter()
            .map(|(value, entity)| {
                let start = text.find(value).unwrap();
                Span { start, end: start + value.len(), entity: *entity, score: 0.8, public: false }
            })
            .collect();
        settle(text, &mut found, 0);
        found.iter().map(|span| value(text, span).to_owned()).collect()
    }

    #[test]
    fn a_number_by_itself_is_no_address() {
        use Entity as E;
        assert!(kept("My code is 12345.", &[("12345", E::ZIP_CODE)]).is_empty());
        assert_eq!(kept("in 12345 Anytown", &[("12345", E::ZIP_CODE), ("Anytown", E::LOCATION)]), ["12345", "Anytown"]);
        assert!(kept("tax 17291716050", &[("17291716050", E::STREET_ADDRESS)]).is_empty());
        assert!(kept("no 1234567890 3", &[("1234567890 3", E::STREET_ADDRESS)]).is_empty());
        assert_eq!(kept("at 12 Elm Row 3", &[("12 Elm Row 3", E::STREET_ADDRESS)]), ["12 Elm Row 3"]);
        assert_eq!(
            kept("255 hersnapvej, Odense", &[("255", E::STREET_ADDRESS), ("hersnapvej", E::STREET_ADDRESS)]),
            ["255", "hersnapvej"]
        );
    }

    #[test]
    fn parts_of_longer_numbers_are_nothing() {
        use Entity as E;
        assert!(kept("id 99-05536168-8", &[("99", E::AGE)]).is_empty());
        assert_eq!(kept("a 64-year-old", &[("64", E::AGE)]), ["64"]);
        assert!(kept("no 1012.22.3333", &[("3333", E::DATE_TIME)]).is_empty());
        assert!(kept("I 706193 G", &[("I 706193 G", E::PERSON)]).is_empty());
        assert!(kept("mac d0:50:99", &[("d0", E::LOCATION)]).is_empty());
    }
}

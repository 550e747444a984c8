//! Tokens that their form gives away: a prefix that a provider chose, an alphabet, a length. The tables are in `provider_*`.
//!
//! What a reader could get wrong: the automaton ignores case, providers do not; the prefix is compared again, exactly. A prefix is part of the token.

use std::ops::Range;

use super::value::{is_placeholder, is_random, is_sequence, measure};
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

/// What a token is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signs {
    Hex,
    /// Capitals and digits.
    Upper,
    /// Small letters and digits.
    Lower,
    Alnum,
    /// Letters, digits, `-` and `_`.
    Url,
    /// Those and dots.
    Dotted,
    /// Base64 with its padding.
    Base64,
    /// Letters, digits, `-`, `_` and `=`.
    Equals,
    /// Hexadecimal digits and hyphens.
    Uuid,
    /// Letters, digits and what a path or a query may hold: `/`, `%`, `-`, `_`, `.`, `=`, `+`, `~`, `:`, `@`, `$`.
    Path,
}

impl Signs {
    fn hold(self, byte: u8) -> bool {
        match self {
            Signs::Hex => byte.is_ascii_hexdigit(),
            Signs::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Signs::Lower => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            Signs::Alnum => byte.is_ascii_alphanumeric(),
            Signs::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Signs::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Signs::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Signs::Equals => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='),
            Signs::Uuid => byte.is_ascii_hexdigit() || byte == b'-',
            Signs::Path => byte.is_ascii_alphanumeric() || b"/%-_.=+~:@$".contains(&byte),
        }
    }
}

/// A kind of token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) prefix: &'static str,
    pub(super) signs: Signs,
    /// Bytes behind the prefix.
    pub(super) length: Range<usize>,
    /// Whether what is behind the prefix can be one; see [`drawn`], [`sure`].
    pub(super) check: fn(&str) -> bool,
    pub(super) entity: Entity,
    /// Whether the prefix is part of the secret, and not its name.
    pub(super) with_prefix: bool,
}

/// A table of tokens as anchors: `"prefix" Signs least..most check ENTITY;`, with `behind` where the prefix is the secret's name and no part of it.
// A macro, because an anchor's function knows nothing but the place: each row needs its own.
macro_rules! tokens {
    ($($prefix:literal $signs:ident $least:literal..$most:literal $check:ident $entity:ident $($behind:ident)?;)*) => {
        pub(super) static ANCHORS: &[Anchor] = &[$(Anchor {
            literal: $prefix,
            look: |scan, at| {
                const TOKEN: &Token = &Token {
                    prefix: $prefix,
                    signs: Signs::$signs,
                    length: $least..$most,
                    check: $check,
                    entity: Entity::$entity,
                    with_prefix: tokens!(@ $($behind)?),
                };
                look(scan, at, TOKEN);
            },
        },)*];
    };
    (@) => { true };
    (@ behind) => { false };
}
pub(super) use tokens;

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: ":AA", look: telegram },
    Anchor { literal: "-us", look: mailchimp },
    Anchor { literal: "Q~", look: entra },
    Anchor { literal: ".atlasv1.", look: terraform },
    Anchor { literal: "JQQJ99", look: azure },
];

/// Tokens whose prefix says all: not a placeholder, not one sign over and over.
pub(super) fn sure(body: &str) -> bool {
    measure(body).distinct >= 6.min(body.len() / 3) && !is_placeholder(body) && !is_sequence(body)
}

/// Tokens whose prefix occurs in other texts, too: what follows must look drawn at random.
pub(super) fn drawn(body: &str) -> bool {
    is_random(body, 16)
}

/// Tokens that may be longer than this are looked for at one place only of what is too long for them.
const LONG: usize = 200;

/// Looks at one token of a table.
pub(super) fn look(scan: &mut Scan<'_, '_>, at: usize, token: &Token) {
    let start = at + token.prefix.len();
    if at < scan.overlong_until {
        return;
    }
    if scan.text.get(at..start) != Some(token.prefix)
        || (token.prefix.starts_with(|sign: char| sign.is_ascii_alphanumeric()) && is_glued(scan, at))
    {
        return;
    }
    let mut end = scan.forward(start, token.length.end, |byte| token.signs.hold(byte));
    if end - start >= token.length.end && token.length.end > LONG {
        // Prefixes in the middle of something this long begin nothing, and looking at each would take long.
        scan.overlong_until = end;
        return;
    }
    if end - start >= token.length.end
        || (matches!(token.signs, Signs::Hex | Signs::Upper | Signs::Lower) && scan.byte(end).is_ascii_alphanumeric())
    {
        return;
    }
    // Dots and colons at its end belong to the sentence.
    while end > start
        && matches!(scan.before(end), b'.' | b':' | b'/' | b'@' | b'%' | b'$' | b'~')
        && matches!(token.signs, Signs::Dotted | Signs::Path)
    {
        end -= 1;
    }
    if end - start < token.length.start || !scan.text.get(start..end).is_some_and(token.check) {
        return;
    }
    scan.push(if token.with_prefix { at } else { start }, end, token.entity, 1.0);
}

/// Whether what begins at `at` is the rest of a longer word. Escapes (`\n`, `%20`, `%3D`) are none.
fn is_glued(scan: &Scan<'_, '_>, at: usize) -> bool {
    if !scan.before(at).is_ascii_alphanumeric() {
        return false;
    }
    let escape = scan.before(at - 1);
    let percent = at >= 3 && scan.byte(at - 3) == b'%' && escape.is_ascii_hexdigit();
    !(percent || (escape == b'\\' && matches!(scan.before(at), b'n' | b't' | b'r')))
}

/// `123456789:AA…` of Telegram's bots.
fn telegram(scan: &mut Scan<'_, '_>, at: usize) {
    let start = scan.backward(at, 11, |byte| byte.is_ascii_digit());
    let end = scan.forward(at + 1, 36, |byte| Signs::Url.hold(byte));
    let is_one = (8..=10).contains(&(at - start))
        && end - at == 36
        && !(scan.before(start).is_ascii_alphanumeric()
            && scan.bytes().get(..start).is_none_or(|front| !front.ends_with(b"bot")));
    if is_one && scan.text.get(at + 1..end).is_some_and(sure) {
        scan.push(start, end, Entity::API_KEY, 1.0);
    }
}

/// 32 hexadecimal digits and the data centre: `…-us21` of Mailchimp.
fn mailchimp(scan: &mut Scan<'_, '_>, at: usize) {
    if !scan.byte(at + 3).is_ascii_digit() {
        return;
    }
    let start = scan.backward(at, 33, |byte| Signs::Hex.hold(byte));
    let end = scan.forward(at + 3, 3, |byte| byte.is_ascii_digit());
    if at - start == 32 && !scan.byte(end).is_ascii_alphanumeric() && scan.text.get(start..at).is_some_and(sure) {
        scan.push(start, end, Entity::API_KEY, 1.0);
    }
}

/// Client secrets of Entra ID: three signs, a digit, `Q~`, 31 to 34 signs.
fn entra(scan: &mut Scan<'_, '_>, at: usize) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b'-');
    let Some(start) = at.checked_sub(4) else { return };
    let end = scan.forward(at + 2, 35, fits);
    let front = scan
        .bytes()
        .get(start..at)
        .is_some_and(|front| front.iter().all(|byte| fits(*byte)) && front.last().is_some_and(u8::is_ascii_digit));
    if front
        && (31..=34).contains(&(end - at - 2))
        && !scan.before(start).is_ascii_alphanumeric()
        && scan.text.get(at + 2..end).is_some_and(sure)
    {
        scan.push(start, end, Entity::API_KEY, 1.0);
    }
}

/// `….atlasv1.…` of HCP Terraform.
fn terraform(scan: &mut Scan<'_, '_>, at: usize) {
    let start = scan.backward(at, 15, |byte| Signs::Alnum.hold(byte));
    let end = scan.forward(at + 9, 120, |byte| Signs::Url.hold(byte));
    if at - start == 14 && end - at >= 50 && scan.text.get(at + 9..end).is_some_and(sure) {
        scan.push(start, end, Entity::API_KEY, 1.0);
    }
}

/// Keys of Azure's services carry this sign at their 53rd place, of 84.
fn azure(scan: &mut Scan<'_, '_>, at: usize) {
    let start = scan.backward(at, 54, |byte| Signs::Alnum.hold(byte));
    let end = scan.forward(at, 40, |byte| Signs::Alnum.hold(byte));
    if (76..=88).contains(&(end - start)) && scan.text.get(start..end).is_some_and(sure) {
        scan.push(start, end, Entity::API_KEY, 1.0);
    }
}

/// Tokens without a literal of three letters, from a word of at least 24 letters and digits.
pub(in crate::pii) fn long_word(scan: &mut Scan<'_, '_>, word: Range<usize>) {
    let Some(text) = scan.text.get(word.clone()) else { return };
    let before = scan.before(word.start);
    let found = match word.len() {
        // Discord's bots: the number of the bot in base64, a time, a signature.
        24..=28 if text.starts_with(['M', 'N', 'O']) && scan.byte(word.end) == b'.' => {
            discord(scan, word.end).map(|end| word.start..end)
        }
        // Twilio: keys and accounts.
        34 if (text.starts_with("SK") || text.starts_with("AC")) && !is_base64url(before) => {
            let digits = text.get(2..).unwrap_or_default();
            let is_one =
                digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')) && sure(digits);
            is_one.then(|| word.clone())
        }
        // Airtable: `pat`, 14 signs, a dot, 64 hexadecimal digits.
        64 if before == b'.' && word.start >= 18 => {
            let start = word.start - 18;
            let front = scan.text.get(start..word.start - 1).unwrap_or_default();
            let is_one = front.starts_with("pat")
                && front.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_one.then_some(start..word.end)
        }
        _ => None,
    };
    if let Some(found) = found {
        scan.push(found.start, found.end, Entity::API_KEY, 1.0);
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Behind the second and the third part of a token of Discord, from the dot at `at`.
fn discord(scan: &Scan<'_, '_>, at: usize) -> Option<usize> {
    let middle = scan.forward(at + 1, 8, is_base64url);
    let end = scan.forward(middle + 1, 46, is_base64url);
    let is_one =
        (6..=7).contains(&(middle - at - 1)) && scan.byte(middle) == b'.' && (27..=45).contains(&(end - middle - 1));
    (is_one && scan.text.get(middle + 1..end).is_some_and(sure)).then_some(end)
}

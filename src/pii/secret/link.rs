//! What stands between a secret's name and its value: signs of assignment, words ("is", "lautet", "est"), and the quotes around the value.
//!
//! What a reader could get wrong: everything here looks at a bounded number of bytes and never beyond one line's end.

use super::words::Words;
use crate::pii::scan::Scan;

/// How name and value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// `=`, `:=`, `=>`, `==`.
    Equals,
    /// `:`, as in YAML, JSON, headers and chats.
    Colon,
    /// `("name", "value")`.
    Comma,
    /// `<name>value</name>`.
    Tag,
    /// "is", "was changed to", "lautet".
    Word,
    /// Nothing but a space: `--password value`, `machine x login y password z`.
    Space,
}

/// A value behind a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) link: Link,
    pub(super) quoted: bool,
    /// No space between name, sign and value.
    pub(super) tight: bool,
    /// It stands on the line below.
    pub(super) below: bool,
}

/// The longest value, in bytes; what is longer is cut there, and none.
pub(super) const LONGEST: usize = 512;
/// So many spaces may align values.
const SPACES: usize = 32;
/// Words between name and value; one of the first list at least.
static JOINING: Words =
    Words::new("is was to be are equals ist lautet lautete war est es era \u{e8} \u{e9} sera soll \u{5bc6} =");
static BETWEEN: Words = Words::new(
    "now set changed currently still as new will should has been reset jetzt nun auf neu ahora ahora: maintenant the my just only simply",
);
/// Words that begin a remark on what the secret is for.
static FOR: Words = Words::new("for to of on in at f\u{fc}r zum zur von vom im pour de du del para per da");
/// What such a remark is at most, in bytes.
const REMARK: usize = 48;
/// Signs of scripts without spaces that join.
const JOINED: &[&str] = &["\u{ff1a}", "\u{662f}", "\u{4e3a}", "\u{70ba}", "\u{306f}", "\u{b294}", "\u{c740}"];

/// The value behind the name `start..end`.
pub(super) fn value(scan: &Scan<'_, '_>, start: usize, end: usize) -> Option<Value> {
    let closed = scan.forward(end, 5, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'*' | b']' | b'\\' | b'?' | b'_'));
    let is_quoted = closed > end;
    let spaced = spaces(scan, remark(scan, closed));
    let (link, behind) = pair(scan, closed)
        .or_else(|| sign(scan, start, spaced, is_quoted))
        .or_else(|| words(scan, end, spaced))
        .or_else(|| (spaced > closed && !is_quoted).then_some((Link::Space, spaced)))?;
    let mut from = spaces(scan, behind);
    let tight = spaced == closed && from == behind;
    // Markdown: `**Password:** value`, `**Password**: value`.
    let stars = scan.forward(from, 3, |byte| byte == b'*');
    from = if stars > from && stars < from + 3 && scan.byte(stars) == b' ' { spaces(scan, stars) } else { from };
    let below = matches!(link, Link::Colon | Link::Word) && matches!(scan.byte(from), b'\n' | b'\r');
    if below {
        from = scan.forward(from, 2, |byte| matches!(byte, b'\n' | b'\r'));
        from = spaces(scan, from);
    }
    let (from, until, quoted) = extent(scan, from, link)?;
    if link == Link::Tag && !(scan.byte(until) == b'<' && scan.byte(until + 1) == b'/') {
        return None;
    }
    let found = Value { start: from, end: until, link, quoted, tight, below };
    typed(scan, found).or(Some(found))
}

/// `- name: API_KEY`, and on the next line `value: …`; `<add key="password" value="…" />`; `{"name": "TOKEN", "value": "…"}`.
fn pair(scan: &Scan<'_, '_>, at: usize) -> Option<(Link, usize)> {
    let word =
        scan.forward(at, SPACES, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'"' | b'\'' | b'\\'));
    let is_value =
        word > at && scan.bytes().get(word..word + 5).is_some_and(|found| found.eq_ignore_ascii_case(b"value"));
    let sign = scan.forward(word + 5, 3, |byte| matches!(byte, b'"' | b'\'' | b' ' | b'\\'));
    (is_value && matches!(scan.byte(sign), b':' | b'=')).then_some((Link::Equals, sign + 1))
}

/// `password: str = "value"`: where the value is a type, what follows the equals sign is one.
fn typed(scan: &Scan<'_, '_>, found: Value) -> Option<Value> {
    let to = scan.forward(found.end, 24, |byte| byte.is_ascii_alphanumeric() || b" <>[]&'_".contains(&byte));
    if found.quoted
        || found.link != Link::Colon && found.link != Link::Space
        || scan.byte(to) != b'='
        || scan.byte(to + 1) == b'='
    {
        return None;
    }
    let (start, end, quoted) = extent(scan, spaces(scan, to + 1), Link::Equals)?;
    Some(Value { start, end, link: Link::Equals, quoted, tight: false, below: false })
}

/// Behind "(temporary)", if there is such a remark.
fn remark(scan: &Scan<'_, '_>, at: usize) -> usize {
    let open = spaces(scan, at);
    if scan.byte(open) != b'(' || open == at {
        return at;
    }
    let close = scan.forward(open, REMARK, |byte| byte != b')' && byte != b'\n');
    if scan.byte(close) == b')' { close + 1 } else { at }
}

fn spaces(scan: &Scan<'_, '_>, at: usize) -> usize {
    scan.forward(at, SPACES, |byte| byte == b' ' || byte == b'\t')
}

fn sign(scan: &Scan<'_, '_>, start: usize, at: usize, is_quoted: bool) -> Option<(Link, usize)> {
    let rest = scan.text.get(at..)?;
    if let Some(joined) = JOINED.iter().find(|joined| rest.starts_with(**joined)) {
        return Some((Link::Colon, at + joined.len()));
    }
    for (sign, link) in [
        ("===", Link::Equals),
        ("==", Link::Equals),
        ("=>", Link::Equals),
        ("!=", Link::Equals),
        ("->", Link::Equals),
        (":=", Link::Equals),
        ("=", Link::Equals),
        (":", Link::Colon),
        ("- ", Link::Word),
        ("\u{2014} ", Link::Word),
        ("\u{2013} ", Link::Word),
        ("| ", Link::Word),
    ] {
        if rest.starts_with(sign) {
            return (!rest.starts_with("::")).then_some((link, at + sign.len()));
        }
    }
    match rest.as_bytes().first()? {
        // `set_password("value")`.
        b'(' if rest.starts_with("(\"") || rest.starts_with("('") => Some((Link::Comma, at + 1)),
        b',' if is_quoted => Some((Link::Comma, at + 1)),
        b'>' if matches!(scan.before(start), b'<' | b':') => Some((Link::Tag, at + 1)),
        _ => None,
    }
}

/// Words that join, and a remark in front of them.
fn words(scan: &Scan<'_, '_>, end: usize, at: usize) -> Option<(Link, usize)> {
    if at == end {
        return None;
    }
    let line = scan.forward(at, 2 * REMARK, |byte| byte != b'\n');
    let line = (at..=line).rev().find_map(|to| scan.text.get(at..to))?;
    let mut place = 0;
    let mut joined = false;
    let mut described = false;
    for word in line.split_inclusive(' ').take(12) {
        let bare = word.trim_end_matches([' ', ':', '=']);
        let is_word = bare.bytes().all(|byte| byte.is_ascii_alphabetic() || byte >= 0x80);
        let ends = is_word && !bare.is_empty() && word.trim_end().len() > bare.len();
        let is_joining = JOINING.has(bare);
        if place == 0 && FOR.has(bare) && !(bare == "to" && !described && is_value(line.get(word.len()..)?)) {
            described = true;
        } else if is_joining {
            joined = true;
        } else if joined && !BETWEEN.has(bare) && !ends {
            return Some((Link::Word, at + place));
        } else if !(described || ends || BETWEEN.has(bare)) {
            return None;
        }
        place += word.len();
        if ends {
            return (joined || described || BETWEEN.has(bare))
                .then_some((if joined { Link::Word } else { Link::Colon }, at + place));
        }
        if place > REMARK {
            break;
        }
    }
    None
}

/// Whether the next word looks like a value already: digits in it, or signs.
fn is_value(rest: &str) -> bool {
    rest.split(' ')
        .next()
        .is_some_and(|word| word.bytes().any(|byte| byte.is_ascii_digit() || b"\"'`!@#$%^&*".contains(&byte)))
}

/// From where to where the value goes that begins at `at`, and whether quotes say so.
fn extent(scan: &Scan<'_, '_>, at: usize, link: Link) -> Option<(usize, usize, bool)> {
    let at = if link == Link::Tag { at } else { opened(scan, at) };
    let rest = scan.text.get(at..)?;
    for (open, close) in [
        ("\\\"", "\\\""),
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{201e}", "\u{201c}"),
        ("\u{ab}", "\u{bb}"),
    ] {
        if let Some(inner) = rest.strip_prefix(open).filter(|_| link != Link::Tag) {
            let start = at + open.len();
            let mut limit = inner.len().min(LONGEST);
            while !inner.is_char_boundary(limit) {
                limit -= 1;
            }
            let inner = inner.get(..limit)?;
            let line = inner.split('\n').next()?;
            let length = line.find(close)?;
            return (length > 0).then_some((start, start + length, true));
        }
    }
    let stops = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'`' | b'<' | b'>' | b';' | 0);
    let mut end = scan.forward(at, LONGEST, |byte| !stops(byte));
    // The next parameter of a query, the end of a line in an escaped text.
    let parameter = |at: usize| {
        scan.byte(scan.forward(at + 1, 24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))) == b'='
    };
    let ends = |at: &usize| match scan.byte(*at) {
        b'&' => parameter(*at),
        b'\\' => matches!(scan.byte(at + 1), b'n' | b'r' | b't'),
        _ => false,
    };
    end = (at..end).find(ends).unwrap_or(end);
    end -= if scan.text.get(at..end).is_some_and(|value| value.ends_with("**")) { 2 } else { 0 };
    while end > at && matches!(scan.before(end), b'.' | b',' | b':' | b')' | b']' | b'}' | b'\'' | b'?' | b'\\' | b'|')
    {
        end -= 1;
    }
    (end > at).then_some((at, end, false))
}

/// Behind what may stand in front of a quote: prefixes of strings (`b"`, `f"`), and functions that only wrap (`String::from("`).
fn opened(scan: &Scan<'_, '_>, at: usize) -> usize {
    let to =
        scan.forward(at, 24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'&' | b'@'));
    let Some(word) = scan.text.get(at..to).filter(|word| !word.is_empty()) else { return at };
    let quote = |place: usize| matches!(scan.byte(place), b'"' | b'\'' | b'`');
    let wraps = [
        "SecretStr",
        "String::from",
        "Some",
        "str",
        "String",
        "Secret",
        "SecretString::new",
        "SecretString::from",
        "&",
        "@",
    ];
    if quote(to) && (word.len() <= 2 || word == "u8") {
        to
    } else if scan.byte(to) == b'(' && quote(to + 1) && wraps.contains(&word) {
        to + 1
    } else {
        at
    }
}

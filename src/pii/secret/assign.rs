//! Values that only their name gives away: `password: …`, `API_KEY=…`, "my token is …".
//!
//! What a reader could get wrong: a name is common where no secret is (forms, types, documentation), so most of this tells what is *not* one:
//! variables, calls, types, paths, placeholders, words of a sentence.

use super::header::is_user_and_password;
use super::link::{self, Link, Value};
use super::name::{self, Kind};
use super::password::password;
use super::value::{is_placeholder, is_random, is_sequence, is_uuid, is_words, measure};
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "passw", look: |scan, at| named(scan, at, 5, None) },
    Anchor { literal: "passphrase", look: |scan, at| named(scan, at, 10, None) },
    Anchor { literal: "passcode", look: |scan, at| named(scan, at, 8, None) },
    Anchor { literal: "pwd", look: |scan, at| named(scan, at, 3, None) },
    Anchor { literal: "pass=", look: |scan, at| named(scan, at, 4, None) },
    Anchor { literal: "pass:", look: |scan, at| named(scan, at, 4, None) },
    Anchor { literal: "pass\"", look: |scan, at| named(scan, at, 4, None) },
    Anchor { literal: "pw:", look: |scan, at| named(scan, at, 2, None) },
    Anchor { literal: "pw=", look: |scan, at| named(scan, at, 2, None) },
    Anchor { literal: "pw is ", look: |scan, at| named(scan, at, 2, None) },
    Anchor { literal: "clave", look: |scan, at| named(scan, at, 5, Some(Kind::Password)) },
    Anchor { literal: "sessionid=", look: |scan, at| named(scan, at, 9, Some(Kind::Perhaps)) },
    Anchor { literal: "session_id=", look: |scan, at| named(scan, at, 10, Some(Kind::Perhaps)) },
    Anchor { literal: "kennwort", look: |scan, at| named(scan, at, 8, Some(Kind::Password)) },
    Anchor { literal: "mot de passe", look: |scan, at| named(scan, at, 12, Some(Kind::Password)) },
    Anchor { literal: "contrase\u{f1}a", look: |scan, at| named(scan, at, 11, Some(Kind::Password)) },
    Anchor { literal: "contrasena", look: |scan, at| named(scan, at, 10, Some(Kind::Password)) },
    Anchor { literal: "senha", look: |scan, at| named(scan, at, 5, Some(Kind::Password)) },
    Anchor { literal: "wachtwoord", look: |scan, at| named(scan, at, 10, Some(Kind::Password)) },
    Anchor { literal: "has\u{142}o", look: |scan, at| named(scan, at, 6, Some(Kind::Password)) },
    Anchor { literal: "l\u{f6}senord", look: |scan, at| named(scan, at, 9, Some(Kind::Password)) },
    Anchor {
        literal: "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
        look: |scan, at| named(scan, at, 12, Some(Kind::Password)),
    },
    Anchor {
        literal: "\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
        look: |scan, at| named(scan, at, 12, Some(Kind::Password)),
    },
    Anchor { literal: "\u{5bc6}\u{7801}", look: |scan, at| named(scan, at, 6, Some(Kind::Password)) },
    Anchor { literal: "\u{5bc6}\u{78bc}", look: |scan, at| named(scan, at, 6, Some(Kind::Password)) },
    Anchor {
        literal: "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
        look: |scan, at| named(scan, at, 15, Some(Kind::Password)),
    },
    Anchor { literal: "\u{be44}\u{bc00}\u{bc88}\u{d638}", look: |scan, at| named(scan, at, 12, Some(Kind::Password)) },
    Anchor { literal: "secret", look: |scan, at| named(scan, at, 6, None) },
    Anchor { literal: "token", look: |scan, at| named(scan, at, 5, None) },
    Anchor { literal: "key", look: |scan, at| named(scan, at, 3, None) },
    Anchor { literal: "credential", look: |scan, at| named(scan, at, 10, None) },
    Anchor { literal: "auth\"", look: |scan, at| named(scan, at, 4, None) },
    Anchor { literal: "_auth=", look: |scan, at| named(scan, at, 5, None) },
    Anchor { literal: "authorization", look: |scan, at| named(scan, at, 13, Some(Kind::Secret)) },
];

/// The longest name, to each side.
const NAME: usize = 48;
/// The longest value of a header that is looked at.
const LONGEST: usize = 512;
/// Words in front of the value of a header of authorization.
const SCHEMES: &[&str] = &[
    "token",
    "apikey",
    "api-key",
    "key",
    "bot",
    "sso-key",
    "splunk",
    "apitoken",
    "api-token",
    "genie-key",
    "klaviyo-api-key",
];
/// A secret has at least so many bytes: less can be guessed.
pub(super) const LEAST: usize = 16;
/// Names of secrets that say more (`api_key`, `client_secret`) make do with less.
const LEAST_NAMED: usize = 12;

/// At a word that names a secret, of `length` bytes.
fn named(scan: &mut Scan<'_, '_>, at: usize, length: usize, known: Option<Kind>) {
    if at < scan.named_until {
        return;
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = scan.backward(at, NAME, |byte| is_name(byte) || byte == b'.');
    let start = scan.forward(start, at - start, |byte| matches!(byte, b'-' | b'.'));
    let mut end = scan.forward(at + length, NAME, is_name);
    while end > at + length && scan.before(end) == b'-' {
        end -= 1;
    }
    // `spring.password.value=…`
    let end = if scan.text.get(end..).is_some_and(|rest| rest.starts_with(".value")) { end + 6 } else { end };
    scan.named_until = end;
    let kind = match known {
        Some(kind) => (end == at + length).then_some(kind),
        None => scan.text.get(start..end).and_then(|name| name::kind(name, word_before(scan, start))),
    };
    let Some(kind) = kind else { return };
    // A name of a type, a sum over a file: `AWS::IAM::AccessKey`, `checksum/session-key`.
    if scan.bytes().get(..start).is_some_and(|front| front.ends_with(b"::") || front.ends_with(b"checksum/")) {
        return;
    }
    let Some(mut value) = link::value(scan, start, end) else { return };
    // `Authorization: token …`; other schemes are found by their own names.
    if scan.text.get(value.start..value.end).is_some_and(|text| SCHEMES.contains(&text.to_ascii_lowercase().as_str()))
        && scan.byte(value.end) == b' '
    {
        let end =
            scan.forward(value.end + 1, LONGEST, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte));
        value = Value { start: value.end + 1, end, ..value };
    }
    if value.end - value.start >= link::LONGEST {
        // Names in the middle of something this long name nothing, and looking at each would take long.
        scan.named_until = value.end;
        return;
    }
    judge(scan, start, kind, value);
}

/// The word in front of the name, one space away: `api` in "api key".
fn word_before<'t>(scan: &Scan<'t, '_>, start: usize) -> &'t str {
    if scan.before(start) != b' ' {
        return "";
    }
    let from = scan.backward(start - 1, 16, |byte| byte.is_ascii_alphanumeric());
    scan.text.get(from..start - 1).unwrap_or_default()
}

fn judge(scan: &mut Scan<'_, '_>, name: usize, kind: Kind, value: Value) {
    let Some(text) = scan.text.get(value.start..value.end) else { return };
    // `Authorization: Bearer …`: found by its scheme.
    if ["bearer", "basic"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme)))
        && scan.byte(value.start + 5) == b' '
    {
        return;
    }
    if is_reference(text, value.quoted) || (!value.quoted && scan.byte(value.end) == b'(') {
        return;
    }
    let found = match kind {
        Kind::Password => password(scan, name, text, value).map(|score| (Entity::PASSWORD, score)),
        Kind::Secret | Kind::Token | Kind::Perhaps => {
            secret(scan, name, text, kind, value).map(|score| (Entity::SECRET, score))
        }
        Kind::Auth => is_user_and_password(text).then_some((Entity::PASSWORD, 0.9)),
    };
    if let Some((entity, score)) = found {
        scan.push(value.start, value.end, entity, score);
    }
}

/// Whether the value says where a secret is to be had, instead of being one: calls, lookups, paths, URLs, names of other values.
fn is_reference(text: &str, quoted: bool) -> bool {
    const PLACES: &[&str] = &[
        "http://",
        "https://",
        "./",
        "../",
        "~/",
        "arn:",
        "vault:",
        "op://",
        "file:",
        "sm://",
        "ref+",
        "env:",
        "ENC[",
        "!Ref",
        "!vault",
        "projects/",
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "secrets.",
        "self.",
        "this.",
        "config.",
        "settings.",
        "req.",
        "request.",
        "Env.",
        "ENV[",
        "sha256:",
        "sha1:",
        "data:",
        "&[",
    ];
    let is_path = text.starts_with('/') && text.bytes().skip(1).any(|byte| byte == b'/') && is_words(text);
    if is_path || PLACES.iter().any(|place| text.starts_with(place)) || is_placeholder(text) {
        return true;
    }
    if quoted {
        return false;
    }
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(byte)).count();
    let is_call = name > 1 && text.as_bytes().get(name).is_some_and(|byte| matches!(byte, b'(' | b'['));
    let is_macro = text.get(name..).is_some_and(|rest| rest.starts_with("!("));
    // `*const T`, `&str`, `::path::Type`, `user.password`.
    let bare = text.trim_start_matches(['*', '&', ':']);
    let parts = || bare.split(['.', ':', '<', '>', '\'']).filter(|part| !part.is_empty());
    let is_path = (text.contains('.') || text.contains("::") || bare.len() < text.len())
        && parts().all(is_identifier)
        && is_words(bare);
    is_call || is_macro || is_path || is_number(text)
}

/// A number as programs write it, with its type or its base: `0x80550009_u32`, `20u32`.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches('-');
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let stem = digits.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let typed = stem.strip_suffix(['u', 'i', 'f']).map(|stem| stem.trim_end_matches('_'));
    hex.is_some_and(|hex| {
        hex.len() <= 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit() || b"_uiUL".contains(&byte))
    }) || typed.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Letters and underscores only, but for digits at its end.
pub(super) fn is_identifier(text: &str) -> bool {
    text.trim_end_matches(|sign: char| sign.is_ascii_digit())
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn secret(scan: &Scan<'_, '_>, name: usize, text: &str, kind: Kind, value: Value) -> Option<f32> {
    if text.bytes().any(|byte| {
        !byte.is_ascii_graphic() || matches!(byte, b'(' | b')' | b',' | b'{' | b'}' | b'"' | b'<' | b'>' | b'\\')
    }) {
        return None;
    }
    // Names with versions: `jjwt-jackson-0.11.2`.
    if text.as_bytes().windows(3).filter(|part| matches!(part, [b'0'..=b'9', b'.', b'0'..=b'9'])).count() > 1 {
        return None;
    }
    let measure = measure(text);
    let classes = measure.classes();
    // `ENV API_TOKEN …` and `--token …` assign without a sign.
    let front = scan.bytes().get(..name).unwrap_or_default();
    let is_loud = |name: &str| name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let shouted =
        value.link == Link::Space && (front.ends_with(b"--") || scan.text.get(name..value.start).is_some_and(is_loud));
    let assigned = shouted || (!matches!(value.link, Link::Word | Link::Space) && !value.below);
    match kind {
        // Without a word that says of what, it must be long and of all kinds.
        Kind::Perhaps => (classes >= 3 && !is_uuid(text) && is_random(text, LEAST) && (assigned || measure.digits > 1))
            .then_some(0.7),
        Kind::Token if !assigned => (classes >= 3 && is_random(text, LEAST)).then_some(0.7),
        Kind::Token if text.len() < LEAST => None,
        _ if is_uuid(text) => (!is_sequence(text)).then_some(0.7),
        _ if is_random(text, if assigned { LEAST_NAMED } else { LEAST }) => Some(0.85),
        // Chosen by people.
        _ if assigned
            && classes >= 3
            && measure.others > 0
            && measure.digits > 0
            && measure.length() >= LEAST_NAMED
            && !is_words(text) =>
        {
            (!text.contains('/') && !is_sequence(text)).then_some(0.6)
        }
        _ => None,
    }
}

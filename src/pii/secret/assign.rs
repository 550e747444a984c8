//! Values that only their name gives away: `password: …`, `API_KEY=…`, "my token is …", headers of authorization, credentials on a command line.
//!
//! What a reader could get wrong: a name is common where no secret is (forms, types, documentation), so most of this tells what is *not* one: variables,
//! calls, types, paths, placeholders, words of a sentence.

use super::link::{self, Link, Value};
use super::name::{self, Kind};
use super::value::{is_none, is_placeholder, is_random, is_sequence, is_uuid, is_words, measure};
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
    Anchor { literal: "bearer ", look: |scan, at| scheme(scan, at, 7, Kind::Secret) },
    Anchor { literal: "basic ", look: |scan, at| scheme(scan, at, 6, Kind::Auth) },
    Anchor { literal: " -u ", look: |scan, at| user(scan, at + 4) },
    Anchor { literal: "--user ", look: |scan, at| user(scan, at + 7) },
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
const LEAST: usize = 16;
/// Names of secrets that say more (`api_key`, `client_secret`) make do with less.
const LEAST_NAMED: usize = 12;

/// At a word that names a secret, of `length` bytes.
fn named(scan: &mut Scan<'_, '_>, at: usize, length: usize, known: Option<Kind>) {
    if at < scan.named_until {
        return;
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = scan.backward(at, NAME, |byte| is_name(byte) || byte == b'.');
    let mut end = scan.forward(at + length, NAME, is_name);
    while end > at + length && scan.before(end) == b'-' {
        end -= 1;
    }
    scan.named_until = end;
    let kind = match known {
        Some(kind) => (end == at + length).then_some(kind),
        None => scan.text.get(start..end).and_then(|name| name::kind(name, word_before(scan, start))),
    };
    let Some(kind) = kind else { return };
    let Some(mut value) = link::value(scan, start, end) else { return };
    // `Authorization: token …`; other schemes are found by their own names.
    if scan.text.get(value.start..value.end).is_some_and(|text| SCHEMES.contains(&text.to_ascii_lowercase().as_str()))
        && scan.byte(value.end) == b' '
    {
        let end =
            scan.forward(value.end + 1, LONGEST, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte));
        value = Value { start: value.end + 1, end, ..value };
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
    ];
    let is_path = text.starts_with('/') && text.bytes().skip(1).any(|byte| byte == b'/') && is_words(text);
    if is_path || PLACES.iter().any(|place| text.starts_with(place)) || is_placeholder(text) {
        return true;
    }
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(byte)).count();
    let call = text.as_bytes().get(name).is_some_and(|byte| matches!(byte, b'(' | b'[')) && name > 1;
    !quoted && (call || (text.contains('.') && text.split('.').all(|part| !part.is_empty() && is_identifier(part))))
}

/// Letters and underscores only, but for digits at its end.
fn is_identifier(text: &str) -> bool {
    text.trim_end_matches(|sign: char| sign.is_ascii_digit())
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn secret(scan: &Scan<'_, '_>, name: usize, text: &str, kind: Kind, value: Value) -> Option<f32> {
    if text
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'(' | b')' | b'{' | b'}' | b'"' | b'<' | b'>' | b'\\'))
    {
        return None;
    }
    let measure = measure(text);
    let classes = measure.classes();
    // `ENV API_TOKEN …` assigns without a sign.
    let shouted = value.link == Link::Space
        && scan
            .text
            .get(name..value.start)
            .is_some_and(|name| name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase()));
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

/// How sure it is that `text` is a password, from where it stands and what it is made of.
fn password(scan: &Scan<'_, '_>, name: usize, text: &str, value: Value) -> Option<f32> {
    let measure = measure(text);
    let (letters, length) = (measure.lower + measure.upper, text.len());
    if !(3..=128).contains(&length) || is_none(text) || (measure.others == length && length < 6) {
        return None;
    }
    let plain = letters == length || is_identifier(text) && text.contains('_');
    // A number behind a word: `password2`, and what names itself.
    let stem = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let own_name = name::kind(stem, "").is_some() && is_identifier(text);
    let spaced = text.contains(' ');
    let next = scan.byte(value.end);
    let ends_line = matches!(next, 0 | b'\n' | b'\r') || (next == b'\\' && scan.byte(value.end + 1) == b'n');
    let camel = text.bytes().zip(text.bytes().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    let strong = measure.classes() >= 3 && length >= 8;
    match value.link {
        _ if value.below => (strong && !spaced && ends_line && !text.ends_with(':')).then_some(0.6),
        _ if spaced => None,
        _ if plain && own_name => None,
        Link::Word | Link::Space if value.quoted => (length >= 4 && !is_sentence(text)).then_some(0.8),
        Link::Word => match plain {
            false => (measure.digits > 0
                || measure.others > 1
                || (measure.others > 0 && !text.contains(['-', '\'', '/', '.'])))
            .then_some(0.8),
            true if camel && !own_name => Some(0.6),
            true => (length >= 5 && ends_sentence(scan, value.end) && !is_sentence(text) && is_somebodys(scan, name))
                .then_some(0.5),
        },
        Link::Space if scan.bytes().get(..name).is_some_and(|front| front.ends_with(b"--")) || is_netrc(scan, name) => {
            (!text.starts_with('-') && (measure.digits > 0 || measure.others > 0)).then_some(0.75)
        }
        Link::Space => {
            (strong && measure.digits > 0 && !is_algorithm(text) && !text.starts_with(['-', '/', '('])).then_some(0.5)
        }
        Link::Comma if !value.quoted => None,
        _ if value.quoted || value.link == Link::Tag => {
            (!plain || (length >= 4 && !is_sentence(text))).then_some(if plain { 0.6 } else { 0.85 })
        }
        // Without quotes: code, a file of settings, a chat.
        Link::Equals => {
            let shouted = scan
                .text
                .get(name..value.start)
                .is_some_and(|name| !name.bytes().any(|byte| byte.is_ascii_lowercase()));
            let in_call = matches!(next, b',' | b')') && !shouted;
            match plain || own_name {
                true => {
                    (value.tight && !text.contains('_') && !in_call && (shouted || ends_line || next == b';') && !camel)
                        .then_some(0.5)
                }
                false => Some(if value.tight { 0.85 } else { 0.75 }),
            }
        }
        _ => match plain {
            true => (length >= 5 && ends_line && !camel && !text.contains('_') && !is_sentence(text)).then_some(0.5),
            false => (length >= 4
                && (measure.digits > 0 || measure.others > 0)
                && (letters > 0 || ends_sentence(scan, value.end)))
            .then_some(0.8),
        },
    }
}

/// Words that a sentence goes on with behind "password" and "is".
fn is_sentence(text: &str) -> bool {
    const WORDS: &str = "incorrect invalid wrong required expired weak strong secure correct missing empty hidden encrypted hashed stored sensitive case-sensitive \
        needed optional short long being going used valid changed reset generated protected available shared unique unknown compromised leaked safe different \
        blank mandatory random temporary simple complex falsch richtig erforderlich abgelaufen sicher g\u{fc}ltig incorrecta incorrecto requerida obligatoria \
        requis incorrect invalide obligatoire fuerte manager policy reset field change update login please enter confirm forgot anmelden vergessen olvidada \
        oubli\u{e9} Kennwort Passwort Wachtwoord Senha obscure always never also about after again already below above important bcrypt argon2 plain plaintext";
    WORDS.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_algorithm(text: &str) -> bool {
    const NAMES: &str =
        "sha1 sha256 sha512 md5 base64 pbkdf2 argon2 argon2id utf8 utf-8 oauth2 sha-256 sha-512 sha-1 2fa";
    NAMES.split_ascii_whitespace().any(|name| name.eq_ignore_ascii_case(text))
}

/// Whether the sentence is over at `at`.
fn ends_sentence(scan: &Scan<'_, '_>, at: usize) -> bool {
    let behind = scan.forward(at, 2, |byte| matches!(byte, b'.' | b'!' | b',' | b')'));
    matches!(scan.byte(behind), 0 | b'\n' | b'\r') || (behind > at && scan.byte(behind) == b' ')
}

/// "my password", "the wifi password", "das Passwort".
fn is_somebodys(scan: &Scan<'_, '_>, name: usize) -> bool {
    const WHOSE: &str =
        "my his her our their your the wifi wi-fi mein dein sein ihr das unser mon son le notre mi su tu la nuestra";
    let from = scan.backward(name, 24, |byte| byte != b'\n');
    let Some(front) = (from..name).find_map(|from| scan.text.get(from..name)) else { return false };
    front
        .split_ascii_whitespace()
        .rev()
        .take(3)
        .any(|word| WHOSE.split_ascii_whitespace().any(|whose| whose.eq_ignore_ascii_case(word)))
}

/// `machine x login y password z`.
fn is_netrc(scan: &Scan<'_, '_>, name: usize) -> bool {
    let front = scan.bytes().get(name.saturating_sub(64)..name).unwrap_or_default();
    memchr::memmem::find(front, b"login ").is_some()
}

/// Behind the scheme of a header: `Bearer …`, `Basic …`.
fn scheme(scan: &mut Scan<'_, '_>, at: usize, length: usize, kind: Kind) {
    if scan.before(at).is_ascii_alphanumeric() {
        return;
    }
    let start = at + length;
    let end = scan.forward(start, 2048, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte));
    let Some(text) = scan.text.get(start..end) else { return };
    let text = text.trim_end_matches(['.', ':']);
    let found = match kind {
        Kind::Auth => is_user_and_password(text).then_some(Entity::PASSWORD),
        _ => (text.len() >= LEAST && !is_words(text) && (is_uuid(text) || is_random(text, LEAST)))
            .then_some(Entity::SECRET),
    };
    if let Some(entity) = found {
        scan.push(start, start + text.len(), entity, 0.9);
    }
}

/// Behind `curl -u`: `user:password`, with or without quotes.
fn user(scan: &mut Scan<'_, '_>, at: usize) {
    let start = at + usize::from(matches!(scan.byte(at), b'"' | b'\''));
    let end = scan.forward(start, 128, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    let Some((name, password)) = scan.text.get(start..end).and_then(|text| text.split_once(':')) else { return };
    let digits = password.bytes().all(|byte| byte.is_ascii_digit()) && name.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty()
        || password.len() < 3
        || digits
        || password.contains('/') && name.starts_with("http")
        || is_placeholder(password)
        || is_none(password)
    {
        return;
    }
    scan.push(start + name.len() + 1, end, Entity::PASSWORD, 0.85);
}

/// Whether it is base64 of a user, a colon and a password.
fn is_user_and_password(text: &str) -> bool {
    if text.len() < 8
        || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
    {
        return false;
    }
    let bytes = super::jwt::decoded(text.trim_end_matches('=').as_bytes());
    let Ok(plain) = String::from_utf8(bytes) else { return false };
    let Some((user, password)) = plain.split_once(':') else { return false };
    !plain.chars().any(char::is_control)
        && user.len() + password.len() >= 5
        && !is_placeholder(password)
        && !is_none(password)
}

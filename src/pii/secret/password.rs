//! Whether what stands behind a word for "password" is one: chosen by people, so that nothing but the place and a digit here and there tells.
//!
//! What a reader could get wrong: behind an equals sign without quotes stands a variable as often as a value; behind "password is" an adjective.

use super::assign::is_identifier;
use super::link::{Link, Value};
use super::name;
use super::value::{is_none, is_words, measure};
use super::words::Words;
use crate::pii::scan::Scan;

/// How sure it is that `text` is a password, from where it stands and what it is made of.
pub(super) fn password(scan: &Scan<'_, '_>, name: usize, text: &str, value: Value) -> Option<f32> {
    let measure = measure(text);
    let (letters, length) = (measure.lower + measure.upper, text.len());
    if !(3..=128).contains(&length) || is_none(text) || (measure.others == length && length < 6) {
        return None;
    }
    // Letters only, but in no order that a name has: `qNqLtQCWcQ`.
    let drawn = letters == length && length >= 8 && !is_words(text);
    let plain = (letters == length && !drawn) || (is_identifier(text) && text.contains('_'));
    // A number behind a word: `password2`, and what names itself.
    let stem = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let own_name = (measure.digits == 0 && text.to_ascii_lowercase().contains("passw"))
        || name::kind(stem, "").is_some() && is_identifier(text);
    // Only a phrase has spaces in it.
    let is_phrase = value.quoted
        && scan.text.get(name..value.start).is_some_and(|name| name.to_ascii_lowercase().contains("passphrase"));
    let spaced = text.contains(' ') && !is_phrase;
    let next = scan.byte(value.end);
    let ends_line = matches!(next, 0 | b'\n' | b'\r') || (next == b'\\' && scan.byte(value.end + 1) == b'n');
    let camel = text.bytes().zip(text.bytes().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    let strong = measure.classes() >= 3 && length >= 8;
    match value.link {
        _ if value.below => (strong && !spaced && ends_line && !text.ends_with(':')).then_some(0.6),
        _ if spaced => None,
        _ if (plain && own_name) || text.starts_with("--") => None,
        Link::Comma if plain => None,
        Link::Word | Link::Space if value.quoted => (length >= 4 && !is_sentence(text)).then_some(0.8),
        Link::Word => match plain {
            false => (drawn
                || measure.digits > 0
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
            // A constant of a program.
            if letters + measure.others == 0 && matches!(next, b';' | b',') && !value.tight {
                return None;
            }
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
                && (drawn || measure.digits > 0 || measure.others > 0)
                && (letters > 0 || ends_sentence(scan, value.end)))
            .then_some(0.8),
        },
    }
}

/// Words that a sentence goes on with behind "password" and "is".
fn is_sentence(text: &str) -> bool {
    static WORDS: Words = Words::new(
        "incorrect invalid wrong required expired weak strong secure correct missing empty hidden encrypted hashed stored sensitive case-sensitive \
        needed optional short long being going used valid changed reset generated protected available shared unique unknown compromised leaked safe different \
        blank mandatory random temporary simple complex falsch richtig erforderlich abgelaufen sicher g\u{fc}ltig incorrecta incorrecto requerida obligatoria \
        requis incorrect invalide obligatoire fuerte manager policy reset field change update login please enter confirm forgot anmelden vergessen olvidada \
        oubli\u{e9} postgres mysql root admin guest test kennwort passwort wachtwoord senha obscure always never also about after again already below above important bcrypt argon2 plain plaintext",
    );
    WORDS.has(text)
}

fn is_algorithm(text: &str) -> bool {
    static NAMES: Words = Words::new(
        "sha1 sha256 sha512 md5 base64 pbkdf2 argon2 argon2id utf8 utf-8 oauth2 sha-256 sha-512 sha-1 2fa http/1.0 http/1.1 http/2 sha256: x509",
    );
    NAMES.has(text)
}

/// Whether the sentence is over at `at`.
fn ends_sentence(scan: &Scan<'_, '_>, at: usize) -> bool {
    let behind = scan.forward(at, 2, |byte| matches!(byte, b'.' | b'!' | b',' | b')'));
    matches!(scan.byte(behind), 0 | b'\n' | b'\r') || (behind > at && scan.byte(behind) == b' ')
}

/// "my password", "the wifi password", "das Passwort".
fn is_somebodys(scan: &Scan<'_, '_>, name: usize) -> bool {
    static WHOSE: Words = Words::new(
        "my his her our their your the wifi wi-fi mein dein sein ihr das unser mon son le notre mi su tu la nuestra",
    );
    let from = scan.backward(name, 24, |byte| byte != b'\n');
    let Some(front) = (from..name).find_map(|from| scan.text.get(from..name)) else { return false };
    front.split_ascii_whitespace().rev().take(3).any(|word| WHOSE.has(word))
}

/// `machine x login y password z`.
fn is_netrc(scan: &Scan<'_, '_>, name: usize) -> bool {
    let front = scan.bytes().get(name.saturating_sub(64)..name).unwrap_or_default();
    memchr::memmem::find(front, b"login ").is_some()
}

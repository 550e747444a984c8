//! Credentials behind the scheme of a header (`Authorization: Bearer …`, RFC 6750; `Basic …`, RFC 7617) and on a command
//! line (`curl -u user:password`).
//!
//! What a reader could get wrong: "bearer" and "basic" are words; what follows them must look like a token, or be base64 of a user and a password.

use super::assign::LEAST;
use super::name::Kind;
use super::value::{is_none, is_placeholder, is_random, is_uuid, is_words};
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "bearer ", look: |scan, at| scheme(scan, at, 7, Kind::Secret) },
    Anchor { literal: "basic ", look: |scan, at| scheme(scan, at, 6, Kind::Auth) },
    Anchor { literal: " -u ", look: |scan, at| user(scan, at + 4) },
    Anchor { literal: " -p", look: |scan, at| option(scan, at + 3) },
    Anchor { literal: "--user ", look: |scan, at| user(scan, at + 7) },
];

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

/// Behind `mysql -u root -p…` and `sshpass -p …`; other programs mean a port.
fn option(scan: &mut Scan<'_, '_>, at: usize) {
    let line = scan.backward(at, 64, |byte| byte != b'\n');
    let front = scan.bytes().get(line..at).unwrap_or_default();
    let after = |name: &[u8]| memchr::memmem::find(front, name).is_some();
    let spaced = scan.byte(at) == b' ';
    if !(after(b"sshpass") || (after(b"mysql") && !spaced)) {
        return;
    }
    let from = at + usize::from(spaced);
    let start = from + usize::from(matches!(scan.byte(from), b'"' | b'\''));
    let end = scan.forward(start, 128, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`'));
    if scan.text.get(start..end).is_some_and(|text| text.len() > 2 && !is_placeholder(text) && !is_none(text)) {
        scan.push(start, end, Entity::PASSWORD, 0.85);
    }
}

/// Whether it is base64 of a user, a colon and a password.
pub(super) fn is_user_and_password(text: &str) -> bool {
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

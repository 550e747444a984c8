//! Credentials in URLs: `scheme://user:password@host` (RFC 3986, 3.2.1). The span is `user:password`.
//!
//! What a reader could get wrong: documentation is full of URLs whose password is the word `password` or a variable; those are left out.

use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};
use crate::pii::secret::is_placeholder;

pub(super) static ANCHORS: &[Anchor] = &[Anchor { literal: "://", look }];

/// The longest user and password together, in bytes.
const LONGEST: usize = 256;
/// Passwords of documentation that are somebody's elsewhere: only where user and password are both of this kind nobody is behind them.
const WORDS: &[&str] = &[
    "root",
    "admin",
    "guest",
    "postgres",
    "mysql",
    "mongo",
    "redis",
    "rabbitmq",
    "minio",
    "minioadmin",
    "elastic",
    "neo4j",
    "test",
    "dev",
    "app",
    "demo",
    "me",
    "login",
    "u",
    "p",
    "name",
    "myuser",
    "foo",
    "bar",
    "db",
    "x",
    "a",
    "b",
];

fn look(scan: &mut Scan<'_, '_>, at: usize) {
    if !scan.before(at).is_ascii_alphanumeric() {
        return;
    }
    let start = at + 3;
    let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\');
    let authority = scan.forward(start, LONGEST, |byte| !ends(byte) && !matches!(byte, b'/' | b'?' | b'#'));
    let Some(mut end) = last_sign(scan, start, authority) else { return unescaped(scan, start, authority) };
    // `(see http://a:b@c)`, a list of two: the password ends at the first sign that a host follows.
    if let Some(comma) = scan.text.get(start..end).and_then(|credentials| credentials.find("@,")) {
        end = start + comma;
    }
    judge(scan, start, end);
}

/// A password with a slash or a number sign that should have been escaped; only where what looks like a port is no number.
fn unescaped(scan: &mut Scan<'_, '_>, start: usize, authority: usize) {
    if !matches!(scan.byte(authority), b'/' | b'?' | b'#') || authority == start {
        return;
    }
    let Some(colon) = scan.text.get(start..authority).and_then(|text| text.find(':')) else { return };
    let port = scan.text.get(start + colon + 1..authority).unwrap_or_default();
    if colon == 0 || port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    let limit = scan.forward(authority, LONGEST, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
    });
    if let Some(end) = last_sign(scan, start, limit).filter(|end| scan.byte(end + 1).is_ascii_alphanumeric()) {
        judge(scan, start, end);
    }
}

fn last_sign(scan: &Scan<'_, '_>, start: usize, end: usize) -> Option<usize> {
    let found = scan.bytes().get(start..end)?.iter().rposition(|byte| *byte == b'@')?;
    Some(start + found)
}

fn judge(scan: &mut Scan<'_, '_>, start: usize, end: usize) {
    let Some((user, password)) = scan.text.get(start..end).and_then(|credentials| credentials.split_once(':')) else {
        return;
    };
    let host = scan.byte(end + 1);
    if !(host.is_ascii_alphanumeric() || matches!(host, b'[' | b'$' | b'{' | b'<') || host >= 0x80) {
        return;
    }
    let word =
        |part: &str| part.eq_ignore_ascii_case("user") || WORDS.iter().any(|word| part.eq_ignore_ascii_case(word));
    if password.is_empty()
        || is_placeholder(password)
        || (word(password) && (user.is_empty() || word(user) || user == password))
    {
        return;
    }
    scan.push(start, end, Entity::URL_CREDENTIALS, 1.0);
}

//! E-mail addresses (RFC 5321 and 6531): found by their at sign.
//!
//! What a reader could get wrong: not every `a@b.c` is one: packages with versions (`npm@1.2.3`), images (`icon@2x.png`), remotes of version control and
//! the credentials of a URL are left out. Around texts without spaces (Chinese, Japanese) an address ends where the script changes.

use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "@", look: |scan, at| look(scan, at, 1) },
    Anchor { literal: "%40", look: |scan, at| look(scan, at, 3) },
];

/// The longest local part and the longest domain, in bytes (RFC 5321, 4.5.3.1).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;
/// From here on scripts are written without spaces.
const UNSPACED: char = '\u{2e80}';
/// What follows the last dot of a file's name, and is no top level domain.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "mjs", "json", "html", "yml", "yaml", "txt", "lock",
    "toml",
];
/// Users that are programs: `git@github.com:owner/name`.
const REMOTES: &[&str] = &["git", "hg", "svn"];

fn look(scan: &mut Scan<'_, '_>, at: usize, sign: usize) {
    let Some(start) = local_start(scan, at) else { return };
    let Some(end) = domain_end(scan.text, at + sign) else { return };
    let (Some(local), Some(domain)) = (scan.text.get(start..at), scan.text.get(at + sign..end)) else { return };
    let path = scan.byte(end) == b':' && !matches!(scan.byte(end + 1), 0 | b' ' | b'\n' | b'\r' | b'"' | b'\'');
    let behind = scan.byte(end);
    let is_code = matches!(behind, b'(' | b'[')
        || is_version(domain)
        || domain.starts_with("self.")
        || domain.starts_with("this.");
    let is_remote = REMOTES.contains(&local) || (path && has_slash(scan, end));
    if is_code || is_remote || in_authority(scan, start) {
        return;
    }
    scan.push(start, end, Entity::EMAIL_ADDRESS, 1.0);
}

/// Where the local part in front of `at` begins.
fn local_start(scan: &Scan<'_, '_>, at: usize) -> Option<usize> {
    if scan.before(at) == b'"' {
        return quoted_start(scan, at);
    }
    let ascii = scan.backward(at, LOCAL, is_atom);
    let mut start = ascii;
    for (place, sign) in scan.text.get(..ascii)?.char_indices().rev().take(LOCAL) {
        let of_a_word = sign.is_alphanumeric() && (sign < UNSPACED || ascii == at);
        if !(of_a_word || (start != ascii && u8::try_from(sign).is_ok_and(is_atom))) {
            break;
        }
        start = place;
    }
    // Neither dots nor quotes at its edges belong to it.
    let text = scan.text.get(start..at)?;
    let trimmed = text.trim_start_matches([
        '.', '-', '\'', '`', '*', '/', '=', '?', '&', '|', '{', '!', '#', '$', '%', '^', '~', '+',
    ]);
    let bare = trimmed.rsplit(['/', '=', '|', '`', '&', '?', '{', '}', '*']).next()?;
    (!bare.is_empty() && !bare.ends_with('.') && !bare.contains("..")).then(|| at - bare.len())
}

/// `"john smith"@example.com`.
fn quoted_start(scan: &Scan<'_, '_>, at: usize) -> Option<usize> {
    let open = scan
        .backward(at - 1, LOCAL, |byte| !matches!(byte, b'"' | b'\n' | b'<' | b'>' | b',' | b':'))
        .checked_sub(1)?;
    let is_open = scan.byte(open) == b'"' && open + 2 < at && !scan.before(open).is_ascii_alphanumeric();
    is_open.then_some(open)
}

fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

/// Where the domain that begins at `from` ends; `None` where there is none with a dot and a top level domain.
fn domain_end(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    // The end of the last label that could be a top level domain.
    let mut end = None;
    let (mut label, mut dots, mut wide) = (0, 0, false);
    let limit = rest.char_indices().take(DOMAIN).chain([(rest.len(), ' ')]);
    let mut last = '.';
    for (place, sign) in limit {
        let in_label = match sign {
            _ if sign.is_ascii_alphanumeric() => !wide || last == '-',
            '-' => place > label,
            _ if sign.is_ascii() || !sign.is_alphanumeric() => false,
            // A label is in one script; between Latin letters umlauts may stand.
            _ => place == label || wide || sign < UNSPACED,
        };
        if in_label {
            wide |= sign >= UNSPACED;
            last = sign;
            continue;
        }
        if place == label || last == '-' {
            break;
        }
        if dots > 0 {
            // What comes last decides: `a@b.co.1` has no domain.
            end = rest
                .get(label..place)
                .filter(|name| is_top_level(name))
                .map(|_| from + place)
                .or(end.filter(|_| sign == '.'));
        }
        if sign != '.' {
            break;
        }
        (label, dots, wide, last) = (place + 1, dots + 1, false, '.');
    }
    end
}

fn is_top_level(label: &str) -> bool {
    let is_name = label.chars().all(char::is_alphabetic) || label.starts_with("xn--");
    is_name && label.chars().nth(1).is_some() && !FILES.iter().any(|file| label.eq_ignore_ascii_case(file))
}

/// `v1.2.0-rc.one`: two labels that begin with digits, but for a `v`.
fn is_version(domain: &str) -> bool {
    let digit = |label: Option<&str>| label.is_some_and(|label| label.starts_with(|sign: char| sign.is_ascii_digit()));
    let mut labels = domain.strip_prefix('v').unwrap_or(domain).split('.');
    digit(labels.next()) && digit(labels.next())
}

/// Whether what follows the colon at `at` is a path.
fn has_slash(scan: &Scan<'_, '_>, at: usize) -> bool {
    let end = scan.forward(at + 1, DOMAIN, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    scan.byte(end) == b'/'
}

/// Whether `start` lies in the authority of a URL: behind `://` without a slash or a space between.
fn in_authority(scan: &Scan<'_, '_>, start: usize) -> bool {
    let from = scan.backward(start, DOMAIN, |byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'')
    });
    scan.bytes().get(..from).is_some_and(|front| front.ends_with(b"://"))
}

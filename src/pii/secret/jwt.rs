//! JSON web tokens (RFC 7519): parts in base64url with dots between, of which the first is a JSON object with `alg` in it.
//!
//! What a reader could get wrong: the second part begins with `eyJ` too; only the first of a chain is looked at.

use smallvec::SmallVec;

use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[Anchor { literal: "eyJ", look }, Anchor { literal: "ewog", look }];

/// The longest token: headers with keys in them and cookies of identity providers reach some thousands of bytes.
const LONGEST: usize = 64 * 1024;
/// So much of the header is read.
const HEADER: usize = 1024;
/// The most parts: five when it is encrypted (RFC 7516).
const PARTS: usize = 5;

fn look(scan: &mut Scan<'_, '_>, at: usize) {
    let before = scan.before(at);
    if is_base64url(before)
        || (before == b'.' && is_base64url(scan.before(at - 1)))
        || !matches!(scan.byte(at + 1), b'y' | b'w')
    {
        return;
    }
    let mut ends: SmallVec<[usize; PARTS]> = SmallVec::new();
    let mut from = at;
    while ends.len() < PARTS {
        let end = scan.forward(from, LONGEST, is_base64url);
        ends.push(end);
        if scan.byte(end) != b'.' {
            break;
        }
        from = end + 1;
    }
    // A dot that ends a sentence is none of a token; an unsigned one ends in a dot.
    let (Some(header), Some(payload)) = (ends.first(), ends.get(1)) else { return };
    let signature = ends.get(2).copied().unwrap_or(*payload);
    let head = scan.bytes().get(at..*header).unwrap_or_default();
    let names = decoded(head.get(..head.len().min(HEADER)).unwrap_or(head));
    let is_header = |name: &[u8]| memchr::memmem::find(&names, name).is_some();
    if payload - header < 10 || !is_header(b"\"alg\"") {
        return;
    }
    let last = ends.iter().rev().find(|end| scan.before(**end) != b'.').copied().unwrap_or(signature);
    let unsigned = signature == payload + 1 && is_header(b"none");
    if unsigned || signature > payload + 10 {
        scan.push(at, if unsigned { signature } else { last }, Entity::JWT, 1.0);
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// What base64url stands for, as far as whole bytes go.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for sign in text {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'-' | b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

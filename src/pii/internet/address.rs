//! IP addresses (v4, v6, with prefix and zone) and MAC addresses with colons.
//!
//! What a reader could get wrong: loopback, unspecified, broadcast and netmasks are nobody's; four numbers behind `v`, `version` or `==` are a version. A
//! colon is common, so its check gives up at the next byte in nearly all texts.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use crate::pii::context::Phrases;
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "0.", look: v4 },
    Anchor { literal: "1.", look: v4 },
    Anchor { literal: "2.", look: v4 },
    Anchor { literal: "3.", look: v4 },
    Anchor { literal: "4.", look: v4 },
    Anchor { literal: "5.", look: v4 },
    Anchor { literal: "6.", look: v4 },
    Anchor { literal: "7.", look: v4 },
    Anchor { literal: "8.", look: v4 },
    Anchor { literal: "9.", look: v4 },
    Anchor { literal: ":", look: v6 },
    // The hardware address of examples: without a digit, so that the forms of identifiers do not see it.
    Anchor { literal: "aa-bb-cc-dd-ee-ff", look: |scan, at| spelled(scan, at, at + 17) },
    Anchor { literal: "aabb.ccdd.eeff", look: |scan, at| spelled(scan, at, at + 14) },
];

/// The longest form of an IPv6 address, with an IPv4 address in it.
const LONGEST_V6: usize = 45;
/// The longest zone: the name of an interface on Linux.
const ZONE: usize = 15;

static VERSION: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(&[
        "version",
        "release",
        "firmware",
        "build",
        "chrome",
        "ver",
        "driver",
        "patch",
        "upgrade",
        "section",
        "chapter",
        "abschnitt",
    ])
});
static ADDRESS: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(&[
        "ip",
        "ipv4",
        "address",
        "adresse",
        "server",
        "host",
        "ping",
        "ssh",
        "connect",
        "client",
        "remote",
        "gateway",
        "subnet",
        "dirección",
        "login",
        "dns",
    ])
});

/// At the last digit of a number with a dot behind it: an address if it is the first of four.
fn v4(scan: &mut Scan<'_, '_>, at: usize) {
    if !scan.byte(at + 2).is_ascii_digit() {
        return;
    }
    let start = scan.backward(at, 2, |byte| byte.is_ascii_digit());
    let before = scan.before(start);
    if before.is_ascii_alphanumeric()
        || matches!(before, b'.' | b'_' | b'^' | b'~')
        || before >= 0x80 && !scan.text.is_char_boundary(start)
    {
        return;
    }
    let Some((address, end)) = octets(scan, start) else { return };
    if is_glued(scan, start, end) || is_nobodys(address) {
        return;
    }
    let near = |phrases: &Phrases| phrases.distance(scan.bytes(), &(start..end));
    let named = near(&ADDRESS);
    let numbers = address.octets();
    // Small numbers are a version, a place in a document or an object identifier (2.5.29.17) unless something says otherwise.
    if named.is_none() && numbers.iter().take(2).all(|number| *number < 10) {
        return;
    }
    // An endpoint or a block inside some network, as programs and their tests are full of.
    let goes_on = matches!(scan.byte(end), b':' | b'/') && scan.byte(end + 1).is_ascii_digit();
    if named.is_none() && address.is_private() && goes_on {
        return;
    }
    if let Some(distance) = near(&VERSION)
        && named.is_none_or(|named| named > distance)
    {
        return;
    }
    let end = prefix_end(scan, end, 32);
    scan.push(start, end, Entity::IP_ADDRESS, 0.95);
}

/// Four numbers up to 255 with dots between them, and where they end.
fn octets(scan: &Scan<'_, '_>, start: usize) -> Option<(Ipv4Addr, usize)> {
    let end = scan.forward(start, 15, |byte| byte.is_ascii_digit() || byte == b'.');
    let text = scan.text.get(start..end)?;
    let text = text.strip_suffix('.').unwrap_or(text);
    Some((text.parse().ok()?, start + text.len()))
}

/// Whether it is a part of something longer: `1.2.3.4-beta`, `pkg==1.2.3.4`, `Chrome/91.0.4472.124`, five numbers.
fn is_glued(scan: &Scan<'_, '_>, start: usize, end: usize) -> bool {
    let before = match (scan.before(start.saturating_sub(1)), scan.before(start)) {
        (b'=' | b'>' | b'<' | b'~' | b'!', b'=') => true,
        (word, b'/') => word.is_ascii_alphanumeric(),
        (word, b'-') => {
            word.is_ascii_alphabetic() && !scan.text.get(..start).is_some_and(|front| front.ends_with("ip-"))
        }
        _ => false,
    };
    let next = scan.byte(end + 1);
    let behind = match scan.byte(end) {
        b'_' => true,
        b'.' => next.is_ascii_alphanumeric(),
        b'-' | b'+' => next.is_ascii_alphabetic(),
        byte => byte.is_ascii_alphanumeric(),
    };
    before || behind
}

/// Addresses that say nothing about anyone: this host, this network, everybody, masks, and those with four times the same number (resolvers, examples).
fn is_nobodys(address: Ipv4Addr) -> bool {
    let [first, rest @ ..] = address.octets();
    let bits = address.to_bits();
    first == 0
        || address.is_loopback()
        || address.is_broadcast()
        || (first == 255 && bits.leading_ones() + bits.trailing_zeros() == 32)
        || rest.iter().all(|other| *other == first)
}

/// Behind a prefix (`/24`) of at most `bits`, if there is one at `end`.
fn prefix_end(scan: &Scan<'_, '_>, end: usize, bits: u16) -> usize {
    if scan.byte(end) != b'/' {
        return end;
    }
    let to = scan.forward(end + 1, 4, |byte| byte.is_ascii_digit());
    let length = scan.text.get(end + 1..to).and_then(|digits| digits.parse::<u16>().ok());
    let ends = !scan.byte(to).is_ascii_alphanumeric();
    if ends && length.is_some_and(|length| length <= bits) { to } else { end }
}

/// At a colon: an address of either kind if it is its first.
fn v6(scan: &mut Scan<'_, '_>, at: usize) {
    let next = scan.byte(at + 1);
    if next != b':' && !next.is_ascii_hexdigit() {
        return;
    }
    let start = scan.backward(at, 5, |byte| byte.is_ascii_hexdigit());
    let before = scan.before(start);
    if at - start > 4
        || (start == at && next != b':')
        || before.is_ascii_alphanumeric()
        || matches!(before, b':' | b'_' | b'.' | b'-')
        || before >= 0x80
    {
        return;
    }
    let mut end = scan.forward(start, LONGEST_V6 + 1, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    while matches!(scan.before(end), b'.') || (scan.before(end) == b':' && scan.before(end - 1) != b':') {
        end -= 1;
    }
    let behind = scan.byte(end);
    let is_longer = behind.is_ascii_alphanumeric()
        || behind == b'_'
        || behind == b':' && scan.byte(end + 1).is_ascii_alphanumeric();
    let Some(text) = scan.text.get(start..end).filter(|_| !is_longer) else { return };
    if is_pairs(text) {
        if !text.bytes().all(|byte| matches!(byte, b'0' | b':'))
            && !text.bytes().all(|byte| matches!(byte, b'f' | b'F' | b':'))
        {
            scan.push(start, end, Entity::MAC_ADDRESS, 0.95);
        }
        return;
    }
    let Ok(address) = text.parse::<Ipv6Addr>() else { return };
    if address.is_loopback() || address.is_unspecified() || !is_meant(scan, start, text) {
        return;
    }
    let end = zone_end(scan, end);
    scan.push(start, prefix_end(scan, end, 128), Entity::IP_ADDRESS, 0.95);
}

fn spelled(scan: &mut Scan<'_, '_>, start: usize, end: usize) {
    if !scan.before(start).is_ascii_alphanumeric() && !scan.byte(end).is_ascii_alphanumeric() {
        scan.push(start, end, Entity::MAC_ADDRESS, 0.85);
    }
}

/// Six or eight pairs of digits: EUI-48 or EUI-64.
fn is_pairs(text: &str) -> bool {
    matches!(text.len(), 17 | 23)
        && text.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a text that parses is meant as an address: not a path of a program (`fe::de`), not a slice (`a[1::2]`).
fn is_meant(scan: &Scan<'_, '_>, start: usize, text: &str) -> bool {
    if !text.contains("::") || text.contains('.') {
        return true;
    }
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let first = text.split(':').next().unwrap_or_default();
    let front = scan.before(start.saturating_sub(1));
    let is_slice = scan.before(start) == b'[' && (front.is_ascii_alphanumeric() || matches!(front, b']' | b')' | b'_'));
    text.bytes().any(|byte| byte.is_ascii_digit()) && (groups >= 3 || (first.len() >= 3 && !is_slice))
}

/// Behind a zone (`%eth0`, RFC 4007), if there is one at `end`.
fn zone_end(scan: &Scan<'_, '_>, end: usize) -> usize {
    let to = scan.forward(end + 1, ZONE, |byte| byte.is_ascii_alphanumeric());
    if scan.byte(end) == b'%' && to > end + 1 { to } else { end }
}

//! Addresses of crypto currencies: Base58Check (Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron, XRP), Bech32 and Bech32m (BIP 173, BIP 350), Ethereum
//! (EIP-55), Monero, Solana; and private keys in the same writing.
//!
//! What a reader could get wrong: checksums of four bytes make versions superfluous: whatever passes is one, of whichever currency. Solana has none and
//! is found in context only.

use std::ops::Range;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use sha3::Keccak256;
use smallvec::SmallVec;

use crate::pii::context::Phrases;
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ANCHORS: &[Anchor] = &[
    Anchor { literal: "0x", look: ethereum },
    Anchor { literal: "bc1", look: bech32 },
    Anchor { literal: "tb1", look: bech32 },
    Anchor { literal: "ltc1", look: bech32 },
    Anchor { literal: "addr1", look: bech32 },
    Anchor { literal: "cosmos1", look: bech32 },
    Anchor { literal: "osmo1", look: bech32 },
    Anchor { literal: "bnb1", look: bech32 },
    Anchor { literal: "xprv", look: extended_key },
];

const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// The longest Bech32 address in use: Cardano's.
const LONGEST_BECH32: usize = 110;
/// The length of Monero's addresses: standard and subaddresses, integrated.
const MONERO: [usize; 2] = [95, 106];

static ETHEREUM: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(&[
        "eth", "ethereum", "wallet", "address", "usdc", "usdt", "metamask", "ens", "polygon", "bsc", "contract",
        "transfer", "send",
    ])
});
static SOLANA: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(&["solana", "sol", "wallet", "phantom", "pubkey", "spl", "usdc", "crypto address"]));

/// A word of at least 25 letters and digits, with a digit.
pub(in crate::pii) fn long_word(scan: &mut Scan<'_, '_>, word: Range<usize>) {
    let glue = |byte: u8| matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'%');
    let length = word.len();
    if length > 111
        || matches!(scan.byte(word.end), b'_' | b'+' | b'/' | b'=' if length != 34)
        || glue(scan.before(word.start)) && scan.before(word.start) != b'='
    {
        return;
    }
    let Some(text) = scan.bytes().get(word.clone()) else { return };
    let plain = text.iter().all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l'));
    let first = text.first().copied().unwrap_or(0);
    let found = match length {
        _ if !plain => None,
        25..=36 if checked(text, BITCOIN, &[25, 26]) || (first == b'r' && checked(text, RIPPLE, &[25])) => {
            Some((Entity::CRYPTO, 1.0))
        }
        51..=58 if checked(text, BITCOIN, &[37, 38, 43]) => Some((Entity::PRIVATE_KEY, 1.0)),
        _ if MONERO.contains(&length) && matches!(first, b'4' | b'8') => Some((Entity::CRYPTO, 0.9)),
        43 | 44 if decoded(text, BITCOIN).is_some_and(|bytes| bytes.len() == 32) => {
            SOLANA.distance(scan.bytes(), &word).map(|_| (Entity::CRYPTO, 0.8))
        }
        _ => None,
    };
    if let Some((entity, score)) = found {
        scan.push(word.start, word.end, entity, score);
    }
}

/// A number in base 58, most significant byte first.
fn decoded(text: &[u8], alphabet: &[u8; 58]) -> Option<SmallVec<[u8; 96]>> {
    let mut bytes: SmallVec<[u8; 96]> = SmallVec::new();
    for sign in text {
        let mut carry = alphabet.iter().position(|known| known == sign)?;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    let zero = alphabet.first()?;
    bytes.extend(text.iter().take_while(|sign| *sign == zero).map(|_| 0));
    bytes.reverse();
    Some(bytes)
}

/// Base58Check: the last four bytes are the first of the hash of the hash of the others. `lengths` with the checksum.
fn checked(text: &[u8], alphabet: &[u8; 58], lengths: &[usize]) -> bool {
    let Some(bytes) = decoded(text, alphabet).filter(|bytes| lengths.contains(&bytes.len())) else { return false };
    bytes.split_last_chunk::<4>().is_some_and(|(payload, sum)| Sha256::digest(Sha256::digest(payload)).starts_with(sum))
}

/// Extended private keys (BIP 32) are Base58Check too.
fn extended_key(scan: &mut Scan<'_, '_>, at: usize) {
    let end = scan.forward(at, 112, |byte| byte.is_ascii_alphanumeric());
    let is_one = |text: &[u8]| text.len() == 111 && checked(text, BITCOIN, &[82]);
    if !scan.before(at).is_ascii_alphanumeric() && scan.bytes().get(at..end).is_some_and(is_one) {
        scan.push(at, end, Entity::PRIVATE_KEY, 1.0);
    }
}

fn bech32(scan: &mut Scan<'_, '_>, at: usize) {
    if scan.before(at).is_ascii_alphanumeric() {
        return;
    }
    let end = scan.forward(at, LONGEST_BECH32, |byte| byte.is_ascii_alphanumeric());
    let Some(text) = scan.text.get(at..end).filter(|text| text.len() >= 38) else { return };
    let mixed =
        text.bytes().any(|byte| byte.is_ascii_uppercase()) && text.bytes().any(|byte| byte.is_ascii_lowercase());
    if !mixed && bech32_checked(&text.to_ascii_lowercase()) {
        scan.push(at, end, Entity::CRYPTO, 1.0);
    }
}

/// The checksum of Bech32 (1) or Bech32m.
fn bech32_checked(text: &str) -> bool {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    const M: u32 = 0x2bc8_30a3;
    let Some((prefix, data)) = text.split_once('1') else { return false };
    let step = |sum: u32, value: u32| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(next, |next, (bit, part)| if top >> bit & 1 == 1 { next ^ part } else { next })
    };
    let high = prefix.bytes().map(|byte| u32::from(byte >> 5));
    let low = prefix.bytes().map(|byte| u32::from(byte & 31));
    let mut sum = high.chain([0]).chain(low).fold(1, step);
    for byte in data.bytes() {
        let Some(value) = (0_u32..).zip(BECH32).find(|(_, known)| **known == byte) else { return false };
        sum = step(sum, value.0);
    }
    sum == 1 || sum == M
}

/// `0x` and 40 hexadecimal digits: mixed case is a checksum; without one a word of context makes it sure.
fn ethereum(scan: &mut Scan<'_, '_>, at: usize) {
    let end = scan.forward(at + 2, 41, |byte| byte.is_ascii_hexdigit());
    if end != at + 42
        || scan.before(at).is_ascii_alphanumeric()
        || scan.byte(end).is_ascii_alphanumeric()
        || scan.byte(at + 1) != b'x'
    {
        return;
    }
    let Some(digits) = scan.text.get(at + 2..end) else { return };
    let lower = digits.to_ascii_lowercase();
    let mixed = digits != lower && digits != digits.to_ascii_uppercase();
    let same = digits.bytes().all(|digit| Some(&digit) == digits.as_bytes().first()) || digits.starts_with("00000000");
    let score = match mixed {
        true if eip55(digits, &lower) => 1.0,
        true => return,
        false if same => return,
        false if ETHEREUM.distance(scan.bytes(), &(at..end)).is_some() => 0.9,
        false => 0.6,
    };
    scan.push(at, end, Entity::CRYPTO, score);
}

/// Letters are upper case where the digit of the hash is 8 or more.
fn eip55(digits: &str, lower: &str) -> bool {
    let hash = Keccak256::digest(lower.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .bytes()
        .zip(nibbles)
        .all(|(digit, nibble)| !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble >= 8))
}

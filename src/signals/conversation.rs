//! What the requests of one conversation have in common: the key by which shares are drawn and by which a conversation is remembered.
//!
//! What a reader could get wrong: clients resend the whole history, so the key is made of how the conversation began and of who leads
//! it; nothing is kept to find it again. Two conversations of one user that begin with the same words are one. With the Responses
//! API's `previous_response_id` the beginning is not in the request: each such turn is a conversation of its own.

use crate::openai::view::{Piece, Source, View};

/// So much of the first message, and of the system prompt, counts: enough to tell conversations apart, little enough to cost nothing.
const READ: usize = 4 << 10;

/// Who leads a conversation; empty where nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leader<'a> {
    pub tenant: &'a str,
    pub app: &'a str,
    pub user: &'a str,
}

/// The conversation's key: the same on every turn, after a restart, and on other replicas. Never 0, which stands for none.
pub fn key(leader: Leader<'_>, view: &View, body: &[u8]) -> u64 {
    // BLAKE3 is defined once and for all; the standard library's hashers may change with the compiler.
    let mut hasher = blake3::Hasher::new();
    for name in [leader.tenant, leader.app, leader.user] {
        part(&mut hasher, name.as_bytes());
    }
    let text = |piece: &Piece| body.get(piece.range.clone()).unwrap_or_default();
    let system = view.pieces.iter().find(|piece| piece.source == Source::System);
    let system = system.map(text).unwrap_or_default();
    part(&mut hasher, system.get(..READ).unwrap_or(system));
    let is_asked = |piece: &&Piece| matches!(piece.source, Source::User | Source::Input);
    let first = view.pieces.iter().find(is_asked).map(|piece| piece.message);
    let mut left = READ;
    for piece in view.pieces.iter().filter(is_asked).filter(|piece| Some(piece.message) == first) {
        let text = text(piece);
        let text = text.get(..left).unwrap_or(text);
        part(&mut hasher, text);
        left -= text.len();
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1)
}

/// Its length goes before it: what is moved from one part to the next makes another key.
fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Where a conversation falls between 0 and 1 (exclusive): the same for the same salt, independent for another.
pub fn share(key: u64, salt: &str) -> f64 {
    share_salted(key, name_hash(&[salt]))
}

/// The same with the salt's [`name_hash`], made once.
pub fn share_salted(key: u64, salt: u64) -> f64 {
    // The 53 bits that a float holds.
    (mixed(key ^ mixed(salt)) >> 11) as f64 / (1u64 << 53) as f64
}

/// The conversation's key on one route.
pub fn within(key: u64, route: &str) -> u64 {
    mixed(key ^ mixed(name_hash(&[route])))
}

/// Names as a number that is the same everywhere and for ever (FNV-1a, 64 bits).
pub fn name_hash(names: &[&str]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    // 0xff ends each name: it occurs in no UTF-8.
    names.iter().fold(BASIS, |hash, name| step(name.bytes().fold(hash, step), 0xff))
}

/// Every bit of the input moves about half of the output's (the finish of splitmix64).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Endpoint;
    use crate::openai::view::scan;

    fn of(leader: Leader<'_>, endpoint: Endpoint, body: &str) -> u64 {
        key(leader, &scan(endpoint, body.as_bytes()).unwrap(), body.as_bytes())
    }

    fn chat(system: &str, messages: &str) -> u64 {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"system","content":"{system}"}},{messages}],"user":"x"}}"#);
        of(Leader { tenant: "acme", ..Leader::default() }, Endpoint::Chat, &body)
    }

    const FIRST: &str = r#"{"role":"user","content":"hello there"}"#;

    #[test]
    fn all_turns_of_a_conversation_have_one_key() {
        let answer = r#"{"role":"assistant","content":"hi"}"#;
        let later = format!(r#"{FIRST},{answer},{{"role":"user","content":"and now?"}}"#);
        assert_eq!(chat("be kind", FIRST), chat("be kind", &later));
        assert_ne!(chat("be kind", FIRST), chat("be rude", FIRST));
        assert_ne!(chat("be kind", FIRST), chat("be kind", r#"{"role":"user","content":"hello"}"#));
        // Nothing moves between the parts unnoticed.
        assert_ne!(
            chat("a", r#"{"role":"user","content":[{"type":"text","text":"bc"},{"type":"text","text":"d"}]}"#),
            chat("a", r#"{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"cd"}]}"#)
        );
    }

    #[test]
    fn who_leads_it_counts() {
        let body = format!(r#"{{"model":"m","messages":[{FIRST}]}}"#);
        let of = |tenant, app, user| of(Leader { tenant, app, user }, Endpoint::Chat, &body);
        let keys = [of("", "", ""), of("a", "", ""), of("", "a", ""), of("", "", "a"), of("b", "", "")];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
    }

    /// What was drawn by one version holds in the next: a conversation must not change sides with an upgrade.
    #[test]
    fn keys_and_shares_stay_what_they_are() {
        let body = r#"{"model":"m","input":"hello there"}"#;
        assert_eq!(of(Leader::default(), Endpoint::Responses, body), KEY);
        insta::assert_snapshot!(format!("{:.12} {:.12}", share(7, "auto"), share(8, "auto")), @"0.690214786068 0.045457011723");
    }

    const KEY: u64 = 15_499_969_522_864_761_671;

    #[test]
    fn a_very_long_opener_counts_by_its_beginning() {
        let long = |end: &str| format!(r#"{{"role":"user","content":"{}{end}"}}"#, "x".repeat(READ));
        assert_eq!(chat("a", &long("1")), chat("a", &long("2")));
    }

    #[test]
    fn shares_are_even_and_independent() {
        const N: u64 = 20_000;
        let mut tenths = [0u32; 10];
        let mut both = 0;
        for key in 0..N {
            let (one, other) = (share(key, "one"), share(key, "other"));
            assert!((0.0..1.0).contains(&one));
            tenths[(one * 10.0) as usize] += 1;
            both += u32::from(one < 0.5 && other < 0.5);
        }
        assert!(tenths.iter().all(|n| (1_850..2_150).contains(n)), "{tenths:?}");
        assert!((4_800..5_200).contains(&both), "{both}");
    }
}

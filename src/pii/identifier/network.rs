//! Hardware addresses as hyphens and dots write them; with colons they look like IPv6 and are found there (`internet::address`).
//!
//! What a reader could get wrong: six pairs of digits without a letter are as often a date and a time, so they need a word of context.

use super::{Identifier, Number};
use crate::pii::entity::Entity;

const CONTEXT: &[&str] =
    &["mac", "ethernet", "hardware", "physical", "wlan", "wifi", "bssid", "netzwerk", "adaptateur", "interface"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::MAC_ADDRESS,
        forms: &["XX-XX-XX-XX-XX-XX", "XXXX.XXXX.XXXX"],
        valid: |number| hardware(number) && number.compact.iter().any(u8::is_ascii_alphabetic),
        context: CONTEXT,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::MAC_ADDRESS,
        forms: &["99-99-99-99-99-99", "9999.9999.9999"],
        valid: hardware,
        context: CONTEXT,
        alone: 0.0,
        near: 0.8,
    },
];

/// Twelve hexadecimal digits, neither the empty address nor everybody's.
fn hardware(number: &Number<'_>) -> bool {
    let digits = number.compact;
    digits.iter().all(u8::is_ascii_hexdigit)
        && !digits.iter().all(|digit| *digit == b'0')
        && !digits.iter().all(|digit| *digit == b'F')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_the_broadcast_are_nobodys_address() {
        let valid = |compact: &str| hardware(&Number { compact: compact.as_bytes(), raw: compact });
        assert!(valid("001A2B3C4D5E"));
        assert!(!valid("000000000000"));
        assert!(!valid("FFFFFFFFFFFF"));
        assert!(!valid("00LA2B3C4D5E"));
    }
}

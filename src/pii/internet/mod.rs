//! What people and their machines are reached by: e-mail addresses, IP and MAC addresses, URLs with credentials in them, addresses of crypto currencies.
//!
//! What a reader could get wrong: each of these also occurs in code with nobody behind it (`pkg@1.2.3`, `std::fmt`, `127.0.0.1`); what is left out on
//! purpose is said at the function that leaves it out.

mod address;
mod crypto;
mod email;
mod url;

#[cfg(test)]
mod tests;

use super::scan::Anchor;

pub(super) use crypto::long_word;

/// Where to look, and with what.
pub(super) fn anchors() -> impl Iterator<Item = &'static Anchor> {
    [email::ANCHORS, url::ANCHORS, address::ANCHORS, crypto::ANCHORS].into_iter().flatten()
}

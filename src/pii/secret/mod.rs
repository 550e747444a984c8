//! Secrets: private keys, tokens of providers, passwords and keys in assignments, headers and sentences.
//!
//! In the order of certainty: blocks of keys ([`pem`]), JSON web tokens ([`jwt`]), tokens that a prefix gives away ([`token`] with one table per kind of
//! provider), values that only their name, the sentence or a header gives away ([`assign`], [`header`]); [`value`] tells what looks random from
//! what stands in for it.
//!
//! What a reader could get wrong: the span is the secret alone, without quotes and without its name; and what documentation writes in a secret's place
//! (`<TOKEN>`, `${VAR}`, `your-key`) is none.

mod assign;
mod header;
mod jwt;
mod link;
mod name;
mod password;
mod pem;
mod provider_build;
mod provider_cloud;
mod provider_model;
mod provider_service;
mod token;
mod value;
mod words;

#[cfg(test)]
mod tests;

use super::scan::Anchor;

pub(super) use token::long_word;
pub(super) use value::is_placeholder;

/// Where to look, and with what.
pub(super) fn anchors() -> impl Iterator<Item = &'static Anchor> {
    [
        pem::ANCHORS,
        jwt::ANCHORS,
        token::ANCHORS,
        provider_cloud::ANCHORS,
        provider_build::ANCHORS,
        provider_service::ANCHORS,
        provider_model::ANCHORS,
        assign::ANCHORS,
        header::ANCHORS,
    ]
    .into_iter()
    .flatten()
}

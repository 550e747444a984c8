//! A stored answer told again: as JSON, or as the events of a stream.

use crate::openai::Endpoint;

/// Placeholder until the translation lands.
pub fn to_stream(_: Endpoint, _: &[u8], _: bool) -> Option<Vec<u8>> {
    None
}

//! A stored answer told again. It is kept in one form, the plain JSON body, whether it came from a plain call or from a stream; here is the
//! translation both ways, and what an answer is. Pure: no clock, no socket.
//!
//! What a reader could get wrong: a stream that is not understood to the last member is no answer (`None`), never half of one; values that
//! need not be looked into (numbers, log probabilities, what we do not know) go through as the bytes that came.

use std::ops::Range;

use crate::openai::Endpoint;

mod calls;
mod chat;
mod completions;
mod envelope;
mod events;
mod judge;
mod logprobs;
mod mark;
mod members;
mod pieces;
mod responses;

pub use judge::{Finish, Judged};

/// The plain answer that a whole event stream amounts to. `None` if the stream is cut short, tells an error, did not complete, or holds
/// something that cannot be put together with certainty: such an answer is not kept. Embeddings have no streams.
pub fn to_plain(endpoint: Endpoint, events: &[u8]) -> Option<Vec<u8>> {
    match endpoint {
        Endpoint::Chat => chat::to_plain(events),
        Endpoint::Completions => completions::to_plain(events),
        Endpoint::Responses => responses::to_plain(events),
        Endpoint::Embeddings => None,
    }
}

/// The event stream that tells a plain answer, whole. `usage`: the client asked for it (`stream_options.include_usage`, chat and
/// completions): every chunk then says `"usage":null`, and one more with empty `choices` says the stored usage, if there is any. `None` if
/// the answer cannot be told faithfully that way, and for embeddings.
pub fn to_stream(endpoint: Endpoint, plain: &[u8], usage: bool) -> Option<Vec<u8>> {
    // A line break would end the line of data; in JSON it can stand only between tokens, where a space says the same.
    let spaced;
    let plain = if memchr::memchr2(b'\n', b'\r', plain).is_some() {
        spaced = plain.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect::<Vec<u8>>();
        &spaced
    } else {
        plain
    };
    let plain = simdutf8::basic::from_utf8(plain).ok()?;
    match endpoint {
        Endpoint::Chat => chat::to_stream(plain, usage),
        Endpoint::Completions => completions::to_stream(plain, usage),
        Endpoint::Responses => responses::to_stream(plain),
        Endpoint::Embeddings => None,
    }
}

/// What a plain answer is: how it ended, the worst over all its choices. `None` if it is no JSON object.
pub fn judge(endpoint: Endpoint, plain: &[u8]) -> Option<Judged> {
    judge::judge(endpoint, plain)
}

/// The same answer as a repetition says it: its usage says that the whole prompt came from a cache. Spliced, so that no other byte
/// changes; an answer without usage, and embeddings, stay as they are.
pub fn mark_cached(endpoint: Endpoint, plain: &[u8]) -> Vec<u8> {
    mark::mark_cached(endpoint, plain)
}

/// Where the frames of a stream lie, one by one, each with the blank line that ends it: for a replay at a pace. What stands behind the last
/// blank line is no frame.
pub fn frames(events: &[u8]) -> impl Iterator<Item = Range<usize>> {
    events::frames(events)
}

#[cfg(test)]
mod tests;

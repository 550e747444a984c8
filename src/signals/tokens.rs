//! Tokens of a prompt, estimated from its bytes; exact figures come from the upstream's usage.

/// Bytes of JSON-escaped text per token: English prose is 4.2 to 4.6 with current tokenizers, code and other languages less. The
/// estimate errs to more tokens, because it guards the context window.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens that a chat template adds to each message (role, separators).
const TOKENS_PER_MESSAGE: u64 = 4;

/// Estimated tokens of `text_bytes` bytes of text in `messages` messages.
pub fn estimate(text_bytes: usize, messages: u32) -> u64 {
    (text_bytes as u64).div_ceil(BYTES_PER_TOKEN) + u64::from(messages) * TOKENS_PER_MESSAGE
}

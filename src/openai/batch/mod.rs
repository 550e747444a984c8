//! `/v1/batches` as bytes: what creates a batch, the lines of its input, the batch as clients see it, the lines of its output.
//!
//! What a reader could get wrong: a line is wrong or right by itself, but one wrong line fails the batch before anything is run.

pub mod create;
pub mod line;
pub mod object;
pub mod output;
pub mod split;

pub use create::Create;
pub use line::{Line, Lines};
pub use object::{Counts, LineFault, Object, Status};
pub use split::Split;

/// Ids of batches that are kept here begin with it; others are a provider's.
pub const PREFIX: &str = "batch_tg";

/// Requests in a batch: OpenAI's limit.
pub const MOST_LINES: usize = 50_000;
/// Bytes of an input file: OpenAI's limit (200 MB).
pub const MOST_BYTES: u64 = 200_000_000;

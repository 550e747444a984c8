//! What is known about a request before it is decided where it runs. Values only: computing one is a function here, reading
//! one is `policy/`. A signal that no rule and no constraint reads is not computed.

pub mod hints;
pub mod table;
pub mod tokenizer;
pub mod tokens;

use jiff::civil::Date;

use crate::openai::Modalities;
pub use hints::Hints;
pub use table::{SignalId, SignalSet};

/// Everything that rules and constraints may read.
#[derive(Debug, Clone)]
pub struct Signals<'r> {
    /// The model name that the client asked for.
    pub model: &'r str,
    /// Estimated tokens of the prompt.
    pub input_tokens: u64,
    /// What the client asked for at most.
    pub max_output_tokens: Option<u64>,
    pub modalities: Modalities,
    pub has_tools: bool,
    pub stream: bool,
    pub turns: u32,
    pub hints: &'r Hints,
    /// At least one edge upstream has a healthy node.
    pub edge_available: bool,
    /// At least one cloud upstream is reachable, as far as is known.
    pub cloud_available: bool,
    /// Local hour, 0 to 23.
    pub hour: u8,
    /// Local date, for retirement.
    pub today: Date,
}

//! What is known about a request before it is decided where it runs. Values only: computing one is a function here, reading
//! one is `policy/`. A signal that no rule and no constraint reads is not computed.

pub mod calibration;
pub mod classifier;
pub mod conversation;
pub mod hints;
pub mod table;
pub mod tokenizer;
pub mod tokens;
pub mod wish;
pub mod year;

use jiff::civil::Date;

use crate::config::file::{Placement, Privacy};
use crate::openai::Modalities;
pub use calibration::Calibration;
pub use classifier::Classifier;
pub use hints::Hints;
pub use table::{SignalId, SignalSet};
pub use wish::Wish;

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
    /// Where tenant, app and request together want it to run; rules read the request's own hint.
    pub placement: Wish,
    /// Who asks; empty where nobody is asked for a key.
    pub tenant: &'r str,
    /// The stricter of the tenant's tier and the request's own.
    pub privacy: Privacy,
    /// Where the tenant's data may be processed; `None`: anywhere.
    pub regions: Option<&'r [String]>,
    pub budget: Budget,
    /// What was found of personal data.
    pub private: Private<'r>,
    /// At least one edge upstream has a healthy node.
    pub edge_available: bool,
    /// At least one cloud upstream is reachable, as far as is known.
    pub cloud_available: bool,
    /// How hard the prompt is, 0 to 1; 0 where nothing reads it.
    pub difficulty: f64,
    /// Whether the answer needs recent knowledge, 0 to 1; 0 where nothing reads it.
    pub fresh: f64,
    /// Where easy ends and hard begins for this request, 0 to 1.
    pub threshold: f64,
    /// Requests at work over places at the edge, 0 to 1.
    pub edge_load: f64,
    /// How much the providers push back, 0 to 1.
    pub cloud_pressure: f64,
    /// What the requests of one conversation have in common, and others do not: decides shares (`split`). 0 where nothing needs it.
    pub conversation: u64,
    /// Nobody waits for the answer.
    pub deferred: bool,
    /// Local hour, 0 to 23.
    pub hour: u8,
    /// Local date, for retirement.
    pub today: Date,
}

/// What was found of personal data and secrets, and what follows from it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Private<'r> {
    /// The request was looked through: it can be redacted.
    pub looked: bool,
    /// It holds an image, audio or a file that cannot be looked into.
    pub unreadable: bool,
    /// 0 none, 1 personal, 2 sensitive, 3 secret.
    pub severity: u8,
    /// Names of types, with the number of different values.
    pub types: &'r [(String, u32)],
    /// Something would have to be hidden before the cloud.
    pub hides: bool,
    /// A type that was found is to stay at the edge.
    pub stays_home: bool,
    /// Types that may not be sent to the edge, to the cloud.
    pub blocked: Blocked<'r>,
}

/// Names of types that may not be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocked<'r> {
    pub edge: &'r [String],
    pub cloud: &'r [String],
}

impl<'r> Blocked<'r> {
    /// For a placement.
    pub fn at(&self, placement: Placement) -> &'r [String] {
        match placement {
            Placement::Edge => self.edge,
            Placement::Cloud => self.cloud,
        }
    }
}

/// The tenant's (and app's) money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Share that is left, 0 to 1; 1 without a budget.
    pub left: f64,
    /// There is one: what runs must have a known price.
    pub exists: bool,
    /// It is used up, and only the edge goes on.
    pub edge_only: bool,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { left: 1.0, exists: false, edge_only: false }
    }
}

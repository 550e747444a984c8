//! Places where a model can run: pools of nodes, their health, their connections, and one attempt at a node with its deadlines.
//!
//! What a reader could get wrong: an `Upstream` survives reloads as long as its own section of the file does not change, and a `Node` as long as
//! any upstream names its address: connections, load and health belong to the node, not to the configuration.

pub mod allowance;
pub mod body;
pub mod breaker;
pub mod connection;
pub mod discover;
pub mod health;
pub mod latency;
pub mod load;
pub mod node;
pub mod outcome;
pub mod pool;
pub mod prefix;
pub mod pressure;
pub mod price;
pub mod queue;
pub mod quota;
pub mod select;
pub mod send;
pub mod target;
pub mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;

use crate::config::file;
use crate::provider::Provider;
pub use allowance::Allowance;
pub use latency::Latency;
pub use node::{InFlight, Node};
pub use pool::{Ask, Pool};
pub use pressure::Pressure;
pub use quota::Quota;
pub use target::Target;

/// A configured upstream with its machinery.
#[derive(Debug)]
pub struct Upstream {
    /// The `upstreams` key.
    pub name: String,
    /// The section it was built from: as long as it stays equal, a reload keeps this upstream.
    pub section: file::Upstream,
    pub provider: Box<dyn Provider>,
    pub credentials: Option<(HeaderName, HeaderValue)>,
    pub pool: Pool,
    pub pressure: Pressure,
    /// What may be retried.
    pub allowance: Allowance,
    /// When a node of it is left alone.
    pub breaker: breaker::Rules,
    /// What is known of its models, by the name that it knows.
    models: Mutex<HashMap<String, Arc<Known>>>,
    pub timeouts: Timeouts,
    /// The name as a header value.
    pub name_header: HeaderValue,
}

/// What answers have told of one model at one upstream.
#[derive(Debug, Default)]
pub struct Known {
    /// To the first token of streams, and to the whole of plain answers.
    pub streamed: Latency,
    pub plain: Latency,
    pub quota: Quota,
}

impl Known {
    pub fn latency(&self, stream: bool) -> &Latency {
        if stream { &self.streamed } else { &self.plain }
    }
}

/// Deadlines of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    pub first_token: Duration,
    pub between_tokens: Duration,
    pub total: Duration,
}

impl From<&file::Timeouts> for Timeouts {
    fn from(raw: &file::Timeouts) -> Timeouts {
        Timeouts {
            connect: raw.connect.0,
            first_token: raw.first_token.0,
            between_tokens: raw.between_tokens.0,
            total: raw.total.0,
        }
    }
}

impl Upstream {
    /// Names that do not fit into a header are an error.
    pub fn new(
        name: &str,
        section: file::Upstream,
        provider: Box<dyn Provider>,
        pool: Pool,
    ) -> Result<Upstream, String> {
        Ok(Upstream {
            name: name.to_owned(),
            credentials: provider.credentials(),
            provider,
            pool,
            pressure: Pressure::default(),
            allowance: Allowance::default(),
            breaker: (&section.breaker).into(),
            models: Mutex::default(),
            timeouts: (&section.timeouts).into(),
            name_header: HeaderValue::from_str(name)
                .map_err(|_| format!("`{name}` cannot stand in a header; use letters, digits, `-`, `_` and `.`"))?,
            section,
        })
    }

    /// What is known of the model that it knows as `id`; kept as long as the upstream is.
    pub fn known(&self, id: &str) -> Arc<Known> {
        Arc::clone(self.models.lock().entry(id.to_owned()).or_default())
    }

    pub fn placement(&self) -> file::Placement {
        self.section.placement
    }

    /// `edge` or `cloud`, as label and header.
    pub fn placement_name(&self) -> &'static str {
        placement_name(self.section.placement)
    }
}

/// `edge` or `cloud`.
pub fn placement_name(placement: file::Placement) -> &'static str {
    match placement {
        file::Placement::Edge => "edge",
        file::Placement::Cloud => "cloud",
    }
}

//! Places where a model can run: pools of nodes, their health, their connections, and one attempt at a node with its deadlines.
//!
//! What a reader could get wrong: an `Upstream` survives reloads as long as its own section of the file does not change, and a `Node` as long as
//! any upstream names its address: connections, load and health belong to the node, not to the configuration.

pub mod body;
pub mod connection;
pub mod discover;
pub mod health;
pub mod load;
pub mod node;
pub mod pool;
pub mod prefix;
pub mod pressure;
pub mod price;
pub mod queue;
pub mod select;
pub mod send;
pub mod target;
pub mod tls;

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::file;
use crate::provider::Provider;
pub use node::{InFlight, Node};
pub use pool::{Ask, Pool};
pub use pressure::Pressure;
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
    pub timeouts: Timeouts,
    /// The name as a header value.
    pub name_header: HeaderValue,
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

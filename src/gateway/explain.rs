//! The decision for a request without sending it: the same stages as a real one, for `tidegate explain` and `POST /api/explain`.
//!
//! What a reader could get wrong: which upstreams are up is what this process knows; a command-line run has just started and takes all for up.

use bytes::Bytes;
use http::HeaderMap;

use super::read;
use super::{decide, look};
use crate::error::Result;
use crate::openai::Endpoint;
use crate::policy::{self, Explanation};
use crate::state::Snapshot;

/// A request to be explained.
#[derive(Debug)]
pub struct Asked {
    pub endpoint: Endpoint,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// A chat without headers.
    pub fn chat(body: &[u8]) -> Asked {
        Asked { endpoint: Endpoint::Chat, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
    }
}

/// Decides and explains. Errors are those that the request would meet.
pub fn explain(snapshot: &Snapshot, asked: &Asked) -> Result<Explanation> {
    let read = read::understand(asked.endpoint, asked.headers.clone(), asked.body.clone())?;
    let entry = decide::route(snapshot, &read.model)?;
    let looked = look::look_at_all(&read, entry, snapshot, look::Asker::nobody(&read.hints));
    let signals = looked.signals;
    let decision = policy::decide(&entry.route, &signals);
    Ok(Explanation::new(&entry.route, &decision, &signals))
}

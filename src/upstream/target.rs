//! A model at an upstream: what a plan's entry becomes when it is tried. Everything that is the same for each request is made here, once.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::Upstream;
use super::price::{Cost, Day, Prices};
use crate::openai::Endpoint;
use crate::openai::usage::Usage;
use crate::telemetry::metrics::TargetMetrics;

/// A `models` entry.
#[derive(Debug)]
pub struct Target {
    /// The `models` key.
    pub name: String,
    /// The same as a header value.
    pub name_header: HeaderValue,
    /// `small:ok`, the usual `x-tidegate-attempts`.
    pub ok_header: HeaderValue,
    /// The name that the upstream knows.
    pub id: String,
    pub upstream: Arc<Upstream>,
    pub prices: Prices,
    pub metrics: TargetMetrics,
    paths: [PathAndQuery; 4],
}

impl Target {
    /// Errors say what in the model's entry cannot be used.
    pub fn new(
        name: &str,
        id: &str,
        upstream: Arc<Upstream>,
        prices: Prices,
        metrics: TargetMetrics,
    ) -> Result<Target, String> {
        let path = |endpoint| {
            PathAndQuery::try_from(upstream.provider.path(endpoint, id))
                .map_err(|_| format!("id `{id}` makes no valid path; use letters, digits, `-`, `.` and `_`"))
        };
        let header = |text: String| HeaderValue::try_from(text).map_err(|_| format!("`{name}` is no name for a model"));
        Ok(Target {
            name: name.to_owned(),
            name_header: header(name.to_owned())?,
            ok_header: header(format!("{name}:ok"))?,
            id: id.to_owned(),
            paths: [
                path(Endpoint::Chat)?,
                path(Endpoint::Completions)?,
                path(Endpoint::Embeddings)?,
                path(Endpoint::Responses)?,
            ],
            upstream,
            prices,
            metrics,
        })
    }

    /// Path and query at the upstream.
    pub fn path(&self, endpoint: Endpoint) -> &PathAndQuery {
        let [chat, completions, embeddings, responses] = &self.paths;
        match endpoint {
            Endpoint::Chat => chat,
            Endpoint::Completions => completions,
            Endpoint::Embeddings => embeddings,
            Endpoint::Responses => responses,
        }
    }

    /// What was used cost; `None` where the price is not known. `busy`: see [`Prices::cost`].
    pub fn cost(&self, usage: &Usage, day: Day, busy: Duration) -> Option<Cost> {
        self.prices.cost(usage, day, busy)
    }
}

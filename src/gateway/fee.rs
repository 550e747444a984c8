//! What a passed-through request costs: a price for its path, or nothing where the endpoint is known to be free.
//!
//! What a reader could get wrong: nothing is read of what is passed through, so its usage is not known. A tenant with a budget can only use
//! what has a price; otherwise a budget could be overrun by the endpoints that nobody looks at.

use http::Method;

use super::admit;
use super::record::Record;
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};
use crate::upstream::Upstream;
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// Endpoints by their first segment, and whether a `POST` to them is billed. What is not listed may be.
const ENDPOINTS: [(&str, bool); 20] = [
    ("assistants", false),
    ("audio", true),
    ("batches", true),
    // What is not exactly `/v1/chat/completions` comes here: `/v1/chat//completions` too, which a provider may take for the same.
    ("chat", true),
    ("containers", true),
    ("conversations", false),
    ("evals", true),
    ("files", false),
    ("fine_tuning", true),
    ("images", true),
    ("messages", true),
    ("models", false),
    ("moderations", false),
    ("organization", false),
    ("realtime", true),
    ("responses", true),
    ("threads", true),
    ("uploads", false),
    ("vector_stores", true),
    ("videos", true),
];

/// The endpoint's name for records: never the client's own text.
pub fn endpoint(path: &str) -> &'static str {
    known(path).map_or("other", |(name, _)| name)
}

fn known(path: &str) -> Option<(&'static str, bool)> {
    let first = path.strip_prefix("/v1/")?.split('/').next()?;
    ENDPOINTS.iter().find(|(name, _)| *name == first).copied()
}

/// Reading and deleting is free everywhere; a connection that is upgraded is a conversation, and is not.
fn may_cost(method: &Method, path: &str, upgrades: bool) -> bool {
    upgrades || (*method == Method::POST && known(path).is_none_or(|(_, billed)| billed))
}

/// The price of a path: of the longest beginning that is configured.
fn price(upstream: &Upstream, path: &str) -> Option<NanoUsd> {
    let prices = upstream.section.passthrough_prices.iter().filter(|(prefix, _)| path.starts_with(prefix.as_str()));
    let (_, usd) = prices.max_by_key(|(prefix, _)| prefix.len())?;
    Some((usd * NANOS_PER_USD).round() as NanoUsd)
}

/// Sets the price aside, and keeps it as the request's cost.
pub fn reserve(record: &mut Record, upstream: &Upstream, method: &Method, path: &str, upgrades: bool) -> Result<()> {
    let cost = match may_cost(method, path, upgrades) {
        true => {
            admit::may_pass(path, record)?;
            price(upstream, path)
        }
        false => Some(0),
    };
    let is_edge = upstream.placement() == Placement::Edge;
    if cost.is_none() && !is_edge && record.admission.budgets().next().is_some() {
        let message = format!(
            "no eligible target: `{}` has no price (upstreams.{}.passthrough_prices), so a budget could not be held",
            path.get(..path.len().min(100)).unwrap_or("the path"),
            upstream.name
        );
        return Err(Error::gateway(Kind::NoEligibleTarget, message));
    }
    record.flat_cost = cost;
    if cost != Some(0) || is_edge {
        admit::reserve(record, 0, || None, cost.unwrap_or(0), is_edge)?;
    }
    record.reserved = cost.unwrap_or(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_cost_is_told_from_what_is_free() {
        for (method, path, costs) in [
            (Method::POST, "/v1/images/generations", true),
            (Method::POST, "/v1/files", false),
            (Method::POST, "/v1/chat//completions", true),
            (Method::POST, "/v1//chat/completions", true),
            (Method::GET, "/v1/batches/b1", false),
            (Method::POST, "/v1/something_new", true),
            (Method::DELETE, "/v1/files/f", false),
        ] {
            assert_eq!(may_cost(&method, path, false), costs, "{method} {path}");
        }
        assert!(may_cost(&Method::GET, "/v1/realtime", true));
    }

    #[test]
    fn records_name_known_endpoints_only() {
        assert_eq!(endpoint("/v1/audio/speech"), "audio");
        assert_eq!(endpoint("/v1/my-secret/x"), "other");
    }
}

//! Active health checks: a GET on a connection of its own, as pingora's `HealthCheck`.
//!
//! What a reader could get wrong: the thresholds are counted by the node itself, not by pingora, so that a reload that builds a new pool keeps
//! what is known of a node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::HOST;
use http::{HeaderName, HeaderValue};
use pingora_core::{Error, ErrorType};
use pingora_load_balancing::Backend;
use pingora_load_balancing::health_check::HealthCheck;

use super::Node;
use super::body::Outgoing;
use super::connection::{self, Protocols};
use crate::config::file::Health;

const INTERVAL: Duration = Duration::from_secs(2);
/// A llama-server that reads a long prompt still answers `/health` within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(1);
const UNHEALTHY_AFTER: u32 = 2;
const HEALTHY_AFTER: u32 = 1;

/// How nodes of a pool are checked.
#[derive(Debug, Clone)]
pub struct Probe {
    upstream: Arc<str>,
    path: String,
    credentials: Option<(HeaderName, HeaderValue)>,
    interval: Duration,
    timeout: Duration,
    unhealthy_after: u32,
    healthy_after: u32,
}

impl Probe {
    /// The checks of an upstream, or none where they are turned off.
    pub fn of(
        upstream: &str,
        raw: &Health,
        default_path: &str,
        credentials: Option<(HeaderName, HeaderValue)>,
    ) -> Option<Probe> {
        (raw.enabled != Some(false)).then(|| Probe {
            upstream: upstream.into(),
            path: raw.path.clone().unwrap_or_else(|| default_path.to_owned()),
            credentials,
            interval: raw.interval.map_or(INTERVAL, |d| d.0),
            timeout: raw.timeout.map_or(TIMEOUT, |d| d.0),
            unhealthy_after: raw.unhealthy_after.unwrap_or(UNHEALTHY_AFTER),
            healthy_after: raw.healthy_after.unwrap_or(HEALTHY_AFTER),
        })
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    async fn ask(&self, node: &Node) -> bool {
        let answer = async {
            let mut sender = connection::open(node, Protocols::Http1).await.ok()?;
            let mut request = http::Request::get(&self.path).header(HOST, &node.host_header);
            if let Some((name, value)) = &self.credentials {
                request = request.header(name, value);
            }
            let answer = sender.send(request.body(Outgoing::empty()).ok()?).await.ok()?;
            Some(answer.status().is_success())
        };
        matches!(tokio::time::timeout(self.timeout, answer).await, Ok(Some(true)))
    }
}

#[async_trait]
impl HealthCheck for Probe {
    async fn check(&self, target: &Backend) -> pingora_core::Result<()> {
        let Some(node) = target.ext.get::<Arc<Node>>() else { return Ok(()) };
        let good = self.ask(node).await;
        match node.checked(good, self.unhealthy_after, self.healthy_after) {
            Some(true) => tracing::info!(upstream = %self.upstream, node = %node.label, "the node is back in the pool"),
            Some(false) => {
                tracing::warn!(upstream = %self.upstream, node = %node.label, "the node left the pool: its health checks fail");
            }
            None => {}
        }
        if good { Ok(()) } else { Err(Error::new(ErrorType::HTTPStatus(503))) }
    }

    fn health_threshold(&self, _success: bool) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    #[test]
    fn checks_can_be_turned_off_and_do_not_print_the_key() {
        assert!(Probe::of("lab", &Health { enabled: Some(false), ..Health::default() }, "/health", None).is_none());
        let mut key = HeaderValue::from_static("Bearer sk-secret");
        key.set_sensitive(true);
        let probe = Probe::of("lab", &Health::default(), "/health", Some((AUTHORIZATION, key))).unwrap();
        assert!(!format!("{probe:?}").contains("sk-secret"));
        assert_eq!(probe.path, "/health");
    }
}

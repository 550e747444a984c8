//! Active health checks: a GET on a connection of its own, as pingora's `HealthCheck`.
//!
//! What a reader could get wrong: the thresholds are counted by the node itself, not by pingora, so that a reload that builds a new pool keeps
//! what is known of a node.

pub mod survey;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{HOST, USER_AGENT};
use http::{HeaderName, HeaderValue};
use pingora_core::{Error, ErrorType};
use pingora_load_balancing::Backend;
use pingora_load_balancing::health_check::HealthCheck;

use super::Node;
use super::body::Outgoing;
use super::connection::{self, Protocols, Sender};
use crate::config::file::{self, Health};
use crate::task;
use survey::Survey;

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
    survey: Survey,
    interval: Duration,
    unhealthy_after: u32,
    healthy_after: u32,
}

impl Probe {
    /// The checks of an upstream, or none where they are turned off. `default_path` and `models_path` as its dialect has them.
    pub fn of(
        upstream: &str,
        section: &file::Upstream,
        default_path: &str,
        models_path: String,
        credentials: Option<(HeaderName, HeaderValue)>,
    ) -> Option<Probe> {
        let raw: &Health = &section.health;
        let timeout = raw.timeout.map_or(TIMEOUT, |d| d.0);
        (raw.enabled != Some(false)).then(|| Probe {
            upstream: upstream.into(),
            path: raw.path.clone().unwrap_or_else(|| default_path.to_owned()),
            survey: Survey { kind: section.kind, models_path, credentials, timeout },
            interval: raw.interval.map_or(INTERVAL, |d| d.0),
            unhealthy_after: raw.unhealthy_after.unwrap_or(UNHEALTHY_AFTER),
            healthy_after: raw.healthy_after.unwrap_or(HEALTHY_AFTER),
        })
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The connection that the node answered on, if it did and is well.
    async fn ask(&self, node: &Node) -> Option<Sender> {
        let answer = async {
            let mut sender = connection::open(node, Protocols::Http1).await.ok()?;
            let mut request =
                http::Request::get(&self.path).header(HOST, &node.host_header).header(USER_AGENT, survey::CHECK);
            if let Some((name, value)) = &self.survey.credentials {
                request = request.header(name, value);
            }
            let answer = sender.send(request.body(Outgoing::empty()).ok()?).await.ok()?;
            answer.status().is_success().then_some(sender)
        };
        tokio::time::timeout(self.survey.timeout, answer).await.ok().flatten()
    }
}

#[async_trait]
impl HealthCheck for Probe {
    async fn check(&self, target: &Backend) -> pingora_core::Result<()> {
        let Some(node) = target.ext.get::<Arc<Node>>() else { return Ok(()) };
        let well = self.ask(node).await;
        let good = well.is_some();
        match node.checked(good, self.unhealthy_after, self.healthy_after) {
            Some(true) => {
                node.load.came_back();
                tracing::info!(upstream = %self.upstream, node = %node.label, "the node is back in the pool");
            }
            Some(false) => {
                node.load.forget();
                tracing::warn!(upstream = %self.upstream, node = %node.label, "the node left the pool: its health checks fail");
            }
            None => {}
        }
        if let Some(sender) = well {
            // Apart: a node that is slow to tell does not hold up the checks of the others. Ends by itself at its timeout.
            drop(task::spawn("survey", self.survey.clone().run(Arc::clone(node), sender)));
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

    fn upstream(yaml: &str) -> file::Upstream {
        serde_json::from_str(yaml).unwrap()
    }

    #[test]
    fn checks_can_be_turned_off_and_do_not_print_the_key() {
        let off = upstream(r#"{"placement": "edge", "kind": "vllm", "health": {"enabled": false}}"#);
        assert!(Probe::of("lab", &off, "/health", "/v1/models".into(), None).is_none());
        let mut key = HeaderValue::from_static("Bearer sk-secret");
        key.set_sensitive(true);
        let on = upstream(r#"{"placement": "edge", "kind": "vllm"}"#);
        let probe = Probe::of("lab", &on, "/health", "/v1/models".into(), Some((AUTHORIZATION, key))).unwrap();
        assert!(!format!("{probe:?}").contains("sk-secret"));
        assert_eq!(probe.path, "/health");
    }
}

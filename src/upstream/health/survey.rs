//! Asks a node that is well what it has to do, how much it can do at once, and which models it has.
//!
//! What a reader could get wrong: nothing depends on an answer. What a node does not offer (501, 404, 401) is not asked for again for a while,
//! and a node that answers nothing at all is balanced by what we ourselves sent there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use parking_lot::Mutex;

use crate::config::file::UpstreamKind;
use crate::upstream::Node;
use crate::upstream::body::Outgoing;
use crate::upstream::connection::{self, Protocols, Sender};
use crate::upstream::load::report::{Models, Report};

/// How checks name themselves in a node's log.
pub(super) const CHECK: HeaderValue = HeaderValue::from_static(concat!("tidegate-check/", env!("CARGO_PKG_VERSION")));
/// A node's list of models changes when somebody loads one.
const MODELS_EVERY: Duration = Duration::from_secs(60);
/// What a node does not offer now it may after an update.
const SKIPPED_FOR: Duration = Duration::from_secs(60);
/// vLLM's metrics are some hundred kilobytes with many labels.
const LARGEST: usize = 4 << 20;

/// Whom to ask what.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    pub kind: UpstreamKind,
    /// `/v1/models` below the upstream's path.
    pub models_path: String,
    pub credentials: Option<(HeaderName, HeaderValue)>,
    pub timeout: Duration,
}

/// When a node was last asked for what.
#[derive(Debug, Default)]
pub struct Asked {
    is_under_way: bool,
    models: Option<Instant>,
    slots: Skip,
    props: Skip,
    metrics: Skip,
}

/// Not asked for until then.
#[derive(Debug, Default, Clone, Copy)]
struct Skip(Option<Instant>);

impl Skip {
    fn may_ask(self) -> bool {
        self.0.is_none_or(|until| Instant::now() >= until)
    }

    /// The answer's body, if it was one.
    fn judged(&mut self, answer: (StatusCode, Bytes)) -> Option<Bytes> {
        let (status, body) = answer;
        if status.is_success() {
            return Some(body);
        }
        if status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED {
            self.0 = Some(Instant::now() + SKIPPED_FOR);
        }
        None
    }
}

impl Asked {
    /// It has been away: everything may be different.
    pub fn forget(&mut self) {
        *self = Asked { is_under_way: self.is_under_way, ..Asked::default() };
    }
}

/// One at a time for each node.
struct Turn<'a>(&'a Mutex<Asked>);

impl<'a> Turn<'a> {
    fn take(asked: &'a Mutex<Asked>) -> Option<Turn<'a>> {
        let is_taken = std::mem::replace(&mut asked.lock().is_under_way, true);
        // Not `then_some`: a turn that is made is given back when it is dropped.
        if is_taken { None } else { Some(Turn(asked)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().is_under_way = false;
    }
}

impl Survey {
    /// Asks `node` over `sender`, as long as it may take.
    pub async fn run(self, node: Arc<Node>, sender: Sender) {
        let Some(turn) = Turn::take(&node.load.asked) else { return };
        let ours = node.in_flight();
        let wire = Wire { node: &node, survey: &self, sender: Some(sender) };
        // A node too busy to answer keeps what it told last.
        let told = tokio::time::timeout(self.timeout, wire.ask(turn.0)).await;
        if let Ok((report, models)) = told {
            match report.is_something() {
                true => node.load.told(report, ours.max(node.in_flight())),
                false => node.load.silent(),
            }
            if let Some(models) = models {
                node.load.list(models);
            }
        }
    }
}

/// A connection to the node, opened again where the node closes it after an answer.
struct Wire<'a> {
    node: &'a Node,
    survey: &'a Survey,
    sender: Option<Sender>,
}

impl Wire<'_> {
    async fn ask(mut self, asked: &Mutex<Asked>) -> (Report, Option<Option<Models>>) {
        let mut report = Report::default();
        let kind = self.survey.kind;
        let (slots, props, metrics, models) = {
            let now = asked.lock();
            (now.slots, now.props, now.metrics, now.models)
        };
        if kind == UpstreamKind::LlamaServer {
            if let Some(body) = self.get(slots, "/slots", |skip| asked.lock().slots = skip).await {
                report.read_slots(&body);
            } else if let Some(body) = self.get(props, "/props", |skip| asked.lock().props = skip).await {
                report.read_props(&body);
            }
        }
        if kind != UpstreamKind::Ollama
            && let Some(body) = self.get(metrics, "/metrics", |skip| asked.lock().metrics = skip).await
        {
            report.read_metrics(&String::from_utf8_lossy(&body));
        }
        let mut listed = None;
        if models.is_none_or(|at| at.elapsed() >= MODELS_EVERY)
            && let Some((status, body)) = self.exchange(&self.survey.models_path.clone()).await
        {
            asked.lock().models = Some(Instant::now());
            listed = Some(if status.is_success() { Models::read(kind, &body) } else { None });
        }
        (report, listed)
    }

    async fn get(&mut self, mut skip: Skip, path: &str, keep: impl FnOnce(Skip)) -> Option<Bytes> {
        if !skip.may_ask() {
            return None;
        }
        let answer = self.exchange(path).await?;
        let body = skip.judged(answer);
        keep(skip);
        body
    }

    async fn exchange(&mut self, path: &str) -> Option<(StatusCode, Bytes)> {
        let kept = self.sender.take().filter(|sender| !sender.is_closed());
        let mut sender = match kept {
            Some(sender) => sender,
            None => connection::open(self.node, Protocols::Http1).await.ok()?,
        };
        if sender.ready().await.is_err() {
            sender = connection::open(self.node, Protocols::Http1).await.ok()?;
            sender.ready().await.ok()?;
        }
        let mut request = http::Request::get(path).header(HOST, &self.node.host_header).header(USER_AGENT, CHECK);
        if let Some((name, value)) = &self.survey.credentials {
            request = request.header(name, value);
        }
        let answer = sender.send(request.body(Outgoing::empty()).ok()?).await.ok()?;
        let status = answer.status();
        #[allow(clippy::disallowed_methods, reason = "bounded by `Limited`, and in time by whoever checks")]
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
        self.sender = Some(sender);
        Some((status, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_offered_is_left_alone_for_a_while_and_what_fails_is_not() {
        let mut skip = Skip::default();
        assert!(skip.judged((StatusCode::OK, Bytes::from_static(b"x"))).is_some() && skip.may_ask());
        assert!(skip.judged((StatusCode::SERVICE_UNAVAILABLE, Bytes::new())).is_none() && skip.may_ask());
        assert!(skip.judged((StatusCode::NOT_IMPLEMENTED, Bytes::new())).is_none() && !skip.may_ask());
        let asked = Mutex::new(Asked { slots: skip, ..Asked::default() });
        let turn = Turn::take(&asked);
        assert!(turn.is_some() && Turn::take(&asked).is_none());
        asked.lock().forget();
        let may_ask = asked.lock().slots.may_ask();
        assert!(may_ask && Turn::take(&asked).is_none());
        drop(turn);
        assert!(Turn::take(&asked).is_some());
    }
}

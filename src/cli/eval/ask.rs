//! Asks models through a gateway of its own: the configuration's upstreams, deadlines, retries and prices, without its tenants, routes
//! and books.
//!
//! What a reader could get wrong: provider keys stand behind this gateway, and whoever is on this machine reaches its port; so it asks
//! for a key that is made for the run and that nobody else has. Nothing of this is in the ledger or the audit chain of a gateway that
//! runs beside it.

mod heard;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::results::Answer;
use super::set::Item;
use crate::app::{self, Failure};
use crate::config::Loaded;
use crate::config::file::{self, Key, Tenant, UpstreamKind};
use crate::openai::usage::Usage;
use crate::server::Running;
use crate::task;
use crate::tenant::key::{self, KeyHash};
use crate::upstream::price::{Day, NANOS_PER_USD};
use crate::upstream::{Target, Upstream};
use heard::Heard;

/// The tenant that the run is.
const SELF: &str = "eval";
/// How often a question is put that finds no room.
const TIMES: u32 = 6;
/// The pause after the first time, where none is asked for, and the longest: it doubles in between.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The gateway that is asked.
pub struct Asked {
    running: Running,
    key: String,
    targets: Vec<Arc<Target>>,
}

/// Asks one model; shared by as many as ask it at once.
pub struct Client {
    address: SocketAddr,
    key: String,
    target: Arc<Target>,
    temperature: Option<f64>,
    in_flight: AtomicUsize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Unanswered {
    /// Without the prompt's text.
    pub reason: String,
    /// Any other question to this model will fail the same way.
    pub hopeless: bool,
}

impl Asked {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// The configuration cannot be brought up.
    pub fn start(mut loaded: Loaded) -> Result<Asked, String> {
        let key = key::generate().map_err(|error| format!("the system has no random numbers for a key: {error}"))?;
        let file = &mut loaded.file;
        (file.listen, file.admin) = ("127.0.0.1:0".into(), "127.0.0.1:0".into());
        file.tls = None;
        // Models are asked by their own names; what routes count and steer by must not learn from that.
        file.routes.clear();
        file.tenants.clear();
        let keys = vec![Key::Hash(KeyHash::of(key.as_bytes()).to_string())];
        file.tenants.insert(SELF.into(), Tenant { keys, ..Tenant::default() });
        let started = app::embedded(&loaded);
        let (running, shared) = started.map_err(|(Failure::Configuration(m) | Failure::Environment(m))| m)?;
        Ok(Asked { running, key, targets: shared.snapshot().targets.clone() })
    }

    /// A `models` entry.
    pub fn target(&self, model: &str) -> Option<&Arc<Target>> {
        self.targets.iter().find(|target| target.name == model)
    }

    pub fn client(&self, target: &Arc<Target>, temperature: Option<f64>) -> Client {
        Client {
            address: self.running.public_address(),
            key: self.key.clone(),
            target: Arc::clone(target),
            temperature,
            in_flight: AtomicUsize::new(0),
        }
    }

    pub fn end(self) {
        self.running.end_now();
        self.running.join();
    }
}

/// What a question looks like to the model; an answer belongs to it as long as this stays the same.
pub fn question(target: &Target, item: &Item, temperature: Option<f64>) -> Value {
    let mut body = json!({"model": target.name, "messages": item.messages});
    if let Some(most) = item.max_tokens {
        body[limit_name(&target.upstream)] = most.into();
    }
    if let Some(temperature) = temperature {
        body["temperature"] = temperature.into();
    }
    body
}

/// OpenAI's newer models refuse `max_tokens`, most other servers know nothing else.
fn limit_name(upstream: &Upstream) -> &'static str {
    let file::Upstream { kind, base_url, .. } = &upstream.section;
    let is_openai = base_url.as_deref().is_some_and(|url| url.contains("//api.openai.com"));
    if *kind == UpstreamKind::Azure || is_openai { "max_completion_tokens" } else { "max_tokens" }
}

impl Client {
    pub fn model(&self) -> &str {
        &self.target.name
    }

    /// Asks one question, again after a pause where there is no room.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&self, item: &Item) -> Result<Answer, Unanswered> {
        let mut body = question(&self.target, item, self.temperature);
        // As a stream, so that an answer that takes long to write is not taken for one that does not come.
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
        let body = Bytes::from(body.to_string());
        let mut times = 0;
        loop {
            let began = Instant::now();
            let shared_by = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
            let heard = self.post(body.clone()).await;
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            times += 1;
            match heard.map_err(Refused::plain).and_then(|(status, headers, heard)| refused(status, headers, heard)) {
                Ok(heard) => return Ok(self.answer(item, heard, began.elapsed(), shared_by)),
                Err(refused) => match refused.pause.filter(|_| times < TIMES) {
                    Some(pause) => tokio::time::sleep(pause.unwrap_or_else(|| backoff(times))).await,
                    None => return Err(refused.why),
                },
            }
        }
    }

    fn answer(&self, item: &Item, heard: Heard, took: Duration, shared_by: usize) -> Answer {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        Answer {
            row: item.id.clone(),
            model: self.target.name.clone(),
            question: item.digest(&question(&self.target, item, self.temperature), &self.target.id),
            ms: millis(took),
            first_ms: heard.first.map_or(millis(took), millis),
            prompt_tokens: heard.usage.prompt,
            completion_tokens: heard.usage.completion,
            cost_usd: self.cost(&heard.usage, took, shared_by),
            answer: heard.text,
        }
    }

    /// A node that works on several questions at once is paid for once.
    fn cost(&self, usage: &Usage, took: Duration, shared_by: usize) -> Option<f64> {
        let nodes = self.target.upstream.section.nodes.len().max(1);
        let busy = took / u32::try_from(shared_by.div_ceil(nodes)).unwrap_or(1).max(1);
        let cost = self.target.cost(usage, Day::of(jiff::Timestamp::now()), busy)?;
        Some(cost.usd as f64 / NANOS_PER_USD)
    }

    /// On a connection of its own: on this machine that costs nothing.
    async fn post(&self, body: Bytes) -> Result<(StatusCode, HeaderMap, Heard), String> {
        let failed = |error: &dyn std::fmt::Display| format!("the gateway did not answer: {error}");
        let stream = tokio::net::TcpStream::connect(self.address).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        drop(task::spawn("eval client", async move {
            // Its end is seen where the answer is read.
            let _ = connection.await;
        }));
        let request = Request::post("/v1/chat/completions")
            .header("host", SELF)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(body));
        let began = Instant::now();
        let response = sender.send_request(request.map_err(|error| failed(&error))?).await;
        let (head, body) = response.map_err(|error| failed(&error))?.into_parts();
        let heard = Heard::of::<Incoming>(body, began).await?;
        Ok((head.status, head.headers, heard))
    }
}

/// A question that was not answered, and whether to put it again: after this pause, or (inner `None`) one of our own choice.
struct Refused {
    why: Unanswered,
    pause: Option<Option<Duration>>,
}

impl Refused {
    fn plain(reason: String) -> Refused {
        Refused { why: Unanswered { reason, hopeless: false }, pause: None }
    }
}

fn refused(status: StatusCode, headers: HeaderMap, heard: Heard) -> Result<Heard, Refused> {
    if status.is_success() {
        return match heard.broken {
            None => Ok(heard),
            Some(how) => Err(Refused::plain(how)),
        };
    }
    let told = heard.error.as_ref().map_or("no reason is given", |error| error.message.as_str());
    let code = heard.error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or_default();
    // No key, no right, no such model: not a matter of the question.
    let hopeless = matches!(status.as_u16(), 401 | 403 | 404) || code == "insufficient_quota";
    let passes = matches!(status.as_u16(), 429 | 503) && !matches!(code, "insufficient_quota" | "no_eligible_target");
    let why = Unanswered { reason: format!("{} {told}", status.as_u16()), hopeless };
    let asked_for = crate::provider::retry_after(&headers).map(|pause| pause.min(LONGEST_PAUSE));
    Err(Refused { why, pause: passes.then_some(asked_for) })
}

fn backoff(times: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << times.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;

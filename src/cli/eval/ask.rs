//! Asks models through a gateway of its own: the configuration's upstreams, deadlines, retries and prices, without its tenants and books.
//!
//! What a reader could get wrong: nothing of this is in the ledger or the audit chain of a gateway that runs beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::results::Result as Graded;
use super::set::Item;
use crate::app::{self, Failure};
use crate::config::Loaded;
use crate::gateway::read::collect;
use crate::openai::usage;
use crate::server::Running;
use crate::state::Shared;
use crate::task;
use crate::upstream::price::{Day, NANOS_PER_USD};

/// No answer to a question of a set is larger, or takes longer to arrive once it has begun.
const LARGEST_ANSWER: u64 = 8 << 20;
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// The gateway that is asked.
pub struct Asked {
    running: Running,
    shared: Arc<Shared>,
}

/// One connection to it.
pub struct Client {
    address: SocketAddr,
    shared: Arc<Shared>,
    sender: Option<SendRequest<Full<Bytes>>>,
    temperature: Option<f64>,
}

impl Asked {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// The configuration cannot be brought up.
    pub fn start(mut loaded: Loaded) -> Result<Asked, String> {
        let file = &mut loaded.file;
        (file.listen, file.admin) = ("127.0.0.1:0".into(), "127.0.0.1:0".into());
        file.tls = None;
        file.tenants.clear();
        let started = app::embedded(&loaded);
        let (running, shared) = started.map_err(|(Failure::Configuration(m) | Failure::Environment(m))| m)?;
        Ok(Asked { running, shared })
    }

    pub fn client(&self, temperature: Option<f64>) -> Client {
        Client { address: self.running.public_address(), shared: Arc::clone(&self.shared), sender: None, temperature }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn end(self) {
        self.running.end_now();
        self.running.join();
    }
}

impl Client {
    /// Asks one model one question, and grades its answer.
    ///
    /// # Errors
    /// There is no answer: why, without the prompt's text.
    pub async fn ask(&mut self, model: &str, item: &Item) -> Result<Graded, String> {
        let mut body = json!({"model": model, "messages": item.messages});
        if let Some(most) = item.max_tokens {
            body["max_tokens"] = most.into();
        }
        if let Some(temperature) = self.temperature {
            body["temperature"] = temperature.into();
        }
        let began = Instant::now();
        let (status, bytes) = self.post(body.to_string().into()).await?;
        let took = began.elapsed();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status != 200 {
            let message = answer["error"]["message"].as_str().unwrap_or("no reason is given");
            return Err(format!("{status} {message}"));
        }
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        let usage = usage::of_answer(&bytes).unwrap_or_default();
        Ok(Graded {
            row: item.id.clone(),
            model: model.to_owned(),
            ok: item.check.passes(text),
            ms: took.as_secs_f64() * 1e3,
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            cost_usd: self.cost(model, &usage, took),
        })
    }

    fn cost(&self, model: &str, usage: &usage::Usage, took: Duration) -> Option<f64> {
        let snapshot = self.shared.snapshot();
        let target = snapshot.targets.iter().find(|target| target.name == model)?;
        let cost = target.cost(usage, Day::of(jiff::Timestamp::now()), took)?;
        Some(cost.usd as f64 / NANOS_PER_USD)
    }

    async fn post(&mut self, body: Bytes) -> Result<(u16, Bytes), String> {
        let failed = |error: &dyn std::fmt::Display| format!("the gateway did not answer: {error}");
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => connect(self.address).await.map_err(|error| failed(&error))?,
        };
        let request =
            Request::post("/v1/chat/completions").header("host", "eval").header("content-type", "application/json");
        let request = request.body(Full::new(body)).map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let bytes = collect(response.into_body(), LARGEST_ANSWER, LONGEST_ANSWER).await.map_err(|e| e.to_string())?;
        self.sender = Some(sender);
        Ok((status, bytes))
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    task::spawn("eval client", async move {
        // Its end is seen where the next request is sent.
        let _ = connection.await;
    });
    Ok(sender)
}

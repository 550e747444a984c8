//! The simulated servers of the demo: real HTTP on loopback, invented answers, each of which says that it is simulated.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::Sleep;

use crate::server::{self, AdminState, Handle, Peer, Running, Sockets};

/// The longest request that a simulated server takes.
const LARGEST: usize = 1 << 20;

/// One simulated server.
pub struct Simulated {
    running: Running,
    limited: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Simulated {
    /// Starts one. `name` stands in its answers; `pace` is the time between its tokens.
    pub fn start(name: &'static str, pace: Duration) -> Result<Simulated, String> {
        let loopback = ([127, 0, 0, 1], 0).into();
        let sockets = Sockets::bind(loopback, loopback, 1).map_err(|e| e.to_string())?;
        let (limited, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let model = SimulatedModel { name, pace, limited: Arc::clone(&limited), calls: Arc::clone(&calls) };
        let mut config = server::Config::from(&crate::config::file::Server::default());
        config.workers = 1;
        config.drain_timeout = Duration::ZERO;
        let running =
            server::start(config, sockets, move |_| model.clone(), Arc::new(NoAdmin)).map_err(|e| e.to_string())?;
        Ok(Simulated { running, limited, calls })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.public_address())
    }

    /// Whether it answers 429 from now on.
    pub fn limit(&self, limited: bool) {
        self.limited.store(limited, Relaxed);
    }

    /// How often it was asked for an answer.
    pub fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(self) {
        self.running.end_now();
        self.running.join();
    }
}

#[derive(Clone)]
struct SimulatedModel {
    name: &'static str,
    pace: Duration,
    limited: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Handle for SimulatedModel {
    type Body = Tokens;

    async fn call(&self, request: Request<Incoming>, _: Peer) -> Response<Tokens> {
        if request.method() == http::Method::GET {
            return answer(
                StatusCode::OK,
                "application/json",
                vec![Bytes::from_static(b"{\"status\":\"ok\"}")],
                Duration::ZERO,
            );
        }
        self.calls.fetch_add(1, Relaxed);
        if self.limited.load(Relaxed) {
            let body = json!({"error": {"message": "simulated rate limit", "type": "rate_limit_error", "code": "rate_limit_exceeded"}});
            return answer(
                StatusCode::TOO_MANY_REQUESTS,
                "application/json",
                vec![body.to_string().into()],
                Duration::ZERO,
            );
        }
        let body = Limited::new(request.into_body(), LARGEST);
        #[allow(clippy::disallowed_methods, reason = "bounded by `Limited`")]
        let read = body.collect().await;
        let asked = read.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok()).unwrap_or(Value::Null);
        if asked["stream"] == true {
            return answer(StatusCode::OK, "text/event-stream", self.events(&asked), self.pace);
        }
        answer(StatusCode::OK, "application/json", vec![self.whole(&asked).to_string().into()], self.pace)
    }
}

impl SimulatedModel {
    fn text(&self) -> String {
        format!("This is a simulated answer by {} , which read your prompt and did not think about it.", self.name)
    }

    fn usage(&self, asked: &Value) -> Value {
        let (prompt, completion) = (asked["messages"].to_string().len() / 4, self.text().split(' ').count());
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
    }

    fn whole(&self, asked: &Value) -> Value {
        let message = json!({"role": "assistant", "content": self.text()});
        json!({"id": "chatcmpl-simulated", "object": "chat.completion", "created": 0, "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": self.usage(asked)})
    }

    fn events(&self, asked: &Value) -> Vec<Bytes> {
        let event = |choices: Value, usage: Option<Value>| {
            let mut chunk = json!({"id": "chatcmpl-simulated", "object": "chat.completion.chunk", "created": 0,
                "model": asked["model"], "choices": choices});
            if let Some(usage) = usage {
                chunk["usage"] = usage;
            }
            Bytes::from(format!("data: {chunk}\n\n"))
        };
        let delta =
            |delta: Value, finish: Value| event(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), None);
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
        events.extend(self.text().split_inclusive(' ').map(|word| delta(json!({"content": word}), Value::Null)));
        events.push(delta(json!({}), json!("stop")));
        if asked["stream_options"]["include_usage"] == true {
            events.push(event(json!([]), Some(self.usage(asked))));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        events
    }
}

fn answer(status: StatusCode, kind: &'static str, pieces: Vec<Bytes>, pace: Duration) -> Response<Tokens> {
    let mut pieces = pieces;
    pieces.reverse();
    let mut response = Response::new(Tokens { pieces, pace, pause: Box::pin(tokio::time::sleep(pace)) });
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// A body whose pieces come one at a time.
pub struct Tokens {
    /// Last one first.
    pieces: Vec<Bytes>,
    pace: Duration,
    pause: Pin<Box<Sleep>>,
}

impl http_body::Body for Tokens {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.pause.as_mut().poll(cx));
        let next = tokio::time::Instant::now() + self.pace;
        self.pause.as_mut().reset(next);
        Poll::Ready(self.pieces.pop().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A simulated server has nothing to administer.
struct NoAdmin;

impl AdminState for NoAdmin {
    fn requests(&self, _: &str) -> Result<Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn request(&self, _: &str) -> Result<Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn feedback(&self, _: &[u8]) -> Result<Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn purge(&self, _: &[u8]) -> Result<Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn upstreams(&self) -> Value {
        Value::Null
    }

    fn drain(&self, _: &str, _: &str, _: bool) -> Result<Value, (u16, String)> {
        Err((404, "there are no nodes".into()))
    }

    fn config(&self) -> Value {
        Value::Null
    }

    fn reload(&self) -> Result<u64, String> {
        Err("a simulated server has no configuration".into())
    }

    fn usage(&self, _: &str) -> Result<(&'static str, String), String> {
        Err("a simulated server has no ledger".into())
    }

    fn explain(&self, _: &[u8]) -> Result<Value, String> {
        Err("a simulated server decides nothing".into())
    }
}

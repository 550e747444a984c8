//! A client that does what an SDK does: posts a chat, reads the stream, keeps the headers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::scenes::{Headers, Scene};
use crate::openai::sse::{Frames, Keep};
use crate::openai::usage::{self, Usage};
use crate::task;

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub first: Duration,
    pub usage: Usage,
    /// The error's text, where it is one.
    pub error: Option<String>,
}

impl Reply {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// Asks the gateway, as many at once as the scene says.
pub async fn ask_all(gateway: SocketAddr, scene: &Scene) -> Result<Vec<Reply>, String> {
    let (told, mut replies) = tokio::sync::mpsc::channel(scene.askers.max(1));
    for _ in 0..scene.askers {
        let (told, body, headers) = (told.clone(), scene.body.clone(), scene.headers);
        task::spawn("demo client", async move {
            // Whoever listens is there until all have told.
            let _ = told.send(ask(gateway, body, headers).await).await;
        });
    }
    drop(told);
    let mut all = Vec::with_capacity(scene.askers);
    while let Some(reply) = replies.recv().await {
        all.push(reply?);
    }
    Ok(all)
}

async fn ask(gateway: SocketAddr, mut body: Value, headers: Headers) -> Result<Reply, String> {
    let failed = |e: &dyn std::fmt::Display| format!("the gateway did not answer: {e}");
    let stream = tokio::net::TcpStream::connect(gateway).await.map_err(|e| failed(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    task::spawn("demo client", async move {
        let _ = connection.await;
    });
    let is_stream = body["stream"] == true;
    if is_stream {
        body["stream_options"] = serde_json::json!({"include_usage": true});
    }
    let mut request =
        Request::post("/v1/chat/completions").header("host", "demo").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).map_err(|e| failed(&e))?;
    let started = Instant::now();
    let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
    let (head, mut answer) = response.into_parts();
    let mut reply = Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        first: Duration::ZERO,
        usage: Usage::default(),
        error: None,
    };
    let (mut frames, mut whole, mut seen) = (Frames::new(), Vec::new(), smallvec::SmallVec::new());
    while let Some(frame) = answer.frame().await {
        let frame = frame.map_err(|e| failed(&e))?;
        let Ok(data) = frame.into_data() else { continue };
        if reply.first.is_zero() {
            reply.first = started.elapsed();
        }
        whole.extend_from_slice(&data);
        let visit = |data: &[u8]| {
            if let Some(seen) = usage::of_event(data) {
                reply.usage = seen.usage;
            }
            Keep::Yes
        };
        frames.push(data, visit, &mut seen).map_err(|_| "the answer's events are too long".to_string())?;
        seen.clear();
    }
    if !is_stream && let Some(usage) = usage::of_answer(&whole) {
        reply.usage = usage;
    }
    if reply.status >= 400 {
        let value: Value = serde_json::from_slice(&whole).unwrap_or_default();
        reply.error = value["error"]["message"].as_str().map(str::to_owned);
    }
    Ok(reply)
}

//! A client that does what an SDK does: posts a request, reads the answer or the stream, keeps the headers and the times.
//!
//! What a reader could get wrong: an error inside a stream, and a stream that ends without its last event, come back as a `Reply` as well:
//! look at `complaint` and `is_whole`, not at the status alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use smallvec::SmallVec;

use crate::openai::sse::{Frames, Keep};
use crate::openai::usage::{self, Usage};
use crate::task;

/// Name and value.
pub type Headers = &'static [(&'static str, &'static str)];

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// Until the first bytes of the body.
    pub first: Duration,
    pub total: Duration,
    pub usage: Usage,
    /// The error, where it is one, also one inside a stream.
    pub complaint: Option<Complaint>,
    /// The answer came to its proper end: a stream to its last event.
    pub is_whole: bool,
    /// The body of a plain answer, the events' bytes of a stream.
    pub body: Vec<u8>,
}

/// An error object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub code: String,
    pub message: String,
}

impl Reply {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// An answer and not an error, whole.
    pub fn is_good(&self) -> bool {
        self.status == 200 && self.complaint.is_none() && self.is_whole
    }
}

/// Posts a request of the OpenAI protocol and reads the answer to its end. A stream is asked for its usage.
///
/// # Errors
/// Nothing that is an HTTP answer came back.
pub async fn ask(gateway: SocketAddr, path: &str, headers: Headers, mut body: Value) -> Result<Reply, String> {
    let is_stream = body["stream"] == true;
    if is_stream && path.ends_with("/completions") {
        body["stream_options"] = serde_json::json!({"include_usage": true});
    }
    let body = Bytes::from(body.to_string());
    Sent::post(gateway, Method::POST, path, headers, body).await?.read(is_stream).await
}

/// The text of a page, such as `/metrics`.
///
/// # Errors
/// It cannot be had, or its status is not 200.
pub async fn page(address: SocketAddr, path: &str) -> Result<String, String> {
    let reply = Sent::post(address, Method::GET, path, &[], Bytes::new()).await?.read(false).await?;
    match reply.status {
        200 => Ok(String::from_utf8_lossy(&reply.body).into_owned()),
        status => Err(format!("{path} answers {status}")),
    }
}

/// An answer whose body is still to come.
struct Sent {
    reply: Reply,
    body: Incoming,
    started: Instant,
}

impl Sent {
    async fn post(
        address: SocketAddr,
        method: Method,
        path: &str,
        headers: Headers,
        body: Bytes,
    ) -> Result<Sent, String> {
        let failed = |e: &dyn std::fmt::Display| format!("the gateway did not answer: {e}");
        let started = Instant::now();
        let stream = tokio::net::TcpStream::connect(address).await.map_err(|e| failed(&e))?;
        stream.set_nodelay(true).map_err(|e| failed(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        task::spawn("lab client", async move {
            // How it ended is seen by whoever reads the answer.
            let _ = connection.await;
        });
        let mut request = Request::builder().method(method).uri(path).header("host", "lab");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|e| failed(&e))?;
        let (head, body) = sender.send_request(request).await.map_err(|e| failed(&e))?.into_parts();
        let reply = Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            first: Duration::ZERO,
            total: Duration::ZERO,
            usage: Usage::default(),
            complaint: None,
            is_whole: false,
            body: vec![],
        };
        Ok(Sent { reply, body, started })
    }

    async fn read(self, is_stream: bool) -> Result<Reply, String> {
        let Sent { mut reply, mut body, started } = self;
        let (mut frames, mut seen) = (Frames::new(), SmallVec::new());
        let is_stream = is_stream && reply.header("content-type").starts_with("text/event-stream");
        let mut is_last = false;
        let mut broke = false;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                broke = true;
                break;
            };
            let Ok(data) = frame.into_data() else { continue };
            if reply.first.is_zero() {
                reply.first = started.elapsed();
            }
            reply.body.extend_from_slice(&data);
            if !is_stream {
                continue;
            }
            let visit = |data: &[u8]| {
                is_last |= reply.event(data);
                Keep::Yes
            };
            frames.push(data, visit, &mut seen).map_err(|_| "the answer's events are too long".to_owned())?;
            seen.clear();
        }
        reply.total = started.elapsed();
        reply.is_whole = !broke && (is_last || !is_stream);
        if !is_stream {
            reply.usage = usage::of_answer(&reply.body).unwrap_or_default();
            let value: Value =
                if reply.status == 200 { Value::Null } else { serde_json::from_slice(&reply.body).unwrap_or_default() };
            reply.complaint = (reply.status != 200).then(|| Complaint::of(&value["error"]));
        }
        Ok(reply)
    }
}

impl Reply {
    /// Takes an event in; true if it is the last one of a stream that went well.
    fn event(&mut self, data: &[u8]) -> bool {
        if data == b"[DONE]" {
            return true;
        }
        if let Some(seen) = usage::of_event(data) {
            self.usage = seen.usage;
        }
        let value: Value = serde_json::from_slice(data).unwrap_or_default();
        if value["error"].is_object() {
            self.complaint = Some(Complaint::of(&value["error"]));
        }
        value["type"] == "response.completed"
    }
}

impl Complaint {
    fn of(error: &Value) -> Complaint {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Complaint { code: text("code"), message: text("message") }
    }
}

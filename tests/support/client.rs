//! An HTTP client that does what it is told and nothing more: no retries, no redirects, no decompression; one connection per call.
//!
//! `gateway.post("/v1/chat/completions").json(&body).send().await` collects the answer, `.stream()` reads it as it comes. What a
//! reader could get wrong: dropping a `Streaming` closes its connection, as a client does that goes away.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{sse, within};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A request to be sent.
pub struct Call {
    addr: SocketAddr,
    version: Version,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Call {
    pub fn new(addr: SocketAddr, method: Method, target: &str) -> Call {
        let (version, headers, body) = (Version::HTTP_11, vec![], Full::default().boxed_unsync());
        Call { addr, version, method, target: target.to_owned(), headers, body }
    }

    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As that tenant.
    pub fn by(self, tenant: &str) -> Call {
        let bearer = format!("Bearer {}", super::config::key(tenant));
        self.header("authorization", &bearer)
    }

    pub fn json(self, body: &Value) -> Call {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Call {
        self.body = Full::new(body.into()).boxed_unsync();
        self.header("content-type", content_type)
    }

    /// A body of unknown length; its pieces come through the sender, its end when the sender is dropped.
    pub fn streamed_body(mut self, content_type: &str) -> (Call, mpsc::Sender<Bytes>) {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|bytes| (Ok::<_, Infallible>(Frame::data(bytes)), receiver))
        });
        self.body = StreamBody::new(frames.boxed()).boxed_unsync();
        (self.header("content-type", content_type), sender)
    }

    /// By HTTP/2 with prior knowledge.
    pub fn h2(mut self) -> Call {
        self.version = Version::HTTP_2;
        self
    }

    /// Sends, and collects the answer; panics on a broken connection.
    pub async fn send(self) -> Response {
        self.try_send().await.expect("an answer")
    }

    /// Sends, and collects the answer, which may break off.
    pub async fn try_send(self) -> Result<Response, String> {
        within("an answer", async {
            let mut streaming = self.try_stream().await?;
            let mut body = vec![];
            while let Some(chunk) = streaming.chunk().await {
                body.extend_from_slice(&chunk?);
            }
            let Streaming { status, headers, .. } = streaming;
            Ok(Response { status, headers, body: body.into() })
        })
        .await
    }

    /// Sends, and returns with the answer's head.
    pub async fn stream(self) -> Streaming {
        within("an answer's head", self.try_stream()).await.expect("an answer's head")
    }

    pub async fn try_stream(self) -> Result<Streaming, String> {
        let stream = TcpStream::connect(self.addr).await.map_err(text)?;
        self.try_stream_over(stream).await
    }

    /// Over a connection that the test made.
    pub async fn try_stream_over(self, stream: TcpStream) -> Result<Streaming, String> {
        stream.set_nodelay(true).map_err(text)?;
        let io = TokioIo::new(stream);
        let h2 = self.version == Version::HTTP_2;
        let target = if h2 { format!("http://{}{}", self.addr, self.target) } else { self.target };
        let mut request = http::Request::builder().method(self.method).uri(target).version(self.version);
        if !h2 && !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", self.addr.to_string());
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(self.body).map_err(text)?;
        let (response, connection) = if h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.map_err(text)?;
            let connection = Connection(tokio::spawn(async { drop(connection.await) }));
            (sender.send_request(request).await.map_err(text)?, connection)
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(text)?;
            let connection = Connection(tokio::spawn(async { drop(connection.await) }));
            (sender.send_request(request).await.map_err(text)?, connection)
        };
        let (head, body) = response.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Streaming { status, headers, body, reader: sse::Reader::default(), _connection: connection })
    }
}

/// Ends the connection when dropped.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn events(&self) -> Vec<sse::Event> {
        sse::events(&self.body)
    }

    /// The text of a chat answer.
    pub fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts a status and an error object in OpenAI's shape, and returns the error.
    pub fn expect_error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.header("content-type").starts_with("application/json"), "{:?}", self.headers);
        let error = self.json()["error"].clone();
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", self.text());
        assert!(error["type"].is_string(), "{}", self.text());
        for member in ["param", "code"] {
            let found = error.get(member);
            assert!(found.is_some_and(|v| v.is_null() || v.is_string()), "`{member}` of {}", self.text());
        }
        error
    }
}

/// An answer that is still coming.
pub struct Streaming {
    pub status: u16,
    pub headers: HeaderMap,
    body: Incoming,
    reader: sse::Reader,
    _connection: Connection,
}

impl Streaming {
    /// See `Response::header`.
    pub fn header(&self, name: &str) -> &str {
        value(&self.headers, name)
    }

    /// The next bytes; `None` at the answer's regular end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            let frame = within("the next bytes of an answer", self.body.frame()).await?;
            match frame.map(Frame::into_data) {
                Ok(Ok(bytes)) => return Some(Ok(bytes)),
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(text(error))),
            }
        }
    }

    /// The next server-sent event; `None` at the end, also where the connection broke.
    pub async fn event(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.reader.next_event() {
                return Some(event);
            }
            match self.chunk().await {
                Some(Ok(bytes)) => self.reader.push(&bytes),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// All further events.
    pub async fn events(&mut self) -> Vec<sse::Event> {
        let mut events = vec![];
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    /// Goes away; returns when that was.
    pub fn disconnect(self) -> Instant {
        drop(self);
        Instant::now()
    }
}

/// A chat request of one user message.
pub fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// The same, streamed.
pub fn chat_stream(model: &str, text: &str) -> Value {
    let mut body = chat(model, text);
    body["stream"] = json!(true);
    body
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

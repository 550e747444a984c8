//! The server over real sockets with a trivial handler. No test sleeps: each waits for an event, and deadlines are
//! short where one must pass.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::header::{CONNECTION, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;

mod admin;
mod drain;
mod limits;
mod protocol;
mod signals;
mod tls;

/// A body that gives what is sent into a channel.
pub(super) enum Pieces {
    Channel(mpsc::Receiver<Bytes>),
    Fixed(Option<Bytes>),
    /// Ends never; counts the bytes that were asked for.
    Endless(Arc<AtomicUsize>),
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Pieces::Channel(pieces) => std::task::ready!(pieces.poll_recv(cx)),
            Pieces::Fixed(bytes) => bytes.take(),
            Pieces::Endless(asked) => {
                let piece = Bytes::from_static(&[b'x'; 16 << 10]);
                asked.fetch_add(piece.len(), Ordering::SeqCst);
                Some(piece)
            }
        };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Answers by path; `/wait` and `/stream` are steered by the test.
#[derive(Clone)]
pub(super) struct Echo {
    worker: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    /// The body of the next `/stream`.
    streams: Mutex<Vec<mpsc::Receiver<Bytes>>>,
    /// What `/block` waits for, with its whole worker.
    block: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
    entered: tokio::sync::Notify,
    dropped: tokio::sync::Notify,
    asked: Arc<AtomicUsize>,
}

/// Tells when a handler that waits was dropped.
struct Dropped(Arc<Shared>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

impl Handle for Echo {
    type Body = Pieces;

    async fn call(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Pieces> {
        let text = |text: String| Response::new(Pieces::Fixed(Some(text.into())));
        match request.uri().path() {
            "/panic" => panic!("with the text of a prompt"),
            "/id" => text(request.headers()[REQUEST_ID].to_str().unwrap().to_owned()),
            "/peer" => text(format!("{peer:?} {:?}", request.version())),
            "/worker" => text(self.worker.to_string()),
            "/refuse" => {
                let mut response = text("too large".into());
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                response
            }
            "/length" => {
                let mut length = 0;
                while let Some(Ok(frame)) = request.body_mut().frame().await {
                    length += frame.into_data().map_or(0, |data| data.len());
                }
                text(length.to_string())
            }
            "/wait" => {
                let _dropped = Dropped(self.shared.clone());
                self.shared.entered.notify_one();
                std::future::pending().await
            }
            "/block" => {
                let block = self.shared.block.lock().take().unwrap();
                self.shared.entered.notify_one();
                block.recv().unwrap();
                text("ok".into())
            }
            "/stream" => Response::new(Pieces::Channel(self.shared.streams.lock().pop().unwrap())),
            "/endless" => Response::new(Pieces::Endless(self.shared.asked.clone())),
            "/tunnel" => {
                let upgrade = hyper::upgrade::on(&mut request);
                crate::task::spawn("tunnel", async move {
                    let mut io = TokioIo::new(upgrade.await.unwrap());
                    let (mut byte, _) = ([0], io.write_all(b"open").await);
                    while io.read_exact(&mut byte).await.is_ok() && io.write_all(&byte).await.is_ok() {}
                });
                let mut response = text(String::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                response.headers_mut().insert(CONNECTION, "upgrade".parse().unwrap());
                response.headers_mut().insert(UPGRADE, "echo".parse().unwrap());
                response
            }
            _ => text("ok".into()),
        }
    }
}

/// Ready, unless told otherwise.
#[derive(Default)]
pub(super) struct Status {
    unready: Mutex<Option<String>>,
    reloads: AtomicUsize,
}

impl AdminState for Status {
    fn requests(&self, _: &str) -> Result<serde_json::Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn request(&self, _: &str) -> Result<serde_json::Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn feedback(&self, _: &[u8]) -> Result<serde_json::Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn deferred(&self) -> Result<serde_json::Value, (u16, String)> {
        Err((404, "nothing is done later".into()))
    }

    fn purge(&self, _: &[u8]) -> Result<serde_json::Value, (u16, String)> {
        Err((404, "nothing is recorded".into()))
    }

    fn metrics(&self) -> String {
        "tidegate_config_generation 1\n".into()
    }

    fn ready(&self) -> Result<(), String> {
        self.unready.lock().clone().map_or(Ok(()), Err)
    }

    fn drain(&self, upstream: &str, node: &str, drain: bool) -> Result<serde_json::Value, (u16, String)> {
        Ok(serde_json::json!([upstream, node, drain]))
    }

    fn upstreams(&self) -> serde_json::Value {
        serde_json::json!({"lab": {"placement": "edge"}})
    }

    fn config(&self) -> serde_json::Value {
        serde_json::json!({"api_key": "***"})
    }

    fn reload(&self) -> Result<u64, String> {
        match self.reloads.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(2),
            _ => Err("tidegate.yaml:1:1: unknown key `lisen`".into()),
        }
    }

    fn usage(&self, parameters: &str) -> Result<(&'static str, String), String> {
        Ok(("text/plain", parameters.to_owned()))
    }

    fn explain(&self, body: &[u8]) -> Result<serde_json::Value, String> {
        serde_json::from_slice(body).map_err(|_| "the body is no JSON".into())
    }
}

pub(super) struct Server {
    pub(super) running: Option<Running>,
    pub(super) shared: Arc<Shared>,
    pub(super) status: Arc<Status>,
}

pub(super) fn config() -> Config {
    Config {
        workers: 2,
        max_header: 8 << 10,
        max_connections: 100,
        max_in_flight: 100,
        client_timeout: Duration::from_secs(60),
        drain_timeout: Duration::from_secs(60),
        drain_grace: Duration::from_secs(60),
        tls: None,
        data_dir: None,
    }
}

const LOOPBACK: &str = "127.0.0.1:0";

impl Server {
    pub(super) fn start(config: Config) -> Server {
        let workers = config.workers;
        let loopback = LOOPBACK.parse().unwrap();
        Server::start_on(config, Sockets::bind(loopback, loopback, workers).unwrap())
    }

    pub(super) fn start_on(config: Config, sockets: Sockets) -> Server {
        let (shared, status) = (Arc::new(Shared::default()), Arc::new(Status::default()));
        let handlers = shared.clone();
        let make_handler = move |worker| Echo { worker, shared: handlers.clone() };
        let running = start(config, sockets, make_handler, status.clone()).unwrap();
        Server { running: Some(running), shared, status }
    }

    pub(super) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(super) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.running().public_address()).await.unwrap())
    }

    /// Makes the next `/stream` give what is sent here.
    pub(super) fn stream(&self) -> mpsc::Sender<Bytes> {
        let (sender, receiver) = mpsc::channel(1);
        self.shared.streams.lock().push(receiver);
        sender
    }

    pub(super) async fn joined(mut self) -> Drained {
        let running = self.running.take().unwrap();
        tokio::task::spawn_blocking(|| running.join()).await.unwrap()
    }
}

/// A client that writes and reads bytes.
pub(super) struct Client(TcpStream);

impl Client {
    pub(super) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads until `end` has come.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            match self.0.read_u8().await {
                Ok(byte) => read.push(byte),
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&read)),
            }
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        self.0.read_to_end(&mut read).await.unwrap();
        String::from_utf8(read).unwrap()
    }

    /// Sends a GET and reads an answer of which the body is `body`.
    pub(super) async fn get(&mut self, path: &str, body: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        self.until(&format!("\r\n\r\n{}", chunked(body))).await
    }
}

/// `Pieces` does not know its length.
pub(super) fn chunked(body: &str) -> String {
    format!("{:X}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// What an OpenAI SDK reads in an error.
pub(super) fn error_code(answer: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string());
    body["error"]["code"].as_str().unwrap().to_owned()
}

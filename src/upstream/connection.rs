//! A connection to a node: TCP, TLS, the HTTP handshake, and the sender that requests go through.
//!
//! HTTP/2 is used where a TLS server offers it (ALPN, RFC 7301); one connection per worker then carries all requests. What a reader could
//! get wrong: errors here never name the address; they go to clients and logs.

use std::io;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Node;
use super::body::Outgoing;
use crate::error::{Error, Kind};
use crate::task;

/// Largest head of an answer: providers send a few kilobytes of headers.
const MAX_ANSWER_HEAD: usize = 256 << 10;
/// HTTP/2 windows: a stream is a few hundred bytes at a time; a large answer should not stall on 64 KiB.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Notices an HTTP/2 peer that is gone without a word.
const PING_EVERY: std::time::Duration = std::time::Duration::from_secs(20);

/// What requests are sent through.
#[derive(Debug)]
pub(super) enum Sender {
    H1(http1::SendRequest<Outgoing>),
    H2(http2::SendRequest<Outgoing>),
}

/// Which protocols may be negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocols {
    Any,
    /// For `Upgrade` (WebSocket, RFC 6455), which HTTP/2 does not have.
    Http1,
}

impl Sender {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Sender::H1(sender) => sender.is_closed(),
            Sender::H2(sender) => sender.is_closed(),
        }
    }

    /// Carries many requests at once.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Sender::H2(_))
    }

    /// A second handle on a shared connection.
    pub(super) fn share(&self) -> Option<Sender> {
        match self {
            Sender::H1(_) => None,
            Sender::H2(sender) => Some(Sender::H2(sender.clone())),
        }
    }

    /// Waits until the connection takes a request; fails if it is closing.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Sender::H1(sender) if sender.is_ready() => Ok(()),
            Sender::H1(sender) => sender.ready().await,
            Sender::H2(sender) => sender.ready().await,
        }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<http::Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match self {
            Sender::H1(sender) => sender.try_send_request(request).await,
            Sender::H2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// Opens a connection. The caller bounds the time.
pub(super) async fn open(node: &Node, protocols: Protocols) -> Result<Sender, Error> {
    let stream = dial(node).await.map_err(|error| unreachable(&error).with_source(error))?;
    let Some(tls) = &node.tls else {
        return handshake_h1(stream).await;
    };
    let config = match protocols {
        Protocols::Any => &tls.config,
        Protocols::Http1 => &tls.config_http1,
    };
    let stream =
        TlsConnector::from(config.clone()).connect(tls.server_name.clone(), stream).await.map_err(|error| {
            Error::upstream(Kind::Connect, "the TLS handshake with the upstream failed").with_source(error)
        })?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => handshake_h2(stream).await,
        _ => handshake_h1(stream).await,
    }
}

/// Tries each address of the host in turn.
async fn dial(node: &Node) -> io::Result<TcpStream> {
    let stream = match node.host.parse::<std::net::IpAddr>() {
        Ok(ip) => TcpStream::connect((ip, node.port)).await?,
        Err(_) => TcpStream::connect((node.host.as_str(), node.port)).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "the upstream refused the connection",
        io::ErrorKind::TimedOut => "the upstream did not accept the connection in time",
        _ => "the upstream could not be reached",
    };
    Error::upstream(Kind::Connect, why)
}

async fn handshake_h1<S>(stream: S) -> Result<Sender, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_ANSWER_HEAD)
        .handshake::<_, Outgoing>(TokioIo::new(stream))
        .await
        .map_err(no_handshake)?;
    // An error of the connection also reaches the request that waits on it; there is nobody else to tell.
    task::spawn("upstream connection", async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(Sender::H1(sender))
}

async fn handshake_h2<S>(stream: S) -> Result<Sender, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .handshake::<_, Outgoing>(TokioIo::new(stream))
        .await
        .map_err(no_handshake)?;
    task::spawn("upstream connection", async move {
        let _ = connection.await;
    });
    Ok(Sender::H2(sender))
}

fn no_handshake(error: hyper::Error) -> Error {
    Error::upstream(Kind::Connect, "the upstream does not speak HTTP").with_source(error)
}

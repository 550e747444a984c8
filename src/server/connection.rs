//! One accepted connection, from its first byte to its close: TLS, HTTP/1.1 or HTTP/2, the stack, the roster's orders.
//!
//! What a reader could get wrong: hyper's `pipeline_flush` looks like a gain, but with it hyper takes a body in without
//! any bound while the client reads slowly (its `can_buffer` is then always true). It stays off; backpressure rests on
//! it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::roster::{Connection, Order, Roster};
use super::stack::stack;
use super::transport::{Io, Transport};
use super::{Config, Handle, Peer};

/// Smallest read and write buffer of a connection: a body is read, and a slow client's answer held, in pieces up to
/// this.
const BUFFER: usize = 64 << 10;
/// Streams at once on one HTTP/2 connection; nginx has 128, and SDKs open one per request.
const HTTP2_STREAMS: u32 = 256;
/// What HTTP/2 counts for each header on top of its bytes (RFC 9113, 10.5.1), times hyper's limit of headers.
const HTTP2_HEADERS_OVERHEAD: usize = 32 * 100;

/// What all connections of one worker need.
pub(super) struct Site<H> {
    pub(super) handler: H,
    pub(super) roster: Arc<Roster>,
    tls: Option<TlsAcceptor>,
    http1: http1::Builder,
    http2: http2::Builder<Tasks>,
    max_header: usize,
}

impl<H: Handle> Site<H> {
    pub(super) fn new(config: &Config, handler: H, roster: Arc<Roster>) -> Arc<Site<H>> {
        // Heads between the limit and twice the limit reach the stack, which refuses them in the OpenAI shape;
        // beyond it hyper closes with an empty 431.
        let hard_limit = config.max_header.saturating_mul(2);
        let mut http1 = http1::Builder::new();
        // The roster keeps the deadlines: no timer per request.
        http1.header_read_timeout(None).max_header_size(hard_limit).max_buf_size(hard_limit.max(BUFFER));
        let mut http2 = http2::Builder::new(Tasks);
        http2
            .timer(TokioTimer::new())
            // A peer that is gone without a word is found by a ping, and its streams with it.
            .keep_alive_interval(config.client_timeout)
            .keep_alive_timeout(config.client_timeout)
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_header_list_size(u32::try_from(hard_limit + HTTP2_HEADERS_OVERHEAD).unwrap_or(u32::MAX))
            .max_send_buf_size(BUFFER);
        let tls = config.tls.clone().map(TlsAcceptor::from);
        Arc::new(Site { handler, roster, tls, http1, http2, max_header: config.max_header })
    }

    /// Serves `stream` until it is closed or handed on to a tunnel.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, connection: Arc<Connection>) {
        let Some((io, is_http2)) = Box::pin(self.open(stream, &connection)).await else { return };
        let peer = Peer { address: connection.peer, is_tls: self.tls.is_some() };
        let stack = stack(self.handler.clone(), peer, connection.clone(), self.max_header);
        let service = service_fn(move |request| stack.clone().call(request));
        let io = TokioIo::new(io);
        let ended = if is_http2 {
            connection.multiplexes();
            // Boxed: its state is large, and rare.
            let mut served = Box::pin(self.http2.serve_connection(io, service));
            heed(&connection, served.as_mut(), |served| finish(|| served.graceful_shutdown())).await
        } else {
            let mut served = pin!(self.http1.serve_connection(io, service).with_upgrades());
            heed(&connection, served.as_mut(), |served| finish(|| served.graceful_shutdown())).await
        };
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// What comes before HTTP: TLS, and which version is spoken. `None`: closed, or told to close; nothing was asked
    /// yet.
    async fn open(&self, stream: TcpStream, connection: &Arc<Connection>) -> Option<(Io, bool)> {
        let transport = match &self.tls {
            None => Transport::Plain(stream),
            Some(tls) => match heed(connection, pin!(tls.accept(stream)), |_| Next::Stop).await? {
                Ok(tls) => Transport::Tls(Box::new(tls)),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    return None;
                }
            },
        };
        let mut io = Io::new(transport, connection.clone());
        let is_http2 = heed(connection, pin!(io.speaks_http2()), |_| Next::Stop).await?.ok()?;
        Some((io, is_http2))
    }
}

/// Whether to go on after having been told to finish.
enum Next {
    GoOn,
    Stop,
}

fn finish(shut_down: impl FnOnce()) -> Next {
    shut_down();
    Next::GoOn
}

/// Runs `future`, minding the roster's orders: `on_finish` is called once when asked to finish; `None` when told to
/// close. The future is borrowed: as an argument it would lie twice in the state of every connection.
async fn heed<F: Future>(
    connection: &Connection,
    mut future: Pin<&mut F>,
    mut on_finish: impl FnMut(Pin<&mut F>) -> Next,
) -> Option<F::Output> {
    let mut told = false;
    poll_fn(|cx| {
        connection.served_by(cx.waker());
        match connection.order() {
            Order::Serve => {}
            Order::Finish if told => {}
            Order::Finish => {
                told = true;
                if let Next::Stop = on_finish(future.as_mut()) {
                    return Poll::Ready(None);
                }
            }
            Order::Close => return Poll::Ready(None),
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Spawns hyper's tasks for HTTP/2 streams the way all tasks are spawned here.
#[derive(Debug, Clone, Copy)]
struct Tasks;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        crate::task::spawn("http2-stream", future);
    }
}

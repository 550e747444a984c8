//! The socket of one connection, plain or TLS: gives back what was read to tell HTTP/2 from HTTP/1, and tells the
//! roster when bytes are written.
//!
//! What a reader could get wrong: closing a socket with unread bytes in it makes the kernel send RST, and the client
//! loses the answer that it was about to read (a 413 becomes "connection reset"). So `poll_shutdown` reads on after FIN
//! when the last request's body was refused, as nginx's `lingering_close` does; the roster ends it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::roster::Connection;

/// What an HTTP/2 client with prior knowledge sends first (RFC 9113, 3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bytes below HTTP.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A transport that is part of the roster: it stays entered until this is dropped, also when hyper has handed it on to
/// a tunnel.
#[derive(Debug)]
pub(super) struct Io {
    transport: Transport,
    /// Read already, to be read again.
    unread: Bytes,
    shut: bool,
    connection: Arc<Connection>,
}

impl Io {
    pub(super) fn new(transport: Transport, connection: Arc<Connection>) -> Io {
        Io { transport, unread: Bytes::new(), shut: false, connection }
    }

    /// Whether the client speaks HTTP/2: as ALPN says, or by the first bytes it sends.
    pub(super) async fn speaks_http2(&mut self) -> io::Result<bool> {
        if let Transport::Tls(tls) = &self.transport
            && let Some(protocol) = tls.get_ref().1.alpn_protocol()
        {
            return Ok(protocol == b"h2");
        }
        let mut start = [0; H2_PREFACE.len()];
        let mut length = 0;
        while length < start.len() && start[..length] == H2_PREFACE[..length] {
            match self.read(&mut start[length..]).await? {
                0 => break,
                n => length += n,
            }
        }
        self.unread = Bytes::copy_from_slice(&start[..length]);
        Ok(start == *H2_PREFACE)
    }

    fn transport(self: Pin<&mut Self>) -> Pin<&mut Transport> {
        Pin::new(&mut self.get_mut().transport)
    }

    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.connection.wrote(written.is_pending());
        written
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let n = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread[..n]);
            self.unread.advance(n);
            // Together with what follows: on a first read of 24 bytes hyper would double its buffer, for as long as the
            // connection. Whatever comes of this read comes again with the next.
            let _ = self.transport().poll_read(cx, buf);
            return Poll::Ready(Ok(()));
        }
        self.transport().poll_read(cx, buf)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.as_mut().transport().poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_mut().transport().poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        // rustls copies into records anyway: hyper does better to flatten.
        matches!(self.transport, Transport::Plain(_))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            // A TCP stream buffers nothing.
            Transport::Plain(_) => Poll::Ready(Ok(())),
            Transport::Tls(tls) => {
                let flushed = Pin::new(tls.as_mut()).poll_flush(cx);
                if flushed.is_pending() { self.note(flushed) } else { flushed }
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(self.as_mut().transport().poll_shutdown(cx))?;
            self.shut = true;
        }
        if !self.connection.lingers() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        // A client that sends as fast as we read must not keep the worker: a few reads, then the others' turn.
        for _ in 0..16 {
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(self.as_mut().transport().poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Calls the same method on whichever transport it is.
macro_rules! either {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Transport::Plain(tcp) => Pin::new(tcp).$method($($argument),*),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).$method($($argument),*),
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(cx))
    }
}

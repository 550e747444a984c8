//! A client of bare bytes over TCP, for what no HTTP library would send: broken heads, slow bodies, pipelines, upgrades.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// A connection to the gateway (or to a mock).
pub struct Raw {
    stream: TcpStream,
    buffer: BytesMut,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl Raw {
    pub async fn connect(addr: SocketAddr) -> Raw {
        let stream = within("a connection", TcpStream::connect(addr)).await.expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Raw { stream, buffer: BytesMut::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the peer takes the bytes");
    }

    /// Fails when the peer has gone.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        within("the peer takes the bytes", self.stream.write_all(bytes.as_ref())).await
    }

    /// Status line and headers of the next answer.
    pub async fn head(&mut self) -> Head {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return parse(&String::from_utf8_lossy(&head));
            }
            let read = within("an answer's head", self.stream.read_buf(&mut self.buffer)).await;
            assert!(matches!(read, Ok(1..)), "closed inside the head, after {:?}", self.buffer);
        }
    }

    /// Exactly that many bytes.
    pub async fn take(&mut self, length: usize) -> Bytes {
        while self.buffer.len() < length {
            let read = within("more bytes", self.stream.read_buf(&mut self.buffer)).await;
            assert!(matches!(read, Ok(1..)), "closed after {} of {length} bytes", self.buffer.len());
        }
        self.buffer.split_to(length).freeze()
    }

    /// A whole answer with a content length.
    pub async fn answer(&mut self) -> (Head, Bytes) {
        let head = self.head().await;
        let length = head.header("content-length").parse().unwrap_or(0);
        let body = self.take(length).await;
        (head, body)
    }

    /// Everything up to the peer's FIN or RST.
    pub async fn rest(mut self) -> Bytes {
        within("the peer closes", async { while let Ok(1..) = self.stream.read_buf(&mut self.buffer).await {} }).await;
        self.buffer.freeze()
    }

    /// Whether the peer has closed, once it had `time` to.
    pub async fn closed_within(&mut self, time: Duration) -> bool {
        let read = tokio::time::timeout(time, self.stream.read_buf(&mut self.buffer)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

/// A POST of JSON, as bytes.
pub fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn parse(head: &str) -> Head {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Head { status: status.unwrap_or_else(|| panic!("no status line: {head}")), headers }
}

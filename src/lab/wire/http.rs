//! A small HTTP/1.1 request reader that keeps what it read: a simulated server's eyes.
//!
//! What a reader could get wrong: header names keep the case they had on the wire, and `body` is de-chunked, while `raw_head`
//! is byte for byte what arrived.

use std::io;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query as on the request line.
    pub target: String,
    /// In order, with the case of the wire.
    pub headers: Vec<(String, String)>,
    /// Everything up to and including the empty line.
    pub raw_head: Bytes,
    pub body: Bytes,
    /// Which connection of this server it came on, counted from 0.
    pub connection: usize,
    /// When its body was complete.
    pub at: Instant,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Reads one request; `None` when the peer closed between two requests. `arrived` hears of each read's body bytes.
pub async fn read_request<S>(
    wire: &mut S,
    buffer: &mut BytesMut,
    connection: usize,
    arrived: impl Fn(usize),
) -> io::Result<Option<Request>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head_end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if wire.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let raw_head = buffer.split_to(head_end).freeze();
    let mut request = parse_head(&raw_head, connection)?;
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let chunked =
        request.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    request.body = if chunked {
        read_chunked(wire, buffer, arrived).await?
    } else {
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(invalid)?;
        read_exactly(wire, buffer, length, &arrived).await?
    };
    request.at = Instant::now();
    Ok(Some(request))
}

fn parse_head(raw_head: &Bytes, connection: usize) -> io::Result<Request> {
    let text = String::from_utf8_lossy(raw_head).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(_version)) = (first.next(), first.next(), first.next()) else {
        return Err(invalid("no request line"));
    };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        raw_head: raw_head.clone(),
        body: Bytes::new(),
        connection,
        at: Instant::now(),
    })
}

async fn read_chunked<S>(wire: &mut S, buffer: &mut BytesMut, arrived: impl Fn(usize)) -> io::Result<Bytes>
where
    S: AsyncRead + Unpin,
{
    let mut body = BytesMut::new();
    loop {
        let line = read_line(wire, buffer).await?;
        let digits = line.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&digits, 16).map_err(invalid)?;
        if size == 0 {
            while !read_line(wire, buffer).await?.is_empty() {}
            return Ok(body.freeze());
        }
        body.extend_from_slice(&read_exactly(wire, buffer, size, &arrived).await?);
        read_line(wire, buffer).await?;
    }
}

async fn read_line<S: AsyncRead + Unpin>(wire: &mut S, buffer: &mut BytesMut) -> io::Result<String> {
    loop {
        if let Some(end) = find(buffer, b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.advance(end + 2);
            return Ok(line);
        }
        if wire.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn read_exactly<S: AsyncRead + Unpin>(
    wire: &mut S,
    buffer: &mut BytesMut,
    length: usize,
    arrived: &impl Fn(usize),
) -> io::Result<Bytes> {
    arrived(buffer.len().min(length));
    while buffer.len() < length {
        buffer.reserve((length - buffer.len()).min(1 << 20));
        match wire.read_buf(buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => arrived(read),
        }
    }
    Ok(buffer.split_to(length).freeze())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

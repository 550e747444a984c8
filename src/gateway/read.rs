//! Reading a request: its body within limit and deadline, one scan into a view, its hints.
//!
//! What a reader could get wrong: a body that comes in one piece (almost every one does) is not copied.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::record::Record;
use crate::error::{Error, Kind, Result};
use crate::openai::view::{self, Malformed, View};
use crate::openai::{Endpoint, duet};
use crate::signals::{Hints, tokens};
use crate::task;

/// A body is not given more than this before its first bytes have come, whatever its `content-length` promises.
const FIRST_ALLOCATION: u64 = 64 << 10;

/// Reading a longer body takes more than some 200 microseconds: others that share the worker do not wait for it.
pub const LONG: usize = 256 << 10;

/// A request as the stages after this one see it.
#[derive(Debug)]
pub struct Read {
    pub endpoint: Endpoint,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub view: View,
    /// The model that was asked for.
    pub model: String,
    pub hints: Hints,
    /// Tokens of the prompt, estimated.
    pub input_tokens: u64,
    /// Others may follow the answer, and it may be kept up to so many bytes: usage stays in its stream for those who asked for it.
    pub shared: Option<usize>,
}

/// Takes a request in: its headers, and its body as it came.
pub async fn take(request: Request<Incoming>, record: &mut Record) -> Result<(HeaderMap, Bytes)> {
    let (parts, incoming) = request.into_parts();
    // A bad hint is refused before a large body is taken in.
    Hints::from_headers(&parts.headers)?;
    refuse_encoded(&parts.headers)?;
    let server = record.snapshot.server.clone();
    let reading = collect(incoming, server.max_body.0, server.body_timeout.0);
    let body = record.waiting(reading).await?;
    Ok((parts.headers, body))
}

/// Reads a request that names a model.
pub async fn read(endpoint: Endpoint, headers: HeaderMap, body: Bytes, record: &mut Record) -> Result<Read> {
    let read = match body.len() {
        LONG.. => record.waiting(task::blocking(move || understand(endpoint, headers, body))).await??,
        _ => understand(endpoint, headers, body)?,
    };
    record.stream = read.view.stream;
    Ok(read)
}

/// Scans a body and gathers the hints of body and headers.
pub fn understand(endpoint: Endpoint, headers: HeaderMap, body: Bytes) -> Result<Read> {
    let body = duet::without_drafts(endpoint, body);
    let view = view::scan(endpoint, &body).map_err(|m| malformed(&m))?;
    let model = view
        .model_name(&body)
        .ok_or_else(|| Error::client(Kind::InvalidRequest, "you must provide a model parameter").with_param("model"))?;
    let model = model.map(Cow::into_owned).map_err(|m| malformed(&m))?;
    let from_headers = Hints::from_headers(&headers)?;
    let hints = match &view.hints {
        None => from_headers,
        Some(member) => {
            let object = body.get(member.value.clone()).unwrap_or_default();
            from_headers.merge(Hints::from_body(object)?)?
        }
    };
    let messages = view.pieces.iter().map(|piece| piece.message + 1).max().unwrap_or(0);
    let texts = view.pieces.iter().filter_map(|piece| body.get(piece.range.clone()));
    let input_tokens = tokens::estimate_pieces(texts, messages);
    Ok(Read { endpoint, headers, body, view, model, hints, input_tokens, shared: None })
}

/// No SDK compresses requests; guessing at one would mean forwarding what was never looked at.
fn refuse_encoded(headers: &HeaderMap) -> Result<()> {
    match headers.get(http::header::CONTENT_ENCODING) {
        Some(value) if value != "identity" => Err(Error::client(
            Kind::InvalidRequest,
            "compressed request bodies are not taken; send it without content-encoding",
        )),
        _ => Ok(()),
    }
}

fn malformed(m: &Malformed) -> Error {
    let error =
        Error::client(Kind::InvalidRequest, format!("the request body cannot be read: {} (at byte {})", m.what, m.at));
    match m.param {
        Some(param) => error.with_param(param),
        None => error,
    }
}

/// The whole body, at most `limit` bytes, within `time`.
pub async fn collect(mut incoming: Incoming, limit: u64, time: Duration) -> Result<Bytes> {
    let too_large = || {
        Error::client(Kind::RequestTooLarge, format!("the request body is larger than server.max_body ({limit} bytes)"))
    };
    let expected = incoming.size_hint().lower();
    if expected > limit {
        return Err(too_large());
    }
    let read = async {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(gone)?;
            let Ok(data) = frame.into_data() else { continue };
            if (first.len() + all.len() + data.len()) as u64 > limit {
                return Err(too_large());
            }
            if first.is_empty() && all.is_empty() {
                first = data;
                continue;
            }
            if all.is_empty() {
                let room = expected.clamp(first.len() as u64, FIRST_ALLOCATION.max(2 * first.len() as u64));
                all.reserve(usize::try_from(room).unwrap_or(0));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    };
    let slow = || Error::client(Kind::RequestTimeout, "the request body did not arrive within server.body_timeout");
    tokio::time::timeout(time, read).await.map_err(|_| slow())?
}

/// So much of a refused request's body is taken in.
const DISCARDED: usize = 1 << 20;
/// And for so long.
const DISCARDING: Duration = Duration::from_secs(1);

/// Reads a refused request's body to its end, within reason: a connection that is closed with unread bytes on it is reset, and the client may
/// never see why it was refused (what nginx calls a lingering close). One who waits to be asked for the body is not.
pub async fn discard(request: Request<Incoming>) {
    if request.headers().contains_key(http::header::EXPECT) {
        return;
    }
    let mut body = request.into_body();
    let mut left = DISCARDED;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Late is as good as done: the answer goes out either way.
    let _ = tokio::time::timeout(DISCARDING, read).await;
}

fn gone(error: hyper::Error) -> Error {
    Error::client(Kind::ClientGone, "the request body broke off").with_source(error)
}

//! Progressive answers: a draft of the edge's is told at once, while the cloud's answer is under way.
//!
//! What a reader could get wrong: the head goes out when the draft begins, with the cloud still being asked. So from then on everything that the
//! request holds lives in the answer's body, as one future (`play`) that goes on only while the client takes in what it tells.

mod play;
mod stage;
mod told;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::read::{LONG, Read};
use super::recall::Recalled;
use super::record::Record;
use super::{Body, Gateway};
use crate::error::{Error, Kind, Result};
use crate::openai::Endpoint;
use crate::openai::canon;
use crate::openai::duet::Duet;
use crate::signals::hints::ModeHint;
use crate::task;

pub use stage::Playing;
use stage::Stage;

/// What became of the wish for a progressive answer, as `x-tidegate-mode` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nobody wished for it.
    #[default]
    Unasked,
    /// An ordinary answer: it cannot have a draft, nobody could make both, it was remembered, or the cloud was first.
    Off,
    /// A draft beside the answer.
    Progressive,
    /// What would have been the draft is the answer, because the cloud had failed before it began.
    Draft,
}

impl Mode {
    /// The header's value, where one was asked for.
    pub fn header(self) -> Option<HeaderValue> {
        let value = match self {
            Mode::Unasked => return None,
            Mode::Off => "off",
            Mode::Progressive => "progressive",
            Mode::Draft => "draft",
        };
        Some(HeaderValue::from_static(value))
    }
}

/// Whether the request asks for a progressive answer.
///
/// # Errors
/// It asks for one in a form that has none.
pub fn is_asked(read: &Read) -> Result<bool> {
    if read.hints.mode != Some(ModeHint::Progressive) {
        return Ok(false);
    }
    if !Duet::is_for(read.endpoint) {
        let message = "x-tidegate-mode: progressive is for chat completions and responses; leave it out";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("x-tidegate-mode"));
    }
    if !read.view.stream {
        let message = "x-tidegate-mode: progressive needs a stream to tell the draft in: set `stream` to true";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("x-tidegate-mode"));
    }
    Ok(true)
}

/// Whether the answer was not found in memory, and others may be asked for it.
pub fn may_be_asked(recalled: &Recalled) -> bool {
    match recalled {
        Recalled::Answered(_) => false,
        Recalled::Alone => true,
        Recalled::Wanted(wanted) => !wanted.only_if_kept,
    }
}

/// Whether the request can have a draft. Tools are called once, and JSON in two halves is none; a provider's stored conversations are
/// not known at the edge.
pub async fn may_have_draft(read: &Read) -> bool {
    let view = &read.view;
    if view.has_tools || view.choices > 1 || view.json_answer || continues(read) {
        return false;
    }
    let (endpoint, body) = (read.endpoint, read.body.clone());
    let canon = match body.len() {
        LONG.. => task::blocking(move || canon::canon(endpoint, &body, None)).await,
        _ => Ok(canon::canon(endpoint, &body, None)),
    };
    matches!(canon, Ok(Ok(canon)) if !canon.is_live)
}

/// What was said before is kept by the provider, and nobody else knows it.
fn continues(read: &Read) -> bool {
    #[derive(Deserialize)]
    struct Said {
        previous_response_id: Option<IgnoredAny>,
    }
    read.endpoint == Endpoint::Responses
        && serde_json::from_slice::<Said>(&read.body).is_ok_and(|said| said.previous_response_id.is_some())
}

/// inspect → decide → both.
pub async fn ask(gateway: &Gateway, read: Read, record: Box<Record>) -> Response<Body> {
    let stage = Arc::new(Stage::default());
    let mut play: stage::Play = Box::pin(play::play(gateway.clone(), read, record, Arc::clone(&stage)));
    let begun = poll_fn(|cx| match play.as_mut().poll(cx) {
        Poll::Ready(whole) => Poll::Ready((whole, true)),
        Poll::Pending if stage.is_open() => Poll::Ready((None, false)),
        Poll::Pending => Poll::Pending,
    });
    let (whole, is_over) = begun.await;
    if let Some(whole) = whole {
        return whole;
    }
    let Some((status, headers)) = stage.head() else { return fault() };
    let playing = Playing::new(if is_over { None } else { Some(play) }, stage);
    let mut response = Response::new(Body::Playing(Box::new(playing)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A play that ends without a word: there is none.
fn fault() -> Response<Body> {
    let mut response = Response::new(Body::whole(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

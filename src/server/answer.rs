//! The body of an answer: the handler's own, or one of the server's short errors; it holds the request's place among
//! those in flight until it is dropped, which is when hyper has taken its last byte or the client is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::roster::InFlight;

pin_project! {
    /// An answer's body.
    #[derive(Debug)]
    pub struct Answer<B> {
        #[pin]
        inner: Inner<B>,
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = InnerProjection]
    #[derive(Debug)]
    enum Inner<B> {
        Handler { #[pin] body: B },
        Fixed { bytes: Option<Bytes> },
    }
}

/// The errors that the server itself answers, before or instead of the gateway; all others come from `openai/error.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Overloaded,
    HeadersTooLarge,
    Panicked,
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Refusal::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":{"message":"the gateway is at its limit of requests in flight, try again shortly","type":"server_error","param":null,"code":"overloaded"}}"#,
            ),
            Refusal::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                r#"{"error":{"message":"the request line and headers are larger than this gateway accepts, send fewer or shorter headers","type":"invalid_request_error","param":null,"code":"headers_too_large"}}"#,
            ),
            Refusal::Panicked => (
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"error":{"message":"the gateway failed while it worked on this request, report it with its x-request-id","type":"server_error","param":null,"code":"internal_error"}}"#,
            ),
        }
    }

    pub(super) fn response<B>(self) -> Response<Answer<B>> {
        let (status, body) = self.parts();
        let mut response = Response::new(Answer {
            inner: Inner::Fixed { bytes: Some(Bytes::from_static(body.as_bytes())) },
            in_flight: None,
        });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self == Refusal::Overloaded {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl<B> Answer<B> {
    /// The handler's own body.
    pub(super) fn handler(body: B) -> Answer<B> {
        Answer { inner: Inner::Handler { body }, in_flight: None }
    }

    /// Keeps the request in flight until the body is dropped.
    pub(super) fn hold(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }
}

impl<B: Body<Data = Bytes>> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().inner.project() {
            InnerProjection::Handler { body } => body.poll_frame(cx),
            InnerProjection::Fixed { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Handler { body } => body.is_end_stream(),
            Inner::Fixed { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Handler { body } => body.size_hint(),
            Inner::Fixed { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

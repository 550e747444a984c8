//! A mock upstream that costs as little as can be: one thread, canned answers. `mock ADDR` prints `listening ADDR` and serves.
//!
//! What a reader could get wrong: the first segment of the path picks the answer (`/json/…`, `/sse/…`, `/burst/…`), so that every
//! proxy under test can ask for each kind by its base URL alone.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep};

/// Chunks of a stream, as many as a short answer has tokens.
const CHUNKS: u32 = 100;
/// Time between two chunks: a fast model.
const PACE: Duration = Duration::from_millis(2);

/// The three kinds of answer.
enum Answer {
    /// About 1 KB of JSON at once.
    Whole(Option<Bytes>),
    /// `CHUNKS` events and `[DONE]`, each when its time has come.
    Stream { left: u32, event: Bytes, pace: Pace },
}

/// When the next chunk of a stream goes out.
enum Pace {
    Timed(Pin<Box<Sleep>>),
    /// At once, but each in a write of its own, as providers do: the flag tells that the writer had its turn.
    Burst(bool),
}

impl Pace {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Pace::Timed(sleep) => {
                std::task::ready!(sleep.as_mut().poll(cx));
                sleep.as_mut().reset(Instant::now() + PACE);
                Poll::Ready(())
            }
            Pace::Burst(flushed) => {
                *flushed = !*flushed;
                if *flushed {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            }
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Answer::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Answer::Stream { left: 0, .. } => Poll::Ready(None),
            Answer::Stream { left, event, pace } => {
                std::task::ready!(pace.poll(cx));
                *left -= 1;
                let bytes = if *left == 0 { Bytes::from_static(b"data: [DONE]\n\n") } else { event.clone() };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Whole(None) | Answer::Stream { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Answer::Stream { .. } => SizeHint::default(),
        }
    }
}

fn completion() -> Bytes {
    let content = "The river carries what the hills let go. ".repeat(16);
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":220,"completion_tokens":160,"total_tokens":380}},"system_fingerprint":"fp_mock"}}"#
    ))
}

fn event() -> Bytes {
    Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock\",\
          \"choices\":[{\"index\":0,\"delta\":{\"content\":\" tide\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    )
}

async fn answer(request: Request<Incoming>, completion: Bytes, event: Bytes) -> Result<Response<Answer>, Infallible> {
    let kind = request.uri().path().split('/').nth(1).unwrap_or("").to_owned();
    // Read to its end, so that the connection can be used again.
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let (content_type, body) = match kind.as_str() {
        "sse" => (
            "text/event-stream",
            Answer::Stream { left: CHUNKS + 1, event, pace: Pace::Timed(Box::pin(tokio::time::sleep(PACE))) },
        ),
        "burst" => ("text/event-stream", Answer::Stream { left: CHUNKS + 1, event, pace: Pace::Burst(false) }),
        _ => ("application/json", Answer::Whole(Some(completion))),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening {}", listener.local_addr()?);
    let (completion, event) = (completion(), event());
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (completion, event) = (completion.clone(), event.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, completion.clone(), event.clone()));
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

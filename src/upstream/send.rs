//! One attempt at one node, until the head of its answer: connect (or reuse), send, wait, each within its deadline.
//!
//! What a reader could get wrong: the last check of locality stands here, independent of policy, right before the socket. A request that may
//! not leave the edge stops here even if everything above is wrong.

use std::future::Future;

use http::header::HOST;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Method, Request, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::body::Outgoing;
use super::connection::{self, Protocols, Sender};
use super::node::InFlight;
use super::{Node, Timeouts};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};

/// Where a request may go, decided once by its constraints and checked again here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    Anywhere,
    EdgeOnly,
    /// The edge as it is, the cloud only redacted.
    RedactedBeyond,
}

/// What is to be sent and how long it may take.
#[derive(Debug)]
pub struct Outbound<'a> {
    pub method: Method,
    pub path: &'a PathAndQuery,
    /// Without `host`; credentials included.
    pub headers: HeaderMap,
    pub placement: Placement,
    pub locality: Locality,
    /// What personal data was to be hidden has been.
    pub redacted: bool,
    pub timeouts: Timeouts,
    /// The attempt's end whatever happens.
    pub deadline: Instant,
    /// This worker's index.
    pub worker: usize,
    /// The answer may switch protocols (WebSocket).
    pub upgrade: bool,
}

/// An answer whose body is still to come, and the connection it comes on.
#[derive(Debug)]
pub struct Answer {
    pub head: http::response::Parts,
    pub body: Incoming,
    pub lease: Lease,
}

/// A connection lent to one answer. `finish` gives it back; dropping it closes the connection and so cancels the request upstream.
#[derive(Debug)]
pub struct Lease {
    sender: Option<Sender>,
    worker: usize,
    pub place: InFlight,
}

impl Lease {
    /// The answer has been read to its end: the connection can take the next request.
    pub fn finish(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.place.node().checkin(self.worker, sender);
        }
    }
}

/// Sends and waits for the head. `body` makes the request's body, again if a kept connection turned out to be dead; it gives `None` if it cannot.
pub async fn send(
    place: InFlight,
    outbound: &Outbound<'_>,
    mut body: impl FnMut() -> Option<Outgoing>,
    on_violation: impl FnOnce(),
) -> Result<Answer> {
    let may_leave = match outbound.locality {
        Locality::Anywhere => true,
        Locality::EdgeOnly => false,
        Locality::RedactedBeyond => outbound.redacted,
    };
    if !may_leave && outbound.placement != Placement::Edge {
        on_violation();
        return Err(Error::gateway(
            Kind::Internal,
            "a request bound to the edge was stopped in front of a cloud upstream",
        ));
    }
    let node = place.node();
    loop {
        let (sender, reused) = connect(node, outbound).await?;
        let Some(body) = body() else {
            return Err(Error::upstream(
                Kind::Broken,
                "the upstream closed the connection while the upload was under way",
            ));
        };
        let request = request(node, outbound, &sender, body)?;
        match exchange(sender, request, outbound).await {
            Ok((response, sender)) => {
                let (head, body) = response.into_parts();
                let lease = Lease { sender: Some(sender), worker: outbound.worker, place };
                return Ok(Answer { head, body, lease });
            }
            // The server closed a kept connection just when it was used again: nobody's failure, as long as it happens to kept ones.
            Err(Failure { error, dead: true }) if reused => drop(error),
            Err(Failure { error, .. }) => return Err(error),
        }
    }
}

struct Failure {
    error: Error,
    /// The connection ended before anything of an answer came.
    dead: bool,
}

async fn connect(node: &Node, outbound: &Outbound<'_>) -> Result<(Sender, bool)> {
    if !outbound.upgrade {
        while let Some(mut sender) = node.checkout(outbound.worker) {
            if sender.ready().await.is_ok() {
                return Ok((sender, true));
            }
        }
    }
    let protocols = if outbound.upgrade { Protocols::Http1 } else { Protocols::Any };
    let by = outbound.deadline.min(Instant::now() + outbound.timeouts.connect);
    let timed_out = "the upstream did not accept the connection in time";
    // Boxed: opening is rare and its future large (TLS, HTTP/2); every request would carry its size.
    let mut sender = within(by, Box::pin(connection::open(node, protocols)), Kind::Timeout, timed_out).await??;
    let broken = |error| Error::upstream(Kind::Broken, "the upstream closed the connection").with_source(error);
    sender.ready().await.map_err(broken)?;
    if let Some(shared) = sender.share() {
        node.checkin(outbound.worker, shared);
    }
    Ok((sender, false))
}

async fn exchange(
    mut sender: Sender,
    request: Request<Outgoing>,
    outbound: &Outbound<'_>,
) -> Result<(http::Response<Incoming>, Sender), Failure> {
    let by = outbound.deadline.min(Instant::now() + outbound.timeouts.first_token);
    let answered = within(by, sender.send(request), Kind::Timeout, "the upstream did not answer in time").await;
    match answered {
        Err(error) => Err(Failure { error, dead: false }),
        Ok(Ok(response)) => Ok((response, sender)),
        Ok(Err(unsent)) => {
            let error = unsent.into_error();
            let dead = error.is_canceled() || error.is_closed() || error.is_incomplete_message() || is_reset(&error);
            Err(Failure { error: broken(error), dead })
        }
    }
}

fn is_reset(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| {
        matches!(
            io.kind(),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::NotConnected
        )
    })
}

/// A failed exchange: the client's upload or the upstream's answer.
fn broken(error: hyper::Error) -> Error {
    let source = std::error::Error::source(&error);
    if source.is_some_and(<dyn pingora_core::ErrorTrait + 'static>::is::<super::body::TooLarge>) {
        return Error::client(Kind::RequestTooLarge, "the upload is larger than server.max_upload");
    }
    if source.is_some_and(<dyn pingora_core::ErrorTrait + 'static>::is::<super::body::TooSlow>) {
        return Error::client(Kind::RequestTimeout, "the upload paused for longer than server.body_timeout");
    }
    let what = if error.is_parse() {
        "the upstream's answer is no valid HTTP"
    } else {
        "the upstream closed the connection before it answered"
    };
    Error::upstream(Kind::Broken, what).with_source(error)
}

fn request(node: &Node, outbound: &Outbound<'_>, sender: &Sender, body: Outgoing) -> Result<Request<Outgoing>> {
    let mut request = Request::new(body);
    *request.method_mut() = outbound.method.clone();
    *request.headers_mut() = outbound.headers.clone();
    let shared = sender.is_shared();
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(outbound.path.clone());
    if shared {
        uri.scheme = Some(node.scheme.clone());
        uri.authority = Some(node.authority.clone());
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(http::header::CONNECTION);
    } else {
        request.headers_mut().insert(HOST, node.host_header.clone());
    }
    *request.uri_mut() = Uri::from_parts(uri)
        .map_err(|error| Error::gateway(Kind::Internal, "the upstream's address makes no URL").with_source(error))?;
    Ok(request)
}

async fn within<F: Future>(by: Instant, future: F, kind: Kind, message: &'static str) -> Result<F::Output> {
    tokio::time::timeout_at(by, future).await.map_err(|_| Error::upstream(kind, message))
}

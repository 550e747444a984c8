//! Every `/v1` path that is not routed by model: sent to the configured upstream as it is, streamed both ways.
//!
//! What a reader could get wrong: nothing is read here (files and batches may have been, to see whose they are), so nothing is known of the content: a request that may not leave the edge is refused
//! where the upstream is a cloud, whatever the path. An upload cannot be sent twice, so there is no second attempt.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use super::answer::{Answered, Flow};
use super::desk::Desk;
use super::record::Record;
use super::relay::Events;
use super::watchdog::Watchdog;
use super::{Gateway, attempt, decide, fee, headers, tunnel};
use crate::config::file::{Placement, Server};
use crate::error::{Error, Kind, Result};
use crate::signals::Hints;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Locality, Outbound};
use crate::upstream::{Ask, Upstream};

/// A request's body.
#[derive(Debug)]
pub enum Sent {
    /// As it comes in, behind what was read of it already.
    Streamed(Vec<Bytes>, Incoming),
    Whole(Bytes),
}

/// Passes one request through.
pub async fn run(gateway: &Gateway, mut request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let client = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    pass(gateway, parts, Sent::Streamed(vec![], incoming), client, record).await
}

/// Passes a request through that was read, or begun to be, and found to be nobody's here.
pub async fn run_read(gateway: &Gateway, parts: Parts, body: Sent, record: &mut Record) -> Result<Answered> {
    pass(gateway, parts, body, None, record).await
}

/// Where a request goes that is passed through, and what it is bound to.
///
/// # Errors
/// There is nowhere, or the request may not go there.
pub fn destination(headers: &HeaderMap, record: &mut Record) -> Result<(Arc<Upstream>, Hints, Locality)> {
    let upstream = record.snapshot.passthrough.clone().ok_or_else(|| {
        Error::client(
            Kind::NotFound,
            "this path is not routed by model, and no upstream is configured for it (`passthrough`)",
        )
    })?;
    let hints = Hints::from_headers(headers)?;
    record.privacy = record.admission.privacy(&hints);
    let placement = record.admission.placement(&hints);
    let locality = decide::locality_unread(placement, record.privacy);
    let forbidden = placement.forbids(upstream.placement()).is_some();
    if forbidden || attempt::stays_home(locality, upstream.placement()) {
        let (bound, is) = match upstream.placement() {
            Placement::Cloud => ("stay at the edge", "a cloud"),
            Placement::Edge => ("run in the cloud", "at the edge"),
        };
        let message = format!(
            "no eligible target: the request must {bound}, and this path goes to `{}`, which is {is}",
            upstream.name
        );
        return Err(Error::gateway(Kind::NoEligibleTarget, message));
    }
    keep_to_regions(record, &upstream)?;
    Ok((upstream, hints, locality))
}

async fn pass(
    gateway: &Gateway,
    parts: Parts,
    body: Sent,
    client: Option<OnUpgrade>,
    record: &mut Record,
) -> Result<Answered> {
    record.elsewhere = record.snapshot.passthrough.clone();
    let (upstream, hints, locality) = destination(&parts.headers, record)?;
    record.seen.endpoint = fee::endpoint(parts.uri.path());
    fee::reserve(record, &upstream, &parts.method, parts.uri.path(), client.is_some())?;
    let server = record.snapshot.server.clone();
    let mut body = body.outgoing(&server);
    if body.bytes() > server.max_upload.0 {
        return Err(Error::client(Kind::RequestTooLarge, "the upload is larger than server.max_upload"));
    }
    let path = PathAndQuery::try_from(upstream.provider.other(parts.uri.path_and_query().map_or("/", |p| p.as_str())))
        .map_err(|error| Error::client(Kind::InvalidRequest, "the path is no valid URL").with_source(error))?;
    let ours = Instant::now() + upstream.timeouts.total;
    let outbound = Outbound {
        method: parts.method,
        path: &path,
        headers: upwards(&parts.headers, &upstream, client.is_some()),
        placement: upstream.placement(),
        locality,
        redacted: false,
        timeouts: upstream.timeouts,
        deadline: hints
            .deadline_ms
            .map_or(ours, |ms| ours.min(record.arrived() + std::time::Duration::from_millis(ms))),
        worker: gateway.worker,
        upgrade: client.is_some(),
    };
    let place = upstream.pool.pick(&Ask::default(), &[]).ok_or_else(|| {
        Error::upstream(Kind::Connect, format!("upstream `{}` has no node to ask now", upstream.name))
    })?;
    let attempt = record.begin_passthrough(&upstream, &place);
    // What the client announced; a body of unknown length counts as nothing.
    let bytes = body.bytes();
    let body = || Some((body.next()?, bytes));
    let violations = &gateway.shared.durable.metrics.locality_violations;
    let sent = Desk::new(record).sending(attempt, place, &outbound, body, || violations.inc()).await;
    let answer = sent.inspect_err(|error| record.failed_attempt(attempt, error.kind))?;
    record.answering(attempt, answer.head.status);
    let deadline = outbound.deadline;
    relay(answer, client, deadline, &upstream)
}

/// A body on its way. What is empty can be sent again, nothing else can.
enum Sending {
    Empty,
    Once(Option<Outgoing>),
}

impl Sent {
    fn outgoing(self, server: &Server) -> Sending {
        match self {
            Sent::Whole(body) if body.is_empty() => Sending::Empty,
            Sent::Whole(body) => Sending::Once(Some(Outgoing::segments(smallvec::smallvec![body]))),
            Sent::Streamed(begun, rest) if begun.is_empty() && rest.is_end_stream() => Sending::Empty,
            Sent::Streamed(begun, rest) => {
                Sending::Once(Some(Outgoing::upload(begun, rest, server.max_upload.0, server.body_timeout.0)))
            }
        }
    }
}

impl Sending {
    /// How many there are, as far as is known.
    fn bytes(&self) -> u64 {
        match self {
            Sending::Empty | Sending::Once(None) => 0,
            Sending::Once(Some(body)) => body.size_hint().lower(),
        }
    }

    fn next(&mut self) -> Option<Outgoing> {
        match self {
            Sending::Empty => Some(Outgoing::empty()),
            Sending::Once(body) => body.take(),
        }
    }
}

/// A path that is not routed has no plan, but the tenant's data stays where it may be all the same.
fn keep_to_regions(record: &Record, upstream: &Upstream) -> Result<()> {
    let Some(allowed) = record.admission.tenant().and_then(|tenant| tenant.regions.as_ref()) else { return Ok(()) };
    let stays = match &upstream.section.region {
        Some(region) => allowed.contains(region),
        None => upstream.placement() == Placement::Edge,
    };
    if stays {
        return Ok(());
    }
    let message =
        format!("no eligible target: this path goes to `{}`, which is in none of the allowed regions", upstream.name);
    Err(Error::gateway(Kind::NoEligibleTarget, message))
}

fn relay(answer: send::Answer, client: Option<OnUpgrade>, deadline: Instant, upstream: &Upstream) -> Result<Answered> {
    let send::Answer { mut head, body, lease } = answer;
    let status = head.status;
    let switched = head.extensions.remove::<OnUpgrade>();
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(client), Some(switched)) = (status, client, switched) {
        let protocol = head.headers.get(UPGRADE).cloned();
        let mut headers = headers::downwards(head.headers);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.extend(protocol.map(|p| (UPGRADE, p)));
        return Ok(Answered {
            status,
            headers,
            flow: Flow::Tunnel(tunnel::Ends { client, upstream: switched, lease }),
        });
    }
    let watchdog = Watchdog::new(upstream.timeouts.between_tokens, deadline);
    let is_stream = head.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream"));
    let headers = headers::downwards(head.headers);
    let flow = if is_stream && !headers.contains_key(http::header::CONTENT_ENCODING) {
        Flow::Events(Box::new(Events::new(body, lease, watchdog, Arc::clone(upstream.provider.private()))))
    } else {
        Flow::Plain { begun: Bytes::new(), rest: body, watchdog, lease }
    };
    Ok(Answered { status, headers, flow })
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && headers
            .get(CONNECTION)
            .and_then(|c| c.to_str().ok())
            .is_some_and(|c| c.to_ascii_lowercase().contains("upgrade"))
}

fn upwards(client: &HeaderMap, upstream: &Upstream, upgrade: bool) -> HeaderMap {
    let mut headers = headers::upwards(client, false);
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.extend(client.get(UPGRADE).cloned().map(|protocol| (UPGRADE, protocol)));
    }
    if let Some((name, value)) = &upstream.credentials {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

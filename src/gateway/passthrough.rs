//! Every `/v1` path that is not routed by model: sent to the configured upstream as it is, streamed both ways.
//!
//! What a reader could get wrong: nothing is read here, so nothing is known of the content: a request that may not leave the edge is refused
//! where the upstream is a cloud, whatever the path. An upload cannot be sent twice, so there is no second attempt.

use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use super::answer::{Answered, Flow};
use super::desk::Desk;
use super::record::Record;
use super::relay::{Events, Watchdog};
use super::{Gateway, attempt, decide, fee, headers, tunnel};
use crate::config::file::Placement;
use crate::error::{Error, Kind, Result};
use crate::signals::Hints;
use crate::upstream::body::Outgoing;
use crate::upstream::send::{self, Outbound};
use crate::upstream::{Ask, Upstream};

/// Passes one request through.
pub async fn run(gateway: &Gateway, mut request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let upstream = record.snapshot.passthrough.clone().ok_or_else(|| {
        Error::client(
            Kind::NotFound,
            "this path is not routed by model, and no upstream is configured for it (`passthrough`)",
        )
    })?;
    record.elsewhere = Some(Arc::clone(&upstream));
    let hints = Hints::from_headers(request.headers())?;
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
    record.seen.endpoint = fee::endpoint(request.uri().path());
    fee::reserve(record, &upstream, request.method(), request.uri().path(), is_upgrade(request.headers()))?;
    let server = record.snapshot.server.clone();
    if request.body().size_hint().lower() > server.max_upload.0 {
        return Err(Error::client(Kind::RequestTooLarge, "the upload is larger than server.max_upload"));
    }
    let client = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
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
    let replayable = incoming.is_end_stream();
    // What the client announced; a body of unknown length counts as nothing.
    let incoming_bytes = incoming.size_hint().lower();
    let mut upload = Some(Outgoing::upload(incoming, server.max_upload.0, server.body_timeout.0));
    let bytes = incoming_bytes;
    let body = || Some((if replayable { Outgoing::empty() } else { upload.take()? }, bytes));
    let violations = &gateway.shared.durable.metrics.locality_violations;
    let sent = Desk::new(record).sending(attempt, place, &outbound, body, || violations.inc()).await;
    let answer = sent.inspect_err(|error| record.failed_attempt(attempt, error.kind))?;
    record.answering(attempt, answer.head.status);
    let deadline = outbound.deadline;
    relay(answer, client, deadline, &upstream)
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
        Flow::Events(Box::new(Events::new(body, lease, watchdog, false)))
    } else {
        Flow::Plain { begun: bytes::Bytes::new(), rest: body, watchdog, lease }
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

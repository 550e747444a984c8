//! A good answer, held until it is certain enough to commit to: a plain one to its end (within reason), a stream to its first word. Values that
//! were hidden from the upstream are put back here.
//!
//! What a reader could get wrong: as long as nothing has been committed, the next target can take over without anybody noticing.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::answer::{Answered, Flow};
use super::headers;
use super::read::Read;
use super::relay::Events;
use super::trial::Trial;
use super::watchdog::Watchdog;
use crate::confidence::Verdict;
use crate::error::{Error, Kind, Result};
use crate::openai::produced::Produced;
use crate::openai::{Endpoint, usage};
use crate::pii::restore::stream::Stream;
use crate::pii::restore::text::Restorer;
use crate::pii::restore::whole;
use crate::upstream::Target;
use crate::upstream::send::{Answer, Lease};

const EVENTS: &[u8] = b"text/event-stream";

/// A plain answer up to this size is read to its end before it is committed, so that a node that dies in the middle of it costs nothing.
const HELD_ANSWER: usize = 256 << 10;
/// One whose values are put back is read whole up to this size; beyond, labels stay in it.
const RESTORED_ANSWER: usize = 64 << 20;
/// The longest that a client waits for a verdict after the first word of a stream: with the next target's first token behind it, it still
/// is within what people wait for.
const LONGEST_TRIAL: Duration = Duration::from_millis(1500);
/// The upstream's own figures, and the answer's tokens as counted here where it gives none.
pub(super) type Figures = (Option<usage::Usage>, u64);

/// A good answer, held until it is certain enough.
pub(super) struct Hold<'a> {
    pub(super) read: &'a Read,
    pub(super) target: &'a Target,
    pub(super) deadline: Instant,
    pub(super) started: Instant,
    /// Puts values back into the answer.
    pub(super) restorer: Option<Arc<Restorer>>,
    /// What it must come up to.
    pub(super) trial: Option<Trial>,
}

/// An answer that may be committed to.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) answered: Answered,
    pub(super) figures: Figures,
    /// What the judge said; `None`: it was not judged.
    pub(super) verdict: Option<Verdict>,
}

impl Hold<'_> {
    pub(super) async fn commit(self, answer: Answer) -> Result<Held> {
        let Answer { head, body, lease } = answer;
        let is_stream = head.headers.get(CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().get(..EVENTS.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
        });
        let status = head.status;
        let headers = headers::downwards(head.headers);
        if is_stream {
            let (events, verdict) = self.stream(body, lease).await?;
            let figures = events.figures();
            let answered = Answered { status, headers, flow: Flow::Events(Box::new(events)) };
            return Ok(Held { answered, figures, verdict });
        }
        self.plain(status, headers, body, lease).await
    }

    fn watchdog(&self) -> Watchdog {
        Watchdog::new(self.target.upstream.timeouts.between_tokens, self.deadline)
    }

    async fn plain(self, status: StatusCode, headers: HeaderMap, body: Incoming, mut lease: Lease) -> Result<Held> {
        let by = self.deadline.min(self.started + self.target.upstream.timeouts.first_token);
        let late = |_| Error::upstream(Kind::Timeout, "the upstream did not finish its answer in time");
        let kept = self.read.shared.unwrap_or(0).max(HELD_ANSWER);
        let is_changed = self.restorer.is_some() || self.trial.is_some();
        let limit = if is_changed { RESTORED_ANSWER } else { kept };
        let gathered = tokio::time::timeout_at(by, gather(body, BytesMut::new(), limit)).await.map_err(late)?;
        let (begun, rest) = gathered.map_err(broken)?;
        // What is encoded cannot be looked into, and what is long begins an answer.
        if rest.is_none()
            && !headers.contains_key(CONTENT_ENCODING)
            && let Some(error) = self.target.upstream.provider.unsound(self.read.endpoint, &begun)
        {
            lease.finish();
            return Err(error);
        }
        let (begun, verdict) = match self.trial {
            Some(trial) if rest.is_none() => trial.of_answer(begun),
            _ => (begun, None),
        };
        let usage = usage::of_answer(&begun);
        let mut produced = Produced::default();
        if usage.is_none() {
            produced.answer(&begun);
        }
        let flow = match rest {
            Some(rest) => {
                let watchdog = Watchdog::new(self.target.upstream.timeouts.between_tokens, self.deadline);
                Flow::Plain { begun, rest, watchdog, lease }
            }
            None => {
                lease.finish();
                match &self.restorer {
                    Some(restorer) => Flow::Whole(whole::restore(restorer, &begun)),
                    None => Flow::Whole(begun),
                }
            }
        };
        let answered = Answered { status, headers, flow };
        Ok(Held { answered, figures: (usage, produced.tokens()), verdict })
    }

    async fn stream(self, body: Incoming, lease: Lease) -> Result<(Events, Option<Verdict>)> {
        let by = self.deadline.min(self.started + self.target.upstream.timeouts.first_token);
        let asked = self.read.view.stream_options.as_ref().is_some_and(|o| o.include_usage);
        let strip_usage = !asked
            && self.read.shared.is_none()
            && matches!(self.read.endpoint, Endpoint::Chat | Endpoint::Completions);
        let private = Arc::clone(self.target.upstream.provider.private());
        let mut events = Events::new(body, lease, self.watchdog(), private).of(self.read.endpoint);
        events.strip_usage(strip_usage);
        if let Some(restorer) = self.restorer.clone() {
            events.restore(Stream::new(restorer));
        }
        let bound = self.trial.as_ref().filter(|trial| !trial.looks_on).map(|trial| trial.bound);
        if let Some(Trial { judge, remover, .. }) = self.trial {
            events.judge(judge, remover);
        }
        let late = |_| Error::upstream(Kind::Timeout, "the upstream's stream did not begin in time");
        tokio::time::timeout_at(by, events.begin()).await.map_err(late)??;
        let Some(bound) = bound else { return Ok((events, None)) };
        let verdict = events.on_trial(bound, self.deadline.min(Instant::now() + LONGEST_TRIAL)).await?;
        Ok((events, verdict))
    }
}

pub(super) fn broken(error: hyper::Error) -> Error {
    Error::upstream(Kind::Broken, "the upstream broke off in the middle of its answer").with_source(error)
}

/// Reads up to `limit` bytes; gives the rest of the body back if there is more.
pub(super) async fn gather(
    mut body: Incoming,
    begun: BytesMut,
    limit: usize,
) -> hyper::Result<(Bytes, Option<Incoming>)> {
    let mut first = Bytes::new();
    let mut all = begun;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
        if first.len() + all.len() > limit {
            all.extend_from_slice(&first);
            return Ok((all.freeze(), Some(body)));
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, None))
}

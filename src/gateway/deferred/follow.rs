//! The events of a background response, those that are kept and those that come, on their way to one client.
//!
//! What a reader could get wrong: events are read from the queue by a task of its own, at the client's pace (a full channel holds it
//! up). It ends with the last event, with the client, or when the job is deleted.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::BEFORE;
use super::object::{self, Failure, event, frame, members};
use crate::deferred::{Fault, Job, Part, State, Store};
use crate::error::Kind;
use crate::gateway::record::Record;
use crate::task;

/// Events read at a time.
const PAGE: usize = 64;
/// Frames on their way to a client.
const AHEAD: usize = 16;
/// Changes by another process (the one before, in an upgrade) are not told of.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A comment is sent so often where nothing happens: what stands between would take the connection for dead.
const COMMENT_AFTER: u32 = 7;

/// Events under way. With its record it is an answer's body.
#[derive(Debug)]
pub struct Followed {
    frames: mpsc::Receiver<Bytes>,
    record: Option<Box<Record>>,
}

impl Followed {
    /// The record ends with the last event.
    pub fn recorded(mut self, record: Box<Record>) -> Followed {
        self.record = Some(record);
        self
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let polled = self.frames.poll_recv(cx);
        match (&polled, &mut self.record) {
            (Poll::Ready(Some(bytes)), Some(record)) => record.saw_answer(bytes),
            (Poll::Ready(None), record) => {
                if let Some(record) = record.take() {
                    record.close(None);
                }
            }
            _ => {}
        }
        polled
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            record.close(Some(Kind::ClientGone));
        }
    }
}

/// Begins behind the event with number `after`; -1: with the first.
pub fn begin(store: &Store, job: Job, request: Bytes, after: i64) -> Followed {
    let (told, frames) = mpsc::channel(AHEAD);
    let store = store.clone();
    // Ends with the events, or with the client.
    drop(task::spawn("background stream", async move {
        let gone = told.clone();
        tokio::select! {
            () = gone.closed() => {}
            ended = tell(&store, job, &request, after, &told) => {
                if let Err(fault) = ended {
                    tracing::error!("a background stream broke off: {fault}");
                }
            }
        }
    }));
    Followed { frames, record: None }
}

async fn tell(store: &Store, job: Job, request: &[u8], after: i64, told: &mpsc::Sender<Bytes>) -> Result<(), Fault> {
    let (id, tenant) = (job.id.clone(), job.tenant.clone());
    let queued = object::pending(&job, State::Queued, request, None);
    for (number, kind) in [(0, "response.created"), (1, "response.queued")] {
        if after < number && told.send(event(kind, number, &queued)).await.is_err() {
            return Ok(());
        }
    }
    let mut last = after.saturating_sub(BEFORE).max(-1);
    let mut changes = store.subscribe(id.as_str());
    let mut idle = 0;
    loop {
        // Before the events: what ends it is there when the state says so.
        let Some(now) = store.get(&id, &tenant).await? else { return Ok(()) };
        let events = store.events_after(&id, &tenant, last, PAGE).await?;
        let is_page = events.len() == PAGE;
        for (number, data) in events {
            last = number;
            idle = 0;
            let kind = kind_of(&data);
            let is_end = ends(&kind);
            if told.send(frame(&kind, &data)).await.is_err() || is_end {
                return Ok(());
            }
        }
        if is_page {
            continue;
        }
        if now.state.is_final() {
            let sequence = now.next_event.max(last.saturating_add(1)).saturating_add(BEFORE);
            if after < sequence {
                // Whoever left in the meantime has the answer by its id.
                let _gone = told.send(last_event(store, &now, request, sequence).await?).await;
            }
            return Ok(());
        }
        if timeout(LOOK_EVERY, changes.changed()).await.is_err() {
            idle += 1;
            if idle % COMMENT_AFTER == 0 && told.send(Bytes::from_static(b": waiting\n\n")).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// What ends a stream whose execution did not: it was cancelled, it failed, it expired.
async fn last_event(store: &Store, job: &Job, request: &[u8], sequence: i64) -> Result<Bytes, Fault> {
    let kind = match job.state {
        State::Completed => "response.completed",
        State::Incomplete => "response.incomplete",
        State::Cancelled => "response.cancelled",
        _ => "response.failed",
    };
    Ok(event(kind, sequence, &response(store, job, request).await?))
}

/// The response object of a background job, whatever became of it.
pub(super) async fn response(store: &Store, job: &Job, request: &[u8]) -> Result<Bytes, Fault> {
    match store.text(&job.id, &job.tenant, Part::Result).await {
        // An error object: it was never executed, for it cannot be read.
        Ok(Some(error)) if job.status == 0 => {
            Ok(object::pending(job, State::Failed, request, Some(&Failure::of(&error))))
        }
        Ok(Some(result)) => Ok(result),
        Ok(None) => {
            let failure = (job.state == State::Expired).then(Failure::expired);
            Ok(object::pending(job, job.state, request, failure.as_ref()))
        }
        Err(Fault::Unreadable(why)) => {
            tracing::error!(job = job.id.as_str(), "the answer to a deferred request is lost: {why}");
            Ok(object::pending(job, State::Failed, request, Some(&Failure::damaged())))
        }
        Err(fault) => Err(fault),
    }
}

/// A text of a job; what cannot be read any more is not there.
pub(super) async fn text(store: &Store, job: &Job, part: Part) -> Result<Option<Bytes>, Fault> {
    match store.text(&job.id, &job.tenant, part).await {
        Err(Fault::Unreadable(why)) => {
            tracing::error!(job = job.id.as_str(), "a text of a deferred request is lost: {why}");
            Ok(None)
        }
        found => found,
    }
}

fn kind_of(data: &[u8]) -> String {
    let kind = members(data).and_then(|mut members| members.swap_remove("type"));
    kind.and_then(|kind| serde_json::from_str(kind.get()).ok()).unwrap_or_else(|| "message".into())
}

/// Whether an event is the last of its stream.
pub(super) fn ends(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled")
}

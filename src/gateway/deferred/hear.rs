//! The answer to a job's execution, heard to its end; a stream's events are kept as they come.
//!
//! What a reader could get wrong: an upstream's own `response.created` is left out, because the client has been told one when the job was
//! accepted. A stream that ends without its last event is no answer.
//! Where an execution before this one was heard in part and broke off, its words have been told and cannot be taken back. They are not told
//! twice either, nor others in their place: of the new execution a client is told that it has begun (`response.in_progress`), and the last
//! event, whose response is the whole answer. That counts, not what the deltas before it come to.

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use smallvec::SmallVec;

use super::BEFORE;
use super::follow::ends;
use super::object::{self, adopted, bytes, members, set};
use crate::deferred::{Fault, Lease, State, Store};
use crate::gateway::Body;
use crate::openai::sse::{Frames, Keep};

/// A longer answer is not kept.
const LARGEST: usize = 64 << 20;

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    Whole(Bytes),
    /// A stream came to its end, with this response.
    Ended(State, Bytes),
    /// It broke off, or told an error in the middle.
    Broken,
    TooLong,
    /// The lease does not hold any more: nobody wants it.
    Unwanted,
}

/// Where the events of an execution go.
pub struct Sink<'s> {
    pub store: &'s Store,
    pub lease: &'s Lease,
    /// The number of the next one.
    pub next: i64,
}

/// Hears an answer. `sink`: its events are kept.
///
/// # Errors
/// The queue cannot be written.
pub async fn hear(response: Response<Body>, sink: Option<Sink<'_>>) -> Result<Heard, Fault> {
    let is_stream =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    match sink {
        Some(sink) if is_stream => events(response.into_body(), sink).await,
        Some(mut sink) => match whole(response.into_body()).await {
            // A stream was asked for, and this upstream answered whole: its only event is the last.
            Heard::Whole(body) => {
                let id = sink.lease.job.as_str();
                let Some(response) = adopted(&body, id) else { return Ok(Heard::Broken) };
                let mut event = object::Members::new();
                set(&mut event, "type", &"response.completed");
                set(&mut event, "sequence_number", &(sink.next + BEFORE));
                event.extend(members(&response).and_then(|_| Some(("response".to_owned(), raw(&response)?))));
                sink.keep(vec![bytes(&event)]).await.map(|kept| if kept { Heard::Whole(body) } else { Heard::Unwanted })
            }
            other => Ok(other),
        },
        None => Ok(whole(response.into_body()).await),
    }
}

fn raw(object: &[u8]) -> Option<Box<serde_json::value::RawValue>> {
    serde_json::from_slice(object).ok()
}

async fn whole(mut body: Body) -> Heard {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Heard::Broken };
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > LARGEST {
            return Heard::TooLong;
        }
        all.extend_from_slice(&data);
    }
    Heard::Whole(all.freeze())
}

async fn events(mut body: Body, mut sink: Sink<'_>) -> Result<Heard, Fault> {
    let mut frames = Frames::new();
    let mut ended = None;
    let mut is_error = false;
    let mut heard = 0;
    let is_again = sink.next > 0;
    while let Some(frame) = body.frame().await {
        let Some(data) = frame.ok().and_then(|frame| frame.into_data().ok()) else { break };
        heard += data.len();
        if heard > LARGEST {
            return Ok(Heard::TooLong);
        }
        let (mut came, mut out) = (vec![], SmallVec::new());
        let visit = |data: &[u8]| {
            match event(data, sink.lease.job.as_str(), sink.next + came.len() as i64 + BEFORE) {
                Event::Told(kind, _) if is_again && kind != "response.in_progress" => {}
                Event::Told(_, event) => came.push(event),
                Event::Last(state, event, response) => {
                    came.push(event);
                    ended = Some((state, response));
                }
                Event::Error => is_error = true,
                Event::Left => {}
            }
            Keep::No
        };
        if frames.push(data, visit, &mut out).is_err() || is_error {
            return Ok(Heard::Broken);
        }
        if !came.is_empty() && !sink.keep(came).await? {
            return Ok(Heard::Unwanted);
        }
    }
    Ok(ended.map_or(Heard::Broken, |(state, response)| Heard::Ended(state, response)))
}

impl Sink<'_> {
    async fn keep(&mut self, events: Vec<Bytes>) -> Result<bool, Fault> {
        let count = events.len() as i64;
        let kept = self.store.append_events(self.lease, self.next, events).await?;
        self.next += count;
        Ok(kept)
    }
}

#[derive(Debug, PartialEq)]
enum Event {
    /// With its type.
    Told(String, Bytes),
    /// With the response that it tells.
    Last(State, Bytes, Bytes),
    Error,
    /// It is not told.
    Left,
}

/// An upstream's event as the job's own.
fn event(data: &[u8], id: &str, sequence: i64) -> Event {
    let Some(mut event) = members(data) else { return Event::Left };
    let kind = event.get("type").and_then(|kind| serde_json::from_str::<String>(kind.get()).ok()).unwrap_or_default();
    match kind.as_str() {
        "response.created" | "response.queued" => return Event::Left,
        "error" => return Event::Error,
        // What the gateway tells in the middle of a stream, and some upstreams do.
        "" if event.contains_key("error") => return Event::Error,
        _ => {}
    }
    set(&mut event, "sequence_number", &sequence);
    let response = event.get("response").and_then(|response| adopted(response.get().as_bytes(), id));
    if let (Some(response), Some(place)) = (&response, event.get_mut("response"))
        && let Some(raw) = raw(response)
    {
        *place = raw;
    }
    match response {
        Some(response) if ends(&kind) => Event::Last(object::status(&response), bytes(&event), response),
        _ => Event::Told(kind, bytes(&event)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstreams_events_become_the_jobs() {
        let told =
            event(br#"{"type":"response.output_text.delta","sequence_number":4,"delta":"a","x":1.0}"#, "resp_tg1", 9);
        assert_eq!(
            told,
            Event::Told(
                "response.output_text.delta".into(),
                r#"{"type":"response.output_text.delta","sequence_number":9,"delta":"a","x":1.0}"#.into()
            )
        );
        let last = event(br#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#, "resp_tg1", 9);
        let Event::Last(State::Completed, event_told, response) = last else { panic!("{last:?}") };
        assert_eq!(response, r#"{"id":"resp_tg1","status":"completed","background":true}"#);
        assert!(String::from_utf8_lossy(&event_told).contains(r#""response":{"id":"resp_tg1""#));
        assert_eq!(event(br#"{"type":"response.created","response":{}}"#, "x", 1), Event::Left);
        assert_eq!(event(b"[DONE]", "x", 1), Event::Left);
        assert_eq!(event(br#"{"type":"error","message":"m"}"#, "x", 1), Event::Error);
        let in_stream = br#"{"error":{"message":"the upstream broke off","type":"server_error","code":null}}"#;
        assert_eq!(event(in_stream, "x", 1), Event::Error);
        let failed = br#"{"type":"response.failed","response":{"status":"failed","error":{"code":"x"}}}"#;
        assert!(matches!(event(failed, "x", 1), Event::Last(State::Failed, ..)), "that is an answer");
    }
}

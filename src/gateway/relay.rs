//! Server-sent events on their way to the client, with the record that ends with them.
//!
//! What a reader could get wrong: after an error event nothing follows, no `[DONE]` either. A client that leaves when he has been told all of
//! the answer has not left early.

mod events;
mod line;

use std::task::{Context, Poll};

use bytes::Bytes;

pub use self::events::Events;
use super::record::Record;
use super::seat::without_usage;
use crate::error::Kind;
use crate::openai;

/// A stream on its way to the client, with the record that ends with it.
#[derive(Debug)]
pub struct Relay {
    /// `None` once the stream has ended: with it the connection is let go.
    events: Option<Events>,
    record: Option<Box<Record>>,
    /// The client of the record does not get the usage, though others may.
    hash_without_usage: bool,
    had_usage: bool,
}

impl Relay {
    pub fn new(events: Events, record: Box<Record>) -> Relay {
        Relay { events: Some(events), record: Some(record), hash_without_usage: false, had_usage: false }
    }

    /// The record hears of the answer as its client gets it: without the frame of usage.
    pub fn hash_without_usage(&mut self, without: bool) {
        self.hash_without_usage = without;
    }

    /// The last bytes held the frame with nothing but the usage, perhaps.
    pub fn had_usage(&self) -> bool {
        self.had_usage
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        match events.poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                self.had_usage = events.had_usage();
                if let Some(record) = &mut self.record {
                    match self.had_usage && self.hash_without_usage {
                        true => record.saw_answer(&without_usage(bytes.clone())),
                        false => record.saw_answer(&bytes),
                    }
                }
                Poll::Ready(Some(bytes))
            }
            Poll::Ready(Some(Err(error))) => {
                let mut rest = events.held().map_or_else(Vec::new, Vec::from);
                let words = events.last_words().unwrap_or_else(|| openai::error::event(&error));
                self.close(Some(error.kind));
                rest.extend_from_slice(&words);
                Poll::Ready(Some(rest.into()))
            }
            Poll::Ready(None) => {
                self.close(None);
                Poll::Ready(None)
            }
        }
    }

    /// Ends it if the client has been told all of the answer, whatever its connection still brings.
    pub fn end_if_told(&mut self) -> bool {
        let is_told = self.events.as_ref().is_some_and(Events::is_told);
        if is_told {
            self.close(None);
        }
        is_told
    }

    fn close(&mut self, outcome: Option<Kind>) {
        let events = self.events.take();
        if let Some(mut record) = self.record.take() {
            if let Some(events) = &events {
                (record.usage, record.produced) = events.figures();
            }
            record.close(outcome);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.record.is_some() && !self.end_if_told() {
            self.close(Some(Kind::ClientGone));
        }
    }
}

//! A stream from memory, told at a pace: for clients that show words as they come.
//!
//! What a reader could get wrong: the pause is between two events; the first comes at once.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::record::Record;
use crate::cache::replay;
use crate::error::Kind;

/// Events on their way.
#[derive(Debug)]
pub struct Paced {
    events: Bytes,
    pause: Duration,
    /// `None`: nothing has been told yet.
    alarm: Option<Pin<Box<Sleep>>>,
    record: Option<Box<Record>>,
}

impl Paced {
    pub fn new(events: Bytes, pause: Duration, record: Box<Record>) -> Paced {
        Paced { events, pause, alarm: None, record: Some(record) }
    }

    /// The next event.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(alarm) = &mut self.alarm
            && alarm.as_mut().poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        let first = replay::frames(&self.events).next().map(|range| range.end);
        let Some(end) = first.filter(|end| *end > 0) else {
            if let Some(record) = self.record.take() {
                record.close(None);
            }
            return Poll::Ready(None);
        };
        let event = self.events.split_to(end.min(self.events.len()));
        if let Some(record) = &mut self.record {
            record.saw_answer(&event);
        }
        let due = Instant::now() + self.pause;
        match &mut self.alarm {
            Some(alarm) => alarm.as_mut().reset(due),
            None => self.alarm = Some(Box::pin(tokio::time::sleep_until(due))),
        }
        Poll::Ready(Some(event))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            record.close(Some(Kind::ClientGone));
        }
    }
}

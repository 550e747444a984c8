//! Watches the pauses of an answer.
//!
//! What a reader could get wrong: the timer is moved only when it rings: one per chunk would cost more than the chunk.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Rings when an answer has paused for too long, or its time is up.
#[derive(Debug)]
pub struct Watchdog {
    pause: Duration,
    deadline: Instant,
    last: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// `pause`: longest time without a byte; `deadline`: the end whatever happens.
    pub fn new(pause: Duration, deadline: Instant) -> Watchdog {
        Watchdog { pause, deadline, last: Instant::now(), alarm: None }
    }

    /// Something came. `false`: too late.
    pub fn alive(&mut self) -> bool {
        self.last = Instant::now();
        self.last < self.deadline
    }

    /// The end whatever happens.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Not much more is to come: it rings in `time` at the latest.
    pub fn within(&mut self, time: Duration) {
        self.deadline = self.deadline.min(Instant::now() + time);
    }

    /// Ready once the pause was too long or the deadline has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.deadline.min(self.last + self.pause);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }
}

//! Server-sent events, relayed as they come: whole frames only, usage read on the way, the frame that the client did not ask for taken out.
//!
//! What a reader could get wrong: a frame's beginning is held until its end is here, which costs no client anything (it cannot act on half a
//! frame) and means that an error event can be put behind whatever has gone out. After an error event nothing follows, no `[DONE]` either.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::deferred::Renaming;
use super::hold::broken;
use super::record::Record;
use super::seat::without_usage;
use super::watchdog::Watchdog;
use crate::confidence::{Judge, Step, Verdict};
use crate::error::{Error, Kind, Result};
use crate::openai;
use crate::openai::logprobs::Remover;
use crate::openai::produced::Produced;
use crate::openai::sse::{Frame, Frames, Keep};
use crate::openai::stream;
use crate::openai::usage::{self, Usage};
use crate::pii::restore::stream::Stream;
use crate::provider::midway;
use crate::upstream::send::Lease;

/// Events that say nothing yet are held up to so many bytes, each taken for a page at least; after them, anything is a beginning.
const LONGEST_OPENING: usize = 1 << 20;
const PAGE: usize = 4 << 10;
const END_OF_FRAME: Bytes = Bytes::from_static(b"\n\n");

/// An upstream's event stream that has not been committed yet, or is being relayed.
#[derive(Debug)]
pub struct Events {
    rest: Incoming,
    frames: Frames,
    ready: SmallVec<[Bytes; 2]>,
    watchdog: Watchdog,
    lease: Lease,
    strip_usage: bool,
    /// Among what is ready is the frame with nothing but the usage.
    has_usage: bool,
    usage: Option<Usage>,
    produced: Produced,
    /// Puts hidden values back.
    restoring: Option<Box<Stream>>,
    /// Looks on until the answer is committed.
    judge: Option<Box<Judge>>,
    /// Takes out what the client did not ask for.
    removing: Option<Box<Remover>>,
    /// Puts it under another id, for the answer that follows.
    renaming: Option<Box<Renaming>>,
    /// The weight of the events so far, all of which have said nothing; `None`: the answer has begun.
    opening: Option<usize>,
    /// What has gone wrong within the stream, and how its client is told; nothing follows it.
    fault: Option<(Error, Bytes)>,
    last_words: Option<Bytes>,
    ended: bool,
}

impl Events {
    /// `strip_usage`: the client did not ask for the usage frame.
    pub fn new(rest: Incoming, lease: Lease, watchdog: Watchdog, strip_usage: bool) -> Events {
        Events {
            rest,
            frames: Frames::new(),
            ready: SmallVec::new(),
            watchdog,
            lease,
            strip_usage,
            has_usage: false,
            usage: None,
            produced: Produced::default(),
            restoring: None,
            judge: None,
            removing: None,
            renaming: None,
            opening: Some(0),
            fault: None,
            last_words: None,
            ended: false,
        }
    }

    /// Nobody else follows it: whether the usage frame is left out is for its one client to say.
    pub fn strip_usage(&mut self, strip: bool) {
        self.strip_usage = strip;
    }

    /// Has hidden values put back.
    pub fn restore(&mut self, stream: Stream) {
        self.restoring = Some(Box::new(stream));
    }

    /// Has it put under another id.
    pub fn rename(&mut self, renaming: Renaming) {
        self.renaming = Some(Box::new(renaming));
    }

    /// Has the answer judged, and log-probabilities taken out.
    pub fn judge(&mut self, judge: Judge, remover: Option<Remover>) {
        self.judge = Some(Box::new(judge));
        self.removing = remover.map(Box::new);
    }

    /// What the judge says at the end of an answer that was told as it came; once.
    pub fn verdict(&mut self) -> Option<Verdict> {
        self.judge.take().map(|judge| judge.verdict())
    }

    /// Reads on until the judge knows enough, the stream is over, or it is `by`. What was read goes out first.
    pub async fn on_trial(&mut self, bound: f64, by: Instant) -> Result<Option<Verdict>> {
        let mut is_late = false;
        let verdict = loop {
            let ended = self.ended;
            let Some(judge) = &mut self.judge else { return Ok(None) };
            if ended && !judge.is_over() {
                return Err(Error::upstream(Kind::Broken, "the upstream's stream ended before its answer did"));
            }
            match judge.step(bound) {
                Step::More if is_late || ended => break judge.verdict(),
                Step::More => {}
                Step::Commit(verdict) | Step::Escalate(verdict) => break verdict,
            }
            match tokio::time::timeout_at(by, self.rest.frame()).await {
                Ok(frame) => self.read_on(frame)?,
                Err(_) => is_late = true,
            }
        };
        self.judge = None;
        self.watchdog.alive();
        Ok(Some(verdict))
    }

    /// What comes while the answer is on trial. An error within it is as good as none at all.
    fn read_on(&mut self, frame: Option<hyper::Result<http_body::Frame<Bytes>>>) -> Result<()> {
        match frame {
            Some(Ok(frame)) => frame.into_data().map_or(Ok(()), |data| self.take_in(data))?,
            Some(Err(error)) => return Err(broken(error)),
            None => self.end()?,
        }
        match self.fault.take() {
            Some((error, _)) => Err(error),
            None => Ok(()),
        }
    }

    /// It was paused by us, not by the upstream.
    pub fn resume(&mut self) {
        self.watchdog.alive();
    }

    /// Reads up to the first event that says anything: until then, the next target can take over. An upstream that fails before it, or begins
    /// with an error, has answered nothing yet. What says nothing goes out with what follows.
    pub async fn begin(&mut self) -> Result<()> {
        while let (Some(held), None) = (self.opening, &self.fault) {
            match self.rest.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.take_in(data)?;
                    }
                }
                Some(Err(error)) => {
                    return Err(Error::upstream(Kind::Broken, "the upstream broke off before its stream began")
                        .with_source(error));
                }
                None if held == 0 => {
                    return Err(Error::upstream(Kind::Broken, "the upstream's stream ended before it began"));
                }
                None => {
                    self.end()?;
                    break;
                }
            }
        }
        if self.fault.is_some() {
            return Err(Error::upstream(Kind::UpstreamFailed, "the upstream's stream began with an error"));
        }
        self.watchdog.alive();
        self.lease.place.answering();
        Ok(())
    }

    fn take_in(&mut self, data: Bytes) -> Result<()> {
        let (strip, usage, opening, fault) = (self.strip_usage, &mut self.usage, &mut self.opening, &mut self.fault);
        let (produced, restoring) = (&mut self.produced, &mut self.restoring);
        let (has_usage, judge, removing) = (&mut self.has_usage, &mut self.judge, &mut self.removing);
        let visit = |frame: Frame<'_>| {
            if fault.is_some() {
                return Keep::No;
            }
            if let Some(judge) = judge {
                judge.event(frame.data);
            }
            let bare = removing.as_mut().and_then(|remover| remover.of_frame(frame));
            let frame = bare.as_ref().map_or(frame, |(bytes, data)| Frame { bytes, data });
            let data = frame.data;
            let seen = usage::of_event(data);
            match &seen {
                Some(seen) => usage.get_or_insert_default().absorb(&seen.usage),
                None => produced.event(data),
            }
            if stream::is_error(frame) {
                *fault = Some(midway::of_frame(frame));
                return Keep::No;
            }
            if seen.is_some_and(|seen| seen.alone) {
                *has_usage = true;
                if strip {
                    return Keep::No;
                }
            }
            if let Some(held) = *opening {
                let is_silent = held < LONGEST_OPENING && stream::says_nothing_yet(data);
                *opening = is_silent.then_some(held + data.len().max(PAGE));
            }
            let keep = restoring.as_mut().map_or(Keep::Yes, |stream| stream.frame(frame));
            match (keep, bare) {
                (Keep::Yes, Some((bytes, _))) => Keep::Instead(bytes),
                (keep, _) => keep,
            }
        };
        self.frames
            .push_frames(data, visit, &mut self.ready)
            .map_err(|_| Error::upstream(Kind::Broken, "the upstream sent an event larger than 8 MiB"))
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The upstream's own figures so far, and the tokens as counted here.
    pub fn figures(&self) -> (Option<Usage>, u64) {
        (self.usage, self.produced.tokens())
    }

    /// What was held back of a text.
    pub(super) fn held(&mut self) -> Option<Bytes> {
        self.restoring.as_mut().and_then(|stream| stream.finish())
    }

    /// What the upstream's own error event says, without what must not come down; `None`: it has told none.
    pub(super) fn last_words(&mut self) -> Option<Bytes> {
        let words = self.last_words.take()?;
        Some(match &mut self.renaming {
            Some(renaming) => renaming.pass(words),
            None => words,
        })
    }

    /// What is still held goes out; a last frame without its blank line gets one, so that its values are put back too.
    fn restore_rest(&mut self) -> Result<()> {
        if (self.restoring.is_some() || self.judge.is_some()) && self.frames.is_within() {
            self.take_in(END_OF_FRAME)?;
        }
        if self.restoring.is_some() {
            self.ready.extend(self.restoring.as_mut().and_then(|stream| stream.finish()));
        }
        Ok(())
    }

    /// The upstream has ended.
    fn end(&mut self) -> Result<()> {
        self.ended = true;
        self.lease.finish();
        self.restore_rest()?;
        // A last frame without its blank line: what the upstream ended with is what the client gets, unless it is an error.
        let Some(rest) = self.frames.finish() else { return Ok(()) };
        if stream::may_be_error(&rest) {
            self.take_in(rest)?;
            return self.take_in(END_OF_FRAME);
        }
        self.ready.push(rest);
        Ok(())
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if !self.ready.is_empty() {
                let bytes = self.ready.remove(0);
                return Poll::Ready(Some(Ok(match &mut self.renaming {
                    Some(renaming) => renaming.pass(bytes),
                    None => bytes,
                })));
            }
            if let Some((error, words)) = self.fault.take() {
                self.last_words = Some(words);
                return Poll::Ready(Some(Err(error)));
            }
            if self.ended {
                if let Some(renaming) = self.renaming.take() {
                    renaming.end();
                }
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.watchdog.alive();
                    if let Ok(data) = frame.into_data() {
                        self.take_in(data)?;
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(broken(error)))),
                Poll::Ready(None) => self.end()?,
                Poll::Pending => {
                    return match self.watchdog.poll(cx) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(()) => {
                            let what = "the upstream paused for too long in the middle of its answer";
                            Poll::Ready(Some(Err(Error::upstream(Kind::Timeout, what))))
                        }
                    };
                }
            }
        }
    }
}

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
                self.had_usage = events.has_usage;
                events.has_usage &= !events.ready.is_empty();
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
        if self.record.is_some() {
            self.close(Some(Kind::ClientGone));
        }
    }
}

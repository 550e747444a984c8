//! Server-sent events, relayed as they come: whole frames only, usage read on the way, the frame that the client did not ask for taken out.
//!
//! What a reader could get wrong: a frame's beginning is held until its end is here, which costs no client anything (it cannot act on half a
//! frame) and means that an error event can be put behind whatever has gone out. A stream is over when its answer says so, not when its
//! connection ends; and one that stops without saying so has broken off.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::line::{Line, late};
use crate::confidence::{Judge, Step, Verdict};
use crate::error::{Error, Kind, Result};
use crate::gateway::deferred::Renaming;
use crate::gateway::watchdog::Watchdog;
use crate::openai::logprobs::Remover;
use crate::openai::produced::Produced;
use crate::openai::sse::{Frame, Frames, Keep};
use crate::openai::stream::{self, Course, Dialect, Meaning, Reader};
use crate::openai::usage::{self, Usage};
use crate::openai::{self, Endpoint};
use crate::pii::restore::stream::Stream;
use crate::provider::{Private, midway};
use crate::upstream::send::Lease;

/// Events that say nothing yet are held up to so many bytes, each taken for a page at least; after them, anything is a beginning.
const LONGEST_OPENING: usize = 1 << 20;
const PAGE: usize = 4 << 10;
/// Behind the end of an answer the connection's own end is waited for, so that it can be used again; for longer than this it is not worth it.
const LINGER: Duration = Duration::from_millis(250);
const END_OF_FRAME: Bytes = Bytes::from_static(b"\n\n");

/// An upstream's event stream that has not been committed yet, or is being relayed.
#[derive(Debug)]
pub struct Events {
    line: Line,
    frames: Frames,
    ready: SmallVec<[Bytes; 2]>,
    watchdog: Watchdog,
    reader: Reader,
    /// What its upstream's words must not bring down.
    private: Arc<Private>,
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
    /// The answer is over, and the connection's end is waited for.
    lingers: bool,
    ended: bool,
}

impl Events {
    /// Of which nothing is known: it goes through as it is. `private`: what its errors must not bring down.
    pub fn new(rest: Incoming, lease: Lease, watchdog: Watchdog, private: Arc<Private>) -> Events {
        let mut line = Line::new(rest, lease);
        line.until(watchdog.deadline());
        Events {
            line,
            frames: Frames::new(),
            ready: SmallVec::new(),
            watchdog,
            reader: Reader::default(),
            private,
            strip_usage: false,
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
            lingers: false,
            ended: false,
        }
    }

    /// It is an answer of this endpoint: with an end of its own, and without what its upstream remarks beside it.
    pub fn of(mut self, endpoint: Endpoint) -> Events {
        self.reader = Reader::new(Dialect::of(endpoint));
        if self.reader.is_known() {
            self.frames.mute();
        }
        self
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
            match tokio::time::timeout_at(by, self.line.next()).await {
                Ok(piece) => self.read_on(piece)?,
                Err(_) => is_late = true,
            }
        };
        self.judge = None;
        self.watchdog.alive();
        Ok(Some(verdict))
    }

    /// What comes while the answer is on trial. An error within it is as good as none at all.
    fn read_on(&mut self, piece: Option<Result<Bytes>>) -> Result<()> {
        match piece {
            Some(data) => self.take_in(data?)?,
            None => self.end(true)?,
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
        let silent = || Error::upstream(Kind::Broken, "the upstream's stream ended before it said anything");
        while self.opening.is_some() && self.fault.is_none() {
            match self.line.next().await {
                Some(Ok(data)) => self.take_in(data)?,
                Some(Err(error)) => {
                    let what = "the upstream broke off before its stream began";
                    return Err(Error::upstream(error.kind, what).with_source(error));
                }
                None => {
                    self.end(true)?;
                    if self.opening.is_some() && self.reader.is_known() {
                        return Err(silent());
                    }
                    break;
                }
            }
            if self.opening.is_some() && self.reader.course() == Course::Over {
                return Err(silent());
            }
        }
        if self.fault.is_some() {
            return Err(Error::upstream(Kind::UpstreamFailed, "the upstream's stream began with an error"));
        }
        self.watchdog.alive();
        self.line.answering();
        Ok(())
    }

    fn take_in(&mut self, data: Bytes) -> Result<()> {
        let (strip, usage, opening, fault) = (self.strip_usage, &mut self.usage, &mut self.opening, &mut self.fault);
        let (produced, restoring) = (&mut self.produced, &mut self.restoring);
        let (has_usage, judge, removing) = (&mut self.has_usage, &mut self.judge, &mut self.removing);
        let (reader, private, ended) = (&mut self.reader, &self.private, self.ended);
        let visit = |frame: Frame<'_>| {
            let was_over = reader.course() == Course::Over;
            // Behind the end of an answer nothing belongs to it, but for the line that ends some Responses streams as well.
            if fault.is_some() || (was_over && !stream::is_done(frame.data)) {
                return Keep::No;
            }
            // The last frame may be torn.
            if ended && reader.is_known() && !stream::is_whole(frame.data) {
                return Keep::No;
            }
            if reader.event(frame) != Meaning::Piece {
                // What has failed has cost something all the same.
                if let Some(seen) = usage::of_event(frame.data) {
                    usage.get_or_insert_default().absorb(&seen.usage);
                }
                *fault = Some(midway::of_frame(frame, private));
                return Keep::No;
            }
            let quiet = (reader.is_known() && stream::has_remarks(frame)).then(|| stream::without_remarks(frame));
            let frame = quiet.as_ref().map_or(frame, |bytes| Frame { bytes, data: frame.data });
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
            if seen.is_some_and(|seen| seen.alone) {
                *has_usage = true;
                if strip {
                    return Keep::No;
                }
            }
            if let Some(held) = *opening {
                let is_silent = held < LONGEST_OPENING && (stream::is_done(data) || stream::says_nothing_yet(data));
                *opening = is_silent.then_some(held + data.len().max(PAGE));
            }
            let keep = restoring.as_mut().map_or(Keep::Yes, |stream| stream.frame(frame));
            match (keep, bare, quiet) {
                (Keep::Yes, Some((bytes, _)), _) => Keep::Instead(bytes),
                (Keep::Yes, None, Some(bytes)) => Keep::Instead(bytes.into()),
                (keep, ..) => keep,
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

    /// What is ready holds the frame with nothing but the usage, perhaps; asked of each piece once.
    pub(super) fn had_usage(&mut self) -> bool {
        let had = self.has_usage;
        self.has_usage &= !self.ready.is_empty();
        had
    }

    /// The answer is over and all of it has been handed out.
    pub(super) fn is_told(&self) -> bool {
        self.reader.course() == Course::Over && self.ready.is_empty() && self.fault.is_none()
    }

    /// What was held back of a text.
    pub(in crate::gateway) fn held(&mut self) -> Option<Bytes> {
        self.restoring.as_mut().and_then(|stream| stream.finish())
    }

    /// What the upstream's own error event says, without what must not come down; `None`: it has told none.
    pub(in crate::gateway) fn last_words(&mut self) -> Option<Bytes> {
        let words = self.last_words.take()?;
        Some(match &mut self.renaming {
            Some(renaming) => renaming.pass(words),
            None => words,
        })
    }

    /// What is still held goes out. A last frame without its blank line gets one where it is looked into.
    fn restore_rest(&mut self) -> Result<()> {
        let is_read = self.restoring.is_some() || self.judge.is_some() || self.reader.is_known();
        if is_read && self.frames.is_within() {
            self.take_in(END_OF_FRAME)?;
        }
        if self.restoring.is_some() {
            self.ready.extend(self.restoring.as_mut().and_then(|stream| stream.finish()));
        }
        Ok(())
    }

    /// Nothing more comes. `is_clean`: the upstream has ended the answer, and its connection can be used again.
    fn end(&mut self, is_clean: bool) -> Result<()> {
        self.ended = true;
        if is_clean {
            self.line.finish();
        }
        self.restore_rest()?;
        // A last frame without its blank line: what the upstream ended with is what the client gets, unless it is an error.
        if let Some(rest) = self.frames.finish() {
            if stream::may_be_error(&rest) {
                self.take_in(rest)?;
                self.take_in(END_OF_FRAME)?;
            } else {
                self.ready.push(rest);
            }
        }
        if self.fault.is_none() && self.reader.is_cut_off() {
            let error = Error::upstream(Kind::Broken, "the upstream's stream ended before its answer did");
            let words = openai::error::event(&error);
            self.fault = Some((error, words));
        }
        Ok(())
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
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
            let is_over = self.reader.course() == Course::Over;
            if is_over && !std::mem::replace(&mut self.lingers, true) {
                self.watchdog.within(LINGER);
            }
            let error = match self.line.poll(cx) {
                Poll::Ready(Some(Ok(data))) => match self.watchdog.alive() {
                    true => {
                        self.take_in(data)?;
                        continue;
                    }
                    false => late(),
                },
                Poll::Ready(None) => {
                    self.end(true)?;
                    continue;
                }
                Poll::Ready(Some(Err(error))) => error,
                Poll::Pending => match self.watchdog.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => {
                        Error::upstream(Kind::Timeout, "the upstream paused for too long in the middle of its answer")
                    }
                },
            };
            // Whatever becomes of the connection, the answer is there.
            if !is_over {
                return Poll::Ready(Some(Err(error)));
            }
            self.end(false)?;
        }
    }
}

//! A draft that is told, and the answer that takes its place, to the end of both.
//!
//! What a reader could get wrong: each stream's figures go into its own attempt when it ends, however it ends; the record's are those of the one
//! that is the answer. Dropped, all that is under way is booked as left by the client.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Mode;
use super::play::{Drafted, count, give_up};
use super::stage::Stage;
use crate::error::{Error, Kind, Result};
use crate::gateway::answer::{self, Answered, Flow};
use crate::gateway::desk::Desk;
use crate::gateway::read::Read;
use crate::gateway::relay::Events;
use crate::gateway::tries::{CANCELLED, OK, TryId};
use crate::openai;
use crate::openai::duet::{Duet, Names, Spent, Standing, Why};
use crate::openai::usage::Usage;
use crate::upstream::Target;

/// One of the streams.
pub(super) struct Lane {
    pub(super) id: TryId,
    pub(super) target: Arc<Target>,
    pub(super) events: Box<Events>,
    /// When its first event was here, since the request's arrival.
    pub(super) came: Duration,
}

/// How the draft stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draft {
    On,
    Whole,
    Broken,
}

/// A progressive answer that is being told.
pub(super) struct Telling<'t, 'r> {
    desk: &'t Desk<'r>,
    stage: &'t Stage,
    duet: Option<Duet>,
    draft: Option<Lane>,
    /// What the draft must come up to, to be the answer although there may be a better one.
    bound: Option<f64>,
    is_good_enough: bool,
    /// Of the draft, once it has ended.
    drafted: (TryId, Arc<Target>, Duration),
    answer: Option<(TryId, Box<Events>)>,
    out: Vec<u8>,
    is_counted: bool,
}

impl<'t, 'r> Telling<'t, 'r> {
    /// The head goes out.
    pub(super) fn open(
        desk: &'t Desk<'r>,
        stage: &'t Stage,
        read: &Read,
        drafted: Drafted,
        bound: Option<f64>,
    ) -> Telling<'t, 'r> {
        let Drafted { status, mut headers, lane } = drafted;
        let mut record = desk.record();
        record.mode = Mode::Progressive;
        answer::describe(&mut record, status, &mut headers);
        stage.open(status, headers);
        let names = Names {
            id: record.request_id().chars().filter(char::is_ascii_alphanumeric).take(64).collect(),
            created: record.arrived_us() / 1_000_000,
            model: read.model.clone(),
            usage: read.view.stream_options.as_ref().is_some_and(|options| options.include_usage),
        };
        Telling {
            desk,
            stage,
            duet: Duet::new(read.endpoint, &names),
            drafted: (lane.id, Arc::clone(&lane.target), lane.came),
            draft: Some(lane),
            bound,
            is_good_enough: false,
            answer: None,
            out: Vec::new(),
            is_counted: false,
        }
    }

    /// To the end. `None`: well.
    pub(super) async fn run<F>(mut self, mut answering: Pin<&mut F>) -> Option<Kind>
    where
        F: Future<Output = Result<Answered>>,
    {
        let (mut draft, mut failed): (Draft, Option<Error>) = (Draft::On, None);
        loop {
            tokio::select! {
                biased;
                answered = &mut answering, if failed.is_none() => match answered {
                    Ok(Answered { flow: Flow::Events(events), .. }) => return self.relay(events).await,
                    Ok(_) => {
                        let what = "the upstream was asked for a stream and answered without one";
                        failed = Some(self.not_streamed(Error::upstream(Kind::Broken, what)));
                    }
                    Err(error) => failed = Some(error),
                },
                piece = next(&mut self.draft), if draft == Draft::On => match self.take_in(piece) {
                    Ok(standing) => draft = standing,
                    Err(error) => {
                        draft = Draft::Broken;
                        // It was the answer by now: this is what has gone wrong.
                        failed = failed.map(|_| error);
                    }
                },
            }
            let is_lost = draft == Draft::Broken || (draft == Draft::Whole && !self.has_said());
            let why = match (is_lost, &failed) {
                (true, Some(error)) => {
                    let kind = error.kind;
                    self.out.extend_from_slice(&openai::error::event(error));
                    self.tell().await;
                    self.count("failed");
                    return Some(kind);
                }
                (_, Some(_)) => Some(Why::CloudFailed),
                (_, None) if draft == Draft::Whole && self.is_good_enough => Some(Why::Confident),
                _ => None,
            };
            if let (Some(why), Some(duet)) = (why, &mut self.duet) {
                duet.promote(why, &mut self.out);
                if draft == Draft::Whole {
                    return self.finish(why).await;
                }
            }
            self.tell().await;
        }
    }

    /// A draft without a word can be nobody's answer.
    fn has_said(&self) -> bool {
        self.duet.as_ref().is_some_and(Duet::has_said)
    }

    /// Whether the draft, which is whole, needs no answer of the cloud's.
    fn judge(&mut self) {
        let (Some(bound), Some(lane)) = (self.bound, &mut self.draft) else { return };
        if let Some(verdict) = lane.events.verdict() {
            let is_heard = self.desk.record().heard(&lane.target, verdict, bound);
            self.is_good_enough = is_heard && self.duet.as_ref().is_some_and(Duet::is_complete);
        }
    }

    /// What came of the draft's stream.
    fn take_in(&mut self, piece: Option<Result<Bytes>>) -> Result<Draft> {
        let Some(duet) = &mut self.duet else { return Ok(Draft::Whole) };
        let broken = |what| Error::upstream(Kind::Broken, what);
        let standing = match piece {
            Some(Ok(bytes)) => {
                duet.draft(bytes, &mut self.out).map_err(|_| broken("the upstream sent an event that is too long"))
            }
            Some(Err(error)) => Err(error),
            None if duet.has_ended() => {
                self.judge();
                self.end_draft(OK);
                return Ok(Draft::Whole);
            }
            None => Err(broken("the upstream's stream ended before its answer did")),
        };
        let error = match standing {
            // Whatever follows the end is read, so that its connection can be used again.
            Ok(Standing::On | Standing::Complete) => return Ok(Draft::On),
            Ok(Standing::Failed) => Error::upstream(Kind::UpstreamFailed, "the upstream's stream ended with an error"),
            Ok(Standing::Calls) => broken("the draft calls a tool that nobody has offered it"),
            Ok(Standing::TooLong) => broken("the draft is longer than can be held"),
            Err(error) => error,
        };
        self.end_draft(error.kind.label());
        Err(error)
    }

    /// The draft goes no further: its figures are booked.
    fn end_draft(&mut self, outcome: &'static str) {
        let Some(lane) = self.draft.take() else { return };
        let figures = lane.events.figures();
        drop(lane.events);
        let usage = self.book(lane.id, outcome, figures);
        if let Some(duet) = &mut self.duet {
            duet.draft_over(Spent { prompt: usage.prompt, completion: usage.completion }, &mut self.out);
        }
    }

    /// What a stream has used, into its attempt.
    fn book(&self, id: TryId, outcome: &'static str, (said, produced): (Option<Usage>, u64)) -> Usage {
        let mut record = self.desk.record();
        let (now, prompt, images) = (record.age(), record.seen.input_tokens, record.seen.images.into());
        let guess = Usage { prompt, completion: produced, ..Usage::default() };
        let usage = Usage { images, ..said.unwrap_or(guess) };
        if let Some(attempt) = record.tries.get_mut(id) {
            (attempt.outcome, attempt.ended) = (outcome, now);
            (attempt.usage, attempt.estimated) = (usage, said.is_none());
        }
        usage
    }

    /// An answer that is none, though the walk took it for one. What it has used is in the record.
    fn not_streamed(&self, error: Error) -> Error {
        let (last, figures) = {
            let record = self.desk.record();
            (record.tries.last().map(|attempt| attempt.id), (record.usage, record.produced))
        };
        if let Some(id) = last {
            self.desk.record().failed_attempt(id, error.kind);
            self.book(id, error.kind.label(), figures);
        }
        error
    }

    /// The draft is the answer, and at its end.
    async fn finish(mut self, why: Why) -> Option<Kind> {
        let beside = {
            let mut record = self.desk.record();
            give_up(&mut record);
            let (id, ..) = self.drafted;
            // The record tells of the one that answers: it is the last.
            let figures = record.tries.answers(id).map(|attempt| (attempt.usage, attempt.estimated));
            if let Some((usage, estimated)) = figures {
                (record.usage, record.produced) = ((!estimated).then_some(usage), usage.completion);
            }
            let beside = record.tries.iter().filter(|attempt| attempt.id != id);
            beside.fold(Spent::default(), |sum, attempt| {
                sum.plus(Spent { prompt: attempt.usage.prompt, completion: attempt.usage.completion })
            })
        };
        if let Some(duet) = &mut self.duet {
            duet.finish(beside, &mut self.out);
        }
        let result = if why == Why::Confident { "draft-confident" } else { "draft-cloud-failed" };
        self.count(result);
        self.tell().await;
        None
    }

    /// The answer has begun: the draft is cut off.
    async fn relay(mut self, events: Box<Events>) -> Option<Kind> {
        self.end_draft(CANCELLED);
        let (_, target, came) = &self.drafted;
        target.metrics.first_token.observe(came.as_secs_f64());
        let id = self.desk.record().tries.last().map(|attempt| attempt.id).unwrap_or_default();
        self.answer = Some((id, events));
        loop {
            self.tell().await;
            let Some((_, events)) = &mut self.answer else { return None };
            let piece = events.next().await;
            let error = match piece {
                Some(Ok(bytes)) => match self.duet.as_mut().map(|duet| duet.answer(bytes, &mut self.out)) {
                    Some(Err(_)) => Error::upstream(Kind::Broken, "the upstream sent an event that is too long"),
                    _ => continue,
                },
                Some(Err(error)) => error,
                None => {
                    self.end_answer();
                    self.count("cloud");
                    return None;
                }
            };
            let words = events.last_words();
            let is_told = words.is_some();
            if let Some(duet) = &mut self.duet {
                // Frames of their own, made here: they are short.
                for frame in events.held().into_iter().chain(words) {
                    let _short = duet.answer(frame, &mut self.out);
                }
            }
            self.end_answer();
            self.count("failed");
            if !is_told {
                self.out.extend_from_slice(&openai::error::event(&error));
            }
            self.tell().await;
            return Some(error.kind);
        }
    }

    /// The record's figures are the answer's.
    fn end_answer(&mut self) {
        if let Some((_, events)) = self.answer.take() {
            let mut record = self.desk.record();
            (record.usage, record.produced) = events.figures();
        }
    }

    fn count(&mut self, result: &str) {
        self.is_counted = true;
        count(&self.desk.record(), result);
    }

    async fn tell(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let bytes = Bytes::from(std::mem::take(&mut self.out));
        self.desk.record().saw_answer(&bytes);
        self.stage.tell(bytes).await;
    }
}

impl Drop for Telling<'_, '_> {
    fn drop(&mut self) {
        let gone = Kind::ClientGone.label();
        if !self.is_counted {
            self.count("left");
        }
        self.end_draft(gone);
        if let Some((id, events)) = self.answer.take() {
            self.book(id, gone, events.figures());
        }
    }
}

/// The next bytes of the draft.
async fn next(draft: &mut Option<Lane>) -> Option<Result<Bytes>> {
    match draft {
        Some(lane) => lane.events.next().await,
        None => None,
    }
}

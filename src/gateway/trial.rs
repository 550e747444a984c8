//! An answer on trial: its target has a `min_confidence`, and another target is left. The judge looks on while the answer is held; one that is
//! not good enough is put aside, and the next target is asked.
//!
//! What a reader could get wrong: an answer that was put aside is not lost. It is given after all when nobody has a better one; a stream is
//! paused meanwhile, with its connection open, and is cancelled when another answer is committed. Its node goes on computing what the sockets
//! take, so it keeps its place there, although others may be waiting for one.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::{Answered, Flow};
use super::desk::Desk;
use super::hold::Figures;
use super::read::Read;
use super::record::Record;
use super::tries::TryId;
use crate::confidence::{Expect, Judge, Reason, Verdict};
use crate::config::file::UpstreamKind;
use crate::error::{Error, Kind};
use crate::openai::Endpoint;
use crate::openai::logprobs::{self, Manner, Remover};
use crate::openai::usage::Usage;
use crate::policy::TargetId;
use crate::upstream::Target;

/// What an answer is held to.
#[derive(Debug)]
pub struct Trial {
    /// The least confidence that is good enough.
    pub bound: f64,
    /// The answer is told as it comes, and nobody waits for the verdict.
    pub looks_on: bool,
    pub judge: Judge,
    /// Log-probabilities were asked for that the client did not ask for.
    pub remover: Option<Remover>,
}

/// What the judge said of a request's answers, for headers and records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judged {
    /// Of the answer that is given; `None`: it was not judged.
    pub confidence: Option<f64>,
    /// Why another target was asked, if one was.
    pub escalated: Option<Reason>,
    /// The answer that is given is below its bound: nobody had a better one.
    pub is_unsure: bool,
}

/// An answer that was put aside.
#[derive(Debug)]
pub struct Spare {
    pub attempt: TryId,
    pub target: (TargetId, Arc<Target>),
    pub answered: Answered,
    pub figures: Figures,
    pub verdict: Verdict,
}

impl Trial {
    /// Of an attempt at a target; with the edits of its body that ask for log-probabilities. `is_hidden`: values of it are hidden.
    pub fn of(read: &Read, target: &Target, bound: f64, is_hidden: bool) -> (Trial, logprobs::Edits) {
        let manner = match target.upstream.section.kind {
            UpstreamKind::LlamaServer | UpstreamKind::Ollama => Manner::LlamaServer,
            _ => Manner::OpenAi,
        };
        let asks = match may_ask(read, target) {
            true => logprobs::ask(read.endpoint, manner, &read.view, &read.body),
            false => None,
        };
        let expect = Expect::of(read.endpoint, &read.body, read.view.max_output_tokens.is_some(), is_hidden);
        let remover = asks.is_some().then(|| Remover::new(read.endpoint, manner));
        (Trial { bound, looks_on: false, judge: Judge::new(read.endpoint, expect), remover }, asks.unwrap_or_default())
    }
}

impl Trial {
    /// A whole answer: as the client gets it, and the verdict.
    pub fn of_answer(mut self, answer: Bytes) -> (Bytes, Option<Verdict>) {
        self.judge.answer(&answer);
        let verdict = self.judge.verdict();
        let bare = match &self.remover {
            Some(remover) => remover.of_answer(answer),
            None => answer,
        };
        (bare, Some(verdict))
    }
}

/// llama-server refuses log-probabilities together with tools in a stream; some models of OpenAI's refuse them altogether.
fn may_ask(read: &Read, target: &Target) -> bool {
    let is_strict = target.upstream.section.kind == UpstreamKind::LlamaServer && read.endpoint == Endpoint::Chat;
    let is_barred = is_strict && read.view.stream && read.view.has_tools;
    !is_barred && !target.refuses_logprobs()
}

/// An upstream that refuses a request because of what was added to it: the next one is asked, and this one never again for that. What a client
/// has got wrong himself is his to hear.
pub fn blame(error: Error, read: &Read, target: &Target) -> Error {
    let body = error.upstream.as_ref().map_or(&b""[..], |answer| &answer.body);
    // Servers quote what they do not like: a word that the client himself has used proves nothing.
    let is_theirs = || memchr::memmem::find(&read.body, b"logprobs").is_some();
    if error.kind != Kind::UpstreamRefused || !names_ours(body) || is_theirs() {
        return error;
    }
    if target.refused_logprobs() {
        tracing::warn!(
            model = target.name,
            "the upstream gives no log-probabilities of this model: its confidence is judged without them for ten minutes"
        );
    }
    Error::upstream(Kind::UpstreamFailed, "the upstream refused what the gateway had added to the request")
}

/// Whether an error object names what is added: by the parameter at fault where one is told, otherwise by a word of its own in the message. What
/// is added stands first in `include`.
fn names_ours(body: &[u8]) -> bool {
    let Ok(said) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let text = |name: &str| said["error"][name].as_str().filter(|text| !text.is_empty());
    if let Some(param) = text("param") {
        let last = param.rsplit('.').next().unwrap_or(param);
        return matches!(last, "logprobs" | "top_logprobs" | "include" | "include[0]");
    }
    let words = [text("code"), text("message")].into_iter().flatten();
    let mut words = words.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| matches!(word, "logprobs" | "top_logprobs"))
}

impl Spare {
    /// It is given after all.
    pub fn give(mut self: Box<Self>, desk: &Desk<'_>) -> Answered {
        if let Flow::Events(events) = &mut self.answered.flow {
            events.resume();
        }
        let mut record = desk.record();
        let (id, target) = &self.target;
        record.committed((self.attempt, *id), target, self.answered.status);
        (record.usage, record.produced) = self.figures;
        record.judged.confidence = Some(self.verdict.confidence);
        // It is not kept for others.
        (record.judged.is_unsure, record.second_best) = (true, true);
        record.note_confidence();
        self.answered
    }
}

impl Record {
    /// An answer was judged. `false`: it is not good enough.
    pub fn heard(&mut self, target: &Target, verdict: Verdict, bound: f64) -> bool {
        let routing = &self.shared().durable.metrics.routing;
        routing.confidence.with_label_values(&[target.name.as_str()]).observe(verdict.confidence);
        if verdict.confidence >= bound {
            self.judged.confidence = Some(verdict.confidence);
            self.note_confidence();
            return true;
        }
        let route = self.route.as_ref().map_or("", |entry| entry.route.name.as_str());
        routing.escalations.with_label_values(&[route, verdict.reason.label()]).inc();
        self.judged.escalated.get_or_insert(verdict.reason);
        let (confidence, reason) = (verdict.confidence, verdict.reason.label());
        self.add_note(&format!("escalated={}:{confidence:.2}:{reason}", target.name));
        false
    }

    /// An attempt's answer can be nobody's after all: what was noted of it would tell of somebody who has not answered.
    pub fn forget(&mut self, target: TargetId, error: Kind) {
        let was_committed = self.target.as_ref().is_some_and(|(id, _)| *id == target);
        if was_committed {
            (self.target, self.first_token) = (None, None);
            (self.usage, self.produced) = (None, 0);
        }
        if was_committed || error == Kind::LowConfidence {
            self.judged = Judged::default();
        }
    }

    /// What an attempt has used whose answer was put aside.
    pub fn put_aside(&mut self, attempt: TryId, status: http::StatusCode, (said, produced): Figures) {
        let (now, prompt, images) = (self.age(), self.seen.input_tokens, self.seen.images.into());
        let Some(attempt) = self.tries.get_mut(attempt) else { return };
        (attempt.status, attempt.head, attempt.estimated) = (status.as_u16(), now, said.is_none());
        attempt.usage = said.unwrap_or(Usage { prompt, completion: produced, ..Usage::default() });
        attempt.usage.images = images;
    }

    fn note_confidence(&mut self) {
        let Some(confidence) = self.judged.confidence else { return };
        self.add_note(&format!("confidence={confidence:.2}"));
    }

    /// To what the decision record tells.
    pub(super) fn add_note(&mut self, note: &str) {
        let notes = self.seen.notes.to_mut();
        if !notes.is_empty() {
            notes.push(',');
        }
        notes.push_str(note);
    }
}

#[cfg(test)]
mod tests {
    use super::names_ours;

    #[test]
    fn only_what_was_added_is_blamed() {
        let of = |error: serde_json::Value| names_ours(serde_json::json!({"error": error}).to_string().as_bytes());
        let said = |message: &str, param: Option<&str>| {
            of(serde_json::json!({"message": message, "param": param, "code": null}))
        };
        assert!(said("You are not allowed to request logprobs from this model", None));
        assert!(said("'top_logprobs' is not supported with this model.", Some("top_logprobs")));
        assert!(said("Invalid value", Some("body.logprobs")));
        assert!(said("Unknown parameter", Some("include[0]")));
        assert!(of(serde_json::json!({"message": "no", "code": "logprobs"})));
        assert!(!said("Unknown parameter: 'logprobs_extra'", Some("logprobs_extra")));
        assert!(!said("Unknown parameter: 'logprobs_extra'", None));
        assert!(!said("temperature must be below 2 (logprobs are fine)", Some("temperature")));
        assert!(!said("Unknown value", Some("include[1]")));
        assert!(!names_ours(b"<html>logprobs</html>"));
    }
}

//! The judge of one answer: takes it in as it comes, gives a verdict at any time, and says when a stream's beginning is enough.
//!
//! A stream is judged by a group-sequential test: at 8, 16, 24, 32 and 48 tokens. What anybody can see to be wrong decides at once. Otherwise
//! the mean log-probability is taken with twice its standard error up and down: if the answer is good enough even at the lower end (and
//! sixteen tokens are there, so that a refusal would show, and no loop seems to begin), it is committed; if it is not even at the upper
//! end, the next target is asked; at the last look, or when the time is up, the estimate itself decides.
//!
//! What a reader could get wrong: a verdict depends on the bytes of the answer, never on how they were cut into events or reads (but for
//! JSON and tool calls, of which only a complete answer can say that they are missing something).

use smallvec::SmallVec;

use super::answer::{
    Choice as Said, Chunk, Content, Event, Finish, Function, Item, Message, Part, Response, Text as Word, Token,
};
use super::expect::{Choice, Expect, Form};
use super::formula::{self, Reason, Verdict};
use super::text::Text;
use super::tokens::Tokens;
use crate::openai::Endpoint;
use crate::openai::json::{self, Shape};

/// Tokens at which a stream is looked at. The last one bounds what a client waits for.
const LOOKS: [u32; 5] = [8, 16, 24, 32, 48];
/// Fewer tokens than these prove nothing good: a refusal takes a dozen.
const ENOUGH: u32 = 16;
/// Two standard errors: right 19 times of 20.
const ERRORS: f64 = 2.0;
/// A token where nobody counts them, in bytes of text.
const BYTES_PER_TOKEN: usize = 4;
/// Tool calls of one answer that are looked at.
const CALLS: usize = 16;
/// Letters of the last argument or text that is kept for a look at its form; a stream is decided long before.
const LONGEST: usize = 1 << 20;

/// The last event of chat and text completions.
const DONE: &[u8] = b"[DONE]";

/// What a stream's beginning says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Too little has come.
    More,
    /// It is good enough.
    Commit(Verdict),
    /// The next target should be asked.
    Escalate(Verdict),
}

/// Judges one answer.
#[derive(Debug)]
pub struct Judge {
    endpoint: Endpoint,
    expect: Expect,
    tokens: Tokens,
    text: Text,
    calls: SmallVec<[Call; 1]>,
    /// It said so in the protocol's own field.
    refused: bool,
    finish: Option<Finish>,
    /// Index in [`LOOKS`] of the next look.
    look: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: u32,
    name: String,
    arguments: String,
}

impl Judge {
    pub fn new(endpoint: Endpoint, expect: Expect) -> Judge {
        let text = Text::new(expect.is_json());
        Judge {
            endpoint,
            expect,
            tokens: Tokens::default(),
            text,
            calls: SmallVec::new(),
            refused: false,
            finish: None,
            look: 0,
        }
    }

    /// The data of an event. What cannot be read is passed over.
    pub fn event(&mut self, data: &[u8]) {
        if self.endpoint == Endpoint::Responses {
            if let Ok(event) = serde_json::from_slice::<Event<'_>>(data) {
                self.responses_event(&event);
            }
        } else if let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) {
            chunk
                .choices
                .iter()
                .for_each(|choice| self.choice(choice, choice.delta.as_ref().or(choice.message.as_ref())));
        } else if data == DONE {
            self.finish.get_or_insert(Finish::Well);
        }
    }

    /// A complete answer. One that cannot be read says nothing, and is over all the same.
    pub fn answer(&mut self, body: &[u8]) {
        if self.endpoint == Endpoint::Responses {
            if let Ok(response) = serde_json::from_slice::<Response<'_>>(body) {
                for (index, item) in (0..).zip(&response.output) {
                    self.item(index, item);
                }
                let reason = response.incomplete_details.and_then(|details| details.reason);
                self.finish = reason.map(|reason| Finish::of(&reason.0));
            }
        } else if let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(body) {
            chunk
                .choices
                .iter()
                .for_each(|choice| self.choice(choice, choice.message.as_ref().or(choice.delta.as_ref())));
        }
        self.finish.get_or_insert(Finish::Well);
    }

    /// The answer has come to an end of its own. A stream that is over without one has broken off.
    pub fn is_over(&self) -> bool {
        self.finish.is_some()
    }

    fn choice(&mut self, choice: &Said<'_>, message: Option<&Message<'_>>) {
        if choice.index.unwrap_or(0) != 0 {
            return;
        }
        if let Some(message) = message {
            self.message(message);
        }
        if let Some(Word(text)) = &choice.text {
            self.text.push(text);
        }
        if let Some(logprobs) = &choice.logprobs {
            self.tokens(logprobs.content.as_deref().unwrap_or_default());
            let pairs = logprobs.tokens.iter().flatten().zip(logprobs.token_logprobs.iter().flatten());
            pairs.for_each(|(token, logprob)| self.token(token.as_ref(), *logprob));
        }
        if let Some(Word(word)) = &choice.finish_reason {
            self.finish = Some(Finish::of(word));
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        // Who sends both says the same in both.
        if let Some(Word(thought)) = message.reasoning_content.as_ref().or(message.reasoning.as_ref()) {
            self.text.aside(thought);
        }
        match &message.content {
            Some(Content::Text(Word(text))) => self.text.push(text),
            Some(Content::Parts(parts)) => parts.iter().for_each(|part| match &part.0 {
                Some(Word(text)) => self.text.push(text),
                None => self.text.has_any = true,
            }),
            Some(Content::Other) => self.text.has_any = true,
            Some(Content::Nothing) | None => {}
        }
        // What cannot be weighed is there all the same.
        self.text.has_any |= message.audio.0 || message.images.0;
        self.refused |= message.refusal.as_ref().is_some_and(|refusal| !refusal.0.is_empty());
        for (place, call) in (0..).zip(message.tool_calls.iter().flatten()) {
            if let Some(function) = &call.function {
                self.call(call.index.unwrap_or(place), function);
            }
        }
        if let Some(function) = &message.function_call {
            self.call(0, function);
        }
    }

    fn tokens(&mut self, tokens: &[Option<Token<'_>>]) {
        tokens.iter().flatten().for_each(|token| self.token(token.token.as_ref(), token.logprob));
    }

    /// One that is not told counts as one that says nothing.
    fn token(&mut self, token: Option<&Word<'_>>, logprob: Option<f64>) {
        self.tokens.add(token.map_or("", |token| &token.0), logprob.unwrap_or(f64::NAN));
    }

    fn call(&mut self, index: u32, function: &Function<'_>) {
        let at = self.calls.iter().position(|call| call.index == index);
        let at = match at {
            Some(at) => at,
            None if self.calls.len() >= CALLS => return,
            None => {
                self.calls.push(Call { index, ..Call::default() });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        if let Some(Word(name)) = &function.name {
            call.name.push_str(name);
        }
        if let Some(Word(arguments)) = &function.arguments
            && call.arguments.len() < LONGEST
        {
            call.arguments.push_str(arguments);
            self.text.bytes += arguments.len();
        }
    }

    fn responses_event(&mut self, event: &Event<'_>) {
        let index = event.output_index.unwrap_or(0);
        let delta = event.delta.as_ref().map_or("", |delta| &delta.0);
        match &*event.kind.0 {
            "response.output_text.delta" => {
                self.text.push(delta);
                self.tokens(event.logprobs.as_deref().unwrap_or_default());
            }
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => self.text.aside(delta),
            "response.refusal.delta" => self.refused = true,
            "response.function_call_arguments.delta" => {
                let arguments = event.delta.as_ref().map(|delta| Word((&*delta.0).into()));
                self.call(index, &Function { name: None, arguments });
            }
            "response.output_item.added" => {
                // Its text and arguments follow.
                if let Some(name) = event.item.as_ref().filter(|item| is_call(item)).and_then(|item| item.name.as_ref())
                {
                    self.call(index, &Function { name: Some(Word((&*name.0).into())), arguments: None });
                }
            }
            "response.completed" => self.finish = Some(Finish::Well),
            "response.incomplete" => {
                let details = event.response.as_ref().and_then(|response| response.incomplete_details.as_ref());
                let reason = details.and_then(|details| details.reason.as_ref());
                self.finish = Some(reason.map_or(Finish::Well, |reason| Finish::of(&reason.0)));
            }
            _ => {}
        }
    }

    fn item(&mut self, index: u32, item: &Item<'_>) {
        if is_call(item) {
            let word = |word: &Option<Word<'_>>| word.as_ref().map(|word| word.0.clone().into_owned());
            let (name, arguments) = (word(&item.name), word(&item.arguments));
            let function =
                Function { name: name.map(|n| Word(n.into())), arguments: arguments.map(|a| Word(a.into())) };
            self.call(index, &function);
        }
        let is_message = item.kind.as_ref().is_none_or(|kind| kind.0 == "message");
        for part in item.content.iter().flatten() {
            self.part(part, is_message);
        }
    }

    fn part(&mut self, part: &Part<'_>, is_message: bool) {
        match &part.text {
            Some(Word(text)) if is_message => self.text.push(text),
            Some(Word(thought)) => self.text.aside(thought),
            None => {}
        }
        self.refused |= part.refusal.as_ref().is_some_and(|refusal| !refusal.0.is_empty());
        self.tokens(part.logprobs.as_deref().unwrap_or_default());
    }

    /// The verdict on what has come so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict_at(0.0)
    }

    /// `errors`: standard errors that are added to the mean log-probability.
    fn verdict_at(&self, errors: f64) -> Verdict {
        let (refuses, hedges) = if self.expect.continues { (false, 0) } else { self.text.attitude() };
        let margin = self.tokens.figures().map_or(0.0, |figures| figures.error * errors);
        formula::verdict(&self.tokens, hedges, self.hard(refuses), margin)
    }

    /// Looks at a stream's beginning. `bound`: the least confidence that is good enough.
    pub fn step(&mut self, bound: f64) -> Step {
        let is_over = self.finish.is_some();
        let due = LOOKS.get(self.look).copied().unwrap_or(u32::MAX);
        let count = self.count();
        if !is_over && count < due && !self.is_spoilt() {
            return Step::More;
        }
        self.look = LOOKS.iter().filter(|look| **look <= count).count();
        let verdict = self.verdict();
        if is_over || self.look >= LOOKS.len() {
            return decide(verdict, bound);
        }
        if self.verdict_at(ERRORS).confidence < bound {
            return Step::Escalate(verdict);
        }
        if count >= ENOUGH && !self.text.loops.is_suspected() && self.verdict_at(-ERRORS).confidence >= bound {
            return Step::Commit(verdict);
        }
        Step::More
    }

    /// What needs no look at the text's attitude is seen at once.
    fn is_spoilt(&self) -> bool {
        self.refused || self.text.loops.is_found() || self.wrong_call().is_some() || self.wrong_form().is_some()
    }

    /// Tokens so far: those that were told of, or what the text amounts to.
    fn count(&self) -> u32 {
        match self.tokens.all {
            0 => u32::try_from(self.text.bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX),
            told => told,
        }
    }

    /// What anybody can see to be wrong; the worst of it.
    fn hard(&self, refuses: bool) -> Option<Reason> {
        let found = [
            self.is_empty().then_some(Reason::Empty),
            self.wrong_call(),
            (!self.expect.is_json() && self.text.loops.is_found()).then_some(Reason::Repetition),
            (self.refused || refuses || self.finish == Some(Finish::Filter)).then_some(Reason::Refusal),
            self.wrong_form(),
            (self.finish == Some(Finish::Length) && !self.expect.own_limit).then_some(Reason::Truncated),
        ];
        // The first of several with the same cap.
        found.into_iter().flatten().reduce(|worst, next| if next.cap() < worst.cap() { next } else { worst })
    }

    /// It is over, and there is nothing in it; where the client's own limit was the end of it, that is what he asked for.
    fn is_empty(&self) -> bool {
        let short = self.finish == Some(Finish::Length) && self.expect.own_limit;
        self.finish.is_some() && !short && !self.text.has_any && self.calls.is_empty() && !self.refused
    }

    fn wrong_call(&self) -> Option<Reason> {
        let (tools, is_over) = (&self.expect.tools, self.finish.is_some());
        let cut = self.finish == Some(Finish::Length);
        let wrong = |call: &Call| {
            let shape = match call.arguments.trim().is_empty() {
                // A tool without parameters is called without any.
                true => Shape::Whole,
                false => json::shape(&call.arguments),
            };
            !tools.offers(&call.name)
                || shape == Shape::Broken
                || (is_over && !cut && shape == Shape::Begun)
                || matches!(&tools.choice, Choice::Named(name) if *name != call.name)
        };
        // A name comes whole in every stream that is known; a call without one may still get it.
        let any = self.calls.iter().filter(|call| is_over || !call.name.is_empty()).any(wrong);
        let missing = tools.choice != Choice::Free && self.calls.is_empty() && (is_over || self.text.has_any);
        (any || missing).then_some(Reason::ToolCall)
    }

    fn wrong_form(&self) -> Option<Reason> {
        // With a tool call, text is only what goes with it.
        let text = self.text.whole().filter(|_| self.calls.is_empty() && !self.refused)?;
        if text.trim().is_empty() {
            return None;
        }
        let is_cut = self.finish == Some(Finish::Length);
        match json::shape(text) {
            Shape::Broken => return Some(Reason::InvalidJson),
            Shape::Begun if self.finish.is_some() && !is_cut => return Some(Reason::InvalidJson),
            Shape::Begun => return (!text.trim_start().starts_with(['{', '[', '"'])).then_some(Reason::InvalidJson),
            Shape::Whole => {}
        }
        match &self.expect.form {
            Form::Any => None,
            Form::Object => (!text.trim_start().starts_with('{')).then_some(Reason::InvalidJson),
            Form::Schema(schema) => {
                self.finish?;
                let value = serde_json::from_str(text).ok()?;
                (!schema.is_met(&value)).then_some(Reason::Schema)
            }
        }
    }
}

fn decide(verdict: Verdict, bound: f64) -> Step {
    if verdict.confidence >= bound { Step::Commit(verdict) } else { Step::Escalate(verdict) }
}

fn is_call(item: &Item<'_>) -> bool {
    item.kind.as_ref().is_some_and(|kind| kind.0 == "function_call")
}

#[cfg(test)]
mod tests;

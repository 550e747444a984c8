//! Token figures read from answers: a JSON body, or the data of one event.
//!
//! What a reader could get wrong: an event is looked at only if `"usage"` stands in it at all, which the many chunks of a stream do not
//! pay for; the value is parsed by serde, on that one frame. What stands there is a stranger's: no figure makes this fail or overflow.

mod figures;

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;

use figures::{Figures, Text, Timings};

/// No figure counts for more: beyond any context, and low enough that sums of millions of them do not overflow.
pub const MOST: u64 = u32::MAX as u64;

/// Tokens as the upstream counted them, each at most [`MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens, cached and cache-written ones included.
    pub prompt: u64,
    /// Answer tokens, reasoning included.
    pub completion: u64,
    /// Of the prompt, what the upstream had cached.
    pub cached: u64,
    /// Of the prompt, what the upstream put into its cache.
    pub cache_write: u64,
    /// Of the answer, what was reasoning.
    pub reasoning: u64,
    /// Of the prompt, what was audio.
    pub audio_in: u64,
    /// Of the answer, what was audio.
    pub audio_out: u64,
    /// Images in the prompt. No upstream tells: whoever has read the request fills it in.
    pub images: u64,
    /// What the upstream says that it has computed for the answer, in microseconds (llama-server's `timings`); 0: it does not say.
    pub compute_us: u64,
}

impl Usage {
    /// Whether there is any figure of tokens.
    pub fn is_told(&self) -> bool {
        self.prompt > 0 || self.completion > 0
    }

    /// Takes in a later figure of the same answer. Figures in a stream are sums so far, but not every event has all of them
    /// (Anthropic tells the prompt in its first one and the answer in its last), so the larger one counts.
    pub fn absorb(&mut self, later: &Usage) {
        let Usage { prompt, completion, cached, cache_write, reasoning, audio_in, audio_out, images, compute_us } =
            later;
        self.prompt = self.prompt.max(*prompt);
        self.completion = self.completion.max(*completion);
        self.cached = self.cached.max(*cached);
        self.cache_write = self.cache_write.max(*cache_write);
        self.reasoning = self.reasoning.max(*reasoning);
        self.audio_in = self.audio_in.max(*audio_in);
        self.audio_out = self.audio_out.max(*audio_out);
        self.images = self.images.max(*images);
        self.compute_us = self.compute_us.max(*compute_us);
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    usage: Option<Figures>,
    /// Beside the usage, also where that is inside `response`.
    #[serde(default)]
    timings: Option<Timings>,
    /// Responses events carry the whole response, Anthropic's first event the message: two fields, for one that has both.
    #[serde(default)]
    response: Option<Inner>,
    #[serde(default)]
    message: Option<Inner>,
    #[serde(default)]
    choices: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    usage: Option<Figures>,
}

/// What an event says of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub usage: Usage,
    /// The event holds nothing else (`choices` is empty): the chunk that `stream_options.include_usage` asks for.
    pub alone: bool,
}

/// Usage of a complete JSON answer; `None` if it tells no tokens (seconds of audio are none) or is no JSON.
pub fn of_answer(body: &[u8]) -> Option<Usage> {
    of_event(body).map(|seen| seen.usage).filter(Usage::is_told)
}

/// Usage in the data of an event.
pub fn of_event(data: &[u8]) -> Option<Seen> {
    if !has_usage(data) {
        return None;
    }
    let answer: Answer = serde_json::from_slice(data).ok()?;
    let figures = answer
        .usage
        .or_else(|| [answer.response, answer.message].into_iter().flatten().find_map(|inner| inner.usage))?;
    let mut usage = figures.usage();
    usage.compute_us = answer.timings.map_or(0, |timings| timings.micros());
    Some(Seen { usage, alone: answer.choices.is_some_and(|choices| choices.is_empty()) })
}

/// Whether there may be a usage. Those who are asked for it say `null` in every chunk but the last, which is not worth parsing.
fn has_usage(data: &[u8]) -> bool {
    const KEY: &[u8] = b"\"usage\"";
    memmem::find_iter(data, KEY).any(|at| {
        let value = data.get(at + KEY.len()..).unwrap_or_default().trim_ascii_start();
        !value.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
    })
}

/// The model that an answer, or an event of one, names: what is passed through is priced by it. Ids are short: one with an escape in
/// it is copied, the usual one is not.
pub fn model_of_answer(data: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(default, borrow)]
        model: Option<Text<'a>>,
        #[serde(default, borrow)]
        response: Option<Inside<'a>>,
        #[serde(default, borrow)]
        message: Option<Inside<'a>>,
    }
    #[derive(Deserialize)]
    struct Inside<'a> {
        #[serde(default, borrow)]
        model: Option<Text<'a>>,
    }
    memmem::find(data, b"\"model\"")?;
    let named: Named<'_> = serde_json::from_slice(data).ok()?;
    let Text(model) = named
        .model
        .or_else(|| [named.response, named.message].into_iter().flatten().find_map(|inside| inside.model))?;
    Some(model)
}

#[cfg(test)]
mod tests;

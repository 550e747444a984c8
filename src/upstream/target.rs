//! A model at an upstream: what a plan's entry becomes when it is tried. Everything that is the same for each request is made here, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::price::{self, Bounds, Cost, Day, NanoUsd, Prices};
use super::{Known, Upstream};
use crate::config::file;
use crate::openai::Endpoint;
use crate::openai::usage::Usage;
use crate::telemetry::metrics::TargetMetrics;

/// The largest answer of a model that says nothing of it: what the common ones write at most in one go.
const USUAL_LONGEST: u64 = 16_384;

/// Tokens that an image counts for at most with the common models: one of high detail takes some 1,500.
const IMAGE_TOKENS: u64 = 2_000;

/// A `models` entry.
#[derive(Debug)]
pub struct Target {
    /// The `models` key.
    pub name: String,
    /// The same as a header value.
    pub name_header: HeaderValue,
    /// `small:ok`, the usual `x-tidegate-attempts`.
    pub ok_header: HeaderValue,
    /// The name that the upstream knows.
    pub id: String,
    pub upstream: Arc<Upstream>,
    /// What its answers have told.
    pub known: Arc<Known>,
    pub prices: Prices,
    /// The largest answer, and prompt and answer together, in tokens, where the configuration tells.
    pub max_output: Option<u64>,
    pub context: Option<u64>,
    pub metrics: TargetMetrics,
    paths: [PathAndQuery; 4],
    refusals: Refusals,
}

/// Whether a model refuses log-probabilities. One refusal may be about the one request, so it takes several in a row; and models change.
#[derive(Debug, Default)]
struct Refusals {
    in_a_row: AtomicU32,
    /// Believed until then; milliseconds.
    until: AtomicU64,
}

impl Refusals {
    const BELIEVED_AFTER: u32 = 2;
    const BELIEVED_FOR: u64 = 10 * 60 * 1000;

    fn hold(&self, now: u64) -> bool {
        now < self.until.load(Relaxed)
    }

    fn another(&self, now: u64) -> bool {
        let is_believed = self.in_a_row.fetch_add(1, Relaxed) + 1 >= Self::BELIEVED_AFTER;
        if is_believed {
            // The one after that time is believed at once.
            self.until.store(now + Self::BELIEVED_FOR, Relaxed);
        }
        is_believed
    }
}

/// What a request may use at most, as far as it says so.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub input_tokens: u64,
    /// Of one answer.
    pub output_tokens: Option<u64>,
    /// Answers.
    pub choices: u64,
    pub images: u64,
}

impl Target {
    /// Errors say what in the model's entry cannot be used.
    pub fn new(
        name: &str,
        id: &str,
        upstream: Arc<Upstream>,
        model: &file::Model,
        metrics: TargetMetrics,
    ) -> Result<Target, String> {
        let path = |endpoint| {
            PathAndQuery::try_from(upstream.provider.path(endpoint, id))
                .map_err(|_| format!("id `{id}` makes no valid path; use letters, digits, `-`, `.` and `_`"))
        };
        let header = |text: String| HeaderValue::try_from(text).map_err(|_| format!("`{name}` is no name for a model"));
        Ok(Target {
            name: name.to_owned(),
            name_header: header(name.to_owned())?,
            ok_header: header(format!("{name}:ok"))?,
            id: id.to_owned(),
            paths: [
                path(Endpoint::Chat)?,
                path(Endpoint::Completions)?,
                path(Endpoint::Embeddings)?,
                path(Endpoint::Responses)?,
            ],
            prices: Prices::of(name, model, &upstream.section),
            max_output: model.max_output,
            context: model.context,
            known: upstream.known(id),
            upstream,
            metrics,
            refusals: Refusals::default(),
        })
    }

    /// Whether it is known to refuse log-probabilities.
    pub fn refuses_logprobs(&self) -> bool {
        self.refusals.hold(self.now())
    }

    /// It has refused them. Whether that is believed from now on.
    pub fn refused_logprobs(&self) -> bool {
        self.refusals.another(self.now())
    }

    /// It has answered although they were asked for.
    pub fn granted_logprobs(&self) {
        self.refusals.in_a_row.store(0, Relaxed);
    }

    /// Milliseconds on the clock of its first node.
    fn now(&self) -> u64 {
        self.upstream.pool.nodes().first().map_or(0, |node| node.elapsed_ms())
    }

    /// Path and query at the upstream.
    pub fn path(&self, endpoint: Endpoint) -> &PathAndQuery {
        let [chat, completions, embeddings, responses] = &self.paths;
        match endpoint {
            Endpoint::Chat => chat,
            Endpoint::Completions => completions,
            Endpoint::Embeddings => embeddings,
            Endpoint::Responses => responses,
        }
    }

    /// A node of its upstream is up that is not known to lack the model.
    pub fn is_available(&self) -> bool {
        self.upstream.pool.is_available_for(&self.id)
    }

    /// The most that an attempt can cost; `None` where the price is not known.
    pub fn worst(&self, asked: &Asked, day: Day) -> Option<NanoUsd> {
        let input = asked.input_tokens.saturating_add(asked.images.saturating_mul(IMAGE_TOKENS));
        // Without a bound from the client the model's own counts, and without that what fits into its context.
        let longest = self.max_output.or(self.context.map(|context| context.saturating_sub(input)));
        let longest = longest.unwrap_or(USUAL_LONGEST);
        let one = asked.output_tokens.map_or(longest, |most| most.min(longest.max(1)));
        let output_tokens = one.saturating_mul(asked.choices.max(1));
        let busy = price::node_time(input, output_tokens).min(self.upstream.timeouts.total);
        self.prices.worst(&Bounds { input_tokens: input, output_tokens, images: asked.images, busy }, day)
    }

    /// What was used cost; `None` where the price is not known. `busy`: see [`Prices::cost`].
    pub fn cost(&self, usage: &Usage, day: Day, busy: Duration) -> Option<Cost> {
        self.prices.cost(usage, day, busy)
    }
}

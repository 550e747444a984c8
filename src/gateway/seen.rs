//! The signals of a request that stay known for its records, when its body has long gone.
//!
//! What a reader could get wrong: there are numbers and names in here, no text of the prompt; but app, user and tags are the client's words.

use std::borrow::Cow;

use super::look::Looked;
use super::read::Read;
use super::record::Record;
use crate::openai::Modalities;
use crate::policy::threshold::Reading;
use crate::signals::hints::{PlacementHint, PrivacyHint};

/// The signals that stay known for the records.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub input_tokens: u64,
    pub max_output_tokens: Option<u64>,
    pub modalities: Modalities,
    pub images: u32,
    pub has_tools: bool,
    pub turns: u32,
    pub placement: Option<PlacementHint>,
    pub privacy: Option<PrivacyHint>,
    /// `k=v,k=v`
    pub tags: String,
    /// What the request is for, in the records' words.
    pub endpoint: &'static str,
    /// How hard the prompt is; `None`: nobody looked.
    pub difficulty: Option<f64>,
    pub threshold: Reading,
    /// A model on trial said so.
    pub by_candidate: bool,
    pub fresh: Option<f64>,
    pub edge_load: f64,
    pub cloud_pressure: f64,
    /// `NAME=VERDICT,…`
    pub rules: String,
    pub decide_us: u64,
    pub notes: Cow<'static, str>,
}

impl Seen {
    /// Of a request that nobody decided: it was answered from memory.
    pub fn of_request(read: &Read) -> Seen {
        Seen {
            input_tokens: read.input_tokens,
            max_output_tokens: read.view.max_output_tokens,
            modalities: read.view.modalities,
            images: read.view.images,
            has_tools: read.view.has_tools,
            turns: read.view.turns,
            placement: read.hints.placement,
            privacy: read.hints.privacy,
            tags: tags(read),
            endpoint: read.endpoint.name(),
            ..Seen::default()
        }
    }
}

/// `k=v,k=v`
fn tags(read: &Read) -> String {
    read.hints.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// With the job that it belongs to.
fn tagged(tags: String, job: &str) -> String {
    let comma = if tags.is_empty() { "" } else { "," };
    format!("{tags}{comma}job={job}")
}

impl Record {
    /// Keeps what the records tell of the decision's grounds.
    pub fn note(&mut self, read: &Read, looked: &Looked<'_>) {
        let signals = &looked.signals;
        self.seen = Seen {
            input_tokens: signals.input_tokens,
            max_output_tokens: signals.max_output_tokens,
            modalities: signals.modalities,
            images: read.view.images,
            has_tools: signals.has_tools,
            turns: signals.turns,
            placement: read.hints.placement,
            privacy: read.hints.privacy,
            tags: match &self.admission.work {
                Some(work) => tagged(tags(read), &work.job),
                None => tags(read),
            },
            endpoint: read.endpoint.name(),
            difficulty: looked.model.map(|_| signals.difficulty),
            threshold: looked.threshold,
            by_candidate: false,
            fresh: looked.has_fresh.then_some(signals.fresh),
            edge_load: signals.edge_load,
            cloud_pressure: signals.cloud_pressure,
            ..Seen::default()
        };
    }
}

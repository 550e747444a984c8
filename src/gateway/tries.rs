//! The attempts of a request, each with what it used: waste is visible only if what failed is kept beside what answered.
//!
//! What a reader could get wrong: an attempt that failed after its request was sent may have been computed and billed all the same; its
//! prompt is charged as an estimate. One that was refused, or never got through, has cost nothing.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::error::Kind;
use crate::ledger::entry::SHADOW;
use crate::openai::usage::Usage;
use crate::upstream::{Node, Target, Upstream};

/// How an attempt ended, for `x-tidegate-attempts` and records: `ok` or an error's label.
pub const OK: &str = "ok";
/// It has not ended: the word that is found if the process dies now.
pub const INTERRUPTED: &str = "interrupted";

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    First,
    /// The same target once more.
    Retry,
    /// The next target of the plan.
    Fallback,
    Passthrough,
    /// A copy of a request to another model.
    Shadow,
}

/// One attempt.
#[derive(Debug)]
pub struct Try {
    pub role: Role,
    /// `None`: passed through.
    pub target: Option<Arc<Target>>,
    pub upstream: Arc<Upstream>,
    /// `None`: no node could be asked.
    pub node: Option<Arc<Node>>,
    pub outcome: &'static str,
    /// The upstream's status; 0: none came.
    pub status: u16,
    /// Since the request's arrival: when it began, when the head of the answer came, when it ended.
    pub began: Duration,
    pub head: Duration,
    pub ended: Duration,
    /// Bytes of the request that were handed to a connection; 0: none was.
    pub bytes_out: u64,
    /// Requests that the node was working on, this one included: who shares its time.
    pub shared_by: u32,
    pub usage: Usage,
    /// The usage is this gateway's guess.
    pub estimated: bool,
}

/// All attempts of a request, in order.
#[derive(Debug, Default)]
pub struct Tries(SmallVec<[Try; 1]>);

impl Role {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Role::First => "first",
            Role::Retry => "retry",
            Role::Fallback => "fallback",
            Role::Passthrough => "passthrough",
            Role::Shadow => SHADOW,
        }
    }
}

impl Try {
    /// How long the upstream was busy with it.
    pub fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }

    /// Node time that it has to pay for: shared evenly with what ran beside it.
    pub fn busy(&self) -> Duration {
        self.took() / self.shared_by.max(1)
    }

    /// It failed. `prompt`: the prompt's tokens as estimated, charged where the upstream may have computed.
    fn failed(&mut self, kind: Kind, prompt: u64, now: Duration) {
        self.outcome = kind.label();
        self.ended = now;
        let may_have_computed = matches!(kind, Kind::Broken | Kind::Timeout | Kind::ClientGone);
        if may_have_computed && self.bytes_out > 0 && self.usage == Usage::default() {
            self.usage.prompt = prompt;
            self.estimated = true;
        }
    }
}

impl Tries {
    pub fn begin(&mut self, attempt: Try) {
        self.0.push(attempt);
    }

    /// The role of the next attempt at `target`.
    pub fn next_role(&self, target: &Arc<Target>) -> Role {
        match self.0.last() {
            None => Role::First,
            Some(last) if last.target.as_ref().is_some_and(|t| Arc::ptr_eq(t, target)) => Role::Retry,
            Some(_) => Role::Fallback,
        }
    }

    /// The one under way, or the one that answered.
    pub fn last(&self) -> Option<&Try> {
        self.0.last()
    }

    pub fn last_mut(&mut self) -> Option<&mut Try> {
        self.0.last_mut()
    }

    pub fn failed(&mut self, kind: Kind, prompt: u64, now: Duration) {
        if let Some(last) = self.0.last_mut() {
            last.failed(kind, prompt, now);
        }
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Try> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `small:connect,frontier:ok`; what is under way counts as `ok`: it is about to answer.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for attempt in &self.0 {
            let name = attempt.target.as_ref().map_or("", |target| target.name.as_str());
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push(':');
            text.push_str(attempt.outcome);
        }
        text
    }
}

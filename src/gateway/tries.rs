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

/// The word for the same in a header: the client is there to see that the process lives.
const PENDING: &str = "pending";

/// It was given up because another attempt of the same request answered.
pub const CANCELLED: &str = "cancelled";

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    First,
    /// The same target once more.
    Retry,
    /// The next target of the plan.
    Fallback,
    /// The next target of the plan, because the answer before was not certain enough.
    Escalation,
    /// Beside a slow one, whichever answers first.
    Hedge,
    /// The edge's answer that is shown while the cloud's is under way.
    Draft,
    Passthrough,
    /// A copy of a request to another model.
    Shadow,
}

/// Which attempt of its request it is, for as long as the request lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TryId(u32);

/// One attempt.
#[derive(Debug)]
pub struct Try {
    /// Given by [`Tries::begin`].
    pub id: TryId,
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

/// All attempts of a request in the order in which they began, but for the one that answers: it is the last. Several may be under way.
#[derive(Debug, Default)]
pub struct Tries(SmallVec<[Try; 1]>);

impl Role {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Role::First => "first",
            Role::Retry => "retry",
            Role::Fallback => "fallback",
            Role::Escalation => "escalation",
            Role::Hedge => "hedge",
            Role::Draft => "draft",
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
    /// An attempt begins.
    pub fn begin(&mut self, mut attempt: Try) -> TryId {
        // Nobody makes four thousand million attempts.
        attempt.id = TryId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        let id = attempt.id;
        self.0.push(attempt);
        id
    }

    /// The role of the next attempt at `target`, if it is no special one.
    pub fn next_role(&self, target: &Arc<Target>) -> Role {
        // A draft is made beside what is tried, not before it.
        match self.0.iter().rfind(|attempt| attempt.role != Role::Draft) {
            None => Role::First,
            Some(last) if last.target.as_ref().is_some_and(|t| Arc::ptr_eq(t, target)) => Role::Retry,
            Some(last) if last.outcome == Kind::LowConfidence.label() => Role::Escalation,
            Some(_) => Role::Fallback,
        }
    }

    /// The one that began last, or the one that answers.
    pub fn last(&self) -> Option<&Try> {
        self.0.last()
    }

    pub fn last_mut(&mut self) -> Option<&mut Try> {
        self.0.last_mut()
    }

    pub fn get(&self, id: TryId) -> Option<&Try> {
        self.0.iter().find(|attempt| attempt.id == id)
    }

    pub fn get_mut(&mut self, id: TryId) -> Option<&mut Try> {
        self.0.iter_mut().find(|attempt| attempt.id == id)
    }

    /// It failed. `prompt`: the prompt's tokens as estimated.
    pub fn failed(&mut self, id: TryId, kind: Kind, prompt: u64, now: Duration) {
        if let Some(attempt) = self.get_mut(id) {
            attempt.failed(kind, prompt, now);
        }
    }

    /// It was given up for another one. What it may have computed is charged as for one that the client left.
    pub fn cancelled(&mut self, id: TryId, prompt: u64, now: Duration) {
        if let Some(attempt) = self.get_mut(id).filter(|attempt| matches!(attempt.outcome, INTERRUPTED | OK)) {
            attempt.failed(Kind::ClientGone, prompt, now);
            attempt.outcome = CANCELLED;
        }
    }

    /// It answers: it becomes the last.
    pub fn answers(&mut self, id: TryId) -> Option<&mut Try> {
        if let Some(at) = self.0.iter().position(|attempt| attempt.id == id)
            && let Some(from) = self.0.get_mut(at..)
        {
            from.rotate_left(1);
        }
        self.0.last_mut().filter(|last| last.id == id)
    }

    /// The one that answers.
    pub fn answering_mut(&mut self) -> Option<&mut Try> {
        self.0.last_mut().filter(|last| last.outcome == OK)
    }

    /// All that are under way have come to an end.
    pub fn end(&mut self, kind: Kind, prompt: u64, now: Duration) {
        self.0.iter_mut().filter(|one| one.outcome == INTERRUPTED).for_each(|one| one.failed(kind, prompt, now));
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

    /// `small:connect,frontier:ok`; what is still under way is `pending`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for attempt in &self.0 {
            let name = attempt.target.as_ref().map_or("", |target| target.name.as_str());
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push(':');
            text.push_str(if attempt.outcome == INTERRUPTED { PENDING } else { attempt.outcome });
        }
        text
    }
}

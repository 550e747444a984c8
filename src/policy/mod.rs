//! Rules prefer, constraints forbid; the outcome is a plan. Pure: signals and the snapshot's route in, decision out; no I/O and no
//! clock of its own. The same function serves requests, `explain` and the tests.
//!
//! What a reader could get wrong: constraints filter *every* target of whatever rule matched, after the rules and independent of
//! their order; no rule can let a forbidden target through.

pub mod condition;
pub mod constraint;
pub mod decide;
pub mod explain;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod shadow;
pub mod split;
pub mod threshold;

use smallvec::SmallVec;

use crate::config::file::Placement;
use crate::openai::Modalities;
use crate::signals::SignalSet;
pub use condition::Condition;
pub use constraint::Constraint;
pub use decide::{Considered, Decision, Verdict, decide, none_left};
pub use explain::Explanation;
pub use shadow::Shadow;
pub use split::Split;

/// Index of a target in the snapshot.
pub type TargetId = u16;

/// What constraints must know of a target; a copy of the model's entry, without its upstream's machinery.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub id: TargetId,
    /// The `models` key.
    pub model: String,
    pub placement: Placement,
    /// Tokens, prompt and answer together.
    pub context: Option<u64>,
    pub modalities: Modalities,
    pub tools: bool,
    /// The upstream's label of where it processes data.
    pub region: Option<String>,
    /// Its price is known.
    pub is_priced: bool,
    /// Refused after this day.
    pub retires_on: Option<jiff::civil::Date>,
    /// Below this confidence (0 to 1), an answer of it is put aside and the next target is asked. The rule's, not the model's.
    pub min_confidence: Option<f64>,
}

/// A route, compiled.
#[derive(Debug)]
pub struct Route {
    pub name: String,
    pub rules: Vec<Rule>,
}

/// A rule, compiled.
#[derive(Debug, Default)]
pub struct Rule {
    pub name: String,
    /// `None` matches all.
    pub when: Option<Condition>,
    /// Everything that it may send a request to, each once: in the order to try, unless `split` says another.
    pub candidates: Vec<Candidate>,
    /// Who comes first is drawn by conversation.
    pub split: Option<Split>,
    /// Who gets copies.
    pub shadow: Option<Shadow>,
    /// Where the edge answers, the cloud's answer follows.
    pub upgrade: bool,
}

impl Rule {
    /// The targets in the order to try for a conversation, before constraints and preferences.
    pub fn order(&self, conversation: u64) -> SmallVec<[&Candidate; 8]> {
        match &self.split {
            None => self.candidates.iter().collect(),
            Some(split) => split.order(conversation).filter_map(|index| self.candidates.get(index)).collect(),
        }
    }
}

impl Route {
    /// The signals that its rules and the constraints read; others need not be computed for a request to it.
    pub fn reads(&self) -> SignalSet {
        let conditions = self.rules.iter().filter_map(|rule| rule.when.as_ref());
        conditions.map(Condition::reads).fold(constraint::READS, SignalSet::union)
    }
}

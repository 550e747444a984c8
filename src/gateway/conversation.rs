//! `sticky: conversation`: later turns are decided by the difficulty and threshold of the first, and go to the model that answered.
//!
//! What a reader could get wrong: this prefers, like a rule. All other signals are those of the turn, so another rule may match;
//! constraints filter afterwards; and a request's own preference of a placement wins. What answered is what is remembered.

use super::look::Looked;
use super::record::Record;
use crate::policy::Decision;
use crate::policy::threshold::{Origin, Reading};
use crate::signals::Signals;
use crate::signals::conversation::{name_hash, within};
use crate::state::conversations::Remembered;
use crate::state::{RouteEntry, Shared};

/// A turn of a conversation on a sticky route.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    key: u64,
    difficulty: f64,
    threshold: f64,
    before: Option<Remembered>,
}

/// Puts what the conversation was first decided with in place of the turn's own. `None`: the route is not sticky.
pub fn recall(entry: &RouteEntry, shared: &Shared, looked: &mut Looked<'_>) -> Option<Turn> {
    if !entry.is_sticky {
        return None;
    }
    let Looked { signals, threshold, .. } = looked;
    let key = within(signals.conversation, &entry.route.name);
    // A first turn begins anew, even where it has the words of an earlier conversation.
    let before = (signals.turns > 1).then(|| shared.durable.conversations.recall(key)).flatten();
    if let Some(before) = &before {
        (signals.difficulty, signals.threshold) = (before.difficulty, before.threshold);
        *threshold = Reading { value: before.threshold, origin: Origin::Conversation, ..Reading::default() };
    }
    Some(Turn { key, difficulty: signals.difficulty, threshold: signals.threshold, before })
}

impl Turn {
    /// Puts the conversation's model first, if it is its rule that has matched again.
    pub fn resume(&self, entry: &RouteEntry, signals: &Signals<'_>, decision: &mut Decision) {
        let rule = decision.rule.and_then(|index| entry.route.rules.get(index));
        let (Some(before), Some(rule)) = (&self.before, rule) else { return };
        let prefers = signals.hints.placement.is_some_and(|hint| !hint.is_strict());
        if prefers || name_hash(&[&rule.name]) != before.rule {
            return;
        }
        let model = rule.candidates.iter().find(|candidate| name_hash(&[&candidate.model]) == before.model);
        if let Some(model) = model {
            decision.resume(model.id);
        }
    }
}

/// A model is answering: the next turn will go to it.
pub fn answered(record: &Record) {
    let (Some(turn), Some(entry), Some((_, target))) = (&record.conversation, &record.route, &record.target) else {
        return;
    };
    let Some(rule) = record.rule.and_then(|index| entry.route.rules.get(index)) else { return };
    let now = Remembered {
        difficulty: turn.difficulty,
        threshold: turn.threshold,
        rule: name_hash(&[&rule.name]),
        model: name_hash(&[&target.name]),
    };
    if turn.before != Some(now) {
        record.shared().durable.conversations.remember(turn.key, now);
    }
}

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
use crate::state::{Conversations, RouteEntry};

/// A turn of a conversation on a sticky route.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    key: u64,
    difficulty: f64,
    threshold: f64,
    before: Option<Remembered>,
}

/// Puts what the conversation was first decided with in place of the turn's own. `None`: the route is not sticky.
pub fn recall(entry: &RouteEntry, conversations: &Conversations, looked: &mut Looked<'_>) -> Option<Turn> {
    if !entry.is_sticky {
        return None;
    }
    let Looked { signals, threshold, .. } = looked;
    let key = within(signals.conversation, &entry.route.name);
    // A first turn begins anew, even where it has the words of an earlier conversation.
    let before = (signals.turns > 1).then(|| conversations.recall(key)).flatten();
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

    fn remember(&self, conversations: &Conversations, rule: &str, model: &str) {
        let now = Remembered {
            difficulty: self.difficulty,
            threshold: self.threshold,
            rule: name_hash(&[rule]),
            model: name_hash(&[model]),
        };
        if self.before != Some(now) {
            conversations.remember(self.key, now);
        }
    }
}

/// A model is answering: the next turn will go to it.
pub fn answered(record: &Record) {
    let (Some(turn), Some(entry), Some((_, target))) = (&record.conversation, &record.route, &record.target) else {
        return;
    };
    if let Some(rule) = record.rule.and_then(|index| entry.route.rules.get(index)) {
        turn.remember(&record.shared().durable.conversations, &rule.name, &target.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{frontier, route, rule, signals, small};
    use crate::policy::threshold::Threshold;
    use crate::policy::{self, Route};
    use crate::signals::Hints;
    use crate::signals::hints::PlacementHint;

    fn entry(route: Route, is_sticky: bool) -> RouteEntry {
        let reads = route.reads();
        let name_header = http::HeaderValue::from_static("auto");
        RouteEntry {
            degrades: false,
            route,
            name_header,
            rules: vec![],
            reads,
            has_retiring: false,
            needs_conversation: true,
            is_sticky,
            terms: None,
            scope: [0; 32],
            is_decided: true,
            threshold: Threshold::unset(),
            knowledge_until: None,
            has_edge: true,
            has_cloud: false,
            clouds: vec![],
        }
    }

    fn looked(signals: Signals<'_>) -> Looked<'_> {
        Looked { signals, threshold: Reading::default(), model: None, has_fresh: false }
    }

    /// By difficulty, with a way out for tools.
    fn by_difficulty() -> Route {
        route(vec![
            rule("tools", Some("has_tools"), vec![frontier()]),
            rule("easy", Some("difficulty < threshold"), vec![small(), frontier()]),
            rule("hard", None, vec![frontier(), small()]),
        ])
    }

    /// Decides a turn, has `answers` answer (or the first of the plan), and tells the plan.
    fn decided(entry: &RouteEntry, all: &Conversations, turn: Signals<'_>, answers: Option<&str>) -> Vec<&'static str> {
        let mut looked = looked(turn);
        let sticky = recall(entry, all, &mut looked);
        let turn = looked.signals;
        let mut decision = policy::decide(&entry.route, &turn);
        let name = |id| if id == small().id { "small" } else { "frontier" };
        if let Some(sticky) = &sticky {
            sticky.resume(entry, &turn, &mut decision);
            let plan: Vec<&str> = decision.plan().map(name).collect();
            let rule = &entry.route.rules[decision.rule.unwrap()].name;
            sticky.remember(all, rule, answers.unwrap_or(plan[0]));
        }
        decision.plan().map(name).collect()
    }

    #[test]
    fn a_conversation_is_decided_by_the_difficulty_that_it_began_with() {
        let (entry, all, hints) = (entry(by_difficulty(), true), Conversations::default(), Hints::default());
        let turn = |conversation, turns, difficulty, threshold| Signals {
            conversation,
            turns,
            difficulty,
            threshold,
            has_tools: false,
            ..signals(&hints)
        };
        assert_eq!(decided(&entry, &all, turn(1, 1, 0.4, 0.5), None), ["small", "frontier"]);
        // Neither what is said nor the boundary moves it.
        assert_eq!(decided(&entry, &all, turn(1, 2, 0.9, 0.5), None), ["small", "frontier"]);
        assert_eq!(decided(&entry, &all, turn(1, 3, 0.4, 0.1), None), ["small", "frontier"]);
        assert_eq!(decided(&entry, &all, turn(2, 2, 0.9, 0.5), None), ["frontier", "small"], "nothing is known of it");
        assert_eq!(decided(&entry, &all, turn(2, 3, 0.1, 0.5), None), ["frontier", "small"]);
        assert_eq!(
            decided(&entry, &all, turn(1, 1, 0.9, 0.5), None),
            ["frontier", "small"],
            "a first turn begins anew"
        );

        // A fallback is remembered, another signal has its say, and what came of it is remembered with the first difficulty.
        assert_eq!(decided(&entry, &all, turn(3, 1, 0.4, 0.5), Some("frontier")), ["small", "frontier"]);
        assert_eq!(decided(&entry, &all, turn(3, 2, 0.4, 0.5), None), ["frontier", "small"]);
        let tools = Signals { has_tools: true, ..turn(3, 3, 0.9, 0.5) };
        assert_eq!(decided(&entry, &all, tools, None), ["frontier"]);
        assert_eq!(decided(&entry, &all, turn(3, 4, 0.9, 0.5), None), ["small", "frontier"]);
    }

    #[test]
    fn a_requests_own_preference_wins_and_constraints_filter_all_the_same() {
        let (entry, all, hints) = (entry(by_difficulty(), true), Conversations::default(), Hints::default());
        let first = Signals { conversation: 1, turns: 1, ..signals(&hints) };
        assert_eq!(decided(&entry, &all, first, Some("frontier")), ["small", "frontier"]);
        for (hint, plan) in [
            (PlacementHint::PreferEdge, vec!["small", "frontier"]),
            (PlacementHint::OnlyEdge, vec!["small"]),
            (PlacementHint::OnlyCloud, vec!["frontier"]),
        ] {
            let hints = Hints { placement: Some(hint), ..Hints::default() };
            let second = Signals { conversation: 1, ..signals(&hints) };
            assert_eq!(decided(&entry, &all, second, Some("frontier")), plan, "{hint:?}");
        }
    }

    #[test]
    fn a_route_that_is_not_sticky_remembers_nothing() {
        let (entry, all, hints) = (entry(by_difficulty(), false), Conversations::default(), Hints::default());
        let turn = Signals { conversation: 1, ..signals(&hints) };
        assert!(recall(&entry, &all, &mut looked(turn)).is_none());
    }
}

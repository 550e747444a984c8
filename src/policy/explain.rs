//! A decision, told: every signal with its value, every rule with its verdict, every target kept or dropped and why, the plan.
//! For the `explain` command and the admin API; the request's path never builds one.
//!
//! What a reader could get wrong: it holds what the client said of itself (app, user, tags), so it is for the operator. There is
//! no prompt text in it, because there is none in the signals.

use serde::Serialize;
use serde_json::Value;

use super::{Candidate, Decision, Route, Rule, Verdict, none_left};
use crate::config::file::Placement;
use crate::signals::hints::{CacheHint, PlacementHint, PrivacyHint};
use crate::signals::{SignalId, SignalSet, Signals, table};

/// Why a request goes where it goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Where it goes and why, in one sentence.
    pub summary: String,
    pub route: String,
    pub signals: Vec<ExplainedSignal>,
    /// Where easy ends and hard begins, and what says so.
    pub threshold: ThresholdTold,
    /// What moved the scores most; `None`: nobody scored.
    pub difficulty: Option<ScoreTold>,
    pub needs_fresh_knowledge: Option<ScoreTold>,
    /// What else had a part in it: a share, a shadow, a wish.
    pub notes: Vec<String>,
    /// The privacy tier that the client asked for, if any.
    pub privacy: Option<&'static str>,
    /// What the client asked of the cache, if anything.
    pub cache: Option<&'static str>,
    /// The day that retirement is judged by.
    pub today: jiff::civil::Date,
    /// In the order they are tried.
    pub rules: Vec<ExplainedRule>,
    /// The rule that matched.
    pub rule: Option<String>,
    /// Its targets in the order to try, preference hints applied.
    pub targets: Vec<ExplainedTarget>,
    /// `models` keys, best first; empty: the request is refused with `error`.
    pub plan: Vec<String>,
    /// What the client is told when the plan is empty.
    pub error: Option<String>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedSignal {
    pub name: &'static str,
    pub value: Value,
    /// A rule of this route reads it.
    pub read: bool,
    /// Microseconds that it took to find out; `None`: it lay at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub us: Option<f64>,
}

/// A threshold, told.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ThresholdTold {
    pub value: f64,
    /// `max_cloud_share 0.2, 0.197 lately; raised by cloud pressure 0.40`.
    pub source: String,
}

/// A score, told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreTold {
    /// The model that gave it: the first digits of its file's hash.
    pub model: String,
    /// The largest first.
    pub moved: Vec<MovedTold>,
}

/// A word or a feature, and by how much it moved the log-odds of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MovedTold {
    pub what: String,
    pub by: f64,
    /// It is text of the prompt.
    pub is_text: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedRule {
    pub name: String,
    /// The condition as written; `None`: it matches all.
    pub when: Option<String>,
    /// `matched`, `not-matched`, `failed`, `not-reached`.
    pub verdict: &'static str,
    /// Why the condition failed to evaluate.
    pub failure: Option<String>,
}

/// One target of the rule that matched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedTarget {
    /// The `models` key.
    pub model: String,
    /// `edge` or `cloud`.
    pub placement: &'static str,
    pub kept: bool,
    /// The constraint that dropped it.
    pub constraint: Option<&'static str>,
    /// Why, with the numbers.
    pub reason: Option<String>,
    /// Below this confidence, the next target is asked; `None`: its answers are not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
}

impl Explanation {
    /// Tells `decision`, which was made of these very signals on this route.
    pub fn new(route: &Route, decision: &Decision, signals: &Signals<'_>) -> Explanation {
        let matched = decision.rule.and_then(|index| route.rules.get(index));
        let candidates = matched.map(|rule| rule.candidates.as_slice()).unwrap_or_default();
        let find = |id| candidates.iter().find(|candidate: &&Candidate| candidate.id == id);
        let targets: Vec<ExplainedTarget> = decision
            .considered
            .iter()
            .filter_map(|considered| Some((find(considered.target)?, considered.dropped)))
            .map(|(candidate, dropped)| ExplainedTarget {
                model: candidate.model.clone(),
                placement: match candidate.placement {
                    Placement::Edge => "edge",
                    Placement::Cloud => "cloud",
                },
                kept: dropped.is_none(),
                constraint: dropped.map(super::constraint::Constraint::label),
                reason: dropped.map(|constraint| constraint.explain(candidate, signals).to_string()),
                min_confidence: candidate.min_confidence,
            })
            .collect();
        let plan: Vec<String> =
            targets.iter().filter(|target| target.kept).map(|target| target.model.clone()).collect();
        let mut told = Explanation {
            summary: String::new(),
            threshold: ThresholdTold { value: signals.threshold, source: String::new() },
            difficulty: None,
            needs_fresh_knowledge: None,
            notes: notes(matched, decision, signals).into_iter().chain(bounds(&targets)).collect(),
            route: route.name.clone(),
            signals: explain_signals(route, signals),
            privacy: signals.hints.privacy.map(PrivacyHint::name),
            cache: signals.hints.cache.map(CacheHint::name),
            today: signals.today,
            rules: explain_rules(route, decision, signals),
            rule: matched.map(|rule| rule.name.clone()),
            error: plan.is_empty().then(|| none_left(route, decision, signals).message.into_owned()),
            targets,
            plan,
        };
        told.summary = summary(&told, matched);
        told
    }
}

/// `goes to small (edge): rule easy matched, for difficulty 0.031, threshold 0.05; then frontier (cloud)`
fn summary(told: &Explanation, matched: Option<&Rule>) -> String {
    let of = |model: &String| {
        let placement = told.targets.iter().find(|target| target.model == *model).map_or("", |target| target.placement);
        format!("`{model}` ({placement})")
    };
    let why = match matched {
        None => "no rule matched".to_owned(),
        Some(rule) => match &rule.when {
            None => format!("rule `{}` takes what no rule before it has taken", rule.name),
            Some(condition) => {
                let read = told.signals.iter().filter(|signal| {
                    table::find(signal.name).map(|signal| signal.id).is_some_and(|id| condition.reads().contains(id))
                });
                let values: Vec<String> = read.map(|signal| format!("{} is {}", signal.name, signal.value)).collect();
                format!("rule `{}` matched, as {}", rule.name, values.join(" and "))
            }
        },
    };
    let dropped = told.targets.iter().filter_map(|target| {
        Some(format!("; not to `{}`: {}", target.model, target.reason.as_ref().filter(|_| !target.kept)?))
    });
    match told.plan.split_first() {
        None => format!("is refused: {}", told.error.as_deref().unwrap_or(&why)),
        Some((first, rest)) => {
            let then: String = rest.iter().map(|model| format!("; then to {}", of(model))).collect();
            format!("goes to {}: {why}{then}{}", of(first), dropped.collect::<String>())
        }
    }
}

/// What else had a part in the order of the targets, and what else is done with the request.
fn notes(matched: Option<&Rule>, decision: &Decision, signals: &Signals<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(prefers) = signals.placement.prefers {
        let where_to = if prefers == Placement::Edge { "edge" } else { "cloud" };
        notes.push(format!("targets at the {where_to} come first, as was wished"));
    }
    let Some(rule) = matched else { return notes };
    if rule.split.is_some() {
        notes.push("the first target is the conversation's share of the split".to_owned());
    }
    if decision.resumed.is_some() {
        notes.push("the conversation stays with the model that it began with".to_owned());
    }
    if let Some(shadow) = &rule.shadow {
        let percent = shadow.sample * 100.0;
        notes.push(match shadow.may_have(signals) {
            true => format!("{percent} % of such requests are copied to `{}`", shadow.candidate.model),
            false => format!("never copied to the shadow `{}`: it may not leave its placement", shadow.candidate.model),
        });
    }
    notes
}

/// Who may be asked after an answer that is not certain enough.
fn bounds(targets: &[ExplainedTarget]) -> impl Iterator<Item = String> + '_ {
    let kept = || targets.iter().filter(|target| target.kept);
    kept().zip(kept().skip(1)).filter_map(|(target, next)| {
        let (model, next, bound) = (&target.model, &next.model, target.min_confidence?);
        Some(format!("an answer of `{model}` with a confidence below {bound} is put aside and `{next}` is asked"))
    })
}

fn explain_rules(route: &Route, decision: &Decision, signals: &Signals<'_>) -> Vec<ExplainedRule> {
    let each = route.rules.iter().zip(&decision.verdicts);
    each.map(|(rule, verdict)| ExplainedRule {
        name: rule.name.clone(),
        when: rule.when.as_ref().map(|condition| condition.text().to_owned()),
        verdict: verdict.label(),
        failure: match (verdict, &rule.when) {
            (Verdict::Failed, Some(condition)) => condition.failure(signals),
            _ => None,
        },
    })
    .collect()
}

fn explain_signals(route: &Route, signals: &Signals<'_>) -> Vec<ExplainedSignal> {
    let conditions = route.rules.iter().filter_map(|rule| rule.when.as_ref());
    let read = conditions.map(super::condition::Condition::reads).fold(SignalSet::EMPTY, SignalSet::union);
    table::all()
        .iter()
        .map(|signal| (signal.name, signal.id))
        .map(|(name, id)| ExplainedSignal { name, value: value_of(id, signals), read: read.contains(id), us: None })
        .collect()
}

/// The value of a signal as rules see it.
fn value_of(id: SignalId, signals: &Signals<'_>) -> Value {
    let hints = signals.hints;
    match id {
        SignalId::Model => signals.model.into(),
        SignalId::InputTokens => signals.input_tokens.into(),
        SignalId::MaxOutputTokens => signals.max_output_tokens.unwrap_or(0).into(),
        SignalId::Modalities => signals.modalities.names().collect::<Vec<_>>().into(),
        SignalId::HasTools => signals.has_tools.into(),
        SignalId::Stream => signals.stream.into(),
        SignalId::Turns => signals.turns.into(),
        SignalId::App => hints.app.as_deref().unwrap_or_default().into(),
        SignalId::User => hints.user.as_deref().unwrap_or_default().into(),
        SignalId::Tags => Value::Object(hints.tags.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect()),
        SignalId::HintPlacement => hints.placement.map(PlacementHint::name).unwrap_or_default().into(),
        SignalId::HintDeadlineMs => hints.deadline_ms.unwrap_or(0).into(),
        SignalId::EdgeAvailable => signals.edge_available.into(),
        SignalId::CloudAvailable => signals.cloud_available.into(),
        SignalId::Hour => signals.hour.into(),
        SignalId::Tenant => signals.tenant.into(),
        SignalId::BudgetLeft => signals.budget.left.into(),
        SignalId::Difficulty => signals.difficulty.into(),
        SignalId::NeedsFreshKnowledge => signals.fresh.into(),
        SignalId::Threshold => signals.threshold.into(),
        SignalId::EdgeLoad => signals.edge_load.into(),
        SignalId::Deferred => signals.deferred.into(),
        SignalId::CloudPressure => signals.cloud_pressure.into(),
        SignalId::PiiSeverity => signals.private.severity.into(),
        SignalId::PiiTypes => signals.private.types.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::decide;
    use crate::policy::fixtures::{frontier, route, rule, signals, small};
    use crate::signals::Hints;

    #[test]
    fn every_step_of_the_decision_is_told() {
        let route = route(vec![
            rule("mine", Some("tags.owner == 'me'"), vec![frontier()]),
            rule("night", Some("hour < 6"), vec![small()]),
            rule("easy", Some("input_tokens < 4000"), vec![small(), frontier()]),
            rule("rest", None, vec![frontier()]),
        ]);
        let hints = Hints { privacy: Some(PrivacyHint::LocalOnly), ..Hints::default() };
        let signals = signals(&hints);
        let told = Explanation::new(&route, &decide(&route, &signals), &signals);
        let verdicts: Vec<_> = told.rules.iter().map(|rule| (rule.name.as_str(), rule.verdict)).collect();
        assert_eq!(
            verdicts,
            [("mine", "failed"), ("night", "not-matched"), ("easy", "matched"), ("rest", "not-reached")]
        );
        assert_eq!(told.rules[0].failure.as_deref(), Some("there is no `owner`: guard it with has()"));
        assert_eq!(told.plan, ["small"]);
        assert_eq!(told.error, None);
        assert_eq!(told.targets[1].reason.as_deref(), Some("local-only is in force"));
        let read: Vec<_> = told.signals.iter().filter(|signal| signal.read).map(|signal| signal.name).collect();
        assert_eq!(read, ["input_tokens", "tags", "hour"]);
    }

    /// The values that are told are those that rules see.
    #[test]
    fn values_are_told_as_conditions_see_them() {
        let hints = Hints { user: Some("ann".into()), tags: vec![("a".into(), "b".into())], ..Hints::default() };
        let signals = signals(&hints);
        for told in explain_signals(&route(vec![]), &signals) {
            // JSON is CEL for every value that a signal can have.
            let same = format!("{} == {}", told.name, told.value);
            let condition = crate::policy::Condition::compile(&same).unwrap();
            assert_eq!(condition.evaluate(&signals), Verdict::Matched, "{same}");
        }
    }
}

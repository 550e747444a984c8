//! What a condition sees while it is evaluated: the signals as CEL values, and the constants that the checker took out of the
//! expression (compiled patterns, lists of literals).
//!
//! What a reader could get wrong: `Variables` is made once per decision and borrows everything; only `tags` and `modalities` are
//! built, and only when a condition reads them. The interpreter asks for a variable each time it meets it, so all of this is
//! handed out by reference.

use std::sync::{Arc, OnceLock};

use cel::common::traits::Container;
use cel::common::types::{
    BOOL_TYPE, CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString, Type as CelTypeInfo,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError};

use crate::signals::hints::PlacementHint;
use crate::signals::{SignalId, Signals, table};

/// The signals of one request as CEL values.
pub struct Variables<'r> {
    signals: &'r Signals<'r>,
    model: CelString<'r>,
    app: CelString<'r>,
    user: CelString<'r>,
    tenant: CelString<'r>,
    budget_left: CelDouble,
    difficulty: CelDouble,
    fresh: CelDouble,
    threshold: CelDouble,
    edge_load: CelDouble,
    cloud_pressure: CelDouble,
    hint_placement: CelString<'r>,
    input_tokens: CelInt,
    max_output_tokens: CelInt,
    turns: CelInt,
    hint_deadline_ms: CelInt,
    hour: CelInt,
    has_tools: CelBool,
    stream: CelBool,
    edge_available: CelBool,
    cloud_available: CelBool,
    deferred: CelBool,
    pii_severity: CelInt,
    pii_types: OnceLock<CelList<'r>>,
    modalities: OnceLock<CelList<'r>>,
    tags: OnceLock<CelMap<'r>>,
}

impl<'r> Variables<'r> {
    pub fn new(signals: &'r Signals<'r>) -> Self {
        let hints = signals.hints;
        Variables {
            signals,
            model: signals.model.into(),
            app: hints.app.as_deref().unwrap_or_default().into(),
            user: hints.user.as_deref().unwrap_or_default().into(),
            tenant: signals.tenant.into(),
            budget_left: signals.budget.left.into(),
            difficulty: signals.difficulty.into(),
            fresh: signals.fresh.into(),
            threshold: signals.threshold.into(),
            edge_load: signals.edge_load.into(),
            cloud_pressure: signals.cloud_pressure.into(),
            hint_placement: hints.placement.map(PlacementHint::name).unwrap_or_default().into(),
            input_tokens: int(signals.input_tokens),
            max_output_tokens: int(signals.max_output_tokens.unwrap_or(0)),
            turns: int(u64::from(signals.turns)),
            hint_deadline_ms: int(hints.deadline_ms.unwrap_or(0)),
            hour: int(u64::from(signals.hour)),
            has_tools: signals.has_tools.into(),
            stream: signals.stream.into(),
            edge_available: signals.edge_available.into(),
            cloud_available: signals.cloud_available.into(),
            deferred: signals.deferred.into(),
            pii_severity: int(signals.private.severity.into()),
            pii_types: OnceLock::new(),
            modalities: OnceLock::new(),
            tags: OnceLock::new(),
        }
    }

    fn get(&self, id: SignalId) -> &(dyn Val + 'r) {
        match id {
            SignalId::Model => &self.model,
            SignalId::InputTokens => &self.input_tokens,
            SignalId::MaxOutputTokens => &self.max_output_tokens,
            SignalId::Modalities => self.modalities.get_or_init(|| {
                let name = |name: &'static str| -> Box<dyn Val + 'r> { Box::new(CelString::from(name)) };
                self.signals.modalities.names().map(name).collect::<Vec<_>>().into()
            }),
            SignalId::HasTools => &self.has_tools,
            SignalId::Stream => &self.stream,
            SignalId::Turns => &self.turns,
            SignalId::App => &self.app,
            SignalId::User => &self.user,
            SignalId::Tags => self.tags.get_or_init(|| {
                let entry = |(key, value): &'r (String, String)| -> (CelMapKey<'r>, Box<dyn Val + 'r>) {
                    (CelMapKey::String(key.as_str().into()), Box::new(CelString::from(value.as_str())))
                };
                self.signals.hints.tags.iter().map(entry).collect::<std::collections::HashMap<_, _>>().into()
            }),
            SignalId::HintPlacement => &self.hint_placement,
            SignalId::HintDeadlineMs => &self.hint_deadline_ms,
            SignalId::EdgeAvailable => &self.edge_available,
            SignalId::CloudAvailable => &self.cloud_available,
            SignalId::Deferred => &self.deferred,
            SignalId::Hour => &self.hour,
            SignalId::Tenant => &self.tenant,
            SignalId::BudgetLeft => &self.budget_left,
            SignalId::Difficulty => &self.difficulty,
            SignalId::NeedsFreshKnowledge => &self.fresh,
            SignalId::Threshold => &self.threshold,
            SignalId::EdgeLoad => &self.edge_load,
            SignalId::CloudPressure => &self.cloud_pressure,
            SignalId::PiiSeverity => &self.pii_severity,
            SignalId::PiiTypes => self.pii_types.get_or_init(|| {
                let name =
                    |(name, _): &'r (String, u32)| -> Box<dyn Val + 'r> { Box::new(CelString::from(name.as_str())) };
                self.signals.private.types.iter().map(name).collect::<Vec<_>>().into()
            }),
        }
    }
}

/// A count as CEL's int; what is beyond 2^63 is beyond any model too.
fn int(count: u64) -> CelInt {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

/// One condition's view: the shared variables and its own constants.
pub(super) struct Scope<'a, 'r> {
    pub variables: &'a Variables<'r>,
    pub constants: &'a [Box<dyn Val>],
}

impl VariableResolver for Scope<'_, '_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let value: &'b (dyn Val + 'b) = match name.strip_prefix(CONSTANT) {
            Some(index) => self.constants.get(index.parse::<usize>().ok()?)?.as_ref(),
            None => self.variables.get(table::find(name)?.id),
        };
        Some(CowVal::Borrowed(value))
    }
}

/// Evaluates with a fresh context over `scope`; `use_context` gets it.
pub(super) fn with_context<'v, T>(scope: &'v Scope<'_, '_>, use_context: impl FnOnce(&Context<'_, 'v>) -> T) -> T {
    thread_local! {
        // Building the standard library takes longer than a decision. One a thread, so that the cores do not fight over the
        // cache line of its reference count.
        static ENV: Arc<Env> = Arc::new(Env::stdlib());
    }
    let mut context = Context::with_env(ENV.with(Arc::clone));
    context.set_variable_resolver(scope);
    use_context(&context)
}

/// Constants are variables of this name and a number; no expression can write it.
pub(super) const CONSTANT: char = '@';

/// A pattern compiled at load. `text.matches('pattern')` becomes `text in @N`, because a container may be any value, while a
/// function of the interpreter sees only the pattern's text and would compile it each time.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub regex::Regex);

impl Val for Pattern {
    fn get_type(&self) -> &CelTypeInfo {
        Self::cel_type()
    }

    fn cel_type() -> &'static CelTypeInfo {
        // Never seen by an expression: a pattern stands only on the right of `in`.
        &BOOL_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Container for Pattern {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let text: &str = value.try_into().map_err(|_| ExecutionError::UnexpectedType {
            got: value.get_type().name().to_owned(),
            want: "string".to_owned(),
        })?;
        Ok(self.0.is_match(text))
    }
}

//! The one table of signals: what a rule may read, its type, what it means. The type checker, the
//! nearest-name hints, `explain` and the documentation all read it.
//!
//! What a reader could get wrong: a name has its dots (`pii.severity`) although CEL reads a dot as a field; the checker joins them.

/// A signal; its number is its place in a [`SignalSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SignalId {
    Model,
    InputTokens,
    MaxOutputTokens,
    Modalities,
    HasTools,
    Stream,
    Turns,
    App,
    User,
    Tags,
    HintPlacement,
    HintDeadlineMs,
    EdgeAvailable,
    CloudAvailable,
    Hour,
    Tenant,
    BudgetLeft,
    Difficulty,
    NeedsFreshKnowledge,
    Threshold,
    EdgeLoad,
    CloudPressure,
    PiiSeverity,
    PiiTypes,
    Deferred,
}

/// The type of a signal's value, in CEL's words (`Display`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Bool,
    Int,
    Double,
    Text,
    /// `list(string)`
    TextList,
    /// `map(string, string)`
    TextMap,
}

/// One signal.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// As rules write it, dots included.
    pub name: &'static str,
    pub value: ValueType,
    /// One line for the operator.
    pub doc: &'static str,
    pub id: SignalId,
}

/// A set of signals: what a condition reads, what must be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalSet(u32);

impl SignalSet {
    pub const EMPTY: SignalSet = SignalSet(0);

    pub const fn with(self, id: SignalId) -> SignalSet {
        SignalSet(self.0 | 1 << id as u8)
    }

    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    pub const fn contains(self, id: SignalId) -> bool {
        self.0 & 1 << id as u8 != 0
    }
}

/// Every signal of the product, in the order of the documentation.
pub fn all() -> &'static [Signal] {
    &SIGNALS
}

/// The signal of that name.
pub fn find(name: &str) -> Option<&'static Signal> {
    SIGNALS.iter().find(|signal| signal.name == name)
}

/// Whether `name` is the part before the dot of some signal (`hint` of `hint.placement`).
pub fn is_group(name: &str) -> bool {
    in_group(name).next().is_some()
}

/// The signals of a group, by their full names.
pub fn in_group(group: &str) -> impl Iterator<Item = &'static Signal> {
    SIGNALS.iter().filter(move |signal| signal.name.split_once('.').is_some_and(|(head, _)| head == group))
}

/// The name among `names` that was probably meant by `wrong`: at most a third of it mistyped, or one contains the other.
pub fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = (wrong.chars().count() / 3).max(1);
    let mut contained = None;
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let distance = strsim::damerau_levenshtein(wrong, name);
        if distance <= most && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
        let long_enough = wrong.len() >= 4 && name.len() >= 4;
        if long_enough && contained.is_none() && (name.contains(wrong) || wrong.contains(name)) {
            contained = Some(name);
        }
    }
    best.map(|(_, name)| name).or(contained)
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ValueType::Bool => "bool",
            ValueType::Int => "int",
            ValueType::Double => "double",
            ValueType::Text => "string",
            ValueType::TextList => "list(string)",
            ValueType::TextMap => "map(string, string)",
        })
    }
}

const fn signal(name: &'static str, value: ValueType, id: SignalId, doc: &'static str) -> Signal {
    Signal { name, value, doc, id }
}

#[rustfmt::skip]
static SIGNALS: [Signal; 25] = {
    use SignalId::*;
    use ValueType::*;
    [
        signal("model", Text, Model, "the model name that the client asked for"),
        signal("input_tokens", Int, InputTokens, "tokens of the prompt, estimated"),
        signal("max_output_tokens", Int, MaxOutputTokens, "the most tokens that the client wants back; 0 when not given"),
        signal("modalities", TextList, Modalities, "what the prompt holds: text, image, audio, file"),
        signal("has_tools", Bool, HasTools, "the request offers tools to the model"),
        signal("stream", Bool, Stream, "the client wants a stream"),
        signal("turns", Int, Turns, "messages of the user in the conversation"),
        signal("app", Text, App, "the client's x-tidegate-app; '' when not given"),
        signal("user", Text, User, "the client's x-tidegate-user; '' when not given"),
        signal("tags", TextMap, Tags, "the client's x-tidegate-tags: tags.team or tags['team']"),
        signal("hint.placement", Text, HintPlacement, "only-edge, prefer-edge, prefer-cloud, only-cloud; '' when not given"),
        signal("hint.deadline_ms", Int, HintDeadlineMs, "milliseconds that the client will wait; 0 when not given"),
        signal("edge.available", Bool, EdgeAvailable, "at least one edge upstream has a healthy node"),
        signal("cloud.available", Bool, CloudAvailable, "at least one cloud upstream can be reached, as far as is known"),
        signal("hour", Int, Hour, "the local hour, 0 to 23"),
        signal("tenant", Text, Tenant, "whose key it is; '' where nobody is asked for one"),
        signal("budget.left", Double, BudgetLeft, "the share of the tenant's (or app's) budget that is left, 0 to 1; 1 without one"),
        signal("difficulty", Double, Difficulty, "how hard the prompt is, 0 to 1: the probability that the cloud succeeds where the edge fails"),
        signal("needs_fresh_knowledge", Double, NeedsFreshKnowledge, "whether the answer needs recent knowledge, 0 to 1"),
        signal("threshold", Double, Threshold, "where easy ends and hard begins on this route"),
        signal("pii.severity", Int, PiiSeverity, "0 none, 1 personal, 2 sensitive, 3 secret"),
        signal("pii.types", TextList, PiiTypes, "the types of personal data found"),
        signal("edge.load", Double, EdgeLoad, "how busy the edge is, 0 to 1: requests at work over places"),
        signal("cloud.pressure", Double, CloudPressure, "how much the providers push back, 0 to 1"),
        signal("deferred", Bool, Deferred, "nobody waits for the answer: a background response, a line of a batch, an upgrade"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_signal_has_its_own_number_and_name() {
        let mut seen = SignalSet::EMPTY;
        for signal in all() {
            let id = signal.id;
            assert!(!seen.contains(id), "{} shares its id", signal.name);
            seen = seen.with(id);
        }
        for (i, signal) in all().iter().enumerate() {
            assert!(all()[..i].iter().all(|other| other.name != signal.name), "{} stands twice", signal.name);
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_mistyped_or_the_one_contained() {
        let nearest = |wrong| nearest(wrong, all().iter().map(|s| s.name));
        assert_eq!(nearest("dificulty"), Some("difficulty"));
        assert_eq!(nearest("tokens"), Some("input_tokens"));
        assert_eq!(nearest("request.model"), Some("model"));
        assert_eq!(nearest("zebra"), None);
        assert_eq!(nearest(""), None);
    }
}

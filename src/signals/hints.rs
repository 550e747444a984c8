//! What the client says about its own request: `x-tidegate-*` headers, or a `tidegate` object in the body (the header wins).
//! A hint can only tighten what is allowed.

/// The hints of one request; absent ones are `None` or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    pub placement: Option<PlacementHint>,
    pub privacy: Option<PrivacyHint>,
    pub cache: Option<CacheHint>,
    pub deadline_ms: Option<u64>,
    pub app: Option<String>,
    pub user: Option<String>,
    pub tags: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementHint {
    OnlyEdge,
    PreferEdge,
    PreferCloud,
    OnlyCloud,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivacyHint {
    LocalOnly,
    NoRetention,
    Retained,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheHint {
    Off,
    Refresh,
}

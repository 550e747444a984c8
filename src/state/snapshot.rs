//! One configuration, compiled: routes with their rules, targets, upstreams, limits. Immutable; a reload builds another.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;
use jiff::civil::Date;
use prometheus::IntCounter;

use super::protection::Protection;
use super::remembering::Scope;
use super::routing::Classifiers;
use crate::cache::{Store, Terms};
use crate::config::file;
use crate::openai::models::Entry;
use crate::policy::threshold::Threshold;
use crate::policy::{self, TargetId};
use crate::signals::SignalSet;
use crate::tenant::Directory;
use crate::upstream::{Target, Upstream};

/// A configuration in force.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the configurations of this process from 1.
    pub generation: u64,
    /// BLAKE3 of the configuration, in hex.
    pub hash: String,
    pub server: file::Server,
    /// How many attempts a request gets.
    pub retries: file::Retries,
    pub upstreams: Vec<Arc<Upstream>>,
    pub targets: Vec<Arc<Target>>,
    /// By the name that a client asks for: routes, their aliases, and models by their own key.
    pub routes: HashMap<String, Arc<RouteEntry>>,
    /// Where paths go that are not routed by model.
    pub passthrough: Option<Arc<Upstream>>,
    /// Who says how hard a prompt is.
    pub classifiers: Classifiers,
    /// What is looked for in requests.
    pub protection: Protection,
    /// What is remembered; `None`: nothing is.
    pub cache: Option<Arc<Store>>,
    /// The `models` key of what makes vectors of questions, or `builtin`; `None`: nothing does.
    pub embedder: Option<String>,
    /// What answers to tenants depend on, by the tenant's index; the first is nobody's.
    pub tenant_scopes: Vec<Scope>,
    /// Who may ask.
    pub tenants: Directory,
    /// What `GET /v1/models` lists.
    pub models: Vec<Entry>,
    pub models_answer: Bytes,
    /// The configuration with its secrets masked, for the admin API.
    pub shown: serde_json::Value,
}

/// A route and what its answers carry.
#[derive(Debug)]
pub struct RouteEntry {
    pub route: policy::Route,
    pub name_header: HeaderValue,
    pub rules: Vec<RuleEntry>,
    /// The signals that its rules and constraints read; others are not computed.
    pub reads: SignalSet,
    /// A target of it retires one day, so the date counts.
    pub has_retiring: bool,
    /// Rules decide; otherwise it stands for one model.
    pub is_decided: bool,
    /// Where easy ends and hard begins.
    pub threshold: Threshold,
    /// The earliest day to which the knowledge of a target reaches.
    pub knowledge_until: Option<Date>,
    /// The cloud upstreams of its targets.
    pub clouds: Vec<Arc<Upstream>>,
    /// A target or a shadow of it runs at the edge, in the cloud.
    pub has_edge: bool,
    pub has_cloud: bool,
    /// Something of it goes by conversation: a split, `sticky`.
    pub needs_conversation: bool,
    /// The edge answers while no cloud can be reached.
    pub degrades: bool,
    /// A conversation stays with the model that it began with.
    pub is_sticky: bool,
    /// On what terms its answers are kept; `None`: none is.
    pub terms: Option<Terms>,
    /// What its answers depend on.
    pub scope: Scope,
}

/// A rule's header and the counters of its targets.
#[derive(Debug)]
pub struct RuleEntry {
    pub name_header: HeaderValue,
    /// `tidegate_requests_total{outcome="ok"}` per target and tenant (by index, 0 is nobody), resolved when first used.
    pub ok: Vec<(TargetId, Box<[OnceLock<IntCounter>]>)>,
}

impl Snapshot {
    pub fn target(&self, id: TargetId) -> Option<&Arc<Target>> {
        self.targets.get(usize::from(id))
    }

    /// At least one node of that placement is up.
    pub fn available(&self, placement: file::Placement) -> bool {
        self.upstreams.iter().any(|upstream| upstream.placement() == placement && upstream.pool.is_available())
    }

    /// Requests at work over places, at the edge, 0 to 1; 1 while no node is up.
    pub fn edge_load(&self) -> f64 {
        let edges = self.upstreams.iter().filter(|upstream| upstream.placement() == file::Placement::Edge);
        let loads = edges.map(|upstream| upstream.pool.load());
        let (busy, places) = loads.fold((0, 0), |sum, load| (sum.0 + load.0, sum.1 + load.1));
        if places == 0 { 1.0 } else { (f64::from(busy) / f64::from(places)).min(1.0) }
    }
}

impl RouteEntry {
    /// How much the providers push back: that of the one that does least, for the others have it to fall back on. 1 while all of them are
    /// down, 0 where there are none.
    pub fn cloud_pressure(&self) -> f64 {
        let of = |upstream: &Arc<Upstream>| if upstream.pool.is_available() { upstream.pressure.now() } else { 1.0 };
        self.clouds.iter().map(of).reduce(f64::min).unwrap_or(0.0)
    }
}

impl RuleEntry {
    /// The counter of good answers by `target` to the tenant with this index.
    pub fn ok(&self, target: TargetId, tenant: usize, resolve: impl FnOnce() -> IntCounter) -> Option<&IntCounter> {
        let (_, tenants) = self.ok.iter().find(|(id, _)| *id == target)?;
        tenants.get(tenant).map(|counter| counter.get_or_init(resolve))
    }
}

//! From the file's types to a snapshot. Preparing may fail and changes nothing; swapping cannot fail.
//!
//! What a reader could get wrong: an upstream whose section did not change is taken over from the snapshot before, with everything it
//! knows; one whose section changed is new, but its nodes are found again by address.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::Durable;
use super::deferring;
use super::protection::Protection;
use super::remembering;
use super::routing::{self, Classifiers};
use super::snapshot::{RouteEntry, RuleEntry, Snapshot};
use crate::cache::Terms;
use crate::config::file::{self, File, Sticky};
use crate::config::load::Loaded;
use crate::openai::Modalities;
use crate::openai::models::{self, Entry};
use crate::policy::threshold::Threshold;
use crate::policy::{Candidate, Condition, Route, Rule, Shadow, Split, TargetId};
use crate::provider;
use crate::signals::SignalId;
use crate::tenant::Directory;
use crate::upstream::discover::{self, NodeKey, Source};
use crate::upstream::health::Probe;
use crate::upstream::node::Address;
use crate::upstream::pool::{Plan, PrefixTokens};
use crate::upstream::price::Day;
use crate::upstream::tls::TlsSettings;
use crate::upstream::{Node, Pool, Target, Upstream};

/// The name of the rule that stands behind a model asked for by its own key.
pub const DIRECT: &str = "direct";

/// Builds the next snapshot. Errors name the section; they come after `check`, so they are rare (a certificate that does not fit its key).
pub async fn prepare(loaded: &Loaded, durable: &Durable, before: Option<&Snapshot>) -> Result<Snapshot, String> {
    let file = &loaded.file;
    let mut upstreams: Vec<Arc<Upstream>> = Vec::with_capacity(file.upstreams.len());
    for (name, section) in &file.upstreams {
        let kept = before.and_then(|b| b.upstreams.iter().find(|u| u.name == *name && u.section == *section));
        upstreams.push(match kept {
            Some(kept) => Arc::clone(kept),
            None => upstream(name, section, durable).await.map_err(|e| format!("upstreams.{name}: {e}"))?,
        });
    }
    let targets = targets(file, &upstreams, durable)?;
    for upstream in &upstreams {
        let wanted = targets.iter().filter(|target| Arc::ptr_eq(&target.upstream, upstream));
        upstream.pool.wants(wanted.map(|target| target.id.clone()));
    }
    let classifiers = Classifiers::load(file.difficulty_model.as_ref(), &loaded.attached)?;
    let routes = routes(loaded, &targets, &classifiers, durable)?;
    let created = jiff::Timestamp::now().as_second();
    let models = listed(file).map(|name| Entry::new(name, created)).collect::<Vec<_>>();
    for (name, model) in &file.models {
        if let Some(day) = model.retires_on {
            let days = jiff::Zoned::now().date().until(day).map_or(0, |span| i64::from(span.get_days()));
            durable.metrics.retires_in_days.with_label_values(&[name]).set(days);
        }
    }
    Ok(Snapshot {
        generation: before.map_or(1, |b| b.generation + 1),
        hash: loaded.hash_hex(),
        server: file.server.clone(),
        retries: file.retries.clone(),
        passthrough: upstreams.iter().find(|u| Some(u.name.as_str()) == loaded.passthrough()).cloned(),
        upstreams,
        targets,
        routes,
        classifiers,
        protection: Protection::build(file, durable.workers)?,
        cache: remembering::store(file, durable, before)?,
        deferred: deferring::open(file, durable)?,
        embedder: file.cache.as_ref().and_then(|cache| Some(cache.semantic.as_ref()?.embedder.clone())),
        tenant_scopes: remembering::of_tenants(loaded),
        tenants: tenants(file, durable)?,
        models_answer: models::list(&models),
        models,
        shown: loaded.masked.clone(),
    })
}

/// Who may ask, with what is left of limits and budgets.
fn tenants(file: &File, durable: &Durable) -> Result<Directory, String> {
    let now = jiff::Timestamp::now().as_microsecond();
    let spending = durable.books.as_ref().map(|books| books.spending());
    let spent_since = |tenant: &str, app: &str, since: i64| match &spending {
        Some(spending) => spending.since(tenant, app, since),
        // Nothing is recorded: a restart begins anew, and `check` has said so.
        None => Ok(0),
    };
    Directory::build(file, &durable.accounts, now, &spent_since)
}

/// What a client may ask for: routes, aliases, models.
fn listed(file: &File) -> impl Iterator<Item = &String> {
    let routes = file.routes.iter().flat_map(|(name, route)| std::iter::once(name).chain(&route.aliases));
    routes.chain(file.models.keys().filter(|name| !file.routes.contains_key(*name)))
}

async fn upstream(name: &str, section: &file::Upstream, durable: &Durable) -> Result<Arc<Upstream>, String> {
    let urls = section.nodes.iter().map(file::PoolNode::url).chain(section.base_url.as_deref());
    let parsed = urls.map(Address::parse).collect::<Result<Vec<_>, _>>()?;
    let (addresses, paths): (Vec<Address>, Vec<String>) = parsed.into_iter().unzip();
    // Nodes that are found have no path of their own.
    let base_path = match (paths.first(), &section.discover) {
        (Some(path), _) => path.as_str(),
        (None, Some(_)) => "",
        (None, None) => return Err("it has neither nodes nor base_url".into()),
    };
    if paths.iter().any(|path| path != base_path) {
        return Err("all nodes of a pool must have the same path".into());
    }
    let provider = provider::of(section, base_path)?;
    let credentials = provider.credentials();
    let tls = tls(section, &addresses)?;
    let fingerprint = fingerprint(section);
    let nodes = Arc::clone(&durable.nodes);
    let pool = match (&section.base_url, addresses.into_iter().next()) {
        (Some(_), Some(address)) => {
            let authority = format!("{}://{}", address.scheme, address.authority);
            let key = NodeKey { upstream: name.to_owned(), address: authority.clone(), authority, tls: fingerprint };
            let tls = tls.as_ref().map(|tls| tls.for_host(&address.host)).transpose()?;
            let make = || Node::new("0".into(), address, tls, durable.workers);
            Pool::one(discover::keep(&nodes, key, make), section.max_in_flight_per_node)
        }
        _ => {
            let models_path = provider.other("/v1/models");
            let plan = Plan {
                upstream: name.to_owned(),
                sources: Source::of(section, base_path)?,
                balance: section.balance,
                slow_start: section.slow_start(),
                tls,
                tls_fingerprint: fingerprint,
                probe: Probe::of(name, section, provider.health_path(), models_path, credentials.clone()),
                max_in_flight: section.max_in_flight_per_node,
                by_slots: section.kind == file::UpstreamKind::LlamaServer,
                workers: durable.workers,
                prefix_tokens: prefix_tokens(name, section, durable),
            };
            Pool::balanced(plan, nodes).await
        }
    };
    let upstream = Arc::new(Upstream::new(name, section.clone(), provider, pool)?);
    durable.metrics.survival.begin(name);
    // Ends by itself once the last snapshot that holds the upstream is gone.
    let weak = Arc::downgrade(&upstream);
    let _runs_on_control = durable.control.enter();
    crate::task::spawn("health checks", Pool::tend(weak));
    Ok(upstream)
}

/// TLS for the nodes that speak it; of those that are listed it is tried out now.
fn tls(section: &file::Upstream, addresses: &[Address]) -> Result<Option<TlsSettings>, String> {
    let mut secure = addresses.iter().filter(|a| a.scheme == http::uri::Scheme::HTTPS).peekable();
    // What is found in a file may speak TLS.
    if secure.peek().is_none() && section.discover.is_none() {
        return Ok(None);
    }
    let settings = TlsSettings::build(&section.tls)?;
    for address in secure {
        settings.for_host(&address.host)?;
    }
    Ok(Some(settings))
}

/// The counters of a pool that goes by prompts' beginnings.
fn prefix_tokens(name: &str, section: &file::Upstream, durable: &Durable) -> Option<PrefixTokens> {
    let counters = &durable.metrics.pool.prefix_tokens;
    (section.balance == file::Balance::Prefix).then(|| PrefixTokens {
        hit: counters.with_label_values(&[name, "hit"]),
        miss: counters.with_label_values(&[name, "miss"]),
    })
}

/// Nodes may be kept as long as the way to talk TLS to them stays the same.
fn fingerprint(section: &file::Upstream) -> u64 {
    let mut hasher = DefaultHasher::new();
    let tls = &section.tls;
    for secret in [&tls.ca, &tls.cert, &tls.key] {
        secret.as_ref().map(super::super::config::scalar::Secret::expose).hash(&mut hasher);
    }
    tls.server_name.hash(&mut hasher);
    hasher.finish()
}

fn targets(file: &File, upstreams: &[Arc<Upstream>], durable: &Durable) -> Result<Vec<Arc<Target>>, String> {
    let one = |(name, model): (&String, &file::Model)| {
        let upstream = upstreams.iter().find(|u| u.name == model.upstream);
        let upstream = upstream.ok_or_else(|| format!("models.{name}: there is no upstream `{}`", model.upstream))?;
        let metrics = durable.metrics.target(upstream.placement_name(), name, file.tenants.len());
        let id = model.id.as_deref().unwrap_or(name);
        let target = Target::new(name, id, Arc::clone(upstream), model, metrics);
        target.map(Arc::new).map_err(|e| format!("models.{name}: {e}"))
    };
    file.models.iter().map(one).collect()
}

fn routes(
    loaded: &Loaded,
    targets: &[Arc<Target>],
    classifiers: &Classifiers,
    durable: &Durable,
) -> Result<HashMap<String, Arc<RouteEntry>>, String> {
    let file = &loaded.file;
    let mut routes = HashMap::new();
    for name in file.models.keys() {
        let candidates = vec![candidate(file, targets, name)?];
        let rule = Rule { name: DIRECT.into(), candidates, ..Rule::default() };
        let route = Route { name: name.clone(), rules: vec![rule] };
        routes.insert(name.clone(), Arc::new(entry(route, Threshold::unset(), loaded, targets)?));
    }
    for (name, section) in &file.routes {
        let rules = section.rules.iter().map(|r| rule(file, targets, name, r)).collect::<Result<Vec<_>, _>>();
        let rules = rules.map_err(|e| format!("routes.{name}: {e}"))?;
        let threshold = routing::threshold(name, section.threshold.as_ref(), loaded, classifiers, durable);
        let threshold = threshold.map_err(|e| format!("routes.{name}.threshold: {e}"))?;
        let entry = Arc::new(entry(Route { name: name.clone(), rules }, threshold, loaded, targets)?);
        for known_as in std::iter::once(name).chain(&section.aliases) {
            routes.insert(known_as.clone(), Arc::clone(&entry));
        }
    }
    Ok(routes)
}

fn rule(file: &File, targets: &[Arc<Target>], route: &str, raw: &file::Rule) -> Result<Rule, String> {
    let when = raw.when.as_deref().map(Condition::compile).transpose().map_err(|e| e.message)?;
    let tried: Vec<&str> = raw.targets.iter().map(file::Try::model).collect();
    // What is both in `split` and in `try` is one target.
    let split = raw.split.keys().map(String::as_str).filter(|name| !tried.contains(name));
    let names = tried.iter().copied().chain(split);
    let mut candidates = names.map(|name| candidate(file, targets, name)).collect::<Result<Vec<_>, _>>()?;
    // Those of `try` come first.
    for (candidate, target) in candidates.iter_mut().zip(&raw.targets) {
        candidate.min_confidence = target.min_confidence();
    }
    let weights = raw.split.iter().map(|(name, weight)| (name.as_str(), *weight));
    let split = (!raw.split.is_empty()).then(|| Split::new(route, &raw.name, &candidates, weights, &tried));
    let shadow = |shadow: &file::Shadow| {
        candidate(file, targets, &shadow.model).map(|candidate| Shadow { candidate, sample: shadow.sample })
    };
    let shadow = raw.shadow.as_ref().map(shadow).transpose()?;
    let upgrade = raw.then == Some(file::Afterwards::Upgrade);
    Ok(Rule { name: raw.name.clone(), when, candidates, split, shadow, upgrade })
}

fn candidate(file: &File, targets: &[Arc<Target>], name: &str) -> Result<Candidate, String> {
    let missing = || format!("there is no model `{name}`");
    let at = targets.iter().position(|t| t.name == name).ok_or_else(missing)?;
    let model = file.models.get(name).ok_or_else(missing)?;
    let target = targets.get(at).ok_or_else(missing)?;
    Ok(Candidate {
        id: TargetId::try_from(at).map_err(|_| "there are more than 65,535 models".to_string())?,
        model: name.to_owned(),
        placement: target.upstream.placement(),
        context: model.context,
        modalities: modalities(model.modalities.as_deref()),
        tools: model.tools.unwrap_or(true),
        region: target.upstream.section.region.clone(),
        is_priced: target.prices.is_known(Day::of(jiff::Timestamp::now())),
        retires_on: model.retires_on,
        min_confidence: None,
    })
}

fn modalities(configured: Option<&[file::Modality]>) -> Modalities {
    let one = |m: &file::Modality| match m {
        file::Modality::Text => Modalities::TEXT,
        file::Modality::Image => Modalities::IMAGE,
        file::Modality::Audio => Modalities::AUDIO,
        file::Modality::File => Modalities::FILE,
    };
    configured.map_or(Modalities::TEXT, |list| list.iter().map(one).fold(Modalities::default(), Modalities::with))
}

fn entry(route: Route, threshold: Threshold, loaded: &Loaded, targets: &[Arc<Target>]) -> Result<RouteEntry, String> {
    let file = &loaded.file;
    let tenants = file.tenants.len();
    let rules = route.rules.iter().map(|rule| {
        let ok = rule.candidates.iter().map(|c| (c.id, (0..=tenants).map(|_| OnceLock::new()).collect())).collect();
        Ok(RuleEntry { name_header: header(&rule.name)?, ok })
    });
    let rules = rules.collect::<Result<_, String>>()?;
    let mut reads = route.reads();
    if threshold.is_controlled() {
        reads = reads.with(SignalId::Difficulty).with(SignalId::Threshold);
    }
    let shadows = || route.rules.iter().filter_map(|rule| Some(&rule.shadow.as_ref()?.candidate));
    let candidates = || route.rules.iter().flat_map(|rule| &rule.candidates);
    let has_retiring = candidates().chain(shadows()).any(|candidate| candidate.retires_on.is_some());
    let knowledge_until = candidates().filter_map(|c| file.models.get(&c.model)?.knowledge_until).min();
    let reaches = |placement| candidates().chain(shadows()).any(|candidate| candidate.placement == placement);
    let (has_edge, has_cloud) = (reaches(file::Placement::Edge), reaches(file::Placement::Cloud));
    let mut clouds: Vec<Arc<Upstream>> = Vec::new();
    for candidate in candidates().filter(|c| c.placement == file::Placement::Cloud) {
        let upstream = targets.get(usize::from(candidate.id)).map(|target| &target.upstream);
        if let Some(upstream) = upstream.filter(|upstream| !clouds.iter().any(|known| Arc::ptr_eq(known, upstream))) {
            clouds.push(Arc::clone(upstream));
        }
    }
    let section = file.routes.get(&route.name);
    let is_sticky = section.is_some_and(|section| section.sticky == Some(Sticky::Conversation));
    let on_trial = file.difficulty_model.as_ref().is_some_and(|model| model.parts().1.is_some());
    let needs_conversation = is_sticky || on_trial || route.rules.iter().any(|rule| rule.split.is_some());
    Ok(RouteEntry {
        is_decided: section.is_some(),
        rules,
        reads,
        has_retiring,
        needs_conversation,
        is_sticky,
        degrades: section.is_some_and(|section| section.degrade),
        threshold,
        knowledge_until,
        clouds,
        has_edge,
        has_cloud,
        terms: Terms::of(file.cache.as_ref(), section.and_then(|section| section.cache.as_ref())),
        scope: remembering::of_route(loaded, &route.name),
        name_header: header(&route.name)?,
        route,
    })
}

fn header(name: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(name)
        .map_err(|_| format!("`{name}` cannot stand in a header; use letters, digits, `-`, `_` and `.`"))
}

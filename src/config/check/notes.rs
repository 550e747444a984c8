//! What is off, and where everything else goes: one line each, for `check` and the start-up log.
//!
//! What a reader could get wrong: a section that is absent is a capability that is off, and somebody may believe it is on.

use crate::config::file::{File, Placement, Privacy};

/// Where passed-through paths go: the upstream named for it; else the first cloud upstream, else the first one. `None`: nowhere.
pub fn passthrough(file: &File) -> Option<&str> {
    match file.passthrough.as_deref() {
        Some("off") => None,
        Some(name) => Some(name),
        None => {
            let cloud = file.upstreams.iter().find(|(_, upstream)| upstream.placement == Placement::Cloud);
            cloud.or(file.upstreams.first()).map(|(name, _)| name.as_str())
        }
    }
}

fn has_no_retention(file: &File) -> bool {
    let apps = file.tenants.values().flat_map(|tenant| tenant.apps.values().filter_map(|app| app.privacy));
    let tiers = file.tenants.values().map(|tenant| tenant.privacy).chain(apps);
    tiers.into_iter().any(|tier| tier == Privacy::NoRetention)
}

/// `today`: for prices that begin later.
pub fn of(file: &File, today: jiff::civil::Date) -> Vec<String> {
    let mut notes = Vec::new();
    if file.tenants.is_empty() {
        notes.push(match file.server.allow_public_without_keys {
            false => "tenants is off: nobody is asked for a key; only loopback listeners".into(),
            true => "tenants is off: nobody is asked for a key, and listeners may be public".into(),
        });
    }
    notes.push(match &file.pii {
        Some(_) => {
            "pii: requests that are routed by model are redacted; what is passed through is not looked at".into()
        }
        None if has_no_retention(file) => {
            "pii is off: only `no-retention` requests are redacted before the cloud".into()
        }
        None => "pii is off: nothing is redacted".to_owned(),
    });
    if file.pii.as_ref().is_some_and(|pii| pii.analyzer.is_some()) {
        notes.push(
            "pii.analyzer: it gets the texts of every request that is looked through, `local-only` ones included"
                .into(),
        );
    }
    notes.push(match &file.cache {
        None => "cache is off: no answer is kept".to_owned(),
        Some(cache) if cache.semantic.is_none() => {
            "cache.semantic is off: a question in other words is asked upstream".to_owned()
        }
        Some(_) => "cache.semantic: a question in other words may be answered from memory".to_owned(),
    });
    if file.cache.as_ref().is_some_and(|cache| cache.disk.is_some()) {
        notes.push("cache.disk: answers to `retained` requests are written to disk, encrypted".to_owned());
    }
    if file.cache.as_ref().is_some_and(|cache| cache.shared.is_some()) {
        notes.push("cache.shared: answers to `retained` requests are kept in Redis, encrypted".to_owned());
    }
    notes.push(match &file.deferred {
        None => "deferred is off: nothing is done later; `background` and batches are the upstream's".to_owned(),
        Some(_) => "deferred: background responses of `retained` requests are kept in data_dir, encrypted".to_owned(),
    });
    if file.audit.is_none() {
        notes.push("audit is off: no record of where requests ran is kept".into());
    }
    if file.ledger.is_off() {
        notes.push("ledger is off: usage and cost are not recorded, and a restart resets budgets".into());
    }
    notes.push("telemetry.otlp is off: no traces are sent".into());
    if file.tls.is_none() {
        notes.push("tls is off: the listener speaks plain HTTP".into());
    }
    notes.push(match passthrough(file) {
        Some(name) => format!("passthrough: every `/v1` path that is not routed by model goes to `{name}`"),
        None => "passthrough is off: every `/v1` path that is not routed by model is a 404".into(),
    });
    notes.extend(super::prices::notes(file, today));
    notes
}

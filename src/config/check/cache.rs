//! `cache`: sizes and shares that make sense, an embedder that exists, a shared server that can be spoken to.
//!
//! What a reader could get wrong: a route's `cache` needs the section at the top; without it nothing is kept, whatever the route says.

use std::time::Duration;

use super::{Checker, decoded_items, shown};
use crate::config::document::Node;
use crate::config::file::{BUILTIN, Cache, Placement, RouteCache, RouteCacheWith};
use crate::config::problem::{nearest, quoted};

/// More wrong answers than this nobody wants.
const LARGEST_ERROR: f64 = 0.2;
/// Longer than this nobody waits for a cache, or for the next word of an answer that is there.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_PACE: Duration = Duration::from_secs(10);
/// A shorter secret can be guessed.
const SHORTEST_SECRET: usize = 16;
/// Less memory than this holds next to nothing.
const LEAST_CAPACITY: u64 = 1 << 20;

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    if let (Some(node), Some(cache)) = (document.get(&["cache"]), &file.cache) {
        exact(checker, node, cache);
        semantic(checker, node, cache);
        tiers(checker, node, cache);
    }
    let routes = decoded_items(document.get(&["routes"]), checker.input.silent);
    for (item, route) in routes.into_iter().zip(file.routes.values()) {
        let (Some(node), Some(cache)) = (item.get("cache"), &route.cache) else { continue };
        let RouteCache::With(with) = cache else { continue };
        if file.cache.is_none() {
            let hint = "add `cache: {}` at the top of the file, or remove it here";
            checker.warning(node, "`cache` has no effect: there is no `cache` section, so nothing is kept", hint);
        }
        of_route(checker, node, with);
    }
}

fn exact(checker: &mut Checker<'_>, node: &Node, cache: &Cache) {
    let Some(node) = node.get("exact") else { return };
    let exact = &cache.exact;
    checker.time(Some(node), "ttl", Some(exact.ttl.0));
    temperature(checker, node, Some(exact.max_temperature));
    if let Some(at) = node.get("capacity").filter(|_| exact.capacity.0 < LEAST_CAPACITY) {
        checker.error(at, format!("a capacity of {} holds next to nothing", shown(at)), "write at least 1MiB");
    }
    if let Some(at) = node.get("max_entry").filter(|_| exact.max_entry.0 == 0 || exact.max_entry.0 > exact.capacity.0) {
        let message = format!("`max_entry` of {} is nothing, or more than the whole capacity", shown(at));
        checker.error(at, message, "remove it for 1MiB");
    }
}

fn semantic(checker: &mut Checker<'_>, node: &Node, cache: &Cache) {
    let (Some(node), Some(semantic)) = (node.get("semantic"), &cache.semantic) else { return };
    error_bound(checker, node, Some(semantic.max_error));
    share(checker, node, "verify_sample", semantic.verify_sample);
    if let Some(at) = node.get("entries").filter(|_| semantic.entries == 0) {
        checker.error(at, "`entries` must be at least 1", "remove it for 100000, or remove `semantic`");
    }
    let models = &checker.input.file.models;
    if let Some(at) = node.get("embedder").filter(|_| semantic.embedder != BUILTIN) {
        if !models.contains_key(&semantic.embedder) {
            let near = nearest(&semantic.embedder, models.keys().map(String::as_str).chain([BUILTIN]));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `builtin`, or the `models` key of an embedding model".into(),
            };
            checker.error(at, format!("there is no model {}", quoted(&semantic.embedder)), hint);
        }
        let upstream = models.get(&semantic.embedder).map(|model| model.upstream.as_str());
        let upstream = upstream.and_then(|name| checker.input.file.upstreams.get(name));
        if upstream.is_some_and(|upstream| upstream.placement == Placement::Cloud) {
            let message = format!("{} runs in the cloud, which would see every question", quoted(&semantic.embedder));
            checker.error(at, message, "name an embedding model at the edge, or `builtin`");
        }
    }
}

fn tiers(checker: &mut Checker<'_>, node: &Node, cache: &Cache) {
    if let (Some(disk), Some(section)) = (node.get("disk"), &cache.disk)
        && let Some(at) = disk.get("capacity").filter(|_| section.capacity.0 < LEAST_CAPACITY)
    {
        checker.error(at, format!("a capacity of {} holds next to nothing", shown(at)), "write at least 1MiB");
    }
    let (Some(item), Some(shared)) = (node.get("shared"), &cache.shared) else { return };
    let with = shared.with();
    checker.time(Some(item), "timeout", Some(with.timeout.0));
    longest(checker, item, "timeout", Some(with.timeout.0), LONGEST_TIMEOUT);
    let known = ["redis://", "rediss://", "valkey://", "valkeys://", "redis+unix://", "valkey+unix://", "unix://"];
    let url = with.url.expose();
    if !known.iter().any(|scheme| url.starts_with(scheme)) || redis::parse_redis_url(url).is_none() {
        let at = item.get("url").unwrap_or(item);
        checker.error(at, "the URL of `shared` is none of a Redis", "write redis://HOST:6379, rediss:// for TLS");
    }
    if let Some(at) =
        item.get("secret").filter(|_| with.secret.as_ref().is_some_and(|s| s.expose().trim().len() < SHORTEST_SECRET))
    {
        let hint = "write at least 16 characters that nobody guesses, best `file:PATH` with the output of `openssl rand -hex 32`";
        checker.error(at, "the `secret` of `shared` is shorter than 16 characters (or empty)", hint);
    }
    if with.secret.is_none() {
        let hint =
            "give all replicas the same `secret: file:PATH` (`{url: …, secret: …}`); one gateway alone needs none";
        checker.warning(
            item,
            "entries of `shared` are encrypted with the key in `data_dir`, which other replicas do not have",
            hint,
        );
    }
}

fn of_route(checker: &mut Checker<'_>, node: &Node, with: &RouteCacheWith) {
    checker.time(Some(node), "ttl", with.ttl.map(|ttl| ttl.0));
    checker.time(Some(node), "pace", with.pace.map(|pace| pace.0));
    longest(checker, node, "pace", with.pace.map(|pace| pace.0), LONGEST_PACE);
    temperature(checker, node, with.max_temperature);
    error_bound(checker, node, with.max_error);
    if let Some(at) = node.get("semantic").filter(|_| with.semantic == Some(true))
        && checker.input.file.cache.as_ref().is_some_and(|cache| cache.semantic.is_none())
    {
        let hint = "add `semantic: {max_error: 0.01}` below `cache`";
        checker.error(at, "`semantic: true` needs the section `cache.semantic`", hint);
    }
}

fn longest(checker: &mut Checker<'_>, node: &Node, key: &str, given: Option<Duration>, most: Duration) {
    if let Some(at) = node.get(key).filter(|_| given.is_some_and(|given| given > most)) {
        checker.error(at, format!("`{key}` of {} keeps clients waiting", shown(at)), format!("write at most {most:?}"));
    }
}

fn temperature(checker: &mut Checker<'_>, node: &Node, given: Option<f64>) {
    if let Some(at) = node.get("max_temperature").filter(|_| given.is_some_and(|t| !(0.0..=2.0).contains(&t))) {
        checker.error(at, format!("temperature {} is not between 0 and 2", shown(at)), "remove it for 0");
    }
}

fn error_bound(checker: &mut Checker<'_>, node: &Node, given: Option<f64>) {
    if let Some(at) = node.get("max_error").filter(|_| given.is_some_and(|e| !(0.0..=LARGEST_ERROR).contains(&e))) {
        let message = format!("a `max_error` of {} is not between 0 and {LARGEST_ERROR}", shown(at));
        checker.error(at, message, "0.01 means that one of a hundred such answers may be wrong");
    }
}

fn share(checker: &mut Checker<'_>, node: &Node, key: &str, given: f64) {
    if let Some(at) = node.get(key).filter(|_| !(0.0..=1.0).contains(&given)) {
        checker.error(at, format!("`{key}` of {} is no share", shown(at)), "write a number from 0 to 1");
    }
}

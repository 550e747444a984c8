//! Upstreams: where they are, how they are reached, and where passed-through paths go.
//!
//! What a reader could get wrong: `off` is not a name here, because `passthrough: off` means nowhere.

use std::collections::HashMap;

use super::{Checker, decoded_items, listeners, pem, shown, url};
use crate::config::document::Node;
use crate::config::file::{Breaker, Discover, Placement, Upstream, UpstreamKind, WEIGHTS};
use crate::config::problem::Position;

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let section = document.get(&["upstreams"]);
    match section {
        _ if document.root.is_null() => checker.findings.problems.push(listeners::empty(Position::START)),
        None => checker.error(&document.root, "no `upstreams`: nothing could answer", "add an edge pool or a provider"),
        Some(section) if section.is_null() || section.children().next().is_none() => {
            checker.error_at_name(section, "no `upstreams`: nothing could answer", "add an edge pool or a provider");
        }
        Some(_) => {}
    }
    for (key, node) in section.into_iter().flat_map(Node::children) {
        let Some((name, upstream)) = key.and_then(|key| file.upstreams.get_key_value(key)) else { continue };
        checker.name(node, node.name_at(), "upstream", name);
        if name == "off" {
            checker.error_at_name(
                node,
                "an upstream cannot be named `off`",
                "`passthrough: off` means nowhere: rename it",
            );
        }
        one(checker, node, upstream);
    }
    if let (Some(node), Some(target)) = (document.get(&["passthrough"]), &file.passthrough)
        && target != "off"
    {
        checker.refers(node, "upstream", "upstreams", target);
    }
}

fn one(checker: &mut Checker<'_>, node: &Node, upstream: &Upstream) {
    addresses(checker, node, upstream);
    key(checker, node, upstream);
    checker.at_least_one(Some(node), "max_in_flight_per_node", upstream.max_in_flight_per_node.map(u64::from));

    let (health, times) = (node.get("health"), node.get("timeouts"));
    checker.time(health, "interval", upstream.health.interval.map(|time| time.0));
    checker.time(health, "timeout", upstream.health.timeout.map(|time| time.0));
    checker.at_least_one(health, "unhealthy_after", upstream.health.unhealthy_after.map(u64::from));
    checker.at_least_one(health, "healthy_after", upstream.health.healthy_after.map(u64::from));
    if let (Some(node), Some(path)) = (health.and_then(|health| health.get("path")), &upstream.health.path)
        && (!path.starts_with('/') || path.parse::<http::uri::PathAndQuery>().is_err())
    {
        checker.error(node, format!("{} is no path", shown(node)), "begin it with `/`, such as /health");
    }
    checker.time(times, "connect", Some(upstream.timeouts.connect.0));
    checker.time(times, "first_token", Some(upstream.timeouts.first_token.0));
    checker.time(times, "between_tokens", Some(upstream.timeouts.between_tokens.0));
    checker.time(times, "total", Some(upstream.timeouts.total.0));
    breaker(checker, node.get("breaker"), &upstream.breaker);
    tls(checker, node, upstream);
}

fn breaker(checker: &mut Checker<'_>, node: Option<&Node>, breaker: &Breaker) {
    checker.at_least_one(node, "failures", Some(breaker.failures.into()));
    checker.time(node, "window", Some(breaker.window.0));
    checker.time(node, "open_for", Some(breaker.open_for.0));
    let get = |key| node.and_then(|node| node.get(key));
    if let Some(rate) = get("failure_rate").filter(|_| !(breaker.failure_rate > 0.0 && breaker.failure_rate <= 1.0)) {
        checker.error(rate, format!("{} is no share of failures", shown(rate)), "write a number above 0, up to 1");
    }
    if let Some(slower) = get("slower").filter(|_| breaker.slower <= 1.0 || breaker.slower.is_nan()) {
        checker.error(
            slower,
            format!("{} is not slower than the others", shown(slower)),
            "write a number above 1, such as 5",
        );
    }
}

/// Exactly one of `nodes` and `base_url`, of good URLs.
fn addresses(checker: &mut Checker<'_>, node: &Node, upstream: &Upstream) {
    let present = |key: &str| node.get(key).is_some_and(|node| !node.is_null());
    let azure = upstream.kind == UpstreamKind::Azure;
    match (present("nodes"), present("base_url")) {
        (true, true) => {
            let hint =
                if azure { "azure takes `base_url`" } else { "`nodes` is a pool of your own, `base_url` a provider" };
            checker.error_at_name(node, "an upstream has `nodes` or `base_url`, not both", hint);
        }
        (false, false) if present("discover") && azure => {
            checker.error_at_name(node, "azure needs `base_url`", "write `base_url: https://NAME.openai.azure.com`");
        }
        (false, true) if present("discover") => {
            let hint = "`discover` finds the nodes of a pool of your own, `base_url` is a provider";
            checker.error_at_name(node, "an upstream has `discover` or `base_url`, not both", hint);
        }
        (false, false) if !present("discover") && node.children().next().is_some() => {
            let hint = match upstream.kind {
                UpstreamKind::Azure => "add `base_url: https://NAME.openai.azure.com`",
                UpstreamKind::Openai => "add `base_url: https://api.openai.com/v1` or that of another provider",
                _ => "add `nodes: [http://HOST:PORT, …]`",
            };
            checker.error_at_name(node, "an upstream needs `nodes` or `base_url`", hint);
        }
        (true, false) if azure => {
            checker.error_at_name(node, "azure needs `base_url`", "write `base_url: https://NAME.openai.azure.com`");
        }
        _ => {}
    }
    pool(checker, node, upstream);
    if let (Some(item), Some(text)) = (node.get("base_url"), &upstream.base_url)
        && let Some(uri) = url::http(checker, item, text)
        && uri.scheme_str() == Some("http")
        && upstream.placement == Placement::Cloud
        && upstream.api_key.is_some()
        && !url::is_loopback(&uri)
    {
        checker.warning(item, "prompts and the `api_key` go to this provider unencrypted", "use https");
    }
}

/// The nodes of a pool, and who finds further ones.
fn pool(checker: &mut Checker<'_>, node: &Node, upstream: &Upstream) {
    if let Some(nodes) = node.get("nodes")
        && !nodes.is_null()
    {
        let items = decoded_items(Some(nodes), checker.input.silent);
        if nodes.children().next().is_none() && upstream.discover.is_none() {
            checker.error(nodes, "`nodes` lists none", "add `http://HOST:PORT`");
        }
        let mut seen = HashMap::new();
        for (item, listed) in items.iter().zip(&upstream.nodes) {
            let at = item.get("url").unwrap_or(item);
            url::http(checker, at, listed.url());
            if let Some(first) = seen.insert(listed.url().trim_end_matches('/'), item.at.line) {
                checker.error(
                    at,
                    format!("node {} is given twice", shown(at)),
                    format!("the first is on line {first}"),
                );
            }
            if let Some(weight) = item.get("weight")
                && !WEIGHTS.contains(&listed.weight())
            {
                let hint = "write a number from 0.01 to 1000; `drain: true` takes a node out";
                checker.error(weight, format!("{} is no weight", shown(weight)), hint);
            }
        }
    }
    if let (Some(item), Some(text)) = (node.get("discover"), &upstream.discover)
        && let Err((complaint, hint)) = Discover::parse(text)
    {
        checker.error(item, format!("{} {complaint}", shown(item)), hint);
    }
    if let (Some(item), Some(text)) = (node.get("resolver"), &upstream.resolver) {
        if text.parse::<std::net::SocketAddr>().is_err() {
            checker.error(item, format!("{} is no address", shown(item)), "write ADDRESS:PORT, such as 127.0.0.1:8600");
        } else if upstream.discover.is_none() {
            checker.warning(item, "`resolver` does nothing without `discover`", "remove it");
        }
    }
    if let (Some(item), Some(_)) = (node.get("slow_start"), &upstream.base_url) {
        checker.warning(item, "`slow_start` does nothing for a provider", "remove it");
    }
}

fn key(checker: &mut Checker<'_>, node: &Node, upstream: &Upstream) {
    match (&upstream.api_key, node.get("api_key")) {
        (Some(key), Some(item)) => {
            if key.expose().is_empty() {
                checker.error(item, "`api_key` is empty", "set it, or remove the line if no key is needed");
            } else if !key.expose().chars().all(|c| c.is_ascii_graphic()) {
                let hint = "it must be visible ASCII on one line; look for spaces, quotes and line breaks";
                checker.error(item, "`api_key` has characters that cannot be sent in a header", hint);
            }
        }
        // Given, and refused already or empty.
        (None, item) if upstream.kind == UpstreamKind::Azure => {
            let at = item.unwrap_or(node);
            checker.error_at_name(
                at,
                "azure needs `api_key`",
                "write `api_key: ${AZURE_OPENAI_API_KEY}` and set the variable",
            );
        }
        _ => {}
    }
    if let (Some(item), Some(version)) = (node.get("api_version"), &upstream.api_version)
        && (version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)))
    {
        checker.error(item, format!("{} is no version", shown(item)), "write a day, such as 2024-10-21, or `preview`");
    }
}

fn tls(checker: &mut Checker<'_>, node: &Node, upstream: &Upstream) {
    let (Some(node), tls) = (node.get("tls"), &upstream.tls) else { return };
    pem::certificates(checker, node, "ca", tls.ca.as_ref());
    pem::certificates(checker, node, "cert", tls.cert.as_ref());
    pem::key(checker, node, "key", tls.key.as_ref());
    let given = |key: &str| node.get(key).is_some_and(|node| !node.is_null());
    if given("cert") != given("key") {
        checker.error_at_name(node, "`cert` and `key` go together", "give both, or neither");
    }
    if let (Some(item), Some(name)) = (node.get("server_name"), &tls.server_name)
        && rustls_pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        checker.error(item, format!("{} is no host name", shown(item)), "write the name that is in its certificate");
    }
}

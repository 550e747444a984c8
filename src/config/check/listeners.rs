//! The listeners: their addresses, certificates, limits and deadlines.
//!
//! What a reader could get wrong: where there are no tenants nobody is asked for a key, so an address that other machines reach is
//! refused unless the operator says that he means it. The admin listener never asks.

use std::net::SocketAddr;

use super::{Checker, pem, shown};
use crate::config::document::Node;
use crate::config::problem::{Position, Problem};

pub fn check(checker: &mut Checker<'_>) {
    let (document, file) = (checker.input.document, checker.input.file);
    let (listen_node, admin_node) = (document.get(&["listen"]), document.get(&["admin"]));
    let listen = address(checker, "listen", listen_node, &file.listen);
    let admin = address(checker, "admin", admin_node, &file.admin);
    if let (Some(listen), Some(admin)) = (listen, admin)
        && clash(listen, admin)
        && let Some(node) = admin_node.or(listen_node)
    {
        let hint = "the admin API must not be reachable through the public listener: give it a port of its own";
        checker.error(node, "`listen` and `admin` are the same address", hint);
    }
    if let Some(node) = document.get(&["data_dir"])
        && file.data_dir.is_empty()
    {
        checker.error(node, "`data_dir` is empty", "name a folder, such as ./data");
    }
    limits(checker);
    tls(checker);
}

/// The address of one listener, where it can be used.
fn address(checker: &mut Checker<'_>, key: &str, node: Option<&Node>, text: &str) -> Option<SocketAddr> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        let node = node?;
        let hint = match text.rsplit_once(':') {
            Some(("localhost", port)) => format!("write 127.0.0.1:{port}"),
            Some(("", port)) => format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for all interfaces"),
            None if text.parse::<u16>().is_ok() => format!("write 127.0.0.1:{text}"),
            _ => "write IP:PORT, such as 127.0.0.1:4141 or [::1]:4141".into(),
        };
        let hint = if super::may_show(node) { hint } else { "write IP:PORT, such as 127.0.0.1:4141".into() };
        checker.error(node, format!("{} is no address to listen on", shown(node)), hint);
        return None;
    };
    // `::ffff:127.0.0.1` is loopback, too.
    if let Some(node) = node
        && !address.ip().to_canonical().is_loopback()
    {
        let what = match key {
            "admin" => "the admin API has no keys of its own, and",
            _ if !checker.input.file.tenants.is_empty() => return Some(address),
            _ => "nobody is asked for a key (there are no `tenants`), and",
        };
        let message = format!("{what} {} can be reached from other machines", shown(node));
        if checker.input.file.server.allow_public_without_keys {
            checker.warning(
                node,
                message,
                "accepted because of `server.allow_public_without_keys`: guard the port yourself",
            );
        } else {
            let hint = match key {
                "admin" => {
                    "use 127.0.0.1, or set `server: {allow_public_without_keys: true}` where something else guards the port"
                }
                _ => {
                    "use 127.0.0.1, add `tenants`, or set `server: {allow_public_without_keys: true}` where something else guards the port"
                }
            };
            checker.error(node, message, hint);
        }
    }
    Some(address)
}

/// Whether the second could not be bound, or would answer for the first. Port 0 is a free port each time.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn limits(checker: &mut Checker<'_>) {
    let server = &checker.input.file.server;
    let node = checker.input.document.get(&["server"]);
    checker.at_least_one(node, "max_body", Some(server.max_body.0));
    checker.at_least_one(node, "max_upload", Some(server.max_upload.0));
    checker.at_least_one(node, "max_connections", Some(server.max_connections.into()));
    checker.at_least_one(node, "max_in_flight", Some(server.max_in_flight.into()));
    checker.at_least_one(node, "workers", server.workers.map(u64::from));
    checker.time(node, "header_timeout", Some(server.header_timeout.0));
    checker.time(node, "body_timeout", Some(server.body_timeout.0));
    // Zero is allowed here: do not wait at all.
    if !server.drain_timeout.0.is_zero() {
        checker.time(node, "drain_timeout", Some(server.drain_timeout.0));
    }
    /// hyper takes no smaller buffer.
    const SMALLEST_HEAD: u64 = 8 << 10;
    if let Some(node) = node.and_then(|node| node.get("max_header"))
        && server.max_header.0 < SMALLEST_HEAD
    {
        checker.error(
            node,
            "`max_header` must be at least 8KiB",
            "SDKs send heads of up to 4 KiB, proxies add to them",
        );
    }
}

fn tls(checker: &mut Checker<'_>) {
    let (Some(node), Some(tls)) = (checker.input.document.get(&["tls"]), &checker.input.file.tls) else { return };
    pem::certificates(checker, node, "cert", Some(&tls.cert));
    pem::key(checker, node, "key", Some(&tls.key));
    pem::certificates(checker, node, "client_ca", tls.client_ca.as_ref());
}

/// An empty file decodes to defaults; that must not replace a working configuration during a reload.
pub fn empty(at: Position) -> Problem {
    Problem::error(at, "the configuration is empty")
        .with_hint("it needs at least `upstreams`; see config/tidegate.yaml")
}

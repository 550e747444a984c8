//! Addresses of nodes and providers.
//!
//! What a reader could get wrong: a URL with a password in it is refused, and never repeated in the message.

use http::Uri;

use super::{Checker, shown};
use crate::config::document::Node;

/// The URL of a node, if it is one that can be used.
pub fn http(checker: &mut Checker<'_>, node: &Node, text: &str) -> Option<Uri> {
    if text.contains('@') {
        let hint = "put the key into `api_key`: a URL is shown in logs and in the console";
        checker.error(node, "a user or password in a URL is not accepted", hint);
        return None;
    }
    let (complaint, hint) = match text.parse::<Uri>() {
        Ok(uri) => match fault(&uri, text) {
            None => return Some(uri),
            Some(fault) => fault,
        },
        Err(_) => ("is no URL", "write http://HOST:PORT or https://HOST/PATH"),
    };
    checker.error(node, format!("{} {complaint}", shown(node)), hint);
    None
}

fn fault(uri: &Uri, text: &str) -> Option<(&'static str, &'static str)> {
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        None => Some(("is no URL", "write the scheme as well: http://HOST:PORT")),
        Some(scheme) if scheme != "http" && scheme != "https" => {
            Some(("is not http or https", "write http://HOST:PORT or https://HOST/PATH"))
        }
        _ if host.is_empty() => Some(("has no host", "write http://HOST:PORT or https://HOST/PATH")),
        // `http` reads a port that is out of range as none at all.
        _ if uri.authority().is_some_and(|a| a.as_str().len() > host.len())
            && matches!(uri.port_u16(), None | Some(0)) =>
        {
            Some(("has no usable port", "write a port from 1 to 65535"))
        }
        _ if uri.query().is_some() || text.contains('#') => {
            Some(("has a query or fragment", "end it with the path; azure's version goes into `api_version`"))
        }
        _ => None,
    }
}

/// Whether the URL leads to this machine.
pub fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
